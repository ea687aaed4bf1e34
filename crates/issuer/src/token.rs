//! A token as it is presented.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::time::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::algorithm::Algorithm;
use crate::claims::Claims;
use crate::key_set::KeySet;

/// The most bytes that a token has.
pub const LONGEST: usize = 8 * 1024;

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

    /// Who the token says has issued it.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.claims.issuer()
    }

    /// Whom the token says it is for.
    #[must_use]
    pub fn audiences(&self) -> Vec<&str> {
        self.claims.audiences()
    }

    /// What the token claims, if it is of these keys and in time.
    ///
    /// # Errors
    ///
    /// Returns [`Refusal`]: of the signature first, so that nothing about a token can be
    /// learned by who did not have it signed.
    pub fn verify(self, keys: &KeySet, now: Timestamp) -> Result<Claims, Refusal> {
        let key_id = self.key_id.as_deref();
        if !keys.knows(key_id, self.algorithm) {
            return Err(Refusal::UnknownKey);
        }
        if !keys.has_signed(key_id, self.algorithm, &self.signed, &self.signature) {
            return Err(Refusal::Signature);
        }
        self.claims.is_in_time(now)?;
        Ok(self.claims)
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
