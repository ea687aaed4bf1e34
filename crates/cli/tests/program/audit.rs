//! The audit: what is listed, and what comes while it is followed.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Stdio};

use countersign_core::audit::RefusedAct;
use countersign_core::ledger::Ledger as _;
use countersign_core::reason::Reason;
use countersign_core::store::{Batch, Refusal};
use countersign_core::time::Timestamp;
use countersign_sqlite::SqliteStore;
use serde_json::{Value, json};

use crate::support::Fixture;

/// The program, following the audit. It ends with this.
struct Follower {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Follower {
    fn start(fixture: &Fixture, more: &str) -> Self {
        let mut child = fixture
            .command()
            .args(["audit", "list", "--follow", "--json"])
            .args(more.split_whitespace())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next row.
    fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }

    /// The acts of the next rows.
    fn acts<const N: usize>(&mut self) -> [String; N] {
        [(); N].map(|()| self.next()["act"].as_str().unwrap().into())
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has a login refused, a few at once, in the minute that begins then.
fn refuse(fixture: &Fixture, minute: i64, count: i64) {
    let refusal = Refusal {
        minute: Timestamp::from_millis(minute),
        subject: "dev1@acme".into(),
        address: Some("192.0.2.7".into()),
        client_id: None,
        topic: None,
        act: RefusedAct::Login,
        cause: Reason::BadSecret,
        about: None,
        count,
    };
    let batch = Batch {
        refusals: vec![refusal],
        ..Batch::default()
    };
    let mut store = SqliteStore::open(fixture.store()).unwrap();
    store.write_batch("b1", &batch).unwrap();
}

/// Sums up what was refused before then, as a broker does each minute.
fn sum_up(fixture: &Fixture, now: i64) {
    let mut store = SqliteStore::open(fixture.store()).unwrap();
    store.tidy_up(Timestamp::from_millis(now)).unwrap();
}

#[test]
fn each_filter_keeps_out_what_it_says() {
    let fixture = Fixture::with_credential();
    fixture.run("tenant create other").done();
    fixture.run("credential create dev2 --tenant other").done();
    fixture.run("credential suspend dev1@acme").done();
    fixture.run("role create ops --tenant acme").done();
    refuse(&fixture, 60_000, 3);
    let acts = |line: &str| {
        let rows = fixture.json(&format!("audit list {line}"));
        let rows = rows.as_array().unwrap().iter();
        let acts = rows.map(|row| row["act"].as_str().unwrap().to_owned());
        acts.collect::<Vec<_>>().join(" ")
    };
    let of_acme = "login tenant.create credential.create credential.suspend role.create";
    assert_eq!(acts("--tenant acme"), of_acme);
    assert_eq!(acts("--tenant other"), "tenant.create credential.create");
    assert_eq!(acts("--tenant acme --limit 1"), "role.create");
    assert_eq!(acts("--act credential.suspend"), "credential.suspend");
    assert_eq!(acts("--outcome refused"), "login");
    assert_eq!(acts("--address 192.0.2.7"), "login");
    assert_eq!(acts("--actor broker:b1"), "login");
    assert_eq!(acts("--until 1970-01-02"), "login");
    let all = fixture.json("audit list");
    let all = all.as_array().unwrap();
    let second = all
        .iter()
        .filter_map(|row| row["id"].as_i64())
        .nth(1)
        .unwrap();
    assert_eq!(
        acts(&format!("--after {second}")),
        "credential.create tenant.create credential.create credential.suspend role.create"
    );
    assert_eq!(acts("--after 99"), "");
}

#[test]
fn people_are_shown_the_number_the_address_and_what_changed() {
    let fixture = Fixture::with_credential();
    fixture
        .run("credential set dev1@acme --description pump")
        .done();
    refuse(&fixture, 60_000, 3);
    let text = fixture.run("audit list").done().stdout;
    let mut lines = text.lines();
    let heading = lines.next().unwrap();
    for column in ["ID", "SUBJECT", "ADDRESS", "TOPIC", "CHANGES"] {
        assert!(heading.contains(column), "{heading}");
    }
    let refused = lines.next().unwrap();
    assert!(
        refused.contains("192.0.2.7") && refused.contains("bad-secret"),
        "{refused}"
    );
    let changed = lines.last().unwrap();
    assert!(changed.ends_with("description: - → pump"), "{changed}");
    let id = changed.split_whitespace().next().unwrap();
    let shown = fixture.run(&format!("audit show {id}")).done().stdout;
    assert!(shown.contains("description: - → pump\n"), "{shown}");
    let shown = fixture.json(&format!("audit show {id}"));
    let changes = shown["changes"].as_array().unwrap();
    let change = json!({ "field": "description", "before": null, "after": "pump" });
    assert!(changes.contains(&change), "{shown}");
}

#[test]
fn following_the_newest_rows_of_the_audit_prints_them_and_then_new_ones_alone() {
    let fixture = Fixture::with_credential();
    let mut follower = Follower::start(&fixture, "--limit 1");
    assert_eq!(follower.acts(), ["credential.create"]);
    fixture.run("credential suspend dev1@acme").done();
    assert_eq!(follower.acts(), ["credential.suspend"]);
}

#[test]
fn following_the_audit_prints_each_row_once() {
    let fixture = Fixture::with_credential();
    let mut follower = Follower::start(&fixture, "");
    assert_eq!(
        follower.acts(),
        ["store.create", "tenant.create", "credential.create"]
    );
    fixture.run("credential suspend dev1@acme").done();
    assert_eq!(follower.acts(), ["credential.suspend"]);
    fixture.run("credential reactivate dev1@acme").done();
    assert_eq!(follower.acts(), ["credential.reactivate"]);
    // What is cut off the front is not missed, and nothing comes again.
    fixture.run("audit prune --before 2100-01-01").done();
    assert_eq!(follower.acts(), ["audit.prune"]);
    // A sum comes once it no longer grows.
    refuse(&fixture, 60_000, 3);
    fixture.run("credential suspend dev1@acme").done();
    assert_eq!(follower.acts(), ["credential.suspend"]);
    refuse(&fixture, 60_000, 4);
    sum_up(&fixture, 10_000_000);
    let sum = follower.next();
    assert_eq!((&sum["act"], &sum["count"]), (&json!("login"), &json!(7)));
    let last = sum["id"].as_i64().unwrap();
    drop(follower);
    // One that begins anew goes on where the last one was.
    let mut follower = Follower::start(&fixture, &format!("--after {last}"));
    fixture.run("credential reactivate dev1@acme").done();
    assert_eq!(follower.acts(), ["credential.reactivate"]);
}

#[test]
fn following_goes_on_in_a_copy_that_takes_the_place_of_the_store() {
    let fixture = Fixture::with_credential();
    let copy = fixture.directory.path().join("copy.db");
    fixture.run(&format!("backup {}", copy.display())).done();
    fixture.run("credential suspend dev1@acme").done();
    let mut follower = Follower::start(&fixture, "");
    assert_eq!(follower.acts::<4>()[3], "credential.suspend");
    for beside in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{beside}", fixture.store().display()));
    }
    std::fs::rename(&copy, fixture.store()).unwrap();
    let said = BufReader::new(follower.child.stderr.take().unwrap()).lines();
    let mut said = said.map_while(Result::ok);
    assert!(said.any(|line| line.contains("another file took the place of the store")));
    // Its number was another row's before.
    fixture.run("settings set --client-id-hold 1d").done();
    assert_eq!(follower.acts(), ["settings.set"]);
}
