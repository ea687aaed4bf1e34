//! The program `countersign`: administration on the command line.
//!
//! Each command reads its arguments into types, calls one act of
//! `countersign-admin`, and prints what came of it. It prints to standard
//! output on success alone, and one line to standard error on failure.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stderr,
    reason = "this is a program, and standard error is how it speaks of failure"
)]

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use countersign_core::given::one_line;

use crate::args::Arguments;
use crate::error::{CliError, REFUSED, USAGE, usage_of};

mod account;
mod args;
mod command;
mod doctor;
mod error;
mod export;
mod hint;
mod identity;
mod import;
mod input;
mod invocation;
mod json;
mod listing;
mod new_file;
mod new_store;
mod output;
mod progress;
mod secret_file;
mod store_files;
mod wiped;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse_arguments(&error),
    };
    match arguments.run() {
        Ok(code) => code,
        Err(CliError::Refused(error)) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error @ CliError::Refused(_)) => complain(&error.text(), REFUSED),
        Err(error @ CliError::Usage(_)) => complain(&error.text(), USAGE),
    }
}

/// Answers `--help` and `--version`, and says in one line what is wrong with
/// arguments that make no sense.
fn refuse_arguments(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return match error.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(REFUSED),
        };
    }
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand
    ) {
        eprint!("{}", short_help());
        return ExitCode::from(USAGE);
    }
    complain(&usage_of(error), USAGE)
}

/// The short help of the command that was given without one of its own.
fn short_help() -> String {
    let mut command = Arguments::command();
    command.build();
    for word in std::env::args_os().skip(1) {
        if let Some(below) = command.find_subcommand(&word) {
            command = below.clone();
        }
    }
    command.render_help().to_string()
}

fn complain(text: &str, code: u8) -> ExitCode {
    eprintln!("countersign: {}", one_line(text));
    ExitCode::from(code)
}

/// Says whether whoever read our output stopped reading, which is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let plain = error
        .downcast_ref::<std::io::Error>()
        .map(std::io::Error::kind);
    let in_json = error
        .downcast_ref::<serde_json::Error>()
        .and_then(serde_json::Error::io_error_kind);
    plain.or(in_json) == Some(std::io::ErrorKind::BrokenPipe)
}
