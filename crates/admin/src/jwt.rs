//! Acts on tokens (JWT, RFC 7519): an administrator of a tenant makes them,
//! they last at most a day, and they can be revoked.

use std::collections::BTreeSet;

use countersign_core::change::Change;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::given::Given;
use countersign_core::jwt::{
    Claims, KeyId, SignError, TokenId, Ttl, Whoami, bearer_name, sign, whoami_of,
};
use countersign_core::kind::{ApplicationName, Kind};
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::scheme::SchemeName;
use countersign_core::secret::Secret;
use countersign_core::store::rows::{CredentialRows as _, TokenRows as _};
use countersign_core::store::{AdminStore, AdminTransaction, Intent, StoreError};
use countersign_core::time::Timestamp;
use countersign_core::token::TokenRecord;
use countersign_core::user::parse_email;

use crate::caller::check_admin;
use crate::context::{Context, RandomError};
use crate::credential::blank;
use crate::error::AdminError;
use crate::lookup::{self, Rows};
use crate::sealed::KeyFileError;
use crate::view::AuditedToken;

mod key;
mod revocation;

pub use self::key::{RotatedKey, rotate_key};
pub(crate) use self::revocation::end;
pub use self::revocation::{revoke, revoke_of_issuer, revoke_of_key};

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its tenant.
    pub tenant: TenantId,
    /// The role whose rules its bearer has.
    pub role: RoleName,
    /// Whom it is for.
    pub whoami: Whoami,
    /// The things that it is limited to; if none, it is not.
    pub things: Vec<LoginName>,
    /// How long it lasts.
    pub ttl: Ttl,
    /// Who makes it. They must administer the tenant, and it dies when they do
    /// no more.
    pub issuer: CredentialId,
}

/// A token that was made just now.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct CreatedToken {
    /// The token, to be shown this once.
    pub token: Secret,
    /// What is kept of it.
    pub record: TokenRecord,
}

/// A token as it is listed.
#[derive(Clone, Debug)]
pub struct ShownToken {
    /// What is kept of it.
    pub record: TokenRecord,
    /// Whom it is for; none if they are gone.
    pub whoami: Option<Whoami>,
    /// Who made it; none if they are gone.
    pub issuer: Option<LoginName>,
    /// Whether a client that presents it would be let in.
    pub is_valid: bool,
}

/// Makes a token, with its tenant's first key and its bearer where those are
/// not there yet.
///
/// # Errors
///
/// Returns [`JwtError`] when the issuer does not administer the tenant, when
/// the tenant has no such role or thing, when the key file is missing or
/// another one, or when the store can't be written; nothing changed then.
pub fn create<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    new: NewToken,
) -> Result<CreatedToken, JwtError> {
    let mut transaction = store.begin(Intent::Write)?;
    lookup::tenant(&mut Rows::of(&mut transaction), &new.tenant)?;
    check_admin(
        &mut Rows::of(&mut transaction),
        new.issuer,
        &new.tenant,
        context.now,
    )?;
    lookup::role(&mut Rows::of(&mut transaction), &new.tenant, &new.role)?;
    let mut things = Vec::new();
    for key in &new.things {
        lookup::thing(&mut Rows::of(&mut transaction), &new.tenant, key)?;
        if !things.contains(key) {
            things.push(key.clone());
        }
    }
    let (key_id, key) = key::current(&mut transaction, &new.tenant, context)?;
    if !make_room(&mut transaction, new.issuer, context.now)? {
        return Err(JwtError::TooMany {
            what: "living tokens of one issuer",
            most: MOST_TOKENS,
        });
    }
    let bearer = bearer(&mut transaction, &new, context.now)?;
    let claims = Claims {
        jti: TokenId::generate(context.random_bits()?),
        tenant: new.tenant,
        whoami: new.whoami,
        role: new.role,
        things,
        issued_at: context.now,
        not_before: None,
        expires_at: context.now.plus(new.ttl.as_duration()),
    }
    .in_whole_seconds();
    let token = sign(&claims, &key_id, &key)?;
    let record = TokenRecord {
        id: claims.jti,
        tenant: claims.tenant,
        bearer: bearer.id,
        issuer: new.issuer,
        key: key_id,
        role: claims.role,
        things: claims.things,
        issued_at: claims.issued_at,
        expires_at: claims.expires_at,
        revoked_at: None,
    };
    transaction.add_token(&record)?;
    let described = describe(&mut transaction, record.clone(), context.now)?;
    let row = context.audit(
        "jwt.create",
        bearer.name.as_str(),
        None::<&AuditedToken>,
        Some(&AuditedToken::of(&described)),
    );
    transaction.commit(&[row], &[Change::Credential(bearer.id)])?;
    Ok(CreatedToken { token, record })
}

/// Makes room for one more token of this issuer; says whether there is room.
///
/// A token without a record proves nothing, so that to remove one that ended or
/// was revoked admits no client.
fn make_room(
    transaction: &mut impl AdminTransaction,
    issuer: CredentialId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if transaction.count_tokens_of(issuer)? < MOST_TOKENS {
        return Ok(true);
    }
    transaction.remove_ended_tokens_of(issuer, now)?;
    Ok(transaction.count_tokens_of(issuer)? < MOST_TOKENS)
}

/// Tokens that have not ended long since, by tenant and time.
///
/// # Errors
///
/// Returns [`JwtError`] when there is no such tenant or the store can't be
/// read.
pub fn list<S: AdminStore>(
    store: &mut S,
    tenant: Option<&TenantId>,
    now: Timestamp,
) -> Result<Vec<ShownToken>, JwtError> {
    let mut transaction = store.begin(Intent::Read)?;
    if let Some(tenant) = tenant {
        lookup::tenant(&mut Rows::of(&mut transaction), tenant)?;
    }
    let tokens = transaction.tokens(tenant)?;
    let described = tokens
        .into_iter()
        .map(|token| describe(&mut transaction, token, now));
    Ok(described.collect::<Result<_, _>>()?)
}

/// The principal that people call so when they speak of who makes tokens: a
/// user by e-mail, a thing by its key, or an application by its name, which
/// without a tenant is the whole `application:NAME@TENANT`.
///
/// # Errors
///
/// Returns [`JwtError`] when there is none or the store can't be read. Whether
/// it administers the tenant is looked at when it makes a token.
pub fn issuer<S: AdminStore>(
    store: &mut S,
    tenant: Option<&TenantId>,
    principal: &str,
) -> Result<CredentialId, JwtError> {
    let mut transaction = store.begin(Intent::Read)?;
    if let Some(tenant) = tenant {
        lookup::tenant(&mut Rows::of(&mut transaction), tenant)?;
    }
    let application = tenant.and_then(|tenant| {
        let name = ApplicationName::parse(principal).ok()?;
        name.credential_name(tenant).ok()
    });
    let email = parse_email(principal).ok();
    let whole = LoginName::parse(principal).ok();
    for name in [application, email, whole].into_iter().flatten() {
        let found = transaction.credential(&name)?;
        if let Some(found) = found.filter(|found| may_be_issuer(found, tenant)) {
            return Ok(found.id);
        }
    }
    Err(JwtError::NoIssuer {
        principal: principal.into(),
    })
}

/// Says whether somebody could ever make tokens of a tenant.
fn may_be_issuer(credential: &Credential, tenant: Option<&TenantId>) -> bool {
    let is_of_tenant = tenant.is_none_or(|tenant| credential.tenant.as_ref() == Some(tenant));
    match credential.kind {
        Kind::Application(_) | Kind::Thing(_) => is_of_tenant,
        Kind::User(_) => true,
        Kind::Bearer | Kind::Device => false,
    }
}

/// A token with the names of who it is about.
fn describe<T: AdminTransaction>(
    transaction: &mut T,
    record: TokenRecord,
    now: Timestamp,
) -> Result<ShownToken, StoreError> {
    let bearer = transaction.credential_by_id(record.bearer)?;
    let issuer = transaction.credential_by_id(record.issuer)?;
    let keys = transaction.token_keys(&record.tenant)?;
    let key = keys.iter().find(|sealed| sealed.key.id == record.key);
    let is_valid = bearer.is_some()
        && record
            .admits(issuer.as_ref(), key.map(|sealed| &sealed.key), now)
            .is_ok();
    Ok(ShownToken {
        record,
        whoami: bearer.and_then(|bearer| whoami_of(&bearer.name)),
        issuer: issuer.map(|issuer| issuer.name),
        is_valid,
    })
}

/// The credential of the holder of the token, made where it does not exist.
fn bearer<T: AdminTransaction>(
    transaction: &mut T,
    new: &NewToken,
    now: Timestamp,
) -> Result<Credential, JwtError> {
    let name = bearer_name(&new.whoami, &new.tenant);
    let taken = || JwtError::NameTaken { name: name.clone() };
    let found = match transaction.credential(&name)? {
        Some(found) => found,
        None if transaction.bearers(&new.tenant)? >= MOST_BEARERS => {
            return Err(JwtError::TooMany {
                what: "bearers of tokens in one tenant",
                most: MOST_BEARERS,
            });
        }
        None => {
            let scheme = SchemeName::parse(SCHEME).map_err(|_| taken())?;
            let tenant = Some(new.tenant.clone());
            let blank = blank(name.clone(), Kind::Bearer, tenant, scheme, now);
            transaction.add_credential(&blank)?;
            transaction.credential(&name)?.ok_or_else(taken)?
        }
    };
    if matches!(found.kind, Kind::Bearer) && found.tenant.as_ref() == Some(&new.tenant) {
        Ok(found)
    } else {
        Err(taken())
    }
}

/// The bearers of tokens, each once, as changes.
fn changes_of<'a>(tokens: impl IntoIterator<Item = &'a TokenRecord>) -> Vec<Change> {
    let bearers: BTreeSet<_> = tokens.into_iter().map(|token| token.bearer).collect();
    bearers.into_iter().map(Change::Credential).collect()
}

/// Why an act on a token was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JwtError {
    /// The tenant's key does not open.
    #[error(
        "key `{key}` of tenant `{tenant}` does not open: {why}, or make another key with `jwt rotate-key --tenant {tenant}`"
    )]
    KeyUnreadable {
        /// The key.
        key: KeyId,
        /// Its tenant.
        tenant: TenantId,
        /// Why not.
        why: KeyFileError,
    },
    /// There is no token with this id.
    #[error("there is no token `{id}`; `jwt list` shows those that have not ended")]
    Missing {
        /// The id.
        id: TokenId,
    },
    /// The name of its holder belongs to another principal.
    #[error("`{name}` is not a name for the holder of a token; choose another --whoami")]
    NameTaken {
        /// The name.
        name: LoginName,
    },
    /// There is no principal with the name of its issuer.
    #[error(
        "nobody is called `{principal}` who could make tokens: it is the e-mail address of a user, or the name of an application or the key of a thing of the tenant"
    )]
    NoIssuer {
        /// What they were called.
        principal: Given,
    },
    /// There is no key with this id.
    #[error("there is no key `{key}`; `jwt list` shows what signed each token")]
    NoKey {
        /// The id.
        key: KeyId,
    },
    /// There was no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// It was revoked before.
    #[error("token `{id}` is revoked already")]
    Revoked {
        /// Its id.
        id: TokenId,
    },
    /// It can't be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// As the commands say.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// There are as many as there may be.
    #[error(
        "there are {most} {what}, and may be no more; use a `whoami` again, or wait until tokens end"
    )]
    TooMany {
        /// What there is.
        what: &'static str,
        /// How many there may be.
        most: u64,
    },
    /// The key file is of no use.
    #[error("{0}")]
    KeyFile(#[from] KeyFileError),
}

/// As many tokens of one issuer as may live at once.
const MOST_TOKENS: u64 = 1_000;

/// As many names as the tokens of one tenant may ever be for.
const MOST_BEARERS: u64 = 10_000;

/// Under which bearers stand; nothing of it matters to them.
const SCHEME: &str = "basic";

#[cfg(test)]
mod tests;
