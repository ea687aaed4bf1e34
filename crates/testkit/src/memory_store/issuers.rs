//! Issuers of others, and the tokens of theirs that were revoked.

use countersign_core::issuer::{IssuerId, IssuerName, IssuerRecord, IssuerText, KeySource};
use countersign_core::name::TenantId;
use countersign_core::registrar::Registrar;
use countersign_core::store::StoreError;
use countersign_core::store::rows::IssuerRows;
use countersign_core::time::Timestamp;

use super::MemoryTransaction;
use super::errors::{found, taken};
use super::tables::{Tables, next};

impl Tables {
    fn issuers_where(&self, is_meant: impl Fn(&IssuerRecord) -> bool) -> Vec<IssuerRecord> {
        let all = self.issuers.values();
        all.filter(|it| is_meant(it)).cloned().collect()
    }

    pub(super) fn issuers_like(&self, issuer: &IssuerText) -> Vec<IssuerRecord> {
        let mut alike = self.issuers_where(|it| it.issuer == *issuer);
        alike.sort_by(|one, other| one.audience.cmp(&other.audience));
        alike
    }

    pub(super) fn is_issued_token_revoked(&self, id: IssuerId, token: &IssuerText) -> bool {
        let key = (id, token.clone());
        self.issuer_revocations.contains_key(&key)
    }

    /// Removes an issuer; says whether there was one.
    pub(super) fn remove_issuer(&mut self, id: IssuerId) -> bool {
        self.issuer_revocations.remove_where(|(of, _), _| *of == id);
        self.device_counts.remove(&Registrar::Issuer(id));
        self.issuers.remove(&id)
    }
}

impl IssuerRows for MemoryTransaction<'_> {
    fn issuer(&mut self, id: IssuerId) -> Result<Option<IssuerRecord>, StoreError> {
        Ok(self.tables.issuers.get(&id).cloned())
    }

    fn issuer_by_name(&mut self, name: &IssuerName) -> Result<Option<IssuerRecord>, StoreError> {
        Ok(self.tables.issuers_where(|it| it.name == *name).pop())
    }

    fn issuers_like(&mut self, issuer: &IssuerText) -> Result<Vec<IssuerRecord>, StoreError> {
        Ok(self.tables.issuers_like(issuer))
    }

    fn issuers(&mut self, tenant: Option<&TenantId>) -> Result<Vec<IssuerRecord>, StoreError> {
        let is_meant = |it: &IssuerRecord| tenant.is_none_or(|tenant| it.tenant == *tenant);
        Ok(self.tables.issuers_where(is_meant))
    }

    fn add_issuer(&mut self, issuer: &IssuerRecord) -> Result<IssuerId, StoreError> {
        let tables = &mut self.tables;
        let is_same = |it: &IssuerRecord| {
            it.name == issuer.name
                || (&it.issuer, &it.audience) == (&issuer.issuer, &issuer.audience)
        };
        if !tables.issuers_where(is_same).is_empty() {
            return Err(taken("the issuer"));
        }
        found(tables.tenants.contains_key(&issuer.tenant), "the tenant")?;
        for role in issuer.roles.values() {
            let key = (issuer.tenant.clone(), role.clone());
            found(tables.roles.contains_key(&key), "the role")?;
        }
        tables.has_role_of(&issuer.tenant, issuer.registers.as_ref())?;
        let id = IssuerId(next(&mut tables.last_numbers.issuer));
        let issuer = IssuerRecord {
            id,
            ..issuer.clone()
        };
        tables.issuers.put(id, issuer);
        Ok(id)
    }

    fn set_issuer_keys(
        &mut self,
        id: IssuerId,
        keys: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(issuer) = self.tables.issuers.row(&id) else {
            return Ok(false);
        };
        issuer.keys = keys.into();
        issuer.keys_at = at;
        Ok(true)
    }

    fn set_key_source(
        &mut self,
        id: IssuerId,
        source: Option<&KeySource>,
    ) -> Result<(), StoreError> {
        let issuer = self.tables.issuers.row(&id);
        found(issuer.is_some(), "the issuer")?;
        if let Some(issuer) = issuer {
            issuer.source = source.cloned();
        }
        Ok(())
    }

    fn key_sources(&mut self) -> Result<Vec<(IssuerId, KeySource)>, StoreError> {
        let all = self.tables.issuers.values();
        let of = |it: &IssuerRecord| Some((it.id, it.source.clone()?));
        Ok(all.filter_map(of).collect())
    }

    fn remove_issuer(&mut self, id: IssuerId) -> Result<bool, StoreError> {
        Ok(self.tables.remove_issuer(id))
    }

    fn revoke_issued_token(
        &mut self,
        id: IssuerId,
        token: &IssuerText,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        found(self.tables.issuers.contains_key(&id), "the issuer")?;
        if self.tables.is_issued_token_revoked(id, token) {
            return Ok(false);
        }
        self.tables.issuer_revocations.put((id, token.clone()), at);
        Ok(true)
    }

    fn is_issued_token_revoked(
        &mut self,
        id: IssuerId,
        token: &IssuerText,
    ) -> Result<bool, StoreError> {
        Ok(self.tables.is_issued_token_revoked(id, token))
    }

    fn count_revoked_of_issuer(&mut self, id: IssuerId) -> Result<u64, StoreError> {
        let all = self
            .tables
            .issuer_revocations
            .keys_where(usize::MAX, |(of, _), _| *of == id);
        Ok(all.len() as u64)
    }
}
