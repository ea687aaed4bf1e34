//! What is generated from the code: completions and manual pages.

mod commands;
mod pages;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use nix::unistd::Uid;
use serde_json::json;

use crate::args::Arguments;
use crate::completion;
use crate::error::CliError;
use crate::identity::{ActingAs, is_open};
use crate::invocation::Invocation;

#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        completion::write_script(&self.shell.to_string())
    }
}

#[derive(Args, Debug)]
pub(crate) struct Man {
    /// The directory, which must be there.
    directory: PathBuf,
}

impl Man {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        if !self.directory.is_dir() {
            let directory = self.directory.display();
            return Err(CliError::refused(format!(
                "there is no directory `{directory}`; make it first"
            )));
        }
        if Uid::effective().is_root() && is_open(&self.directory.metadata()?) {
            let directory = self.directory.display();
            return Err(CliError::refused(format!(
                "more than one user may write in `{directory}`; `chmod go-w {directory}`, or name \
                 another directory"
            )));
        }
        let _acting = ActingAs::for_keeper_of(&self.directory.join("countersign.1"))?;
        commands::write(Arguments::command(), &self.directory)?;
        pages::write(&self.directory)?;
        let done = format!("manual pages written to {}", self.directory.display());
        invocation
            .output
            .act(&done, &json!({ "path": self.directory }))?;
        Ok(ExitCode::SUCCESS)
    }
}
