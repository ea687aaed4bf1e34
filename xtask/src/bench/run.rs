//! The measurements, and what they share.

mod act;
mod bystander;
mod connect;
mod connection;
mod deliver;
mod figure;
mod fleet;
mod idle;
mod kick;
mod login;
mod meter;
mod publish;
mod report;
mod scale;
mod size;
mod stand;
mod store;
mod subject;
mod swarm;
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

/// Measures what the options ask for and reports it.
pub fn run(options: &Options) -> Result<()> {
    let start = Instant::now();
    let bench = Bench::set_up(Scale::of(options.quick, options.rounds))?;
    let machine = report::Machine::look()?;
    println!("{machine}");
    let wanted = |name: &Name| options.only.is_empty() || options.only.contains(name);
    let names: Vec<Name> = Name::value_variants()
        .iter()
        .copied()
        .filter(wanted)
        .collect();
    let mut figures = Vec::new();
    figures.extend(on_a_fleet(&bench, &names)?);
    figures.extend(on_stores_of_sizes(&bench, &names)?);
    if names.contains(&Name::Kick) {
        figures.extend(kick::measure(&bench)?);
    }
    report::print(&figures);
    println!("\nmeasured in {:.0} s", start.elapsed().as_secs_f64());
    if let Some(path) = &options.json {
        report::write(path, &machine, &bench, &figures)?;
        println!("figures written to {}", path.display());
    }
    Ok(())
}

/// The measurements that compare all subjects side by side.
fn on_a_fleet(bench: &Bench, names: &[Name]) -> Result<Vec<Figure>> {
    type Measure = fn(&Bench, &Fleet) -> Result<Vec<Figure>>;
    let measures: [(Name, Measure); 6] = [
        (Name::Idle, idle::measure),
        (Name::Connect, connect::measure),
        (Name::Publish, publish::measure),
        (Name::Deliver, deliver::measure),
        (Name::Storm, bystander::during_a_storm),
        (Name::Flood, bystander::during_a_flood),
    ];
    let mut figures = Vec::new();
    let mut fleet = None;
    for (name, measure) in measures {
        if names.contains(&name) {
            if fleet.is_none() {
                fleet = Some(Fleet::start(bench)?);
            }
            if let Some(fleet) = &fleet {
                figures.extend(measure(bench, fleet)?);
            }
        }
    }
    Ok(figures)
}

/// The measurements that ask what the number of credentials does.
fn on_stores_of_sizes(bench: &Bench, names: &[Name]) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    if names.contains(&Name::Size) || names.contains(&Name::Act) {
        let sizes = Sizes::make(bench)?;
        if names.contains(&Name::Size) {
            figures.extend(size::measure(bench, &sizes)?);
        }
        if names.contains(&Name::Act) {
            figures.extend(act::measure(bench, &sizes)?);
        }
    }
    Ok(figures)
}
