//! The sessions that the broker was asked to end, and that it has not ended yet.

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::Handle;
use countersign::core::number_map::NumberMap;

/// Sessions that the broker was asked to end, and that it has not ended yet.
#[derive(Debug, Default)]
pub(super) struct PendingKicks(NumberMap<Handle, PendingKick>);

#[derive(Debug)]
struct PendingKick {
    client_id: Arc<str>,
    /// What is logged once it has ended.
    line: String,
    /// When the broker was asked last; none while it is being asked.
    asked: Option<Instant>,
    /// Whether it was asked by user name already, which is done once.
    is_lost: bool,
}

impl PendingKicks {
    /// Adds a session that the broker is about to be asked to end.
    pub(super) fn add(&mut self, handle: Handle, client_id: &Arc<str>, line: &str) {
        let kick = PendingKick {
            client_id: Arc::clone(client_id),
            line: line.to_owned(),
            asked: None,
            is_lost: false,
        };
        self.0.insert(handle, kick);
    }

    /// Says whether a client may do nothing any more. While the broker is asked
    /// to end it, it asks about the client's Will and its subscriptions, which
    /// the gate knows about.
    pub(super) fn holds(&self, handle: Handle) -> bool {
        !self.0.is_empty() && self.0.get(&handle).is_some_and(|it| it.asked.is_some())
    }

    /// Says whether a client has yet to end, or is ending just now.
    pub(super) fn is_open(&self, handle: Handle) -> bool {
        self.0.contains_key(&handle)
    }

    /// Those that have not ended for a while, and of which the broker may be asked
    /// again by client id.
    pub(super) fn late(&self) -> Vec<(Handle, Arc<str>)> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let now = Instant::now();
        let is_late = |kick: &PendingKick| {
            let is_due = |asked: Instant| now.saturating_duration_since(asked) >= ASK_AGAIN;
            !kick.is_lost && kick.asked.is_some_and(is_due)
        };
        let late = self.0.iter().filter(|(_, kick)| is_late(kick));
        late.map(|(handle, kick)| (*handle, Arc::clone(&kick.client_id)))
            .collect()
    }

    /// Takes note that the broker is being asked to end a client (`None`), or was
    /// asked then.
    pub(super) fn set_asked(&mut self, handle: Handle, asked: Option<Instant>) {
        if let Some(kick) = self.0.get_mut(&handle) {
            kick.asked = asked;
        }
    }

    /// Takes note that the broker does not know a client by its id.
    pub(super) fn set_lost(&mut self, handle: Handle) {
        if let Some(kick) = self.0.get_mut(&handle) {
            kick.is_lost = true;
        }
    }

    /// Forgets a client; answers the line about it.
    pub(super) fn remove(&mut self, handle: Handle) -> Option<String> {
        Some(self.0.remove(&handle)?.line)
    }
}

/// So long after it was asked, the broker is asked again.
pub(super) const ASK_AGAIN: Duration = Duration::from_secs(1);
