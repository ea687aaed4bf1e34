//! What a broker's gate asks and writes beyond what a CONNECT looks up.

use super::{
    Directory, KeyReading, KickTarget, Listed, LogPosition, Page, Refusal, ReplicaState, Settings,
    StoreError, StoreErrorKind, StoreMark, StoredSchemes, StoredTenants,
};
use crate::audit::{AuditEntry, AuditHeads};
use crate::ban::{Ban, BanId, BanSubject, BanTarget};
use crate::broker::service_names;
use crate::change::{Change, ChangeSeq, KickRequestId};
use crate::client_id::{ClientId, ClientIdTie};
use crate::connect::{LoginRecord, Proof};
use crate::credential::{Credential, CredentialId};
use crate::ledger::Ledger;
use crate::metrics::BrokerMetrics;
use crate::name::{GroupPath, TenantId};
use crate::network::Network;
use crate::ownership::{Holder, StoredSession};
use crate::presence::PresenceEvent;
use crate::role::{Role, RoleName};
use crate::scheme::SchemeName;
use crate::secret::{PasswordHash, SecretId};
use crate::time::Timestamp;

/// What the gate of a broker asks and writes. One value serves one thread.
pub trait GateStore: Directory + Ledger + Send + Sized + 'static {
    /// Holds a broker's name for as long as it lives.
    type BrokerLock: Send + 'static;

    /// Takes a broker's name, so that no second live broker uses it on this
    /// store. The claim ends with the process, however that ends.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] of kind `Conflict` when a live broker has it.
    fn lock_broker(&self, broker: &str) -> Result<Self::BrokerLock, StoreError>;

    /// Says whether a live broker has this name. What can't be told is taken for alive.
    fn is_broker_alive(&self, broker: &str) -> bool;

    /// Says whether a live service uses this store. What can't be told is taken for alive.
    fn is_service_alive(&self) -> bool {
        service_names().any(|name| self.is_broker_alive(&name))
    }

    /// Takes one of the names that services have, of which several may use a store. Other
    /// versions of this program do not change the store's schema while one is taken.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when none can be taken.
    fn hold_for_service(&self) -> Result<Self::BrokerLock, StoreError> {
        let mut names = service_names().peekable();
        loop {
            let held = self.lock_broker(&names.next().unwrap_or_default());
            let is_taken = |error: &StoreError| error.kind() == StoreErrorKind::Conflict;
            match held {
                Err(error) if is_taken(&error) && names.peek().is_some() => {}
                held => return held,
            }
        }
    }

    /// A second connection to the same store, for another thread.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be opened.
    fn reopen(&self) -> Result<Self, StoreError>;

    /// The settings.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn settings(&mut self) -> Result<Settings, StoreError>;

    /// All schemes, built in and made, as far as each can be read.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn schemes(&mut self) -> Result<StoredSchemes, StoreError>;

    /// Marks this moment, without a look into the store. As long as the mark is
    /// the same, so is every answer of the store, whichever process writes to
    /// it.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store is not the one any more that was
    /// opened; that is found out within a moment.
    fn mark(&mut self) -> Result<StoreMark, StoreError>;

    /// The last entry of the change log.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn last_change(&mut self) -> Result<ChangeSeq, StoreError> {
        Ok(self.log_position()?.last_change)
    }

    /// The client id that a credential is bound to, if it is to one.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn client_id_of(&mut self, credential: CredentialId)
    -> Result<Option<ClientIdTie>, StoreError>;

    /// How far the logs go, of one state of the store.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read, or when it is not
    /// the one any more that was opened.
    fn log_position(&mut self) -> Result<LogPosition, StoreError>;

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

    /// What seeds and private keys are sealed with, from the file beside the
    /// store.
    fn read_key(&self) -> KeyReading;

    /// Another number each time that the file of that key is another one; 0
    /// where there is none.
    fn key_file_mark(&self) -> u64;

    /// What this store follows; none where it is no replica.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn replica(&mut self) -> Result<Option<ReplicaState>, StoreError>;

    /// All tenants, as far as each can be read.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn tenants(&mut self) -> Result<StoredTenants, StoreError>;

    /// The tenants with a credential of this scheme.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn users_of_scheme(&mut self, name: &SchemeName) -> Result<Vec<TenantId>, StoreError>;

    /// The role with this name in a tenant.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn role_named(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
    ) -> Result<Option<Role>, StoreError>;

    /// The roles that this very group of a tenant holds, by name.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn roles_of_group(
        &mut self,
        tenant: &TenantId,
        group: &GroupPath,
    ) -> Result<Vec<RoleName>, StoreError>;

    /// The heads of the audit's chains.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn audit_heads(&mut self) -> Result<AuditHeads, StoreError>;

    /// The ban that a [`Change::Ban`] is about; none where it was removed.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn ban(&mut self, id: BanId) -> Result<Option<Ban>, StoreError>;

    /// The ban of this very target.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn ban_on(&mut self, target: &BanTarget) -> Result<Option<Ban>, StoreError>;

    /// Says whether a client is refused by a ban.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn is_banned(&mut self, subject: &BanSubject<'_>, now: Timestamp) -> Result<bool, StoreError> {
        for target in subject.targets() {
            if self
                .ban_on(&target)?
                .is_some_and(|ban| ban.is_in_force(now))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Says whether a client is connected from one of these addresses, at any broker
    /// that is alive, that proved who it is.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn has_login_from(&mut self, network: Network) -> Result<bool, StoreError>;

    /// All bans, by number.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn bans(&mut self, page: &Page<BanId>) -> Result<Listed<Ban>, StoreError>;

    /// What a [`Change::KickRequested`] asks for; none once it is answered.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn kick_request(&mut self, id: KickRequestId) -> Result<Option<KickTarget>, StoreError>;

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

    /// Puts what a broker counts where those find it who watch, in place of what it
    /// put there before. No transaction waits for it, and it is no commit.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when it can't be put there.
    fn put_metrics(&self, broker: &str, metrics: &BrokerMetrics) -> Result<(), StoreError>;

    /// Removes what a broker put there.
    fn remove_metrics(&self, broker: &str);

    /// Moves refusals of minutes that ended before `now` into the audit, whichever
    /// broker counted them, prunes the change log, and writes the log back into
    /// the store.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written.
    fn maintain(&mut self, now: Timestamp) -> Result<(), StoreError>;
}

/// A login whose lasting effects are to be committed.
#[derive(Clone, Copy, Debug)]
pub struct LoginEffects<'a> {
    /// The broker it happens at.
    pub broker: &'a str,
    /// The client id.
    pub client_id: &'a ClientId,
    /// What the host is given as the user name.
    pub username: Option<&'a str>,
    /// The tenant whose topics it uses.
    pub tenant: Option<&'a TenantId>,
    /// The credential as it was looked up and what proved it; none for an
    /// unauthenticated client.
    pub proved: Option<(&'a Credential, Proof<'a>)>,
    /// What changes.
    pub record: LoginRecord,
}

/// What a login made of the record of its client id.
#[derive(Clone, Debug)]
pub struct SessionUndo {
    /// The client id.
    pub client_id: ClientIdTie,
    /// What was recorded before it.
    pub before: Option<StoredSession>,
    /// Whose login it was; nobody's if it proved nothing.
    pub claimant: Option<CredentialId>,
    /// When it was recorded.
    pub at: Timestamp,
}

impl SessionUndo {
    /// Says whether a record of the client id is what the login may have left.
    #[must_use]
    pub fn is_of(&self, recorded: &StoredSession) -> bool {
        let is_known = match recorded.holder {
            Holder::Former | Holder::Unauthenticated => true,
            Holder::Credential(id) => {
                let before = self.before.as_ref().map(|before| before.holder);
                self.claimant == Some(id) || before == Some(Holder::Credential(id))
            }
        };
        is_known && recorded.last_used_at <= self.at
    }
}

/// What became of a [`Ledger::record_login`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Recorded {
    /// It is committed.
    Done,
    /// It is committed, and so is that it is not known yet whether the host lets the
    /// client in ([`LoginRecord::may_be_gone`]): whose the session is that the host
    /// may have kept under its client id says
    /// [`Ledger::keep_session`](crate::ledger::Ledger::keep_session) or
    /// [`Ledger::undo_session`](crate::ledger::Ledger::undo_session).
    Arriving,
    /// The credential has as many client ids with stored sessions as it may;
    /// nothing was written.
    Full,
    /// The credential changed since it was looked up; nothing was written.
    Outdated,
}

/// What became of a [`Ledger::register_thing`] or a [`Ledger::register_device`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Registered {
    /// This store is a replica, and its centre is asked to make it.
    Asked,
    /// The thing, or the device, is made.
    Done,
    /// Whoever registers it has made as many as it may.
    Full,
    /// Whoever registers it has made as many as it may in this second.
    TooFast,
}

/// What a gate writes down off the host's thread.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Sessions and uses, in the order they happened.
    pub observations: Vec<PresenceEvent>,
    /// Refused logins, summed.
    pub refusals: Vec<Refusal>,
    /// Requests to kick, answered.
    pub kicked: Vec<KickRequestId>,
    /// Acts of the gate itself.
    pub audit: Vec<AuditEntry>,
}
