//! Users of mosquitto-go-auth, of its files and of its database: they log in with their
//! old passwords, which are hashed anew, and may do what they might.

use std::fs;

use countersign_testkit::{Client, Connect};
use countersign_tests::{ACCEPTED, Fixture, REFUSED, on_every_broker, publishes, subscribes};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::other_systems::{HASHES, wait_until_hashed_anew};

/// Users, and hashes of `correct horse` that mosquitto-go-auth or -auth-plug make: of
/// PBKDF2 under both readings of the salt, bcrypt and Argon2id.
fn users() -> Vec<(String, &'static str)> {
    let known = ["PBKDF2$", "$2b$", "$argon2id$"];
    let mut hashes = HASHES.to_vec();
    hashes.retain(|hash| known.iter().any(|start| hash.starts_with(start)));
    assert_eq!(hashes.len(), 4);
    let names = (0..).map(|number| format!("user {number}"));
    names.zip(hashes).collect()
}

/// Imports what `words` name as the tenant `home`.
fn import(fixture: &Fixture, words: &[&str]) -> Value {
    let words = [words, &["--namespace", "home/#"]].concat();
    fixture.cli.act("import go-auth --tenant home", &words)
}

/// Every user logs in with its old password and with no other, before the password is
/// hashed anew and afterwards.
fn log_in(fixture: &Fixture) {
    for (number, (name, _)) in users().iter().enumerate() {
        let code = |password: &str| {
            let client = Connect::v311(format!("c{number}"));
            client.login(name, password).code(fixture.port())
        };
        assert_eq!(code("correct hors"), REFUSED, "{name}");
        assert_eq!(code("correct horse"), ACCEPTED, "{name}");
        wait_until_hashed_anew(fixture, name);
        assert_eq!(code("correct horse"), ACCEPTED, "{name}");
        assert_eq!(code("another one"), REFUSED, "{name}");
    }
    let nobody = Connect::v311("c").login("nobody", "correct horse");
    assert_eq!(nobody.code(fixture.port()), REFUSED);
}

fn connect(fixture: &Fixture, number: usize) -> Client {
    let client = Connect::v5(format!("c{number}"));
    let client = client.login(format!("user {number}"), "correct horse");
    client.accepted(fixture.port())
}

const ACL: &str = "# before the first user, for all\r
topic read home/news\r
\r
user user 0\r
topic readwrite home/hall/#\r
topic deny home/hall/keys\r
topic subscribe home/hall/+\r
user user 1\r
topic write home/living room/é\r
pattern write home/of/%u/%c\r
";

on_every_broker! {
    fn users_of_its_files_log_in_as_before_and_may_do_what_they_might(version) {
        let fixture = Fixture::start(version);
        let [passwords, acl] = ["passwords", "acl"].map(|file| fixture.broker.dir().join(file));
        let lines = users().into_iter().map(|(name, hash)| format!("{name}:{hash}\n"));
        fs::write(&passwords, lines.collect::<String>()).unwrap();
        fs::write(&acl, ACL).unwrap();
        let [passwords, acl] = [&passwords, &acl].map(|file| file.to_str().unwrap());
        let report = import(&fixture, &["--passwords", passwords, "--acl", acl]);
        assert_eq!((&report["lost"], &report["created"]["credentials"]), (&json!([]), &json!(4)));
        log_in(&fixture);
        let [mut first, mut second] = [0, 1].map(|number| connect(&fixture, number));
        for (topic, may) in [
            ("home/hall/light", true),
            ("home/hall/keys", false),
            ("home/of/user 0/c0", true),
            ("home/of/user 0/c1", false),
        ] {
            assert_eq!(publishes(&mut first, topic), may, "{topic}");
        }
        for (topic, may) in [
            ("home/hall/light", false),
            ("home/living room/é", true),
            ("home/of/user 0/c0", false),
            ("home/news", false),
        ] {
            assert_eq!(publishes(&mut second, topic), may, "{topic}");
        }
        assert!(subscribes(&mut first, "home/hall/+"));
        for (filter, may) in [("home/hall/+", false), ("home/news", true), ("#", false)] {
            assert_eq!(subscribes(&mut second, filter), may, "{filter}");
        }
    }

    fn users_of_its_database_log_in_as_before_and_may_do_what_they_might(version) {
        let fixture = Fixture::start(version);
        let file = fixture.broker.dir().join("go-auth.db");
        let database = Connection::open(&file).unwrap();
        database.execute_batch(TABLES).unwrap();
        for (name, hash) in users() {
            let user = "INSERT INTO account VALUES (?1, ?2, ?1 = 'user 3')";
            database.execute(user, [&*name, hash]).unwrap();
        }
        drop(database);
        let report = import(&fixture, &[
            "--sqlite", file.to_str().unwrap(),
            "--users-query", "SELECT name FROM account",
            "--user-query", "SELECT hash FROM account WHERE name = $1",
            "--super-query", "SELECT is_super FROM account WHERE name = ?",
            "--acl-query", "SELECT topic FROM allowed WHERE name = ? AND access & ? > 0",
            "--accept-losses",
        ]);
        let lost = report["lost"].as_array().unwrap();
        assert_eq!((lost.len(), &lost[0]["what"]), (1, &json!("user 3")), "{report:#}");
        log_in(&fixture);
        let [mut first, mut second, mut root] = [0, 1, 3].map(|number| connect(&fixture, number));
        assert!(publishes(&mut first, "home/of/user 0/c0"));
        assert!(!publishes(&mut first, "home/of/user 1/c0"));
        assert!(!publishes(&mut second, "home/of/user 1/c1"));
        assert!(publishes(&mut root, "home/of/user 1/c1"));
        assert!(!publishes(&mut root, "away"));
        assert!(subscribes(&mut first, "home/hall/+"));
        assert!(!subscribes(&mut first, "home/read"));
        assert!(!subscribes(&mut second, "home/hall/+"));
        assert!(subscribes(&mut root, "home/#"));
    }
}

/// What may be received is what may be both read and subscribed to.
const TABLES: &str = "
    CREATE TABLE account (name TEXT, hash TEXT, is_super INTEGER);
    CREATE TABLE allowed (name TEXT, topic TEXT, access INTEGER);
    INSERT INTO allowed VALUES
        ('user 0', 'home/of/%u/%c', 2), ('user 0', 'home/hall/#', 5), ('user 0', 'home/read', 1);";
