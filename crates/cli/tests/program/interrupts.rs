//! Ctrl-C in a long run, or another word to end: it ends behind the transaction that it is
//! in, and says what was done. What it made is not lost by it.

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
    told_to_end(fixture, command, Signal::SIGINT)
}

/// The same with another signal.
fn told_to_end(fixture: &Fixture, command: &mut Command, signal: Signal) -> Ran {
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
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
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

#[test]
fn an_import_that_is_told_to_end_shows_the_secrets_that_it_made() {
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM] {
        for has_file in [false, true] {
            let fixture = with_devices(1);
            let path = |name: &str| fixture.directory.path().join(name);
            let rows: String = (0..120).map(|number| format!("e{number:03}\n")).collect();
            std::fs::write(path("more.csv"), format!("name\n{rows}")).unwrap();
            let mut command = fixture.command();
            command.arg("import").arg("csv").arg(path("more.csv"));
            command.args(["--tenant", "acme", "--json"]);
            if has_file {
                command.arg("--output").arg(path("secrets.csv"));
            }
            // The plan is made before: the first step waits for the lock.
            let ran = told_to_end(&fixture, &mut command, signal);
            assert_eq!(ran.code, Some(4), "{signal} {ran:?}");
            let report = ran.json();
            assert_eq!(report["created"]["credentials"], 50);
            let secrets = if has_file {
                let text = std::fs::read_to_string(path("secrets.csv")).unwrap();
                text.lines().skip(1).count()
            } else {
                report["secrets"].as_array().unwrap().len()
            };
            assert_eq!(secrets, 50);
            let listed = fixture.json("credential list");
            assert_eq!(listed.as_array().unwrap().len(), 51);
        }
    }
}

#[test]
fn secrets_that_cant_be_printed_are_lost_and_it_says_whose_they_are() {
    let fixture = with_devices(1);
    let path = fixture.directory.path().join("two.csv");
    std::fs::write(&path, "name\ne1\ne2\n").unwrap();
    for format in ["text", "json"] {
        let mut command = fixture.command();
        command.arg("import").arg("csv").arg(&path);
        command.args(["--tenant", "acme", "-o", format]);
        let full = std::fs::File::options().write(true).open("/dev/full");
        let ran = ran(command.stdout(full.unwrap()).output().unwrap());
        assert_eq!(ran.code, Some(4), "{ran:?}");
        for said in ["`credential reset-password NAME`", "e1@acme, e2@acme"] {
            assert!(ran.stderr.contains(said), "{ran:?}");
        }
        fixture.run("credential delete e1@acme e2@acme").done();
    }
    // A file that is there already is told before anything is made.
    let line = format!(
        "import csv {path} --tenant acme --output {path}",
        path = path.display()
    );
    for line in [line.clone(), format!("{line} --dry-run")] {
        let ran = fixture.run(&line);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains("exists already"), "{ran:?}");
    }
}
