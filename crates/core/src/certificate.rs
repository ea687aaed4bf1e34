//! Certificates (X.509) that stand for credentials. What a certificate says is read
//! elsewhere; here is what follows from it.

use core::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::credential::CredentialId;
use crate::hex;
use crate::reason::Reason;
use crate::time::Timestamp;

pub use self::authority::{
    AuthorityId, AuthorityKey, AuthorityRecord, IdentityKind, IdentityKindError, KeyAlgorithm,
    Leaf, MOST_ALIKE, MOST_AUTHORITIES, MOST_AUTHORITIES_OF_TENANT, NamePattern, NamePatternError,
    SignerHints,
};

mod authority;

/// The SHA-256 of a certificate as it is sent (DER).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// That of a certificate.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// Reads 64 hexadecimal digits, in either case, with or without colons between
    /// the bytes: as `openssl x509 -fingerprint -sha256` writes them, too.
    ///
    /// # Errors
    ///
    /// Returns [`FingerprintError`] for any other text.
    pub fn parse(text: &str) -> Result<Self, FingerprintError> {
        let digits = match text.len() {
            64 => text.to_ascii_lowercase(),
            95 if text.bytes().skip(2).step_by(3).all(|byte| byte == b':') => {
                text.replace(':', "").to_ascii_lowercase()
            }
            _ => return Err(FingerprintError),
        };
        let bytes = hex::decode(&digits).ok_or(FingerprintError)?;
        bytes.try_into().map(Self).map_err(|_| FingerprintError)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

/// A text is no fingerprint.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a fingerprint is the SHA-256 of a certificate: 64 hexadecimal digits")]
pub struct FingerprintError;

/// From when to when a certificate is valid, both included (RFC 5280 §4.1.2.5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    /// The first second.
    pub not_before: Timestamp,
    /// The last second.
    pub not_after: Timestamp,
}

impl Validity {
    /// Says whether it is over at `now`.
    #[must_use]
    pub fn is_over(self, now: Timestamp) -> bool {
        now >= self.ends_at()
    }

    /// When it is over.
    fn ends_at(self) -> Timestamp {
        self.not_after.plus(SECOND)
    }
}

/// What a client presents by its certificate, whose private key it proved to have.
#[derive(Clone, Debug)]
pub enum PresentedCertificate {
    /// It was read.
    Read {
        /// The hash of all of it.
        fingerprint: Fingerprint,
        /// When it is valid.
        validity: Validity,
        /// Who signed it, and whom it names.
        leaf: Arc<dyn Leaf>,
    },
    /// There is one that can't be read. It is nobody's.
    Unreadable,
}

/// A certificate that stands for a credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CertificateRecord {
    /// The hash of the certificate.
    pub fingerprint: Fingerprint,
    /// The credential.
    pub credential: CredentialId,
    /// When the certificate is valid; none where only its fingerprint was given.
    pub validity: Option<Validity>,
    /// From when on it does not count any more, if that is sooner.
    pub until: Option<Timestamp>,
    /// Since when it stands for the credential.
    pub added_at: Timestamp,
}

impl CertificateRecord {
    /// When it counts no more, as far as that is known.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        match (self.validity, self.until) {
            (Some(validity), _) => Some(self.ends_with(validity)),
            (None, until) => until,
        }
    }

    /// What a certificate proves that has this record, at `now`.
    ///
    /// # Errors
    ///
    /// Returns the reason for which it proves nothing.
    pub fn admits(&self, presented: Validity, now: Timestamp) -> Result<ProvedCertificate, Reason> {
        let proved = ProvedCertificate {
            fingerprint: self.fingerprint,
            authority: None,
            ends_at: self.ends_with(presented),
        };
        proved.from(presented.not_before, now)
    }

    /// When a certificate with this record counts no more.
    fn ends_with(&self, validity: Validity) -> Timestamp {
        let ends = validity.ends_at();
        self.until.map_or(ends, |until| until.min(ends))
    }
}

impl AuthorityRecord {
    /// What a certificate proves that this authority signed, at `now`.
    ///
    /// # Errors
    ///
    /// Returns the reason for which it proves nothing.
    pub fn admits(
        &self,
        fingerprint: Fingerprint,
        presented: Validity,
        now: Timestamp,
    ) -> Result<ProvedCertificate, Reason> {
        let proved = ProvedCertificate {
            fingerprint,
            authority: Some(self.id),
            ends_at: presented.ends_at(),
        };
        proved.from(presented.not_before, now)
    }
}

/// A certificate that proved a credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProvedCertificate {
    /// The hash of the certificate.
    pub fingerprint: Fingerprint,
    /// The authority that says whose it is; else its own record does.
    pub authority: Option<AuthorityId>,
    /// When it counts no more.
    pub ends_at: Timestamp,
}

impl ProvedCertificate {
    /// This, if its time has come and is not over at `now`.
    fn from(self, not_before: Timestamp, now: Timestamp) -> Result<Self, Reason> {
        if now < not_before {
            Err(Reason::NotYetValid)
        } else if self.is_over(now) {
            Err(Reason::CertificateExpired)
        } else {
            Ok(self)
        }
    }

    /// When a session ends that it proved, of a credential that expires then.
    #[must_use]
    pub fn session_ends_at(&self, expires_at: Option<Timestamp>) -> Timestamp {
        expires_at.map_or(self.ends_at, |own| own.min(self.ends_at))
    }

    /// Says whether it counts no more.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.ends_at
    }
}

/// So many certificates stand for one credential at most.
pub const MOST_CERTIFICATES: usize = 16;

/// The last second of a certificate is one in which it is valid.
const SECOND: core::time::Duration = core::time::Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds.saturating_mul(1_000))
    }

    const VALIDITY: Validity = Validity {
        not_before: Timestamp::from_millis(10_000),
        not_after: Timestamp::from_millis(20_000),
    };

    fn record(until: Option<Timestamp>) -> CertificateRecord {
        CertificateRecord {
            fingerprint: Fingerprint([7; 32]),
            credential: CredentialId(1),
            validity: None,
            until,
            added_at: at(1),
        }
    }

    #[test]
    fn a_fingerprint_is_read_as_tools_write_it_and_nothing_else_is() {
        let fingerprint = Fingerprint::of(b"");
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(fingerprint.to_string(), text);
        let bytes = fingerprint.0.iter();
        let pairs: Vec<_> = bytes.map(|byte| format!("{byte:02x}")).collect();
        let colons = pairs.join(":");
        for written in [text, &colons, &text.to_uppercase(), &colons.to_uppercase()] {
            assert_eq!(Fingerprint::parse(written), Ok(fingerprint), "{written}");
        }
        let shifted = format!(":{}", colons.strip_suffix('5').unwrap());
        let short = text.strip_suffix("55").unwrap();
        for other in [
            "",
            short,
            &format!("{text}0"),
            &format!("0x{short}"),
            &format!("{short}é"),
            &colons.replace(':', "-"),
            &shifted,
        ] {
            assert_eq!(Fingerprint::parse(other), Err(FingerprintError), "{other}");
        }
    }

    #[test]
    fn a_certificate_counts_from_its_first_second_to_its_last() {
        let judged = |now| record(None).admits(VALIDITY, now);
        assert_eq!(judged(at(9)), Err(Reason::NotYetValid));
        let proved = judged(at(10)).unwrap();
        assert_eq!(proved.ends_at, at(21));
        let last = Timestamp::from_millis(20_999);
        assert_eq!(judged(last), Ok(proved));
        assert!(!proved.is_over(last));
        assert_eq!(judged(at(21)), Err(Reason::CertificateExpired));
        assert!(proved.is_over(at(21)));
    }

    #[test]
    fn a_record_may_end_sooner_than_the_certificate_and_never_later() {
        let sooner = record(Some(at(15)));
        assert_eq!(sooner.admits(VALIDITY, at(14)).unwrap().ends_at, at(15));
        assert_eq!(
            sooner.admits(VALIDITY, at(15)),
            Err(Reason::CertificateExpired)
        );
        let later = record(Some(at(99)));
        assert_eq!(later.admits(VALIDITY, at(14)).unwrap().ends_at, at(21));
    }
}
