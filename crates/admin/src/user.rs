//! Acts on users: people with an e-mail address, a second factor and roles in
//! tenants.

use countersign_core::change::Change;
use countersign_core::credential::Credential;
use countersign_core::kind::Kind;
use countersign_core::ledger::LedgerTransaction as _;
use countersign_core::lockout::Lockout;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::scheme::{Scheme, Schemes};
use countersign_core::secret::Argon2Params;
use countersign_core::store::rows::{
    CredentialRows as _, LockoutRows as _, SchemeRows as _, SecretRows as _, SettingRows as _,
};
use countersign_core::store::{AdminStore, AdminTransaction, Intent, StoreError};
use countersign_core::user::User;

use crate::context::Context;
use crate::credential::{CredentialError, blank, exists};
use crate::error::AdminError;
use crate::jwt;
use crate::kind::WrongKind;
use crate::lookup::Rows;
use crate::password::{ChosenPassword, NewSecret, PreparedSecret};
use crate::sealed::KeyFileError;
use crate::secret::{self, Overlap};
use crate::view::AuditedUser;

mod grant;
mod mfa;

pub use self::grant::{NewGrant, grant, ungrant};
pub use self::mfa::{Enrolment, confirm, disable, enrol};

/// A user to be made.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct NewUser {
    /// The e-mail address, folded.
    pub email: LoginName,
    /// The password.
    pub password: ChosenPassword,
}

/// A user, and what is counted against the address.
#[derive(Clone, Debug)]
pub struct ShownUser {
    /// The user.
    pub user: Credential,
    /// What failed.
    pub lockout: Lockout,
}

/// Makes a user, who is granted nothing yet.
///
/// # Errors
///
/// Returns [`UserError`] when the address is taken, when the password can't be
/// one, or when the store can't be written; nothing changed then.
pub fn create<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    new: NewUser,
) -> Result<ShownUser, UserError> {
    let email = new.email;
    // What can be refused is refused before a password is hashed.
    let (known, params) = {
        let mut transaction = store.begin(Intent::Read)?;
        check_free(&mut transaction, &email)?;
        (transaction.schemes()?, transaction.settings()?.argon2)
    };
    let secret = prepare(context, &email, new.password, &known, params)?;

    let mut transaction = store.begin(Intent::Write)?;
    check_free(&mut transaction, &email)?;
    let (kind, scheme) = (Kind::User(Box::default()), scheme(&known)?.name().clone());
    let blank = blank(email.clone(), kind, None, scheme, context.now);
    let id = transaction
        .add_credential(&blank)
        .map_err(|error| exists(error, &email))?;
    transaction.add_secret(id, &secret.verifier)?;
    let described = find(&mut transaction, &email)?;
    let row = context.audit(
        "user.create",
        email.as_str(),
        None::<&AuditedUser>,
        Some(&AuditedUser::of(&described.user)),
    );
    transaction.commit(&[row], &[Change::Credential(id)])?;
    Ok(described)
}

/// All users, by address.
///
/// # Errors
///
/// Returns [`StoreError`] when the store can't be read.
pub fn list<S: AdminStore>(store: &mut S) -> Result<Vec<ShownUser>, StoreError> {
    let mut transaction = store.begin(Intent::Read)?;
    let users = transaction.users()?.into_iter();
    users
        .map(|user| {
            let lockout = transaction.lockout(&user.name)?;
            Ok(ShownUser { user, lockout })
        })
        .collect()
}

/// The user with this address.
///
/// # Errors
///
/// Returns [`UserError`] when there is none or the store can't be read.
pub fn show<S: AdminStore>(store: &mut S, email: &LoginName) -> Result<ShownUser, UserError> {
    find(&mut store.begin(Intent::Read)?, email)
}

/// Deletes a user. Their sessions end, and so do the tokens that they made.
///
/// # Errors
///
/// Returns [`UserError`] when there is none or the store can't be written;
/// nothing changed then.
pub fn delete<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    email: &LoginName,
) -> Result<(), UserError> {
    let mut transaction = store.begin(Intent::Write)?;
    let user = find(&mut transaction, email)?.user;
    let ended = jwt::end(&mut transaction, None, context, email.as_str(), |token| {
        token.issuer == user.id
    })?;
    transaction.delete_credential(user.id)?;
    let row = context.audit(
        "user.delete",
        email.as_str(),
        Some(&AuditedUser::of(&user)),
        None::<&AuditedUser>,
    );
    let (rows, changes) = ended.and(row, Change::Credential(user.id));
    transaction.commit(&rows, &changes)?;
    Ok(())
}

/// Replaces the password of a user. Their sessions end; a lock stays.
///
/// # Errors
///
/// Returns [`UserError`] when there is none, when the password can't be one,
/// or when the store can't be written; nothing changed then.
pub fn reset_password<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    email: &LoginName,
    password: ChosenPassword,
) -> Result<ShownUser, UserError> {
    let (known, params) = {
        let mut transaction = store.begin(Intent::Read)?;
        find(&mut transaction, email)?;
        (transaction.schemes()?, transaction.settings()?.argon2)
    };
    let stored = prepare(context, email, password, &known, params)?;
    let now = context.now;
    let act = "user.reset-password";
    act_on(store, context, email, act, |transaction, user| {
        secret::retire(&mut Rows::of(transaction), user, Overlap::None, now)?;
        transaction.add_secret(user.id, &stored.verifier)?;
        Ok(())
    })
}

/// Forgives a user what failed, and so lifts a lock.
///
/// # Errors
///
/// Returns [`UserError`] when there is none, when nothing is counted against
/// the address, or when the store can't be written; nothing changed then.
pub fn unlock<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    email: &LoginName,
) -> Result<ShownUser, UserError> {
    act_on(store, context, email, "user.unlock", |transaction, user| {
        if transaction.lockout(&user.name)? == Lockout::default() {
            return Err(UserError::NotLocked {
                email: user.name.clone(),
            });
        }
        Ok(transaction.clear_lockout(&user.name)?)
    })
}

/// One act on one user: look them up, change them, write them with the audit
/// row and the change, and return what they are then.
fn act_on<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    email: &LoginName,
    act: &'static str,
    change: impl FnOnce(&mut S::Transaction<'_>, &mut Credential) -> Result<(), UserError>,
) -> Result<ShownUser, UserError> {
    let mut transaction = store.begin(Intent::Write)?;
    let mut user = find(&mut transaction, email)?.user;
    let before = AuditedUser::of(&user);
    change(&mut transaction, &mut user)?;
    user.updated_at = context.now;
    transaction.update_credential(&user)?;
    let described = find(&mut transaction, email)?;
    let after = AuditedUser::of(&described.user);
    let row = context.audit(act, email.as_str(), Some(&before), Some(&after));
    transaction.commit(&[row], &[Change::Credential(user.id)])?;
    Ok(described)
}

/// The user with this address, in the midst of an act.
fn find<T: AdminTransaction>(
    transaction: &mut T,
    email: &LoginName,
) -> Result<ShownUser, UserError> {
    let missing = || UserError::Missing {
        email: email.clone(),
    };
    let user = transaction.credential(email)?.ok_or_else(missing)?;
    if !matches!(user.kind, Kind::User(_)) {
        return Err(WrongKind::of(&user).into());
    }
    let lockout = transaction.lockout(&user.name)?;
    Ok(ShownUser { user, lockout })
}

/// What makes a credential a user's.
fn about(user: &mut Credential) -> Result<&mut User, UserError> {
    match &mut user.kind {
        Kind::User(about) => Ok(about),
        Kind::Application(_) | Kind::Bearer | Kind::Device | Kind::Thing(_) => {
            Err(UserError::Missing {
                email: user.name.clone(),
            })
        }
    }
}

fn check_free<T: AdminTransaction>(
    transaction: &mut T,
    email: &LoginName,
) -> Result<(), UserError> {
    match transaction.credential(email)? {
        Some(taken) => Err(CredentialError::Exists { name: taken.name }.into()),
        None => Ok(()),
    }
}

/// Hashes a password as that of a device. Slow, so no transaction may be open.
fn prepare(
    context: &mut Context<'_>,
    email: &LoginName,
    password: ChosenPassword,
    known: &Schemes,
    params: Argon2Params,
) -> Result<PreparedSecret, CredentialError> {
    let scheme = scheme(known)?;
    let secret = NewSecret::Chosen(password);
    Ok(secret.prepare(context, email, scheme, known, params)?)
}

fn scheme(known: &Schemes) -> Result<&Scheme, CredentialError> {
    known.find(SCHEME).ok_or(CredentialError::SchemeChanged)
}

/// Why an act on a user was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UserError {
    /// There is a second factor already.
    #[error(
        "`{email}` has a second factor already; take it away first with `user mfa disable {email}`"
    )]
    AlreadyConfirmed {
        /// The address.
        email: LoginName,
    },
    /// Something that holds for all credentials.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The same is granted already.
    #[error("`{email}` is granted just that in tenant `{tenant}` already")]
    Granted {
        /// The address.
        email: LoginName,
        /// The tenant.
        tenant: TenantId,
    },
    /// There is none with this address.
    #[error("there is no user `{email}`; `user list` shows all")]
    Missing {
        /// The address.
        email: LoginName,
    },
    /// There is no second factor.
    #[error("`{email}` has no second factor; `user mfa enrol {email}` makes one")]
    NoSecondFactor {
        /// The address.
        email: LoginName,
    },
    /// Nothing is granted.
    #[error("`{email}` is granted nothing in tenant `{tenant}`")]
    NotGranted {
        /// The address.
        email: LoginName,
        /// The tenant.
        tenant: TenantId,
    },
    /// Nothing is counted against the address.
    #[error("`{email}` is not locked, and no failed login is counted")]
    NotLocked {
        /// The address.
        email: LoginName,
    },
    /// It is of another kind, which has commands of its own.
    #[error(transparent)]
    WrongKind(#[from] WrongKind),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// As the commands say.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// Something can't be sealed or opened.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The code is none of the seed, now.
    #[error(
        "this is not a code of `{email}` at this time; compare the clocks of both sides, or enrol again"
    )]
    WrongCode {
        /// The address.
        email: LoginName,
    },
}

/// Whose rules for passwords hold for people, too.
const SCHEME: &str = "basic";

#[cfg(test)]
mod tests;
