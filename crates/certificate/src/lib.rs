//! Reads the X.509 certificates (RFC 5280) that stand for credentials.
//!
//! A certificate that a client presents comes from whoever holds a key of an authority
//! that the broker trusts, which may be a tenant. So what is read is bounded, and what is
//! not strict DER is refused. What follows from a certificate is decided in
//! [`countersign_core::certificate`].

#![forbid(unsafe_code)]

pub use self::authority::{AuthorityError, ReadAuthority, read_authority};
pub use self::pem::PemError;
pub use self::pem::certificate_of_pem;
pub use self::public_key::{PublicKey, PublicKeyError, RsaKey, UNCOMPRESSED};
pub use self::read::{CertificateError, MOST_BYTES};
pub use self::read::{presented, read};

mod authority;
mod hints;
mod leaf;
mod pem;
mod public_key;
mod read;
mod signature;
#[cfg(test)]
mod tests;
