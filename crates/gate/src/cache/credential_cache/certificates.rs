//! What the store said of certificates and of authorities.

use std::collections::HashMap;
use std::sync::Arc;

use countersign_core::certificate::{AuthorityRecord, CertificateRecord, Fingerprint, SignerHints};

/// What the store said of certificates and of authorities, also that there are none.
#[derive(Debug, Default)]
pub(crate) struct Certificates {
    records: HashMap<Fingerprint, Option<CertificateRecord>>,
    authorities: HashMap<SignerHints, Arc<[AuthorityRecord]>>,
}

impl Certificates {
    /// The record of a certificate, if that was asked for.
    pub(crate) fn record(&self, fingerprint: &Fingerprint) -> Option<Option<CertificateRecord>> {
        self.records.get(fingerprint).copied()
    }

    /// Keeps what the store said of a certificate.
    pub(crate) fn keep_record(
        &mut self,
        fingerprint: &Fingerprint,
        record: Option<CertificateRecord>,
    ) {
        if self.records.len() >= MOST_RECORDS {
            self.records.clear();
        }
        self.records.insert(*fingerprint, record);
    }

    /// Gives up what was said of certificates: one may have been added or removed.
    pub(super) fn forget_records(&mut self) {
        self.records.clear();
    }

    /// Those that may be meant by `hints`, if that was asked for.
    pub(crate) fn authorities(&self, hints: &SignerHints) -> Option<&Arc<[AuthorityRecord]>> {
        self.authorities.get(hints)
    }

    /// Keeps who may be meant by `hints`.
    pub(crate) fn keep_authorities(&mut self, hints: &SignerHints, found: &Arc<[AuthorityRecord]>) {
        if self.authorities.len() >= MOST_HINTS {
            self.authorities.clear();
        }
        self.authorities.insert(*hints, Arc::clone(found));
    }
}

/// Some 150 bytes each.
const MOST_RECORDS: usize = 10_240;
/// Some 1.5 KB each, where one authority is meant.
const MOST_HINTS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_has_a_bound() {
        let mut kept = Certificates::default();
        for number in 0..MOST_RECORDS + 1 {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&number.to_le_bytes());
            kept.keep_record(&Fingerprint(hash), None);
            let hints = SignerHints {
                key_id: None,
                name: hash,
            };
            kept.keep_authorities(&hints, &Arc::default());
            assert_eq!(kept.record(&Fingerprint(hash)), Some(None));
            assert!(kept.authorities(&hints).is_some());
            assert!(kept.records.len() <= MOST_RECORDS);
            assert!(kept.authorities.len() <= MOST_HINTS);
        }
        kept.forget_records();
        assert!(kept.records.is_empty());
    }
}
