//! Rows D34–D43: tokens (JWT).

use std::time::Duration;

use countersign_testkit::{Client, Connect};
use countersign_tests::people::{done, refused};
use countersign_tests::{
    ACCEPTED, Fixture, Login, REFUSED, is_kicked, on_every_broker, text, topics_so_far, wait_until,
};
use serde_json::{Value, json};

/// `jane`, an administrator of `t1`, where role `all` may use everything.
fn admin(fixture: &Fixture) -> Login {
    let jane = fixture.jane();
    fixture.grant(&jane, "t1", &["--org-admin"]);
    jane
}

fn make(fixture: &Fixture, jane: &Login, options: &[&str]) -> Value {
    let options: Vec<&str> = ["--whoami", "script"]
        .iter()
        .chain(options)
        .copied()
        .collect();
    fixture.token("t1", "all", &jane.username, &options)
}

fn connect(token: &str, client_id: &str) -> Connect {
    Connect::v311(client_id).login("jwt", token)
}

fn code(fixture: &Fixture, token: &str) -> Option<u8> {
    connect(token, "a-script").code(fixture.port())
}

/// Whether a QoS 1 publish of an MQTT 5 client is taken.
fn may_publish(client: &mut Client, topic: &str) -> bool {
    client.publish(topic, b"x", 1, false).unwrap() < 0x80
}

on_every_broker! {
    fn d34_only_administrators_make_tokens(version) {
        let fixture = Fixture::start(version);
        let jane = fixture.jane();
        let token = fixture.application("fleet", "t1", &[]);
        let plain = fixture.thing("plain", "t1", "fleet", &token);
        let token = fixture.application("boss", "t1", &["--org-admin"]);
        let boss = fixture.thing("boss1", "t1", "boss", &token);
        let asked = json!({"role": "all", "whoami": "script", "ttl": 600});
        let mut user = jane.connect_v5("jane").accepted(fixture.port());
        let mut plain = plain.connect_v5("A").accepted(fixture.port());
        refused(&mut user, "session.jwt.create", asked.clone());
        refused(&mut plain, "session.jwt.create", asked.clone());
        let args = ["jwt", "create", "--tenant", "t1", "--role", "all", "--whoami", "x", "--as", "jane@mail.test"];
        assert_eq!(fixture.cli.run(&args).code, Some(1));
        fixture.grant(&jane, "t1", &["--org-admin"]);
        wait_until("she is an administrator", || {
            done(&mut user, "session.info", json!({}))["orgAdmin"] == true
        });
        let made = done(&mut user, "session.jwt.create", asked.clone());
        assert_eq!(code(&fixture, &text(&made, "token")), ACCEPTED);
        let mut boss = boss.connect_v5("B").accepted(fixture.port());
        let made = done(&mut boss, "session.jwt.create", asked);
        assert_eq!(connect(&text(&made, "token"), "a-script").code(fixture.port()), ACCEPTED);
        let listed = fixture.cli.json(&["jwt", "list", "--tenant", "t1"]);
        assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
    }

    fn d35_a_token_has_a_role_of_its_tenant(version) {
        let fixture = Fixture::start(version);
        let jane = admin(&fixture);
        fixture.role("narrow", "t1", &["t1/narrow/#"]);
        for args in [&["--role", "nosuch"][..], &[]] {
            let args: Vec<&str> = ["jwt", "create", "--tenant", "t1", "--whoami", "x", "--as", "jane@mail.test"]
                .iter().chain(args).copied().collect();
            assert_ne!(fixture.cli.run(&args).code, Some(0), "{args:?}");
        }
        let made = fixture.token("t1", "narrow", &jane.username, &["--whoami", "script"]);
        let mut client = Connect::v5("a-script").login("jwt", text(&made, "token")).accepted(fixture.port());
        assert!(may_publish(&mut client, "t1/narrow/x"));
        // Not what its maker may.
        assert!(!may_publish(&mut client, "t1/x"));
        let info = done(&mut client, "session.info", json!({}));
        assert_eq!((&info["role"], &info["orgAdmin"], &info["orgKey"]), (&json!("narrow"), &json!(false), &json!("t1")));
        // A role that is no more gives nothing.
        fixture.cli.json(&["role", "delete", "narrow", "--tenant", "t1", "--cascade"]);
        assert!(is_kicked(&mut client) || !may_publish(&mut client, "t1/narrow/x"));
    }

    fn d36_a_token_can_be_limited_to_things(version) {
        let fixture = Fixture::start(version);
        let jane = admin(&fixture);
        let app = fixture.application("fleet", "t1", &[]);
        fixture.thing("t-1", "t1", "fleet", &app);
        fixture.thing("t-2", "t1", "fleet", &app);
        fixture.role("things", "t1", &["thing/#", "t1/#"]);
        let made = fixture.token("t1", "things", &jane.username, &["--whoami", "script", "--thing", "t-1"]);
        let mut observer = fixture.observer("thing/#");
        let mut client = Connect::v5("a-script").login("jwt", text(&made, "token")).accepted(fixture.port());
        assert!(may_publish(&mut client, "thing/t-1/property/p"));
        assert!(!may_publish(&mut client, "thing/t-2/property/p"));
        assert!(may_publish(&mut client, "t1/x"));
        assert_eq!(client.subscribe(&[("thing/t-1/#", 0), ("thing/t-2/#", 0), ("thing/+/x", 0)]).unwrap(), [0, 0x87, 0x87]);
        assert_eq!(topics_so_far(&mut observer), ["thing/t-1/property/p"]);
        let foreign = ["jwt", "create", "--tenant", "t1", "--role", "things", "--whoami", "x", "--as", "jane@mail.test", "--thing", "nosuch"];
        assert_eq!(fixture.cli.run(&foreign).code, Some(1));
    }

    fn d37_a_token_lives_a_day_at_most(version) {
        let fixture = Fixture::start(version);
        let jane = admin(&fixture);
        let args = ["jwt", "create", "--tenant", "t1", "--role", "all", "--whoami", "x", "--as", "jane@mail.test", "--ttl"];
        for bad in ["86401s", "2d", "0s", "-1s", "soon"] {
            let args: Vec<&str> = args.iter().copied().chain([bad]).collect();
            assert_ne!(fixture.cli.run(&args).code, Some(0), "{bad}");
        }
        assert_eq!(code(&fixture, &text(&make(&fixture, &jane, &["--ttl", "24h"]), "token")), ACCEPTED);
        let mut user = jane.connect_v5("jane").accepted(fixture.port());
        for bad in [json!(86401), json!(0), json!(-1), json!("1h"), json!(1.5)] {
            refused(&mut user, "session.jwt.create", json!({"role": "all", "whoami": "x", "ttl": bad}));
        }
        done(&mut user, "session.jwt.create", json!({"role": "all", "whoami": "x", "ttl": 86400}));
        done(&mut user, "session.jwt.create", json!({"role": "all", "whoami": "x"}));
    }

    fn d38_a_token_is_the_password(version) {
        let fixture = Fixture::start(version);
        let jane = admin(&fixture);
        let token = text(&make(&fixture, &jane, &[]), "token");
        for name in ["jwt", "script"] {
            assert_eq!(Connect::v311("c").login(name, &token).code(fixture.port()), ACCEPTED, "{name}");
        }
        let without_name = Connect::v5("c").password(&token);
        assert_eq!(without_name.code(fixture.port()), ACCEPTED);
        for name in ["other", "jane@mail.test", "jwt:script@t1", "script@t1"] {
            assert_eq!(Connect::v311("c").login(name, &token).code(fixture.port()), REFUSED, "{name}");
        }
        // Its client ids are its own, from one token to the next.
        let mut live = connect(&token, "mine").accepted(fixture.port());
        let device = fixture.credential("dev", "t1");
        assert_eq!(device.connect("mine").code(fixture.port()), REFUSED);
        let next = text(&make(&fixture, &jane, &[]), "token");
        assert_eq!(connect(&next, "mine").code(fixture.port()), ACCEPTED);
        assert!(live.wait_closed(Duration::from_secs(5)).is_some());
        let mut client = connect(&next, "again").accepted(fixture.port());
        assert!(client.is_alive());
        wait_until("it is listed", || {
            let listed = fixture.cli.json(&["clients", "list"]);
            listed.as_array().unwrap().iter().any(|row| row["username"] == "jwt:script@t1")
        });
    }

    fn d39_a_token_and_its_session_end_at_their_second(version) {
        let fixture = Fixture::start(version);
        let jane = admin(&fixture);
        let token = text(&make(&fixture, &jane, &["--ttl", "4s"]), "token");
        let mut client = connect(&token, "a-script").accepted(fixture.port());
        assert!(client.wait_closed(Duration::from_secs(12)).is_some());
        assert_eq!(code(&fixture, &token), REFUSED);
    }

    fn d40_no_other_token_is_taken(version) {
        let fixture = Fixture::start(version);
        let jane = admin(&fixture);
        let made = make(&fixture, &jane, &[]);
        let token = text(&made, "token");
        let parts: Vec<&str> = token.split('.').collect();
        let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
        let hs256 = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
        let half = parts[2].len() / 2;
        let hostile = [
            format!("{none}.{}.", parts[1]),
            format!("{none}.{}.{}", parts[1], parts[2]),
            format!("{hs256}.{}.{}", parts[1], parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}.{}", parts[0], parts[1], &parts[2][..half]),
            format!("{token}."),
            format!("{token}{}", "A".repeat(60_000)),
        ];
        for token in &hostile {
            assert_eq!(Connect::v5("x").password(token).code(fixture.port()), Some(0x87));
        }
        assert_eq!(code(&fixture, &token), ACCEPTED);
        // Each flipped character of the claims or the signature breaks it.
        let (head, tail) = token.split_at(token.len() - 20);
        let flipped = if tail.starts_with('A') { "B" } else { "A" };
        assert_eq!(code(&fixture, &format!("{head}{flipped}{}", &tail[1..])), REFUSED);
        let mut client = connect(&token, "live").accepted(fixture.port());
        fixture.cli.json(&["jwt", "revoke", &text(&made, "jti")]);
        assert!(is_kicked(&mut client));
        assert_eq!(code(&fixture, &token), REFUSED);
        // Another key, and the old one with it after its overlap.
        let old = text(&make(&fixture, &jane, &[]), "token");
        fixture.cli.json(&["jwt", "rotate-key", "--tenant", "t1", "--overlap", "1h"]);
        let new = text(&make(&fixture, &jane, &[]), "token");
        assert_eq!((code(&fixture, &old), code(&fixture, &new)), (ACCEPTED, ACCEPTED));
        fixture.cli.json(&["jwt", "rotate-key", "--tenant", "t1", "--overlap", "1s"]);
        wait_until("the keys before count no more", || code(&fixture, &new) == REFUSED);
    }

    fn d41_a_token_makes_no_tokens_and_binds_no_things(version) {
        let fixture = Fixture::start(version);
        let jane = admin(&fixture);
        let app = fixture.application("fleet", "t1", &[]);
        fixture.thing("child", "t1", "fleet", &app);
        let token = text(&make(&fixture, &jane, &[]), "token");
        let mut client = Connect::v5("a-script").login("jwt", &token).accepted(fixture.port());
        refused(&mut client, "session.jwt.create", json!({"role": "all", "whoami": "x"}));
        refused(&mut client, "thing.bind", json!({"key": "child"}));
        refused(&mut client, "thing.appid.reset", json!({"key": "child"}));
        refused(&mut client, "session.org.switch", json!({"key": "t1"}));
        assert_eq!(done(&mut client, "session.info", json!({}))["orgKey"], "t1");
    }

    fn d42_a_token_dies_with_its_makers_right(version) {
        let fixture = Fixture::start(version);
        let jane = admin(&fixture);
        let other = fixture.user("john@mail.test", "correct horse battery");
        fixture.grant(&other, "t1", &["--org-admin"]);
        let johns = text(&fixture.token("t1", "all", &other.username, &["--whoami", "other"]), "token");
        let mut bystander = connect(&johns, "johns").accepted(fixture.port());
        let token = text(&make(&fixture, &jane, &[]), "token");
        let mut client = connect(&token, "a-script").accepted(fixture.port());
        fixture.grant(&jane, "t1", &["--role", "all"]);
        assert!(is_kicked(&mut client));
        assert_eq!(code(&fixture, &token), REFUSED);
        assert!(bystander.is_alive());
        fixture.cli.json(&["user", "delete", &other.username]);
        assert!(is_kicked(&mut bystander));
        assert_eq!(connect(&johns, "johns").code(fixture.port()), REFUSED);
    }

    fn d43_whoami_stands_in_the_audit(version) {
        let fixture = Fixture::start(version);
        let jane = admin(&fixture);
        let token = text(&make(&fixture, &jane, &[]), "token");
        assert_eq!(code(&fixture, &token), ACCEPTED);
        wait_until("it is in the audit", || {
            let audit = fixture.cli.json(&["audit", "list"]).to_string();
            assert!(!audit.contains(&token[..40]));
            audit.contains("jwt:script@t1")
        });
        assert!(!fixture.broker.log().contains(&token[..40]));
    }
}
