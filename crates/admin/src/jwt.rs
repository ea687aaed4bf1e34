//! Commands on tokens (JWT, RFC 7519): an administrator of a tenant makes them,
//! they last at most a day, and they can be revoked.

use countersign_core::change::Change;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::jwt::{Claims, SignError, TokenId, Ttl, Whoami, bearer_name, sign};
use countersign_core::kind::Kind;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::scheme::SchemeName;
use countersign_core::store::{Intent, Listed, Page, StoreError};
use countersign_core::time::Timestamp;
use countersign_core::token::TokenRecord;

use crate::caller::{Permission, check_admin, forbidden};
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::{self, Rows};
use crate::view::AuditedToken;

mod key;
mod revocation;
mod shown;

pub use self::key::{ListKeys, RotateKey, RotatedKey, ShownKey};
pub use self::revocation::{RevokeToken, RevokeTokensOfIssuer, RevokeTokensOfKey};
pub use self::shown::{CreatedToken, ShownToken};

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
    pub issuer: Issuer,
}

/// The principal that makes a token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Issuer {
    /// The one whose session runs the command.
    Caller,
    /// The one of this name: a user by e-mail address, a thing by its key, or an
    /// application by its name. Only a platform administrator makes tokens in
    /// the name of others.
    Named(String),
}

/// Makes a token, with its tenant's first key and its bearer where those are
/// not there yet.
#[derive(Clone, Debug)]
pub struct CreateToken(pub NewToken);

impl Command for CreateToken {
    type Output = CreatedToken;

    fn needs(&self) -> Permission {
        match &self.0.issuer {
            Issuer::Caller => Permission::Administer(self.0.tenant.clone()),
            Issuer::Named(_) => Permission::Platform,
        }
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<CreatedToken, AdminError> {
        let (new, now) = (&self.0, tx.now);
        lookup::tenant(tx, &new.tenant)?;
        let issuer = match &new.issuer {
            Issuer::Caller => {
                let caller = tx.caller;
                caller.principal(tx)?
            }
            Issuer::Named(name) => lookup::issuer(tx, Some(&new.tenant), name)?.id,
        };
        check_admin(tx, issuer, &new.tenant, now).map_err(|error| {
            let is_own = new.issuer == Issuer::Caller && error.kind() == ErrorKind::Forbidden;
            if is_own && tx.may(&Permission::Platform) {
                let message = format!(
                    "{error} by a grant of its own; name somebody who does: a token lasts no \
                     longer than who makes it administers the tenant"
                );
                return forbidden(message);
            }
            error
        })?;
        lookup::role(tx, &new.tenant, &new.role)?;
        let mut things = Vec::new();
        for key in &new.things {
            lookup::thing(tx, &new.tenant, key)?;
            if !things.contains(key) {
                things.push(key.clone());
            }
        }
        let (key_id, key) = key::current(tx, &new.tenant)?;
        if !make_room(tx, issuer, now)? {
            return Err(too_many(MOST_TOKENS, "living tokens of one issuer"));
        }
        let bearer = bearer(tx, new, now)?;
        let claims = Claims {
            jti: TokenId::generate(tx.random_bits()?),
            tenant: new.tenant.clone(),
            whoami: new.whoami.clone(),
            role: new.role.clone(),
            things,
            issued_at: now,
            not_before: None,
            expires_at: now.plus(new.ttl.as_duration()),
        }
        .in_whole_seconds();
        let token = sign(&claims, &key_id, &key)?;
        let record = TokenRecord {
            id: claims.jti,
            tenant: claims.tenant,
            bearer: bearer.id,
            issuer,
            key: key_id,
            role: claims.role,
            things: claims.things,
            issued_at: claims.issued_at,
            expires_at: claims.expires_at,
            revoked_at: None,
        };
        tx.add_token(&record)?;
        let after = AuditedToken::of(&ShownToken::of(tx, record.clone(), now)?);
        tx.record("jwt.create", bearer.name.as_str(), None, Some(&after));
        tx.changed(Change::Credential(bearer.id));
        Ok(CreatedToken { token, record })
    }
}

/// Lists the tokens that have not ended long since, by tenant and time: those of
/// a tenant, or all.
#[derive(Clone, Debug, Default)]
pub struct ListTokens {
    /// Of this tenant alone.
    pub tenant: Option<TenantId>,
    /// Which of them.
    pub page: Page<(TenantId, Timestamp, TokenId)>,
}

impl Command for ListTokens {
    type Output = Listed<ShownToken>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::see(self.tenant.as_ref())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Listed<ShownToken>, AdminError> {
        let (tenant, now) = (self.tenant.as_ref(), tx.now);
        lookup::check_tenant(tx, tenant)?;
        let Listed { rows, next } = tx.tokens(tenant, &self.page)?;
        let shown = rows.into_iter().map(|token| ShownToken::of(tx, token, now));
        let rows = shown.collect::<Result<_, _>>()?;
        Ok(Listed { rows, next })
    }
}

/// Makes room for one more token of this issuer; says whether there is room.
///
/// A token without a record proves nothing, so that to remove one that ended or
/// was revoked admits no client.
fn make_room(
    rows: &mut Rows<'_>,
    issuer: CredentialId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if rows.count_tokens_of(issuer)? < MOST_TOKENS {
        return Ok(true);
    }
    rows.remove_ended_tokens_of(issuer, now)?;
    Ok(rows.count_tokens_of(issuer)? < MOST_TOKENS)
}

/// The credential of the holder of the token, made where it does not exist.
fn bearer(rows: &mut Rows<'_>, new: &NewToken, now: Timestamp) -> Result<Credential, AdminError> {
    let name = bearer_name(&new.whoami, &new.tenant);
    let taken = || {
        let message = format!("`{name}` is not a name for the holder of a token");
        AdminError::new(ErrorKind::Exists, Subject::new(Noun::Token, &name), message)
    };
    let found = match rows.credential(&name)? {
        Some(found) => found,
        None if rows.bearers(&new.tenant)? >= MOST_BEARERS => {
            return Err(too_many(MOST_BEARERS, "bearers of tokens in one tenant"));
        }
        None => {
            let scheme = SchemeName::parse(SCHEME).map_err(|_| taken())?;
            let tenant = Some(new.tenant.clone());
            let blank = Credential::new(name.clone(), Kind::Bearer, tenant, scheme, now);
            rows.add_credential(&blank)?;
            rows.credential(&name)?.ok_or_else(taken)?
        }
    };
    if matches!(found.kind, Kind::Bearer) && found.tenant.as_ref() == Some(&new.tenant) {
        Ok(found)
    } else {
        Err(taken())
    }
}

fn too_many(most: u64, what: &str) -> AdminError {
    let message = format!(
        "there are {most} {what}, and may be no more; use a `whoami` again, or wait until tokens \
         end"
    );
    AdminError::new(ErrorKind::Conflict, Subject::nameless(Noun::Token), message)
}

impl From<SignError> for AdminError {
    fn from(error: SignError) -> Self {
        Self::invalid(Noun::Token, "", error)
    }
}

/// As many tokens of one issuer as may live at once.
const MOST_TOKENS: u64 = 1_000;

/// As many names as the tokens of one tenant may ever be for.
const MOST_BEARERS: u64 = 10_000;

/// Under which bearers stand; nothing of it matters to them.
const SCHEME: &str = "basic";

#[cfg(test)]
mod tests;
