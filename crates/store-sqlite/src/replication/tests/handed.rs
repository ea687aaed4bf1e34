//! What a broker wrote goes back to the centre, and counts there once.

use countersign_core::hand_back::{HandBack, HandedBack};
use countersign_core::ledger::{FollowerLedger as _, Ledger as _};

use super::*;

impl Pair {
    fn judge(&mut self, handed: &HandBack) -> HandedBack {
        let now = Timestamp::from_millis(100);
        let judged = self
            .centre
            .take_hand_back(&self.secret, handed, &mut || Some(0), now);
        judged.unwrap().unwrap().answer
    }

    /// Hands all back that there is; says how many items that was.
    pub(super) fn hand_back(&mut self) -> usize {
        let mut count = 0_usize;
        while let Some(handed) = self.replica.to_hand_back().unwrap() {
            count = count.saturating_add(handed.items.len());
            let answer = self.judge(&handed);
            let now = Timestamp::from_millis(101);
            self.replica
                .settle_hand_back(&handed, &answer, now)
                .unwrap();
        }
        count
    }

    pub(super) fn waiting(&self) -> Vec<String> {
        column(&self.replica, "SELECT kind FROM hand_back ORDER BY seq")
    }
}

/// A credential that was never used, with two secrets.
const FRESH: &str = "UPDATE credential SET state = 'Inactive', ever_used = 0,
         client_id_rule = 'first-use' WHERE id = 3;
    UPDATE secret SET until_used = 1 WHERE credential = 3;
    INSERT INTO secret (credential, digest) VALUES (3, randomblob(32))";
/// What its first login writes, and one that fails.
const LOGIN: &str = "UPDATE credential SET state = 'Active', ever_used = 1, last_used_at = 50,
         client_id_tie = zeroblob(32), bound_to = zeroblob(32) WHERE id = 3;
    DELETE FROM secret WHERE credential = 3 AND until_used = 1;
    INSERT INTO lockout VALUES ('x@mail.test', 0, 1, NULL, 60)";

#[test]
fn what_a_broker_wrote_the_centre_knows_and_tells() {
    let mut pair = Pair::of(None);
    pair.act(FRESH);
    pair.follow();
    assert!(pair.waiting().is_empty(), "the centre wrote that");
    pair.replica.connection.execute_batch(LOGIN).unwrap();
    assert_eq!(pair.hand_back(), 5);
    // Until the centre tells of it, what it told before changes nothing.
    assert_eq!(pair.waiting().len(), 5);
    pair.follow();
    pair.assert_equal();
    assert!(pair.waiting().is_empty());
    let known = column(
        &pair.centre,
        "SELECT concat(state, ' ', last_used_at, ' ', hex(client_id_tie) = hex(zeroblob(32)))
             FROM credential WHERE id = 3
         UNION ALL SELECT concat(failures) FROM lockout WHERE name = 'x@mail.test'",
    );
    assert_eq!(known, ["Active 50 1", "1"]);
    // What the centre undoes is undone here: it is nobody's to keep any more.
    pair.act("UPDATE credential SET state = 'Inactive', client_id_tie = NULL, bound_to = NULL WHERE id = 3");
    pair.follow();
    pair.assert_equal();
}

/// An answer of the centre that is older than what it judged meanwhile undoes nothing.
#[test]
fn an_answer_that_was_on_its_way_meanwhile_undoes_nothing() {
    let mut pair = Pair::of(None);
    pair.act(FRESH);
    pair.follow();
    pair.act("UPDATE credential SET description = 'x' WHERE id = 3");
    let SinceThen::Changes(older) = pair.since(pair.place.unwrap()) else {
        panic!("behind");
    };
    pair.replica.connection.execute_batch(LOGIN).unwrap();
    pair.hand_back();
    let now = Timestamp::from_millis(102);
    pair.replica.take_changes(&older, now).unwrap();
    pair.place = Some(older.place);
    let kept = column(
        &pair.replica,
        "SELECT concat(state, ' ', client_id_tie IS NOT NULL, ' ',
             (SELECT count(*) FROM secret WHERE credential = 3)) FROM credential WHERE id = 3",
    );
    assert_eq!(kept, ["Active 1 1"]);
    pair.follow();
    pair.assert_equal();
}

/// Wherever the follower dies between the broker, the centre and its own file.
#[test]
fn what_is_handed_back_counts_once_whoever_dies() {
    let mut pair = Pair::of(None);
    pair.follow();
    let failures = |store: &SqliteStore| {
        column(
            store,
            "SELECT CAST(failures AS TEXT) FROM lockout WHERE name = 'x@mail.test'",
        )
    };
    let fail = "INSERT INTO lockout VALUES ('x@mail.test', 0, 1, NULL, 60)
        ON CONFLICT DO UPDATE SET failures = failures + 1, updated_at = 61";
    pair.replica.connection.execute_batch(fail).unwrap();
    pair.replica.connection.execute_batch(fail).unwrap();
    let first = pair.replica.to_hand_back().unwrap().unwrap();
    // It was sent, and perhaps it was judged: more of it is another item.
    pair.replica.connection.execute_batch(fail).unwrap();
    pair.judge(&first);
    assert_eq!(failures(&pair.centre), ["2"]);
    let again = pair.replica.to_hand_back().unwrap().unwrap();
    assert_eq!((&again.items[0], again.items.len()), (&first.items[0], 2));
    assert_eq!(pair.hand_back(), 2);
    assert_eq!(failures(&pair.centre), ["3"]);
    pair.follow();
    pair.assert_equal();
    // A copy of the file from before has numbers that were judged: it takes others.
    pair.replica
        .connection
        .execute_batch("DELETE FROM hand_back; UPDATE replica SET last_seq = 0")
        .unwrap();
    pair.replica.connection.execute_batch(fail).unwrap();
    assert_eq!(pair.hand_back(), 2);
    assert_eq!(failures(&pair.centre), ["4"]);
}

/// Two brokers tied the same credential: who reaches the centre first has won.
#[test]
fn of_two_ties_the_first_that_is_handed_back_holds() {
    for is_told_first in [false, true] {
        let mut pair = Pair::of(None);
        pair.act(FRESH);
        pair.follow();
        pair.replica.connection.execute_batch(LOGIN).unwrap();
        let winner = "x'0101010101010101010101010101010101010101010101010101010101010101'";
        pair.act(&format!(
            "UPDATE credential SET client_id_tie = {winner}, bound_to = {winner} WHERE id = 3"
        ));
        if is_told_first {
            pair.follow();
        }
        let last = pair.replica.last_change().unwrap();
        pair.hand_back();
        let told = pair.replica.changes_after(last, 10).unwrap();
        assert_eq!(told.len(), usize::from(!is_told_first), "the tie is undone");
        pair.follow();
        pair.assert_equal();
        let refused = column(
            &pair.centre,
            "SELECT concat(actor, ' ', subject, ' ', outcome, ' ', cause) FROM audit
             WHERE act = 'follower.hand-back'",
        );
        assert_eq!(
            refused,
            ["broker:edge dev1@acme refused client-id-mismatch"]
        );
    }
}

/// However long the centre is away, there is one row of a sort for a credential and two
/// for a name, and names that are forgotten take theirs along.
#[test]
fn what_waits_to_be_handed_back_has_a_bound() {
    let mut pair = Pair::of(None);
    pair.act(FRESH);
    pair.follow();
    for time in 51..300 {
        let login = format!(
            "UPDATE credential SET last_used_at = {time}, client_id_tie = randomblob(32) WHERE id = 3;
             UPDATE credential SET state = 'Inactive' WHERE id = 3;
             UPDATE credential SET state = 'Active' WHERE id = 3;
             INSERT INTO lockout VALUES ('x@mail.test', 0, 1, NULL, 60)
                 ON CONFLICT DO UPDATE SET failures = failures + 1;
             INSERT INTO lockout VALUES ('y{time}@mail.test', 0, 1, NULL, 60);
             DELETE FROM lockout WHERE name = 'y{time}@mail.test'"
        );
        pair.replica.connection.execute_batch(&login).unwrap();
        if time == 200 {
            pair.replica.to_hand_back().unwrap();
        }
    }
    let mut waiting = pair.waiting();
    waiting.sort();
    assert_eq!(waiting, ["activated", "failed", "failed", "tied", "used"]);
}

/// What the centre wants to end at a replica's broker reaches that broker, and the answer
/// the centre. Requests of before a snapshot do not.
#[test]
fn a_request_to_end_a_session_goes_to_the_broker_and_the_answer_comes_back() {
    use countersign_core::change::{Change, ChangeSeq};
    let mut pair = Pair::of(None);
    let ask = |pair: &Pair, id: i64, whose: &str| {
        pair.act(&format!(
            "INSERT INTO kick_request (id, at, client_id, follower, broker, session, actor, subject)
             VALUES ({id}, 1, {whose}, 'cli:root', 'c')"
        ));
    };
    let tie = format!("'{}', NULL, NULL, NULL", "0a".repeat(32));
    ask(&pair, 1, &tie);
    pair.follow();
    for broker in ["one", "two"] {
        let sql = format!(
            "INSERT INTO broker (name, last_seen) VALUES ('{broker}', 1);
             INSERT INTO presence (broker, session, client_id, protocol, connected_at,
                 authenticated, stored) VALUES ('{broker}', 4, 'c', 5, 1, 0, 0)"
        );
        pair.replica.connection.execute_batch(&sql).unwrap();
    }
    let alive = pair.replica.lock_broker("two").unwrap();
    for (id, whose) in [
        (2, &*tie),
        (3, "NULL, 'edge', 'one', 7"),
        (4, "NULL, 'edge', '', 4"),
        (5, "NULL, 'west', '', 4"),
        (6, "NULL, NULL, 'one', 4"),
        (7, "NULL, 'edge', '', 5"),
    ] {
        ask(&pair, id, whose);
    }
    let last = pair.replica.last_change().unwrap();
    pair.follow();
    let asked = |pair: &mut Pair, last: ChangeSeq| {
        let told = pair.replica.changes_after(last, 100).unwrap();
        let told = told.into_iter().map(|(_, change)| {
            let Change::KickRequested(id) = change else {
                panic!("{change:?}");
            };
            id.0
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(asked(&mut pair, last), [2, 3, 4]);
    let there = column(
        &pair.replica,
        "SELECT concat(id, ' ', client_id IS NOT NULL, ' ', broker, ' ', session) FROM kick_request",
    );
    assert_eq!(there, ["2 1  ", "3 0 one 7", "4 0 two 4"]);
    // The broker answers, as it answers its administrator.
    let batch = countersign_core::store::Batch {
        kicked: vec![countersign_core::change::KickRequestId(4)],
        ..Default::default()
    };
    pair.replica.write_batch("two", &batch).unwrap();
    assert_eq!(pair.waiting(), ["kicked"]);
    pair.hand_back();
    let answered = "SELECT concat(id, ' ', answered) FROM kick_request WHERE id IN (3, 4)";
    assert_eq!(column(&pair.centre, answered), ["3 0", "4 1"]);
    let acts = "SELECT concat(actor, ' ', subject) FROM audit WHERE act = 'client.kick'";
    assert_eq!(column(&pair.centre, acts), ["cli:root c"]);
    assert!(column(&pair.replica, acts).is_empty());
    // What was taken back is not asked any more.
    ask(&pair, 8, &tie);
    pair.act("UPDATE kick_request SET answered = 2 WHERE id = 8");
    let last = pair.replica.last_change().unwrap();
    pair.follow();
    assert!(asked(&mut pair, last).is_empty());
    drop(alive);
}
