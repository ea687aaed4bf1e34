//! Hostile traffic against one real broker, and an oracle that knows what each
//! client may be told.
//!
//! A seeded generator mixes right and wrong logins, stolen client ids, bent
//! packets, administrative acts and abuse of broker and store. Every CONNACK,
//! SUBACK and delivery is held against a naive model of who may do what. What
//! the model can't explain is a failure, printed with the seed and what
//! happened before.

mod abuse;
mod acts;
mod conclusion;
mod driver;
mod naive;
mod packets;
mod rights;
mod steps;
mod timeline;
mod verdict;
mod wire;
mod world;

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use countersign_testkit::Version;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Reads `--broker V --seconds N --seed S`, runs, and returns whether nothing
/// was found.
fn run() -> Result<bool> {
    let mut version = Version::V2_0_11;
    let mut seconds = 60;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let mut seed = now.as_secs() % 1_000_000;
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments
            .next()
            .with_context(|| format!("`{name}` needs a value"))?;
        match name.as_str() {
            "--broker" => {
                let mut all = Version::ALL.into_iter();
                version = all
                    .find(|version| version.to_string() == value)
                    .with_context(|| format!("there is no broker `{value}`"))?;
            }
            "--seconds" => seconds = value.parse()?,
            "--seed" => seed = value.parse()?,
            _ => bail!("there is no option `{name}`"),
        }
    }
    let mut driver = driver::Driver::start(version, seed)?;
    driver.run(Duration::from_secs(seconds));
    Ok(driver.conclude())
}
