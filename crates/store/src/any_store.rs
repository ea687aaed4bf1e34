//! A store, in a file or in a database.

use std::path::Path;
use std::sync::Arc;

use countersign_core::audit::AuditHeads;
use countersign_core::ban::{Ban, BanId, BanSubject, BanTarget};
use countersign_core::certificate::{
    AuthorityId, AuthorityRecord, CertificateRecord, Fingerprint, SignerHints,
};
use countersign_core::change::{Change, ChangeSeq, KickRequestId};
use countersign_core::client_id::{ClientId, ClientIdTie};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::follower::Follower;
use countersign_core::issuer::{IssuerId, IssuerRecord, IssuerText};
use countersign_core::jwt::{KeyId, TokenId};
use countersign_core::ledger::{Ledger, Pace};
use countersign_core::lockout::Lockout;
use countersign_core::metrics::BrokerMetrics;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::network::Network;
use countersign_core::ownership::{Holding, StoredSession};
use countersign_core::role::{Role, RoleName};
use countersign_core::scheme::SchemeName;
use countersign_core::secret::{PasswordHash, SecretDigest, SecretId};
use countersign_core::store::{
    AdminStore, Directory, ExportPart, ExportScope, GateStore, Intent, KeyReading, KickTarget,
    Listed, LogPosition, ObjectName, Page, ReplicaPlace, ReplicaState, Settings, SinceThen,
    SnapshotPage, StoreError, StoreErrorKind, StoreMark, StoredSchemes, StoredTenants,
};
use countersign_core::tenant::Tenant;
use countersign_core::time::Timestamp;
use countersign_core::token::{TokenKey, TokenRecord};
use countersign_postgres::{Address, PostgresStore};
use countersign_sqlite::SqliteStore;

use crate::AnyTransaction;
use crate::delegate::methods;

/// One connection to a store, wherever it lies. Serves one thread at a time.
#[expect(clippy::large_enum_variant, reason = "there are few, one a thread")]
#[derive(Debug)]
pub enum AnyStore {
    /// In a file.
    File(SqliteStore),
    /// In a PostgreSQL database.
    Postgres(PostgresStore),
}

/// Holds a broker's name on an [`AnyStore`] until it is dropped.
#[derive(Debug)]
pub enum AnyBrokerLock {
    /// Of a store in a file.
    File(countersign_sqlite::BrokerLock),
    /// Of a store in a PostgreSQL database.
    Postgres(countersign_postgres::BrokerLock),
}

impl From<SqliteStore> for AnyStore {
    fn from(store: SqliteStore) -> Self {
        Self::File(store)
    }
}

impl From<PostgresStore> for AnyStore {
    fn from(store: PostgresStore) -> Self {
        Self::Postgres(store)
    }
}

impl AnyStore {
    /// Opens the store in the database at `url`, whose seeds and private keys are sealed with
    /// the key in `key`.
    ///
    /// # Errors
    ///
    /// As [`PostgresStore::open`], and when `url` is no address of a database.
    pub fn open_database(url: &str, key: Option<&Path>) -> Result<Self, StoreError> {
        let store = PostgresStore::open(Address::parse(url)?)?;
        Ok(Self::with_key(store, key))
    }

    /// The same, and does not bring it up to date.
    ///
    /// # Errors
    ///
    /// As [`PostgresStore::open_as_it_is`], and when `url` is no address of a database.
    pub fn open_database_as_it_is(url: &str, key: Option<&Path>) -> Result<Self, StoreError> {
        let store = PostgresStore::open_as_it_is(Address::parse(url)?)?;
        Ok(Self::with_key(store, key))
    }

    /// Makes a store in the database at `url`, which has none.
    ///
    /// # Errors
    ///
    /// As [`PostgresStore::create`], and when `url` is no address of a database.
    pub fn create_in_database(
        url: &str,
        key: Option<&Path>,
        settings: &Settings,
    ) -> Result<Self, StoreError> {
        let store = PostgresStore::create(Address::parse(url)?, settings)?;
        Ok(Self::with_key(store, key))
    }

    fn with_key(store: PostgresStore, key: Option<&Path>) -> Self {
        Self::Postgres(match key {
            Some(key) => store.with_key_file(key.to_owned()),
            None => store,
        })
    }

    /// The store in a file, which `action` needs.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] where the store is in a database.
    pub fn into_file(self, action: &'static str) -> Result<SqliteStore, StoreError> {
        match self {
            Self::File(store) => Ok(store),
            Self::Postgres(_) => {
                Err(StoreError::new(action, StoreErrorKind::Unavailable).with_detail(FOR_FILES))
            }
        }
    }

    /// How much of what a broker wrote to this replica its centre has not judged.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn count_to_hand_back(&self) -> Result<u32, StoreError> {
        match self {
            Self::File(store) => store.count_to_hand_back(),
            // A database is no replica.
            Self::Postgres(_) => Ok(0),
        }
    }

    /// Where the store lies, to be shown: its file, or its database and that one's host.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::File(store) => store.path().to_string_lossy().into_owned(),
            Self::Postgres(store) => store.place().to_string(),
        }
    }

    /// What opening it did to a store of an older schema, if it was one, to be shown.
    #[must_use]
    pub fn upgraded(&self) -> Option<String> {
        match self {
            Self::File(store) => store.upgraded().map(ToString::to_string),
            Self::Postgres(store) => store.upgraded().map(|(from, to)| {
                format!(
                    "the store was brought up to date from schema {from} to {to}. The way back: \
                     a dump of the database from before, and the older version"
                )
            }),
        }
    }

    /// Why this is a copy of a store that could not be brought up to date, if it is one.
    #[must_use]
    pub fn held_back(&self) -> Option<&StoreError> {
        match self {
            Self::File(store) => store.held_back(),
            Self::Postgres(_) => None,
        }
    }

    /// Reads every record as the gate does, and names those that can't be read; nothing, if
    /// all can.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read at all.
    pub fn unreadable_records(&mut self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::File(store) => store.unreadable_records(),
            Self::Postgres(store) => store.unreadable_records(),
        }
    }

    /// Reads what an export of `scope` has, as it is at one moment: the header, then each
    /// row. Memory does not grow with the store.
    ///
    /// # Errors
    ///
    /// Returns what `each` fails with, and [`StoreError`] when the store can't be read.
    pub fn export<E: From<StoreError>>(
        &mut self,
        scope: &ExportScope,
        each: impl FnMut(ExportPart) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::File(store) => store.export(scope, each),
            Self::Postgres(store) => store.export(scope, each),
        }
    }

    /// A part of what the follower with this secret may know: the objects after `after`.
    /// None where no follower has this secret.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn snapshot_page(
        &mut self,
        digest: &SecretDigest,
        after: Option<&ObjectName>,
    ) -> Result<Option<(Follower, SnapshotPage)>, StoreError> {
        match self {
            Self::File(store) => store.snapshot_page(digest, after),
            Self::Postgres(store) => store.snapshot_page(digest, after),
        }
    }

    /// What changed since a place in the log, as far as the follower with this secret may
    /// know. None where no follower has this secret.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn changes_for_follower(
        &mut self,
        digest: &SecretDigest,
        after: ReplicaPlace,
    ) -> Result<Option<(Follower, SinceThen)>, StoreError> {
        match self {
            Self::File(store) => store.changes_for_follower(digest, after),
            Self::Postgres(store) => store.changes_for_follower(digest, after),
        }
    }

    /// The number of the last change that followers are told of.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn last_object_change(&mut self) -> Result<i64, StoreError> {
        match self {
            Self::File(store) => store.last_object_change(),
            Self::Postgres(store) => store.last_object_change(),
        }
    }
}

impl AdminStore for AnyStore {
    type Transaction<'a> = AnyTransaction<'a>;

    fn begin(&mut self, intent: Intent) -> Result<AnyTransaction<'_>, StoreError> {
        Ok(match self {
            Self::File(store) => AnyTransaction::File(store.begin(intent)?),
            Self::Postgres(store) => AnyTransaction::Postgres(store.begin(intent)?),
        })
    }

    methods! { AdminStore:
        sync_commits() -> ();
    }
}

impl Ledger for AnyStore {
    type Writing<'a> = AnyTransaction<'a>;

    fn begin_writing(
        &mut self,
        action: &'static str,
        pace: Pace,
    ) -> Result<AnyTransaction<'_>, StoreError> {
        Ok(match self {
            Self::File(store) => AnyTransaction::File(store.begin_writing(action, pace)?),
            Self::Postgres(store) => AnyTransaction::Postgres(store.begin_writing(action, pace)?),
        })
    }
}

impl Directory for AnyStore {
    methods! { Directory:
        credential(name: &LoginName) -> Option<Arc<Credential>>;
        tenant(id: &TenantId) -> Option<Arc<Tenant>>;
        some_tenant_admits_anonymous() -> bool;
        credential_by_digest(digest: &SecretDigest) -> Option<Arc<Credential>>;
        bound_to(client_id: &ClientIdTie) -> Option<CredentialId>;
        tenant_by_client_id(client_id: &ClientId) -> Option<TenantId>;
        stored_session(client_id: &ClientIdTie) -> Option<StoredSession>;
        holding(client_id: &ClientIdTie, claimant: Option<CredentialId>) -> Holding;
        credential_by_id(id: CredentialId) -> Option<Arc<Credential>>;
        lockout(email: &LoginName) -> Lockout;
        token_key(id: &KeyId) -> Option<TokenKey>;
        token(id: &TokenId) -> Option<Arc<TokenRecord>>;
        certificate(fingerprint: &Fingerprint) -> Option<CertificateRecord>;
        issuers_like(issuer: &IssuerText) -> Arc<[IssuerRecord]>;
        is_issued_token_revoked(id: IssuerId, token: &IssuerText) -> bool;
        was_registered(tenant: &TenantId, name: &LoginName) -> bool;
        issuer(id: IssuerId) -> Option<IssuerRecord>;
        authority(id: AuthorityId) -> Option<AuthorityRecord>;
        authorities_like(hints: &SignerHints) -> Arc<[AuthorityRecord]>;
    }
}

impl GateStore for AnyStore {
    type BrokerLock = AnyBrokerLock;

    fn lock_broker(&self, broker: &str) -> Result<AnyBrokerLock, StoreError> {
        Ok(match self {
            Self::File(store) => AnyBrokerLock::File(store.lock_broker(broker)?),
            Self::Postgres(store) => AnyBrokerLock::Postgres(store.lock_broker(broker)?),
        })
    }

    fn is_broker_alive(&self, broker: &str) -> bool {
        match self {
            Self::File(store) => store.is_broker_alive(broker),
            Self::Postgres(store) => store.is_broker_alive(broker),
        }
    }

    fn reopen(&self) -> Result<Self, StoreError> {
        Ok(match self {
            Self::File(store) => Self::File(store.reopen()?),
            Self::Postgres(store) => Self::Postgres(store.reopen()?),
        })
    }

    fn read_key(&self) -> KeyReading {
        match self {
            Self::File(store) => store.read_key(),
            Self::Postgres(store) => store.read_key(),
        }
    }

    fn key_file_mark(&self) -> u64 {
        match self {
            Self::File(store) => store.key_file_mark(),
            Self::Postgres(store) => store.key_file_mark(),
        }
    }

    fn put_metrics(&self, broker: &str, metrics: &BrokerMetrics) -> Result<(), StoreError> {
        match self {
            Self::File(store) => store.put_metrics(broker, metrics),
            Self::Postgres(store) => store.put_metrics(broker, metrics),
        }
    }

    fn remove_metrics(&self, broker: &str) {
        match self {
            Self::File(store) => store.remove_metrics(broker),
            Self::Postgres(store) => store.remove_metrics(broker),
        }
    }

    methods! { GateStore:
        settings() -> Settings;
        schemes() -> StoredSchemes;
        mark() -> StoreMark;
        last_change() -> ChangeSeq;
        client_id_of(credential: CredentialId) -> Option<ClientIdTie>;
        log_position() -> LogPosition;
        changes_after(seq: ChangeSeq, limit: usize) -> Vec<(ChangeSeq, Change)>;
        replica() -> Option<ReplicaState>;
        tenants() -> StoredTenants;
        users_of_scheme(name: &SchemeName) -> Vec<TenantId>;
        role_named(tenant: &TenantId, name: &RoleName) -> Option<Role>;
        roles_of_group(tenant: &TenantId, group: &GroupPath) -> Vec<RoleName>;
        audit_heads() -> AuditHeads;
        ban(id: BanId) -> Option<Ban>;
        ban_on(target: &BanTarget) -> Option<Ban>;
        is_banned(subject: &BanSubject<'_>, now: Timestamp) -> bool;
        has_login_from(network: Network) -> bool;
        bans(page: &Page<BanId>) -> Listed<Ban>;
        kick_request(id: KickRequestId) -> Option<KickTarget>;
        replace_password_hash(secret: SecretId, old: &PasswordHash, new: &PasswordHash) -> ();
        maintain(now: Timestamp) -> ();
    }
}

/// That a store in a database can't do what one in a file can.
const FOR_FILES: &str =
    "the store is in a PostgreSQL database, and this is for one in a file alone";
