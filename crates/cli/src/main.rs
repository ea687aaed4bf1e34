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

use crate::args::Arguments;
use crate::error::{CliError, REFUSED, USAGE, usage_of};
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};

mod account;
mod args;
mod clock;
mod command;
mod completion;
mod doctor;
mod error;
mod export;
mod hint;
mod identity;
mod import;
mod input;
mod interrupt;
mod invocation;
mod json;
mod keys;
mod listing;
mod new_file;
mod new_store;
mod output;
mod progress;
mod secret_file;
mod store_files;
mod store_place;
mod told;
mod wiped;

fn main() -> ExitCode {
    if let Some(code) = completion::answer(Arguments::command) {
        return code;
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse_arguments(&error),
    };
    let is_for_programs = arguments.is_for_programs();
    match arguments.run() {
        Ok(code) => code,
        Err(CliError::Refused(error)) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(CliError::Bare) => show_short_help(),
        Err(error) => complain(&error, is_for_programs),
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
        return show_short_help();
    }
    complain(&CliError::usage(usage_of(error)), is_json_asked_for())
}

/// Says whether JSON is asked for by arguments that could not be read.
fn is_json_asked_for() -> bool {
    let mut words = std::env::args().skip(1).take_while(|word| word != "--");
    let mut is_format = false;
    words.any(|word| {
        let format = word
            .strip_prefix("-o")
            .map(|rest| rest.trim_start_matches('='));
        let is_json = |format: &str| matches!(format, "json" | "jsonl");
        let found =
            word == "--json" || format.is_some_and(is_json) || (is_format && is_json(&word));
        is_format = word == "-o";
        found
    })
}

fn show_short_help() -> ExitCode {
    eprint!("{}", short_help());
    ExitCode::from(USAGE)
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

/// Says what went wrong.
fn complain(error: &CliError, is_for_programs: bool) -> ExitCode {
    let text = error.text();
    if is_for_programs {
        let error = serde_json::json!({ "error": { "kind": error.kind(), "message": text } });
        if let Ok(line) = json::line(&error) {
            eprintln!("{}", line.as_str());
        }
    } else {
        output::remark(&text);
    }
    ExitCode::from(error.code())
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
