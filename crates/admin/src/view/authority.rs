//! Authorities (CAs), as they are shown.

use countersign_core::certificate::AuthorityRecord;
use serde::Serialize;

use super::registration::RegistrationView;
use super::rfc3339;

/// All that is shown of an authority.
#[derive(Clone, Debug, Serialize)]
pub struct AuthorityView {
    fingerprint: String,
    tenant: String,
    subject: String,
    key: &'static str,
    identity: &'static str,
    pattern: String,
    #[serde(flatten)]
    registers: RegistrationView,
    not_before: String,
    not_after: String,
    added_at: String,
}

impl AuthorityView {
    /// The view of an authority.
    #[must_use]
    pub fn of(record: &AuthorityRecord) -> Self {
        Self {
            fingerprint: record.fingerprint.to_string(),
            tenant: record.tenant.to_string(),
            subject: record.subject.clone(),
            key: record.key.algorithm.as_str(),
            identity: record.identity.as_str(),
            pattern: record.pattern.to_string(),
            registers: RegistrationView::of(record.registers.as_ref()),
            not_before: rfc3339(record.validity.not_before),
            not_after: rfc3339(record.validity.not_after),
            added_at: rfc3339(record.added_at),
        }
    }
}
