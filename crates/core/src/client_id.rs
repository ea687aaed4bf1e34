//! Client identifiers and the rule that binds one to a credential
//! (MQTT 5.0 §3.1.3.1).

use core::borrow::Borrow;
use core::fmt;
use core::hash::{Hash, Hasher};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::given::Given;
use crate::secret::{Secret, SecretDigest, Verifier};

/// A client identifier that cannot act as a pattern.
///
/// The host has already replaced an empty one. `+`, `#` and control
/// characters are refused: no broker protects a plugin from them.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ClientId(Arc<str>);

impl ClientId {
    /// Parses a client identifier of 1 to 1,024 bytes.
    ///
    /// # Errors
    ///
    /// Returns [`ClientIdError`] when it is empty, too long, or holds a
    /// control character, `+` or `#`.
    pub fn parse(text: &str) -> Result<Self, ClientIdError> {
        let hostile = |character: char| character.is_control() || matches!(character, '+' | '#');
        if text.is_empty() || text.len() > LONGEST_CLIENT_ID || text.contains(hostile) {
            return Err(ClientIdError);
        }
        Ok(Self(text.into()))
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The identifier as a text that others keep, too.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// Says whether it is one that a broker made up; see [`is_made_up`].
    #[must_use]
    pub fn is_made_up(&self) -> bool {
        is_made_up(&self.0)
    }

    /// The hash under which a first-use tie is kept.
    #[must_use]
    pub fn tie(&self) -> ClientIdTie {
        ClientIdTie::of(&self.0)
    }
}

/// Says whether a client identifier is one that a broker made up for a client
/// that sent none: `auto-` and a UUID.
#[must_use]
pub fn is_made_up(client_id: &str) -> bool {
    let Some(uuid) = client_id.strip_prefix("auto-") else {
        return false;
    };
    let mut parts = uuid.split('-').map(|part| {
        part.bytes()
            .all(|byte| byte.is_ascii_hexdigit())
            .then_some(part.len())
    });
    [8, 4, 4, 4, 12]
        .into_iter()
        .all(|length| parts.next() == Some(Some(length)))
        && parts.next().is_none()
}

/// They are sorted as their texts are.
impl Borrow<str> for ClientId {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is no usable client identifier.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a client id is 1 to 1,024 bytes without control characters, `+` and `#`")]
pub struct ClientIdError;

/// The hash of the client identifier that a credential was first used with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClientIdTie(pub [u8; 32]);

/// By its first 64 bits. A table whose own hash is keyed needs no more: clients
/// can't make up many ids whose hashes agree in them.
impl Hash for ClientIdTie {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        state.write_u64(u64::from_ne_bytes([a, b, c, d, e, f, g, h]));
    }
}

impl ClientIdTie {
    /// The hash of a text, whether it is a valid client identifier or not.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"countersign/client-id/v1");
        hasher.update(text.as_bytes());
        Self(hasher.finalize().into())
    }

    /// What is shown instead of a client identifier that is secret: a few digits
    /// of its hash.
    #[must_use]
    pub fn hidden(&self) -> String {
        let [a, b, c, d, ..] = self.0;
        format!("app-id:{a:02x}{b:02x}{c:02x}{d:02x}…")
    }
}

/// Which client identifiers a credential may connect with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ClientIdRule {
    /// Any at all.
    Any,
    /// This one alone.
    Exact(ClientId),
    /// The one it is first used with, from then on.
    FirstUse,
    /// Those that begin so.
    Prefix(ClientId),
    /// The one that equals the secret.
    SameAsSecret,
    /// The one that equals the login name.
    SameAsUsername,
}

impl ClientIdRule {
    /// Parses `any`, `first-use`, `same-as-username`, `exact:ID` or `prefix:P`.
    ///
    /// # Errors
    ///
    /// Returns [`ClientIdRuleError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, ClientIdRuleError> {
        let error = |_| ClientIdRuleError(text.into());
        match text.split_once(':') {
            Some(("exact", id)) => ClientId::parse(id).map(Self::Exact).map_err(error),
            Some(("prefix", prefix)) => ClientId::parse(prefix).map(Self::Prefix).map_err(error),
            Some(_) => Err(ClientIdRuleError(text.into())),
            None => match text {
                "any" => Ok(Self::Any),
                "first-use" => Ok(Self::FirstUse),
                "same-as-secret" => Ok(Self::SameAsSecret),
                "same-as-username" => Ok(Self::SameAsUsername),
                _ => Err(ClientIdRuleError(text.into())),
            },
        }
    }

    /// Says whether `client_id` keeps this rule, for a principal called
    /// `username` that was tied to `tie` when it was first used and proved
    /// itself by `secret`, if by any.
    #[must_use]
    pub fn admits(
        &self,
        client_id: &ClientId,
        username: &str,
        tie: Option<ClientIdTie>,
        secret: Option<&Verifier>,
    ) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(id) => id == client_id,
            Self::FirstUse => tie.is_none_or(|tie| tie == client_id.tie()),
            Self::Prefix(prefix) => client_id.0.starts_with(&*prefix.0),
            Self::SameAsSecret => match secret {
                Some(Verifier::Digest(digest)) => {
                    *digest == SecretDigest::of(&Secret::new(client_id.0.as_bytes().to_vec()))
                }
                Some(Verifier::Password(_)) | None => false,
            },
            Self::SameAsUsername => &*client_id.0 == username,
        }
    }

    /// The one client id that the rule admits, if it says so by itself.
    #[must_use]
    pub fn only(&self) -> Option<&ClientId> {
        match self {
            Self::Exact(id) => Some(id),
            Self::Any
            | Self::FirstUse
            | Self::Prefix(_)
            | Self::SameAsSecret
            | Self::SameAsUsername => None,
        }
    }
}

impl fmt::Display for ClientIdRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Exact(id) => write!(f, "exact:{id}"),
            Self::FirstUse => f.write_str("first-use"),
            Self::Prefix(prefix) => write!(f, "prefix:{prefix}"),
            Self::SameAsSecret => f.write_str("same-as-secret"),
            Self::SameAsUsername => f.write_str("same-as-username"),
        }
    }
}

/// A text is not a valid client-id rule.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is not a valid client-id rule; write `any`, `first-use`, `same-as-username`, `exact:ID` or `prefix:P`"
)]
pub struct ClientIdRuleError(Given);

/// Those of devices have some tens. What is kept of a client that nobody knows
/// yet is bounded by it.
const LONGEST_CLIENT_ID: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ClientId {
        ClientId::parse(text).unwrap()
    }

    #[test]
    fn a_client_id_that_could_act_as_a_pattern_is_refused() {
        for bad in ["", "a+", "#", "a\nb", "a\0b", "\u{7f}"] {
            assert!(ClientId::parse(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "a/b", "ü", "$SYS", " "] {
            assert!(ClientId::parse(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn every_rule_reads_back_as_it_was_written() {
        for text in [
            "any",
            "first-use",
            "same-as-secret",
            "same-as-username",
            "exact:a:b",
            "prefix:x-",
        ] {
            assert_eq!(ClientIdRule::parse(text).unwrap().to_string(), text);
        }
        for bad in ["", "Any", "exact:", "prefix:+", "exact", "other:x"] {
            assert!(ClientIdRule::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_rule_admits_exactly_its_ids() {
        let secret = Verifier::Digest(SecretDigest::of(&Secret::new(b"dt_1".to_vec())));
        let admits = |rule: &str, client_id: &str, tie: Option<&str>| {
            let tie = tie.map(|text| id(text).tie());
            let rule = ClientIdRule::parse(rule).unwrap();
            rule.admits(&id(client_id), "dev1@acme", tie, Some(&secret))
        };
        assert!(admits("same-as-secret", "dt_1", None));
        assert!(!admits("same-as-secret", "dt_2", None));
        assert!(admits("any", "x", None));
        assert!(admits("exact:x", "x", None));
        assert!(!admits("exact:x", "xx", None));
        assert!(admits("prefix:x-", "x-1", None));
        assert!(!admits("prefix:x-", "x1", None));
        assert!(admits("same-as-username", "dev1@acme", None));
        assert!(!admits("same-as-username", "dev1", None));
        assert!(admits("first-use", "x", None));
        assert!(admits("first-use", "x", Some("x")));
        assert!(!admits("first-use", "y", Some("x")));
    }
}
