//! `cargo xtask instructions`: how many instructions a gate takes for what it
//! does most, counted by Valgrind, which no other load on the machine changes.

use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{cargo, read, run, target};

/// Counts and prints.
pub fn count() -> Result<()> {
    run(cargo()
        .args(["build", "--release", "--package", "countersign"])
        .args(["--example", "instructions"]))?;
    let program = target()?.join("release/examples/instructions");
    let folder = tempfile::tempdir()?;
    println!("\n| | instructions |\n|---|---|");
    for (work, title) in WORK {
        let file = folder.path().join(work);
        let mut valgrind = Command::new("valgrind");
        valgrind
            .args(["--tool=callgrind", "--collect-atstart=no"])
            .arg("--toggle-collect=instructions::measured*")
            .arg(format!("--callgrind-out-file={}", file.display()))
            .arg(&program)
            .args([work, &TIMES.to_string()]);
        read(&mut valgrind).context("it takes Valgrind, `apt-get install valgrind`")?;
        let counted = std::fs::read_to_string(&file)?;
        let total: u64 = counted
            .lines()
            .find_map(|line| line.strip_prefix("summary: "))
            .context("Valgrind counted nothing")?
            .trim()
            .parse()?;
        println!("| {title} | {} |", total / TIMES);
    }
    Ok(())
}

const TIMES: u64 = 500;

const WORK: [(&str, &str); 7] = [
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
    ("deliver", "check of a delivery"),
    ("poll", "poll with nothing to do"),
];
