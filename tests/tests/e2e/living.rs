//! Who is connected, and whose client ids are meanwhile and afterwards.

use std::time::Duration;

use countersign_testkit::Connect;
use countersign_tests::{
    ACCEPTED, Fixture, PATIENCE, REFUSED, REFUSED_V5, on_every_broker, topics, wait_until,
};
use serde_json::Value;

/// The rows of the audit that are about this subject and this act.
fn rows(fixture: &Fixture, subject: &str, act: &str) -> Vec<Value> {
    let audit = fixture.cli.json(&["audit", "list", "--name", subject]);
    let rows = audit.as_array().unwrap().iter();
    rows.filter(|row| row["act"] == act).cloned().collect()
}

on_every_broker! {
    fn between_tenants_a_moment_buys_a_minute_and_an_hour_an_hour(version) {
        let (fixture, clock) = Fixture::start_with_clock(version);
        fixture.tenant("t1", &[]);
        fixture.tenant("t2", &[]);
        let owner = fixture.credential("owner", "t1");
        let foreign = fixture.credential("foreign", "t2");
        let mut client = owner.connect("explorer").accepted(fixture.port());
        client.disconnect().unwrap();
        // At once, before anything can be written; and once it is.
        assert_eq!(foreign.connect("explorer").code(fixture.port()), REFUSED);
        wait_until("the refusal is in the audit", || {
            rows(&fixture, &foreign.username, "login").iter().any(|row| {
                row["cause"] == "client-id-owned" && row["client_id"] == "explorer"
            })
        });
        assert_eq!(foreign.connect("explorer").code(fixture.port()), REFUSED);
        let before = fixture.last_used_at(&owner);
        clock.set(Duration::from_secs(3_600));
        let mut client = owner.connect("explorer").accepted(fixture.port());
        client.disconnect().unwrap();
        wait_until("the use is written down", || fixture.last_used_at(&owner) > before);
        clock.set(Duration::from_secs(3_600 + 3_500));
        assert_eq!(foreign.connect("explorer").code(fixture.port()), REFUSED);
        clock.set(Duration::from_secs(3_600 + 3_700));
        assert_eq!(foreign.connect("explorer").code(fixture.port()), ACCEPTED);
    }

    fn a_refusal_says_whose_the_client_id_is(version) {
        let fixture = Fixture::start_with_tenant(version);
        let owner = fixture.credential("owner", "t1");
        let other = fixture.credential("other", "t1");
        let _live = owner.connect("explorer").stored().accepted(fixture.port());
        assert_eq!(other.connect("explorer").code(fixture.port()), REFUSED);
        let line = fixture.broker.wait_for_log("client-id-owned", PATIENCE).unwrap();
        let form = "Countersign: refused 127.0.0.1: client-id-owned: `other@t1` client `explorer` \
                    held by `owner@t1` since ";
        assert!(line.contains(form), "{line}");
        wait_until("check says so, too", || {
            let answer = fixture.cli.run(&[
                "check", "connect", "--username", "other@t1", "--client-id", "explorer", "--json",
            ]);
            let answer: Value = serde_json::from_str(&answer.stdout).unwrap();
            answer["reason"] == "client-id-owned" && answer["held_by"] == "owner@t1"
        });
        assert_eq!(Connect::v311("a#b").login("owner@t1", "x").code(fixture.port()), REFUSED);
        let line = fixture.broker.wait_for_log(": malformed: ", PATIENCE).unwrap();
        assert!(line.contains("`owner@t1` client `a#b`"), "{line}");
    }

    fn a_session_that_the_broker_keeps_is_never_inherited_and_another_one_holds_nothing(version) {
        let mut fixture = Fixture::start_with(version, countersign_testkit::broker::Builder::persistent);
        fixture.tenant("t1", &[]);
        let owner = fixture.credential("owner", "t1");
        let other = fixture.credential("other", "t1");
        let mut client = owner.connect_v5("kept").session_expiry(3_600).accepted(fixture.port());
        assert_eq!(client.subscribe(&[("t1/q", 1)]).unwrap(), [1]);
        for step in ["disconnect", "kick", "restart"] {
            match step {
                "disconnect" => client.disconnect().unwrap(),
                "kick" => drop(fixture.cli.json(&["clients", "kick", "kept"])),
                _ => fixture.broker.restart().unwrap(),
            }
            for _ in 0..2 {
                let inherits = other.connect_v5("kept").stored();
                assert_eq!(inherits.code(fixture.port()), REFUSED_V5, "{step}");
                // Once all is written down, too.
                std::thread::sleep(Duration::from_millis(600));
            }
            let connect = owner.connect_v5("kept").stored();
            let (again, connack) = connect.connect(fixture.port()).unwrap();
            assert!(connack.session_present, "{step}");
            client = again;
        }
        let mut moment = owner.connect_v5("moment").accepted(fixture.port());
        moment.disconnect().unwrap();
        let is_free = || other.connect_v5("moment").code(fixture.port()) == ACCEPTED;
        if version.is_2_0() {
            assert!(!is_free(), "2.0 does not tell whether a session is kept");
        } else {
            wait_until("the id is free", is_free);
        }
    }

    fn who_proved_nothing_comes_back_to_its_queue(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("open", &["--authentication", "optional"]);
        for (connect, again) in [
            (Connect::v311("s3").stored(), Connect::v311("s3").stored()),
            (Connect::v5("s5").stored(), Connect::v5("s5").stored()),
            (Connect::v5("clean").session_expiry(3_600), Connect::v5("clean").stored()),
        ] {
            let mut client = connect.accepted(fixture.port());
            assert_eq!(client.subscribe(&[("open/#", 1)]).unwrap(), [1]);
            client.disconnect().unwrap();
            let mut sender = Connect::v311("sender").accepted(fixture.port());
            sender.publish("open/1", b"1", 1, false).unwrap();
            let (mut client, connack) = again.connect(fixture.port()).unwrap();
            assert!(connack.session_present);
            assert_eq!(topics(&mut client), ["open/1"]);
            sender.publish("open/2", b"2", 1, false).unwrap();
            assert_eq!(topics(&mut client), ["open/2"]);
        }
    }

    fn one_credential_has_a_bounded_number_of_stored_sessions(version) {
        let fixture = Fixture::start_with_tenant(version);
        fixture.cli.json(&["settings", "set", "--client-id-limit", "3"]);
        let login = fixture.credential("dev", "t1");
        wait_until("the setting holds", || {
            fixture.cli.json(&["settings", "show"])["client_id_limit"] == 3
        });
        for number in 0..3 {
            let connect = login.connect(&format!("c{number}")).stored();
            assert_eq!(connect.code(fixture.port()), ACCEPTED);
        }
        assert_eq!(login.connect("more").stored().code(fixture.port()), REFUSED);
        fixture.broker.wait_for_log(": client-id-limit: `dev@t1` client `more`", PATIENCE).unwrap();
        assert_eq!(login.connect("more").code(fixture.port()), ACCEPTED, "a clean one goes on");
        assert_eq!(login.connect("c0").stored().code(fixture.port()), ACCEPTED, "what it has it keeps");
    }

    fn what_a_dead_broker_left_is_not_connected(version) {
        let mut fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev", "t1");
        let client = login.connect("ghost").accepted(fixture.port());
        fixture.wait_for_clients(&["ghost"]);
        fixture.broker.kill_9().unwrap();
        drop(client);
        assert_eq!(fixture.cli.json(&["clients", "list"]), Value::Array(Vec::new()));
        assert_eq!(fixture.cli.json(&["clients", "count"])["connected"], 0);
        let all = fixture.cli.json(&["clients", "list", "--all"]);
        assert_eq!((&all[0]["client_id"], &all[0]["alive"]), (&"ghost".into(), &false.into()));
        fixture.broker.restart().unwrap();
        assert_eq!(fixture.cli.json(&["clients", "list", "--all"]), Value::Array(Vec::new()));
    }

    fn a_kick_says_in_the_audit_whether_it_reached_anybody(version) {
        let fixture = Fixture::start_with_tenant(version);
        fixture.cli.refused(&["clients", "kick", "nobody"]);
        let refused = rows(&fixture, "nobody", "client.kick");
        assert_eq!(refused.iter().map(|row| &row["outcome"]).collect::<Vec<_>>(), ["refused"]);
        let login = fixture.credential("dev", "t1");
        let _client = login.connect("c").accepted(fixture.port());
        fixture.cli.json(&["clients", "kick", "c"]);
        let done = rows(&fixture, "c", "client.kick");
        assert_eq!(done.iter().map(|row| &row["outcome"]).collect::<Vec<_>>(), ["done"]);
    }
}
