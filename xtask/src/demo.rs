//! `cargo xtask demo`: a device's whole life on a real broker.
//!
//! Every command is printed as it runs, and each step fails the demo when it
//! shows anything but what it should: the demo is one of the tests, too.

mod environment;
mod shell;
mod story;

use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;

use crate::brokers::Version;
use crate::command::{cargo, run, target};
use crate::setup;

use self::environment::Environment;
use self::shell::Shell;

/// How the demo is to run.
#[derive(Args, Debug)]
pub struct Options {
    /// Leave the broker running, and say how to go on and how to end it
    #[arg(long)]
    keep: bool,
    /// The Mosquitto to run it on
    #[arg(long, value_enum, default_value = "2.0.11")]
    broker: Version,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            keep: false,
            broker: Version::V2_0_11,
        }
    }
}

/// Sets up what it needs, builds, and tells the story.
pub fn demo(options: &Options) -> Result<()> {
    let mut brokers = setup::for_brokers(&[options.broker])?;
    let broker = brokers
        .remove(options.broker.name())
        .context("setup left the broker out")?;
    println!("building the plugin and the program `countersign` (release)");
    run(cargo().args(["build", "--release", "--package"]).args([
        "countersign-mosquitto-plugin",
        "--package",
        "countersign-cli",
    ]))?;

    let environment = Environment::new(broker, &target()?.join("release"))?;
    let shell = Shell::new(&environment.environment());
    let start = Instant::now();
    story::tell(&shell, environment, options.keep)?;
    println!("\nThe demo took {:.1} s.", start.elapsed().as_secs_f64());
    Ok(())
}
