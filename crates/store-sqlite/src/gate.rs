//! What a broker's gate asks and writes.

use std::sync::Arc;

use countersign_core::audit::AuditHeads;
use countersign_core::ban::{Ban, BanId, BanTarget};
use countersign_core::certificate::{
    AuthorityId, AuthorityRecord, CertificateRecord, Fingerprint, SignerHints,
};
use countersign_core::change::{Change, ChangeSeq, KickRequestId};
use countersign_core::client_id::{ClientId, ClientIdTie};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::issuer::{IssuerId, IssuerRecord, IssuerText};
use countersign_core::jwt::{KeyId, TokenId};
use countersign_core::lockout::Lockout;
use countersign_core::metrics::BrokerMetrics;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::network::Network;
use countersign_core::ownership::{Holding, StoredSession};
use countersign_core::role::{Role, RoleName};
use countersign_core::scheme::SchemeName;
use countersign_core::secret::{PasswordHash, SecretDigest, SecretId};
use countersign_core::store::{
    Directory, GateStore, KeyReading, KickTarget, Listed, LogPosition, Page, ReplicaState,
    Settings, StoreError, StoreMark, StoredSchemes, StoredTenants,
};
use countersign_core::tenant::Tenant;
use countersign_core::time::Timestamp;
use countersign_core::token::{TokenKey, TokenRecord};

use crate::broker_lock::BrokerLock;
use crate::busy_timeout::{BATCH_WAIT, GATE_WAIT};
use crate::store::SqliteStore;
use crate::{
    audit, authorities, bans, certificates, changes, client_id_bindings, credential_reader,
    device_registrations, groups, issuers, key_file, kicks, lockouts, log_position, presence,
    roles, schemes, secrets, settings, stored_sessions, tenants, tokens, wal_index,
};

impl Directory for SqliteStore {
    fn credential(&mut self, name: &LoginName) -> Result<Option<Arc<Credential>>, StoreError> {
        self.look("look up a credential", GATE_WAIT, |connection| {
            Ok(credential_reader::credential(connection, name)?.map(Arc::new))
        })
    }

    fn tenant(&mut self, id: &TenantId) -> Result<Option<Arc<Tenant>>, StoreError> {
        self.look("look up a tenant", GATE_WAIT, |connection| {
            Ok(tenants::tenant(connection, id)?.map(Arc::new))
        })
    }

    fn some_tenant_admits_anonymous(&mut self) -> Result<bool, StoreError> {
        self.look(
            "look up the tenants",
            GATE_WAIT,
            tenants::some_tenant_is_open,
        )
    }

    fn credential_by_digest(
        &mut self,
        digest: &SecretDigest,
    ) -> Result<Option<Arc<Credential>>, StoreError> {
        self.look("look up a credential", GATE_WAIT, |connection| {
            Ok(credential_reader::credential_by_digest(connection, digest)?.map(Arc::new))
        })
    }

    fn bound_to(&mut self, client_id: &ClientIdTie) -> Result<Option<CredentialId>, StoreError> {
        self.look_once("look up a client id", |connection| {
            client_id_bindings::holder(connection, client_id)
        })
    }

    fn tenant_by_client_id(
        &mut self,
        client_id: &ClientId,
    ) -> Result<Option<TenantId>, StoreError> {
        self.look_once("look up a client id", |connection| {
            tenants::by_client_id(connection, client_id)
        })
    }

    fn stored_session(
        &mut self,
        client_id: &ClientIdTie,
    ) -> Result<Option<StoredSession>, StoreError> {
        self.look_once("look up a stored session", |connection| {
            stored_sessions::stored_session(connection, client_id)
        })
    }

    fn holding(
        &mut self,
        client_id: &ClientIdTie,
        _claimant: Option<CredentialId>,
    ) -> Result<Holding, StoreError> {
        self.look_once("look up a client id", |connection| {
            stored_sessions::holding(connection, client_id)
        })
    }

    fn credential_by_id(
        &mut self,
        id: CredentialId,
    ) -> Result<Option<Arc<Credential>>, StoreError> {
        self.look("look up a credential", GATE_WAIT, |connection| {
            Ok(credential_reader::credential_by_id(connection, id)?.map(Arc::new))
        })
    }

    fn lockout(&mut self, email: &LoginName) -> Result<Lockout, StoreError> {
        self.look_once("look up a lockout", |connection| {
            lockouts::lockout(connection, email)
        })
    }

    fn token_key(&mut self, id: &KeyId) -> Result<Option<TokenKey>, StoreError> {
        self.look_once("look up a key", |connection| tokens::key(connection, id))
    }

    fn token(&mut self, id: &TokenId) -> Result<Option<Arc<TokenRecord>>, StoreError> {
        self.look("look up a token", GATE_WAIT, |connection| {
            Ok(tokens::token(connection, id)?.map(Arc::new))
        })
    }

    fn certificate(
        &mut self,
        fingerprint: &Fingerprint,
    ) -> Result<Option<CertificateRecord>, StoreError> {
        self.look_once("look up a certificate", |connection| {
            certificates::certificate(connection, fingerprint)
        })
    }

    fn issuer(&mut self, id: IssuerId) -> Result<Option<IssuerRecord>, StoreError> {
        self.look_once(issuers::LOOK_UP, |connection| {
            issuers::issuer(connection, id)
        })
    }

    fn issuers_like(&mut self, issuer: &IssuerText) -> Result<Arc<[IssuerRecord]>, StoreError> {
        self.look(issuers::LOOK_UP, GATE_WAIT, |connection| {
            Ok(issuers::alike(connection, issuer)?.into())
        })
    }

    fn is_issued_token_revoked(
        &mut self,
        id: IssuerId,
        token: &IssuerText,
    ) -> Result<bool, StoreError> {
        self.look(issuers::LOOK_UP, GATE_WAIT, |connection| {
            issuers::is_revoked(connection, id, token)
        })
    }

    fn was_registered(&mut self, tenant: &TenantId, name: &LoginName) -> Result<bool, StoreError> {
        self.look(device_registrations::LOOK_UP, GATE_WAIT, |connection| {
            device_registrations::was_registered(connection, tenant, name)
        })
    }

    fn authority(&mut self, id: AuthorityId) -> Result<Option<AuthorityRecord>, StoreError> {
        self.look_once(authorities::LOOK_UP, |connection| {
            authorities::authority(connection, id)
        })
    }

    fn authorities_like(
        &mut self,
        hints: &SignerHints,
    ) -> Result<Arc<[AuthorityRecord]>, StoreError> {
        self.look(authorities::LOOK_UP, GATE_WAIT, |connection| {
            Ok(authorities::alike(connection, hints)?.into())
        })
    }
}

impl GateStore for SqliteStore {
    type BrokerLock = BrokerLock;

    fn lock_broker(&self, broker: &str) -> Result<BrokerLock, StoreError> {
        self.claim(broker)
    }

    fn is_broker_alive(&self, broker: &str) -> bool {
        self.is_alive(broker)
    }

    fn reopen(&self) -> Result<Self, StoreError> {
        self.connect_again()
    }

    fn settings(&mut self) -> Result<Settings, StoreError> {
        self.look("read the settings", GATE_WAIT, settings::read)
    }

    fn schemes(&mut self) -> Result<StoredSchemes, StoreError> {
        self.look("read the schemes", GATE_WAIT, |connection| {
            schemes::all(connection, &self.path, &self.built_in)
        })
    }

    fn mark(&mut self) -> Result<StoreMark, StoreError> {
        self.check_at_times("look at the store")?;
        let header = wal_index::of(&self.connection);
        if header.is_none() || header != self.seen {
            self.seen = header;
            self.commits = self.commits.saturating_add(1);
        }
        Ok(StoreMark::new(self.watch.opening(), self.commits))
    }

    fn last_change(&mut self) -> Result<ChangeSeq, StoreError> {
        self.look_once("read the change log", changes::last)
    }

    fn client_id_of(
        &mut self,
        credential: CredentialId,
    ) -> Result<Option<ClientIdTie>, StoreError> {
        self.look_once("look up a client id", |connection| {
            client_id_bindings::client_id_of(connection, credential)
        })
    }

    fn log_position(&mut self) -> Result<LogPosition, StoreError> {
        let action = "read the change log";
        self.check(action)?;
        self.look_once(action, log_position::of)
    }

    fn changes_after(
        &mut self,
        seq: ChangeSeq,
        limit: usize,
    ) -> Result<Vec<(ChangeSeq, Change)>, StoreError> {
        let changes = self.look("read the change log", GATE_WAIT, |connection| {
            if self.is_anew {
                // Whatever was read before was read in another store.
                return Ok(vec![(changes::last(connection)?, Change::Everything)]);
            }
            changes::after(connection, seq, limit)
        })?;
        self.is_anew = false;
        Ok(changes)
    }

    fn read_key(&self) -> KeyReading {
        self.key_file.read(&self.path)
    }

    fn key_file_mark(&self) -> u64 {
        key_file::mark(&self.path)
    }

    fn replica(&mut self) -> Result<Option<ReplicaState>, StoreError> {
        Self::replica(self)
    }

    fn tenants(&mut self) -> Result<StoredTenants, StoreError> {
        self.look("look up the tenants", GATE_WAIT, |connection| {
            tenants::readable(connection, &self.path)
        })
    }

    fn users_of_scheme(&mut self, name: &SchemeName) -> Result<Vec<TenantId>, StoreError> {
        self.look("look up who uses a scheme", GATE_WAIT, |connection| {
            schemes::users(connection, name)
        })
    }

    fn role_named(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
    ) -> Result<Option<Role>, StoreError> {
        self.look("look up a role", GATE_WAIT, |connection| {
            roles::role(connection, tenant, name)
        })
    }

    fn roles_of_group(
        &mut self,
        tenant: &TenantId,
        group: &GroupPath,
    ) -> Result<Vec<RoleName>, StoreError> {
        self.look("look up the roles of a group", GATE_WAIT, |connection| {
            groups::roles(connection, tenant, group)
        })
    }

    fn audit_heads(&mut self) -> Result<AuditHeads, StoreError> {
        self.look("read the audit's heads", BATCH_WAIT, audit::heads)
    }

    fn ban(&mut self, id: BanId) -> Result<Option<Ban>, StoreError> {
        self.look("look up a ban", GATE_WAIT, |connection| {
            bans::ban(connection, id)
        })
    }

    fn ban_on(&mut self, target: &BanTarget) -> Result<Option<Ban>, StoreError> {
        self.look_once("look up a ban", |connection| {
            bans::ban_on(connection, target)
        })
    }

    fn has_login_from(&mut self, network: Network) -> Result<bool, StoreError> {
        let brokers = self.look("look up sessions", BATCH_WAIT, |connection| {
            presence::brokers_of_logins_from(connection, network)
        })?;
        Ok(brokers.iter().any(|broker| self.is_alive(broker)))
    }

    fn bans(&mut self, page: &Page<BanId>) -> Result<Listed<Ban>, StoreError> {
        self.look("read the bans", GATE_WAIT, |connection| {
            bans::bans(connection, None, page)
        })
    }

    fn kick_request(&mut self, id: KickRequestId) -> Result<Option<KickTarget>, StoreError> {
        self.look_once("look up a request to kick", |connection| {
            kicks::target(connection, id)
        })
    }

    fn replace_password_hash(
        &mut self,
        secret: SecretId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<(), StoreError> {
        self.act(
            "write down a new hash of a password",
            BATCH_WAIT,
            |connection| secrets::replace_password_hash(connection, secret, old, new),
        )
    }

    fn put_metrics(&self, broker: &str, metrics: &BrokerMetrics) -> Result<(), StoreError> {
        self.write_metrics(broker, metrics)
    }

    fn remove_metrics(&self, broker: &str) {
        self.discard_metrics(broker);
    }

    fn maintain(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.maintain_all(now)
    }
}
