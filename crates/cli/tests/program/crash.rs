//! What a `kill -9` in the midst of an act leaves behind.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::support::Fixture;

/// However early or late the program is killed, an act has happened with
/// its audit row, or not at all.
#[test]
fn a_killed_act_happened_as_a_whole_or_not_at_all() {
    let fixture = Fixture::with_credential();
    for step in 0..48_u64 {
        let name = format!("n{step}");
        let mut child = fixture
            .command()
            .args(["credential", "create", &name, "--tenant", "acme"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(step * 400));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    fixture.run("credential create last --tenant acme").done();
    fixture.run("audit verify").done();
    let named = |line: &str, key: &str, act: &str| -> Vec<String> {
        let list = fixture.json(line);
        let rows = list.as_array().unwrap().iter();
        let wanted = rows.filter(|row| row.get("act").is_none_or(|found| found == act));
        let mut names: Vec<_> = wanted
            .map(|row| row[key].as_str().map(String::from).unwrap())
            .collect();
        names.sort();
        names
    };
    let credentials = named("credential list", "name", "");
    let audited = named("audit list", "subject", "credential.create");
    assert_eq!(credentials, audited);
    assert!(credentials.contains(&"last@acme".into()));
}

#[test]
fn a_killed_init_leaves_no_store_or_a_whole_one() {
    for step in 0..24_u64 {
        let fixture = Fixture::empty();
        let mut child = fixture
            .command()
            .arg("init")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(step * 1_000));
        child.kill().unwrap();
        child.wait().unwrap();
        if fixture.store().exists() {
            assert!(fixture.directory.path().join("store.db.key").exists());
            let audit = fixture.json("audit list");
            let acts: Vec<&Value> = audit
                .as_array()
                .unwrap()
                .iter()
                .map(|row| &row["act"])
                .collect();
            assert_eq!(acts, ["store.create"]);
        }
    }
}
