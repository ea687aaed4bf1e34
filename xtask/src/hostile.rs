//! `cargo xtask hostile`: runs `tests/hostile` against the brokers, all at once.

use std::fs::File;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use countersign_testkit::Version;

use crate::brokers;
use crate::command::{Profile, build_release, cargo, run, target};

/// How long, from which seed, against which broker.
#[derive(Args, Debug)]
pub struct Options {
    /// So long for each broker
    #[arg(long, value_name = "N", default_value_t = 1)]
    minutes: u64,
    /// Repeat a run; without it, the seed is drawn and printed
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Take this broker alone
    #[arg(long, value_parser = brokers::version(), value_name = "V")]
    broker: Option<Version>,
}

impl Options {
    /// What the gate runs, the same each time.
    pub fn of_the_gate() -> Self {
        Self {
            minutes: 3,
            seed: Some(1),
            broker: None,
        }
    }
}

/// Builds what a user installs, and runs; anything that the oracle can't explain
/// is an error.
pub fn hostile(options: &Options) -> Result<()> {
    let release = build_release(Profile::Tested, &[])?;
    // With an example, cargo asks of crates what it asks for tests, and takes those that
    // are compiled for them.
    run(cargo().args([
        "build",
        "--workspace",
        "--bin",
        "hostile",
        "--example",
        "embed",
    ]))?;
    let seed = options
        .seed
        .unwrap_or_else(|| u64::from(std::process::id()));
    let wanted = Version::ALL
        .into_iter()
        .filter(|version| options.broker.is_none_or(|only| only == *version));
    let folder = tempfile::tempdir()?;
    let mut runs: Vec<(Version, Child)> = Vec::new();
    for version in wanted {
        let log = File::create(folder.path().join(version.name()))?;
        let child = Command::new(target()?.join("debug/hostile"))
            .args(["--broker", version.name()])
            .args(["--seconds", &(options.minutes * 60).to_string()])
            .args(["--seed", &seed.to_string()])
            .envs(release.variables())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start the run")?;
        runs.push((version, child));
    }
    let mut failed = Vec::new();
    for (version, mut child) in runs {
        let status = child.wait()?;
        print!(
            "{}",
            std::fs::read_to_string(folder.path().join(version.name()))?
        );
        if !status.success() {
            failed.push(version.name());
        }
    }
    if !failed.is_empty() {
        bail!(
            "the oracle can't explain what it saw on {}; repeat with `--seed {seed}`",
            failed.join(", ")
        );
    }
    Ok(())
}
