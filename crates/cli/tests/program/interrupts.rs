//! Ctrl-C in a long run: it ends behind the transaction that it is in, and says what
//! was done.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rusqlite::Connection;

use crate::support::{Fixture, Ran, ran};

/// A store whose tenant `acme` has so many devices.
fn with_devices(count: usize) -> Fixture {
    let fixture = Fixture::new();
    let path = fixture.directory.path().join("devices.csv");
    let rows: String = (0..count).map(|number| format!("d{number:03}\n")).collect();
    std::fs::write(&path, format!("name\n{rows}")).unwrap();
    let line = format!("import csv {} --tenant acme", path.display());
    fixture.run(&line).done();
    fixture
}

/// Says whether a process has a handler for Ctrl-C.
fn notes_interrupts(child: &Child) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
    // Signals are counted from 1, and it is the second.
    caught & 0b10 != 0
}

/// Runs a command that finds the store locked until it is interrupted.
fn interrupted(fixture: &Fixture, command: &mut Command) -> Ran {
    let lock = Connection::open(fixture.store()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let asked = Instant::now();
    while !notes_interrupts(&child) {
        assert!(asked.elapsed() < LONGEST, "it never notes an interrupt");
        std::thread::sleep(Duration::from_millis(5));
    }
    kill(
        Pid::from_raw(child.id().try_into().unwrap()),
        Signal::SIGINT,
    )
    .unwrap();
    lock.execute_batch("ROLLBACK").unwrap();
    ran(child.wait_with_output().unwrap())
}

const LONGEST: Duration = Duration::from_secs(60);

#[test]
fn an_act_on_many_ends_behind_its_transaction_and_goes_on_where_it_says() {
    let fixture = with_devices(120);
    let mut command = fixture.command();
    command.args(["credential", "suspend", "--all", "--json"]);
    let ran = interrupted(&fixture, &mut command);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    let report = ran.json();
    assert_eq!(
        (&report["matched"], &report["done"]),
        (&120.into(), &50.into())
    );
    assert_eq!(report["stopped"]["after"], "d049@acme");
    assert_eq!(report["stopped"]["error"], "it was interrupted");
    let suspended = fixture.json("credential list --state Suspended");
    assert_eq!(suspended.as_array().unwrap().len(), 50);
    let rest = fixture.json("credential suspend --all --after d049@acme");
    assert_eq!((&rest["matched"], &rest["done"]), (&70.into(), &70.into()));
    // With the last transaction all is done.
    let few = with_devices(20);
    let mut command = few.command();
    command.args(["credential", "suspend", "--all", "--json"]);
    let ran = interrupted(&few, &mut command).done();
    assert_eq!(ran.json()["done"], 20);
}
