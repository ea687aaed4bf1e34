//! The keys that an issuer signs with.

use core::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign_certificate::PublicKeyError;
use countersign_core::given::Given;
use countersign_core::issuer::{Algorithm, Algorithms, IssuerRecord};
use serde::{Deserialize, Serialize};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};

use crate::public_key::PublicKey;

/// An issuer has at most so many keys.
pub const MOST_KEYS: usize = 16;

/// A longer text of keys is not read.
pub const MOST_BYTES: usize = 64 * 1024;

/// The keys of an issuer: from 1 to [`MOST_KEYS`], each for one algorithm.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeySet(Vec<IssuerKey>);

#[derive(Clone, Debug, Eq, PartialEq)]
struct IssuerKey {
    id: Option<Box<str>>,
    algorithm: Algorithm,
    key: PublicKey,
}

/// The keys of an issuer as somebody wrote them down.
#[derive(Clone, Debug)]
pub enum KeyText {
    /// A JWK Set.
    Jwks(String),
    /// Public keys and certificates.
    Pem(String),
}

impl KeyText {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// As [`KeySet::of_jwks`] and [`KeySet::of_pem`].
    pub fn read(&self, algorithms: &Algorithms) -> Result<KeySet, KeySetError> {
        match self {
            Self::Jwks(text) => KeySet::of_jwks(text, algorithms),
            Self::Pem(text) => KeySet::of_pem(text, algorithms),
        }
    }
}

impl KeySet {
    /// Reads a JWK Set (RFC 7517 §5). Keys that are not for signatures, or by other
    /// algorithms than the issuer signs by, are passed over.
    ///
    /// # Errors
    ///
    /// Returns [`KeySetError`] for what is no such set, holds no key of use, too many, or
    /// a private one.
    pub fn of_jwks(text: &str, algorithms: &Algorithms) -> Result<Self, KeySetError> {
        if text.len() > MOST_BYTES {
            return Err(KeySetError::TooLong);
        }
        let set: JwkSet = serde_json::from_str(text).map_err(|_| KeySetError::NoSet)?;
        let mut keys = Self(Vec::new());
        for jwk in &set.keys {
            if let Some(key) = jwk.read(algorithms)? {
                keys.add(key)?;
            }
        }
        keys.or_none()
    }

    /// The keys that a record has.
    ///
    /// # Errors
    ///
    /// Returns [`KeySetError`] where they can't be read.
    pub fn of_record(record: &IssuerRecord) -> Result<Self, KeySetError> {
        Self::of_jwks(&record.keys, &record.algorithms)
    }

    /// Reads public keys and certificates as text (PEM, RFC 7468). None of them has an id,
    /// and so each is for tokens with and without one.
    ///
    /// # Errors
    ///
    /// Returns [`KeySetError`] for what holds no key of use, too many, or a private one.
    pub fn of_pem(text: &str, algorithms: &Algorithms) -> Result<Self, KeySetError> {
        if text.len() > MOST_BYTES {
            return Err(KeySetError::TooLong);
        }
        let mut keys = Self(Vec::new());
        let mut rest = text;
        while let Some((_, begun)) = rest.split_once("-----BEGIN ") {
            let (label, begun) = begun.split_once("-----").ok_or(KeySetError::Pem)?;
            let (body, after) = begun
                .split_once(&format!("-----END {label}-----"))
                .ok_or(KeySetError::Pem)?;
            rest = after;
            if label.ends_with("PRIVATE KEY") {
                return Err(KeySetError::Private(KeyName(None)));
            }
            let digits: String = body.split_ascii_whitespace().collect();
            let der = STANDARD.decode(digits).map_err(|_| KeySetError::Pem)?;
            let spki = match label {
                "PUBLIC KEY" => der,
                "CERTIFICATE" => Certificate::from_der(&der)
                    .and_then(|one| one.tbs_certificate().subject_public_key_info().to_der())
                    .map_err(|_| KeySetError::Pem)?,
                _ => return Err(KeySetError::Pem),
            };
            let key = PublicKey::of_spki(&spki).map_err(|error| KeySetError::Key {
                key: KeyName(None),
                error,
            })?;
            let algorithm = only_one_for(&key, algorithms, &KeyName(None))?;
            if let Some(algorithm) = algorithm {
                keys.add(IssuerKey {
                    id: None,
                    algorithm,
                    key,
                })?;
            }
        }
        keys.or_none()
    }

    /// The set as a JWK Set that holds what is used and nothing else.
    ///
    /// [`KeySet::of_jwks`] reads the same from it.
    #[must_use]
    pub fn to_jwks(&self) -> String {
        let keys = self.0.iter().map(Jwk::of).collect();
        serde_json::to_string(&JwkSet { keys }).unwrap_or_default()
    }

    /// How many keys there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Each key's id, if it has one, and its algorithm.
    pub fn names(&self) -> impl Iterator<Item = (Option<&str>, Algorithm)> {
        self.0.iter().map(|key| (key.id.as_deref(), key.algorithm))
    }

    /// Says whether a key of that id, or any if none is given, is for an algorithm.
    #[must_use]
    pub fn knows(&self, key_id: Option<&str>, algorithm: Algorithm) -> bool {
        self.candidates(key_id, algorithm).next().is_some()
    }

    /// Says whether one of the keys has signed a message by an algorithm: the one of that
    /// id, or any if none is given.
    #[must_use]
    pub fn has_signed(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        self.candidates(key_id, algorithm)
            .any(|key| key.key.has_signed(algorithm, message, signature))
    }

    fn candidates(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &IssuerKey> {
        self.0.iter().filter(move |key| {
            let is_meant = match (key_id, key.id.as_deref()) {
                (Some(wanted), Some(has)) => wanted == has,
                (None, _) | (_, None) => true,
            };
            is_meant && key.algorithm == algorithm
        })
    }

    fn add(&mut self, key: IssuerKey) -> Result<(), KeySetError> {
        if self.0.len() == MOST_KEYS {
            return Err(KeySetError::TooMany);
        }
        let is_there = |one: &IssuerKey| {
            one.algorithm == key.algorithm
                && one.id == key.id
                && (one.id.is_some() || one.key == key.key)
        };
        if self.0.iter().any(is_there) {
            return Err(KeySetError::Twice(KeyName::of(key.id.as_deref())));
        }
        self.0.push(key);
        Ok(())
    }

    fn or_none(self) -> Result<Self, KeySetError> {
        if self.0.is_empty() {
            return Err(KeySetError::NoKey);
        }
        Ok(self)
    }
}

/// A text is not the keys of an issuer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// A key may be for two of the issuer's algorithms.
    #[error(
        "{0} does not say its `alg`, and the issuer signs by both RS256 and PS256; name one of them alone"
    )]
    Ambiguous(KeyName),
    /// A key is not what it should be.
    #[error("{key}: {error}")]
    Key {
        /// Which.
        key: KeyName,
        /// Why not.
        error: PublicKeyError,
    },
    /// There is none of use.
    #[error("there is no public key in it for the issuer's algorithms")]
    NoKey,
    /// It is no JWK Set.
    #[error("it is no JWK Set: `{{\"keys\":[…]}}`")]
    NoSet,
    /// What stands there as PEM is damaged, or no public key.
    #[error("something in it is no `PUBLIC KEY` or `CERTIFICATE` in PEM")]
    Pem,
    /// It holds what only the issuer may have.
    #[error(
        "{0} is a private or shared one, which nobody but the issuer may have; give the public ones alone"
    )]
    Private(KeyName),
    /// It is too long.
    #[error("it is longer than {MOST_BYTES} bytes")]
    TooLong,
    /// There are too many keys of use.
    #[error("there are more than {MOST_KEYS} keys in it for the issuer's algorithms")]
    TooMany,
    /// One key is there twice, or two that nothing tells apart.
    #[error("{0} is there twice")]
    Twice(KeyName),
}

/// A key as errors call it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyName(Option<Given>);

impl KeyName {
    fn of(id: Option<&str>) -> Self {
        Self(id.map(Given::from))
    }
}

impl core::fmt::Display for KeyName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match &self.0 {
            Some(id) => write!(f, "the key `{id}`"),
            None => f.write_str("a key"),
        }
    }
}

/// A JWK Set (RFC 7517 §5); other members are passed over.
#[derive(Deserialize, Serialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

/// The members of a JWK (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2) that count.
#[derive(Default, Deserialize, Serialize)]
struct Jwk {
    kty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    purpose: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_ops: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    /// The private part of a key.
    #[serde(default, skip_serializing)]
    d: Option<serde::de::IgnoredAny>,
    /// A key that both sides share.
    #[serde(default, skip_serializing)]
    k: Option<serde::de::IgnoredAny>,
}

impl Jwk {
    fn of(key: &IssuerKey) -> Self {
        let digits = |bytes: &[u8]| Some(URL_SAFE_NO_PAD.encode(bytes));
        let mut jwk = Self {
            kid: key.id.as_deref().map(str::to_owned),
            alg: Some(key.algorithm.name().into()),
            ..Self::default()
        };
        match &key.key {
            PublicKey::Ed25519(key) => {
                jwk.kty.write_str("OKP").ok();
                jwk.crv = Some("Ed25519".into());
                jwk.x = digits(key.as_bytes());
            }
            PublicKey::P256(point) => {
                let (x, y) = point.split_at(32);
                jwk.kty.write_str("EC").ok();
                jwk.crv = Some("P-256".into());
                jwk.x = digits(x);
                jwk.y = digits(y);
            }
            PublicKey::Rsa { modulus, exponent } => {
                jwk.kty.write_str("RSA").ok();
                jwk.n = digits(modulus);
                jwk.e = digits(exponent);
            }
        }
        jwk
    }

    /// The key, if it is of use.
    fn read(&self, algorithms: &Algorithms) -> Result<Option<IssuerKey>, KeySetError> {
        let name = KeyName::of(self.kid.as_deref());
        if self.d.is_some() || self.k.is_some() {
            return Err(KeySetError::Private(name));
        }
        let is_for_signatures = self
            .purpose
            .as_deref()
            .is_none_or(|purpose| purpose == "sig")
            && self
                .key_ops
                .as_deref()
                .is_none_or(|all| all.iter().any(|one| one == "verify"));
        let is_known = matches!(
            (self.kty.as_str(), self.crv.as_deref()),
            ("RSA", None) | ("EC", Some("P-256")) | ("OKP", Some("Ed25519"))
        );
        let said = match self.alg.as_deref() {
            None => None,
            Some(said) => match Algorithm::of_name(said) {
                Some(algorithm) if algorithms.contains(algorithm) => Some(algorithm),
                Some(_) | None => return Ok(None),
            },
        };
        if !is_for_signatures || !is_known {
            return Ok(None);
        }
        let is_long = |id: &String| id.len() > LONGEST_ID;
        let key = match self.public_key() {
            Ok(key) if !self.kid.as_ref().is_some_and(is_long) => key,
            Ok(_) => return Err(KeySetError::NoSet),
            Err(error) => return Err(KeySetError::Key { key: name, error }),
        };
        let algorithm = match said {
            Some(said) if key.is_for(said) => Some(said),
            Some(_) => None,
            None => only_one_for(&key, algorithms, &name)?,
        };
        Ok(algorithm.map(|algorithm| IssuerKey {
            id: self.kid.as_deref().map(Into::into),
            algorithm,
            key,
        }))
    }

    fn public_key(&self) -> Result<PublicKey, PublicKeyError> {
        let bytes = |member: &Option<String>| {
            let digits = member.as_deref().ok_or(PublicKeyError::Encoding)?;
            URL_SAFE_NO_PAD
                .decode(digits)
                .map_err(|_| PublicKeyError::Encoding)
        };
        match self.kty.as_str() {
            "RSA" => PublicKey::rsa(&bytes(&self.n)?, &bytes(&self.e)?),
            "EC" => PublicKey::p256(&bytes(&self.x)?, &bytes(&self.y)?),
            _ => PublicKey::ed25519(&bytes(&self.x)?),
        }
    }
}

/// The one of the issuer's algorithms that a key is for; none if it is for none.
fn only_one_for(
    key: &PublicKey,
    algorithms: &Algorithms,
    name: &KeyName,
) -> Result<Option<Algorithm>, KeySetError> {
    let mut fitting = algorithms
        .as_slice()
        .iter()
        .copied()
        .filter(|algorithm| key.is_for(*algorithm));
    let first = fitting.next();
    if fitting.next().is_some() {
        return Err(KeySetError::Ambiguous(name.clone()));
    }
    Ok(first)
}

/// A longer id of a key is none.
const LONGEST_ID: usize = 256;
