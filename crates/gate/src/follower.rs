//! Following the change log, beside the host's thread.
//!
//! The follower looks at the store's state every few milliseconds, which costs
//! next to nothing, and reads the log after a commit. What it finds waits in an
//! [`Inbound`] for the host's thread. It also raises the [`WakeSignal`] again
//! for the other jobs of the gate.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign_core::audit::AuditHeads;
use countersign_core::change::{Change, ChangeSeq};
use countersign_core::seal::SealKey;
use countersign_core::store::{GateStore, KeyReading, StoreError, StoreMark};
use countersign_core::time::Timestamp;

use crate::background::{Background, Job, Join, Progress};
use crate::cache::bans::{BanTable, Bans};
use crate::config::GateConfig;
use crate::contact::Contact;
use crate::counters::Counters;
use crate::host::LogLevel;
use crate::wakeup::{Inbound, WakeSignal};

/// The host's end of the follower.
pub(crate) struct Follower {
    wake_signal: Arc<WakeSignal>,
    events: Arc<Inbound<FollowerEvent>>,
    /// The mark of the key file that the host's thread read, or was told of since.
    key_file_mark: Arc<AtomicU64>,
    /// Bans that the host has not taken.
    bans: Arc<Mutex<Option<Bans>>>,
    _join: Join,
}

/// What is followed, and from where on.
pub(crate) struct Followed<S> {
    pub(crate) store: S,
    pub(crate) last: ChangeSeq,
    pub(crate) ban_table: BanTable,
    pub(crate) contact: Arc<Contact>,
}

/// What the follower found.
pub(crate) enum FollowerEvent {
    /// Bans are others: [`Follower::take_bans`] has them.
    Bans,
    /// Something changed.
    Changed(Change),
    /// The key file is another one, or gone.
    KeyFile,
    /// Something to be kept in the host's log.
    Log(LogLevel, String),
    /// The log can't be read.
    Lost,
}

impl Follower {
    /// Starts to follow what is committed.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error when the job can't be run.
    pub(crate) fn start<S: GateStore>(
        followed: Followed<S>,
        wake_signal: &Arc<WakeSignal>,
        counters: &Arc<Counters>,
        config: &GateConfig,
    ) -> std::io::Result<Self> {
        let Followed {
            store,
            last,
            ban_table,
            contact,
        } = followed;
        let events = Arc::new(Inbound::new(Arc::clone(wake_signal)));
        let key_file_mark = Arc::new(AtomicU64::new(store.key_file_mark()));
        let bans = Arc::new(Mutex::new(None));
        let job = FollowerJob {
            store,
            last,
            ban_table,
            bans: Arc::clone(&bans),
            contact,
            was_stale: false,
            clock: Arc::clone(&config.clock),
            mark: None,
            key_file_mark: Arc::clone(&key_file_mark),
            lost: None,
            heads: None,
            looked_at_heads: None,
            wake_signal: Arc::clone(wake_signal),
            events: Arc::clone(&events),
            background: Arc::clone(&config.background),
            counters: Arc::clone(counters),
        };
        let join = config.background.start("countersign-log", Box::new(job))?;
        Ok(Self {
            wake_signal: Arc::clone(wake_signal),
            events,
            key_file_mark,
            bans,
            _join: join,
        })
    }

    /// Takes so much at most of what was found since the last time, once the wake
    /// signal was acknowledged.
    pub(crate) fn take(&self, most: usize) -> VecDeque<FollowerEvent> {
        self.events.take_most(most)
    }

    /// Takes the bans that were laid out last, if the host has not.
    pub(crate) fn take_bans(&self) -> Option<Bans> {
        untaken(&self.bans).take()
    }

    /// Reads the key for the host's thread, which is told when the file is not the
    /// one that was read.
    pub(crate) fn read_key(&self, store: &impl GateStore) -> Option<SealKey> {
        let KeyReading { key, mark } = store.read_key();
        self.key_file_mark.store(mark, Ordering::Relaxed);
        key
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.wake_signal.stop();
    }
}

/// The job's own part.
struct FollowerJob<S> {
    store: S,
    last: ChangeSeq,
    ban_table: BanTable,
    bans: Arc<Mutex<Option<Bans>>>,
    contact: Arc<Contact>,
    /// Whether the log says so.
    was_stale: bool,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// When all that the store then held was read.
    mark: Option<StoreMark>,
    key_file_mark: Arc<AtomicU64>,
    /// Why it can't be followed, as it was said last.
    lost: Option<String>,
    /// The heads of the audit that were said last.
    heads: Option<AuditHeads>,
    looked_at_heads: Option<Duration>,
    wake_signal: Arc<WakeSignal>,
    events: Arc<Inbound<FollowerEvent>>,
    background: Arc<dyn Background>,
    counters: Arc<Counters>,
}

impl<S: GateStore> Job for FollowerJob<S> {
    fn step(&mut self) -> Progress {
        if self.wake_signal.is_stopped() {
            return Progress::Over;
        }
        self.look_at_key_file();
        self.log_staleness();
        let looked = self.look().and_then(|changes| {
            // Before the host hears of the changes, so that it finds them there.
            let followed = self.follow_bans(&changes);
            tell(&self.events, changes);
            followed
        });
        match looked {
            Ok(()) => {
                if self.lost.take().is_some() {
                    let line = "following the store again".into();
                    self.events
                        .put([FollowerEvent::Log(LogLevel::Notice, line)]);
                }
                self.log_audit_heads();
                if self.events.len() == 0 {
                    self.counters.has_followed(self.background.uptime());
                }
            }
            Err(error) => {
                let error = error.to_string();
                if self.lost.as_ref() != Some(&error) {
                    let line = format!(
                        "can't follow the store, so changes don't reach live sessions, and \
                         logins are refused: {error}"
                    );
                    let lost = FollowerEvent::Log(LogLevel::Error, line);
                    self.events.put([FollowerEvent::Lost, lost]);
                    self.lost = Some(error);
                }
            }
        }
        if self.events.len() > 0 {
            Progress::Worked
        } else {
            Progress::Idle
        }
    }

    fn wait(&mut self) {
        self.wake_signal.wait(LOOK_EVERY);
    }
}

impl<S: GateStore> FollowerJob<S> {
    fn look_at_key_file(&mut self) {
        let mark = self.store.key_file_mark();
        if self.key_file_mark.swap(mark, Ordering::Relaxed) != mark {
            self.events.put([FollowerEvent::KeyFile]);
        }
    }

    /// Has it said when a replica becomes stale, and when it is no longer.
    fn log_staleness(&mut self) {
        let is_stale = self.contact.is_stale((self.clock)());
        if is_stale == self.was_stale {
            return;
        }
        self.was_stale = is_stale;
        let (level, line) = match (is_stale, self.contact.is_refusing()) {
            (true, true) => (
                LogLevel::Error,
                "this replica has not heard from its centre for longer than `max_staleness`, so \
                 logins are refused; see whether `countersign follow` runs",
            ),
            (true, false) => (
                LogLevel::Warning,
                "this replica has not heard from its centre for longer than `max_staleness`, and \
                 serves on; see whether `countersign follow` runs",
            ),
            (false, _) => (LogLevel::Notice, "this replica is not stale any more"),
        };
        self.events.put([FollowerEvent::Log(level, line.into())]);
    }

    /// Has the heads of the audit kept in the host's log, where who writes to
    /// the store can't change them: at once, and then at times if they are
    /// others.
    fn log_audit_heads(&mut self) {
        if self
            .looked_at_heads
            .is_some_and(|at| self.background.uptime().saturating_sub(at) < HEADS_EVERY)
        {
            return;
        }
        let Ok(heads) = self.store.audit_heads() else {
            return;
        };
        self.looked_at_heads = Some(self.background.uptime());
        if self.heads != Some(heads) {
            self.heads = Some(heads);
            let AuditHeads { acts, refusals } = heads;
            let line = format!("audit heads: acts {acts}, refusals {refusals}");
            self.events
                .put([FollowerEvent::Log(LogLevel::Notice, line)]);
        }
    }

    /// Lays bans out anew where one changed, for the host to take. Where they can't be
    /// read, that is tried again the next time.
    fn follow_bans(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        self.ban_table.note(changes);
        if self.ban_table.catch_up(&mut self.store)? {
            let bans = self.ban_table.lay_out(self.last, (self.clock)());
            if untaken(&self.bans).replace(bans).is_none() {
                self.events.put([FollowerEvent::Bans]);
            }
        }
        Ok(())
    }

    /// What was committed since the last look.
    fn look(&mut self) -> Result<Vec<Change>, StoreError> {
        let mark = self.store.mark()?;
        if self.mark == Some(mark) {
            return Ok(Vec::new());
        }
        let mut changes = Vec::new();
        loop {
            let part = self.store.changes_after(self.last, PART)?;
            let is_last = part.len() < PART;
            for (seq, change) in part {
                self.last = seq;
                changes.push(change);
            }
            if changes.len() > MOST_NEWS {
                changes = vec![Change::Everything];
            }
            if is_last {
                break;
            }
        }
        self.contact.note(self.store.replica()?.as_ref());
        self.mark = Some(mark);
        Ok(changes)
    }
}

fn untaken(bans: &Mutex<Option<Bans>>) -> MutexGuard<'_, Option<Bans>> {
    bans.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands changes over to the host. Where the host took none of them for so long
/// that it is full, everything may have changed.
fn tell(inbound: &Inbound<FollowerEvent>, changes: Vec<Change>) {
    if inbound.len().saturating_add(changes.len()) > MOST_NEWS {
        let kept = inbound.take().into_iter();
        let kept = kept.filter(|events| !matches!(events, FollowerEvent::Changed(_)));
        inbound.put(kept.chain([FollowerEvent::Changed(Change::Everything)]));
    } else {
        inbound.put(changes.into_iter().map(FollowerEvent::Changed));
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(10);
/// By a clock that is never set.
const HEADS_EVERY: Duration = Duration::from_secs(3_600);
const PART: usize = 1_000;
/// So many changes wait for the host; beyond that it judges everything again.
const MOST_NEWS: usize = 65_536;

#[cfg(test)]
mod tests {
    use countersign_core::credential::CredentialId;

    use super::*;

    #[test]
    fn where_the_host_takes_no_changes_everything_changed_and_nothing_piles_up() {
        let inbound = Inbound::new(Arc::new(WakeSignal::new(Arc::new(|| ()))));
        inbound.put([FollowerEvent::KeyFile]);
        for number in 0..i64::try_from(MOST_NEWS).unwrap() {
            tell(&inbound, vec![Change::Credential(CredentialId(number))]);
            assert!(inbound.len() <= MOST_NEWS);
        }
        let events = inbound.take();
        assert_eq!(events.len(), 2);
        assert!(matches!(events.front(), Some(FollowerEvent::KeyFile)));
        assert!(matches!(
            events.back(),
            Some(FollowerEvent::Changed(Change::Everything))
        ));
    }
}
