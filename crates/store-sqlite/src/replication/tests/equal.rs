//! A replica is equal to its centre.

use super::*;

#[test]
fn a_replica_is_what_its_centre_is_after_a_snapshot_and_after_each_change() {
    let mut pair = Pair::of(None);
    pair.follow();
    pair.assert_equal();
    for acts in [
        "UPDATE credential SET state = 'Suspended', updated_at = 2 WHERE id = 3",
        "DELETE FROM secret; INSERT INTO secret (credential, digest) VALUES (4, zeroblob(32))",
        "DELETE FROM role WHERE tenant = 'acme'",
        "INSERT INTO role (tenant, name, created_at) VALUES ('acme', 'ops', 2)",
        "INSERT INTO credential_role VALUES (3, 'ops', 'acme')",
        "UPDATE setting SET value = '7' WHERE key = 'client_id_limit'",
        "UPDATE certificate SET credential = 4",
        "INSERT INTO issuer_revocation VALUES (1, 't-2', 4)",
        "DELETE FROM issuer",
        "DELETE FROM ban",
        "UPDATE tenant SET client_id_prefix = 'b' WHERE id = 'other'",
        "UPDATE tenant SET client_id_prefix = NULL WHERE id = 'other';
         UPDATE tenant SET client_id_prefix = 'b' WHERE id = 'acme'",
        // What refers to each other is made anew, and under the names of what went.
        "DELETE FROM credential WHERE id = 3;
         INSERT INTO credential (id, name, tenant, scheme, state, ever_used, generation,
             client_id_rule, external_identity, created_at, updated_at)
             VALUES (200, 'dev1@acme', 'acme', 'mine', 'Active', 1, 7, 'any', 0, 1, 1)",
        "DELETE FROM tenant WHERE id = 'acme'",
        "DELETE FROM scheme_field",
    ] {
        pair.act(acts);
        pair.follow();
        pair.assert_equal();
    }
}

#[test]
fn what_changes_while_a_snapshot_is_taken_is_in_it() {
    let mut pair = Pair::of(None);
    pair.act(
        "WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)
         INSERT INTO credential (id, name, tenant, scheme, state, ever_used, generation,
             client_id_rule, external_identity, created_at, updated_at)
             SELECT i, 'n' || i || '@acme', 'acme', 'basic', 'Active', 1, 1, 'any', 0, 1, 1 FROM n",
    );
    pair.act("UPDATE certificate SET credential = 4");
    let mut pages = 0;
    pair.snapshot(|centre| {
        let last = pages;
        pages += 1;
        centre.act(&format!(
            "DELETE FROM credential WHERE id = 1000 + {last};
             UPDATE credential SET name = 'x{last}' WHERE id = 8000 + {last};
             -- It is told of 3 before it is told that 4 has it no more.
             UPDATE certificate SET credential = 3;
             INSERT INTO credential_group VALUES (2000, {last}, 'DM')"
        ));
    });
    pair.act("SELECT 1");
    assert!(pages > 3, "{pages}");
    pair.assert_equal();
    // Once more, where most of it is here already.
    pair.act("UPDATE credential SET description = 'x' WHERE id % 1000 = 7");
    pair.snapshot(|_| ());
    pair.assert_equal();
}

/// Of what is old up to what is not, and never the last.
#[test]
fn the_log_is_shortened_from_its_beginning_and_a_follower_there_begins_anew() {
    let mut pair = Pair::of(None);
    pair.follow();
    let place = pair.place.unwrap();
    for name in ["a", "b", "c", "d"] {
        pair.act(&format!("INSERT INTO attribute VALUES (3, '{name}', 'v')"));
    }
    let first = column(
        &pair.centre,
        "SELECT CAST(min(seq) AS TEXT) FROM object_change",
    );
    let first: i64 = first[0].parse().unwrap();
    // A clock that was set back makes no hole.
    pair.act(&format!(
        "UPDATE object_change SET at = CASE seq - {first} WHEN 0 THEN 5 WHEN 1 THEN 5
             WHEN 2 THEN 90 ELSE 5 END"
    ));
    let mut cut = |before, most| {
        let mut transaction = pair.centre.begin(Intent::Write).unwrap();
        let cut = transaction.cut_told(Timestamp::from_millis(before), most);
        let first = transaction.first_told().unwrap();
        transaction.commit(&[], &[]).unwrap();
        (cut.unwrap(), first)
    };
    assert_eq!(cut(5, 100), (0, first));
    assert_eq!(cut(6, 1), (1, first + 1));
    assert_eq!(cut(6, 100), (1, first + 2));
    let last = pair.centre.last_object_change().unwrap();
    let all = usize::try_from(last - first - 2).unwrap();
    let mut cut_all = pair.centre.begin(Intent::Write).unwrap();
    let gone = cut_all
        .cut_told(Timestamp::from_millis(1_000), 100)
        .unwrap();
    assert_eq!((gone, cut_all.first_told().unwrap()), (all, last));
    cut_all.commit(&[], &[]).unwrap();
    assert!(matches!(pair.since(place), SinceThen::Behind));
    pair.follow();
    pair.assert_equal();
    pair.act("INSERT INTO attribute VALUES (3, 'e', 'v')");
    assert_eq!(pair.centre.last_object_change().unwrap(), last + 1);
    pair.follow();
    pair.assert_equal();
}

#[test]
fn a_place_that_is_another_stores_or_too_long_ago_asks_for_a_snapshot() {
    let mut pair = Pair::of(None);
    pair.follow();
    let place = pair.place.unwrap();
    for wrong in [
        ReplicaPlace { era: 2, ..place },
        ReplicaPlace {
            stamp: place.stamp ^ 1,
            ..place
        },
        ReplicaPlace {
            seq: place.seq + 1,
            ..place
        },
    ] {
        assert!(matches!(pair.since(wrong), SinceThen::Behind), "{wrong}");
    }
    let many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20001)
        INSERT INTO attribute SELECT 3, 'k' || i, 'v' FROM n";
    pair.act(many);
    assert!(matches!(pair.since(place), SinceThen::Behind));
    pair.follow();
    pair.assert_equal();
    for _ in 0..5 {
        pair.act("DELETE FROM attribute");
        pair.act(many);
    }
    let kept = column(
        &pair.centre,
        "SELECT CAST(count(*) AS TEXT) FROM object_change",
    );
    assert_eq!(kept, ["100000"]);
    pair.put_follower(Some(&["acme"]), 2);
    pair.follow();
    pair.assert_equal();
}

#[test]
fn nothing_is_written_down_while_nobody_follows() {
    let pair = Pair::of(None);
    pair.act("DELETE FROM follower");
    let last = pair.centre.last_object_change().unwrap();
    pair.act("DELETE FROM tenant");
    assert_eq!(pair.centre.last_object_change().unwrap(), last);
}

#[test]
fn an_answer_that_makes_no_sense_changes_nothing() {
    use countersign_core::store::{Cell, ReplicaChanges};
    let mut pair = Pair::of(None);
    pair.follow();
    let place = pair.place.unwrap();
    pair.act("UPDATE credential SET description = 'x' WHERE id = 3");
    let now = Timestamp::from_millis(9);
    let bends: [fn(&mut ReplicaChanges); 6] = [
        |it| it.schema += 1,
        |it| it.objects[0].object.number = Some(4),
        |it| it.objects[0].object.kind = "secret".into(),
        |it| it.objects[0].rows[0].table = "audit".into(),
        |it| drop(it.objects[0].rows[0].cells.pop()),
        |it| it.objects[0].rows[0].cells[0].1 = Cell::Text("x".into()),
    ];
    for bend in bends {
        let SinceThen::Changes(mut changes) = pair.since(place) else {
            panic!("behind");
        };
        bend(&mut changes);
        assert!(pair.replica.take_changes(&changes, now).is_err());
        let state = pair.replica.replica().unwrap().unwrap();
        assert_eq!(state.place, Some(place));
    }
    pair.follow();
    pair.assert_equal();
}

/// Acts on rows, drawn from a seed; the replica follows now and then, and is taken for
/// another that begins anew sometimes.
#[test]
fn whatever_happens_at_the_centre_a_replica_is_equal_to_it_afterwards() {
    for seed in 0..4 {
        let mut draw = Draw(seed + 1);
        let mut pair = Pair::of(if seed % 2 == 0 {
            None
        } else {
            Some(&["acme", "other"])
        });
        for _ in 0..120 {
            let sql = draw.act();
            // What may not be is refused, and changes nothing.
            let _ = pair
                .centre
                .connection
                .execute_batch(&format!("BEGIN; {sql}; COMMIT"));
            if !pair.centre.connection.is_autocommit() {
                pair.act("ROLLBACK");
            }
            if draw.below(4) == 0 {
                if draw.below(12) == 0 {
                    pair.place = None;
                }
                pair.follow();
                pair.assert_equal();
            }
        }
        pair.follow();
        pair.assert_equal();
    }
}

struct Draw(u64);

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33).checked_rem(end).unwrap()
    }

    fn act(&mut self) -> String {
        let (id, n) = (self.below(14).saturating_add(3), self.below(5));
        let tenant = ["acme", "other", "third"][usize::try_from(self.below(3)).unwrap()];
        match self.below(19) {
            0 => format!(
                "INSERT OR IGNORE INTO tenant (id, authentication, subscribe, created_at)
                 VALUES ('{tenant}', 'required', 'strict', 1)"
            ),
            1 => format!("DELETE FROM tenant WHERE id = '{tenant}' AND {n} = 0"),
            2 => format!("INSERT INTO role (tenant, name, created_at) VALUES ('{tenant}', 'r{n}', {id})"),
            3 => format!("DELETE FROM role WHERE tenant = '{tenant}' AND name = 'r{n}'"),
            4 => format!(
                "INSERT INTO role_rule (tenant, role, position, effect, action, pattern, no_retain)
                 VALUES ('{tenant}', 'r{n}', {id}, 'allow', 'both', 'x/#', 0)"
            ),
            5 => format!("INSERT INTO group_role VALUES ('{tenant}', 'DM.X{id}', 'r{n}')"),
            6..=8 => format!(
                "INSERT INTO credential (id, name, tenant, scheme, state, ever_used, generation,
                     client_id_rule, external_identity, created_at, updated_at)
                 VALUES ({id}, 'n{n}@{tenant}', '{tenant}', 'basic', 'Active', 1, 1, 'any', 0, 1, 1)"
            ),
            9 => format!(
                "UPDATE lockout SET known = 0
                     WHERE name = (SELECT name FROM credential WHERE id = {id});
                 DELETE FROM credential WHERE id = {id}"
            ),
            10 => format!("UPDATE credential SET state = 'Suspended', updated_at = {n} WHERE id = {id}"),
            11 => format!("INSERT INTO credential_role VALUES ({id}, 'r{n}', '{tenant}')"),
            12 => format!("INSERT OR REPLACE INTO attribute VALUES ({id}, 'k{n}', '{tenant}')"),
            13 => format!("INSERT INTO secret (credential, digest) VALUES ({id}, randomblob(32))"),
            14 => format!("DELETE FROM secret WHERE credential = {id}"),
            15 => format!(
                "INSERT OR REPLACE INTO person_grant (credential, tenant, role, org_admin)
                 VALUES (6, '{tenant}', 'r{n}', 0)"
            ),
            16 => format!("DELETE FROM person_grant WHERE tenant = '{tenant}'"),
            17 => format!(
                "INSERT INTO ban (client_id, tenant, shown, created_by, created_at)
                 VALUES (randomblob(32), '{tenant}', 'x', 'cli:root', 1)"
            ),
            _ => format!("DELETE FROM ban WHERE id % 5 = {n}"),
        }
    }
}
