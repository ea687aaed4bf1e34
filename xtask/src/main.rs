//! `cargo xtask`: the commands that the README, CI and developers all run.

mod apt;
mod bench;
mod brokers;
mod c_library;
mod codegen;
mod command;
mod debian_root;
mod demo;
mod dist;
mod docs;
mod fuzz;
mod hostile;
mod instructions;
mod node;
mod package;
mod python;
mod rabbitmq;
mod rmqtt;
mod setup;
mod structure;
mod test;
mod tree;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::codegen::Product;
use crate::command::Profile;
use crate::test::Part;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about, version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measure what Countersign costs a broker
    #[command(disable_help_flag = true)]
    Bench {
        /// Say `--help` to see them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<OsString>,
    },
    /// Write anew what is generated: the C header, the bindings of Mosquitto's
    /// plugin headers, and the reference in docs
    Codegen {
        /// Write this alone; may be given more than once
        #[arg(long, value_enum, value_name = "PRODUCT")]
        only: Vec<Product>,
        /// Change nothing; fail if what is committed is out of date
        #[arg(long)]
        check: bool,
    },
    /// Show a device's whole life on a real broker, every command as it runs
    Demo(demo::Options),
    /// Make a book with a search of the documents, with mdBook, which the first
    /// call installs into the cache
    Docs,
    /// Feed what strangers send to libFuzzer
    Fuzz(fuzz::Options),
    /// Throw hostile traffic at the brokers, watched by an oracle
    Hostile(hostile::Options),
    /// Count the instructions of what a gate does most, with Valgrind
    Instructions,
    /// Build what embedding Countersign into a broker needs, and put it into a
    /// folder: library, header, crates, program
    Dist {
        /// The folder, such as /usr/local
        prefix: PathBuf,
    },
    /// Make Debian packages, a tarball, and the lists of what is in them
    Package(package::Options),
    /// Take the pictures that the documents show of the console anew
    Screenshots,
    /// Install what building, testing and trying Countersign needs
    Setup,
    /// Measure how the crates are built inside, against structure.toml
    Structure(structure::Options),
    /// Run every check and test, each in its part
    Test {
        /// Run this part alone; may be given more than once
        #[arg(long, value_enum, value_name = "PART")]
        only: Vec<Part>,
        /// Run the remaining parts after one has failed
        #[arg(long)]
        keep_going: bool,
        /// Of the tests, run those alone whose names hold one of these
        #[arg(last = true, value_name = "NAME")]
        names: Vec<String>,
    },
}

fn main() -> ExitCode {
    match perform(Arguments::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<ExitCode> {
    match task {
        Task::Bench { options } => bench::bench(&options)?,
        Task::Codegen { only, check } => codegen::codegen(&only, check)?,
        Task::Demo(options) => demo::demo(&options)?,
        Task::Docs => docs::docs()?,
        Task::Fuzz(options) => fuzz::fuzz(&options)?,
        Task::Hostile(options) => hostile::hostile(&options)?,
        Task::Instructions => instructions::count()?,
        Task::Dist { prefix } => dist::dist(&prefix, Profile::Dist)?,
        Task::Package(options) => package::package(&options)?,
        Task::Screenshots => node::screenshots()?,
        Task::Setup => setup::everything()?,
        Task::Structure(options) => structure::check(&options)?,
        Task::Test {
            only,
            keep_going,
            names,
        } => return test::test(&only, keep_going, &names),
    }
    Ok(ExitCode::SUCCESS)
}
