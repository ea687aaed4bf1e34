//! What a gate writes down: in the store, off the host's thread, and in its host's
//! log. Sessions that began and ended, credentials that were used, refused logins,
//! acts of the gate.
//!
//! The host's thread puts entries into the [`queue`]. The queue merges what
//! belongs together in a [`buffer`]. The [`writer`] takes all of it out and hands
//! it to the store in batches.

use countersign_core::ban::FailureTimes;
use countersign_core::client_id::is_made_up;
use countersign_core::presence::{PresenceEvent, SessionEnd};
use countersign_core::store::{GateStore, SessionUndo};
use countersign_core::time::Timestamp;

use crate::config::{GateConfig, GateError};
use crate::connection::session::Session;
use crate::host::CompletionStatus;
use crate::journal::host_log::HostLog;
use crate::journal::recent_uses::{EndedUse, RecentUses};

use self::entry::JournalEntry;
use self::undos::Undos;
use self::writer::Writer;

mod buffer;
pub(crate) mod denied_uses;
pub(crate) mod entry;
pub(crate) mod host_log;
mod metrics_output;
pub(crate) mod queue;
pub(crate) mod recent_uses;
mod refusal_counts;
pub(crate) mod undos;
mod waiting_bans;
pub(crate) mod writer;

/// What a gate writes down.
pub(crate) struct Journal {
    pub(crate) writer: Writer,
    /// What is perhaps not written yet, and counts all the same.
    pub(crate) recent_uses: RecentUses,
    pub(crate) undos: Undos,
    pub(crate) host_log: HostLog,
    /// When logins failed, for automatic bans.
    pub(crate) failure_times: FailureTimes,
}

/// Has it written down that a broker begins anew, nobody connected, and begins to
/// write.
///
/// # Errors
///
/// Returns [`GateError`] when the store can't be written, or when the writer can't be
/// run.
pub(crate) fn begin_journal<S: GateStore>(
    store: &mut S,
    config: &GateConfig,
) -> Result<Writer, GateError> {
    let now = (config.clock)();
    store.clear_presence(config.broker(), now)?;
    store.give_up_arrivals(config.broker())?;
    let broker = config.describe(now);
    store.introduce_broker(&broker)?;
    store.remove_metrics(&broker.name);
    Ok(Writer::start(store.reopen()?, broker, config)?)
}

impl Journal {
    pub(crate) fn new(writer: Writer) -> Self {
        Self {
            writer,
            recent_uses: RecentUses::default(),
            undos: Undos::default(),
            host_log: HostLog::default(),
            failure_times: FailureTimes::default(),
        }
    }

    /// Has it written down that a session ended, and remembers it until that is
    /// done; `is_again` where its client id is another session's by now.
    pub(crate) fn end(
        &mut self,
        session: &Session,
        is_kept: Option<bool>,
        is_again: bool,
        now: Timestamp,
    ) {
        self.writer.observe(PresenceEvent::Disconnected(SessionEnd {
            session: session.number,
            tie: session.tie,
            credential: session.credential(),
            began: session.began,
            at: now,
            // What a host gives up of a connection that another one took over
            // from is not the session.
            is_kept: is_kept.filter(|_| !is_again),
        }));
        if !is_again && !is_made_up(&session.client_id) {
            let ended = EndedUse::of(session, is_kept, now);
            self.recent_uses.add(session.tie, ended);
        }
    }

    /// Undoes what a login recorded whose client was not let in, or takes note that
    /// it was; at once, or as soon as the store can be written.
    pub(crate) fn answer(
        &mut self,
        store: &mut impl GateStore,
        undo: SessionUndo,
        status: CompletionStatus,
    ) {
        if let Some(waiting) = self.undos.answer(store, undo, status) {
            self.writer.append(JournalEntry::Undone(waiting));
        }
    }
}
