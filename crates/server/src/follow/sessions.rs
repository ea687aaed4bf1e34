//! Telling the centre who is connected at the broker.
//!
//! What the centre was told is remembered; whoever came or went since is told. Where
//! anything goes wrong, all is told anew.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use countersign_core::name::TenantId;
use countersign_core::presence::SessionNumber;
use countersign_core::store::rows::PresenceRows as _;
use countersign_core::store::{AdminStore as _, Intent, Page, StoreError, StoreMark, each_row};
use countersign_core::time::Timestamp;
use countersign_core::told_sessions::{
    GoneSession, MOST_TOLD, TakenSessions, ToldSession, ToldSessions,
};
use countersign_sqlite::{SqliteStore, newest_schema};

use super::FollowError;
use super::centre::{Answered, Centre, CentreError};

/// What the centre knows of who is connected here.
pub(super) struct Sessions {
    /// Each session that it knows: its beginning, and the tenant, which becomes known later.
    known: BTreeMap<(String, SessionNumber), (Timestamp, Option<TenantId>)>,
    is_only: bool,
    telling: i64,
    part: u64,
    waiting: VecDeque<News>,
    /// When all was looked at.
    looked: Option<StoreMark>,
    next_at: Instant,
}

enum News {
    Gone(GoneSession),
    Here(ToldSession),
}

impl Sessions {
    pub(super) fn new() -> Self {
        let mut number = [0; 8];
        // Without randomness two tellings may be taken for one, which loses a listing.
        let _ = getrandom::fill(&mut number);
        Self {
            known: BTreeMap::new(),
            is_only: true,
            telling: i64::from_le_bytes(number),
            part: 0,
            waiting: VecDeque::new(),
            looked: None,
            next_at: Instant::now(),
        }
    }

    /// Whether there may be something to tell by now.
    pub(super) fn is_due(&self, mark: Option<StoreMark>) -> bool {
        let is_wanted = self.part == 0 || !self.waiting.is_empty() || mark != self.looked;
        is_wanted && Instant::now() >= self.next_at
    }

    /// Looks who is connected, or tells the next part.
    ///
    /// # Errors
    ///
    /// Returns [`FollowError`] when that did not go well; all is told anew then.
    pub(super) fn step(
        &mut self,
        store: &mut SqliteStore,
        centre: &mut Centre<'_>,
        mark: Option<StoreMark>,
    ) -> Result<(), FollowError> {
        let done = self.try_step(store, centre, mark);
        if !matches!(done, Ok(true)) {
            *self = Self::new();
        }
        done.map(|_| ())
    }

    /// Says whether the centre still knows of this telling.
    fn try_step(
        &mut self,
        store: &mut SqliteStore,
        centre: &mut Centre<'_>,
        mark: Option<StoreMark>,
    ) -> Result<bool, FollowError> {
        if self.waiting.is_empty() {
            let begun = Instant::now();
            let is_same = self.look(store)?;
            self.looked = mark;
            // However many there are, most of the time goes to something else.
            let rest = begun.elapsed().saturating_mul(20).max(EACH_LOOK);
            self.next_at = begun.checked_add(rest).unwrap_or(begun);
            if !is_same {
                return Ok(false);
            }
            if self.waiting.is_empty() && self.part > 0 {
                return Ok(true);
            }
        }
        let mut told = ToldSessions {
            schema: newest_schema(),
            telling: self.telling,
            part: self.part,
            is_only: self.is_only,
            here: Vec::new(),
            gone: Vec::new(),
        };
        let count = self.waiting.len().min(MOST_TOLD);
        for news in self.waiting.drain(..count) {
            match news {
                News::Gone(gone) => told.gone.push(gone),
                News::Here(here) => told.here.push(here),
            }
        }
        let body = serde_json::to_string(&told).map_err(|_| CentreError::Nonsense)?;
        match centre.ask::<TakenSessions>(PATH, Some(&body))? {
            Answered::Behind => return Ok(false),
            Answered::Told(_) => self.part = self.part.saturating_add(1),
        }
        if !self.waiting.is_empty() {
            let now = Instant::now();
            self.next_at = now.checked_add(EACH_PART).unwrap_or(now);
        }
        Ok(true)
    }

    /// Finds who came and who went since. Says whether the same may be told on: a second
    /// broker makes sessions be called otherwise.
    fn look(&mut self, store: &mut SqliteStore) -> Result<bool, StoreError> {
        let mut reading = store.begin(Intent::Read)?;
        let mut gone = self.known.clone();
        let mut only: Option<String> = None;
        let mut is_only = true;
        let (known, waiting) = (&mut self.known, &mut self.waiting);
        each_row(
            |page: &Page<(String, SessionNumber)>| reading.presence(None, page),
            |session| {
                if !session.is_alive {
                    return Ok(());
                }
                is_only &= only.get_or_insert_with(|| session.broker.clone()) == &session.broker;
                let key = (session.broker, session.presence.session);
                let presence = &session.presence;
                let now = (presence.connected_at, presence.tenant.clone());
                let before = gone.remove(&key);
                let is_new = before.is_none();
                if before.as_ref() != Some(&now) && (!is_new || known.len() < MOST_KNOWN) {
                    waiting.push_back(News::Here(ToldSession::of(&key.0, presence)));
                    known.insert(key, now);
                }
                Ok::<_, StoreError>(())
            },
        )?;
        for (key, _) in gone {
            self.known.remove(&key);
            let (broker, SessionNumber(session)) = key;
            self.waiting
                .push_front(News::Gone(GoneSession { broker, session }));
        }
        let is_same = self.part == 0 || self.is_only == is_only;
        self.is_only = is_only;
        Ok(is_same)
    }
}

/// So often it is looked who is connected, while something changes.
const EACH_LOOK: Duration = Duration::from_secs(1);
/// The centre takes ten parts a second.
const EACH_PART: Duration = Duration::from_millis(100);
/// Of more the centre does not know anyway.
const MOST_KNOWN: usize = 100_000;
const PATH: &str = "/replication/v1/sessions";

#[cfg(test)]
mod tests {
    use countersign_core::client_id::ClientIdTie;
    use countersign_core::ledger::Ledger as _;
    use countersign_core::presence::{Presence, PresenceEvent};
    use countersign_core::store::{Batch, GateStore as _, Settings};

    use super::*;

    fn connect(store: &mut SqliteStore, broker: &str, session: i64, at: i64) {
        let presence = Presence {
            session: SessionNumber(session),
            client_id: "c".into(),
            tie: ClientIdTie::of("c"),
            username: None,
            credential: None,
            tenant: None,
            address: None,
            protocol: 5,
            connected_at: Timestamp::from_millis(at),
            authenticated: false,
            listener: None,
            stored: false,
        };
        let batch = Batch {
            observations: vec![PresenceEvent::Connected(presence)],
            ..Batch::default()
        };
        store.write_batch(broker, &batch).unwrap();
    }

    /// What is told: the sessions that are there, and those that are gone.
    fn told(sessions: &mut Sessions) -> String {
        sessions.part = 1;
        let told = sessions.waiting.drain(..).map(|news| match news {
            News::Gone(gone) => format!("-{}:{}", gone.broker, gone.session),
            News::Here(here) => format!("+{}:{}", here.broker, here.session),
        });
        told.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn who_comes_and_goes_is_told_and_with_a_second_broker_all_are_told_anew() {
        let folder = tempfile::tempdir().unwrap();
        let mut store =
            SqliteStore::create(folder.path().join("x.db"), &Settings::default()).unwrap();
        let mut sessions = Sessions::new();
        connect(&mut store, "dead", 1, 1);
        connect(&mut store, "b", 1, 1);
        connect(&mut store, "b", 2, 1);
        let alive = store.lock_broker("b").unwrap();
        assert!(sessions.look(&mut store).unwrap());
        assert_eq!(told(&mut sessions), "+b:1 +b:2");
        assert!(sessions.look(&mut store).unwrap());
        assert_eq!(told(&mut sessions), "");
        // A broker that started again numbers its sessions from the beginning.
        store
            .clear_presence("b", Timestamp::from_millis(2))
            .unwrap();
        connect(&mut store, "b", 2, 3);
        assert!(sessions.look(&mut store).unwrap());
        assert_eq!(told(&mut sessions), "-b:1 +b:2");
        let _other = store.lock_broker("dead").unwrap();
        assert!(!sessions.look(&mut store).unwrap());
        let mut sessions = Sessions::new();
        assert!(sessions.look(&mut store).unwrap());
        assert!(!sessions.is_only);
        assert_eq!(told(&mut sessions), "+b:2 +dead:1");
        drop(alive);
        assert!(!sessions.look(&mut store).unwrap());
        assert_eq!(told(&mut sessions), "-b:2");
    }
}
