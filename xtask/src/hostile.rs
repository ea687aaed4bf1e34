//! `cargo xtask hostile`: runs `tests/hostile` against the brokers, all at once.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use countersign_testkit::Version;
use tempfile::TempDir;

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
    start(options)?.conclude()
}

/// Runs that have begun, one for each broker.
pub struct Runs {
    seed: u64,
    /// Holds what they print.
    folder: TempDir,
    /// Those whose end nobody has waited for.
    under_way: VecDeque<(Version, Child)>,
}

/// Builds what a user installs, and begins.
pub fn start(options: &Options) -> Result<Runs> {
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
    let mut runs = Runs {
        seed,
        folder: tempfile::tempdir()?,
        under_way: VecDeque::new(),
    };
    for version in wanted {
        let log = File::create(runs.log(version))?;
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
        runs.under_way.push_back((version, child));
    }
    Ok(runs)
}

impl Runs {
    fn log(&self, version: Version) -> PathBuf {
        self.folder.path().join(version.name())
    }

    /// Waits for their end, and shows what they saw; anything that the oracle can't
    /// explain is an error.
    pub fn conclude(mut self) -> Result<()> {
        let mut failed = Vec::new();
        while let Some((version, mut child)) = self.under_way.pop_front() {
            let status = child.wait()?;
            print!("{}", fs::read_to_string(self.log(version))?);
            if !status.success() {
                failed.push(version.name());
            }
        }
        if !failed.is_empty() {
            bail!(
                "the oracle can't explain what it saw on {}; repeat with `--seed {}`",
                failed.join(", "),
                self.seed
            );
        }
        Ok(())
    }
}

/// What is not waited for ends, as it does where a part before it failed.
impl Drop for Runs {
    fn drop(&mut self) {
        for (_, child) in &mut self.under_way {
            drop(child.kill());
            drop(child.wait());
        }
    }
}
