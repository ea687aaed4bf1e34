//! `countersign import`: users and rules of other systems.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args, Subcommand};
use countersign_import::{DynamicSecuritySource, MosquittoSource};

use self::arguments::{ImportArguments, told};
use self::countersign::ImportCountersign;
use self::csv::ImportCsv;
use self::go_auth::ImportGoAuth;
use crate::error::CliError;
use crate::invocation::Invocation;
use crate::keys::{REPORT, Shows};

mod arguments;
mod countersign;
mod csv;
mod go_auth;
mod report;

pub(crate) use self::report::{Written, print as print_report};

#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Take over the users and rules of Mosquitto's `password_file` and `acl_file`.
    #[command(after_help = MOSQUITTO)]
    Mosquitto(ImportMosquitto),
    /// Make credentials of a table, one a row, by their schemes.
    #[command(after_help = CSV)]
    Csv(ImportCsv),
    /// Take over clients, groups and roles of Mosquitto's dynamic-security.
    #[command(
        after_help = "Examples:\n  countersign import dynamic-security /var/lib/mosquitto/dynamic-security.json \\\n      --tenant home --dry-run"
    )]
    DynamicSecurity(ImportDynamicSecurity),
    /// Take over users and rules of mosquitto-go-auth: of its files, or of an SQLite
    /// database.
    #[command(
        after_help = "Examples:\n  countersign import go-auth --passwords /etc/mosquitto/passwd \\\n      --acl /etc/mosquitto/acl --tenant home --dry-run"
    )]
    GoAuth(ImportGoAuth),
    /// Take over what `export` wrote, into a store that holds nothing yet.
    ///
    /// The file is read and checked whole before anything is written. Numbers,
    /// generations, hashes and digests stay what they were. `docs/store.md` says
    /// what is in an export and what is not.
    #[command(
        after_help = "Examples:\n  countersign import countersign export.jsonl --dry-run\n  countersign import countersign export.jsonl"
    )]
    Countersign(ImportCountersign),
}

impl ImportCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::Countersign(import) => import.run(invocation),
            Self::Csv(import) => import.run(invocation),
            Self::DynamicSecurity(import) => import.run(invocation),
            Self::GoAuth(import) => import.run(invocation),
            Self::Mosquitto(import) => import.run(invocation),
        }
    }
}

impl ImportCommand {
    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match self {
            Self::Csv(import) => import.shows(),
            Self::Countersign(_)
            | Self::DynamicSecurity(_)
            | Self::GoAuth(_)
            | Self::Mosquitto(_) => Shows::all_of(&[REPORT]),
        }
    }
}

#[derive(Args, Debug)]
#[command(group(
    ArgGroup::new("source").args(["config", "passwords", "acl"]).required(true).multiple(true)
))]
pub(crate) struct ImportMosquitto {
    /// The broker's configuration, which names both files and says whether clients
    /// are let in without a login.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["passwords", "acl"]
    )]
    config: Option<PathBuf>,
    /// The `password_file`.
    #[arg(long, value_name = "FILE")]
    passwords: Option<PathBuf>,
    /// The `acl_file`.
    #[arg(long, value_name = "FILE")]
    acl: Option<PathBuf>,
    #[command(flatten)]
    how: ImportArguments,
}

impl ImportMosquitto {
    fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let source = match &self.config {
            Some(config) => MosquittoSource::read_config(config),
            None => MosquittoSource::read_files(self.passwords.as_deref(), self.acl.as_deref()),
        };
        let source = source.map_err(told)?;
        self.how.import(invocation, |store, context, options| {
            source.plan(store, context, options)
        })
    }
}

#[derive(Args, Debug)]
pub(crate) struct ImportDynamicSecurity {
    /// The plugin's file.
    file: PathBuf,
    #[command(flatten)]
    how: ImportArguments,
}

impl ImportDynamicSecurity {
    fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let source = DynamicSecuritySource::read(&self.file).map_err(told)?;
        self.how.import(invocation, |store, context, options| {
            source.plan(store, context, options)
        })
    }
}

const CSV: &str =
    "Rows without secret, password and password_hash get a secret, which is shown this once. \
A secret in the table was given out elsewhere, and is taken over in a form that its scheme accepts.

Examples:
  printf 'name,description\\npump-1,hall 2\\n' > devices.csv
  countersign import csv devices.csv --tenant acme --dry-run
  countersign import csv devices.csv --tenant acme --output secrets.csv

Exit codes:
  0  done
  1  refused, or the table is malformed; nothing was changed
  2  the arguments make no sense
  4  something would be lost, or it stopped halfway; the report says what";

const MOSQUITTO: &str = "Nothing is written while something would be lost, unless --accept-losses \
is given. Run again, it changes nothing.

Examples:
  countersign import mosquitto --config /etc/mosquitto/mosquitto.conf \\
      --tenant home --dry-run
  countersign import mosquitto --passwords /etc/mosquitto/passwd \\
      --acl /etc/mosquitto/acl --tenant home --namespace 'home/#'

Exit codes:
  0  done
  1  refused, or a file is malformed; nothing was changed
  2  the arguments make no sense
  4  something would be lost, or it stopped halfway; the report says what";
