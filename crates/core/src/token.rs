//! Tokens (JWT) as they are stored: the issuer, the holder, and whether a token
//! is still valid.

use crate::credential::{Credential, CredentialId};
use crate::jwt::{KeyId, TokenId, VerifyingKey};
use crate::name::{LoginName, TenantId};
use crate::reason::Reason;
use crate::role::RoleName;
use crate::seal::Sealed;
use crate::time::Timestamp;

/// A token that was made.
///
/// A token counts only while this record exists, besides being signed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenRecord {
    /// Its number, the claim `jti`.
    pub id: TokenId,
    /// Its tenant.
    pub tenant: TenantId,
    /// The credential of its holder, `jwt:WHOAMI@TENANT`.
    pub bearer: CredentialId,
    /// Who made it. It is worth nothing once they administer the tenant no
    /// more.
    pub issuer: CredentialId,
    /// The key that signed it.
    pub key: KeyId,
    /// The role whose rules its bearer has.
    pub role: RoleName,
    /// The things that it is limited to; if none, it is not.
    pub things: Vec<LoginName>,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl TokenRecord {
    /// Says whether the token is worth anything at `now`, and why not, given
    /// its issuer, none if they are gone, and the key that signed it.
    ///
    /// A login and a live session are judged by the same words.
    ///
    /// # Errors
    ///
    /// Returns the [`Reason`] why not.
    pub fn admits(
        &self,
        issuer: Option<&Credential>,
        key: Option<&TokenKey>,
        now: Timestamp,
    ) -> Result<(), Reason> {
        let key_counts = key.is_some_and(|key| key.tenant == self.tenant && key.is_usable(now));
        if self.revoked_at.is_some() || !key_counts {
            return Err(Reason::Revoked);
        }
        if now >= self.expires_at {
            return Err(Reason::Expired);
        }
        let admin = issuer.filter(|issuer| {
            issuer.id == self.issuer
                && issuer.is_org_admin_of(&self.tenant)
                && issuer.is_in_force(now).is_ok()
        });
        admin.map(|_| ()).ok_or(Reason::Revoked)
    }
}

/// A key that signs the tokens of a tenant, as far as checking needs it.
#[derive(Clone, Debug)]
pub struct TokenKey {
    /// Its id, the header `kid`.
    pub id: KeyId,
    /// Its tenant.
    pub tenant: TenantId,
    /// What checks a signature.
    pub public: VerifyingKey,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on its signatures count no more.
    pub ends_at: Option<Timestamp>,
}

impl TokenKey {
    /// Says whether its signatures count at `now`.
    #[must_use]
    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.ends_at.is_none_or(|end| now < end)
    }
}

/// A key with its private half.
#[derive(Clone, Debug)]
pub struct SealedTokenKey {
    /// The public part.
    pub key: TokenKey,
    /// The private part, sealed for [`SIGNING_KEY`] and the key's id.
    pub private: Sealed,
}

/// What a private key is sealed for.
pub const SIGNING_KEY: &str = "jwt-signing-key";
