//! Rows D1–D5, D13–D15 and D44: users, their tenants and their commands.

use countersign_testkit::mqtt::Properties;
use countersign_testkit::{Client, Connect};
use countersign_tests::people::{COMMANDS, RESPONSES, command, commands, done, refused};
use countersign_tests::{
    ACCEPTED, Fixture, PATIENCE, QUIET, REFUSED, REFUSED_V5, is_kicked, on_every_broker, text,
    topics, topics_so_far, wait_until,
};
use serde_json::json;

/// `jane` with another tenant, `t2`, which she administers.
fn jane_in_two_tenants(fixture: &Fixture) -> countersign_tests::Login {
    let jane = fixture.jane();
    fixture.tenant("t2", &[]);
    fixture.grant(&jane, "t2", &["--org-admin"]);
    jane
}

/// Whether a QoS 1 publish of an MQTT 5 client is taken.
fn may_publish(client: &mut Client, topic: &str) -> bool {
    client.publish(topic, b"x", 1, false).unwrap() < 0x80
}

on_every_broker! {
    fn d1_a_client_must_authenticate_before_any_command(version) {
        let fixture = Fixture::start(version);
        fixture.jane();
        let mut client = Connect::v311("nobody").open(fixture.port()).unwrap();
        client.send_publish(COMMANDS, b"{}", 0, false, &Properties::default()).unwrap();
        assert!(client.wait_closed(PATIENCE).is_some());
        assert_eq!(Connect::v311("nobody").code(fixture.port()), REFUSED);
        // An unauthenticated session has no commands either.
        fixture.set_authentication("t1", "optional");
        let mut nobody = Connect::v5("nobody").accepted(fixture.port());
        let code = nobody.publish(COMMANDS, br#"{"commands":[{"command":"session.info"}]}"#, 1, false);
        assert_eq!(code.unwrap(), 0x87);
        assert!(nobody.receive(QUIET).is_none());
    }

    fn d2_users_applications_and_tokens_all_log_in(version) {
        let fixture = Fixture::start(version);
        let jane = fixture.jane();
        fixture.grant(&jane, "t1", &["--org-admin"]);
        let token = fixture.application("fleet", "t1", &[]);
        let thing = fixture.thing("thing1", "t1", "fleet", &token);
        let jwt = text(&fixture.token("t1", "all", &jane.username, &["--whoami", "script"]), "token");
        for (client_id, connect) in [
            ("user", jane.connect("user")),
            ("app-id", thing.connect("app-id")),
            ("token", Connect::v311("token").login("jwt", &jwt)),
        ] {
            assert_eq!(connect.code(fixture.port()), ACCEPTED, "{client_id}");
        }
    }

    fn d3_a_role_says_what_a_session_may_do(version) {
        let fixture = Fixture::start(version);
        let jane = fixture.jane();
        fixture.cli.json(&["role", "create", "viewonly", "--tenant", "t1"]);
        fixture.cli.json(&["role", "allow", "viewonly", "--tenant", "t1", "subscribe", "t1/#"]);
        fixture.grant(&jane, "t1", &["--role", "viewonly"]);
        let mut client = jane.connect_v5("jane").accepted(fixture.port());
        let info = done(&mut client, "session.info", json!({}));
        assert_eq!((&info["role"], &info["orgAdmin"]), (&json!("viewonly"), &json!(false)));
        assert_eq!(client.subscribe(&[("t1/#", 0)]).unwrap(), [0]);
        assert!(!may_publish(&mut client, "t1/x"));
        refused(&mut client, "session.jwt.create", json!({"role": "viewonly", "whoami": "me"}));
        // What the role is given reaches the live session.
        fixture.cli.json(&["role", "allow", "viewonly", "--tenant", "t1", "publish", "t1/x"]);
        wait_until("the rule has come", || may_publish(&mut client, "t1/x"));
    }

    fn d4_a_user_logs_in_with_address_and_password(version) {
        let fixture = Fixture::start(version);
        let jane = fixture.jane();
        assert_eq!(jane.connect("jane").code(fixture.port()), ACCEPTED);
        assert_eq!(jane.connect_v5("jane").code(fixture.port()), ACCEPTED);
        assert_eq!(jane.with_secret("wrong").connect("jane").code(fixture.port()), REFUSED);
        assert_eq!(jane.with_secret("wrong").connect_v5("jane").code(fixture.port()), REFUSED_V5);
        let shouted = Connect::v311("jane").login("JANE@Mail.Test", &jane.secret);
        assert_eq!(shouted.code(fixture.port()), ACCEPTED);
        let mut client = shouted.accepted(fixture.port());
        assert_eq!(client.subscribe(&[("t1/#", 0), ("t2/#", 0)]).unwrap(), [0, 0x80]);
        fixture.wait_for_clients(&["jane"]);
        let listed = fixture.cli.json(&["clients", "list"]);
        assert_eq!((&listed[0]["username"], &listed[0]["tenant"]), (&json!("jane@mail.test"), &json!("t1")));
        // Who is granted nothing may not come in, and who is no more granted is put out.
        fixture.cli.json(&["user", "ungrant", "jane@mail.test", "--tenant", "t1"]);
        assert!(is_kicked(&mut client));
        assert_eq!(jane.connect("jane").code(fixture.port()), REFUSED);
    }

    fn d5_a_users_client_id_is_free_and_its_own(version) {
        let fixture = Fixture::start(version);
        let jane = fixture.jane();
        let mut one = jane.connect("one").accepted(fixture.port());
        let mut two = jane.connect("two").accepted(fixture.port());
        assert!(one.is_alive() && two.is_alive());
        let mut again = jane.connect("one").accepted(fixture.port());
        assert!(one.wait_closed(PATIENCE).is_some());
        assert!(again.is_alive());
        let device = fixture.credential("dev", "t1");
        assert_eq!(device.connect("one").code(fixture.port()), REFUSED);
        let mut theirs = device.connect("theirs").accepted(fixture.port());
        assert_eq!(jane.connect("theirs").code(fixture.port()), REFUSED);
        assert!(theirs.is_alive());
    }

    fn d13_a_user_of_several_tenants_switches(version) {
        let fixture = Fixture::start(version);
        let jane = jane_in_two_tenants(&fixture);
        let mut client = jane.connect_v5("jane").accepted(fixture.port());
        let info = done(&mut client, "session.info", json!({}));
        assert_eq!(info["orgKey"], "t1");
        let listed = done(&mut client, "session.org.list", json!({}));
        assert!(listed.to_string().contains("t1") && listed.to_string().contains("t2"), "{listed}");
        assert!(may_publish(&mut client, "t1/x") && !may_publish(&mut client, "t2/x"));
        done(&mut client, "session.org.switch", json!({"key": "t2"}));
        let info = done(&mut client, "session.info", json!({}));
        assert_eq!((&info["orgKey"], &info["orgAdmin"]), (&json!("t2"), &json!(true)));
        assert!(may_publish(&mut client, "t2/x") && !may_publish(&mut client, "t1/x"));
        // Where she is no member, she can't go.
        fixture.tenant("t3", &[]);
        refused(&mut client, "session.org.switch", json!({"key": "t3"}));
        refused(&mut client, "session.org.switch", json!({"key": "nosuch"}));
        refused(&mut client, "session.org.switch", json!({}));
        assert!(may_publish(&mut client, "t2/x"));
        // The next session starts where she worked last.
        client.disconnect().unwrap();
        wait_until("the switch is written down", || {
            let mut next = jane.connect_v5("next").accepted(fixture.port());
            done(&mut next, "session.info", json!({}))["orgKey"] == "t2"
        });
        // An application does not switch.
        let token = fixture.application("fleet", "t1", &[]);
        let thing = fixture.thing("thing1", "t1", "fleet", &token);
        let mut thing = thing.connect_v5("app-id").accepted(fixture.port());
        refused(&mut thing, "session.org.switch", json!({"key": "t2"}));
    }

    fn d14_a_switch_changes_one_session_alone(version) {
        let fixture = Fixture::start(version);
        let jane = jane_in_two_tenants(&fixture);
        let mut one = jane.connect_v5("one").accepted(fixture.port());
        let mut other = jane.connect_v5("other").accepted(fixture.port());
        assert_eq!(one.subscribe(&[("t1/#", 0)]).unwrap(), [0]);
        assert_eq!(other.subscribe(&[("t1/#", 0)]).unwrap(), [0]);
        done(&mut one, "session.org.switch", json!({"key": "t2"}));
        assert_eq!(done(&mut other, "session.info", json!({}))["orgKey"], "t1");
        let device = fixture.credential("dev", "t1");
        let mut device = device.connect("dev").accepted(fixture.port());
        device.publish("t1/x", b"x", 1, false).unwrap();
        assert_eq!(topics(&mut other), ["t1/x"]);
        // Its old subscription is filtered on delivery.
        assert!(topics_so_far(&mut one).is_empty());
    }

    fn d15_a_user_binds_no_things(version) {
        let fixture = Fixture::start(version);
        let jane = fixture.jane();
        fixture.grant(&jane, "t1", &["--org-admin"]);
        let token = fixture.application("fleet", "t1", &[]);
        let thing = fixture.thing("thing1", "t1", "fleet", &token);
        fixture.thing("child", "t1", "fleet", &token);
        let mut user = jane.connect_v5("jane").accepted(fixture.port());
        refused(&mut user, "thing.bind", json!({"key": "child"}));
        assert!(!may_publish(&mut user, "thing/child/x"));
        let mut parent = thing.connect_v5("app-id").accepted(fixture.port());
        assert!(!may_publish(&mut parent, "thing/child/x"));
        done(&mut parent, "thing.bind", json!({"key": "child"}));
        assert!(may_publish(&mut parent, "thing/child/x"));
        assert_eq!(parent.subscribe(&[("thing/child/#", 0)]).unwrap(), [0]);
        let info = done(&mut parent, "session.info", json!({}));
        assert!(info["things"].to_string().contains("child"), "{info}");
        // A child that is no more is bound no more.
        fixture.cli.json(&["thing", "delete", "child", "--tenant", "t1"]);
        wait_until("the child is gone", || !may_publish(&mut parent, "thing/child/x"));
        for key in ["child", "nosuch", "a/b", "#"] {
            refused(&mut parent, "thing.bind", json!({"key": key}));
        }
    }

    fn d44_an_answer_goes_to_whoever_asked(version) {
        let fixture = Fixture::start(version);
        let jane = fixture.jane();
        let mut asking = jane.connect_v5("asking").accepted(fixture.port());
        let mut other = jane.connect_v5("other").accepted(fixture.port());
        assert_eq!(other.subscribe(&[(RESPONSES, 0)]).unwrap().len(), 1);
        assert_eq!(command(&mut asking, "session.info", json!({}))["success"], true);
        assert!(other.receive(QUIET).is_none());
        // Nobody writes answers, and nobody reads commands.
        assert!(!may_publish(&mut other, RESPONSES));
        assert!(other.subscribe(&[(COMMANDS, 0)]).unwrap()[0] >= 0x80);
        assert!(other.subscribe(&[("$CONTROL/#", 0)]).unwrap()[0] >= 0x80);
        // Whatever is sent, the session goes on.
        for payload in ["", "{", "[]", "{}", r#"{"commands":7}"#, "\u{0}", "null"] {
            let answer = commands(&mut asking, payload);
            assert_eq!(answer["responses"][0]["success"], false, "{payload}: {answer}");
        }
        refused(&mut asking, "no.such.command", json!({}));
        let both = commands(&mut asking, r#"{"commands":[{"command":"session.info","correlation_data":"a"},{"command":"x","correlation_data":"b"}]}"#);
        assert_eq!(both["responses"][0]["success"], true, "{both}");
        assert_eq!(both["responses"][1]["success"], false, "{both}");
        assert_eq!(both["responses"][1]["correlation_data"], "b", "{both}");
        assert!(other.receive(QUIET).is_none());
    }
}

on_every_broker! {
    fn a_platform_administrator_has_no_place_at_a_broker_and_a_viewer_uses_no_topic(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("t1", &[]);
        fixture.cli.json(&["role", "create", "all", "--tenant", "t1"]);
        fixture.cli.json(&["role", "allow", "all", "--tenant", "t1", "both", "t1/#"]);
        // A name without `@`, as administrators of IMPACT have.
        let root = fixture.user("jai_admin", "hunter2");
        fixture.cli.json(&["user", "set", "jai_admin", "--platform-admin", "true"]);
        assert_eq!(root.connect("c").code(fixture.port()), REFUSED);
        fixture.grant(&root, "t1", &["--role", "all"]);
        let mut client = root.connect_v5("c").accepted(fixture.port());
        assert!(may_publish(&mut client, "t1/x"));
        // In the place of the role; her session goes on, and may use no topic any more.
        fixture.grant(&root, "t1", &["--viewer"]);
        wait_until("the viewer uses no topic", || !may_publish(&mut client, "t1/x"));
        assert!(client.subscribe(&[("t1/#", 0)]).unwrap() >= vec![0x80]);
        let info = done(&mut client, "session.info", json!({}));
        assert_eq!((&info["role"], &info["orgAdmin"]), (&json!(null), &json!(false)));
        // It is locked as users are that have an address.
        for _ in 0..5 {
            let wrong = Connect::v311("other").login("jai_admin", "wrong");
            assert_eq!(wrong.code(fixture.port()), REFUSED);
        }
        assert_eq!(root.connect("other").code(fixture.port()), REFUSED);
        fixture.cli.json(&["user", "unlock", "jai_admin"]);
        assert_eq!(root.connect("other").code(fixture.port()), ACCEPTED);
    }
}
