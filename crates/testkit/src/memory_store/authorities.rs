//! Authorities (CAs) of tenants.

use countersign_core::certificate::{
    AuthorityId, AuthorityRecord, Fingerprint, MOST_ALIKE, SignerHints,
};
use countersign_core::name::TenantId;
use countersign_core::registrar::Registrar;
use countersign_core::store::StoreError;
use countersign_core::store::rows::AuthorityRows;

use super::MemoryTransaction;
use super::errors::{found, taken};
use super::tables::{Tables, next};

impl Tables {
    fn authority_where(&self, is_meant: impl Fn(&AuthorityRecord) -> bool) -> Vec<AuthorityRecord> {
        let all = self.authorities.values();
        all.filter(|it| is_meant(it)).cloned().collect()
    }

    pub(super) fn authorities_like(&self, hints: &SignerHints) -> Vec<AuthorityRecord> {
        let mut alike = self.authority_where(|it| it.signer.name == hints.name);
        alike.truncate(MOST_ALIKE);
        let mut by_key_id = match hints.key_id {
            Some(_) => self.authority_where(|it| it.signer.key_id == hints.key_id),
            None => Vec::new(),
        };
        by_key_id.truncate(MOST_ALIKE);
        alike.extend(by_key_id);
        alike.sort_by_key(|it| it.id);
        alike.dedup_by_key(|it| it.id);
        alike
    }

    /// Removes an authority; says whether there was one.
    pub(super) fn remove_authority(&mut self, id: AuthorityId) -> bool {
        self.device_counts.remove(&Registrar::Authority(id));
        self.authorities.remove(&id)
    }
}

impl AuthorityRows for MemoryTransaction<'_> {
    fn authority(&mut self, id: AuthorityId) -> Result<Option<AuthorityRecord>, StoreError> {
        Ok(self.tables.authorities.get(&id).cloned())
    }

    fn authority_by_fingerprint(
        &mut self,
        fingerprint: &Fingerprint,
    ) -> Result<Option<AuthorityRecord>, StoreError> {
        let is_meant = |it: &AuthorityRecord| it.fingerprint == *fingerprint;
        Ok(self.tables.authority_where(is_meant).pop())
    }

    fn authority_by_key(&mut self, key: &[u8; 32]) -> Result<Option<AuthorityRecord>, StoreError> {
        let is_meant = |it: &AuthorityRecord| it.key.digest() == *key;
        Ok(self.tables.authority_where(is_meant).pop())
    }

    fn authorities_like(
        &mut self,
        hints: &SignerHints,
    ) -> Result<Vec<AuthorityRecord>, StoreError> {
        Ok(self.tables.authorities_like(hints))
    }

    fn authorities(
        &mut self,
        tenant: Option<&TenantId>,
    ) -> Result<Vec<AuthorityRecord>, StoreError> {
        let is_meant = |it: &AuthorityRecord| tenant.is_none_or(|tenant| it.tenant == *tenant);
        Ok(self.tables.authority_where(is_meant))
    }

    fn add_authority(&mut self, authority: &AuthorityRecord) -> Result<AuthorityId, StoreError> {
        let tables = &mut self.tables;
        tables.has_role_of(&authority.tenant, authority.registers.as_ref())?;
        let is_same = |it: &AuthorityRecord| {
            it.fingerprint == authority.fingerprint || it.key == authority.key
        };
        if !tables.authority_where(is_same).is_empty() {
            return Err(taken("the authority"));
        }
        found(tables.tenants.contains_key(&authority.tenant), "the tenant")?;
        let id = AuthorityId(next(&mut tables.last_numbers.authority));
        let authority = AuthorityRecord {
            id,
            ..authority.clone()
        };
        tables.authorities.put(id, authority);
        Ok(id)
    }

    fn remove_authority(&mut self, id: AuthorityId) -> Result<bool, StoreError> {
        Ok(self.tables.remove_authority(id))
    }
}
