//! What administrative acts are made of.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign_core::audit::{AuditChain, AuditEntry, AuditRow};
use countersign_core::change::{Change, KickRequestId};
use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::jwt::{KeyId, TokenId};
use countersign_core::kind::Kind;
use countersign_core::lockout::Lockout;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::ownership::StoredSession;
use countersign_core::presence::SessionNumber;
use countersign_core::role::{Role, RoleName};
use countersign_core::scheme::{Scheme, SchemeName, Schemes};
use countersign_core::seal::SealKey;
use countersign_core::secret::{SecretDigest, SecretId, Verifier};
use countersign_core::store::{
    AdminStore, AdminTransaction, AuditQuery, BrokerPresence, CredentialQuery, Intent, KickTarget,
    Settings, StoreError,
};
use countersign_core::tenant::Tenant;
use countersign_core::time::Timestamp;
use countersign_core::token::{SealedTokenKey, TokenRecord};
use countersign_core::totp::Step;

use super::credentials::found;
use super::{MemoryStore, MemoryTransaction, taken};

impl AdminStore for MemoryStore {
    type Transaction<'a> = MemoryTransaction<'a>;

    fn begin(&mut self, intent: Intent) -> Result<MemoryTransaction<'_>, StoreError> {
        match intent {
            Intent::Read => Ok(self.looking()),
            Intent::Write => self.writing("begin", ADMIN_WAIT),
        }
    }
}

impl AdminTransaction for MemoryTransaction<'_> {
    fn settings(&mut self) -> Result<Settings, StoreError> {
        Ok(self.tables.settings)
    }

    fn set_settings(&mut self, settings: &Settings) -> Result<(), StoreError> {
        self.tables.settings = *settings;
        Ok(())
    }

    fn tenant(&mut self, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        Ok(self.tables.tenants.get(id).cloned())
    }

    fn tenants(&mut self) -> Result<Vec<Tenant>, StoreError> {
        Ok(self.tables.tenants.values().cloned().collect())
    }

    fn put_tenant(&mut self, tenant: &Tenant) -> Result<(), StoreError> {
        self.tables.put_tenant(tenant)
    }

    fn delete_tenant(&mut self, id: &TenantId) -> Result<(), StoreError> {
        found(self.tables.remove_tenant(id), "the tenant")
    }

    fn delete_some_credentials(
        &mut self,
        tenant: &TenantId,
        most: usize,
    ) -> Result<Vec<CredentialId>, StoreError> {
        let mut own = self.own_credentials(Some(tenant), |_| true);
        own.sort_by_key(|one| one.parent().is_none());
        let ids: Vec<_> = own.into_iter().map(|one| one.id).take(most).collect();
        for id in &ids {
            self.tables.remove_credential(*id);
        }
        Ok(ids)
    }

    fn count_credentials(&mut self, tenant: &TenantId) -> Result<u64, StoreError> {
        let is_counted = |kind: &Kind| !matches!(kind, Kind::Bearer);
        Ok(self.own_credentials(Some(tenant), is_counted).len() as u64)
    }

    fn credential(&mut self, name: &LoginName) -> Result<Option<Credential>, StoreError> {
        Ok(self.tables.credential(name))
    }

    fn credentials(&mut self, query: &CredentialQuery) -> Result<Vec<Credential>, StoreError> {
        let is_in_group = |it: &Credential| match (&query.group, &it.group) {
            (Some(group), Some(own)) => group.covers(own),
            (Some(_), None) => false,
            (None, _) => true,
        };
        let is_asked_for = |it: &Credential| {
            it.tenant.is_some()
                && query.state.is_none_or(|state| it.state == state)
                && query.after.as_ref().is_none_or(|name| it.name > *name)
                && is_in_group(it)
        };
        let mut devices = self.own_credentials(query.tenant.as_ref(), is_device);
        devices.retain(is_asked_for);
        let most = query.limit.and_then(|limit| usize::try_from(limit).ok());
        devices.truncate(most.unwrap_or(usize::MAX));
        Ok(devices)
    }

    fn credential_by_id(&mut self, id: CredentialId) -> Result<Option<Credential>, StoreError> {
        Ok(self.tables.credential_by_id(id))
    }

    fn add_credential(&mut self, credential: &Credential) -> Result<CredentialId, StoreError> {
        self.tables.add_credential(credential)
    }

    fn update_credential(&mut self, credential: &Credential) -> Result<(), StoreError> {
        self.tables.update_credential(credential)
    }

    fn delete_credential(&mut self, id: CredentialId) -> Result<(), StoreError> {
        self.tables.delete_credential(id)
    }

    fn add_secret(
        &mut self,
        credential: CredentialId,
        verifier: &Verifier,
    ) -> Result<SecretId, StoreError> {
        self.tables.add_secret(credential, verifier)
    }

    fn limit_secret(
        &mut self,
        secret: SecretId,
        ends_at: Option<Timestamp>,
        until_used: bool,
    ) -> Result<(), StoreError> {
        self.tables.change_secret(secret, |secret| {
            secret.ends_at = ends_at;
            secret.until_used = until_used;
        })
    }

    fn put_hint(&mut self, secret: SecretId, hint: &str) -> Result<(), StoreError> {
        self.tables
            .change_secret(secret, |secret| secret.hint = Some(hint.into()))
    }

    fn remove_secret(&mut self, secret: SecretId) -> Result<(), StoreError> {
        found(self.tables.secrets.remove(&secret), "the secret")
    }

    fn put_recovery_codes(
        &mut self,
        user: CredentialId,
        codes: &[SecretDigest],
    ) -> Result<(), StoreError> {
        self.tables.put_recovery_codes(user, codes)
    }

    fn put_last_step(&mut self, user: CredentialId, step: Step) -> Result<(), StoreError> {
        self.tables.user(user)?.last_step = Some(step);
        Ok(())
    }

    fn lockout(&mut self, email: &LoginName) -> Result<Lockout, StoreError> {
        Ok(self.tables.lockout(email))
    }

    fn clear_lockout(&mut self, email: &LoginName) -> Result<(), StoreError> {
        self.tables.lockouts.remove(email);
        Ok(())
    }

    fn users(&mut self) -> Result<Vec<Credential>, StoreError> {
        Ok(self.own_credentials(None, |kind| matches!(kind, Kind::User(_))))
    }

    fn applications(&mut self, tenant: Option<&TenantId>) -> Result<Vec<Credential>, StoreError> {
        let is_one = |kind: &Kind| matches!(kind, Kind::Application(_));
        let mut applications = self.own_credentials(tenant, is_one);
        applications.sort_by(|one, other| one.tenant.cmp(&other.tenant));
        Ok(applications)
    }

    fn things(
        &mut self,
        tenant: Option<&TenantId>,
        application: Option<CredentialId>,
    ) -> Result<Vec<Credential>, StoreError> {
        Ok(self.own_credentials(tenant, |kind| match kind {
            Kind::Thing(thing) => application.is_none_or(|id| thing.application == id),
            _ => false,
        }))
    }

    fn seal_key(&self) -> Option<SealKey> {
        None
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

    fn token(&mut self, id: &TokenId) -> Result<Option<TokenRecord>, StoreError> {
        Ok(self.tables.tokens.get(id).cloned())
    }

    fn tokens(&mut self, tenant: Option<&TenantId>) -> Result<Vec<TokenRecord>, StoreError> {
        Ok(self.tables.tokens_of(tenant))
    }

    fn count_tokens_of(&mut self, issuer: CredentialId) -> Result<u64, StoreError> {
        let tokens = self.tables.tokens.values();
        Ok(tokens.filter(|token| token.issuer == issuer).count() as u64)
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

    fn bearers(&mut self, tenant: &TenantId) -> Result<u64, StoreError> {
        let is_one = |kind: &Kind| matches!(kind, Kind::Bearer);
        Ok(self.own_credentials(Some(tenant), is_one).len() as u64)
    }

    fn add_token(&mut self, token: &TokenRecord) -> Result<(), StoreError> {
        self.tables.add_token(token)
    }

    fn revoke_token(&mut self, id: &TokenId, at: Timestamp) -> Result<(), StoreError> {
        self.tables.revoke_token(id, at)
    }

    fn role(&mut self, tenant: &TenantId, name: &RoleName) -> Result<Option<Role>, StoreError> {
        Ok(self.tables.role(tenant, name))
    }

    fn roles(&mut self, tenant: Option<&TenantId>) -> Result<Vec<Role>, StoreError> {
        let roles = self.tables.roles.values();
        let asked_for = roles.filter(|role| tenant.is_none_or(|id| role.tenant == *id));
        Ok(asked_for.cloned().collect())
    }

    fn put_role(&mut self, role: &Role) -> Result<(), StoreError> {
        let has_tenant = self.tables.tenants.contains_key(&role.tenant);
        found(has_tenant, "the tenant")?;
        let key = (role.tenant.clone(), role.name.clone());
        self.tables.roles.put(key, role.clone());
        Ok(())
    }

    fn delete_role(&mut self, tenant: &TenantId, name: &RoleName) -> Result<(), StoreError> {
        found(self.tables.remove_role(tenant, name), "the role")
    }

    fn holders_of_role(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
    ) -> Result<Vec<CredentialId>, StoreError> {
        Ok(self.tables.holders_of_role(tenant, name))
    }

    fn schemes(&mut self) -> Result<Schemes, StoreError> {
        Ok(self.tables.schemes())
    }

    fn add_scheme(&mut self, scheme: &Scheme) -> Result<(), StoreError> {
        let mut schemes = self.tables.schemes();
        let added = schemes.add(scheme.clone());
        added.map_err(|error| taken(&error.to_string()))?;
        let name = scheme.name().clone();
        self.tables.schemes.put(name, scheme.clone());
        Ok(())
    }

    fn remove_scheme(&mut self, name: &SchemeName) -> Result<(), StoreError> {
        found(self.tables.schemes.remove(name), "the scheme")
    }

    fn tenants_using_scheme(&mut self, name: &SchemeName) -> Result<Vec<TenantId>, StoreError> {
        let rows = self.tables.credentials.values().map(|row| &row.credential);
        let users = rows.filter(|it| it.scheme == *name);
        let tenants: BTreeSet<_> = users.filter_map(|it| it.tenant.clone()).collect();
        Ok(tenants.into_iter().collect())
    }

    fn schemes_used_by(&mut self, tenant: &TenantId) -> Result<Vec<SchemeName>, StoreError> {
        let rows = self.tables.credentials.values().map(|row| &row.credential);
        let own = rows.filter(|it| it.tenant.as_ref() == Some(tenant));
        let schemes: BTreeSet<_> = own.map(|it| it.scheme.clone()).collect();
        Ok(schemes.into_iter().collect())
    }

    fn operators(&mut self) -> Result<Vec<Credential>, StoreError> {
        Ok(self.tables.credentials_where(Credential::is_operator))
    }

    fn holder_of_attribute(
        &mut self,
        key: &str,
        value: &str,
    ) -> Result<Option<LoginName>, StoreError> {
        let has_it = |it: &Credential| it.attributes.get(key).is_some_and(|own| own == value);
        let holder = self.tables.find(has_it);
        Ok(holder.map(|row| row.credential.name.clone()))
    }

    fn bound_to(&mut self, client_id: &ClientIdTie) -> Result<Option<CredentialId>, StoreError> {
        Ok(self.tables.bound_to(client_id))
    }

    fn stored_session(
        &mut self,
        client_id: &ClientIdTie,
    ) -> Result<Option<StoredSession>, StoreError> {
        Ok(self.tables.stored_session(client_id))
    }

    fn release_client_id(&mut self, client_id: &ClientIdTie) -> Result<(), StoreError> {
        self.tables.release_client_id(client_id);
        Ok(())
    }

    fn presence(&mut self, tenant: Option<&TenantId>) -> Result<Vec<BrokerPresence>, StoreError> {
        Ok(self
            .sessions_where(|_, presence| tenant.is_none() || presence.tenant.as_ref() == tenant))
    }

    fn presence_with(
        &mut self,
        client_id: &ClientIdTie,
    ) -> Result<Vec<BrokerPresence>, StoreError> {
        Ok(self.sessions_where(|_, presence| presence.tie == *client_id))
    }

    fn presence_of(
        &mut self,
        broker: &str,
        session: SessionNumber,
    ) -> Result<Option<BrokerPresence>, StoreError> {
        let is_it = |of: &str, number| of == broker && number == session;
        Ok(self
            .sessions_where(|of, presence| is_it(of, presence.session))
            .pop())
    }

    fn count_presence(&mut self, tenant: Option<&TenantId>) -> Result<u64, StoreError> {
        let sessions = AdminTransaction::presence(self, tenant)?;
        Ok(sessions.iter().filter(|session| session.is_alive).count() as u64)
    }

    fn request_kick(
        &mut self,
        target: &KickTarget,
        entry: &AuditEntry,
    ) -> Result<KickRequestId, StoreError> {
        Ok(self.tables.request_kick(target, entry))
    }

    fn withdraw_kick(&mut self, id: KickRequestId) -> Result<bool, StoreError> {
        Ok(self.tables.withdraw_kick(id))
    }

    fn is_kick_answered(&mut self, id: KickRequestId) -> Result<bool, StoreError> {
        Ok(self.tables.is_kick_answered(id))
    }

    fn audit(&mut self, query: &AuditQuery) -> Result<Vec<AuditRow>, StoreError> {
        Ok(self.tables.audit(query))
    }

    fn audit_row(&mut self, id: i64) -> Result<Option<AuditRow>, StoreError> {
        Ok(self.tables.audit_row(id))
    }

    fn commit(mut self, audit: &[AuditEntry], changes: &[Change]) -> Result<(), StoreError> {
        self.tables.append_audit(AuditChain::Acts, audit);
        let last_entry = audit.last().map(|entry| entry.time);
        let last_change = || self.tables.changes.values().next_back().map(|(at, _)| *at);
        let at = last_entry.or_else(last_change);
        let at = at.unwrap_or(Timestamp::from_millis(0));
        for change in changes {
            self.tables.append_change(at, change);
        }
        self.put_in_place()
    }
}

impl MemoryTransaction<'_> {
    /// The credentials of a tenant, or of all and of none, by name.
    fn own_credentials(
        &self,
        tenant: Option<&TenantId>,
        is_meant: impl Fn(&Kind) -> bool,
    ) -> Vec<Credential> {
        self.tables.credentials_where(|it| {
            is_meant(&it.kind) && (tenant.is_none() || it.tenant.as_ref() == tenant)
        })
    }
}

fn is_device(kind: &Kind) -> bool {
    matches!(kind, Kind::Device)
}

const ADMIN_WAIT: Duration = Duration::from_secs(5);
