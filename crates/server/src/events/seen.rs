//! What was seen of a store, and what is new since then.

use std::collections::HashMap;

use countersign_admin::events::{Event, LookAround, Surroundings};
use countersign_core::audit::AuditRow;
use countersign_core::presence::SessionNumber;
use countersign_core::store::BrokerPresence;
use countersign_core::time::Timestamp;

/// What was seen of a store.
pub(super) struct Seen {
    /// Who was connected; none where there were too many.
    sessions: Option<HashMap<(String, SessionNumber), BrokerPresence>>,
    /// How much each sum of refusals came to.
    sums: HashMap<(Timestamp, String), i64>,
    /// The last row of the audit that was looked at.
    pub(super) last: i64,
}

/// What is new.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) events: Vec<Event>,
    /// Whether there was more than can be told.
    pub(super) is_missed: bool,
    /// Whether there is more to look at.
    pub(super) is_more: bool,
}

impl Seen {
    /// How to look at what is new since what was seen.
    pub(super) fn look(seen: Option<&Self>) -> LookAround {
        LookAround {
            after: seen.map(|seen| seen.last),
            most: (MOST_SESSIONS, MOST),
        }
    }

    /// What a first look saw, of which nothing is new.
    pub(super) fn first(found: Surroundings) -> Self {
        let mut seen = Self {
            sessions: found.sessions.map(by_number),
            sums: HashMap::new(),
            last: found.last,
        };
        for row in found.sums {
            let _ = seen.count(row);
        }
        seen
    }

    /// What another look saw that is new.
    pub(super) fn compare(&mut self, found: Surroundings) -> News {
        let mut news = News {
            is_more: found.rows.len() >= MOST,
            ..News::default()
        };
        let sessions = found.sessions.map(by_number);
        match (self.sessions.take(), &sessions) {
            (Some(before), Some(now)) => compare_sessions(before, now, &mut news.events),
            (None, None) => {}
            (Some(_), None) | (None, Some(_)) => news.is_missed = true,
        }
        self.sessions = sessions;
        for row in found.rows {
            self.last = row.id.unwrap_or(self.last);
            let row = if row.entry.is_sum() {
                let counted = self.count(row);
                self.forget(&counted);
                counted
            } else {
                row
            };
            if row.entry.count > 0 {
                news.events.extend(Event::of_row(row));
            }
        }
        let oldest = found.sums.first().map(|row| row.entry.time);
        for row in found.sums {
            let row = self.count(row);
            if row.entry.count > 0 {
                news.events.extend(Event::of_row(row));
            }
        }
        if self.sums.len() > MOST_SUMS {
            // Those that should have got a number long ago.
            self.sums.retain(|(time, _), _| Some(*time) >= oldest);
        }
        if news.events.len() > MOST_AT_ONCE {
            news.events.truncate(MOST_AT_ONCE);
            news.is_missed = true;
        }
        news
    }

    /// A sum with what is new of it, which is remembered.
    fn count(&mut self, mut row: AuditRow) -> AuditRow {
        let key = row.key();
        let before = self.sums.insert((key.time, key.sum), row.entry.count);
        row.entry.count = row.entry.count.saturating_sub(before.unwrap_or(0));
        row
    }

    /// It has its number, so it does not come again.
    fn forget(&mut self, row: &AuditRow) {
        let key = row.key();
        self.sums.remove(&(key.time, key.sum));
    }
}

fn by_number(sessions: Vec<BrokerPresence>) -> HashMap<(String, SessionNumber), BrokerPresence> {
    let numbered = sessions.into_iter();
    let numbered = numbered.map(|it| ((it.broker.clone(), it.presence.session), it));
    numbered.collect()
}

/// Tells first who is gone, then who came.
fn compare_sessions(
    before: HashMap<(String, SessionNumber), BrokerPresence>,
    now: &HashMap<(String, SessionNumber), BrokerPresence>,
    events: &mut Vec<Event>,
) {
    // One whose tenant became known is the same.
    let is_same = |one: &BrokerPresence, other: &BrokerPresence| {
        let (one, other) = (&one.presence, &other.presence);
        one.tie == other.tie && one.connected_at == other.connected_at
    };
    let begun = now.iter().filter(|(key, it)| before.get(*key) != Some(*it));
    let begun: Vec<_> = begun
        .map(|(_, session)| Event::Session {
            session: session.clone(),
            is_connected: true,
        })
        .collect();
    let gone = before.into_iter().filter(|(key, it)| {
        let there = now.get(key);
        there.is_none_or(|there| !is_same(there, it))
    });
    events.extend(gone.map(|(_, session)| Event::Session {
        session,
        is_connected: false,
    }));
    events.extend(begun);
}

/// So many sessions are followed at most.
const MOST_SESSIONS: usize = 100_000;
/// So many rows and so many sums are looked at at once.
const MOST: usize = 2_000;
/// So many sums are remembered at most, and a look more.
const MOST_SUMS: usize = 20_000;
/// So many events are told at once.
const MOST_AT_ONCE: usize = 2_000;

#[cfg(test)]
mod tests {
    use countersign_core::audit::{AuditEntry, AuditOutcome};
    use countersign_core::client_id::ClientIdTie;
    use countersign_core::presence::Presence;

    use super::*;

    fn session(number: i64, connected_at: i64) -> BrokerPresence {
        BrokerPresence {
            broker: "b".into(),
            is_alive: true,
            behind: None,
            presence: Presence {
                session: SessionNumber(number),
                client_id: format!("c{number}").into(),
                tie: ClientIdTie::of(&format!("c{number}")),
                username: None,
                credential: None,
                tenant: None,
                address: None,
                protocol: 4,
                connected_at: Timestamp::from_millis(connected_at),
                authenticated: true,
                listener: None,
                stored: false,
            },
        }
    }

    fn sum(id: Option<i64>, count: i64) -> AuditRow {
        let entry = AuditEntry {
            outcome: AuditOutcome::Refused,
            count,
            ..AuditEntry::done(Timestamp::from_millis(0), "broker:b", "login", "dev1@acme")
        };
        AuditRow { id, entry }
    }

    fn act(id: i64) -> AuditRow {
        let time = Timestamp::from_millis(1);
        let entry = AuditEntry::done(time, "cli:root", "credential.suspend", "dev1@acme");
        AuditRow {
            id: Some(id),
            entry,
        }
    }

    fn found(sessions: Vec<BrokerPresence>) -> Surroundings {
        Surroundings {
            sessions: Some(sessions),
            sums: Vec::new(),
            rows: Vec::new(),
            last: 0,
        }
    }

    /// What is told, in short.
    fn told(news: &News) -> Vec<String> {
        let told = news.events.iter().map(|event| match event {
            Event::Session {
                session,
                is_connected,
            } => format!("{} {is_connected}", session.presence.client_id),
            Event::Credential(row) => row.entry.act.clone(),
            Event::Denied(row) | Event::Login(row) => {
                format!("{} {}", row.entry.act, row.entry.count)
            }
        });
        told.collect()
    }

    #[test]
    fn sessions_that_begin_and_end_are_told_and_one_that_takes_a_number_over_is_both() {
        let mut seen = Seen::first(found(vec![session(1, 1), session(2, 1)]));
        let mut look = |sessions| told(&seen.compare(found(sessions)));
        assert_eq!(look(vec![session(1, 1), session(2, 1)]), [""; 0]);
        assert_eq!(
            look(vec![session(1, 1), session(3, 1)]),
            ["c2 false", "c3 true"]
        );
        assert_eq!(
            look(vec![session(1, 2), session(3, 1)]),
            ["c1 false", "c1 true"]
        );
        let mut joined = session(3, 1);
        joined.presence.authenticated = false;
        assert_eq!(look(vec![session(1, 2), joined.clone()]), ["c3 true"]);
        assert_eq!(look(vec![joined]), ["c1 false"]);
    }

    #[test]
    fn too_many_sessions_and_too_much_at_once_is_told_as_missed() {
        let mut seen = Seen::first(found(Vec::new()));
        let many = Surroundings {
            sessions: None,
            ..found(Vec::new())
        };
        assert!(seen.compare(many.clone()).is_missed);
        assert!(!seen.compare(many).is_missed);
        assert!(seen.compare(found(Vec::new())).is_missed);
        let crowd = (0..5_000).map(|it| session(it, 1)).collect();
        let news = seen.compare(found(crowd));
        assert!(news.is_missed && news.events.len() == MOST_AT_ONCE);
    }

    #[test]
    fn a_sum_is_told_by_what_it_grew_also_when_it_gets_its_number() {
        let mut seen = Seen::first(Surroundings {
            sums: vec![sum(None, 2)],
            ..found(Vec::new())
        });
        let mut look = |sums, rows| {
            told(&seen.compare(Surroundings {
                sums,
                rows,
                ..found(Vec::new())
            }))
        };
        assert_eq!(look(vec![sum(None, 2)], vec![]), [""; 0]);
        assert_eq!(
            look(vec![sum(None, 5)], vec![act(1)]),
            ["credential.suspend", "login 3"]
        );
        assert_eq!(look(vec![], vec![sum(Some(2), 6)]), ["login 1"]);
        // What comes late for the same minute is another row.
        assert_eq!(look(vec![sum(None, 1)], vec![]), ["login 1"]);
        assert_eq!(look(vec![], vec![sum(Some(3), 1)]), [""; 0]);
        assert_eq!(seen.last, 3);
        assert!(seen.sums.is_empty());
    }
}
