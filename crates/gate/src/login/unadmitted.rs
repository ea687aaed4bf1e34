//! Connections that tried to log in and were not let in, by handle: held, asked for
//! a code, or refused. None of them has rights. A host may still ask about them,
//! above all about their Wills.
//!
//! Each takes a few bytes, however long its client id is, and their number is
//! bounded. While there are more than fit, every client that the gate does not
//! know has no rights.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use countersign_core::connect::Request;
use countersign_core::number_map::NumberMap;
use countersign_core::time::{Interval, Timestamp};

use crate::host::{ClientRef, ConnectOutcome, Handle, OwnedConnectSource, Ticket};
use crate::login::slow_check::HashResult;

/// Connections that are not let in.
#[derive(Default)]
pub(crate) struct Unadmitted {
    by_handle: NumberMap<Handle, Connection>,
    /// How many there are of each kind.
    counts: [usize; Stage::KINDS],
    /// Until when there are more than are kept.
    overflow_until: Option<Timestamp>,
    hasher: RandomState,
    tidied: Interval,
}

/// One of them.
struct Connection {
    /// Stands for its client id.
    client_id_hash: u64,
    stage: Stage,
}

/// What became of its login.
pub(crate) enum Stage {
    /// It was asked for a code, which is waited for no more. Stays until its handle
    /// is another's, for hosts may keep its Will for long.
    Asked,
    /// It was asked for a code.
    Challenged(Box<OpenChallenge>),
    /// Its host holds it.
    Held(Ticket),
    /// Its host held it; it is asked about until then.
    LetGo(Timestamp),
    /// It was refused; it is asked about until then.
    Refused(Timestamp),
}

/// A login that was asked for a code.
pub(crate) struct OpenChallenge {
    pub(crate) request: Request,
    /// What a slow check found out about its password, which is not checked
    /// again when the code comes.
    pub(crate) hash_result: Option<HashResult>,
    pub(crate) source: OwnedConnectSource,
    pub(crate) since: Timestamp,
}

impl Stage {
    const KINDS: usize = 5;

    const fn kind(&self) -> usize {
        match self {
            Self::Asked => 0,
            Self::Challenged(_) => 1,
            Self::Held(_) => 2,
            Self::LetGo(_) => 3,
            Self::Refused(_) => 4,
        }
    }
}

impl Unadmitted {
    /// Takes note of what became of a login.
    pub(crate) fn insert(
        &mut self,
        handle: Handle,
        client_id: &[u8],
        stage: Stage,
        now: Timestamp,
    ) {
        self.remove(handle);
        if !self.has_room_beside(&stage) {
            self.overflow_until = self.overflow_until.max(Some(now.plus(REMEMBERED)));
            return;
        }
        self.count(&stage, 1);
        let client_id_hash = self.hasher.hash_one(client_id);
        let connection = Connection {
            client_id_hash,
            stage,
        };
        self.by_handle.insert(handle, connection);
    }

    /// Takes note of what became of a login by enhanced authentication.
    pub(crate) fn mark(
        &mut self,
        handle: Handle,
        client_id: &[u8],
        outcome: &ConnectOutcome,
        now: Timestamp,
    ) {
        match outcome {
            ConnectOutcome::Admitted { .. } => self.remove(handle),
            // It is known already.
            ConnectOutcome::Challenge { .. } => {}
            ConnectOutcome::Pending { .. } | ConnectOutcome::Refused { .. } => {
                let stage = match self.stage(handle) {
                    Some(Stage::Asked | Stage::Challenged(_)) => Stage::Asked,
                    Some(Stage::Held(_) | Stage::LetGo(_) | Stage::Refused(_)) | None => {
                        Stage::Refused(now.plus(REMEMBERED))
                    }
                };
                self.insert(handle, client_id, stage, now);
            }
        }
    }

    /// Takes note that this handle belongs to another client now, or that its
    /// client was let in.
    pub(crate) fn remove(&mut self, handle: Handle) {
        if let Some(connection) = self.by_handle.remove(&handle) {
            self.count(&connection.stage, -1);
        }
    }

    /// What became of the login of a connection.
    pub(crate) fn stage(&self, handle: Handle) -> Option<&Stage> {
        self.by_handle.get(&handle).map(|it| &it.stage)
    }

    /// Says whether one more may be held.
    pub(crate) fn has_room_to_hold(&self) -> bool {
        self.has_room_beside(&Stage::Held(Ticket(0)))
    }

    /// Says whether one more may be asked for a code.
    pub(crate) fn has_room_to_ask(&self) -> bool {
        let [_, challenged, ..] = self.counts;
        challenged < MOST_OPEN && self.has_room_beside(&Stage::Asked)
    }

    /// Says whether a connection with this stage would be kept: those that are held
    /// and those that are asked have places of their own.
    fn has_room_beside(&self, stage: &Stage) -> bool {
        let [asked, challenged, held, let_go, refused] = self.counts;
        let there_are = match stage {
            Stage::Held(_) | Stage::LetGo(_) => held.saturating_add(let_go),
            Stage::Asked | Stage::Challenged(_) | Stage::Refused(_) => {
                asked.saturating_add(challenged).saturating_add(refused)
            }
        };
        there_are < MOST
    }

    /// Takes note that a client that was held is held no more.
    pub(crate) fn let_go(&mut self, handle: Handle, now: Timestamp) {
        self.change(handle, Stage::LetGo(now.plus(REMEMBERED)));
    }

    /// What was asked of the connection with this handle, if it is in time.
    pub(crate) fn take_challenge(
        &mut self,
        handle: Handle,
        client_id: &[u8],
        now: Timestamp,
    ) -> Option<OpenChallenge> {
        let Some(Stage::Challenged(_)) = self.stage(handle) else {
            return None;
        };
        let Some(Stage::Challenged(open)) = self.change(handle, Stage::Asked) else {
            return None;
        };
        let is_its = open.request.client_id.as_str().as_bytes() == client_id;
        (is_its && !open.is_over(now)).then_some(*open)
    }

    /// Takes note that the connection with this handle is gone. One that was
    /// asked for a code may have left a Will behind that comes long after it is
    /// gone; of one that was refused, no host keeps any.
    pub(crate) fn release(&mut self, handle: Handle) {
        match self.stage(handle) {
            Some(Stage::Challenged(_)) => drop(self.change(handle, Stage::Asked)),
            Some(Stage::Refused(_)) => self.remove(handle),
            Some(Stage::Asked | Stage::Held(_) | Stage::LetGo(_)) | None => {}
        }
    }

    fn change(&mut self, handle: Handle, stage: Stage) -> Option<Stage> {
        self.by_handle.get(&handle)?;
        self.count(&stage, 1);
        let connection = self.by_handle.get_mut(&handle)?;
        let before = core::mem::replace(&mut connection.stage, stage);
        self.count(&before, -1);
        Some(before)
    }

    fn count(&mut self, stage: &Stage, more: isize) {
        if let Some(count) = self.counts.get_mut(stage.kind()) {
            *count = count.saturating_add_signed(more);
        }
    }

    /// Says whether a client has no rights. Costs next to nothing while there
    /// is none.
    pub(crate) fn has(&self, client: &ClientRef<'_>) -> bool {
        if self.overflow_until.is_some() {
            return true;
        }
        !self.by_handle.is_empty()
            && self.by_handle.get(&client.handle).is_some_and(|it| {
                client
                    .client_id
                    .is_none_or(|id| self.hasher.hash_one(id) == it.client_id_hash)
            })
    }

    /// Says whether time changes nothing here.
    pub(crate) fn is_idle(&self) -> bool {
        let [_, challenged, _, let_go, refused] = self.counts;
        challenged == 0 && let_go == 0 && refused == 0 && self.overflow_until.is_none()
    }

    /// Forgets handles that no host asks about any more, and logins that took too
    /// long, with their passwords. Says whether it was time for that.
    pub(crate) fn tidy(&mut self, now: Timestamp) -> bool {
        if !self.tidied.is_over(TIDY_EVERY, now) {
            return false;
        }
        // A clock that was set back keeps nobody for longer.
        let is_over = |until: Timestamp| now >= until || until.since(now) > REMEMBERED;
        if !self.is_idle() {
            self.by_handle.retain(|_, it| match &it.stage {
                Stage::Asked | Stage::Held(_) => true,
                Stage::Challenged(open) => {
                    if open.is_over(now) {
                        it.stage = Stage::Asked;
                    }
                    true
                }
                Stage::LetGo(until) | Stage::Refused(until) => !is_over(*until),
            });
            self.counts = [0; Stage::KINDS];
            for it in self.by_handle.values() {
                if let Some(count) = self.counts.get_mut(it.stage.kind()) {
                    *count = count.saturating_add(1);
                }
            }
            self.by_handle
                .shrink_to(self.by_handle.len().saturating_mul(2).max(KEPT));
        }
        self.overflow_until = self.overflow_until.filter(|until| !is_over(*until));
        true
    }
}

impl OpenChallenge {
    fn is_over(&self, now: Timestamp) -> bool {
        now < self.since || now.since(self.since) >= REMEMBERED
    }
}

/// Of those that are held, and of the others. Some 40 bytes each.
const MOST: usize = 65_536;
/// So many logins are asked for a code at once.
const MOST_OPEN: usize = 1_024;
/// So long a code is waited for. A host asks about a Will soon after its client
/// is gone.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(60);
const TIDY_EVERY: Duration = Duration::from_secs(1);
/// There is room for so many that nothing need be asked of the allocator.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn client(handle: usize, client_id: &[u8]) -> ClientRef<'_> {
        ClientRef {
            handle: Handle(handle),
            client_id: Some(client_id),
            ..ClientRef::default()
        }
    }

    #[test]
    fn nobody_is_nobody_at_first() {
        let unadmitted = Unadmitted::default();
        assert!(!unadmitted.has(&client(1, b"a")) && unadmitted.is_idle());
    }

    #[test]
    fn a_nobody_is_told_by_handle_and_client_id_and_forgotten_in_time() {
        let mut unadmitted = Unadmitted::default();
        let refused = Stage::Refused(NOW.plus(REMEMBERED));
        unadmitted.insert(Handle(1), b"a", refused, NOW);
        unadmitted.insert(Handle(2), b"b", Stage::Held(Ticket(1)), NOW);
        assert!(unadmitted.has(&client(1, b"a")) && !unadmitted.has(&client(1, b"b")));
        unadmitted.tidy(NOW.plus(REMEMBERED));
        assert!(!unadmitted.has(&client(1, b"a")) && unadmitted.has(&client(2, b"b")));
        assert!(unadmitted.is_idle());
        unadmitted.let_go(Handle(2), NOW);
        assert!(!unadmitted.is_idle());
        unadmitted.tidy(NOW.plus(2 * REMEMBERED));
        assert!(!unadmitted.has(&client(2, b"b")) && unadmitted.is_idle());
    }

    #[test]
    fn where_there_are_more_than_are_kept_all_whom_nothing_is_known_of_are_nobody() {
        let mut unadmitted = Unadmitted::default();
        let client_id = vec![b'x'; 1_024];
        let refused = || Stage::Refused(NOW.plus(REMEMBERED));
        for number in 0..MOST {
            unadmitted.insert(Handle(number), &client_id, refused(), NOW);
        }
        assert!(!unadmitted.has(&client(MOST, b"a")) && !unadmitted.has_room_to_ask());
        // Those that are held have places of their own.
        assert!(unadmitted.has_room_to_hold());
        unadmitted.insert(Handle(MOST), b"a", refused(), NOW);
        assert!(unadmitted.has(&client(MOST + 1, b"z")));
        assert_eq!(unadmitted.by_handle.len(), MOST);
        assert!(size_of::<(Handle, Connection)>() <= 40);
        unadmitted.tidy(NOW.plus(REMEMBERED));
        assert!(!unadmitted.has(&client(MOST + 1, b"z")) && unadmitted.is_idle());
        assert!(unadmitted.by_handle.capacity() <= 2 * KEPT);
    }
}
