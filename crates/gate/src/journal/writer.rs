//! The writer: writes presence, uses of credentials, refusals and denied uses of
//! topics to the store, in batches.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::broker::BrokerRecord;
use countersign_core::connect::{LoginRecord, Proof, SessionChange};
use countersign_core::name::TenantId;
use countersign_core::presence::{Presence, PresenceEvent};
use countersign_core::store::{Batch, GateStore, LoginEffects, Refusal, StoreError};
use countersign_core::time::Timestamp;

use crate::background::{Job, Join, Progress};
use crate::config::GateConfig;
use crate::counters::{BrokerAct, Counters};
use crate::journal::denied_uses::{DeniedUse, DeniedUses};
use crate::journal::entry::{JournalEntry, Moved, Rehashed};
use crate::journal::metrics_output::MetricsOutput;
use crate::journal::queue::{JournalQueue, QueueContent};
use crate::journal::refusal_counts::RefusalCounts;
use crate::journal::undos::WaitingUndo;
use crate::journal::waiting_bans::WaitingBans;
use crate::masking::shown_denied;

/// The host's end of the writer.
pub(crate) struct Writer {
    queue: Arc<JournalQueue<JournalEntry>>,
    /// What is written down is counted, too.
    pub(crate) counters: Arc<Counters>,
    _join: Join,
}

impl Writer {
    /// Starts to write.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error when the job can't be run.
    pub(crate) fn start<S: GateStore>(
        store: S,
        broker: BrokerRecord,
        config: &GateConfig,
    ) -> std::io::Result<Self> {
        let queue = Arc::new(JournalQueue::default());
        let counters = Arc::new(Counters::default());
        counters.has_followed(config.background.uptime());
        let job = WriterJob {
            queue: Arc::clone(&queue),
            maintained: (config.clock)(),
            store,
            introduced: broker.last_seen,
            is_unknown: false,
            broker,
            clock: Arc::clone(&config.clock),
            taken: QueueContent::default(),
            batch: Batch::default(),
            refusals: RefusalCounts::default(),
            denied: DeniedUses::of_writer(),
            moves: Vec::new(),
            undone: Vec::new(),
            bans: WaitingBans::default(),
            is_reopened: false,
            metrics: MetricsOutput::new(&counters, config),
        };
        let join = config
            .background
            .start("countersign-write", Box::new(job))?;
        Ok(Self {
            queue,
            counters,
            _join: join,
        })
    }

    /// Lets another job hand over something.
    pub(crate) fn queue(&self) -> Arc<JournalQueue<JournalEntry>> {
        Arc::clone(&self.queue)
    }

    /// Hands over that a session began or ended; the credential of one that
    /// began was used.
    pub(crate) fn observe(&self, observation: PresenceEvent) {
        if let PresenceEvent::Connected(presence) = &observation {
            self.counters
                .admit(presence.authenticated, presence.tenant.as_ref());
        }
        self.queue.observe(observation);
    }

    /// Hands over that a session is there which began before: another store is to
    /// know of it.
    pub(crate) fn observe_again(&self, presence: Presence) {
        self.queue.observe_again(presence);
    }

    /// Hands over that a use of a topic was denied to a session that works in this
    /// tenant.
    pub(crate) fn deny(&self, denied: DeniedUse, tenant: Option<&TenantId>, now: Timestamp) {
        self.counters.deny(denied.act, denied.cause, tenant);
        self.queue.deny(denied, now);
    }

    /// Hands over something else to write down.
    pub(crate) fn append(&self, entry: JournalEntry) {
        match &entry {
            JournalEntry::Kicked(_) => self.counters.act(BrokerAct::Kick, true),
            JournalEntry::Refused(login) => {
                self.counters.refuse(login.cause, login.tenant.as_ref());
            }
            JournalEntry::Acted(_)
            | JournalEntry::Banned(_)
            | JournalEntry::Described(_)
            | JournalEntry::Discarded(_)
            | JournalEntry::Moved(_)
            | JournalEntry::Rehashed(_)
            | JournalEntry::Reopened
            | JournalEntry::Undone(_) => {}
        }
        match entry {
            JournalEntry::Kicked(_) => self.queue.put_urgent(entry),
            // Rare, and nothing stands for it where it is lost.
            JournalEntry::Described(_)
            | JournalEntry::Moved(_)
            | JournalEntry::Reopened
            | JournalEntry::Undone(_) => self.queue.put(entry),
            JournalEntry::Acted(_)
            | JournalEntry::Banned(_)
            | JournalEntry::Discarded(_)
            | JournalEntry::Refused(_)
            | JournalEntry::Rehashed(_) => {
                self.queue.put_if_room(entry);
            }
        }
    }
}

impl Drop for Writer {
    /// The job ends once it has written down what is left.
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// The job's own part.
struct WriterJob<S> {
    queue: Arc<JournalQueue<JournalEntry>>,
    store: S,
    /// What the store is to remember of the broker.
    broker: BrokerRecord,
    /// When the store was last told that the broker runs.
    introduced: Timestamp,
    /// Whether the store does not know the broker as it is now.
    is_unknown: bool,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// What was taken out of the queue.
    taken: QueueContent<JournalEntry>,
    /// What was handed to the store, perhaps in vain.
    batch: Batch,
    refusals: RefusalCounts,
    /// Of this minute, and of those before that could not be written.
    denied: DeniedUses,
    /// The last of each user and client id, in the order they happened.
    moves: Vec<Moved>,
    undone: Vec<Arc<WaitingUndo>>,
    bans: WaitingBans,
    /// Whether what the store says about who is connected is to go before anything
    /// is written.
    is_reopened: bool,
    /// When the store was last maintained.
    maintained: Timestamp,
    metrics: MetricsOutput,
}

impl<S: GateStore> Job for WriterJob<S> {
    fn step(&mut self) -> Progress {
        let has_any = self.queue.take(&mut self.taken);
        let is_last = self.taken.is_closed;
        self.gather();
        self.flush(is_last);
        if self.batch.observations.is_empty() && !self.is_reopened {
            // By now the store says who is logged in.
            let now = (self.clock)();
            let counters = &self.metrics.counters;
            self.bans.write(&mut self.store, counters, now);
        }
        // A connection that does not look keeps all others from opening
        // another store.
        let _there = self.store.mark();
        let now = (self.clock)();
        if is_last {
            let _cleared = self.store.clear_presence(&self.broker.name, now);
            let _noted = self.store.note_broker(&self.broker, now);
            self.store.remove_metrics(&self.broker.name);
            return Progress::Over;
        }
        if now.since(self.maintained) >= MAINTAIN_EVERY || now < self.maintained {
            self.maintained = now;
            // What failed is tried again next time.
            let _done = self.store.maintain(now);
        }
        if now.since(self.introduced) >= INTRODUCED_EVERY || now < self.introduced {
            self.introduced = now;
            // Seen a minute later, if it fails.
            let _noted = self.store.note_broker(&self.broker, now);
        }
        self.metrics.write(&self.store, &self.broker.name);
        if has_any {
            Progress::Worked
        } else {
            Progress::Idle
        }
    }

    fn wait(&mut self) {
        self.queue.wait(IDLE);
    }
}

impl<S: GateStore> WriterJob<S> {
    /// Gathers what was taken out.
    fn gather(&mut self) {
        let mut taken = core::mem::take(&mut self.taken);
        let waiting = self.batch.observations.len();
        let has_room = MOST_WAITING.saturating_sub(waiting);
        self.batch
            .observations
            .extend(taken.buffer.take().take(has_room));
        for entry in taken.entries.drain(..) {
            self.take(entry);
        }
        self.denied.absorb(&mut taken.denied);
        taken.clear();
        self.taken = taken;
    }

    fn take(&mut self, entry: JournalEntry) {
        match entry {
            JournalEntry::Acted(entry) => push_if_room(&mut self.batch.audit, *entry),
            JournalEntry::Banned(ban) => self.bans.push(*ban),
            JournalEntry::Described(options) => {
                self.broker.options = Some(*options);
                self.is_unknown = true;
            }
            JournalEntry::Kicked(id) => push_if_room(&mut self.batch.kicked, id),
            JournalEntry::Moved(moved) => {
                let is_same = |other: &Moved| {
                    other.user.id == moved.user.id && other.client_id == moved.client_id
                };
                self.moves.retain(|other| !is_same(other));
                push_if_room(&mut self.moves, *moved);
            }
            JournalEntry::Discarded(credential_cache) => drop(credential_cache),
            JournalEntry::Refused(refused) => self.refusals.add(refused),
            JournalEntry::Rehashed(Rehashed { secret, old, new }) => {
                // What fails is done again after the next slow check.
                let _done = self.store.replace_password_hash(secret, &old, &new);
            }
            JournalEntry::Reopened => self.is_reopened = true,
            JournalEntry::Undone(undo) => push_if_room(&mut self.undone, undo),
        }
    }

    /// Writes what was gathered; keeps it for the next time if that fails.
    fn flush(&mut self, is_last: bool) {
        if self.is_reopened {
            let name = &self.broker.name;
            let cleared = self.store.clear_presence(name, (self.clock)());
            self.is_reopened = cleared.is_err();
            if self.is_reopened {
                return;
            }
            self.is_unknown = true;
        }
        if self.is_unknown {
            self.broker.last_seen = (self.clock)();
            self.is_unknown = self.store.introduce_broker(&self.broker).is_err();
        }
        self.write_undone();
        self.write_moves();
        self.batch.refusals = self.refusals.rows();
        let now = (self.clock)();
        // Where names can't be looked up, nothing can be written either.
        let Ok(denied) = self.denied_rows(now, is_last) else {
            return;
        };
        self.batch.refusals.extend(denied);
        let is_empty = self.batch.observations.is_empty()
            && self.batch.kicked.is_empty()
            && self.batch.audit.is_empty()
            && self.batch.refusals.is_empty();
        if is_empty {
            return;
        }
        if self
            .store
            .write_batch(&self.broker.name, &self.batch)
            .is_ok()
        {
            self.batch = Batch::default();
            self.refusals = RefusalCounts::default();
            self.denied.settle(now, is_last);
        }
    }

    /// What is to be written of denied uses.
    fn denied_rows(&mut self, now: Timestamp, is_last: bool) -> Result<Vec<Refusal>, StoreError> {
        let mut schemes = None;
        let store = &mut self.store;
        self.denied.rows(now, is_last, |denied| {
            let schemes = match &schemes {
                Some(schemes) => schemes,
                None => schemes.insert(store.schemes()?.readable),
            };
            shown_denied(denied, schemes, store)
        })
    }
}

impl<S: GateStore> WriterJob<S> {
    /// Undoes what logins recorded that were not let in. Each of them may wait for
    /// the store's lock, so after one that fails the rest is for the next time.
    fn write_undone(&mut self) {
        let mut left = core::mem::take(&mut self.undone).into_iter();
        while let Some(undo) = left.next() {
            if undo.settle(&mut self.store).is_err() {
                self.undone.push(undo);
                self.undone.extend(left);
                return;
            }
        }
    }

    /// Writes where users work now; keeps it for the next time where that
    /// fails.
    fn write_moves(&mut self) {
        let Self {
            store,
            broker,
            moves,
            ..
        } = self;
        moves.retain(|moved| {
            if store.move_user(moved.user.id, &moved.tenant).is_err() {
                return true;
            }
            if moved.is_stored {
                let login = LoginEffects {
                    broker: &broker.name,
                    client_id: &moved.client_id,
                    username: Some(moved.user.name.as_str()),
                    tenant: Some(&moved.tenant),
                    proved: Some((&moved.user, Proof::Secret(moved.secret))),
                    record: LoginRecord {
                        session: SessionChange::Taken,
                        ..LoginRecord::default()
                    },
                };
                // A user who changed meanwhile, or lost the id, is left alone.
                let _recorded = store.record_login(&login, moved.at);
            }
            false
        });
    }
}

/// Adds what is kept until the store can be written, as far as there is room.
fn push_if_room<T>(kept: &mut Vec<T>, more: T) {
    if kept.len() < MOST_WAITING {
        kept.push(more);
    }
}

const IDLE: Duration = Duration::from_secs(1);
/// What a store says of when a broker was last seen is not older.
const INTRODUCED_EVERY: Duration = Duration::from_secs(60);
const MAINTAIN_EVERY: Duration = Duration::from_secs(5);
const MOST_WAITING: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_t_be_written_for_long_has_an_end() {
        let mut kept = Vec::new();
        for number in 0..MOST_WAITING + 10 {
            push_if_room(&mut kept, number);
        }
        assert_eq!(kept.len(), MOST_WAITING);
        assert_eq!(kept.last(), Some(&(MOST_WAITING - 1)));
    }
}
