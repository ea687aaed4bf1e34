//! Clients that register themselves at brokers that follow a centre.

use countersign_testkit::token_issuer::TokenIssuer;
use countersign_tests::{ACCEPTED, Fixture, Login, REFUSED, on_every_broker, text, wait_until};
use serde_json::json;
use tempfile::TempDir;

use super::{follow, has};
use crate::issuers::{HOUR, add, claims, connect};

on_every_broker! {
    fn who_registers_behind_a_replica_is_made_at_the_centre_and_gets_in_then(version) {
        let folder = TempDir::new().unwrap();
        let centre = Fixture::start(version);
        let (west, east) = (Fixture::start(version), Fixture::start(version));
        for tenant in ["acme", "globex"] {
            centre.tenant(tenant, &[]);
        }
        let makes = ["--auto-register", "--pattern", "pump-*", "--max", "2"];
        let token = centre.application("pumps", "acme", &makes);
        let issuer = TokenIssuer::new(1);
        centre.cli.json(&["role", "create", "meter", "--tenant", "acme"]);
        add(&centre, &folder, "acme", &issuer, &["--auto-register", "--role", "meter"]);
        let service = centre.serve();
        let address = service.address.to_string();
        let followers = [
            follow(&centre.cli, &address, "west", &west.cli, &["--tenant", "acme"]),
            follow(&centre.cli, &address, "east", &east.cli, &["--tenant", "globex"]),
        ];
        for (broker, tenant) in [(&west, "acme"), (&east, "globex")] {
            wait_until("the snapshot is there", || {
                broker.cli.run(&["tenant", "show", tenant]).code == Some(0)
            });
        }
        let login = |key: &str| Login { username: key.into(), secret: token.clone() };
        let at = |broker: &Fixture, key: &str| login(key).connect(key).code(broker.port());

        // The first time it is asked for, and then it is there.
        assert_eq!(at(&west, "pump-1"), None, "it is to come again");
        wait_until("the thing gets in", || at(&west, "pump-1") == ACCEPTED);
        west.wait_for_cause("pump-1", "registering");
        let new1 = || connect("new1", "jwt", &issuer.sign(&claims("acme", "new1", HOUR)));
        assert_eq!(new1().code(west.port()), None, "it is to come again");
        wait_until("the device gets in", || new1().code(west.port()) == ACCEPTED);
        assert!(has(&centre.cli, "new1@acme"));
        wait_until("the centre knows of its tie", || {
            centre.thing_shown("pump-1", "acme")["app_id_bound"] == json!(true)
        });
        let acts = centre.cli.json(&["audit", "list"]);
        let acts = acts.as_array().unwrap().iter();
        let made = acts.filter(|row| row["actor"] == "broker:west");
        let made: Vec<_> = made.filter(|row| text(row, "act").ends_with(".create")).collect();
        assert_eq!(made.len(), 2, "{made:?}");

        // Whom a single broker would not make, the centre is not asked for.
        assert_eq!(at(&west, "valve-1"), REFUSED);
        wait_until("the second thing gets in", || at(&west, "pump-2") == ACCEPTED);
        wait_until("it is known that there is no third", || {
            at(&west, "pump-3") == REFUSED
        });
        west.wait_for_cause("pump-3", "over-limit");
        assert_eq!(at(&east, "pump-4"), REFUSED, "the application is of another tenant");
        east.wait_for_cause("pump-4", "unknown-name");

        // Who has taken the machine of another tenant over has nobody made, and is seen.
        let secret = std::fs::read_to_string(east.cli.store().with_extension("secret")).unwrap();
        let fleet = || centre.cli.json(&["fleet", "status"]);
        wait_until("the schema is known", || fleet()[0]["schema"].is_number());
        let items: Vec<_> = (1..20)
            .map(|id| {
                let by = json!({ "application": id });
                let what = json!({ "register": { "by": by, "name": "pump-5" } });
                json!({ "seq": id, "at": 1, "what": what })
            })
            .collect();
        let body = json!({ "schema": fleet()[0]["schema"], "stamp": 1, "items": items });
        let path = "/replication/v1/hand-back";
        let (status, answer) = service.ask("POST", path, Some(secret.trim()), Some(&body));
        assert_eq!((status, answer["undone"].as_array().unwrap().len()), (200, 19));
        let rows = centre.cli.json(&["audit", "list", "--act", "follower.hand-back"]);
        let mut rows = rows.as_array().unwrap().iter();
        let told = rows.any(|row| {
            row["cause"] == "other-tenant"
                && row["subject"] == "pump-5"
                && row["actor"] == "broker:east"
        });
        assert!(told, "the audit says so");
        let things = centre.cli.json(&["thing", "list", "--tenant", "acme"]);
        assert_eq!(things.as_array().unwrap().len(), 2);
        drop((followers, service));
    }
}
