//! Acts on users: people with an e-mail address, a second factor and roles in
//! tenants.

use countersign_core::change::Change;
use countersign_core::credential::Credential;
use countersign_core::kind::Kind;
use countersign_core::lockout::Lockout;
use countersign_core::name::LoginName;
use countersign_core::scheme::SchemeName;
use countersign_core::secret::Verifier;
use countersign_core::store::{Intent, Keyed, StoreError};
use countersign_core::time::Timestamp;
use countersign_core::user::{Grant, User};

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::kept_name;
use crate::kind::check_not_reserved;
use crate::lookup::Rows;
use crate::password::ChosenPassword;
use crate::secret::{NewSecret, Overlap};
use crate::view::AuditedUser;
use crate::{cascade, lookup, secret};

mod grant;
mod list;
mod mfa;

pub use self::grant::{GrantUser, UngrantUser};
pub use self::list::{GrantedUsers, ListGrantedUsers, ListUsers};
pub use self::mfa::{ConfirmSecondFactor, DisableSecondFactor, EnrolSecondFactor, Enrolment};
pub(crate) use self::mfa::{confirm, disable, enrol};

/// A user, and what is counted against the address.
#[derive(Clone, Debug)]
pub struct ShownUser {
    /// The user.
    pub user: Credential,
    /// What failed.
    pub lockout: Lockout,
    /// Whether this is all of the user. If not, the caller may know the name, and the
    /// grants that are here.
    pub is_whole: bool,
}

impl Keyed for ShownUser {
    type Key = LoginName;

    fn key(&self) -> LoginName {
        self.user.key()
    }
}

impl ShownUser {
    /// What is counted against the address is read now.
    pub(crate) fn of(rows: &mut Rows<'_>, user: Credential) -> Result<Self, StoreError> {
        let lockout = rows.lockout(&user.name)?;
        Ok(Self {
            user,
            lockout,
            is_whole: true,
        })
    }

    /// A user of whom no more may be known than the name and these grants.
    fn of_grants(user: &Credential, grants: Vec<Grant>, now: Timestamp) -> Self {
        let about = User {
            grants,
            ..User::default()
        };
        let (kind, scheme) = (Kind::User(Box::new(about)), user.scheme.clone());
        Self {
            user: Credential::new(user.name.clone(), kind, None, scheme, now),
            lockout: Lockout::default(),
            is_whole: false,
        }
    }
}

/// Makes a user, who is granted nothing yet.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct CreateUser {
    email: LoginName,
    password: NewSecret,
    is_platform_admin: bool,
}

impl CreateUser {
    /// Makes a user with this name, as
    /// [`parse_user_name`](countersign_core::user::parse_user_name) has it, and this
    /// password.
    #[must_use]
    pub fn new(email: LoginName, password: ChosenPassword) -> Self {
        Self {
            email,
            password: NewSecret::Chosen(password),
            is_platform_admin: false,
        }
    }

    /// The same of a user who administers the whole store, if `is_admin`.
    #[must_use]
    pub fn with_platform_admin(self, is_admin: bool) -> Self {
        Self {
            is_platform_admin: is_admin,
            ..self
        }
    }
}

impl Command for CreateUser {
    type Output = ShownUser;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn passwords(&self) -> Vec<&ChosenPassword> {
        self.password.password().into_iter().collect()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownUser, AdminError> {
        let Self {
            email,
            password,
            is_platform_admin,
        } = self;
        check_not_reserved(email)?;
        lookup::check_free(tx, email)?;
        kept_name::check_email_free(tx, email)?;
        let verifier = verifier(tx, email, password)?;
        let about = User {
            is_platform_admin: *is_platform_admin,
            ..User::default()
        };
        let (kind, scheme) = (Kind::User(Box::new(about)), SchemeName::basic());
        let blank = Credential::new(email.clone(), kind, None, scheme, tx.now);
        let id = tx
            .add_credential(&blank)
            .map_err(|error| lookup::exists_if_conflict(error, email))?;
        tx.add_secret(id, &verifier)?;
        recorded(tx, "user.create", email, None)
    }
}

/// Shows the user with this address.
#[derive(Clone, Debug)]
pub struct ShowUser(pub LoginName);

impl Command for ShowUser {
    type Output = ShownUser;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::ManageUser(self.0.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownUser, AdminError> {
        let user = lookup::user(tx, &self.0)?;
        Ok(ShownUser::of(tx, user)?)
    }
}

/// Deletes a user. Their sessions end, and so do the tokens that they made.
#[derive(Clone, Debug)]
pub struct DeleteUser(pub LoginName);

impl Command for DeleteUser {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::ManageUser(self.0.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let email = self.0.as_str();
        let user = lookup::user(tx, &self.0)?;
        tx.record("user.delete", email, Some(&AuditedUser::of(&user)), None);
        tx.changed(Change::Credential(user.id));
        cascade::end_tokens(tx, None, email, |token| token.issuer == user.id)?;
        Ok(tx.delete_credential(user.id)?)
    }
}

/// Replaces the password of a user. Their sessions end; a lock stays.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct ResetUserPassword {
    email: LoginName,
    password: NewSecret,
}

impl ResetUserPassword {
    /// Replaces the password of the user with this address by another.
    #[must_use]
    pub fn new(email: LoginName, password: ChosenPassword) -> Self {
        Self {
            email,
            password: NewSecret::Chosen(password),
        }
    }
}

impl Command for ResetUserPassword {
    type Output = ShownUser;

    fn needs(&self) -> Permission {
        Permission::ManageUser(self.email.clone())
    }

    fn passwords(&self) -> Vec<&ChosenPassword> {
        self.password.password().into_iter().collect()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownUser, AdminError> {
        reset_password(tx, &self.email, &self.password)
    }
}

/// Replaces the password of a user. All of their sessions end.
pub(crate) fn reset_password(
    tx: &mut Tx<'_>,
    email: &LoginName,
    password: &NewSecret,
) -> Result<ShownUser, AdminError> {
    change(tx, "user.reset-password", email, |tx, user| {
        let verifier = verifier(tx, &user.name, password)?;
        let now = tx.now;
        secret::retire(tx, user, Overlap::None, now)?;
        tx.add_secret(user.id, &verifier)?;
        tx.remove_web_sessions_of(user.id)?;
        Ok(())
    })
}

/// Changes what a user is beyond what is granted in tenants.
#[derive(Clone, Debug)]
pub struct SetUser {
    /// The name.
    pub email: LoginName,
    /// Whether the user administers the whole store from now on.
    pub is_platform_admin: bool,
}

impl Command for SetUser {
    type Output = ShownUser;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownUser, AdminError> {
        change(tx, "user.set", &self.email, |tx, user| {
            let id = user.id;
            let about = about(user)?;
            let loses = about.is_platform_admin && !self.is_platform_admin;
            about.is_platform_admin = self.is_platform_admin;
            if loses {
                tx.remove_web_sessions_of(id)?;
            }
            Ok(())
        })
    }
}

/// Forgives a user what failed, and so lifts a lock.
#[derive(Clone, Debug)]
pub struct UnlockUser(pub LoginName);

impl Command for UnlockUser {
    type Output = ShownUser;

    fn needs(&self) -> Permission {
        Permission::ManageUser(self.0.clone())
    }

    /// Something must be counted against the address.
    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownUser, AdminError> {
        change(tx, "user.unlock", &self.0, |tx, user| {
            let email = &user.name;
            if tx.lockout(email)? == Lockout::default() {
                let message = format!("`{email}` is not locked, and no failed login is counted");
                let subject = Subject::new(Noun::Lockout, email);
                return Err(AdminError::new(ErrorKind::NotFound, subject, message));
            }
            Ok(tx.clear_lockout(email)?)
        })
    }
}

/// One act on one user: finds them, changes them, and writes them with the audit
/// row and the change. What they are then is the output.
fn change(
    tx: &mut Tx<'_>,
    act: &'static str,
    email: &LoginName,
    change: impl FnOnce(&mut Tx<'_>, &mut Credential) -> Result<(), AdminError>,
) -> Result<ShownUser, AdminError> {
    let mut user = lookup::user(tx, email)?;
    let before = AuditedUser::of(&user);
    change(tx, &mut user)?;
    user.updated_at = tx.now;
    tx.update_credential(&user)?;
    recorded(tx, act, email, Some(&before))
}

/// Records what was written of a user.
fn recorded(
    tx: &mut Tx<'_>,
    act: &'static str,
    email: &LoginName,
    before: Option<&AuditedUser>,
) -> Result<ShownUser, AdminError> {
    let user = lookup::user(tx, email)?;
    tx.record(act, email.as_str(), before, Some(&AuditedUser::of(&user)));
    tx.changed(Change::Credential(user.id));
    Ok(ShownUser::of(tx, user)?)
}

/// Users, as far as the caller may know of them.
fn known(tx: &mut Tx<'_>, users: Vec<Credential>) -> Result<Vec<ShownUser>, AdminError> {
    let (authority, now) = (tx.caller.authority, tx.now);
    let grants = authority.known_grants(&users, tx, now)?;
    let users = users.into_iter().zip(grants);
    let known = users.map(|(user, grants)| match grants {
        Some(grants) => Ok(ShownUser::of_grants(&user, grants, now)),
        None => Ok(ShownUser::of(tx, user)?),
    });
    known.collect()
}

/// What makes a credential a user's.
fn about(user: &mut Credential) -> Result<&mut User, AdminError> {
    match &mut user.kind {
        Kind::User(about) => Ok(about),
        Kind::Application(_) | Kind::Bearer | Kind::Device | Kind::Operator | Kind::Thing(_) => {
            Err(lookup::no_user(&user.name))
        }
    }
}

/// What is kept of a password. The rules of scheme `basic` hold for people, too.
fn verifier(
    tx: &mut Tx<'_>,
    email: &LoginName,
    password: &NewSecret,
) -> Result<Verifier, AdminError> {
    let known = tx.schemes()?;
    let scheme = lookup::scheme(&known, &SchemeName::basic())?;
    Ok(password.drafted(tx, email, scheme, &known)?.verifier)
}

#[cfg(test)]
mod tests;
