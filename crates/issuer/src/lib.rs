//! Judges the tokens of others' issuers: JSON Web Tokens (RFC 7519) in the compact form
//! of a JWS (RFC 7515 §7.1), signed by RS256, PS256, ES256 (RFC 7518 §3) or EdDSA
//! (RFC 8037 §3.1).
//!
//! Whoever may connect may present one, so what is read is bounded, and the signature is
//! verified with a key that the issuer is known to have, by the one algorithm that this
//! key is for. What a token says of keys (`jwk`, `jku`, `x5c`) is never used, and one that
//! asks for something to be understood (`crit`) is refused. Whose the identity is that a
//! token claims is decided in [`countersign_core`].

#![forbid(unsafe_code)]

pub use self::claims::Claims;
pub use self::key_set::{KeyName, KeySet, KeySetError, KeyText, MOST_BYTES, MOST_KEYS};
pub use self::public_key::PublicKey;
pub use self::token::{LONGEST, Refusal, Unverified, presented};
pub use countersign_certificate::PublicKeyError;

mod claims;
mod key_set;
mod public_key;
mod token;
