//! Authorities (CAs) of tenants: what they sign names credentials of their tenant.
//!
//! A certificate is of an authority only if that one's own key signed it. Nothing that
//! a certificate says of who signed it proves anything; it helps to find the authority.

use core::fmt;

use sha2::{Digest as _, Sha256};

use super::{Fingerprint, Validity};
use crate::auto_registration::DeviceRegistration;
use crate::given::Given;
use crate::name::TenantId;
use crate::time::Timestamp;

/// The number of an authority; one that is added again has another.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AuthorityId(pub i64);

/// An authority of a tenant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuthorityRecord {
    /// Its number.
    pub id: AuthorityId,
    /// The hash of its certificate.
    pub fingerprint: Fingerprint,
    /// Whose credentials its certificates name.
    pub tenant: TenantId,
    /// Its name, as people read it.
    pub subject: String,
    /// What proves that it signed a certificate. No two authorities have the same.
    pub key: AuthorityKey,
    /// What helps to find it.
    pub signer: SignerHints,
    /// What of a certificate names the credential.
    pub identity: IdentityKind,
    /// Which part of that is the name.
    pub pattern: NamePattern,
    /// Which devices it makes of those that it names; none where nobody wants that.
    pub registers: Option<DeviceRegistration>,
    /// When its own certificate is valid.
    pub validity: Validity,
    /// Since when it is the tenant's.
    pub added_at: Timestamp,
}

/// The public key of an authority.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuthorityKey {
    /// What it is for.
    pub algorithm: KeyAlgorithm,
    /// Its bytes, as they stand in certificates behind the algorithm.
    pub bytes: Box<[u8]>,
}

impl AuthorityKey {
    /// What it is known by.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let algorithm = self.algorithm.as_str();
        Sha256::new()
            .chain_update([u8::try_from(algorithm.len()).unwrap_or(u8::MAX)])
            .chain_update(algorithm)
            .chain_update(&self.bytes)
            .finalize()
            .into()
    }
}

/// What a key is for. There are no others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyAlgorithm {
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// ECDSA on the curve P-256.
    P256,
    /// ECDSA on the curve P-384.
    P384,
    /// RSA with 2048 to 4096 bits.
    Rsa,
}

impl KeyAlgorithm {
    const ALL: [Self; 4] = [Self::Ed25519, Self::P256, Self::P384, Self::Rsa];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::P256 => "p-256",
            Self::P384 => "p-384",
            Self::Rsa => "rsa",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// What a certificate says of who signed it, or what an authority's own certificate
/// says of itself: hashes, as they are only compared.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SignerHints {
    /// Of the identifier of its key (RFC 5280 §4.2.1.1), if that is said.
    pub key_id: Option<[u8; 32]>,
    /// Of its name (DER).
    pub name: [u8; 32],
}

/// What a certificate says of who signed it and whom it names. Whoever has read it
/// answers.
pub trait Leaf: fmt::Debug + Send + Sync {
    /// Who signed it, as far as it says so.
    fn signer(&self) -> SignerHints;

    /// Says whether the holder of this key signed it.
    fn is_signed_with(&self, key: &AuthorityKey) -> bool;

    /// The one value of this kind that it has; none if there is none or more than one,
    /// or if it can't be read.
    fn identity(&self, kind: IdentityKind) -> Option<String>;
}

/// What of a certificate names the credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IdentityKind {
    /// The common name (CN) of the subject.
    CommonName,
    /// The alternative name that is a DNS name.
    SanDns,
    /// The alternative name that is an e-mail address.
    SanEmail,
    /// The alternative name that is a URI.
    SanUri,
    /// The number of the certificate, in lower-case hex without leading zeros.
    Serial,
    /// The whole subject, as RFC 4514 writes it.
    Subject,
}

impl IdentityKind {
    /// All of them, in the order in which they are named.
    pub const ALL: [Self; 6] = [
        Self::SanUri,
        Self::SanDns,
        Self::SanEmail,
        Self::CommonName,
        Self::Serial,
        Self::Subject,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CommonName => "cn",
            Self::SanDns => "san-dns",
            Self::SanEmail => "san-email",
            Self::SanUri => "san-uri",
            Self::Serial => "serial",
            Self::Subject => "subject",
        }
    }

    /// The one of this name.
    ///
    /// # Errors
    ///
    /// Returns [`IdentityKindError`] for any other text.
    pub fn parse(text: &str) -> Result<Self, IdentityKindError> {
        let mut all = Self::ALL.into_iter();
        all.find(|it| it.as_str() == text).ok_or(IdentityKindError)
    }
}

/// A text names no part of a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("use `san-uri`, `san-dns`, `san-email`, `cn`, `serial` or `subject`")]
pub struct IdentityKindError;

/// Which part of what a certificate says is the name: a text in which `${name}` stands
/// once, and which is matched from end to end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NamePattern {
    before: Box<str>,
    after: Box<str>,
}

impl NamePattern {
    /// Parses a pattern.
    ///
    /// # Errors
    ///
    /// Returns [`NamePatternError`] when `${name}` does not stand in it once, or it has
    /// control characters or is too long.
    pub fn parse(text: &str) -> Result<Self, NamePatternError> {
        let refused = || NamePatternError(text.into());
        let (before, after) = text.split_once(NAME).ok_or_else(refused)?;
        let is_long = text.len() > LONGEST_PATTERN;
        if is_long || after.contains(NAME) || text.chars().any(char::is_control) {
            return Err(refused());
        }
        Ok(Self {
            before: before.into(),
            after: after.into(),
        })
    }

    /// The name in a value, if the value is of this pattern.
    #[must_use]
    pub fn name_in<'a>(&self, value: &'a str) -> Option<&'a str> {
        let name = value.strip_prefix(&*self.before)?;
        let name = name.strip_suffix(&*self.after)?;
        (!name.is_empty()).then_some(name)
    }
}

impl Default for NamePattern {
    /// All of it is the name.
    fn default() -> Self {
        Self {
            before: Box::default(),
            after: Box::default(),
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{NAME}{}", self.before, self.after)
    }
}

/// A text is no pattern of names.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is no pattern of names; `{NAME}` stands in one once, as in `urn:dev:{NAME}`")]
pub struct NamePatternError(Given);

const NAME: &str = "${name}";
const LONGEST_PATTERN: usize = 255;

/// So many authorities one tenant may have.
pub const MOST_AUTHORITIES_OF_TENANT: usize = 16;
/// So many authorities all tenants together may have.
pub const MOST_AUTHORITIES: usize = 1_024;
/// So many authorities may be called alike, by their names or the identifiers of their
/// keys. All of them are tried for a certificate that says one of them signed it.
pub const MOST_ALIKE: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_holds_the_name_once_and_matches_from_end_to_end() {
        for (pattern, value, name) in [
            ("${name}", "dev1", Some("dev1")),
            ("${name}", "", None),
            ("urn:dev:${name}", "urn:dev:dev1", Some("dev1")),
            ("urn:dev:${name}", "urn:dev:", None),
            ("urn:dev:${name}", "URN:dev:dev1", None),
            ("urn:dev:${name}", "xurn:dev:dev1", None),
            ("${name}.example.com", "dev1.example.com", Some("dev1")),
            ("${name}.example.com", "dev1.example.com.evil", None),
            ("${name}.example.com", ".example.com", None),
            ("a${name}a", "aa", None),
            ("a${name}a", "a", None),
            ("a${name}a", "aaa", Some("a")),
            ("CN=${name},O=Acme", "CN=dev1,O=Acme", Some("dev1")),
            ("é${name}é", "éxé", Some("x")),
        ] {
            let parsed = NamePattern::parse(pattern).unwrap();
            assert_eq!(parsed.to_string(), pattern);
            assert_eq!(parsed.name_in(value), name, "{pattern} {value}");
        }
        let long = format!("{}{NAME}", "x".repeat(249));
        for bad in ["", "name", "${Name}", "${name}${name}", "a\n${name}", &long] {
            assert!(NamePattern::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(NamePattern::default().to_string(), NAME);
    }

    #[test]
    fn kinds_and_algorithms_read_back_as_they_are_written() {
        for kind in IdentityKind::ALL {
            assert_eq!(IdentityKind::parse(kind.as_str()), Ok(kind));
        }
        for algorithm in KeyAlgorithm::ALL {
            assert_eq!(KeyAlgorithm::parse(algorithm.as_str()), Some(algorithm));
        }
        for other in ["", "CN", "dn", "san", "san-ip"] {
            assert_eq!(IdentityKind::parse(other), Err(IdentityKindError));
            assert_eq!(KeyAlgorithm::parse(other), None);
        }
    }

    #[test]
    fn keys_differ_by_their_bytes_and_by_what_they_are_for() {
        let key = |algorithm, bytes: &[u8]| AuthorityKey {
            algorithm,
            bytes: bytes.into(),
        };
        let digests = [
            key(KeyAlgorithm::Rsa, b"a"),
            key(KeyAlgorithm::Rsa, b"b"),
            key(KeyAlgorithm::P256, b"a"),
            key(KeyAlgorithm::P384, b"a"),
        ];
        let digests: std::collections::BTreeSet<_> =
            digests.iter().map(AuthorityKey::digest).collect();
        assert_eq!(digests.len(), 4);
    }
}
