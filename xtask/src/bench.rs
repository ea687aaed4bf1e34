//! `cargo xtask bench`: what Countersign costs a broker, measured on whole
//! brokers and told against the same broker without it.

#[cfg(feature = "bench")]
mod run;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};

/// What is to be measured, and how long.
#[derive(Args, Debug)]
pub struct Options {
    /// Measure less of everything: some nine minutes instead of half an hour or more
    #[arg(long)]
    quick: bool,
    /// Measure this alone; may be given more than once
    #[arg(long, value_enum, value_name = "NAME")]
    only: Vec<Name>,
    /// Take turns so many times
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: Option<u16>,
    /// Write all figures to a file as well
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A measurement, in the order in which they run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, ValueEnum)]
pub enum Name {
    /// CPU of a broker that nobody uses
    Idle,
    /// CPU and time of a login
    Connect,
    /// CPU of a message that comes in
    Publish,
    /// CPU of a message that goes out
    Deliver,
    /// How others fare while many connect
    Storm,
    /// How others fare while many try wrong passwords
    Flood,
    /// How others fare while a thousand a second guess, from many addresses
    Guess,
    /// Start and memory as the store grows
    Size,
    /// An administrative act as the store grows
    Act,
    /// From an act to the end of the session
    Kick,
}

/// Measures in this process.
#[cfg(feature = "bench")]
pub fn bench(options: &Options) -> Result<()> {
    run::run(options)
}

/// Measures in an optimised build that has the store in it; neither is worth
/// the time for the other tasks.
#[cfg(not(feature = "bench"))]
pub fn bench(_: &Options) -> Result<()> {
    let mut again = crate::command::cargo();
    again.args(["run", "--quiet", "--release", "--package", "xtask"]);
    again.args(["--features", "bench", "--"]);
    again.args(std::env::args_os().skip(1));
    // The folder that a relative path of `--json` is meant from.
    again.current_dir(std::env::current_dir()?);
    Err(std::os::unix::process::CommandExt::exec(&mut again).into())
}
