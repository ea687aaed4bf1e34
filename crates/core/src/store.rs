//! What the decisions and the acts ask of a store, whichever it is.
//!
//! [`Directory`] is what a CONNECT looks up. [`GateStore`] is what a broker's
//! gate needs beyond that. [`AdminStore`] is what administrative acts are made
//! of: each is one transaction that commits together with its audit row and
//! its entries in the change log.

use core::error::Error;
use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use crate::audit::AuditEntry;
use crate::change::{Change, ChangeSeq, KickRequestId};
use crate::client_id::{ClientId, ClientIdTie};
use crate::connect::LoginRecord;
use crate::credential::{Credential, CredentialId};
use crate::lifecycle::State;
use crate::name::{GroupPath, LoginName, TenantId};
use crate::ownership::{DEFAULT_HOLD, StoredSession};
use crate::presence::{Observation, Presence, SessionNumber};
use crate::reason::Reason;
use crate::role::{Role, RoleName};
use crate::scheme::{Scheme, SchemeName, Schemes};
use crate::secret::{Argon2Params, PasswordHash, SecretDigest, SecretId, Verifier};
use crate::tenant::Tenant;
use crate::time::Timestamp;

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
}

/// What the gate of a broker asks and writes. One value serves one thread.
pub trait GateStore: Directory + Send + Sized + 'static {
    /// Holds a broker's name for as long as it lives.
    type Claim: Send + 'static;

    /// Takes a broker's name, so that no second live broker uses it on this
    /// store. The claim ends with the process, however that ends.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] of kind `Conflict` when a live broker has it.
    fn claim_broker(&self, broker: &str) -> Result<Self::Claim, StoreError>;

    /// A second connection to the same store, for another thread.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be opened.
    fn reopen(&self) -> Result<Self, StoreError>;

    /// The credential with this number.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn credential_by_id(&mut self, id: CredentialId)
    -> Result<Option<Arc<Credential>>, StoreError>;

    /// The settings.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn settings(&mut self) -> Result<Settings, StoreError>;

    /// All schemes, built in and made.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn schemes(&mut self) -> Result<Schemes, StoreError>;

    /// A number that differs once anybody else has committed anything.
    /// Costs next to nothing.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn version(&mut self) -> Result<i64, StoreError>;

    /// The last entry of the change log that is not about one credential or
    /// one request: settings, tenants, schemes.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn last_policy_change(&mut self) -> Result<ChangeSeq, StoreError>;

    /// The last entry of the change log.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn last_change(&mut self) -> Result<ChangeSeq, StoreError>;

    /// How far the change log goes and who holds this client id, of one state
    /// of the store. Costs about as much as one of the two.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read, or when it is not
    /// the one any more that was opened.
    fn standing(&mut self, client_id: &ClientIdTie) -> Result<Standing, StoreError>;

    /// Up to `limit` changes after `seq`, oldest first. Where the log no
    /// longer reaches back so far, [`Change::Everything`] stands for the gap.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn changes_after(
        &mut self,
        seq: ChangeSeq,
        limit: usize,
    ) -> Result<Vec<(ChangeSeq, Change)>, StoreError>;

    /// Commits what a login changes for good, if the credential still is what
    /// was looked up. Waits at most 20 ms for the store's lock; a tie is synced
    /// to disk.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] of kind `Busy` when the lock was not to be had,
    /// and of another kind when the store can't be written.
    fn record_login(&mut self, login: &Login<'_>, now: Timestamp) -> Result<Recorded, StoreError>;

    /// All tenants.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn tenants(&mut self) -> Result<Vec<Arc<Tenant>>, StoreError>;

    /// The roles that a credential holds and that exist.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn roles_of(&mut self, credential: &Credential) -> Result<Vec<Role>, StoreError>;

    /// What a [`Change::KickRequested`] asks for; none once it is answered.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn kick_request(&mut self, id: KickRequestId) -> Result<Option<KickTarget>, StoreError>;

    /// Clears what an earlier run of `broker` left behind as connected. Stored
    /// sessions among it count as used until `now`.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written.
    fn clear_presence(&mut self, broker: &str, now: Timestamp) -> Result<(), StoreError>;

    /// Writes a batch down, in short transactions.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written. Observations at
    /// the front of the batch may be written then, and nothing else of it; to
    /// write the whole batch again does no harm.
    fn write_batch(&mut self, broker: &str, batch: &Batch) -> Result<(), StoreError>;

    /// Keeps `new` of a chosen password instead of `old`, if `old` is what is
    /// kept. It is the same password, so nothing that was given out changes.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written.
    fn replace_password_hash(
        &mut self,
        secret: SecretId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<(), StoreError>;

    /// Moves refusals of minutes that ended before `now` into the audit, prunes
    /// the change log, and writes the log back into the store.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written.
    fn maintain(&mut self, broker: &str, now: Timestamp) -> Result<(), StoreError>;
}

/// What a CONNECT asks about every time, however much is remembered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Standing {
    /// The last entry of the change log. What was read when it was the last
    /// is true still, as far as changes are logged.
    pub last_change: ChangeSeq,
    /// See [`Directory::bound_to`].
    pub bound_to: Option<CredentialId>,
    /// See [`Directory::stored_session`].
    pub stored_session: Option<StoredSession>,
}

/// A login whose lasting effects are to be committed.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// The broker it happens at.
    pub broker: &'a str,
    /// The client id.
    pub client_id: &'a ClientId,
    /// What the host is given as the user name.
    pub username: Option<&'a str>,
    /// The tenant whose topics it uses.
    pub tenant: Option<&'a TenantId>,
    /// The credential as it was looked up and the secret that proved it; none
    /// for a client that proved nothing.
    pub proved: Option<(&'a Credential, SecretId)>,
    /// What changes.
    pub record: LoginRecord,
}

/// What became of a [`GateStore::record_login`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Recorded {
    /// It is committed.
    Done,
    /// The credential changed since it was looked up; nothing was written.
    Outdated,
}

/// Which sessions somebody asks to end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KickTarget {
    /// The one with this client id, at any broker.
    ClientId(String),
    /// This one of this broker.
    Session {
        /// The broker's name.
        broker: String,
        /// Its session.
        session: SessionNumber,
    },
}

/// What a gate writes down off the host's thread.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Sessions and uses, in the order they happened.
    pub observations: Vec<Observation>,
    /// Refused logins, summed.
    pub refusals: Vec<Refusal>,
    /// Requests to kick, answered.
    pub kicked: Vec<KickRequestId>,
    /// Acts of the gate itself.
    pub audit: Vec<AuditEntry>,
}

/// Refused logins of one minute, name, address and reason.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The start of the minute.
    pub minute: Timestamp,
    /// The name that was presented, masked where names are secret.
    pub subject: String,
    /// Where it came from.
    pub address: Option<String>,
    /// Why it was refused.
    pub cause: Reason,
    /// How often, to be added to what is written already.
    pub count: i64,
}

/// What holds for a whole store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Settings {
    /// How chosen passwords are hashed.
    pub argon2: Argon2Params,
    /// How long a client id is held after its last use.
    pub client_id_hold: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            argon2: Argon2Params::default(),
            client_id_hold: DEFAULT_HOLD,
        }
    }
}

/// What administrative acts are made of.
pub trait AdminStore {
    /// One act, or one look.
    type Transaction<'a>: AdminTransaction
    where
        Self: 'a;

    /// Begins a transaction that sees one state of the store and, with
    /// [`Intent::Write`], alone may change it. Waits a bounded time for the
    /// lock.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] of kind `Busy` when the lock was not to be had,
    /// and of another kind when the store can't be used.
    fn begin(&mut self, intent: Intent) -> Result<Self::Transaction<'_>, StoreError>;
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Intent {
    /// To look.
    Read,
    /// To act.
    Write,
}

/// One transaction. Dropped without [`AdminTransaction::commit`], it never
/// happened.
pub trait AdminTransaction {
    /// The settings.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read. So do all below
    /// that return one, and those that write when it can't be written.
    fn settings(&mut self) -> Result<Settings, StoreError>;

    /// Replaces the settings.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn set_settings(&mut self, settings: &Settings) -> Result<(), StoreError>;

    /// The tenant with this id.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn tenant(&mut self, id: &TenantId) -> Result<Option<Tenant>, StoreError>;

    /// All tenants, by id.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn tenants(&mut self) -> Result<Vec<Tenant>, StoreError>;

    /// Writes a tenant, new or changed.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn put_tenant(&mut self, tenant: &Tenant) -> Result<(), StoreError>;

    /// Deletes a tenant with all that belongs to it.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn delete_tenant(&mut self, id: &TenantId) -> Result<(), StoreError>;

    /// How many credentials a tenant has.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn count_credentials(&mut self, tenant: &TenantId) -> Result<u64, StoreError>;

    /// The credential with this login name.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn credential(&mut self, name: &LoginName) -> Result<Option<Credential>, StoreError>;

    /// Credentials of tenants, by name.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn credentials(&mut self, query: &CredentialQuery) -> Result<Vec<Credential>, StoreError>;

    /// Adds a credential; the number, the secrets and the times of use in
    /// `credential` do not count.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when the name is taken, else as
    /// [`AdminTransaction::settings`].
    fn add_credential(&mut self, credential: &Credential) -> Result<CredentialId, StoreError>;

    /// Writes all of a credential but its number, name, tenant, secrets and
    /// times of creation and use.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn update_credential(&mut self, credential: &Credential) -> Result<(), StoreError>;

    /// Deletes a credential.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn delete_credential(&mut self, id: CredentialId) -> Result<(), StoreError>;

    /// Gives a credential one more secret, newer than those it has.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when the same secret is stored already, else as
    /// [`AdminTransaction::settings`].
    fn add_secret(
        &mut self,
        credential: CredentialId,
        verifier: &Verifier,
    ) -> Result<SecretId, StoreError>;

    /// Says when a secret stops to work.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn limit_secret(
        &mut self,
        secret: SecretId,
        ends_at: Option<Timestamp>,
        until_used: bool,
    ) -> Result<(), StoreError>;

    /// Removes a secret.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn remove_secret(&mut self, secret: SecretId) -> Result<(), StoreError>;

    /// The role of this name in a tenant.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn role(&mut self, tenant: &TenantId, name: &RoleName) -> Result<Option<Role>, StoreError>;

    /// Roles, by tenant and name.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn roles(&mut self, tenant: Option<&TenantId>) -> Result<Vec<Role>, StoreError>;

    /// Writes a role with all its rules, new or changed.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn put_role(&mut self, role: &Role) -> Result<(), StoreError>;

    /// Deletes a role and takes it from whoever holds it.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn delete_role(&mut self, tenant: &TenantId, name: &RoleName) -> Result<(), StoreError>;

    /// The numbers of the credentials that hold a role.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn holders_of_role(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
    ) -> Result<Vec<CredentialId>, StoreError>;

    /// All schemes, built in and made.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn schemes(&mut self) -> Result<Schemes, StoreError>;

    /// Adds a scheme.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when there is one of this name, else as
    /// [`AdminTransaction::settings`].
    fn add_scheme(&mut self, scheme: &Scheme) -> Result<(), StoreError>;

    /// Removes a scheme that was added.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn remove_scheme(&mut self, name: &SchemeName) -> Result<(), StoreError>;

    /// The tenants with a credential of this scheme.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn tenants_using_scheme(&mut self, name: &SchemeName) -> Result<Vec<TenantId>, StoreError>;

    /// The schemes that credentials of this tenant were made by.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn schemes_used_by(&mut self, tenant: &TenantId) -> Result<Vec<SchemeName>, StoreError>;

    /// Credentials outside of all tenants, by name.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn operators(&mut self) -> Result<Vec<Credential>, StoreError>;

    /// The name of the credential that has this value for an attribute, in
    /// any tenant.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn holder_of_attribute(
        &mut self,
        key: &str,
        value: &str,
    ) -> Result<Option<LoginName>, StoreError>;

    /// The credential that is bound to exactly this client id, by its rule or
    /// by its first use.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn bound_to(&mut self, client_id: &ClientIdTie) -> Result<Option<CredentialId>, StoreError>;

    /// What is recorded about the stored session of a client id.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn stored_session(
        &mut self,
        client_id: &ClientIdTie,
    ) -> Result<Option<StoredSession>, StoreError>;

    /// Gives up a client id on behalf of its holder; it can be taken with a
    /// clean start from then on.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn release_client_id(&mut self, client_id: &ClientIdTie) -> Result<(), StoreError>;

    /// Who is connected, by broker and session.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn presence(&mut self, tenant: Option<&TenantId>) -> Result<Vec<BrokerPresence>, StoreError>;

    /// How many are connected.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn count_presence(&mut self, tenant: Option<&TenantId>) -> Result<u64, StoreError>;

    /// Asks the brokers to end sessions.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn request_kick(
        &mut self,
        target: &KickTarget,
        now: Timestamp,
    ) -> Result<KickRequestId, StoreError>;

    /// Says whether a broker ended a session that was asked for.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn is_kick_answered(&mut self, id: KickRequestId) -> Result<bool, StoreError>;

    /// Rows of the audit, refusals of the running minute included, newest
    /// last.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`].
    fn audit(&mut self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError>;

    /// Commits the act together with its audit row and its changes; synced to
    /// disk when it returns.
    ///
    /// # Errors
    ///
    /// As [`AdminTransaction::settings`]; nothing was written then.
    fn commit(self, audit: &[AuditEntry], changes: &[Change]) -> Result<(), StoreError>;
}

/// Which credentials to list.
#[derive(Clone, Debug, Default)]
pub struct CredentialQuery {
    /// Of this tenant alone.
    pub tenant: Option<TenantId>,
    /// In this state alone.
    pub state: Option<State>,
    /// In this group and below alone.
    pub group: Option<GroupPath>,
    /// After this name alone.
    pub after: Option<LoginName>,
    /// At most so many.
    pub limit: Option<u64>,
}

/// Which rows of the audit to list.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Since then alone.
    pub since: Option<Timestamp>,
    /// About this subject alone.
    pub subject: Option<String>,
    /// The newest so many.
    pub limit: Option<u64>,
}

/// A live session and the broker it is at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BrokerPresence {
    /// The broker's name.
    pub broker: String,
    /// The session.
    pub presence: Presence,
}

/// A store could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("could not {action}: {kind}{}", .detail.as_deref().map(|text| format!(": {text}")).unwrap_or_default())]
pub struct StoreError {
    action: &'static str,
    kind: StoreErrorKind,
    detail: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// An error of `kind` while trying to `action`.
    #[must_use]
    pub fn new(action: &'static str, kind: StoreErrorKind) -> Self {
        Self {
            action,
            kind,
            detail: None,
            source: None,
        }
    }

    /// Adds what helps the reader: a path, a version, a way out.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn with_source(self, source: impl Error + Send + Sync + 'static) -> Self {
        Self {
            source: Some(Box::new(source)),
            ..self
        }
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

/// The kinds of failures of a store, by what can be done about them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Another process holds its lock: try again.
    Busy,
    /// What was to be written is there already.
    Conflict,
    /// Its content makes no sense: restore a backup.
    Damaged,
    /// There is no room left.
    Full,
    /// There is none: `init` makes one.
    Missing,
    /// A newer version of this program made it.
    Newer,
    /// It may not be written.
    ReadOnly,
    /// It can't be opened or read.
    Unavailable,
}

impl fmt::Display for StoreErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "another process is using the store",
            Self::Conflict => "it exists already",
            Self::Damaged => "the store is damaged",
            Self::Full => "the disk is full",
            Self::Missing => "there is no store",
            Self::Newer => "the store was made by a newer version",
            Self::ReadOnly => "the store can't be written",
            Self::Unavailable => "the store can't be used",
        })
    }
}
