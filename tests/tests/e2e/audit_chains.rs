//! The audit's two chains, their heads in the broker's log, and what a head that
//! was kept shows.

use countersign_tests::{Fixture, REFUSED, on_every_broker, text, wait_until};

on_every_broker! {
    fn a_head_from_the_brokers_log_shows_that_the_audit_was_written_anew(version) {
        let mut fixture = Fixture::start_with_tenant(version);
        fixture.credential("dev", "t1");
        fixture.broker.restart().unwrap();
        let head = text(&fixture.cli.json(&["audit", "head"]), "acts");
        let logged = format!("audit heads: acts {head},");
        wait_until("the broker logs the heads", || fixture.our_lines().contains(&logged));
        let expected = ["audit", "verify", "--expect", head.as_str()];
        assert_eq!(fixture.cli.json(&expected)["intact"], true);
        fixture.credential("dev2", "t1");
        assert_eq!(fixture.cli.json(&expected)["intact"], true);

        // An intruder takes an act out and chains the rest anew, so that it
        // verifies by itself: here the whole store is made again.
        let other = Fixture::start_with_tenant(version);
        other.credential("dev2", "t1");
        other.credential("dev3", "t1");
        let forged = other.cli.run(&expected);
        assert_eq!(forged.code, Some(1), "{forged:?}");
        assert!(forged.stderr.contains("row 3"), "{forged:?}");
    }

    fn refusals_are_in_a_chain_of_their_own_and_in_order_of_time(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev", "t1");
        let before = fixture.cli.json(&["audit", "head"]);
        assert_eq!(fixture.code(&login.with_secret("wrong")), REFUSED);
        let is_there = || {
            let rows = fixture.cli.json(&["audit", "list"]);
            rows.as_array().unwrap().iter().any(|row| row["act"] == "login")
        };
        wait_until("the refusal is in the audit", is_there);
        // Nothing of a refusal lengthens the chain of acts.
        assert_eq!(fixture.cli.json(&["audit", "head"])["acts"], before["acts"]);
        fixture.credential("dev2", "t1");
        let rows = fixture.cli.json(&["audit", "list"]);
        let times: Vec<String> = rows.as_array().unwrap().iter().map(|row| text(row, "time")).collect();
        assert!(times.is_sorted(), "{times:?}");
        assert!(times.iter().all(|time| time.len() == "2026-01-01T00:00:00.000Z".len()), "{times:?}");
        assert_eq!(fixture.cli.json(&["audit", "verify"])["intact"], true);
        let raw = rusqlite::Connection::open(fixture.cli.store()).unwrap();
        raw.execute("DELETE FROM refusal", []).unwrap();
        let found = fixture.cli.run(&["audit", "verify"]);
        assert_eq!(found.code, Some(1), "{found:?}");
    }
}
