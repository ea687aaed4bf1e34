//! What a certificate says.

use std::sync::Arc;

use countersign_core::certificate::{Fingerprint, PresentedCertificate, Validity};
use countersign_core::time::Timestamp;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::time::Time;

use crate::leaf::ReadLeaf;

/// A longer certificate is not read.
pub const MOST_BYTES: usize = 16 * 1024;

/// Bytes are no certificate that counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// They are no X.509 certificate in strict DER.
    #[error("it is no X.509 certificate in DER")]
    Malformed,
    /// They are too many.
    #[error("it is longer than {MOST_BYTES} bytes")]
    TooLong,
}

/// What a certificate says that a client presents.
#[must_use]
pub fn presented(der: &[u8]) -> PresentedCertificate {
    match certificate_of(der) {
        Ok(certificate) => PresentedCertificate::Read {
            fingerprint: Fingerprint::of(der),
            validity: validity_of(&certificate),
            leaf: Arc::new(ReadLeaf::new(certificate, der)),
        },
        Err(CertificateError::Malformed | CertificateError::TooLong) => {
            PresentedCertificate::Unreadable
        }
    }
}

/// Reads a certificate.
///
/// # Errors
///
/// Returns [`CertificateError`] when it is none, or too long.
pub fn read(der: &[u8]) -> Result<(Fingerprint, Validity), CertificateError> {
    let certificate = certificate_of(der)?;
    Ok((Fingerprint::of(der), validity_of(&certificate)))
}

pub(crate) fn certificate_of(der: &[u8]) -> Result<Certificate, CertificateError> {
    if der.len() > MOST_BYTES {
        return Err(CertificateError::TooLong);
    }
    Certificate::from_der(der).map_err(|_| CertificateError::Malformed)
}

pub(crate) fn validity_of(certificate: &Certificate) -> Validity {
    let validity = certificate.tbs_certificate().validity();
    Validity {
        not_before: instant(validity.not_before),
        not_after: instant(validity.not_after),
    }
}

fn instant(time: Time) -> Timestamp {
    Timestamp::from_millis(0).plus(time.to_unix_duration())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pem::certificate_of_pem;

    /// Made by OpenSSL: `CN=device`, P-256, for ten years.
    const DEVICE: &str = include_str!("../tests/device.pem");
    /// What `openssl x509 -noout -fingerprint -sha256 -dates` says of it.
    const FINGERPRINT: &str = "48d822f7d5fecf13771b517c9c038b969184e827a74655986a81ae807af4e3fc";
    const NOT_BEFORE: i64 = 1_795_987_315;
    const NOT_AFTER: i64 = 2_111_347_315;

    #[test]
    fn what_openssl_made_is_read_as_openssl_says() {
        let der = certificate_of_pem(DEVICE).unwrap();
        let (fingerprint, validity) = read(&der).unwrap();
        assert_eq!(fingerprint.to_string(), FINGERPRINT);
        let seconds = |at: Timestamp| at.as_millis() / 1_000;
        assert_eq!(seconds(validity.not_before), NOT_BEFORE);
        assert_eq!(seconds(validity.not_after), NOT_AFTER);
        let PresentedCertificate::Read {
            fingerprint: of,
            validity: when,
            ..
        } = presented(&der)
        else {
            panic!("it is unreadable");
        };
        assert_eq!((of, when), (fingerprint, validity));
    }

    #[test]
    fn whatever_is_no_whole_certificate_is_unreadable() {
        let der = certificate_of_pem(DEVICE).unwrap();
        for end in 0..der.len() {
            assert_eq!(read(&der[..end]), Err(CertificateError::Malformed), "{end}");
        }
        let longer = [&der[..], b"\0"].concat();
        let is_unreadable = |der| matches!(presented(der), PresentedCertificate::Unreadable);
        assert!(is_unreadable(&longer));
        let long = vec![0x30; MOST_BYTES + 1];
        assert_eq!(read(&long), Err(CertificateError::TooLong));
        assert!(is_unreadable(&long));
        assert!(is_unreadable(b""));
    }
}
