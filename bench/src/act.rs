//! An administrative act as the number of credentials grows.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Result;
use countersign_testkit::artifacts;

use crate::figure::{Figure, Quantity, Rounds};
use crate::login;
use crate::scale::Scale;
use crate::store::{Sizes, cli, read};

/// No broker runs. Each act syncs to disk, so what a sync takes is told, too.
pub fn measure(scale: &Scale, place: &Path, sizes: &Sizes) -> Result<Vec<Figure>> {
    let case = format!("{} of each, no broker running", scale.acts);
    let mut rounds = Rounds::begin("act", case);
    let mut push = |title: &str, quantity, value| rounds.push(NO_BROKER, title, quantity, value);
    let name = login::name(0);
    let mut probe = File::create(place.join("sync"))?;
    for _ in 0..scale.acts {
        probe.write_all(&[0; 4096])?;
        let sync = timed(|| Ok(probe.sync_data()?))?;
        push("fdatasync of 4 KiB", TIME, sync);
        // It opens no store: this is what starting the program takes.
        let mut version = Command::new(artifacts::cli()?);
        let start = timed(|| read(version.arg("--version")))?;
        push("countersign --version", TIME, start);
        for (count, folder) in &sizes.0 {
            for act in ["show", "suspend", "reactivate"] {
                let mut command = cli(folder, &format!("credential {act} {name}"))?;
                let time = timed(|| read(&mut command))?;
                let title = format!("credential {act}, {count} stored");
                push(&title, TIME, time);
                push(&title, BEYOND, time - start);
            }
        }
    }
    Ok(rounds.figures(""))
}

/// How long it takes, in milliseconds.
pub fn timed<T>(act: impl FnOnce() -> Result<T>) -> Result<f64> {
    let start = Instant::now();
    act()?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

const TIME: Quantity = Quantity::median("time", "ms");
const BEYOND: Quantity = Quantity::median("beyond its start", "ms");
/// Where none runs.
pub const NO_BROKER: &str = "no broker";
