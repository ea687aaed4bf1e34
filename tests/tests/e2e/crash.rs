//! `kill -9` at any moment: nothing half done, nothing forgotten.

use std::time::Duration;

use countersign_testkit::Version;
use countersign_tests::{ACCEPTED, Fixture, Login, REFUSED, on_every_broker, text};
use serde_json::json;

on_every_broker! {
    fn killing_the_broker_right_after_the_connack_loses_no_state(version) {
        let mut fixture = Fixture::start_with_tenant(version);
        for round in 0..5 {
            let login = fixture.credential(&format!("dev{round}"), "t1");
            let bound = fixture.credential_with(&format!("bound{round}"), "t1", &["--client-id", "first-use"]);
            let client = login.connect("a").accepted(fixture.port());
            let other = bound.connect(&format!("id{round}")).accepted(fixture.port());
            fixture.broker.kill_9().unwrap();
            drop((client, other));
            assert_eq!(fixture.state(&login), "Active");
            assert_eq!(fixture.state(&bound), "Active");
            fixture.broker.restart().unwrap();
            assert_eq!(fixture.code(&login), ACCEPTED);
            assert_eq!(bound.connect("another").code(fixture.port()), REFUSED);
            assert_eq!(bound.connect(&format!("id{round}")).code(fixture.port()), ACCEPTED);
        }
        fixture.cli.json(&["audit", "verify"]);
    }

    fn what_was_done_while_the_broker_was_down_holds_when_it_is_back(version) {
        let mut fixture = Fixture::start_with_tenant(version);
        let logins: Vec<Login> = ["suspend", "revoke", "delete"].iter().map(|act| fixture.credential(act, "t1")).collect();
        for login in &logins {
            assert_eq!(fixture.code(login), ACCEPTED);
        }
        fixture.broker.kill_9().unwrap();
        for (act, login) in ["suspend", "revoke", "delete"].iter().zip(&logins) {
            fixture.act(act, login);
        }
        fixture.broker.restart().unwrap();
        for login in &logins {
            assert_eq!(fixture.code(login), REFUSED, "{}", login.username);
        }
        assert_eq!(fixture.cli.json(&["clients", "list"]), serde_json::json!([]));
    }
}

/// Kills the program at many moments of an act, while a broker uses the store.
#[test]
fn killing_the_program_in_the_middle_of_an_act_leaves_it_done_or_undone() {
    let fixture = Fixture::start_with_tenant(Version::V2_1);
    let login = fixture.credential("dev", "t1");
    let mut bystander = login.connect("bystander").accepted(fixture.port());
    let mut made = 0_usize;
    for round in 0..40_u64 {
        let name = format!("new{round}");
        let running = fixture
            .cli
            .tool(&["credential", "create", &name, "--tenant", "t1", "--json"])
            .background()
            .unwrap();
        std::thread::sleep(Duration::from_micros(round * 250));
        let output = running.kill().unwrap();
        let shown = fixture
            .cli
            .run(&["credential", "show", &format!("{name}@t1"), "--json"]);
        let exists = shown.code == Some(0);
        made += usize::from(exists);
        // Whoever was told the secret can use it.
        if let Ok(printed) = serde_json::from_str::<serde_json::Value>(&output.stdout) {
            assert!(exists, "{printed}");
            assert_eq!(fixture.code(&Login::from(&printed)), ACCEPTED);
        }
        bystander.ping(countersign_tests::PATIENCE).unwrap();
    }
    fixture.cli.json(&["audit", "verify"]);
    let audit = fixture.cli.json(&["audit", "list"]);
    let creations =
        audit.as_array().unwrap().iter().filter(|row| {
            row["act"] == "credential.create" && text(row, "subject").starts_with("new")
        });
    assert_eq!(creations.count(), made);
    let listed = fixture.cli.json(&["credential", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), made + 1);
}

/// Kills the service at many moments of acts on many.
#[test]
fn killing_the_service_in_the_middle_of_acts_on_many_leaves_each_name_done_or_not() {
    const COUNT: usize = 120;
    let fixture = Fixture::start_with_tenant(Version::V2_1);
    let token = fixture.api_token("tenant:t1");
    let service = fixture.serve();
    for number in 0..COUNT {
        let new = json!({ "name": format!("dev{number}"), "tenant": "t1" });
        let (status, made) = service.ask("POST", "/api/v1/credentials", Some(&token), Some(&new));
        assert_eq!(status, 201, "{made}");
    }
    assert_eq!(service.end().code, Some(0));
    let bulk = "/api/v1/credentials/bulk";
    let act = |act: &str| json!({ "act": act, "selection": { "tenant": "t1" } });
    let mut suspensions = 0;
    for round in 0..8 {
        let after = Duration::from_millis(round * 12);
        fixture
            .serve()
            .kill_in_the_midst(bulk, &token, &act("suspend"), after);
        let listed = fixture.cli.json(&["credential", "list", "--tenant", "t1"]);
        let listed = listed.as_array().unwrap();
        assert_eq!(listed.len(), COUNT);
        let suspended = listed
            .iter()
            .filter(|it| it["state"] == "Suspended")
            .count();
        let rest = listed.iter().filter(|it| it["state"] == "Inactive").count();
        assert_eq!(suspended + rest, COUNT, "each is done or not");
        // What was done stands in the audit, once, and nothing else does.
        suspensions += suspended;
        let rows = [
            "audit",
            "list",
            "--act",
            "credential.suspend",
            "--limit",
            "10000",
        ];
        let rows = fixture.cli.json(&rows);
        assert_eq!(rows.as_array().unwrap().len(), suspensions);
        fixture.cli.json(&["audit", "verify"]);
        // Whoever comes next finds a store that is well, and does the rest.
        let service = fixture.serve();
        let (status, done) = service.ask("POST", bulk, Some(&token), Some(&act("reactivate")));
        assert_eq!((status, &done["done"]), (200, &json!(suspended)), "{done}");
        assert_eq!(service.end().code, Some(0));
    }
}
