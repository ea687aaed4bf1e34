//! An administrative act as the number of credentials grows.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use super::Bench;
use super::figure::{Figure, Quantity, Rounds, millis};
use super::login;
use super::store::{Sizes, cli};
use crate::brokers::Version;
use crate::command::read;

/// No broker runs; each act syncs to disk, so a sync of four KiB is told, too.
pub fn measure(bench: &Bench, sizes: &Sizes) -> Result<Vec<Figure>> {
    let case = format!("{} acts each, time of the whole command", bench.scale.acts);
    println!("act: {case}");
    let mut rounds = Rounds::of("act", case);
    let name = login::name(0);
    let sizes: Vec<_> = sizes.iter().filter(|(count, _)| *count > 0).collect();
    for _ in 0..bench.scale.acts {
        // It opens no store.
        rounds.push(
            NO_BROKER,
            NOTHING,
            TIME,
            timed(Command::new(bench.cli()).arg("--version"))?,
        );
        rounds.push(
            NO_BROKER,
            "fdatasync of 4 KiB",
            TIME,
            sync(bench.folder.path())?,
        );
        for (count, folder) in &sizes {
            for act in ["show", "suspend", "reactivate"] {
                let mut command = cli(bench, folder, &["credential", act, &name]);
                let title = format!("credential {act}, {count} stored");
                rounds.push(NO_BROKER, &title, TIME, timed(&mut command)?);
            }
        }
    }
    Ok(rounds.figures(NOTHING))
}

fn timed(command: &mut Command) -> Result<f64> {
    let start = Instant::now();
    read(command)?;
    Ok(millis(start.elapsed()))
}

fn sync(folder: &Path) -> Result<f64> {
    let mut file = File::create(folder.join("sync"))?;
    file.write_all(&[0; 4096])?;
    let start = Instant::now();
    file.sync_data()?;
    Ok(millis(start.elapsed()))
}

const TIME: Quantity = Quantity::median("time", "ms");
const NOTHING: &str = "countersign --version";

/// Figures are told by broker, and these need none.
const NO_BROKER: Version = Version::V2_0_11;
