//! An administrative act as the number of credentials grows.

use std::fs::File;
use std::io::Write;
use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use super::Bench;
use super::figure::{Figure, Quantity, Rounds, millis};
use super::login;
use super::store::{Sizes, cli};
use crate::command::read;

/// No broker runs. Each act syncs to disk, so what a sync takes is told, too.
pub fn measure(bench: &Bench, sizes: &Sizes) -> Result<Vec<Figure>> {
    let case = format!("{} of each, no broker running", bench.scale.acts);
    println!("act: {case}");
    let mut rounds = Rounds::of("act", case);
    let mut push = |title: &str, quantity, value| rounds.push(NO_BROKER, title, quantity, value);
    let name = login::name(0);
    let mut probe = File::create(bench.folder.path().join("sync"))?;
    for _ in 0..bench.scale.acts {
        push("fdatasync of 4 KiB", TIME, sync(&mut probe)?);
        // It opens no store: this is what starting the program takes.
        let start = timed(Command::new(bench.cli()).arg("--version"))?;
        push("countersign --version", TIME, start);
        for (count, folder) in sizes.iter() {
            for act in ["show", "suspend", "reactivate"] {
                let time = timed(&mut cli(bench, folder, &["credential", act, &name]))?;
                let title = format!("credential {act}, {count} stored");
                push(&title, TIME, time);
                push(&title, BEYOND, time - start);
            }
        }
    }
    Ok(rounds.figures(""))
}

fn timed(command: &mut Command) -> Result<f64> {
    let start = Instant::now();
    read(command)?;
    Ok(millis(start.elapsed()))
}

fn sync(probe: &mut File) -> Result<f64> {
    probe.write_all(&[0; 4096])?;
    let start = Instant::now();
    probe.sync_data()?;
    Ok(millis(start.elapsed()))
}

const TIME: Quantity = Quantity::median("time", "ms");
const BEYOND: Quantity = Quantity::median("beyond its start", "ms");
const NO_BROKER: &str = "no broker";
