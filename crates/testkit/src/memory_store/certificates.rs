//! Certificates that stand for credentials.

use countersign_core::certificate::{CertificateRecord, Fingerprint};
use countersign_core::credential::CredentialId;
use countersign_core::store::StoreError;
use countersign_core::store::rows::CertificateRows;

use super::MemoryTransaction;
use super::errors::{found, taken};

impl CertificateRows for MemoryTransaction<'_> {
    fn certificate(
        &mut self,
        fingerprint: &Fingerprint,
    ) -> Result<Option<CertificateRecord>, StoreError> {
        Ok(self.tables.certificates.get(fingerprint).copied())
    }

    fn certificates_of(
        &mut self,
        credential: CredentialId,
    ) -> Result<Vec<CertificateRecord>, StoreError> {
        let all = self.tables.certificates.values();
        let own = all.filter(|it| it.credential == credential);
        let mut own: Vec<_> = own.copied().collect();
        own.sort_by_key(|it| (it.added_at, it.fingerprint));
        Ok(own)
    }

    fn add_certificate(&mut self, certificate: &CertificateRecord) -> Result<(), StoreError> {
        let tables = &mut self.tables;
        if tables.certificates.contains_key(&certificate.fingerprint) {
            return Err(taken("the certificate"));
        }
        let has_credential = tables.credentials.contains_key(&certificate.credential);
        found(has_credential, "the credential")?;
        tables
            .certificates
            .put(certificate.fingerprint, *certificate);
        Ok(())
    }

    fn remove_certificate(&mut self, fingerprint: &Fingerprint) -> Result<bool, StoreError> {
        Ok(self.tables.certificates.remove(fingerprint))
    }
}
