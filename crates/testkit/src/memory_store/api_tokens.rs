//! API tokens.

use countersign_core::api_token::{ApiToken, ApiTokenId};
use countersign_core::secret::SecretDigest;
use countersign_core::store::rows::{ApiTokenRows, ApiTokensOf};
use countersign_core::store::{Listed, Page, StoreError};
use countersign_core::time::Timestamp;

use super::MemoryTransaction;
use super::errors::{found, taken};
use super::table::page_of;
use super::tables::{Tables, next};

impl Tables {
    fn add_api_token(
        &mut self,
        token: &ApiToken,
        digest: &SecretDigest,
    ) -> Result<ApiTokenId, StoreError> {
        if self.api_tokens.values().any(|(_, known)| known == digest) {
            return Err(taken("there is an API token of this digest"));
        }
        let has_tenant = token.scope.tenant();
        let has_tenant = has_tenant.is_none_or(|id| self.tenants.contains_key(id));
        found(has_tenant, "the tenant")?;
        let has_owner = token.owner;
        let has_owner = has_owner.is_none_or(|id| self.credentials.contains_key(&id));
        found(has_owner, "the owner")?;
        let id = ApiTokenId(next(&mut self.last_numbers.api_token));
        let token = ApiToken {
            id,
            ..token.clone()
        };
        self.api_tokens.put(id, (token, digest.clone()));
        Ok(id)
    }

    fn api_tokens_of(&self, which: &ApiTokensOf) -> Vec<ApiToken> {
        let tokens = self.api_tokens.values().map(|(token, _)| token);
        let meant = tokens.filter(|token| match which {
            ApiTokensOf::Everybody => true,
            ApiTokensOf::Parent(id) => token.parent == Some(*id),
            ApiTokensOf::Platform => token.scope.tenant().is_none(),
            ApiTokensOf::Tenant(id) => token.scope.tenant() == Some(id),
            ApiTokensOf::User(id) => token.owner == Some(*id),
        });
        meant.cloned().collect()
    }
}

impl ApiTokenRows for MemoryTransaction<'_> {
    fn api_token(&mut self, id: ApiTokenId) -> Result<Option<ApiToken>, StoreError> {
        Ok(self.tables.api_tokens.get(&id).map(|(it, _)| it.clone()))
    }

    fn api_token_by_digest(
        &mut self,
        digest: &SecretDigest,
    ) -> Result<Option<ApiToken>, StoreError> {
        let mut tokens = self.tables.api_tokens.values();
        let found = tokens.find(|(_, known)| known == digest);
        Ok(found.map(|(token, _)| token.clone()))
    }

    fn api_tokens(
        &mut self,
        which: &ApiTokensOf,
        page: &Page<ApiTokenId>,
    ) -> Result<Listed<ApiToken>, StoreError> {
        Ok(page_of(self.tables.api_tokens_of(which), page))
    }

    fn count_api_tokens(&mut self, which: &ApiTokensOf, most: u64) -> Result<u64, StoreError> {
        Ok((self.tables.api_tokens_of(which).len() as u64).min(most))
    }

    fn add_api_token(
        &mut self,
        token: &ApiToken,
        digest: &SecretDigest,
    ) -> Result<ApiTokenId, StoreError> {
        self.tables.add_api_token(token, digest)
    }

    fn use_api_token(&mut self, id: ApiTokenId, at: Timestamp) -> Result<(), StoreError> {
        if let Some((token, _)) = self.tables.api_tokens.row(&id) {
            token.last_used_at = Some(at);
        }
        Ok(())
    }

    fn remove_api_token(&mut self, id: ApiTokenId) -> Result<bool, StoreError> {
        Ok(self.tables.api_tokens.remove(&id))
    }

    fn remove_ended_api_tokens(
        &mut self,
        now: Timestamp,
        most: usize,
    ) -> Result<usize, StoreError> {
        let tokens = &mut self.tables.api_tokens;
        Ok(tokens.remove_some(most, |_, (token, _)| token.expires_at <= now))
    }
}
