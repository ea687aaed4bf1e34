//! What `doctor` finds in a database.

use countersign_testkit::postgres::Postgres;
use serde_json::Value;

use super::Database;
use crate::support::Fixture;

/// How a check went, of those that the doctor made.
fn check(found: &Value, name: &str) -> Value {
    let mut checks = found.as_array().unwrap().iter();
    checks.find(|it| it["check"] == name).unwrap().clone()
}

#[test]
fn each_record_that_can_t_be_read_is_named_as_in_a_file() {
    let file = Fixture::with_credential();
    let database = Database::new();
    for line in ["tenant create acme", "credential create dev1 --tenant acme"] {
        database.run(line).done();
    }
    let of_file = || file.run("doctor --json").json();
    let of_database = || database.run("doctor --json").json();
    assert_eq!(check(&of_database(), "records")["level"], "ok");
    let raw = rusqlite::Connection::open(file.store()).unwrap();
    for (damage, told) in [
        (
            "UPDATE session_change SET rows = 1000000",
            "the store remembers as many client ids as it has room for",
        ),
        (
            "UPDATE credential SET state = 'Gone' WHERE id = 1",
            "these records can't be read: credential `dev1@acme` (number 1)",
        ),
        (
            "UPDATE tenant SET authentication = 'perhaps'",
            "these records can't be read: tenant `acme`, credential `dev1@acme` (number 1)",
        ),
    ] {
        raw.execute_batch(damage).unwrap();
        let schema = format!("SET search_path = countersign; {damage}");
        database.server.sql(&database.name, &schema).unwrap();
        let found = check(&of_database(), "records");
        assert_eq!(found, check(&of_file(), "records"));
        let problem = found["problem"].as_str().unwrap();
        assert!(problem.starts_with(told), "{problem}");
        assert_eq!(found["level"], "fail");
    }
}

#[test]
fn a_server_that_is_a_standby_or_may_lose_the_store_is_told_of() {
    let server = Postgres::start_on_tcp("wal_level = replica\n", &[]).unwrap();
    let mut database = Database::alone(server);
    let strong = "settings set --argon2 m=19456,t=2,p=1";
    database.run(strong).done();
    let ran = database.run("doctor --json");
    assert_eq!(ran.code, Some(0), "a warning is no failure: {ran:?}");
    let found = check(&ran.json(), "server");
    assert_eq!(found["level"], "warn");
    let problem = found["problem"].as_str().unwrap();
    assert!(
        problem.starts_with("`fsync` and `full_page_writes` are off"),
        "{problem}"
    );
    // In another encoding some names can't be stored.
    let latin = "CREATE DATABASE latin ENCODING LATIN1 TEMPLATE template0";
    database.server.sql("postgres", latin).unwrap();
    let mut command = database.command_at(&database.server.url("latin"));
    let refused = crate::support::finish(command.arg("init")).refused(3);
    assert!(refused.contains("keeps texts as LATIN1"), "{refused}");
    database.server().become_standby().unwrap();
    let ran = database.run("doctor --json");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let found = check(&ran.json(), "server");
    assert_eq!(found["level"], "fail");
    let problem = found["problem"].as_str().unwrap();
    assert!(problem.contains("is a standby"), "{problem}");
    // What only looks is answered there.
    assert_eq!(database.json("tenant list"), serde_json::json!([]));
    let refused = database.run("tenant create acme").refused(3);
    assert!(refused.contains("takes no changes"), "{refused}");
}
