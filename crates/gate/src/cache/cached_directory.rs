//! What a CONNECT looks up.

use std::sync::Arc;

use countersign_core::certificate::{
    AuthorityId, AuthorityRecord, CertificateRecord, Fingerprint, SignerHints,
};
use countersign_core::client_id::{ClientId, ClientIdTie};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::issuer::{IssuerId, IssuerRecord, IssuerText};
use countersign_core::jwt::{KeyId, TokenId};
use countersign_core::kind::Kind;
use countersign_core::lockout::Lockout;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::ownership::{Holding, StoredSession};
use countersign_core::secret::{SecretDigest, Verifier};
use countersign_core::store::{Directory, GateStore, LogPosition, StoreError};
use countersign_core::tenant::Tenant;
use countersign_core::time::Timestamp;
use countersign_core::token::{TokenKey, TokenRecord};

use crate::cache::credential_cache::CredentialCache;
use crate::cache::store_snapshot::StoreSnapshot;
use crate::journal::recent_uses::{EndedUse, RecentUses};

/// What a CONNECT looks up: what is kept, else the store, of which more is kept
/// then.
///
/// INVARIANT: made only after [`CredentialCache::follow`] and
/// [`StoreSnapshot::refresh`] have seen all that `log_position` knows of.
pub(crate) struct CachedDirectory<'a, S> {
    pub(crate) store: &'a mut S,
    pub(crate) credential_cache: &'a mut CredentialCache,
    pub(crate) snapshot: &'a StoreSnapshot,
    pub(crate) log_position: LogPosition,
    pub(crate) recent_uses: &'a RecentUses,
    /// The session of an unauthenticated client, which is connected with the
    /// client id in question and may be stored without a record.
    pub(crate) unproved: Option<EndedUse>,
    pub(crate) now: Timestamp,
}

impl<S> CachedDirectory<'_, S> {
    /// Keeps what the store answered of a device or an operator, unless a hash of
    /// it is to be renewed. Other kinds change with more than themselves: a
    /// thing with its application, a user with each login.
    fn keep(&mut self, record: &mut Arc<Credential>) {
        let wanted = self.snapshot.settings.argon2;
        let changes_alone = matches!(record.kind, Kind::Device | Kind::Operator);
        let stays = changes_alone
            && record.secrets.iter().all(|stored| match &stored.verifier {
                Verifier::Digest(_) => true,
                Verifier::Password(hash) => hash.params() == Some(wanted),
            });
        if stays {
            if let Some(unshared) = Arc::get_mut(record) {
                self.snapshot.share_texts(unshared);
            }
            self.credential_cache.keep(record);
        }
    }
}

impl<S: GateStore> CachedDirectory<'_, S> {
    fn recorded_holding(
        &mut self,
        client_id: &ClientIdTie,
        claimant: Option<CredentialId>,
    ) -> Result<Holding, StoreError> {
        let Some(id) = claimant else {
            return self.store.holding(client_id, None);
        };
        if let Some(known) = self
            .credential_cache
            .holding(client_id, id, self.log_position)
        {
            return Ok(known.clone());
        }
        let found = self.store.holding(client_id, claimant)?;
        self.credential_cache
            .keep_holding(client_id, id, self.log_position, &found);
        Ok(found)
    }
}

impl<S: GateStore> Directory for CachedDirectory<'_, S> {
    fn credential(&mut self, name: &LoginName) -> Result<Option<Arc<Credential>>, StoreError> {
        if let Some(record) = self.credential_cache.by_name(name) {
            return Ok(Some(record));
        }
        if self.credential_cache.is_absent(name) {
            return Ok(None);
        }
        let mut found = self.store.credential(name)?;
        match &mut found {
            Some(record) => self.keep(record),
            None => self.credential_cache.keep_absent(name),
        }
        Ok(found)
    }

    fn credential_by_digest(
        &mut self,
        digest: &SecretDigest,
    ) -> Result<Option<Arc<Credential>>, StoreError> {
        if let Some(record) = self.credential_cache.by_digest(digest) {
            return Ok(Some(record));
        }
        if self.credential_cache.is_absent_digest(digest) {
            return Ok(None);
        }
        let mut found = self.store.credential_by_digest(digest)?;
        match &mut found {
            Some(record) => {
                self.keep(record);
                self.credential_cache.keep_digest(digest, record.id);
            }
            None => self.credential_cache.keep_absent_digest(digest),
        }
        Ok(found)
    }

    fn tenant(&mut self, id: &TenantId) -> Result<Option<Arc<Tenant>>, StoreError> {
        Ok(self.snapshot.tenant(id)?.map(Arc::clone))
    }

    fn some_tenant_admits_anonymous(&mut self) -> Result<bool, StoreError> {
        Ok(!self.snapshot.has_no_open_tenant())
    }

    fn tenant_by_client_id(
        &mut self,
        client_id: &ClientId,
    ) -> Result<Option<TenantId>, StoreError> {
        Ok(self.snapshot.tenant_by_client_id(client_id)?.cloned())
    }

    fn bound_to(&mut self, client_id: &ClientIdTie) -> Result<Option<CredentialId>, StoreError> {
        self.store.bound_to(client_id)
    }

    fn stored_session(
        &mut self,
        client_id: &ClientIdTie,
    ) -> Result<Option<StoredSession>, StoreError> {
        self.store.stored_session(client_id)
    }

    fn holding(
        &mut self,
        client_id: &ClientIdTie,
        claimant: Option<CredentialId>,
    ) -> Result<Holding, StoreError> {
        let mut holding = self.recorded_holding(client_id, claimant)?;
        self.recent_uses.add_to(&mut holding, client_id, self.now);
        // Another such client may have it; a principal inherits nothing of it.
        if let (Some(_), Some(unproved)) = (claimant, &self.unproved) {
            unproved.add_to(&mut holding);
        }
        Ok(holding)
    }

    fn credential_by_id(
        &mut self,
        id: CredentialId,
    ) -> Result<Option<Arc<Credential>>, StoreError> {
        if let Some(record) = self.credential_cache.by_id(id) {
            return Ok(Some(record));
        }
        let mut found = self.store.credential_by_id(id)?;
        if let Some(record) = &mut found {
            self.keep(record);
        }
        Ok(found)
    }

    fn lockout(&mut self, email: &LoginName) -> Result<Lockout, StoreError> {
        self.store.lockout(email)
    }

    fn token_key(&mut self, id: &KeyId) -> Result<Option<TokenKey>, StoreError> {
        self.store.token_key(id)
    }

    fn token(&mut self, id: &TokenId) -> Result<Option<Arc<TokenRecord>>, StoreError> {
        self.store.token(id)
    }

    fn certificate(
        &mut self,
        fingerprint: &Fingerprint,
    ) -> Result<Option<CertificateRecord>, StoreError> {
        let kept = &mut self.credential_cache.certificates;
        if let Some(known) = kept.record(fingerprint) {
            return Ok(known);
        }
        let found = self.store.certificate(fingerprint)?;
        kept.keep_record(fingerprint, found);
        Ok(found)
    }

    fn issuer(&mut self, id: IssuerId) -> Result<Option<IssuerRecord>, StoreError> {
        self.store.issuer(id)
    }

    fn issuers_like(&mut self, issuer: &IssuerText) -> Result<Arc<[IssuerRecord]>, StoreError> {
        let kept = &mut self.credential_cache.issuers;
        if let Some(known) = kept.like(issuer) {
            return Ok(Arc::clone(known));
        }
        let found = self.store.issuers_like(issuer)?;
        kept.keep(issuer, &found);
        Ok(found)
    }

    fn is_issued_token_revoked(
        &mut self,
        id: IssuerId,
        token: &IssuerText,
    ) -> Result<bool, StoreError> {
        let key = (id, token.clone());
        let kept = &mut self.credential_cache.issuers;
        if let Some(known) = kept.is_revoked(&key) {
            return Ok(known);
        }
        let found = self.store.is_issued_token_revoked(id, token)?;
        kept.keep_revoked(key, found);
        Ok(found)
    }

    fn was_registered(&mut self, tenant: &TenantId, name: &LoginName) -> Result<bool, StoreError> {
        self.store.was_registered(tenant, name)
    }

    fn authority(&mut self, id: AuthorityId) -> Result<Option<AuthorityRecord>, StoreError> {
        self.store.authority(id)
    }

    fn authorities_like(
        &mut self,
        hints: &SignerHints,
    ) -> Result<Arc<[AuthorityRecord]>, StoreError> {
        let kept = &mut self.credential_cache.certificates;
        if let Some(known) = kept.authorities(hints) {
            return Ok(Arc::clone(known));
        }
        let found = self.store.authorities_like(hints)?;
        kept.keep_authorities(hints, &found);
        Ok(found)
    }
}
