//! Certificates, as they are shown.

use countersign_core::certificate::CertificateRecord;
use serde::Serialize;

use super::rfc3339;
use crate::certificate::ShownCertificate;

/// All that is shown of a certificate.
#[derive(Clone, Debug, Serialize)]
pub struct CertificateView {
    fingerprint: String,
    name: String,
    not_before: Option<String>,
    not_after: Option<String>,
    until: Option<String>,
    ends_at: Option<String>,
    added_at: String,
}

impl CertificateView {
    /// The view of a certificate.
    #[must_use]
    pub fn of(shown: &ShownCertificate) -> Self {
        let record = &shown.record;
        Self {
            fingerprint: record.fingerprint.to_string(),
            name: shown.name.to_string(),
            not_before: record.validity.map(|it| rfc3339(it.not_before)),
            not_after: record.validity.map(|it| rfc3339(it.not_after)),
            until: record.until.map(rfc3339),
            ends_at: record.ends_at().map(rfc3339),
            added_at: rfc3339(record.added_at),
        }
    }
}

/// What the audit keeps of a certificate.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AuditedCertificate {
    fingerprint: String,
    not_after: Option<String>,
    until: Option<String>,
}

impl AuditedCertificate {
    pub(crate) fn of(record: &CertificateRecord) -> Self {
        Self {
            fingerprint: record.fingerprint.to_string(),
            not_after: record.validity.map(|it| rfc3339(it.not_after)),
            until: record.until.map(rfc3339),
        }
    }
}
