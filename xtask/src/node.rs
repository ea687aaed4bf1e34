//! What the tests need of npm.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::command::{cache, run};

/// Node.js as Debian has it.
pub const PACKAGES: &[&str] = &["nodejs", "npm"];

/// Whether there is a Node.js already, from wherever it came.
pub fn is_there() -> bool {
    let is_there = |program| {
        let version = Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        version.is_ok_and(|it| it.success())
    };
    is_there("node") && is_there("npm")
}

/// Installs it, or anew where something else is needed than there is.
pub fn environment() -> Result<()> {
    let folder = cache()?.join("node");
    let has = folder.join("has.json");
    if fs::read_to_string(&has).is_ok_and(|has| has == LOCK) {
        println!("node: all installed");
        return Ok(());
    }
    println!("node: installing what the tests need of npm");
    fs::create_dir_all(&folder).context("cannot make a folder for Node.js")?;
    for (name, text) in [("package.json", PACKAGE), ("package-lock.json", LOCK)] {
        fs::write(folder.join(name), text).context("cannot write what Node.js needs")?;
    }
    run(Command::new("npm")
        .args([
            "ci",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--silent",
        ])
        .current_dir(&folder))?;
    // Once all is there, so that an interrupted one is made good.
    fs::write(&has, LOCK).context("cannot write what Node.js has")
}

/// Takes pictures of the console for the documents.
pub fn screenshots() -> Result<()> {
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pictures");
    fs::create_dir_all(&pictures).context("cannot make a folder for pictures")?;
    let itself = env::current_exe().context("cannot find this program")?;
    run(Command::new(itself)
        .args([
            "test",
            "--only",
            "e2e",
            "--",
            "--ignored",
            "pictures_of_the_console_are_taken",
        ])
        .env("COUNTERSIGN_SCREENSHOTS", pictures))
}

const PACKAGE: &str = include_str!("../../tests/node/package.json");
const LOCK: &str = include_str!("../../tests/node/package-lock.json");
