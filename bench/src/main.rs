//! What Countersign costs a broker, measured on whole brokers and told against
//! the same broker without it. `cargo xtask bench` builds all of it and runs it.

mod act;
mod centre;
mod connect;
mod crowd;
mod figure;
mod fleet;
mod guess;
mod guest;
mod hooks;
mod http;
mod idle;
mod imports;
mod kick;
mod limited;
mod login;
mod messages;
mod meter;
mod replicas;
mod report;
mod rest;
mod scale;
mod service;
mod size;
mod store;
mod subject;
mod swarm;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use tempfile::TempDir;

use self::centre::Lies;
use self::figure::Figure;
use self::fleet::Fleet;
use self::scale::Scale;
use self::store::Sizes;

/// Measure what Countersign costs a broker
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Options {
    /// Measure less of everything: some ten minutes instead of half an hour or more
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
enum Name {
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
    /// How logins and others fare while the service answers 500 requests a second
    Guest,
    /// Start and memory as the store grows
    Size,
    /// An administrative act as the store grows
    Act,
    /// Time and memory of the service, for pages of a million credentials
    Service,
    /// CPU and rate of answers to other brokers, which ask by hooks
    Hooks,
    /// From an act to the end of the session
    Kick,
    /// How others fare while a tenant publishes more than it may
    Limited,
    /// Imports of other systems' users
    Imports,
    /// How soon replicas have what is done at the centre, and what that costs
    Fleet,
    /// The same with a centre in a PostgreSQL database
    FleetDatabase,
}

/// What every measurement needs.
struct Bench {
    /// How much is measured.
    scale: Scale,
    /// Where stores are; gone with the bench.
    folder: TempDir,
    // Made when the first measurement needs them.
    fleet: Option<Fleet>,
    sizes: Option<Sizes>,
}

/// Measures what the options ask for and reports it; what was measured before
/// something failed, too.
fn main() -> Result<()> {
    let options = Options::parse();
    let start = Instant::now();
    let mut bench = Bench {
        scale: Scale::of(options.quick, options.rounds),
        folder: tempfile::Builder::new()
            .prefix("countersign-bench-")
            .tempdir()?,
        fleet: None,
        sizes: None,
    };
    let machine = report::machine()?;
    let is_wanted = |name: &&Name| options.only.is_empty() || options.only.contains(name);
    let mut figures = Vec::new();
    let mut names = Name::value_variants().iter().filter(is_wanted);
    let measured = names.try_for_each(|name| {
        let start = Instant::now();
        figures.extend(bench.measure(*name)?);
        println!("  done in {:.1} s", start.elapsed().as_secs_f64());
        Ok(())
    });
    report::print(&figures);
    println!("\nmeasured in {:.0} s", start.elapsed().as_secs_f64());
    if let Some(path) = &options.json {
        report::write(path, &machine, &figures)?;
        println!("figures written to {}", path.display());
    }
    measured
}

impl Bench {
    fn measure(&mut self, name: Name) -> Result<Vec<Figure>> {
        if name > Name::Guess {
            // What follows compares no subjects, and wants the machine for itself.
            self.fleet = None;
        } else if self.fleet.is_none() {
            self.fleet = Some(Fleet::start(&self.scale, self.folder())?);
        }
        if matches!(name, Name::Size | Name::Act) && self.sizes.is_none() {
            self.sizes = Some(Sizes::make(&self.scale, self.folder())?);
        }
        let scale = &self.scale;
        match (name, &self.fleet, &self.sizes) {
            (Name::Idle, Some(fleet), _) => idle::measure(scale, fleet),
            (Name::Connect, Some(fleet), _) => connect::measure(scale, fleet),
            (Name::Publish, Some(fleet), _) => messages::incoming(scale, fleet),
            (Name::Deliver, Some(fleet), _) => messages::outgoing(scale, fleet),
            (Name::Storm, Some(fleet), _) => crowd::Crowd::Storm.measure(scale, fleet),
            (Name::Flood, Some(fleet), _) => crowd::Crowd::Flood.measure(scale, fleet),
            (Name::Guess, Some(fleet), _) => guess::measure(scale, fleet),
            (Name::Size, _, Some(sizes)) => size::measure(scale, self.folder(), sizes),
            (Name::Act, _, Some(sizes)) => act::measure(scale, self.folder(), sizes),
            (Name::Guest, ..) => guest::measure(scale, self.folder()),
            (Name::Service, ..) => service::measure(scale, self.folder()),
            (Name::Hooks, ..) => hooks::measure(scale, self.folder()),
            (Name::Kick, ..) => kick::measure(scale, self.folder()),
            (Name::Limited, ..) => limited::measure(scale, self.folder()),
            (Name::Imports, ..) => imports::measure(scale, self.folder()),
            (Name::Fleet, ..) => replicas::measure(scale, self.folder(), Lies::InFile),
            (Name::FleetDatabase, ..) => {
                let folder = self.folder().join("database");
                replicas::measure(scale, &folder, Lies::InDatabase)
            }
            (_, None, _) | (_, _, None) => unreachable!("both are there where they are needed"),
        }
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }
}
