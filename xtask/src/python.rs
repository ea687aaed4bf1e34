//! The Python environment of the tests.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{cache, run};

/// Makes it, or makes it anew where something else is needed than it has.
pub fn environment() -> Result<()> {
    let folder = cache()?.join("python");
    let has = folder.join("requirements.txt");
    if fs::read_to_string(&has).is_ok_and(|has| has == REQUIREMENTS) {
        println!("python: all installed");
        return Ok(());
    }
    println!("python: making an environment for tests, once; this takes a minute or more");
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&folder))?;
    let wanted = folder.join("wanted.txt");
    fs::write(&wanted, REQUIREMENTS).context("cannot write what Python needs")?;
    run(Command::new(folder.join("bin/pip"))
        .args([
            "install",
            "--quiet",
            "--no-deps",
            "--disable-pip-version-check",
            "-r",
        ])
        .arg(&wanted))?;
    // Once all is there, so that an interrupted one is made good.
    fs::rename(&wanted, &has).context("cannot write what Python has")
}

/// All packages with their versions, as `pip freeze` lists them.
const REQUIREMENTS: &str = include_str!("../../tests/python/requirements.txt");
