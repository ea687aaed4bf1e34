//! Tokens (JWT) and the keys that sign them.

use countersign_core::credential::CredentialId;
use countersign_core::jwt::{KeyId, TokenId};
use countersign_core::kind::Kind;
use countersign_core::name::TenantId;
use countersign_core::store::rows::TokenRows;
use countersign_core::store::{Listed, Page, StoreError};
use countersign_core::time::Timestamp;
use countersign_core::token::{SealedTokenKey, TokenKey, TokenRecord};

use super::MemoryTransaction;
use super::errors::{found, gone, taken};
use super::table::page_of;
use super::tables::Tables;

impl Tables {
    /// The public part of the key with this id.
    pub(super) fn token_key(&self, id: &KeyId) -> Option<TokenKey> {
        self.token_keys.get(id).map(|sealed| sealed.key.clone())
    }

    /// The keys of a tenant, newest first.
    pub(super) fn token_keys_of(&self, tenant: &TenantId) -> Vec<SealedTokenKey> {
        let keys = self.token_keys.values();
        let own = keys.filter(|sealed| sealed.key.tenant == *tenant);
        let mut own: Vec<_> = own.cloned().collect();
        own.sort_by_key(|sealed| (sealed.key.created_at, sealed.key.id.clone()));
        own.reverse();
        own
    }

    /// Adds a key.
    pub(super) fn add_token_key(&mut self, sealed: &SealedTokenKey) -> Result<(), StoreError> {
        let key = &sealed.key;
        if self.token_keys.contains_key(&key.id) {
            return Err(taken("there is a key of this id"));
        }
        found(self.tenants.contains_key(&key.tenant), "the tenant")?;
        self.token_keys.put(key.id.clone(), sealed.clone());
        Ok(())
    }

    /// Says from when on the signatures of a key count no more; never later than
    /// was said before.
    pub(super) fn end_token_key(&mut self, id: &KeyId, at: Timestamp) -> Result<(), StoreError> {
        let row = self.token_keys.row(id);
        let key = &mut row.ok_or_else(|| gone("the key"))?.key;
        key.ends_at = Some(key.ends_at.map_or(at, |before| before.min(at)));
        Ok(())
    }

    /// Adds a token.
    pub(super) fn add_token(&mut self, token: &TokenRecord) -> Result<(), StoreError> {
        if self.tokens.contains_key(&token.id) {
            return Err(taken("there is a token of this number"));
        }
        let has_parties = [token.bearer, token.issuer]
            .iter()
            .all(|id| self.credentials.contains_key(id));
        found(has_parties, "the bearer or the issuer")?;
        found(self.token_keys.contains_key(&token.key), "the key")?;
        found(self.role(&token.tenant, &token.role).is_some(), "the role")?;
        self.tokens.put(token.id.clone(), token.clone());
        Ok(())
    }

    /// Revokes a token; one that is revoked stays as it is.
    pub(super) fn revoke_token(&mut self, id: &TokenId, at: Timestamp) -> Result<(), StoreError> {
        let row = self.tokens.row(id);
        let token = row.ok_or_else(|| gone("the token"))?;
        token.revoked_at.get_or_insert(at);
        Ok(())
    }
}

impl TokenRows for MemoryTransaction<'_> {
    fn token_key(&mut self, id: &KeyId) -> Result<Option<TokenKey>, StoreError> {
        Ok(self.tables.token_key(id))
    }

    fn token_keys(&mut self, tenant: &TenantId) -> Result<Vec<SealedTokenKey>, StoreError> {
        Ok(self.tables.token_keys_of(tenant))
    }

    fn add_token_key(&mut self, key: &SealedTokenKey) -> Result<(), StoreError> {
        self.tables.add_token_key(key)
    }

    fn end_token_key(&mut self, key: &KeyId, at: Timestamp) -> Result<(), StoreError> {
        self.tables.end_token_key(key, at)
    }

    fn remove_ended_token_keys(
        &mut self,
        tenant: &TenantId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let keys = self.tables.token_keys.values().map(|sealed| &sealed.key);
        let ended =
            keys.filter(|key| key.tenant == *tenant && key.ends_at.is_some_and(|end| end <= now));
        let ended: Vec<_> = ended.map(|key| key.id.clone()).collect();
        for id in ended {
            self.tables.remove_token_key(&id);
        }
        Ok(())
    }

    fn token(&mut self, id: &TokenId) -> Result<Option<TokenRecord>, StoreError> {
        Ok(self.tables.tokens.get(id).cloned())
    }

    fn tokens(
        &mut self,
        tenant: Option<&TenantId>,
        page: &Page<(TenantId, Timestamp, TokenId)>,
    ) -> Result<Listed<TokenRecord>, StoreError> {
        let tokens = self.tables.tokens.values();
        let own = tokens.filter(|token| tenant.is_none_or(|id| token.tenant == *id));
        Ok(page_of(own.cloned().collect(), page))
    }

    fn count_tokens_of(&mut self, issuer: CredentialId) -> Result<u64, StoreError> {
        let tokens = self.tables.tokens.values();
        Ok(tokens.filter(|token| token.issuer == issuer).count() as u64)
    }

    fn bearers(&mut self, tenant: &TenantId) -> Result<u64, StoreError> {
        let rows = self.tables.credentials.values().map(|row| &row.credential);
        let is_its = |kind: &Kind| matches!(kind, Kind::Bearer);
        let own = rows.filter(|it| is_its(&it.kind) && it.tenant.as_ref() == Some(tenant));
        Ok(own.count() as u64)
    }

    fn add_token(&mut self, token: &TokenRecord) -> Result<(), StoreError> {
        self.tables.add_token(token)
    }

    fn revoke_token(&mut self, id: &TokenId, at: Timestamp) -> Result<(), StoreError> {
        self.tables.revoke_token(id, at)
    }

    fn remove_ended_tokens_of(
        &mut self,
        issuer: CredentialId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.tables.tokens.remove_where(|_, token| {
            let is_over = token.expires_at <= now || token.revoked_at.is_some();
            token.issuer == issuer && is_over
        });
        Ok(())
    }

    fn remove_tokens(&mut self, at: Timestamp, most: usize) -> Result<usize, StoreError> {
        let tokens = &mut self.tables.tokens;
        Ok(tokens.remove_some(most, |_, token| token.expires_at < at))
    }
}
