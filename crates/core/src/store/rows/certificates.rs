//! Certificates that stand for credentials.

use crate::certificate::{CertificateRecord, Fingerprint};
use crate::credential::CredentialId;
use crate::store::StoreError;

/// Certificates that stand for credentials. With a credential, its certificates go.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait CertificateRows {
    /// The record of the certificate with this fingerprint.
    ///
    /// # Errors
    ///
    /// See [`CertificateRows`].
    fn certificate(
        &mut self,
        fingerprint: &Fingerprint,
    ) -> Result<Option<CertificateRecord>, StoreError>;

    /// The certificates of a credential, in the order in which they were added, and
    /// those of one moment by fingerprint.
    ///
    /// # Errors
    ///
    /// See [`CertificateRows`].
    fn certificates_of(
        &mut self,
        credential: CredentialId,
    ) -> Result<Vec<CertificateRecord>, StoreError>;

    /// Adds a certificate.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when its fingerprint is some credential's already;
    /// else see [`CertificateRows`].
    fn add_certificate(&mut self, certificate: &CertificateRecord) -> Result<(), StoreError>;

    /// Removes a certificate; says whether there was one.
    ///
    /// # Errors
    ///
    /// See [`CertificateRows`].
    fn remove_certificate(&mut self, fingerprint: &Fingerprint) -> Result<bool, StoreError>;
}
