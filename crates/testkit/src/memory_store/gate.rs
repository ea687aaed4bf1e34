//! What a CONNECT looks up, and what a gate asks beyond that.

use std::collections::BTreeSet;
use std::sync::Arc;

use countersign_core::audit::AuditHeads;
use countersign_core::backoff::ip_of;
use countersign_core::ban::{Ban, BanId, BanTarget};
use countersign_core::certificate::{
    AuthorityId, AuthorityRecord, CertificateRecord, Fingerprint, SignerHints,
};
use countersign_core::change::{Change, ChangeLogEnds, ChangeSeq, KickRequestId};
use countersign_core::client_id::{ClientId, ClientIdTie};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::issuer::{IssuerId, IssuerRecord, IssuerText};
use countersign_core::jwt::{KeyId, TokenId};
use countersign_core::ledger::Ledger as _;
use countersign_core::lockout::Lockout;
use countersign_core::metrics::BrokerMetrics;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::network::Network;
use countersign_core::ownership::StoredSession;
use countersign_core::role::{Role, RoleName};
use countersign_core::scheme::SchemeName;
use countersign_core::secret::{PasswordHash, SecretDigest, SecretId};
use countersign_core::store::{
    Directory, GateStore, KeyReading, KickTarget, Listed, LogPosition, Page, ReplicaState,
    Settings, StoreError, StoreErrorKind, StoreMark, StoredSchemes, StoredTenants,
};
use countersign_core::tenant::Tenant;
use countersign_core::time::Timestamp;
use countersign_core::token::{TokenKey, TokenRecord};

use super::credentials::bound_client_id;
use super::table::page_of;
use super::tables::Tables;
use super::transaction::JOURNAL_WAIT;
use super::{MemoryStore, Shared};

impl Directory for MemoryStore {
    fn credential(&mut self, name: &LoginName) -> Result<Option<Arc<Credential>>, StoreError> {
        Ok(self.tables().credential(name).map(Arc::new))
    }

    fn tenant(&mut self, id: &TenantId) -> Result<Option<Arc<Tenant>>, StoreError> {
        Ok(self.tables().tenants.get(id).cloned().map(Arc::new))
    }

    fn some_tenant_admits_anonymous(&mut self) -> Result<bool, StoreError> {
        let tables = self.tables();
        let mut tenants = tables.tenants.values();
        Ok(tenants.any(|tenant| tenant.authentication.admits_anonymous()))
    }

    fn credential_by_digest(
        &mut self,
        digest: &SecretDigest,
    ) -> Result<Option<Arc<Credential>>, StoreError> {
        Ok(self.tables().credential_by_digest(digest).map(Arc::new))
    }

    fn bound_to(&mut self, client_id: &ClientIdTie) -> Result<Option<CredentialId>, StoreError> {
        Ok(self.tables().bound_to(client_id))
    }

    fn tenant_by_client_id(
        &mut self,
        client_id: &ClientId,
    ) -> Result<Option<TenantId>, StoreError> {
        let tables = self.tables();
        let is_its = |tenant: &&Tenant| {
            let prefix = tenant.client_id_prefix.as_ref();
            prefix.is_some_and(|prefix| client_id.as_str().starts_with(prefix.as_str()))
        };
        let owner = tables.tenants.values().find(is_its);
        Ok(owner.map(|tenant| tenant.id.clone()))
    }

    fn stored_session(
        &mut self,
        client_id: &ClientIdTie,
    ) -> Result<Option<StoredSession>, StoreError> {
        Ok(self.tables().stored_session(client_id))
    }

    fn credential_by_id(
        &mut self,
        id: CredentialId,
    ) -> Result<Option<Arc<Credential>>, StoreError> {
        Ok(self.tables().credential_by_id(id).map(Arc::new))
    }

    fn lockout(&mut self, email: &LoginName) -> Result<Lockout, StoreError> {
        Ok(self.tables().lockout(email))
    }

    fn token_key(&mut self, id: &KeyId) -> Result<Option<TokenKey>, StoreError> {
        Ok(self.tables().token_key(id))
    }

    fn token(&mut self, id: &TokenId) -> Result<Option<Arc<TokenRecord>>, StoreError> {
        Ok(self.tables().tokens.get(id).cloned().map(Arc::new))
    }

    fn certificate(
        &mut self,
        fingerprint: &Fingerprint,
    ) -> Result<Option<CertificateRecord>, StoreError> {
        Ok(self.tables().certificates.get(fingerprint).copied())
    }

    fn issuer(&mut self, id: IssuerId) -> Result<Option<IssuerRecord>, StoreError> {
        Ok(self.tables().issuers.get(&id).cloned())
    }

    fn issuers_like(&mut self, issuer: &IssuerText) -> Result<Arc<[IssuerRecord]>, StoreError> {
        Ok(self.tables().issuers_like(issuer).into())
    }

    fn is_issued_token_revoked(
        &mut self,
        id: IssuerId,
        token: &IssuerText,
    ) -> Result<bool, StoreError> {
        Ok(self.tables().is_issued_token_revoked(id, token))
    }

    fn was_registered(&mut self, tenant: &TenantId, name: &LoginName) -> Result<bool, StoreError> {
        Ok(self.tables().was_registered(tenant, name))
    }

    fn authority(&mut self, id: AuthorityId) -> Result<Option<AuthorityRecord>, StoreError> {
        Ok(self.tables().authorities.get(&id).cloned())
    }

    fn authorities_like(
        &mut self,
        hints: &SignerHints,
    ) -> Result<Arc<[AuthorityRecord]>, StoreError> {
        Ok(self.tables().authorities_like(hints).into())
    }
}

impl GateStore for MemoryStore {
    type BrokerLock = MemoryBrokerLock;

    fn lock_broker(&self, broker: &str) -> Result<MemoryBrokerLock, StoreError> {
        if self.shared.brokers().insert(broker.to_owned()) {
            return Ok(MemoryBrokerLock {
                shared: Arc::clone(&self.shared),
                broker: broker.to_owned(),
            });
        }
        let error = StoreError::new("take the broker's name", StoreErrorKind::Conflict);
        Err(error.with_detail(format!("a live broker called `{broker}` uses the store")))
    }

    fn is_broker_alive(&self, broker: &str) -> bool {
        self.shared.brokers().contains(broker)
    }

    fn reopen(&self) -> Result<Self, StoreError> {
        Ok(Self {
            shared: Arc::clone(&self.shared),
        })
    }

    fn settings(&mut self) -> Result<Settings, StoreError> {
        Ok(self.tables().settings)
    }

    fn schemes(&mut self) -> Result<StoredSchemes, StoreError> {
        Ok(StoredSchemes {
            readable: self.tables().schemes(),
            ..StoredSchemes::default()
        })
    }

    fn mark(&mut self) -> Result<StoreMark, StoreError> {
        Ok(StoreMark::new(0, self.shared.committed().commits))
    }

    fn client_id_of(
        &mut self,
        credential: CredentialId,
    ) -> Result<Option<ClientIdTie>, StoreError> {
        let tables = self.tables();
        let row = tables.credentials.get(&credential);
        Ok(row.and_then(|row| bound_client_id(&row.credential)))
    }

    fn log_position(&mut self) -> Result<LogPosition, StoreError> {
        let tables = self.tables();
        let is_of_policy = |change: &Change| match change {
            Change::Ban(_)
            | Change::Credential(_)
            | Change::Group(..)
            | Change::IssuerKeys(_)
            | Change::KickRequested(_) => false,
            Change::Everything | Change::Tenant(_) => true,
        };
        let last = |is_meant: &dyn Fn(&Change) -> bool| {
            let mut newest_first = tables.changes.iter().rev();
            let found = newest_first.find(|(_, (_, change))| is_meant(change));
            ChangeSeq(found.map_or(0, |(seq, _)| *seq))
        };
        Ok(LogPosition {
            last_change: tables.last_change(),
            last_ban_change: last(&|change| matches!(change, Change::Ban(_))),
            last_policy_change: last(&is_of_policy),
            session_changes: tables.session_changes,
        })
    }

    fn changes_after(
        &mut self,
        seq: ChangeSeq,
        limit: usize,
    ) -> Result<Vec<(ChangeSeq, Change)>, StoreError> {
        let tables = self.tables();
        let first = tables.changes.keys().next().copied().unwrap_or(0);
        let ends = ChangeLogEnds {
            first: ChangeSeq(first),
            last: tables.last_change(),
        };
        ends.after(seq, limit, |most| {
            let next = seq.0 + 1;
            let later = tables.changes.range_from(&next).take(most);
            let told = later.map(|(seq, (_, change))| (ChangeSeq(*seq), change.clone()));
            Ok(told.collect())
        })
    }

    fn read_key(&self) -> KeyReading {
        KeyReading::default()
    }

    fn key_file_mark(&self) -> u64 {
        0
    }

    /// It follows nobody.
    fn replica(&mut self) -> Result<Option<ReplicaState>, StoreError> {
        Ok(None)
    }

    fn tenants(&mut self) -> Result<StoredTenants, StoreError> {
        let tables = self.tables();
        let tenants = tables.tenants.values().cloned();
        Ok(StoredTenants {
            readable: tenants.map(Arc::new).collect(),
            ..StoredTenants::default()
        })
    }

    fn users_of_scheme(&mut self, name: &SchemeName) -> Result<Vec<TenantId>, StoreError> {
        Ok(self.tables().users_of_scheme(name))
    }

    fn role_named(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
    ) -> Result<Option<Role>, StoreError> {
        Ok(self.tables().role(tenant, name))
    }

    fn roles_of_group(
        &mut self,
        tenant: &TenantId,
        group: &GroupPath,
    ) -> Result<Vec<RoleName>, StoreError> {
        Ok(self.tables().roles_of_group(tenant, group))
    }

    fn audit_heads(&mut self) -> Result<AuditHeads, StoreError> {
        Ok(self.tables().audit_heads())
    }

    fn ban(&mut self, id: BanId) -> Result<Option<Ban>, StoreError> {
        Ok(self.tables().bans.get(&id).cloned())
    }

    fn ban_on(&mut self, target: &BanTarget) -> Result<Option<Ban>, StoreError> {
        Ok(self.tables().ban_on(target))
    }

    fn has_login_from(&mut self, network: Network) -> Result<bool, StoreError> {
        let from_there = self.looking().sessions_where(|_, presence| {
            let address = presence.address.as_deref().and_then(ip_of);
            presence.authenticated && address.is_some_and(|address| network.holds(address))
        });
        Ok(from_there.iter().any(|session| session.is_alive))
    }

    fn bans(&mut self, page: &Page<BanId>) -> Result<Listed<Ban>, StoreError> {
        Ok(page_of(self.tables().bans_of(None), page))
    }

    fn kick_request(&mut self, id: KickRequestId) -> Result<Option<KickTarget>, StoreError> {
        Ok(self.tables().kick_target(id))
    }

    fn replace_password_hash(
        &mut self,
        secret: SecretId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<(), StoreError> {
        let mut writing = self.writing("write down a new hash of a password", JOURNAL_WAIT)?;
        writing.tables.replace_password_hash(secret, old, new);
        writing.put_in_place()
    }

    fn put_metrics(&self, broker: &str, metrics: &BrokerMetrics) -> Result<(), StoreError> {
        let mut kept = self.shared.metrics();
        kept.insert(broker.to_owned(), metrics.clone());
        Ok(())
    }

    fn remove_metrics(&self, broker: &str) {
        self.shared.metrics().remove(broker);
    }

    fn maintain(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.tidy_up(now)
    }
}

impl Tables {
    /// The tenants with a credential of this scheme.
    pub(super) fn users_of_scheme(&self, name: &SchemeName) -> Vec<TenantId> {
        let rows = self.credentials.values().map(|row| &row.credential);
        let users = rows.filter(|it| it.scheme == *name);
        let tenants: BTreeSet<_> = users.filter_map(|it| it.tenant.clone()).collect();
        tenants.into_iter().collect()
    }

    /// The role with this name in a tenant.
    pub(super) fn role(&self, tenant: &TenantId, name: &RoleName) -> Option<Role> {
        self.roles.get(&(tenant.clone(), name.clone())).cloned()
    }

    /// The roles that this very group of a tenant holds, by name.
    pub(super) fn roles_of_group(&self, tenant: &TenantId, group: &GroupPath) -> Vec<RoleName> {
        let held = self.group_roles.keys();
        let held = held.filter(|(of, path, _)| of == tenant && path == group);
        held.map(|(.., role)| role.clone()).collect()
    }
}

/// Holds a broker's name on a [`MemoryStore`] until it is dropped.
#[derive(Debug)]
pub struct MemoryBrokerLock {
    shared: Arc<Shared>,
    broker: String,
}

impl Drop for MemoryBrokerLock {
    fn drop(&mut self) {
        self.shared.brokers().remove(&self.broker);
    }
}
