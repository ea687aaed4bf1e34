//! What a CONNECT looks up.

use std::sync::Arc;

use super::StoreError;
use crate::certificate::{
    AuthorityId, AuthorityRecord, CertificateRecord, Fingerprint, SignerHints,
};
use crate::client_id::{ClientId, ClientIdTie};
use crate::credential::{Credential, CredentialId};
use crate::issuer::{IssuerId, IssuerRecord, IssuerText};
use crate::jwt::{KeyId, TokenId};
use crate::lockout::Lockout;
use crate::name::{LoginName, TenantId};
use crate::ownership::{Holding, StoredSession};
use crate::secret::SecretDigest;
use crate::tenant::Tenant;
use crate::token::{TokenKey, TokenRecord};

/// What a CONNECT looks up.
///
/// `Ok(None)` is "there is none"; an error is "could not look".
pub trait Directory {
    /// The credential with this login name.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn credential(&mut self, name: &LoginName) -> Result<Option<Arc<Credential>>, StoreError>;

    /// The tenant with this id.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn tenant(&mut self, id: &TenantId) -> Result<Option<Arc<Tenant>>, StoreError>;

    /// Says whether any tenant admits clients without a login.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn some_tenant_admits_anonymous(&mut self) -> Result<bool, StoreError>;

    /// The credential with this generated secret, asked where the secret
    /// serves as the name.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn credential_by_digest(
        &mut self,
        digest: &SecretDigest,
    ) -> Result<Option<Arc<Credential>>, StoreError>;

    /// The credential that is bound to exactly this client id, by its rule or
    /// by its first use.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn bound_to(&mut self, client_id: &ClientIdTie) -> Result<Option<CredentialId>, StoreError>;

    /// The tenant whose prefix this client id begins with.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn tenant_by_client_id(&mut self, client_id: &ClientId)
    -> Result<Option<TenantId>, StoreError>;

    /// What is recorded about the stored session of this client id.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn stored_session(
        &mut self,
        client_id: &ClientIdTie,
    ) -> Result<Option<StoredSession>, StoreError>;

    /// Who holds this client id, for a decision about what `claimant` may do with
    /// it: [`StoredSession::last_used_at`] of a session of its own may be out
    /// of date.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn holding(
        &mut self,
        client_id: &ClientIdTie,
        claimant: Option<CredentialId>,
    ) -> Result<Holding, StoreError> {
        let _anybody = claimant;
        Ok(Holding {
            bound_to: self.bound_to(client_id)?,
            stored_session: self.stored_session(client_id)?,
        })
    }

    /// The credential with this number.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn credential_by_id(&mut self, id: CredentialId)
    -> Result<Option<Arc<Credential>>, StoreError>;

    /// What is counted against the user with this address, or against an
    /// address that no user has.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn lockout(&mut self, email: &LoginName) -> Result<Lockout, StoreError>;

    /// The key with this id.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn token_key(&mut self, id: &KeyId) -> Result<Option<TokenKey>, StoreError>;

    /// The token with this number, revoked ones too.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn token(&mut self, id: &TokenId) -> Result<Option<Arc<TokenRecord>>, StoreError>;

    /// The record of the certificate with this fingerprint.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn certificate(
        &mut self,
        fingerprint: &Fingerprint,
    ) -> Result<Option<CertificateRecord>, StoreError>;

    /// Those issuers whose tokens say that this one issued them.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn issuers_like(&mut self, issuer: &IssuerText) -> Result<Arc<[IssuerRecord]>, StoreError>;

    /// Says whether a token of an issuer was revoked.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn is_issued_token_revoked(
        &mut self,
        id: IssuerId,
        token: &IssuerText,
    ) -> Result<bool, StoreError>;

    /// Says whether a device of a tenant with this name was registered once, by whomever,
    /// and that was not forgotten.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn was_registered(&mut self, tenant: &TenantId, name: &LoginName) -> Result<bool, StoreError>;

    /// The issuer with this number.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn issuer(&mut self, id: IssuerId) -> Result<Option<IssuerRecord>, StoreError>;

    /// The authority with this number.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn authority(&mut self, id: AuthorityId) -> Result<Option<AuthorityRecord>, StoreError>;

    /// Those that may have signed a certificate which says this of who signed it: all
    /// that are called so.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn authorities_like(
        &mut self,
        hints: &SignerHints,
    ) -> Result<Arc<[AuthorityRecord]>, StoreError>;
}
