//! `cargo xtask demo`: a device's whole life on a real broker.
//!
//! Every command is printed as it runs, and each step fails the demo when it
//! shows anything but what it should: the demo is one of the tests, too.

mod environment;
mod recording;
mod shell;
mod story;

use std::time::Instant;

use anyhow::Result;
use clap::Args;
use countersign_testkit::Version;

use crate::command::{Profile, build_release};
use crate::{brokers, setup};

use self::environment::Environment;
use self::shell::Shell;

/// How the demo is to run.
#[derive(Args, Debug)]
pub struct Options {
    /// Leave the broker running, and say how to go on and how to end it
    #[arg(long)]
    keep: bool,
    /// Write it to docs/demo.svg, which the front page shows
    #[arg(long, conflicts_with = "keep")]
    record: bool,
    /// The Mosquitto to run it on
    #[arg(long, value_parser = brokers::version(), default_value = "2.0.11")]
    broker: Version,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            keep: false,
            record: false,
            broker: Version::V2_0_11,
        }
    }
}

/// Sets up what it needs, builds, and tells the story.
pub fn demo(options: &Options) -> Result<()> {
    setup::for_brokers(&[options.broker])?;
    let release = build_release(Profile::Tested, &[])?;
    let environment = Environment::new(options.broker, &release, options.keep)?;
    let shell = Shell::new(&environment.variables());
    let start = Instant::now();
    let recording = story::tell(&shell, environment, options.keep)?;
    println!("\nThe demo took {:.1} s.", start.elapsed().as_secs_f64());
    match recording {
        Some(recording) if options.record => recording.write(),
        // What another Mosquitto says need not be what is recorded.
        Some(recording) if options.broker == Options::default().broker => recording.check(),
        Some(_) | None => Ok(()),
    }
}
