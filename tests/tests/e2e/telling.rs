//! Secrets in places where they don't belong, and what is written of them.

use std::fs;

use countersign_testkit::Connect;
use countersign_tests::{ACCEPTED, Fixture, REFUSED, is_kicked, on_every_broker, text, wait_until};

/// Says whether a text stands in our log, in the store or beside it.
fn is_told(fixture: &Fixture, hidden: &str) -> bool {
    let mut written = fixture.our_lines().into_bytes();
    for suffix in ["", "-wal"] {
        written.extend(fs::read(format!("{}{suffix}", fixture.cli.store().display())).unwrap());
    }
    written
        .windows(hidden.len())
        .any(|bytes| bytes == hidden.as_bytes())
}

/// Waits until the audit has a refusal for this cause.
fn wait_for_refusal(fixture: &Fixture, cause: &str) {
    wait_until(cause, || {
        let rows = fixture.cli.json(&["audit", "list"]);
        rows.as_array()
            .unwrap()
            .iter()
            .any(|row| row["cause"] == cause)
    });
}

on_every_broker! {
    fn whatever_a_login_is_refused_for_a_secret_in_the_place_of_the_name_is_masked(version) {
        let fixture = Fixture::start_with(version, |it| it.plugin_option("default_tenant", "open"));
        fixture.tenant("open", &["--authentication", "off"]);
        fixture.tenant("reserved", &["--client-id-prefix", "re-"]);
        let secret = text(&fixture.make("generated", "open", &[]), "secret");
        let _live = fixture.credential("dev", "open").connect("live").accepted(fixture.port());
        let jwt = "eyJhbGciOiJFZERTQSIsImtpZCI6Ing.eyJzdWIiOiJ4In0.c2ln";
        for (client_id, password) in [("live", "x"), ("re-1", "x"), ("other", jwt)] {
            let connect = Connect::v311(client_id).login(&secret, password);
            assert_eq!(connect.code(fixture.port()), REFUSED, "{client_id}");
        }
        fixture.set_authentication("open", "required");
        wait_until("nothing but a login is let in", || {
            Connect::v311("any").login(&secret, "x").code(fixture.port()) == REFUSED
        });
        for cause in ["client-id-owned", "bad-secret", "unknown-name"] {
            wait_for_refusal(&fixture, cause);
        }
        assert!(!is_told(&fixture, &secret));
    }

    fn a_kick_by_a_client_id_that_is_a_secret_writes_it_nowhere(version) {
        let fixture = Fixture::start_with_tenant(version);
        let token = text(&fixture.make("vwire-token", "t1", &["pump"]), "secret");
        let application = fixture.application("fleet", "t1", &[]);
        let thing = fixture.thing("truck", "t1", "fleet", &application);
        let app_id = "0123-app-id-of-a-truck";
        for (connect, id) in [
            (Connect::v311(&token).login(&token, &token), token.as_str()),
            (thing.connect(app_id), app_id),
        ] {
            let mut client = connect.accepted(fixture.port());
            fixture.cli.json(&["clients", "kick", id]);
            assert!(is_kicked(&mut client), "{id}");
            let kicks = || {
                let rows = fixture.cli.json(&["audit", "list"]);
                rows.as_array().unwrap().iter().filter(|row| row["act"] == "client.kick").count()
            };
            let before = kicks();
            fixture.cli.refused(&["clients", "kick", id]);
            assert_eq!(kicks(), before + 1);
            assert!(!is_told(&fixture, id), "{id}");
            assert_eq!(connect.code(fixture.port()), ACCEPTED);
        }
    }
}
