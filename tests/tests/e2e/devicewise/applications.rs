//! Rows D23–D33 and D45–D47: applications and things.

use std::thread;

use countersign_testkit::{Client, Connect};
use countersign_tests::people::{done, refused};
use countersign_tests::{
    ACCEPTED, Fixture, Login, PATIENCE, REFUSED, is_kicked, on_every_broker, text, topics_so_far,
    wait_until,
};
use serde_json::json;

/// Tenant `t1` with application `fleet` and thing `thing1`.
fn fleet(fixture: &Fixture) -> Login {
    fixture.tenant("t1", &[]);
    let token = fixture.application("fleet", "t1", &[]);
    fixture.thing("thing1", "t1", "fleet", &token)
}

fn code(fixture: &Fixture, thing: &Login, app_id: &str) -> Option<u8> {
    thing.connect(app_id).code(fixture.port())
}

fn is_bound(fixture: &Fixture, key: &str) -> bool {
    fixture.thing_shown(key, "t1")["app_id_bound"] == true
}

on_every_broker! {
    fn d23_thing_key_application_id_and_token_are_name_client_id_and_password(version) {
        let fixture = Fixture::start(version);
        let thing = fleet(&fixture);
        assert_eq!(code(&fixture, &thing, "app-id-1"), ACCEPTED);
        let mut client = thing.connect("app-id-1").accepted(fixture.port());
        assert_eq!(client.subscribe(&[("thing/thing1/#", 0)]).unwrap(), [0]);
        for wrong in [thing.with_secret("wrong"), Login { username: "thing2".into(), secret: thing.secret.clone() }] {
            assert_eq!(code(&fixture, &wrong, "app-id-1"), REFUSED);
        }
        // The token alone, or as a name, is no login.
        for name in ["fleet", "application:fleet@t1", "fleet@t1", &thing.secret] {
            let connect = Connect::v311("x").login(name, &thing.secret);
            assert_eq!(connect.code(fixture.port()), REFUSED, "{name}");
        }
    }

    fn d24_the_first_connect_binds_the_application_id(version) {
        let fixture = Fixture::start(version);
        let thing = fleet(&fixture);
        assert!(!is_bound(&fixture, "thing1"));
        // A login that fails binds nothing.
        assert_eq!(code(&fixture, &thing.with_secret("wrong"), "A"), REFUSED);
        assert!(!is_bound(&fixture, "thing1"));
        assert_eq!(code(&fixture, &thing, "A"), ACCEPTED);
        assert!(is_bound(&fixture, "thing1"));
        assert_eq!(code(&fixture, &thing, "B"), REFUSED);
    }

    fn d24_of_two_first_connects_at_once_one_wins(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("t1", &[]);
        let token = fixture.application("fleet", "t1", &[]);
        let port = fixture.port();
        for round in 0..200 {
            let thing = fixture.thing(&format!("thing{round}"), "t1", "fleet", &token);
            let racers: Vec<_> = ["A", "B"]
                .map(|side| thing.connect(&format!("{side}-{round}")))
                .into_iter()
                .map(|connect| thread::spawn(move || connect.code(port)))
                .collect();
            let mut codes: Vec<_> = racers.into_iter().map(|racer| racer.join().unwrap()).collect();
            codes.sort_unstable();
            assert_eq!(codes, [ACCEPTED, REFUSED], "round {round}");
        }
    }

    fn d25_another_application_id_is_refused(version) {
        let fixture = Fixture::start(version);
        let thing = fleet(&fixture);
        assert_eq!(code(&fixture, &thing, "A"), ACCEPTED);
        for _ in 0..7 {
            assert_eq!(code(&fixture, &thing, "B"), REFUSED);
        }
        assert_eq!(code(&fixture, &thing, "A"), ACCEPTED);
        fixture.wait_for_cause("thing1", "client-id-mismatch");
    }

    fn d26_the_application_id_outlives_a_crash(version) {
        let mut fixture = Fixture::start(version);
        let thing = fleet(&fixture);
        assert_eq!(code(&fixture, &thing, "A"), ACCEPTED);
        fixture.broker.kill_9().unwrap();
        fixture.broker.restart().unwrap();
        assert_eq!(code(&fixture, &thing, "B"), REFUSED);
        assert_eq!(code(&fixture, &thing, "A"), ACCEPTED);
    }

    fn d27_the_binding_can_be_reset(version) {
        let fixture = Fixture::start(version);
        let thing = fleet(&fixture);
        let mut live = thing.connect("A").accepted(fixture.port());
        fixture.cli.json(&["thing", "untie", "thing1", "--tenant", "t1"]);
        assert!(is_kicked(&mut live));
        assert!(!is_bound(&fixture, "thing1"));
        assert_eq!(code(&fixture, &thing, "B"), ACCEPTED);
        assert_eq!(code(&fixture, &thing, "A"), REFUSED);
        // Over MQTT it takes an administrator.
        let jane = fixture.user("jane@mail.test", "correct horse battery");
        fixture.role("all", "t1", &["t1/#"]);
        fixture.grant(&jane, "t1", &["--role", "all"]);
        let mut user = jane.connect_v5("jane").accepted(fixture.port());
        refused(&mut user, "thing.appid.reset", json!({"key": "thing1"}));
        fixture.grant(&jane, "t1", &["--org-admin"]);
        wait_until("she is an administrator", || {
            done(&mut user, "session.info", json!({}))["orgAdmin"] == true
        });
        done(&mut user, "thing.appid.reset", json!({"key": "thing1"}));
        assert_eq!(code(&fixture, &thing, "C"), ACCEPTED);
        refused(&mut user, "thing.appid.reset", json!({"key": "nosuch"}));
        wait_until("the audit says who", || {
            let audit = fixture.cli.json(&["audit", "list"]);
            audit.as_array().unwrap().iter().any(|row| row["actor"] == "session:jane@mail.test")
        });
    }

    fn d28_many_things_share_a_token(version) {
        let fixture = Fixture::start(version);
        let one = fleet(&fixture);
        let two = fixture.thing("thing2", "t1", "fleet", &one.secret);
        let mut one = one.connect("A1").accepted(fixture.port());
        let mut two = two.connect("A2").accepted(fixture.port());
        assert!(one.is_alive() && two.is_alive());
        fixture.wait_for_clients_count(2);
    }

    fn d29_an_unknown_thing_is_made_only_where_that_is_asked_for(version) {
        let fixture = Fixture::start(version);
        let known = fleet(&fixture);
        let unknown = Login { username: "newcomer".into(), secret: known.secret };
        assert_eq!(code(&fixture, &unknown, "A"), REFUSED);
        let token = fixture.application("open", "t1", &["--auto-register"]);
        let welcome = Login { username: "newcomer".into(), secret: token.clone() };
        assert_eq!(code(&fixture, &welcome, "A"), ACCEPTED);
        let shown = fixture.thing_shown("newcomer", "t1");
        assert_eq!((&shown["application"], &shown["app_id_bound"]), (&json!("open"), &json!(true)));
        assert_eq!(code(&fixture, &welcome, "B"), REFUSED);
        for key in ["a/b", "a+b", "a@t1", "jwt:x"] {
            let odd = Login { username: key.into(), secret: token.clone() };
            assert_ne!(code(&fixture, &odd, "C"), ACCEPTED, "{key}");
        }
        assert_eq!(fixture.cli.json(&["thing", "list", "--tenant", "t1"]).as_array().unwrap().len(), 2);
    }

    fn a_token_registers_so_many_things_of_such_names_and_no_more(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("t1", &[]);
        let options = ["--auto-register", "--max", "2", "--pattern", "pump-*"];
        let token = fixture.application("pumps", "t1", &options);
        let login = |key: &str| Login { username: key.into(), secret: token.clone() };
        for key in ["valve-1", "operator", "pump-@t1", "jwt", "123456789012345"] {
            assert_eq!(code(&fixture, &login(key), "X"), REFUSED, "{key}");
        }
        for key in ["pump-1", "pump-2"] {
            assert_eq!(code(&fixture, &login(key), key), ACCEPTED, "{key}");
        }
        assert_eq!(code(&fixture, &login("pump-3"), "pump-3"), REFUSED);
        // One that is deleted leaves no room; those that are there come and go.
        fixture.cli.run(&["thing", "delete", "pump-2", "--tenant", "t1"]);
        assert_eq!(code(&fixture, &login("pump-3"), "pump-3"), REFUSED);
        assert_eq!(code(&fixture, &login("pump-1"), "pump-1"), ACCEPTED);
        let shown = fixture.cli.json(&["application", "show", "pumps", "--tenant", "t1"]);
        assert_eq!((&shown["registered"], &shown["max"]), (&json!(2), &json!(2)));
    }

    fn d30_the_token_of_another_tenant_opens_nothing(version) {
        let fixture = Fixture::start(version);
        let thing = fleet(&fixture);
        fixture.tenant("t2", &[]);
        for options in [&[][..], &["--auto-register"]] {
            let name = format!("other{}", options.len());
            let token = fixture.application(&name, "t2", options);
            assert_eq!(code(&fixture, &thing.with_secret(&token), "A"), REFUSED);
        }
        // A key is one thing's in the whole store.
        let complaint = fixture.cli.refused(&["thing", "create", "thing1", "--tenant", "t2", "--application", "other0"]);
        assert!(complaint.contains("thing1"), "{complaint}");
        assert_eq!(code(&fixture, &thing, "A"), ACCEPTED);
    }

    fn d31_an_application_id_is_one_things(version) {
        let fixture = Fixture::start(version);
        let one = fleet(&fixture);
        let two = fixture.thing("thing2", "t1", "fleet", &one.secret);
        assert_eq!(code(&fixture, &one, "A"), ACCEPTED);
        assert_eq!(code(&fixture, &two, "A"), REFUSED);
        assert!(!is_bound(&fixture, "thing2"));
        assert_eq!(code(&fixture, &two, "B"), ACCEPTED);
        assert_eq!(code(&fixture, &one, "A"), ACCEPTED);
    }

    fn d32_a_token_is_made_and_never_chosen(version) {
        let own = Fixture::shared(version);
        let token = own.application("fleet", &own.id, &[]);
        assert_eq!(token.len(), 32);
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        for class in [u8::is_ascii_uppercase, u8::is_ascii_lowercase, u8::is_ascii_digit] {
            assert!(token.as_bytes().iter().any(class), "{token}");
        }
        let chosen = ["application", "create", "x", "--tenant", &own.id, "--password-stdin"];
        assert_eq!(own.cli.run_with_stdin(&chosen, b"chosen\n").code, Some(2));
        let shown = own.cli.json(&["application", "show", "fleet", "--tenant", &own.id]);
        assert!(!shown.to_string().contains(&token), "{shown}");
    }

    fn d33_a_new_token_or_none_ends_all_its_sessions(version) {
        let fixture = Fixture::start(version);
        let one = fleet(&fixture);
        let two = fixture.thing("thing2", "t1", "fleet", &one.secret);
        let other_token = fixture.application("other", "t1", &[]);
        let other = fixture.thing("thing3", "t1", "other", &other_token);
        let mut bystander = other.connect("A3").accepted(fixture.port());
        let mut clients: Vec<Client> = [(&one, "A1"), (&two, "A2")]
            .map(|(thing, id)| thing.connect(id).accepted(fixture.port()))
            .into();
        let rotated = fixture.cli.json(&["application", "rotate", "fleet", "--tenant", "t1"]);
        assert!(clients.iter_mut().all(is_kicked));
        assert_eq!(code(&fixture, &one, "A1"), REFUSED);
        let one = one.with_secret(&text(&rotated, "secret"));
        let mut client = one.connect("A1").accepted(fixture.port());
        assert_eq!(fixture.cli.json(&["application", "delete", "fleet", "--tenant", "t1"])["deleted"], "fleet");
        assert!(is_kicked(&mut client));
        assert_eq!(code(&fixture, &one, "A1"), REFUSED);
        assert!(bystander.is_alive());
    }

    fn d45_an_application_uses_the_topics_of_its_own_thing(version) {
        let fixture = Fixture::start(version);
        let one = fleet(&fixture);
        let two = fixture.thing("thing2", "t1", "fleet", &one.secret);
        let mut observer = fixture.observer("thing/#");
        let mut one = one.connect_v5("A1").accepted(fixture.port());
        let mut two = two.connect_v5("A2").accepted(fixture.port());
        assert_eq!(one.subscribe(&[("thing/thing1/#", 0), ("thing/thing2/#", 0), ("thing/#", 0)]).unwrap(), [0, 0x87, 0x87]);
        assert_eq!(one.publish("thing/thing1/property/p", b"1", 1, false).unwrap() & 0x80, 0);
        assert_eq!(one.publish("thing/thing2/property/p", b"1", 1, false).unwrap(), 0x87);
        assert_eq!(two.publish("thing/thing2/property/p", b"1", 1, false).unwrap() & 0x80, 0);
        assert_eq!(topics_so_far(&mut observer), ["thing/thing1/property/p", "thing/thing2/property/p"]);
    }

    fn d46_qos_2_is_served_within_the_same_rights(version) {
        let fixture = Fixture::start(version);
        let thing = fleet(&fixture);
        let mut observer = fixture.observer("thing/#");
        let mut client = thing.connect_v5("A1").accepted(fixture.port());
        let filters = [("thing/thing1/#", 2), ("thing/thing2/#", 2)];
        assert_eq!(client.subscribe(&filters).unwrap(), [2, 0x87]);
        assert_eq!(client.publish("thing/thing1/property/p", b"1", 2, false).unwrap(), 0);
        let message = client.receive(PATIENCE).unwrap();
        assert_eq!((message.topic.as_str(), message.qos), ("thing/thing1/property/p", 2));
        assert_eq!(client.publish("thing/thing2/property/p", b"1", 2, false).unwrap(), 0x87);
        assert_eq!(topics_so_far(&mut observer), ["thing/thing1/property/p"]);
    }

    fn d47_an_application_id_is_shown_nowhere(version) {
        let fixture = Fixture::start_with(version, |builder| builder.line("connection_messages false"));
        let thing = fleet(&fixture);
        let secret = "a-very-secret-application-id";
        let mut client = thing.connect(secret).accepted(fixture.port());
        fixture.wait_for_clients_count(1);
        for args in [&["thing", "show", "thing1", "--tenant", "t1"][..], &["thing", "list"], &["audit", "list"], &["clients", "list"]] {
            let shown = fixture.cli.json(args).to_string();
            assert!(!shown.contains(secret), "{args:?}: {shown}");
        }
        let ours = fixture.our_lines();
        assert!(!ours.contains(secret), "{ours}");
        fixture.cli.json(&["thing", "untie", "thing1", "--tenant", "t1"]);
        assert!(is_kicked(&mut client));
        // The broker is told to end it first.
        let end = fixture.broker.wait_for_log("Countersign: ended the session", PATIENCE).unwrap();
        assert!(end.contains("thing1"), "{end}");
        let ours = fixture.our_lines();
        assert!(!ours.contains(secret), "{ours}");
    }
}
