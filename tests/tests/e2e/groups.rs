//! Groups: several of one credential, and roles that groups hold.

use countersign_tests::{Fixture, on_every_broker, publishes, subscribes, wait_until};
use serde_json::{Value, json};

/// A tenant whose credentials may do what roles say, with a role that allows this.
fn start(version: countersign_testkit::Version, allowed: &[&str]) -> Fixture {
    let fixture = Fixture::start(version);
    fixture.tenant("acme", &["--default-rights", "none"]);
    let create = ["role", "create", "ops", "--tenant", "acme"];
    fixture.cli.json(&create);
    let allow = ["role", "allow", "ops", "--tenant", "acme"];
    fixture.cli.json(&[&allow, allowed].concat());
    fixture
}

/// Gives the role to a group, or takes it away.
fn role(fixture: &Fixture, act: &str, group: &str, more: &[&str]) -> Value {
    let words = ["role", act, "ops", "--tenant", "acme", "--group", group];
    fixture.cli.json(&[&words, more].concat())
}

on_every_broker! {
    fn a_role_of_a_group_is_held_by_all_in_it_and_below_and_by_no_others(version) {
        let fixture = start(version, &["publish", "acme/x"]);
        let member = |name: &str, groups: &[&str]| {
            let login = fixture.credential_with(name, "acme", groups);
            login.connect_v5(name).accepted(fixture.port())
        };
        let mut within = member("in", &["--group", "DM"]);
        let mut below = member("below", &["--group", "B", "--group", "DM.X.Y"]);
        let mut beside = member("beside", &["--group", "DMX"]);
        let mut outside = member("outside", &[]);
        assert!(!publishes(&mut within, "acme/x") && !publishes(&mut below, "acme/x"));
        fixture.wait_for_clients_count(4);
        let told = role(&fixture, "assign", "DM", &["--dry-run"]);
        let names: Vec<_> = told.as_array().unwrap().iter().map(|effect| &effect["name"]).collect();
        assert_eq!(names, ["below@acme", "in@acme"]);
        assert_eq!(told[0]["connected"], true);
        assert!(!publishes(&mut within, "acme/x"));
        role(&fixture, "assign", "DM", &[]);
        wait_until("all in it have the role", || publishes(&mut within, "acme/x"));
        wait_until("all below it have the role", || publishes(&mut below, "acme/x"));
        assert!(!publishes(&mut beside, "acme/x") && !publishes(&mut outside, "acme/x"));
        let mut later = member("later", &["--group", "DM.LATER"]);
        assert!(publishes(&mut later, "acme/x"));
        role(&fixture, "assign", "DM.X", &[]);
        role(&fixture, "unassign", "DM", &[]);
        wait_until("the role is gone", || !publishes(&mut within, "acme/x"));
        assert!(publishes(&mut below, "acme/x"));
        wait_until("it is gone below, too", || !publishes(&mut later, "acme/x"));
        // No session ended over it.
        for client in [&mut within, &mut below, &mut beside, &mut outside, &mut later] {
            assert!(client.is_alive());
        }
    }

    fn a_variable_for_the_group_holds_for_each_group_of_a_credential(version) {
        let fixture = start(version, &["both", "acme/${group}/#"]);
        let deny = ["role", "deny", "ops", "--tenant", "acme", "both", "acme/+/secret/${group}"];
        fixture.cli.json(&deny);
        let login = fixture.credential_with("dev1", "acme", &["--group", "DM.X", "--group", "B", "--role", "ops"]);
        let mut client = login.connect_v5("c1").accepted(fixture.port());
        for (topic, may) in [
            ("acme/DM.X/a", true),
            ("acme/B/a", true),
            ("acme/DM/a", false),
            ("acme/C/a", false),
            ("acme/B/secret/DM.X", false),
            ("acme/B/secret/B", false),
            ("acme/B/secret/C", true),
        ] {
            assert_eq!(publishes(&mut client, topic), may, "{topic}");
        }
        assert!(subscribes(&mut client, "acme/DM.X/#") && subscribes(&mut client, "acme/B/+"));
        assert!(!subscribes(&mut client, "acme/+/a") && !subscribes(&mut client, "acme/#"));
        let set = ["credential", "set", "dev1@acme", "--remove-group", "DM.X", "--add-group", "C"];
        let shown = fixture.cli.json(&set);
        assert_eq!((&shown["group"], &shown["groups"]), (&json!("B"), &json!(["B", "C"])));
        wait_until("it is in the new group", || publishes(&mut client, "acme/C/a"));
        assert!(!publishes(&mut client, "acme/DM.X/a"));
        assert!(client.is_alive());
    }

    fn a_rule_bound_to_a_group_holds_by_any_group_of_a_credential(version) {
        let fixture = start(version, &["publish", "acme/x", "--group", "DM"]);
        let login = fixture.credential_with("dev1", "acme", &["--group", "A", "--group", "DM.X", "--role", "ops"]);
        let other = fixture.credential_with("dev2", "acme", &["--group", "A", "--group", "DMX", "--role", "ops"]);
        let mut client = login.connect_v5("c1").accepted(fixture.port());
        let mut other = other.connect_v5("c2").accepted(fixture.port());
        assert!(publishes(&mut client, "acme/x"));
        assert!(!publishes(&mut other, "acme/x"));
        // What a broker answers, the program does, and says why.
        let check = ["check", "publish", "--username", "dev1@acme", "--client-id", "c1", "acme/x"];
        let answer = fixture.cli.json(&check);
        assert_eq!(answer["rule"]["source"], "group:DM");
        role(&fixture, "assign", "A", &[]);
        let allow = ["role", "allow", "ops", "--tenant", "acme", "publish", "acme/y"];
        fixture.cli.json(&allow);
        let set = ["credential", "set", "dev1@acme", "--remove-role", "ops"];
        fixture.cli.json(&set);
        let check = ["check", "publish", "--username", "dev1@acme", "--client-id", "c1", "acme/y"];
        let answer = fixture.cli.json(&check);
        assert_eq!((&answer["rule"]["source"], &answer["rule"]["group"]), (&json!("role:ops"), &json!("A")));
        wait_until("it holds the role by its group", || publishes(&mut client, "acme/y"));
        assert!(publishes(&mut client, "acme/x"));
    }

    fn a_role_that_a_group_holds_is_in_use_until_it_is_taken_away(version) {
        let fixture = start(version, &["publish", "acme/x"]);
        let login = fixture.credential_with("dev1", "acme", &["--group", "DM"]);
        let mut client = login.connect_v5("c1").accepted(fixture.port());
        role(&fixture, "assign", "DM", &[]);
        wait_until("it has the role", || publishes(&mut client, "acme/x"));
        let shown = fixture.cli.json(&["role", "show", "ops", "--tenant", "acme"]);
        assert_eq!(shown["groups"], json!(["DM"]));
        let kept = fixture.cli.run(&["role", "delete", "ops", "--tenant", "acme"]);
        assert!(kept.stderr.contains("in use"), "{}", kept.stderr);
        fixture.cli.json(&["role", "delete", "ops", "--tenant", "acme", "--cascade"]);
        wait_until("the role is gone", || !publishes(&mut client, "acme/x"));
        assert!(client.is_alive());
        // A new role of that name is held by no group.
        let create = ["role", "create", "ops", "--tenant", "acme"];
        assert_eq!(fixture.cli.json(&create)["groups"], json!([]));
    }
}
