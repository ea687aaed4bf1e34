//! The measurements, and what they share.

mod act;
mod broker;
mod bystander;
mod connect;
mod connection;
mod deliver;
mod figure;
mod fleet;
mod guess;
mod idle;
mod kick;
mod login;
mod meter;
mod publish;
mod report;
mod scale;
mod size;
mod store;
mod subject;
mod swarm;
mod window;
mod wire;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::ValueEnum;
use tempfile::TempDir;

use self::figure::Figure;
use self::fleet::Fleet;
use self::scale::Scale;
use self::store::Sizes;
use super::{Name, Options};
use crate::brokers::{Manifest, Version};
use crate::command::{cargo, run as run_command, target};
use crate::setup;

/// What every measurement needs.
pub struct Bench {
    /// How to start the brokers.
    pub brokers: Manifest,
    /// Where the plugin and the program are.
    pub release: PathBuf,
    /// How much is measured.
    pub scale: Scale,
    /// Where brokers and stores are; gone with the bench.
    pub folder: TempDir,
}

impl Bench {
    fn set_up(scale: Scale) -> Result<Self> {
        let brokers = setup::for_brokers(&Version::ALL)?;
        println!("building the plugin and the program `countersign` (release)");
        run_command(cargo().args(["build", "--release", "--package"]).args([
            "countersign-mosquitto-plugin",
            "--package",
            "countersign-cli",
        ]))?;
        Ok(Self {
            brokers,
            release: target()?.join("release"),
            scale,
            folder: tempfile::Builder::new()
                .prefix("countersign-bench-")
                .tempdir()?,
        })
    }

    /// The plugin.
    pub fn plugin(&self) -> PathBuf {
        self.release.join("libmosquitto_countersign.so")
    }

    /// The program.
    pub fn cli(&self) -> PathBuf {
        self.release.join("countersign")
    }
}

/// Measures what the options ask for and reports it; what was measured before
/// something failed, too.
pub fn run(options: &Options) -> Result<()> {
    let start = Instant::now();
    let bench = Bench::set_up(Scale::of(options.quick, options.rounds))?;
    let machine = report::Machine::look()?;
    println!("{machine}");
    let names: Vec<Name> = Name::value_variants()
        .iter()
        .copied()
        .filter(|name| options.only.is_empty() || options.only.contains(name))
        .collect();
    let mut figures = Vec::new();
    let measured = measure(&bench, &names, &mut figures);
    report::print(&figures);
    println!("\nmeasured in {:.0} s", start.elapsed().as_secs_f64());
    if let Some(path) = &options.json {
        report::write(path, &machine, &bench, &figures)?;
        println!("figures written to {}", path.display());
    }
    measured
}

fn measure(bench: &Bench, names: &[Name], figures: &mut Vec<Figure>) -> Result<()> {
    // Made when the first measurement needs them.
    let (mut fleet, mut sizes) = (None, None);
    for name in names {
        let start = Instant::now();
        figures.extend(match name {
            Name::Idle => idle::measure(bench, Fleet::in_place(&mut fleet, bench)?)?,
            Name::Connect => connect::measure(bench, Fleet::in_place(&mut fleet, bench)?)?,
            Name::Publish => publish::measure(bench, Fleet::in_place(&mut fleet, bench)?)?,
            Name::Deliver => deliver::measure(bench, Fleet::in_place(&mut fleet, bench)?)?,
            Name::Storm => bystander::during_a_storm(bench, Fleet::in_place(&mut fleet, bench)?)?,
            Name::Flood => bystander::during_a_flood(bench, Fleet::in_place(&mut fleet, bench)?)?,
            Name::Guess => guess::measure(bench, Fleet::in_place(&mut fleet, bench)?)?,
            Name::Size => size::measure(bench, Sizes::in_place(&mut sizes, bench)?)?,
            Name::Act => act::measure(bench, Sizes::in_place(&mut sizes, bench)?)?,
            Name::Kick => kick::measure(bench)?,
        });
        println!("  done in {:.1} s", start.elapsed().as_secs_f64());
        if *name >= Name::Guess {
            // What follows compares no subjects, and wants the machine for itself.
            fleet = None;
        }
    }
    Ok(())
}
