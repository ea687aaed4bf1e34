//! `cargo xtask instructions`: how many instructions a gate takes for what it
//! does most, and how many lines of the caches, counted by Valgrind, which no other
//! load on the machine changes.
//!
//! Between two logins a broker and its kernel use the caches for themselves. So what a
//! login costs there is less its instructions than the lines that it has to fetch
//! anew: of code, which is why the cache for code is small here, and of data, most of
//! which are another device's at each login.

use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{cargo, read, run, target};

/// Counts and prints.
pub fn count() -> Result<()> {
    run(cargo()
        .args(["build", "--profile", "dist", "--package", "countersign"])
        .args(["--example", "instructions"]))?;
    let program = target()?.join("dist/examples/instructions");
    let folder = tempfile::tempdir()?;
    println!("\n| | instructions | lines of code | lines of data |\n|---|---|---|---|");
    for (work, title) in WORK {
        let file = folder.path().join(work);
        let mut valgrind = Command::new("valgrind");
        valgrind
            .args(["--tool=callgrind", "--collect-atstart=no"])
            .args(["--cache-sim=yes", SMALL_CODE_CACHE, DATA_CACHE])
            .arg("--toggle-collect=instructions::measured*")
            .arg(format!("--callgrind-out-file={}", file.display()))
            .arg(&program)
            .args([work, &TIMES.to_string()]);
        read(&mut valgrind).context("it takes Valgrind, `apt-get install valgrind`")?;
        let counted = std::fs::read_to_string(&file)?;
        let of = |event: &str| count_of(&counted, event).context("Valgrind counted nothing");
        let code = of("I1mr")? / TIMES;
        let data = (of("D1mr")? + of("D1mw")?) / TIMES;
        println!("| {title} | {} | {code} | {data} |", of("Ir")? / TIMES);
    }
    Ok(())
}

/// What Valgrind counted of one event.
fn count_of(counted: &str, event: &str) -> Option<u64> {
    let words = |prefix| {
        let line = counted.lines().find_map(|line| line.strip_prefix(prefix))?;
        Some(line.split_whitespace())
    };
    let mut pairs = words("events: ")?.zip(words("summary: ")?);
    let (_, count) = pairs.find(|(name, _)| *name == event)?;
    count.parse().ok()
}

const TIMES: u64 = 500;
/// Bytes, ways, bytes of a line.
const SMALL_CODE_CACHE: &str = "--I1=16384,8,64";
const DATA_CACHE: &str = "--D1=49152,12,64";

const WORK: [(&str, &str); 9] = [
    (
        "connect-known",
        "login and end of a session, generated secret, record kept",
    ),
    (
        "connect-known-with-roles",
        "the same with roles, a group and rules of its own",
    ),
    ("connect-not-kept", "the first, record read from the store"),
    ("connect-unknown-token", "login refused, unknown token"),
    ("publish", "check of a publish"),
    ("publish-denied", "check of a publish that is denied"),
    (
        "publish-denied-anew",
        "the same, on a topic of which nothing is counted",
    ),
    ("deliver", "check of a delivery"),
    ("poll", "poll with nothing to do"),
];
