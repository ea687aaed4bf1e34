//! Issuers of others: who signs tokens (JWT, RFC 7519) for a tenant's credentials.
//!
//! What a token says is read and verified elsewhere; here is what is known of an issuer,
//! and what follows from a token that is its own.

use core::fmt;
use core::ops::Deref;
use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::auto_registration::DeviceRegistration;
use crate::given::Given;
use crate::name::TenantId;
use crate::reason::Reason;
use crate::role::RoleName;
use crate::time::Timestamp;

pub use self::algorithm::{Algorithm, Algorithms, AlgorithmsError};
pub use self::key_source::{
    KeyPlace, KeySource, KeysUrl, KeysUrlError, LONGEST_PROBLEM, MaxKeyAge, MaxKeyAgeError,
};

mod algorithm;
mod key_source;

/// The number of an issuer; one that is added again has another.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct IssuerId(pub i64);

/// An issuer of a tenant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IssuerRecord {
    /// Its number.
    pub id: IssuerId,
    /// What administrators call it.
    pub name: IssuerName,
    /// Whose credentials its tokens are for.
    pub tenant: TenantId,
    /// What its tokens say of who issued them, the claim `iss`.
    pub issuer: IssuerText,
    /// Whom they have to be for, the claim `aud`. No two issuers have both alike.
    pub audience: IssuerText,
    /// What it signs by.
    pub algorithms: Algorithms,
    /// The claim that names the credential.
    pub identity: IdentityClaim,
    /// The claim that lists roles, if one does.
    pub role_claim: Option<ClaimName>,
    /// What stands in that claim, and which role of the tenant each means.
    pub roles: BTreeMap<RoleWord, RoleName>,
    /// Which devices it makes of those that it names; none where nobody wants that.
    pub registers: Option<DeviceRegistration>,
    /// Its public keys, as a JWK Set.
    pub keys: IssuerKeys,
    /// Since when it has these.
    pub keys_at: Timestamp,
    /// Where they are fetched; none if they were given.
    pub source: Option<KeySource>,
    /// Since when it is the tenant's.
    pub added_at: Timestamp,
}

impl IssuerRecord {
    /// Says whether its keys count at `now`: fetched ones do for so long, and there are
    /// none before the first were fetched.
    #[must_use]
    pub fn has_keys(&self, now: Timestamp) -> bool {
        let source = self.source.as_ref();
        &*self.keys != NO_KEYS && source.is_none_or(|it| now < it.keys_end_at())
    }

    /// What its keys are known by.
    #[must_use]
    pub fn keys_digest(&self) -> [u8; 32] {
        Sha256::new()
            .chain_update(self.id.0.to_le_bytes())
            .chain_update(self.keys.digest)
            .finalize()
            .into()
    }
}

/// The public keys of an issuer, as a JWK Set. It is long, so its hash is kept with it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IssuerKeys {
    text: Arc<str>,
    digest: [u8; 32],
}

impl From<&str> for IssuerKeys {
    fn from(text: &str) -> Self {
        Self {
            text: text.into(),
            digest: Sha256::digest(text).into(),
        }
    }
}

impl Deref for IssuerKeys {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

/// A token that a client presents. Whoever has read it answers; nothing that it says is
/// believed before [`PresentedToken::is_signed_by`] says that its issuer has signed it.
pub trait PresentedToken: Send + Sync {
    /// The SHA-256 of the whole token.
    fn digest(&self) -> [u8; 32];

    /// Who issued it, as far as it says so.
    fn issuer(&self) -> Option<&str>;

    /// Whom it is for, as far as it says so.
    fn audiences(&self) -> Vec<&str>;

    /// Says whether one of the keys of this issuer has signed it.
    fn is_signed_by(&self, issuer: &IssuerRecord) -> bool;

    /// What the token claims, if it is in time.
    ///
    /// # Errors
    ///
    /// Returns the reason for which it proves nothing.
    fn claims(&self, issuer: &IssuerRecord, now: Timestamp) -> Result<IssuedToken, Reason>;
}

/// A token that proved a credential.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProvedToken {
    /// Who signed it.
    pub issuer: IssuerId,
    /// Its own id.
    pub token_id: Option<IssuerText>,
    /// The roles of the tenant that it gives, besides those that the credential has.
    pub roles: Vec<RoleName>,
    /// When it counts no more.
    pub ends_at: Timestamp,
}

impl ProvedToken {
    /// Says whether it still proves a credential of a tenant at `now`, with what the store
    /// says of its issuer and of its own id.
    ///
    /// # Errors
    ///
    /// Returns the reason for which it proves nothing any more.
    pub fn admits(
        &self,
        issuer: Option<&IssuerRecord>,
        is_revoked: bool,
        tenant: Option<&TenantId>,
        now: Timestamp,
    ) -> Result<(), Reason> {
        let is_its = issuer.is_some_and(|it| tenant == Some(&it.tenant));
        if !is_its || is_revoked {
            Err(Reason::Revoked)
        } else if now >= self.ends_at {
            Err(Reason::Expired)
        } else {
            Ok(())
        }
    }

    /// When a session ends that it proved, of a credential that expires then.
    #[must_use]
    pub fn session_ends_at(&self, expires_at: Option<Timestamp>) -> Timestamp {
        expires_at.map_or(self.ends_at, |it| it.min(self.ends_at))
    }
}

/// What a token claims that its issuer has signed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IssuedToken {
    /// Whose it is; none if it does not say so, or not in one text.
    pub identity: Option<String>,
    /// The words of the claim that lists roles.
    pub role_words: Vec<String>,
    /// Its own id, the claim `jti`.
    pub token_id: Option<String>,
    /// When it counts no more.
    pub ends_at: Timestamp,
}

/// What administrators call an issuer: 1 to 64 of `A-Z a-z 0-9 _ - .`, as a role.
pub type IssuerName = RoleName;

/// What a token says of who issued it, or whom it is for: 1 to 255 bytes without control
/// characters.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct IssuerText(Box<str>);

/// The name of a claim, of the same shape; dots lead from object to object where no claim
/// has the whole name: `realm_access.roles`.
pub type ClaimName = IssuerText;

/// A word of the claim that lists roles, of the same shape.
pub type RoleWord = IssuerText;

impl IssuerText {
    /// Parses such a text.
    ///
    /// # Errors
    ///
    /// Returns [`IssuerTextError`] when it is empty, too long, or has control characters.
    pub fn parse(text: &str) -> Result<Self, IssuerTextError> {
        let is_good = (1..=LONGEST).contains(&text.len()) && !text.chars().any(char::is_control);
        if is_good {
            Ok(Self(text.into()))
        } else {
            Err(IssuerTextError(text.into()))
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IssuerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const LONGEST: usize = 255;

/// A text is not what a token can be asked for.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is not 1 to {LONGEST} bytes without control characters")]
pub struct IssuerTextError(Given);

/// The claim that tells whose a token is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IdentityClaim(ClaimName);

impl IdentityClaim {
    /// Reads `sub`, `client_id`, or `claim:X` for another.
    ///
    /// # Errors
    ///
    /// Returns [`IdentityClaimError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, IdentityClaimError> {
        let claim = match text {
            "sub" | "client_id" => Some(text),
            _ => text.strip_prefix("claim:"),
        };
        claim
            .and_then(|claim| ClaimName::parse(claim).ok())
            .map(Self)
            .ok_or_else(|| IdentityClaimError(text.into()))
    }

    /// The claim's name.
    #[must_use]
    pub const fn name(&self) -> &ClaimName {
        &self.0
    }
}

impl fmt::Display for IdentityClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_str() {
            known @ ("sub" | "client_id") => f.write_str(known),
            other => write!(f, "claim:{other}"),
        }
    }
}

/// A text names no claim.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is no identity; it is `sub`, `client_id` or `claim:NAME`")]
pub struct IdentityClaimError(Given);

/// The keys of an issuer before the first were fetched.
pub const NO_KEYS: &str = "{\"keys\":[]}";
/// So many issuers one tenant may have.
pub const MOST_ISSUERS_OF_TENANT: usize = 16;
/// So many issuers all tenants together may have.
pub const MOST_ISSUERS: usize = 1_024;
/// So many issuers may have one `iss`.
pub const MOST_ALIKE: usize = 64;
/// So many words of a claim may mean roles.
pub const MOST_ROLE_WORDS: usize = 64;
/// So many tokens of one issuer may be revoked.
pub const MOST_REVOKED: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_a_claim() {
        for (text, claim, shown) in [
            ("sub", "sub", "sub"),
            ("client_id", "client_id", "client_id"),
            ("claim:realm.user", "realm.user", "claim:realm.user"),
            ("claim:sub", "sub", "sub"),
        ] {
            let identity = IdentityClaim::parse(text).unwrap();
            assert_eq!(identity.name().as_str(), claim);
            assert_eq!(identity.to_string(), shown);
        }
        let long = format!("claim:{}", "x".repeat(256));
        for bad in ["", "email", "claim:", "claim:a\nb", &long] {
            assert!(IdentityClaim::parse(bad).is_err(), "{bad}");
        }
    }
}
