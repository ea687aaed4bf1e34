//! Roles that a tenant gives to all of its devices and to clients without a
//! login, roles without wildcards, and literal rules.

use countersign_testkit::Connect;
use countersign_tests::{Fixture, PATIENCE, on_every_broker, publishes, subscribes, wait_until};

/// A role of `acme` that allows this.
fn role(fixture: &Fixture, name: &str, rules: &[&[&str]]) {
    fixture
        .cli
        .json(&["role", "create", name, "--tenant", "acme"]);
    for rule in rules {
        let allow = [&["role", "allow", name, "--tenant", "acme"], *rule].concat();
        fixture.cli.json(&allow);
    }
}

fn set(fixture: &Fixture, words: &[&str]) {
    fixture
        .cli
        .json(&[&["tenant", "set", "acme"], words].concat());
}

on_every_broker! {
    fn a_role_that_a_tenant_gives_by_default_is_held_by_all_its_devices_and_things(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("acme", &["--default-rights", "none"]);
        role(&fixture, "own", &[&["publish", "acme/${username}/#"]]);
        let login = fixture.credential("dev1", "acme");
        let mut client = login.connect_v5("c1").accepted(fixture.port());
        assert!(!publishes(&mut client, "acme/dev1@acme/x"));
        set(&fixture, &["--add-default-role", "own"]);
        wait_until("the session has the role", || publishes(&mut client, "acme/dev1@acme/x"));
        assert!(!publishes(&mut client, "acme/other/x"));
        let later = fixture.credential("dev2", "acme");
        let mut later = later.connect_v5("c2").accepted(fixture.port());
        assert!(publishes(&mut later, "acme/dev2@acme/x"));
        assert!(!publishes(&mut later, "acme/dev1@acme/x"));
        let kept = fixture.cli.run(&["role", "delete", "own", "--tenant", "acme"]);
        assert!(kept.stderr.contains("in use"), "{}", kept.stderr);
        set(&fixture, &["--remove-default-role", "own"]);
        wait_until("the role is gone", || !publishes(&mut client, "acme/dev1@acme/x"));
        fixture.cli.json(&["role", "delete", "own", "--tenant", "acme"]);
    }

    fn the_first_anonymous_role_says_all_that_clients_without_a_login_may_do(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("acme", &["--authentication", "optional"]);
        role(&fixture, "guest", &[&["publish", "acme/in/${client_id}"], &["subscribe", "acme/out/#"]]);
        let mut guest = Connect::v5("g1").accepted(fixture.port());
        assert!(publishes(&mut guest, "acme/secret"));
        set(&fixture, &["--add-anonymous-role", "guest"]);
        let shown = fixture.cli.json(&["tenant", "show", "acme"]);
        assert_eq!(shown["anonymous_rights"], "none");
        assert_eq!(shown["anonymous_roles"], serde_json::json!(["guest"]));
        wait_until("guests may do what the role says", || !publishes(&mut guest, "acme/secret"));
        assert!(publishes(&mut guest, "acme/in/g1"));
        assert!(!publishes(&mut guest, "acme/in/g2"));
        assert!(subscribes(&mut guest, "acme/out/a") && !subscribes(&mut guest, "acme/#"));
        let mut other = Connect::v5("g2").accepted(fixture.port());
        assert!(publishes(&mut other, "acme/in/g2"));
        assert!(!publishes(&mut other, "acme/in/g1"));
        // Those with a login are as they were.
        let login = fixture.credential("dev1", "acme");
        let mut device = login.connect_v5("c1").accepted(fixture.port());
        assert!(publishes(&mut device, "acme/secret"));
        set(&fixture, &["--remove-anonymous-role", "guest"]);
        wait_until("guests may do nothing", || !publishes(&mut guest, "acme/in/g1"));
    }

    fn a_literal_rule_is_about_the_very_filter_and_a_role_without_wildcards_grants_none(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("acme", &["--default-rights", "none"]);
        role(&fixture, "reader", &[&["subscribe", "acme/a/#", "--literal"], &["subscribe", "acme/b/#"]]);
        let deny = ["role", "deny", "reader", "--tenant", "acme", "subscribe", "acme/b/+", "--literal"];
        fixture.cli.json(&deny);
        role(&fixture, "writer", &[&["publish", "acme/#"]]);
        let reader = fixture.credential_with("dev1", "acme", &["--role", "reader"]);
        let writer = fixture.credential_with("dev2", "acme", &["--role", "writer"]);
        let mut reader = reader.connect_v5("c1").accepted(fixture.port());
        let mut writer = writer.connect_v5("c2").accepted(fixture.port());
        for (filter, is_granted) in [
            ("acme/a/x", false), ("acme/a/+", false), ("acme/a/#", true), ("acme/b/+", false), ("acme/b/x", true), ("acme/b/#", true),
        ] {
            assert_eq!(subscribes(&mut reader, filter), is_granted, "{filter}");
        }
        // What a literal deny refuses is a filter: its topics are delivered.
        for topic in ["acme/a/x/y", "acme/b/z"] {
            assert!(publishes(&mut writer, topic));
            let received = reader.receive(PATIENCE);
            assert_eq!(received.map(|message| message.topic).as_deref(), Some(topic));
        }
        fixture.cli.json(&["role", "set", "reader", "--tenant", "acme", "--no-wildcards", "true"]);
        wait_until("wildcards are refused", || !subscribes(&mut reader, "acme/b/#"));
        assert!(!subscribes(&mut reader, "acme/a/#") && subscribes(&mut reader, "acme/b/x"));
    }

    fn a_tenant_that_may_read_sys_subscribes_below_it_by_its_roles(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("acme", &["--default-rights", "none"]);
        role(&fixture, "monitor", &[]);
        let allow = ["role", "allow", "monitor", "--tenant", "acme", "subscribe", "$SYS/#"];
        let refused = fixture.cli.run(&allow);
        assert!(refused.stderr.contains("topic of the broker itself"), "{}", refused.stderr);
        set(&fixture, &["--sys-read", "true"]);
        fixture.cli.json(&allow);
        for pattern in ["$CONTROL/#", "$other/x"] {
            let refused = fixture.cli.run(&["role", "allow", "monitor", "--tenant", "acme", "subscribe", pattern]);
            assert_eq!(refused.code, Some(1), "{pattern}");
        }
        let login = fixture.credential_with("dev1", "acme", &["--role", "monitor"]);
        let mut client = login.connect_v5("c1").accepted(fixture.port());
        assert!(subscribes(&mut client, "$SYS/broker/version"));
        assert!(client.receive(PATIENCE).is_some());
        assert!(!subscribes(&mut client, "$CONTROL/#"));
        set(&fixture, &["--sys-read", "false"]);
        wait_until("it may no longer", || !subscribes(&mut client, "$SYS/broker/version"));
    }
}
