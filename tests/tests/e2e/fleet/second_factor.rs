//! Second factors at the brokers of followers.

use countersign_testkit::Cli;
use countersign_testkit::tools::Background;
use countersign_tests::{ACCEPTED, Fixture, Login, REFUSED, on_every_broker, wait_until};
use rusqlite::Connection;
use rusqlite::types::FromSql;
use serde_json::json;

use super::{follow, follow_again};

/// What a store says of a user with a second factor.
fn of_user<T: FromSql>(cli: &Cli, name: &str, column: &str) -> Option<T> {
    let store = Connection::open(cli.store()).unwrap();
    let sql = format!(
        "SELECT {column} FROM person JOIN credential ON credential.id = person.credential
         WHERE credential.name = ?1 AND seed IS NOT NULL"
    );
    store.query_row(&sql, [name], |row| row.get(0)).ok()
}

fn seed(cli: &Cli, user: &Login) -> Option<Vec<u8>> {
    of_user(cli, &user.username, "seed")
}

fn last_step(cli: &Cli, user: &Login) -> Option<i64> {
    of_user::<Option<i64>>(cli, &user.username, "last_step").flatten()
}

on_every_broker! {
    fn a_second_factor_counts_at_every_broker_and_each_of_its_codes_once(version) {
        let centre = Fixture::start(version);
        let (east, west) = (Fixture::start(version), Fixture::start(version));
        let jane = centre.jane();
        let authenticator = centre.enrol_and_confirm(&jane);
        let boss = centre.user("boss@mail.test", "correct horse battery");
        centre.enrol_and_confirm(&boss);
        let service = centre.serve();
        let address = service.address.to_string();
        let followers = [
            follow(&centre.cli, &address, "east", &east.cli, &[]),
            follow(&centre.cli, &address, "west", &west.cli, &["--tenant", "t1"]),
        ];
        for broker in [&east, &west] {
            wait_until("jane is there", || seed(&broker.cli, &jane).is_some());
        }
        assert_eq!(seed(&east.cli, &boss), Some(Vec::new()), "who may do nothing there");
        centre.wait_for_a_fresh_step();
        let (now, next) = (authenticator.code(0), authenticator.code(1));
        assert_eq!(east.code(&jane), REFUSED, "without a code");
        assert_eq!(west.code(&jane.with_code(&authenticator.wrong_code())), REFUSED);
        for (broker, code) in [(&east, &now), (&west, &next)] {
            assert_eq!(broker.code(&jane.with_code(code)), ACCEPTED);
            let used = last_step(&broker.cli, &jane);
            for other in [&centre, &east, &west] {
                wait_until("everybody knows the code", || last_step(&other.cli, &jane) == used);
                assert_eq!(other.code(&jane.with_code(code)), REFUSED, "a code counts once");
            }
        }
        // What is given up at the centre is asked for nowhere.
        centre.cli.json(&["user", "mfa", "disable", &jane.username]);
        for broker in [&east, &west] {
            wait_until("no code is needed", || broker.code(&jane) == ACCEPTED);
        }
        drop((followers, service));
    }
}

fn says(follower: &Background, what: &str) {
    wait_until(what, || follower.stderr().contains(what));
}

on_every_broker! {
    fn a_machine_that_shows_the_secret_of_another_is_told_no_second_factor(version) {
        let centre = Fixture::start(version);
        let (east, other) = (Fixture::start(version), Fixture::start(version));
        let jane = centre.jane();
        let authenticator = centre.enrol_and_confirm(&jane);
        let service = centre.serve();
        let address = service.address.to_string();
        let of_east = follow(&centre.cli, &address, "east", &east.cli, &[]);
        wait_until("jane is there", || seed(&east.cli, &jane).is_some());
        let sealed = |cli: &Cli| seed(cli, &jane).filter(|it| !it.is_empty());
        assert!(sealed(&east.cli).is_some() && sealed(&east.cli) != sealed(&centre.cli));
        let pinned = centre.cli.json(&["audit", "list", "--act", "follower.pin-machine"]);
        assert_eq!(pinned.as_array().map(Vec::len), Some(1), "{pinned}");
        assert_eq!(pinned[0]["actor"], json!("broker:east"));

        // Whoever has the secret has not the machine.
        let secret = |cli: &Cli| cli.store().with_extension("secret");
        std::fs::copy(secret(&east.cli), secret(&other.cli)).unwrap();
        let of_other = follow_again(&address, &other.cli);
        wait_until("jane is there", || seed(&other.cli, &jane).is_some());
        assert_eq!(seed(&other.cli, &jane), Some(Vec::new()));
        says(&of_other, "took another machine for this follower");
        centre.wait_for_a_fresh_step();
        let code = authenticator.code(0);
        assert_eq!(other.code(&jane.with_code(&code)), REFUSED);
        assert_eq!(east.code(&jane.with_code(&code)), ACCEPTED);

        // A machine that takes the place of another is let in by a new secret.
        of_other.kill().unwrap();
        let rotated = centre.cli.json(&["follower", "rotate", "east"]);
        std::fs::write(secret(&other.cli), rotated["secret"].as_str().unwrap()).unwrap();
        let of_other = follow_again(&address, &other.cli);
        wait_until("the other machine has the seed", || sealed(&other.cli).is_some());
        assert_eq!(other.code(&jane.with_code(&authenticator.code(1))), ACCEPTED);
        says(&of_east, "the centre knows no follower with this secret");
        drop((of_other, service));
    }
}
