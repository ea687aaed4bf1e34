//! Tokens: JSON Web Tokens (RFC 7519) in the compact form of a JWS (RFC 7515
//! §7.1), signed with Ed25519 (RFC 8037 §3.1) and with nothing else.
//!
//! [`sign`] makes a token. Reading one takes two steps, so that nothing it says
//! is believed too early: [`Unverified::parse`] tells which key it names, and
//! [`Unverified::verify`] tells what it claims. Whether it is in time is
//! [`Claims::is_in_time`], and whether it was revoked is up to the caller.
//!
//! What these specifications leave open is closed here: there is one algorithm,
//! an unknown member of the header or the claims refuses the token, and so do
//! members that occur twice, any other than the one base64url text of some
//! bytes, and keys of small order.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::secret::Secret;

pub use self::claims::{Claims, ISSUER, TokenId, TokenIdError};
pub use self::key::{KeyId, KeyIdError, SigningKey, VerifyingKey};
pub use self::ttl::{Ttl, TtlError};
pub use self::whoami::{Whoami, WhoamiError, bearer_name, whoami_of};

mod claims;
mod key;
mod ttl;
mod whoami;

/// The most bytes that a token has which we sign.
pub const LONGEST: usize = 4_096;

/// The most bytes that a token has which a client presents: those of others' issuers may be
/// longer.
pub const LONGEST_PRESENTED: usize = 8_192;

/// How base64url writes `{"`.
const BEGINNING: &[u8] = b"eyJ";

/// Says whether a password has the shape of a token, without reading it.
///
/// That is `eyJ`, which is how base64url writes `{"`, three parts of base64url
/// and at most [`LONGEST_PRESENTED`] bytes in all.
#[must_use]
pub fn looks_like_token(password: &[u8]) -> bool {
    let good = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    password.len() <= LONGEST_PRESENTED
        && password.starts_with(BEGINNING)
        && password.iter().all(good)
        && password.iter().filter(|byte| **byte == b'.').count() == 2
}

/// Says whether a client presents what may be meant for a token: one that white
/// space stands around, as a file's last line feed does, or so long that its end
/// was not kept.
#[must_use]
pub fn may_be_token(presented: &Secret) -> bool {
    let text = presented.expose().trim_ascii();
    looks_like_token(text) || (presented.is_too_long() && text.starts_with(BEGINNING))
}

/// Makes the token that says `claims`, for a client to present as password.
///
/// Times are cut down to whole seconds, as [`Claims::in_whole_seconds`] does.
///
/// # Errors
///
/// Returns [`SignError`] for what [`Unverified::verify`] would refuse.
pub fn sign(claims: &Claims, key_id: &KeyId, key: &SigningKey) -> Result<Secret, SignError> {
    let header = TokenHeader {
        alg: ALGORITHM.into(),
        kid: key_id.as_str().into(),
        typ: TYPE.into(),
    };
    let header = serde_json::to_vec(&header).map_err(|_| SignError::Lifetime)?;
    let payload = claims.to_json().ok_or(SignError::Lifetime)?;
    let mut token = URL_SAFE_NO_PAD.encode(header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut token);
    let signature = Zeroizing::new(URL_SAFE_NO_PAD.encode(key.sign(token.as_bytes())));
    // Only with its signature it is a secret; then it doesn't grow any more,
    // because a text that does leaves copies.
    let whole = token
        .len()
        .saturating_add(1)
        .saturating_add(signature.len());
    if whole > LONGEST {
        return Err(SignError::TooLong { bytes: whole });
    }
    let mut bytes = Vec::with_capacity(whole);
    bytes.extend_from_slice(token.as_bytes());
    bytes.push(b'.');
    bytes.extend_from_slice(signature.as_bytes());
    Ok(Secret::new(bytes))
}

/// Why no token can say some claims.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SignError {
    /// It would end before it begins, or last longer than [`Ttl::MOST`].
    #[error("a token lasts from 1 second to 24 hours")]
    Lifetime,
    /// It would be longer than [`LONGEST`].
    #[error("the token would have {bytes} bytes, and can have {LONGEST}; name fewer things")]
    TooLong {
        /// How long it would be.
        bytes: usize,
    },
}

/// A token whose signature was not looked at yet.
///
/// Nothing that it says can be asked but the key that it names.
#[expect(missing_debug_implementations, reason = "a token is a secret")]
pub struct Unverified {
    key_id: KeyId,
    /// Header and payload as they stand in the token (RFC 7515 §5.2 step 8).
    signed: Zeroizing<Vec<u8>>,
    payload: Zeroizing<Vec<u8>>,
    signature: Zeroizing<[u8; 64]>,
}

impl Unverified {
    /// Takes a token apart (RFC 7515 §5.2 steps 1 to 7).
    ///
    /// `None` for more than [`LONGEST`] bytes, before anything is read; for any
    /// algorithm but `EdDSA`, spelled like that; for a key id that is no
    /// [`KeyId`]; for any other member of the header than these and a `typ` of
    /// `JWT`; and for everything that is no compact JWS.
    #[must_use]
    pub fn parse(token: &[u8]) -> Option<Self> {
        if token.len() > LONGEST {
            return None;
        }
        let (signed, signature) = split_last_dot(token)?;
        let (header, payload) = split_last_dot(signed)?;
        let header: TokenHeader = from_object(&decode(header)?)?;
        if header.alg != ALGORITHM || header.typ != TYPE {
            return None;
        }
        let signature: [u8; 64] = decode(signature)?.as_slice().try_into().ok()?;
        Some(Self {
            key_id: KeyId::parse(&header.kid).ok()?,
            signed: Zeroizing::new(signed.to_vec()),
            payload: decode(payload)?,
            signature: Zeroizing::new(signature),
        })
    }

    /// The key that the token says it was signed with.
    #[must_use]
    pub const fn key_id(&self) -> &KeyId {
        &self.key_id
    }

    /// What the token claims, if `key` signed it.
    ///
    /// `None` for a bad signature (RFC 8032 §5.1.7, with the strict reading
    /// that gives each message one signature), and after a good one for claims
    /// that [`sign`] does not write. Time is not judged here.
    #[must_use]
    pub fn verify(self, key: &VerifyingKey) -> Option<Claims> {
        if !key.has_signed(&self.signed, &self.signature) {
            return None;
        }
        Claims::from_json(&self.payload)
    }
}

/// The members of a header (RFC 7515 §4.1); no others are understood, and so
/// none can ask for anything, as `crit`, `jwk` or `x5u` do.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct TokenHeader {
    alg: String,
    kid: String,
    #[serde(default = "default_type")]
    typ: String,
}

fn default_type() -> String {
    TYPE.into()
}

/// Reads one JSON object with nothing around it.
///
/// A member that occurs twice is an error of what serde derives. An array in
/// place of the object would be none, and is refused here.
fn from_object<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    if bytes.first() != Some(&b'{') || bytes.last() != Some(&b'}') {
        return None;
    }
    serde_json::from_slice(bytes).ok()
}

/// Decodes base64url without padding (RFC 7515 §2); bits that are left over
/// have to be zero.
fn decode(part: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    URL_SAFE_NO_PAD.decode(part).ok().map(Zeroizing::new)
}

fn split_last_dot(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let dot = bytes.iter().rposition(|byte| *byte == b'.')?;
    let (before, rest) = bytes.split_at_checked(dot)?;
    Some((before, rest.strip_prefix(b".")?))
}

const ALGORITHM: &str = "EdDSA";
const TYPE: &str = "JWT";

#[cfg(test)]
mod tests;
