//! A store in a database is copied by PostgreSQL's own programs.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::Database;
use crate::support::{Ran, finish};

/// The command that a refusal names, which the page has too.
fn command_in(refusal: &str, file: &Path) -> String {
    let mut parts = refusal.split('`');
    let command = parts.find(|part| part.starts_with("pg_")).unwrap();
    let page = include_str!("../../../../../docs/postgres.md").replace(" \\\n    ", " ");
    let general = command.replace(file.to_str().unwrap(), "countersign.dump");
    let addresses = ["postgres://countersign@localhost/countersign", "restored"];
    let mut as_written = addresses
        .map(|it| general.replace("ADDRESS", it))
        .into_iter();
    assert!(as_written.any(|it| page.contains(&it)), "{general}");
    command.to_owned()
}

impl Database {
    /// Has a shell run a command that is to succeed.
    fn shell(&self, command: &str, address: &str) {
        let command = command.replace("ADDRESS", &format!("'{address}'"));
        let programs = self.server.programs().display();
        let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
        let ran = Command::new("sh")
            .args(["-c", &command])
            .env("PATH", path)
            .output()
            .unwrap();
        assert!(ran.status.success(), "{command}: {ran:?}");
    }

    fn run_at(&self, url: &str, line: &str) -> Ran {
        finish(self.command_at(url).args(line.split_whitespace()))
    }
}

#[test]
fn what_backup_and_restore_say_makes_the_same_store_in_another_database() {
    let database = Database::new();
    for line in [
        "settings set --argon2 m=19456,t=2,p=1",
        "tenant create acme",
        "role create ops --tenant acme",
        "role allow ops --tenant acme subscribe acme/+/state",
        "credential create dev1 --tenant acme --role ops",
        "credential create dev2 --tenant acme",
        "credential delete dev2@acme",
        "operator create monitor --subscribe $SYS/#",
        "follower create edge",
    ] {
        assert_eq!(database.run(line).code, Some(0), "{line}");
    }
    let dump = database.fixture.directory.path().join("countersign.dump");
    let refused = database.run(&format!("backup {}", dump.display()));
    let refused = refused.refused(1);
    assert!(refused.contains("a copy of the key file"), "{refused}");
    database.shell(&command_in(&refused, &dump), &database.url);
    let other = database.server.database().unwrap();
    let other = database.server.url(&other);
    let refused = database.run_at(&other, &format!("restore {}", dump.display()));
    database.shell(&command_in(&refused.refused(1), &dump), &other);
    for (line, code) in [
        ("doctor --json", 0),
        ("audit verify --json", 0),
        ("audit list --json", 0),
        ("tenant list --json", 0),
        ("credential list --json", 0),
        ("role show ops --tenant acme --json", 0),
        ("follower list --json", 0),
        (
            "check subscribe acme/1/state --username dev1@acme --json",
            0,
        ),
        ("check publish acme/1/state --username monitor --json", 1),
        ("export - --with-sealed", 0),
    ] {
        let there = database.run_at(&other, line);
        assert_eq!(there.code, Some(code), "{line}: {there:?}");
        assert_eq!(there.stdout, database.run(line).stdout, "{line}");
    }
    // And it goes on: no number is given twice.
    let made = database.run_at(&other, "credential create dev3 --tenant acme --json");
    made.done();
    let list = database
        .run_at(&other, "audit list --limit 1 --json")
        .json();
    assert_eq!(list[0]["act"], json!("credential.create"));
    database.run_at(&other, "audit verify").done();
}
