//! Imports: how long the program takes, and how much memory.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::act::NO_BROKER;
use crate::figure::{Figure, Quantity, Rounds};
use crate::scale::Scale;
use crate::store::{cli, read};

/// No broker runs. Each import goes into a store of its own.
pub fn measure(scale: &Scale, place: &Path) -> Result<Vec<Figure>> {
    let count = scale.imported;
    let case = format!("{count} users with two rules each, no broker running");
    let mut rounds = Rounds::begin("imports", case);
    let sources = place.join("sources");
    fs::create_dir_all(&sources)?;
    write_sources(&sources, count)?;
    for round in 0..scale.imports {
        for (title, words) in SOURCES {
            let folder = place.join(format!("import-{round}"));
            fs::create_dir_all(&folder)?;
            read(&mut cli(&folder, "init")?)?;
            read(&mut cli(&folder, "tenant create home --namespace #")?)?;
            let mut command = cli(&folder, words)?;
            command.current_dir(&sources);
            let used = run(&mut command).with_context(|| title.to_owned())?;
            let output = sources.join(OUTPUT);
            if output.exists() {
                let lines = fs::read_to_string(&output)?.lines().count();
                ensure!(lines == count + 1, "{lines} lines of secrets");
                fs::remove_file(output)?;
            }
            for (quantity, value) in [
                (RATE, count as f64 / used.seconds),
                (TIME, used.seconds),
                (CPU, used.cpu),
                (RESIDENT, used.resident),
            ] {
                rounds.push(NO_BROKER, title, quantity, value);
            }
            fs::remove_dir_all(folder)?;
        }
    }
    let mut figures = rounds.figures("");
    for figure in &mut figures {
        figure.goal = match figure.quantity {
            RESIDENT => Some(MOST_RESIDENT),
            TIME => Some(LONGEST * count as f64 / OF_USERS),
            _ => None,
        };
    }
    Ok(figures)
}

/// The sources, and the words of the program that import each.
const SOURCES: [(&str, &str); 3] = [
    (
        "csv, generated secrets",
        "import csv table.csv --tenant home --output secrets.csv",
    ),
    (
        "mosquitto",
        "import mosquitto --passwords passwd --acl acl --tenant home --accept-losses",
    ),
    (
        "dynamic-security",
        "import dynamic-security dynsec.json --tenant home --accept-losses",
    ),
];

/// Writes as many users into the files of each source, a line at a time: what a
/// process has resident counts what its parent had when it was started. Their hashes
/// are of no password: an import does not compare them.
fn write_sources(folder: &Path, count: usize) -> Result<()> {
    let create = |name: &str| File::create(folder.join(name)).map(BufWriter::new);
    let (mut table, mut passwords) = (create("table.csv")?, create("passwd")?);
    let (mut rules, mut json) = (create("acl")?, create("dynsec.json")?);
    let filler = "A".repeat(78);
    writeln!(table, "name,description")?;
    write!(
        json,
        r#"{{"defaultACLAccess":{{"publishClientReceive":true}},"clients":["#
    )?;
    for number in 0..count {
        writeln!(table, "device-{number:07},hall {}", number % 17)?;
        let (salt, key) = (
            format!("AAAAAAAA{number:08}"),
            format!("{number:08}{filler}=="),
        );
        writeln!(passwords, "user-{number:07}:$7$101${salt}${key}")?;
        writeln!(
            rules,
            "user user-{number:07}\ntopic readwrite home/{number}/#\ntopic read news/{}/+\n",
            number % 100
        )?;
        let client = json!({
            "username": format!("user-{number:07}"), "salt": salt, "password": key,
            "iterations": 101, "roles": [{"rolename": format!("role-{}", number % ROLES)}],
        });
        let comma = if number == 0 { "" } else { "," };
        write!(json, "{comma}{client}")?;
    }
    let roles: Vec<_> = (0..count.min(ROLES)).map(role).collect();
    write!(json, r#"],"roles":{}}}"#, json!(roles))?;
    for mut file in [table, passwords, rules, json] {
        file.flush()?;
    }
    Ok(())
}

/// A role of dynamic-security.
fn role(number: usize) -> Value {
    let acl =
        |kind: &str| json!({"acltype": kind, "topic": format!("home/{number}/#"), "allow": true});
    json!({
        "rolename": format!("role-{number}"),
        "acls": [acl("publishClientSend"), acl("publishClientReceive")],
    })
}

/// What a process used.
struct Used {
    /// From its start to its end.
    seconds: f64,
    /// CPU, in seconds.
    cpu: f64,
    /// The most memory that was resident, in MiB.
    resident: f64,
}

/// Runs a command to its end.
fn run(command: &mut Command) -> Result<Used> {
    let start = Instant::now();
    command.stdout(Stdio::null()).stderr(Stdio::inherit());
    let child = command.spawn()?;
    let pid = libc::pid_t::try_from(child.id())?;
    let mut status = 0;
    // SAFETY: all zero is a value of this structure of numbers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `status` and `usage` are writable, and the child is ours.
    let ended = unsafe { libc::wait4(pid, &mut status, 0, &mut usage) };
    let seconds = start.elapsed().as_secs_f64();
    ensure!(
        ended == pid && status == 0,
        "{command:?} ended with {status}"
    );
    let time = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Ok(Used {
        seconds,
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        resident: usage.ru_maxrss as f64 / 1024.0,
    })
}

const RATE: Quantity = Quantity::median("rate", "users/s");
const TIME: Quantity = Quantity::median("time", "s");
const CPU: Quantity = Quantity::median("CPU", "s");
const RESIDENT: Quantity = Quantity::maximum("resident at most", "MiB");
/// The file of secrets.
const OUTPUT: &str = "secrets.csv";
/// So many roles dynamic-security's users share.
const ROLES: usize = 100;
/// In seconds, of so many users; and in MiB.
const LONGEST: f64 = 15.0;
const OF_USERS: f64 = 100_000.0;
const MOST_RESIDENT: f64 = 300.0;
