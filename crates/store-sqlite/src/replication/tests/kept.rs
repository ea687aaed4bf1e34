//! What a broker wrote to its replica, and what of that stays.

use countersign_core::change::{Change, ChangeSeq};
use countersign_core::credential::CredentialId;

use super::*;

impl Pair {
    /// Has the broker beside the replica write something.
    fn at_broker(&self, sql: &str) {
        self.replica.connection.execute_batch(sql).unwrap();
    }

    fn news(&mut self, after: ChangeSeq) -> Vec<Change> {
        let told = self.replica.changes_after(after, 100).unwrap();
        told.into_iter().map(|(_, change)| change).collect()
    }
}

#[test]
fn activation_ties_uses_and_codes_of_the_broker_stay_until_the_centre_says_more() {
    let mut pair = Pair::of(None);
    pair.act(
        "UPDATE credential SET state = 'Inactive', ever_used = 0, client_id_rule = 'first-use'
         WHERE id = 3",
    );
    pair.follow();
    let tied = "UPDATE credential SET state = 'Active', ever_used = 1, last_used_at = 50,
            client_id_tie = x'01', bound_to = x'01' WHERE id = 3;
        UPDATE person SET last_step = 9, last_tenant = 'acme'";
    pair.at_broker(tied);
    let look = |pair: &Pair| {
        column(
            &pair.replica,
            "SELECT concat(state, ' ', ever_used, ' ', last_used_at, ' ', hex(client_id_tie), ' ',
                 hex(bound_to)) FROM credential WHERE id = 3
             UNION ALL SELECT concat(last_step, ' ', last_tenant) FROM person",
        )
    };
    let kept = ["Active 1 50 01 01", "9 acme"];
    // An act that has nothing to do with it, and a snapshot.
    pair.act(
        "UPDATE credential SET description = 'x', updated_at = 2, last_used_at = 7 WHERE id = 3;
         UPDATE person SET last_step = 5, last_tenant = NULL, is_confirmed = 0",
    );
    pair.follow();
    assert_eq!(look(&pair), kept);
    pair.place = None;
    pair.follow();
    assert_eq!(look(&pair), kept);
    // The centre stops it: that counts.
    pair.act("UPDATE credential SET state = 'Suspended' WHERE id = 3");
    pair.follow();
    assert_eq!(look(&pair), ["Suspended 0 50 01 01", "9 acme"]);
    // What raises the generation undoes the tie.
    pair.act("UPDATE credential SET generation = generation + 1 WHERE id = 3");
    pair.follow();
    assert_eq!(look(&pair), ["Suspended 0 50  ", "9 acme"]);
    // And a tie of the centre's own wins.
    pair.at_broker(tied);
    pair.act("UPDATE credential SET client_id_tie = x'02', bound_to = x'02' WHERE id = 3");
    pair.follow();
    assert_eq!(look(&pair), ["Suspended 0 50 02 02", "9 acme"]);
}

#[test]
fn a_secret_that_ended_with_the_use_of_a_newer_one_does_not_come_back() {
    let mut pair = Pair::of(None);
    pair.act("UPDATE secret SET id = 20 WHERE credential = 3");
    pair.follow();
    pair.act(
        "UPDATE secret SET until_used = 1 WHERE id = 20;
         INSERT INTO secret (id, credential, digest) VALUES (21, 3, randomblob(32))",
    );
    pair.follow();
    pair.assert_equal();
    let secrets = |pair: &Pair| column(&pair.replica, "SELECT CAST(id AS TEXT) FROM secret");
    assert_eq!(secrets(&pair), ["20", "21"]);
    pair.at_broker("DELETE FROM secret WHERE id = 20");
    for _ in 0..2 {
        pair.act("UPDATE credential SET updated_at = updated_at + 1 WHERE id = 3");
        pair.follow();
        assert_eq!(secrets(&pair), ["21"]);
        pair.place = None;
        pair.follow();
        assert_eq!(secrets(&pair), ["21"]);
    }
}

#[test]
fn sessions_bans_of_time_and_locks_of_the_broker_stay() {
    let mut pair = Pair::of(None);
    pair.follow();
    pair.at_broker(
        "UPDATE lockout SET failures = 4;
         INSERT INTO stored_session (client_id, holder, credential, username, tenant, last_used_at, broker)
             VALUES (zeroblob(32), 'credential', 3, 'dev1@acme', 'acme', 1, 'b');
         INSERT INTO presence (broker, session, client_id, credential, protocol, connected_at,
             authenticated, stored) VALUES ('b', 1, 'c', 3, 4, 1, 1, 1)",
    );
    let count = |pair: &Pair, table: &str| {
        column(
            &pair.replica,
            &format!("SELECT CAST(count(*) AS TEXT) FROM {table}"),
        )
    };
    pair.act("UPDATE credential SET description = 'x'");
    pair.follow();
    pair.place = None;
    pair.follow();
    let failures = column(&pair.replica, "SELECT CAST(failures AS TEXT) FROM lockout");
    assert_eq!(failures, ["4"]);
    for table in ["stored_session", "presence"] {
        assert_eq!(count(&pair, table), ["1"], "{table}");
    }
    // Who is deleted leaves a client id that nobody holds.
    pair.act("DELETE FROM credential WHERE id = 3");
    pair.follow();
    let holders = column(
        &pair.replica,
        "SELECT coalesce(credential, 'nobody') FROM stored_session",
    );
    assert_eq!(holders, ["nobody"]);
}

#[test]
fn a_ban_that_the_broker_made_stays_until_the_centre_bans_the_same() {
    let mut pair = Pair::of(None);
    pair.follow();
    let banned = |by: &str, network: &str| {
        format!(
            "INSERT INTO ban (network, shown, created_by, created_at)
             VALUES ('{network}', '{network}', '{by}', 1)"
        )
    };
    for network in ["192.0.2.1/32", "192.0.2.2/32"] {
        pair.at_broker(&banned("broker:edge", network));
    }
    pair.place = None;
    pair.follow();
    let made = |pair: &Pair| {
        let sql =
            "SELECT concat(network, ' ', created_by) FROM ban WHERE network IS NOT NULL ORDER BY 1";
        column(&pair.replica, sql)
    };
    let both = ["192.0.2.1/32 broker:edge", "192.0.2.2/32 broker:edge"];
    assert_eq!(made(&pair), both);
    pair.act(&banned("cli:root", "192.0.2.1/32"));
    pair.follow();
    assert_eq!(made(&pair), ["192.0.2.1/32 centre", both[1]]);
    pair.act(&banned("cli:root", "192.0.2.2/32"));
    pair.place = None;
    pair.follow();
    pair.assert_equal();
}

#[test]
fn brokers_hear_of_what_changed_and_of_nothing_else() {
    let mut pair = Pair::of(None);
    pair.follow();
    let last = pair.replica.last_change().unwrap();
    assert_eq!(pair.news(ChangeSeq(last.0 - 1)), [Change::Everything]);
    pair.follow();
    assert_eq!(pair.replica.last_change().unwrap(), last);
    let tenant = |id: &str| Change::Tenant(TenantId::parse(id).unwrap());
    for (acts, news) in [
        (
            "UPDATE secret SET hint = 'x' WHERE credential = 3",
            vec![Change::Credential(CredentialId(3))],
        ),
        (
            "UPDATE secret SET hint = 'x' WHERE credential = 3",
            Vec::new(),
        ),
        (
            "DELETE FROM credential WHERE id = 4",
            vec![Change::Credential(CredentialId(4))],
        ),
        ("UPDATE role_rule SET no_retain = 1", vec![tenant("acme")]),
        (
            "UPDATE token SET revoked_at = 5",
            vec![Change::Credential(CredentialId(9))],
        ),
        (
            "INSERT INTO issuer_revocation VALUES (1, 't-9', 4)",
            vec![tenant("acme")],
        ),
        (
            "UPDATE ban SET until = 9",
            vec![Change::Ban(countersign_core::ban::BanId(1))],
        ),
        (
            "DELETE FROM token",
            vec![Change::Credential(CredentialId(9))],
        ),
        ("DELETE FROM issuer", vec![tenant("acme")]),
        (
            "UPDATE setting SET value = '7' WHERE key = 'client_id_limit'",
            vec![Change::Everything],
        ),
    ] {
        let last = pair.replica.last_change().unwrap();
        pair.act(acts);
        pair.follow();
        let mut told = pair.news(last);
        told.dedup();
        assert_eq!(told, news, "{acts}");
    }
}

#[test]
fn a_store_with_a_content_of_its_own_becomes_no_replica_and_a_replica_takes_no_acts() {
    let mut pair = Pair::of(None);
    assert!(pair.centre.become_replica("http://127.0.0.1:1").is_err());
    assert!(pair.centre.begin(Intent::Write).is_ok());
    let refused = pair.replica.begin(Intent::Write).err().unwrap().to_string();
    assert!(
        refused.contains("is a replica of http://127.0.0.1:1; change it there"),
        "{refused}"
    );
    assert!(pair.replica.begin(Intent::Read).is_ok());
    pair.follow();
    let state = pair
        .replica
        .become_replica("https://other.example")
        .unwrap();
    assert_eq!(state.place, pair.place);
    assert_eq!(state.source, "https://other.example");
}
