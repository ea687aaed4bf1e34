//! Certificates, as bytes and as text.

use countersign_certificate::{MOST_BYTES, certificate_of_pem, presented, read};
use countersign_core::certificate::{Fingerprint, PresentedCertificate};

/// A certificate: what is read is all of what was given, and no bytes more or less are
/// the same; what is not read is nobody's.
pub fn certificate(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(der) = certificate_of_pem(text)
    {
        assert!(!der.is_empty() && der.len() <= text.len());
    }
    let Ok((fingerprint, validity)) = read(data) else {
        assert_eq!(presented(data), PresentedCertificate::Unreadable);
        return;
    };
    assert!(data.len() <= MOST_BYTES);
    assert_eq!(fingerprint, Fingerprint::of(data));
    let first = validity.not_before.as_millis();
    assert!(first >= 0 && first % 1_000 == 0, "{validity:?}");
    let same = PresentedCertificate::Read {
        fingerprint,
        validity,
    };
    assert_eq!(presented(data), same);
    let longer = [data, &[0]].concat();
    assert!(read(&longer).is_err(), "it goes on behind its end");
    assert!(read(&data[..data.len() - 1]).is_err(), "it ends too soon");
}
