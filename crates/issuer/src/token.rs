//! A token as it is presented.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::issuer::{Algorithm, IssuedToken, IssuerRecord, PresentedToken};
use countersign_core::jwt::{LONGEST_PRESENTED, looks_like_token};
use countersign_core::reason::Reason;
use countersign_core::time::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::claims::Claims;
use crate::key_set::KeySet;

/// The most bytes that a token has.
pub const LONGEST: usize = LONGEST_PRESENTED;

/// A password as a token that an issuer of others may have signed, if it has the shape of
/// one.
#[must_use]
pub fn presented(password: &[u8]) -> Option<Arc<dyn PresentedToken>> {
    if !looks_like_token(password) {
        return None;
    }
    let token = Unverified::parse(password).ok()?;
    Some(Arc::new(token))
}

/// A token whose signature was not looked at yet.
///
/// What can be asked of it tells which issuer is to judge it, and nothing else.
#[expect(missing_debug_implementations, reason = "a token is a secret")]
pub struct Unverified {
    algorithm: Algorithm,
    key_id: Option<Box<str>>,
    /// Header and payload as they stand in the token (RFC 7515 §5.2 step 8).
    signed: Zeroizing<Vec<u8>>,
    signature: Vec<u8>,
    claims: Claims,
    digest: [u8; 32],
}

impl Unverified {
    /// Takes a token apart (RFC 7515 §5.2 steps 1 to 7).
    ///
    /// # Errors
    ///
    /// Returns [`Refusal`] for more than [`LONGEST`] bytes, for what is no compact JWS
    /// with claims, for one that asks for something to be understood (`crit`), and for an
    /// algorithm that is none of [`Algorithm`].
    pub fn parse(token: &[u8]) -> Result<Self, Refusal> {
        if token.len() > LONGEST {
            return Err(Refusal::Malformed);
        }
        let (signed, signature) = split_last_dot(token).ok_or(Refusal::Malformed)?;
        let (header, payload) = split_last_dot(signed).ok_or(Refusal::Malformed)?;
        let [header, payload, signature] =
            [header, payload, signature].map(|part| URL_SAFE_NO_PAD.decode(part));
        let header: Header = header
            .ok()
            .filter(|header| header.first() == Some(&b'{'))
            .and_then(|header| serde_json::from_slice(&header).ok())
            .ok_or(Refusal::Malformed)?;
        if header.crit.is_some() {
            return Err(Refusal::Malformed);
        }
        let algorithm = Algorithm::of_name(&header.alg).ok_or(Refusal::Algorithm)?;
        Ok(Self {
            digest: Sha256::digest(token).into(),
            algorithm,
            key_id: header.kid.map(Into::into),
            signed: Zeroizing::new(signed.to_vec()),
            signature: signature.map_err(|_| Refusal::Malformed)?,
            claims: payload
                .ok()
                .and_then(|payload| Claims::read(&payload))
                .ok_or(Refusal::Malformed)?,
        })
    }

    /// What the token claims, if it is of these keys and in time.
    ///
    /// # Errors
    ///
    /// Returns [`Refusal`]: of the signature first, so that nothing about a token can be
    /// learned by who did not have it signed.
    pub fn verified(&self, keys: &KeySet, now: Timestamp) -> Result<&Claims, Refusal> {
        self.is_signed_with(keys)?;
        self.claims.is_in_time(now)?;
        Ok(&self.claims)
    }

    fn is_signed_with(&self, keys: &KeySet) -> Result<(), Refusal> {
        let key_id = self.key_id.as_deref();
        if !keys.knows(key_id, self.algorithm) {
            return Err(Refusal::UnknownKey);
        }
        if !keys.has_signed(key_id, self.algorithm, &self.signed, &self.signature) {
            return Err(Refusal::Signature);
        }
        Ok(())
    }
}

impl PresentedToken for Unverified {
    fn issuer(&self) -> Option<&str> {
        self.claims.issuer()
    }

    fn audiences(&self) -> Vec<&str> {
        self.claims.audiences()
    }

    fn digest(&self) -> [u8; 32] {
        self.digest
    }

    fn is_signed_by(&self, issuer: &IssuerRecord) -> bool {
        // Keys that can't be read have signed nothing.
        KeySet::of_record(issuer).is_ok_and(|keys| self.is_signed_with(&keys).is_ok())
    }

    fn claims(&self, issuer: &IssuerRecord, now: Timestamp) -> Result<IssuedToken, Reason> {
        let claims = &self.claims;
        claims.is_in_time(now).map_err(Refusal::reason)?;
        let owned = |text: &str| text.to_owned();
        Ok(IssuedToken {
            identity: claims.text(issuer.identity.name()).map(owned),
            role_words: match &issuer.role_claim {
                Some(claim) => claims.words(claim).into_iter().map(owned).collect(),
                None => Vec::new(),
            },
            token_id: claims.token_id().map(owned),
            ends_at: claims.expires_at().ok_or(Reason::Malformed)?,
        })
    }
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// It is signed by an algorithm that is not taken.
    #[error("it is signed by an algorithm that is not taken")]
    Algorithm,
    /// It has ended.
    #[error("it has ended")]
    Expired,
    /// It is no token with claims, or lacks one that it must have.
    #[error("it is no token with `iss`, `aud` and `exp`")]
    Malformed,
    /// It has not begun.
    #[error("it is not valid yet")]
    NotYetValid,
    /// Its key has not signed it.
    #[error("its signature is not that of the issuer's key")]
    Signature,
    /// The issuer has no such key.
    #[error("the issuer has no key of that id for its algorithm")]
    UnknownKey,
}

impl Refusal {
    /// The reason that a client is refused for.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Algorithm | Self::Signature | Self::UnknownKey => Reason::BadSecret,
            Self::Expired => Reason::Expired,
            Self::Malformed => Reason::Malformed,
            Self::NotYetValid => Reason::NotYetValid,
        }
    }
}

/// The members of a header (RFC 7515 §4.1) that count. Others are passed over, as the
/// specification wants it, but `crit`, which asks for them.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<IgnoredAny>,
}

/// Reads a member that may be absent, and is there even where it is `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IgnoredAny>, D::Error> {
    IgnoredAny::deserialize(deserializer).map(Some)
}

fn split_last_dot(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let dot = bytes.iter().rposition(|byte| *byte == b'.')?;
    let (before, rest) = bytes.split_at_checked(dot)?;
    Some((before, rest.strip_prefix(b".")?))
}
