//! API tokens: what programs present to the service, with a scope and an end.
//!
//! They have nothing to do with the tokens of [`jwt`](crate::jwt), which MQTT clients
//! present. Of an API token its digest is kept.

use core::fmt;
use core::time::Duration;

use crate::credential::CredentialId;
use crate::given::Given;
use crate::name::TenantId;
use crate::time::Timestamp;

/// What is kept of an API token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ApiToken {
    /// Its number in the store.
    pub id: ApiTokenId,
    /// What it may do.
    pub scope: TokenScope,
    /// Whose it is. It may never do more than this user may; none where it is the
    /// platform's.
    pub owner: Option<CredentialId>,
    /// The token that it was made with. It ends with it.
    pub parent: Option<ApiTokenId>,
    /// Who made it, as the audit calls them.
    pub created_by: String,
    /// What it is for, in somebody's words.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is worth nothing.
    pub expires_at: Timestamp,
    /// When it was used, to within [`ApiToken::USE_KEPT_EVERY`].
    pub last_used_at: Option<Timestamp>,
}

impl ApiToken {
    /// How often a use is written down at most.
    pub const USE_KEPT_EVERY: Duration = Duration::from_secs(3_600);

    /// Says whether it is worth anything at `now`, as far as it is known by itself.
    #[must_use]
    pub fn is_usable(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }

    /// Says whether a use at `now` is to be written down.
    #[must_use]
    pub fn keeps_use(&self, now: Timestamp) -> bool {
        self.last_used_at
            .is_none_or(|last| now.since(last) >= Self::USE_KEPT_EVERY)
    }
}

/// Names an API token; never used again for another.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ApiTokenId(pub i64);

impl ApiTokenId {
    /// Parses the number of an API token.
    ///
    /// # Errors
    ///
    /// Returns [`ApiTokenIdError`] when `text` is not how one is written.
    pub fn parse(text: &str) -> Result<Self, ApiTokenIdError> {
        let number = text.parse().ok().filter(|number: &i64| *number > 0);
        number
            .filter(|number| number.to_string() == text)
            .map(Self)
            .ok_or_else(|| ApiTokenIdError(text.into()))
    }
}

impl fmt::Display for ApiTokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A text is not the number of an API token.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is not the id of an API token, a whole number from 1 on")]
pub struct ApiTokenIdError(Given);

/// What an API token may do, as far as its owner may.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TokenScope {
    /// Everything.
    Platform,
    /// What an administrator of this tenant may.
    Tenant(TenantId),
    /// What may be seen of this tenant.
    Viewer(TenantId),
}

impl TokenScope {
    /// Parses `platform`, `tenant:T` or `viewer:T`.
    ///
    /// # Errors
    ///
    /// Returns [`TokenScopeError`] when `text` is none of them.
    pub fn parse(text: &str) -> Result<Self, TokenScopeError> {
        let tenant = |id: &str| TenantId::parse(id).ok();
        let scope = match text.split_once(':') {
            None if text == "platform" => Some(Self::Platform),
            Some(("tenant", id)) => tenant(id).map(Self::Tenant),
            Some(("viewer", id)) => tenant(id).map(Self::Viewer),
            None | Some(_) => None,
        };
        scope.ok_or_else(|| TokenScopeError(text.into()))
    }

    /// The tenant that it is limited to.
    #[must_use]
    pub const fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Platform => None,
            Self::Tenant(tenant) | Self::Viewer(tenant) => Some(tenant),
        }
    }
}

impl fmt::Display for TokenScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform => f.write_str("platform"),
            Self::Tenant(tenant) => write!(f, "tenant:{tenant}"),
            Self::Viewer(tenant) => write!(f, "viewer:{tenant}"),
        }
    }
}

/// A text is not a valid scope of an API token.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is not a valid scope; write `platform`, `tenant:T` or `viewer:T`")]
pub struct TokenScopeError(Given);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_written_as_it_is_read() {
        for text in ["platform", "tenant:acme", "viewer:acme"] {
            assert_eq!(TokenScope::parse(text).unwrap().to_string(), text);
        }
        for bad in [
            "",
            "Platform",
            "platform:",
            "tenant",
            "tenant:",
            "tenant:A",
            "viewer:a b",
            "acme",
            "tenant:acme:x",
        ] {
            assert!(TokenScope::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_id_has_one_form() {
        assert_eq!(ApiTokenId::parse("17"), Ok(ApiTokenId(17)));
        for bad in ["", "0", "-1", "+1", "01", "1 ", "x", "9223372036854775808"] {
            assert!(ApiTokenId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_ends_at_its_instant_and_its_use_is_kept_once_an_hour() {
        let at = Timestamp::from_millis;
        let token = ApiToken {
            id: ApiTokenId(1),
            scope: TokenScope::Platform,
            owner: None,
            parent: None,
            created_by: "cli:root".into(),
            description: None,
            created_at: at(0),
            expires_at: at(10_000_000),
            last_used_at: Some(at(0)),
        };
        assert!(token.is_usable(at(9_999_999)) && !token.is_usable(at(10_000_000)));
        assert!(!token.keeps_use(at(3_599_999)) && token.keeps_use(at(3_600_000)));
    }
}
