//! One act on many credentials, and what becomes of their sessions.

use countersign_tests::{Fixture, Login, is_kicked, on_every_broker, publishes, wait_until};
use serde_json::json;

on_every_broker! {
    fn suspending_a_group_ends_the_sessions_of_all_in_it_and_of_no_other(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("acme", &[]);
        let connect = |name: &str, groups: &[&str]| {
            let login = fixture.credential_with(name, "acme", groups);
            (login.connect_v5(name).accepted(fixture.port()), login)
        };
        let (mut one, login) = connect("p1", &["--group", "DM.PUMPS"]);
        let (mut two, _) = connect("p2", &["--group", "B", "--group", "DM.PUMPS.OLD"]);
        let (mut other, _) = connect("x1", &["--group", "DM.PUMPSX"]);
        fixture.wait_for_clients_count(3);
        let suspend = ["credential", "suspend", "--tenant", "acme", "--group", "DM.PUMPS"];
        let tried = fixture.cli.json(&[&suspend, ["--dry-run"].as_slice()].concat());
        assert_eq!((&tried["matched"], &tried["sessions_ended"]), (&json!(2), &json!(2)));
        assert!(one.is_alive() && two.is_alive());
        let done = fixture.cli.json(&suspend);
        assert_eq!((&done["done"], &done["sessions_ended"]), (&json!(2), &json!(2)));
        assert!(is_kicked(&mut one) && is_kicked(&mut two));
        assert!(publishes(&mut other, "acme/x"));
        assert_ne!(fixture.code(&login), Some(0));
        fixture.wait_for_clients_count(1);
        let again = fixture.cli.json(&suspend);
        assert_eq!((&again["done"], &again["skipped"]), (&json!(0), &json!(2)));
        fixture.cli.json(&["credential", "reactivate", "--group", "DM.PUMPS"]);
        wait_until("it is let in again", || fixture.code(&login) == Some(0));
        assert!(other.is_alive());
    }

    fn rotating_many_with_an_overlap_ends_no_session_and_without_one_ends_all(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("acme", &[]);
        let logins = ["p1", "p2"].map(|name| fixture.credential_with(name, "acme", &["--group", "DM"]));
        let mut clients = [("c1", &logins[0]), ("c2", &logins[1])]
            .map(|(client_id, login)| login.connect_v5(client_id).accepted(fixture.port()));
        fixture.wait_for_clients_count(2);
        let rotate = ["credential", "rotate", "--group", "DM", "--tenant", "acme"];
        let rotated = fixture.cli.json(&[&rotate, ["--overlap", "1h"].as_slice()].concat());
        assert_eq!((&rotated["done"], &rotated["sessions_ended"]), (&json!(2), &json!(0)));
        let secret = rotated["secrets"][0]["secret"].as_str().unwrap();
        let code = |login: &Login, client_id| login.connect(client_id).code(fixture.port());
        assert_eq!(code(&logins[0].with_secret(secret), "d1"), Some(0));
        let rotated = fixture.cli.json(&rotate);
        assert_eq!(rotated["done"], 2);
        for client in &mut clients {
            assert!(is_kicked(client));
        }
        let secret = rotated["secrets"][1]["secret"].as_str().unwrap();
        assert_eq!(code(&logins[1].with_secret(secret), "d2"), Some(0));
        assert_ne!(code(&logins[1], "d2"), Some(0));
    }
}
