//! What a broker writes down: the rules, in transactions on a store's rows.
//!
//! A store looks rows up and changes them; which rows, in which order, what is
//! refused and what must reach the disk is decided here, once for all stores.
//! [`Ledger`] and the [`rows`](crate::store::rows) of its transactions are what a
//! store implements. The acts are methods of [`Ledger`] that no store needs to write
//! itself.

use crate::audit::AuditHead;
use crate::ban::Ban;
use crate::broker::BrokerRecord;
use crate::client_id::ClientIdTie;
use crate::connect::FailedLogin;
use crate::credential::{Credential, CredentialId};
use crate::follower::{FollowerName, FollowerProgress, MachineKey};
use crate::lockout::Lockout;
use crate::name::TenantId;
use crate::registrar::Registrar;
use crate::secret::SecretDigest;
use crate::store::{Batch, LoginEffects, Recorded, Registered, SessionUndo, StoreError};
use crate::time::Timestamp;

pub use self::brokers::MOST_BROKERS;
pub use self::client_ids::is_full_of_client_ids;
pub use self::followers::FollowerLedger;
pub use self::hand_back::{HandBackOutcome, JudgedRefusals, JudgedSessions, MayAudit};
pub use self::sign_in::{MOST_OF_USER, MOST_SESSIONS, RecordedSignIn, SignInEffects};
pub use self::transaction::{Durability, LedgerTransaction, Pace};

mod arrivals;
mod bans;
mod brokers;
pub(crate) mod client_ids;
pub(crate) mod credentials;
mod devices;
mod followers;
mod hand_back;
mod kicks;
mod lockouts;
mod login;
pub(crate) mod presence;
mod pruning;
mod refusals;
mod registrations;
mod sign_in;
mod things;
mod transaction;
mod upkeep;

/// What a broker writes down. One value serves one thread.
pub trait Ledger {
    /// One act.
    type Writing<'a>: LedgerTransaction
    where
        Self: 'a;

    /// Begins a transaction that alone may change the store. `action` is what an
    /// error says could not be done.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] of kind `Busy` when the lock was not to be had
    /// within the time that `pace` allows, and of another kind when the store
    /// can't be written.
    fn begin_writing(
        &mut self,
        action: &'static str,
        pace: Pace,
    ) -> Result<Self::Writing<'_>, StoreError>;

    /// Commits what a login changes for good, if the credential still is what
    /// was looked up and nobody else got the client id. A login that a power
    /// failure must not undo is synced to disk.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] of kind `Busy` when the lock was not to be had,
    /// and of another kind when the store can't be written.
    fn record_login(
        &mut self,
        login: &LoginEffects<'_>,
        now: Timestamp,
    ) -> Result<Recorded, StoreError>
    where
        Self: Sized,
    {
        login::record(self, login, now)
    }

    /// Commits what a sign-in at the service changes for good, and the web session that
    /// begins with it, if the user still is what was looked up.
    ///
    /// # Errors
    ///
    /// As [`Ledger::record_login`].
    fn record_sign_in(
        &mut self,
        sign_in: &SignInEffects<'_>,
        now: Timestamp,
    ) -> Result<RecordedSignIn, StoreError>
    where
        Self: Sized,
    {
        sign_in::record(self, sign_in, now)
    }

    /// Undoes what a login made of the record of its client id, because the host
    /// did not let it in: the host has kept what it had. Changes nothing where
    /// somebody used the id since.
    ///
    /// # Errors
    ///
    /// As [`Ledger::record_login`].
    fn undo_session(&mut self, undo: &SessionUndo) -> Result<(), StoreError>
    where
        Self: Sized,
    {
        arrivals::undo(self, undo)
    }

    /// Takes note that the host has let in the client of a login that was recorded
    /// with [`LoginRecord::may_be_gone`]. Until this or [`Ledger::undo_session`],
    /// whose the stored session is is not known for good.
    ///
    /// [`LoginRecord::may_be_gone`]: crate::connect::LoginRecord::may_be_gone
    ///
    /// # Errors
    ///
    /// As [`Ledger::record_login`].
    fn keep_session(&mut self, id: &ClientIdTie) -> Result<(), StoreError>
    where
        Self: Sized,
    {
        arrivals::keep(self, id)
    }

    /// Has nobody inherit what a host may have kept of logins that an earlier run of
    /// `broker` recorded, and of which it did not hear whether their clients were
    /// let in: such a client id is taken with a clean start alone, unless what was
    /// stored under it is the login's own.
    ///
    /// # Errors
    ///
    /// As [`Ledger::record_login`].
    fn give_up_arrivals(&mut self, broker: &str) -> Result<(), StoreError>
    where
        Self: Sized,
    {
        arrivals::give_up(self, broker)
    }

    /// Counts a failed login against a user or an address that no user has,
    /// synced to disk. Of addresses that no user has, a bounded number is kept.
    ///
    /// # Errors
    ///
    /// As [`Ledger::record_login`].
    fn record_failure(
        &mut self,
        failure: &FailedLogin,
        now: Timestamp,
    ) -> Result<Lockout, StoreError>
    where
        Self: Sized,
    {
        lockouts::record_failure(self, failure, now)
    }

    /// Adds a ban that nobody asked for, as an act of the broker's, and says whether it
    /// did: not where there is one already, where such bans are not wanted any more, or
    /// where there are so many that people could not add theirs.
    ///
    /// # Errors
    ///
    /// As [`Ledger::record_login`].
    fn ban_automatically(&mut self, ban: &Ban, now: Timestamp) -> Result<bool, StoreError>
    where
        Self: Sized,
    {
        bans::add_automatic(self, ban, now)
    }

    /// Makes a thing that presented the token of an application, as an act of
    /// the broker's. It counts for good against what its application may make.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when its key is taken, else as
    /// [`Ledger::record_login`].
    fn register_thing(
        &mut self,
        thing: &Credential,
        broker: &str,
        now: Timestamp,
    ) -> Result<Registered, StoreError>
    where
        Self: Sized,
    {
        things::register(self, thing, broker, now)
    }

    /// Makes a device that presented what an authority or an issuer signed, as an act of the
    /// broker's. It counts for good against what that one may make, and its name is never
    /// registered again until that is forgotten.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when its name is taken or was registered, and kind
    /// `Unavailable` when the registrar makes no such devices by now; else as
    /// [`Ledger::record_login`].
    fn register_device(
        &mut self,
        registrar: Registrar,
        device: &Credential,
        broker: &str,
        now: Timestamp,
    ) -> Result<Registered, StoreError>
    where
        Self: Sized,
    {
        devices::register(self, registrar, device, broker, now)
    }

    /// Makes a tenant the one that a user worked in last, if it is granted.
    ///
    /// # Errors
    ///
    /// As [`Ledger::record_login`].
    fn move_user(&mut self, user: CredentialId, tenant: &TenantId) -> Result<(), StoreError>
    where
        Self: Sized,
    {
        login::move_user(self, user, tenant)
    }

    /// Clears what an earlier run of `broker` left behind as connected, a little
    /// at a time. Stored sessions among it count as used until `now`.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written.
    fn clear_presence(&mut self, broker: &str, now: Timestamp) -> Result<(), StoreError>
    where
        Self: Sized,
    {
        presence::clear(self, broker, now)
    }

    /// Writes down what a broker says about itself, in place of what it said before.
    /// A bounded number of brokers is remembered, and all that are alive.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written.
    fn introduce_broker(&mut self, broker: &BrokerRecord) -> Result<(), StoreError>
    where
        Self: Sized,
    {
        brokers::introduce(self, broker)
    }

    /// Writes down that a broker still runs; all of it, where the store knows none
    /// of its name.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written.
    fn note_broker(&mut self, broker: &BrokerRecord, at: Timestamp) -> Result<(), StoreError>
    where
        Self: Sized,
    {
        brokers::note(self, broker, at)
    }

    /// Writes down how far a follower has followed, if it is there.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written.
    fn note_follower(
        &mut self,
        name: &FollowerName,
        progress: FollowerProgress,
    ) -> Result<(), StoreError>
    where
        Self: Sized,
    {
        brokers::note_follower(self, name, progress)
    }

    /// Ties a secret of a follower to the key of its machine, where none is known yet;
    /// says whether it is tied to this one now. Its replica is begun anew then, where one is
    /// begun already (`is_begun`).
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written.
    fn pin_machine(
        &mut self,
        secret: &SecretDigest,
        key: &MachineKey,
        is_begun: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError>
    where
        Self: Sized,
    {
        brokers::pin_machine(self, secret, key, is_begun, now)
    }

    /// Writes a batch down, in short transactions, so that no login waits long
    /// for the lock.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written. Observations at
    /// the front of the batch may be written then, and nothing else of it; to
    /// write the whole batch again does no harm.
    fn write_batch(&mut self, broker: &str, batch: &Batch) -> Result<(), StoreError>
    where
        Self: Sized,
    {
        presence::write_batch(self, broker, batch)
    }

    /// Moves refusals of minutes that ended before `now` into the audit, and removes
    /// what is old, a little at a time.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written. What was removed by
    /// then stays removed.
    fn tidy_up(&mut self, now: Timestamp) -> Result<(), StoreError>
    where
        Self: Sized,
    {
        upkeep::tidy_up(self, now)
    }

    /// Removes acts up to the row `last` and refusals from before `before`, a little
    /// at a time; says how many rows they were. A row of the acts must tell of it
    /// already: [`AuditRows::last_act_before`](crate::store::rows::AuditRows::last_act_before) finds `last`.
    ///
    /// # Errors
    ///
    /// As [`Ledger::tidy_up`].
    fn prune_audit(&mut self, last: AuditHead, before: Timestamp) -> Result<u64, StoreError>
    where
        Self: Sized,
    {
        upkeep::prune_audit(self, last, before)
    }
}
