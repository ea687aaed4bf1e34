//! Which clients the plugin answered for: those that are here, and those that
//! went away and may have left a session with the broker.

use core::hash::{BuildHasher, Hasher as _};
use std::hash::RandomState;
use std::time::{Duration, Instant};

use countersign::Handle;
use countersign::core::number_map::NumberMap;

/// The clients, by their handles.
///
/// The broker does not say when it forgets a session, so one that is gone
/// stays until its handle is used again; there are never more than the broker
/// had clients at its busiest.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    known: NumberMap<Handle, ClientRecord>,
    /// What those presented who wait for a verdict.
    waiting: NumberMap<Handle, PendingClient>,
    /// What those proved who have a pre-shared key.
    proved: NumberMap<Handle, u64>,
    key: RandomState,
}

#[derive(Debug)]
struct ClientRecord {
    owner: AnsweredBy,
    is_here: bool,
    /// Whether its CONNECT asked to start without a stored session.
    starts_clean: bool,
    /// Whether the broker closes its connection later than it is asked to.
    closes_late: bool,
    /// Whether the broker let it in without a question, for its certificate or key.
    is_vouched_for: bool,
    fingerprint: Fingerprint,
}

/// A client that waits for a verdict.
#[derive(Debug)]
struct PendingClient {
    client_id: u64,
    password: PasswordPrint,
    since: Instant,
}

/// Who answers for a client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum AnsweredBy {
    /// The gate let it in.
    Gate,
    /// Nobody does: it is to be ended, and what it left with the broker is
    /// anybody's.
    Nobody,
    /// The gate does not know it, and others may.
    Others,
}

/// Stands for a client id, a user name and a password, without telling them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Fingerprint {
    client_id: u64,
    all: u64,
}

/// Stands for a password, without telling it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct PasswordPrint(u64);

impl Clients {
    /// The print of a password.
    pub(crate) fn password_print(&self, password: Option<&[u8]>) -> PasswordPrint {
        PasswordPrint(self.key.hash_one(password))
    }

    /// Stands for what was presented by enhanced authentication, which the
    /// broker does not show again.
    pub(crate) fn enhanced_print(&self) -> PasswordPrint {
        PasswordPrint(self.key.hash_one("enhanced authentication"))
    }

    /// The fingerprint of what the broker has of a client.
    pub(crate) fn fingerprint(
        &self,
        client_id: &[u8],
        username: Option<&[u8]>,
        password: PasswordPrint,
    ) -> Fingerprint {
        let client_id = self.key.hash_one(client_id);
        // What has a length comes last, so that its length need not be hashed.
        let mut all = self.key.build_hasher();
        all.write_u64(client_id);
        all.write_u64(password.0);
        all.write_u8(username.is_some().into());
        all.write(username.unwrap_or_default());
        Fingerprint {
            client_id,
            all: all.finish(),
        }
    }

    /// Takes note of a client that waits for a verdict.
    pub(crate) fn waits(&mut self, handle: Handle, client_id: &[u8], password: PasswordPrint) {
        self.known.remove(&handle);
        let client_id = self.key.hash_one(client_id);
        // The broker lets one wait for each id, and does not say that one left.
        self.waiting.retain(|_, other| other.client_id != client_id);
        let since = Instant::now();
        self.waiting.insert(
            handle,
            PendingClient {
                client_id,
                password,
                since,
            },
        );
    }

    /// Says whether a client that asked for this id not long ago waits still, or
    /// left without a word.
    pub(crate) fn holds_waiting(&self, client_id: &[u8]) -> bool {
        let client_id = self.key.hash_one(client_id);
        let mut waiting = self.waiting.values();
        waiting.any(|it| it.client_id == client_id && it.since.elapsed() < LONGEST_WAIT)
    }

    /// Says whether a client waits for a verdict.
    pub(crate) fn is_waiting(&self, handle: Handle) -> bool {
        self.waiting.contains_key(&handle)
    }

    /// What a client presented that waited, and waits no more.
    pub(crate) fn waited(&mut self, handle: Handle) -> Option<PasswordPrint> {
        Some(self.waiting.remove(&handle)?.password)
    }

    /// Takes note of a client, of which the broker now has this.
    pub(crate) fn came(&mut self, handle: Handle, owner: AnsweredBy, fingerprint: Fingerprint) {
        let known = ClientRecord {
            owner,
            is_here: true,
            starts_clean: true,
            closes_late: false,
            is_vouched_for: false,
            fingerprint,
        };
        self.waiting.remove(&handle);
        self.known.insert(handle, known);
    }

    /// Takes note of how a client connected.
    pub(crate) fn describe(&mut self, handle: Handle, starts_clean: bool, closes_late: bool) {
        if let Some(known) = self.known.get_mut(&handle) {
            known.starts_clean = starts_clean;
            known.closes_late = closes_late;
        }
    }

    /// Takes note that the broker let a client in without a question.
    pub(crate) fn vouched_for(&mut self, handle: Handle) {
        if let Some(known) = self.known.get_mut(&handle) {
            known.is_vouched_for = true;
        }
    }

    /// Says whether the gate's session of a client that is about to go may have
    /// been taken over by one that is not asked about. 2.0 takes a session over by
    /// making it a clean one. Where the session itself was let in without a
    /// question, its own client is the likeliest to take it over; whoever it is, is
    /// judged at its first use.
    pub(crate) fn may_be_taken_over(&self, handle: Handle, is_clean: bool) -> bool {
        let known = self.known.get(&handle);
        known.is_some_and(|it| {
            it.is_here
                && it.owner == AnsweredBy::Gate
                && !it.is_vouched_for
                && (it.starts_clean || is_clean)
        })
    }

    /// Takes note of the identity that a client proved by a pre-shared key.
    pub(crate) fn proved(&mut self, handle: Handle, identity: &[u8]) {
        if self.proved.len() >= MOST_PROVED {
            // Whoever is forgotten has no rights until it connects again.
            self.proved.clear();
        }
        self.proved.insert(handle, self.key.hash_one(identity));
    }

    /// Says whether a client proved this identity by a pre-shared key.
    pub(crate) fn has_proved(&self, handle: Handle, identity: &[u8]) -> bool {
        self.proved.get(&handle) == Some(&self.key.hash_one(identity))
    }

    /// Says whether the broker closes the connection of a client later than it
    /// is asked to.
    pub(crate) fn closes_late(&self, handle: Handle) -> bool {
        let known = self.known.get(&handle);
        known.is_some_and(|known| known.is_here && known.closes_late)
    }

    /// Takes note that a connection is gone. The second time, so is what it
    /// left behind.
    pub(crate) fn went(&mut self, handle: Handle) {
        self.proved.remove(&handle);
        match self.known.get_mut(&handle) {
            Some(known) if known.is_here => known.is_here = false,
            Some(_) => self.forget(handle),
            None => {}
        }
    }

    /// Forgets a client.
    pub(crate) fn forget(&mut self, handle: Handle) {
        self.known.remove(&handle);
        self.waiting.remove(&handle);
    }

    /// Who answers for a client that is here.
    pub(crate) fn owner(&self, handle: Handle) -> Option<AnsweredBy> {
        let known = self.known.get(&handle)?;
        known.is_here.then_some(known.owner)
    }

    /// Says whether the gate or others let a client in, here or away.
    pub(crate) fn is_ours(&self, handle: Handle) -> bool {
        let known = self.known.get(&handle);
        known.is_some_and(|known| known.owner != AnsweredBy::Nobody)
    }

    /// Says whether a client with this id is known, here or away. With its handle
    /// alone it may be another, in the place of one that is long gone.
    pub(crate) fn knows(&self, handle: Handle, client_id: &[u8]) -> bool {
        let client_id = self.key.hash_one(client_id);
        let known = self.known.get(&handle);
        known.is_some_and(|known| known.fingerprint.client_id == client_id)
    }

    /// Says whether a client is here.
    pub(crate) fn is_here(&self, handle: Handle) -> bool {
        self.owner(handle).is_some()
    }

    /// Says whether a client went away that had this handle and this id: what goes
    /// then is what it left behind.
    pub(crate) fn has_left(&self, handle: Handle, client_id: &[u8]) -> bool {
        let client_id = self.key.hash_one(client_id);
        self.known
            .get(&handle)
            .is_some_and(|known| !known.is_here && known.fingerprint.client_id == client_id)
    }

    /// Says whether this is a client that went away, and not one of others.
    pub(crate) fn is_away(&self, handle: Handle, fingerprint: Fingerprint) -> bool {
        self.known.get(&handle).is_some_and(|known| {
            !known.is_here && known.owner != AnsweredBy::Others && known.fingerprint == fingerprint
        })
    }
}

/// No verdict takes so long.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// So many identities are remembered.
const MOST_PROVED: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    const HANDLE: Handle = Handle(1);

    fn fingerprint(
        clients: &Clients,
        id: &[u8],
        name: Option<&[u8]>,
        password: Option<&[u8]>,
    ) -> Fingerprint {
        clients.fingerprint(id, name, clients.password_print(password))
    }

    #[test]
    fn nobody_is_here_or_away_at_first() {
        let clients = Clients::default();
        assert!(!clients.is_here(HANDLE));
        assert!(!clients.is_away(HANDLE, fingerprint(&clients, b"", None, None)));
    }

    #[test]
    fn a_client_that_waits_is_neither_here_nor_away() {
        let mut clients = Clients::default();
        let password = clients.password_print(Some(b"p"));
        let print = clients.fingerprint(b"c", None, password);
        clients.came(HANDLE, AnsweredBy::Gate, print);
        clients.waits(HANDLE, b"c", password);
        assert!(clients.holds_waiting(b"c") && !clients.holds_waiting(b"d"));
        assert!(!clients.is_here(HANDLE) && !clients.is_away(HANDLE, print));
        assert_eq!(clients.waited(HANDLE), Some(password));
        assert_eq!(clients.waited(HANDLE), None);
    }

    #[test]
    fn a_client_is_away_until_its_session_is_gone_too() {
        let mut clients = Clients::default();
        let print = fingerprint(&clients, b"c", Some(b"u"), Some(b"p"));
        clients.came(HANDLE, AnsweredBy::Gate, print);
        assert!(clients.is_here(HANDLE) && !clients.is_away(HANDLE, print));
        clients.went(HANDLE);
        assert!(!clients.is_here(HANDLE) && clients.is_away(HANDLE, print));
        for (id, name, password) in [
            (&b"d"[..], Some(&b"u"[..]), Some(&b"p"[..])),
            (b"c", Some(b"v"), Some(b"p")),
            (b"c", Some(b"u"), Some(b"q")),
            (b"c", Some(b"u"), None),
            (b"c", None, Some(b"up")),
            (b"cu", None, Some(b"p")),
        ] {
            assert!(!clients.is_away(HANDLE, fingerprint(&clients, id, name, password)));
        }
        clients.went(HANDLE);
        assert!(!clients.is_away(HANDLE, print));
    }

    #[test]
    fn clients_take_room_by_handle_and_client_id_however_often_they_come() {
        let mut clients = Clients::default();
        let password = clients.password_print(None);
        for round in 0..1_000_usize {
            let handle = Handle(round % 10);
            let client_id = (round % 3).to_le_bytes();
            clients.waits(handle, &client_id, password);
            let print = clients.fingerprint(&client_id, None, password);
            let other = Handle(10 + round % 10);
            clients.came(other, AnsweredBy::Gate, print);
            clients.proved(other, &round.to_le_bytes());
        }
        assert_eq!((clients.known.len(), clients.waiting.len()), (10, 3));
        assert_eq!(clients.proved.len(), 10);
        for number in 0..MOST_PROVED + 10 {
            clients.proved(Handle(number), b"id");
        }
        assert!(clients.proved.len() <= MOST_PROVED);
    }

    #[test]
    fn who_has_the_handle_of_one_that_went_and_another_id_is_not_known() {
        let mut clients = Clients::default();
        let print = fingerprint(&clients, b"c", None, None);
        clients.came(HANDLE, AnsweredBy::Gate, print);
        clients.went(HANDLE);
        assert!(clients.knows(HANDLE, b"c") && !clients.knows(HANDLE, b"local.edge"));
    }

    #[test]
    fn clients_of_others_are_never_away() {
        let mut clients = Clients::default();
        let print = fingerprint(&clients, b"c", None, None);
        clients.came(HANDLE, AnsweredBy::Others, print);
        clients.went(HANDLE);
        assert!(!clients.is_away(HANDLE, print));
    }
}
