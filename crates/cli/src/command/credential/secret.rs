//! `countersign credential reset-password` and `rotate`.

use core::time::Duration;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use countersign_admin::credential::{IssuedCredential, ManyAct, ResetPassword, RotateCredential};
use countersign_admin::secret::{NewSecret, Overlap};
use countersign_admin::view::RenewedSecretView;
use countersign_core::duration::parse_duration;

use super::many;
use super::selection::{Chosen, Targets};
use crate::error::CliError;
use crate::input::{PasswordWarnings, read_password};
use crate::invocation::Invocation;
use crate::keys::{MANY, RENEWED, SECRETS, Shows};
use crate::output::Mark;
use crate::told::{Ending, told};

/// Where a secret comes from.
#[derive(Args, Debug)]
pub(crate) struct SecretSource {
    /// Read a password from standard input, all bytes up to the first
    /// newline. It is not printed again.
    #[arg(long, conflicts_with = "generate")]
    password_stdin: bool,
    /// Generate a secret, as is done without --password-stdin.
    #[arg(long)]
    generate: bool,
}

impl SecretSource {
    /// Says whether a secret is made.
    pub(crate) fn is_generated(&self) -> bool {
        !self.password_stdin
    }

    pub(crate) fn read(&self) -> Result<(NewSecret, PasswordWarnings), CliError> {
        Ok(if self.password_stdin {
            let (password, oddities) = read_password()?;
            (NewSecret::Chosen(password), oddities)
        } else {
            (NewSecret::Generated, PasswordWarnings::default())
        })
    }
}

#[derive(Args, Debug)]
pub(crate) struct CredentialReset {
    #[command(flatten)]
    targets: Targets,
    #[command(flatten)]
    secret: SecretSource,
    #[command(flatten)]
    output: SecretOutput,
}

/// Where new secrets of many go.
#[derive(Args, Debug)]
pub(crate) struct SecretOutput {
    /// A new file, readable by you alone, for the secrets that are made: `name,secret`.
    /// Without it they are printed, as far as they are no more than 1,000.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl CredentialReset {
    /// What is printed.
    pub(super) fn shows(&self) -> Shows {
        let goes_to_file = self.output.output.is_some();
        shows_secrets(&self.targets, self.secret.is_generated(), goes_to_file)
    }

    pub(super) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let SecretOutput { output } = self.output;
        let name = match self.targets.chosen(output.is_some())? {
            Chosen::One(name) => name,
            Chosen::Many(_) if self.secret.password_stdin => {
                return Err(CliError::usage(
                    "--password-stdin is for one NAME; each of several gets a secret of its own",
                ));
            }
            Chosen::Many(chosen) => {
                return many::run(invocation, &chosen, ManyAct::ResetPassword, output);
            }
        };
        let (secret, oddities) = self.secret.read()?;
        let act = ResetPassword {
            name: name.clone(),
            secret,
        };
        let (issued, ended) = invocation.run(&Ending { name, act })?;
        print(invocation, &issued, ended)?;
        oddities.tell(invocation.output);
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Args, Debug)]
pub(crate) struct Rotate {
    #[command(flatten)]
    targets: Targets,
    #[command(flatten)]
    output: SecretOutput,
    /// How long the old secret still works; without it, not at all.
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    overlap: Option<Duration>,
    /// The old secret works until the new one is first used, or its overlap
    /// ends.
    #[arg(long)]
    until_used: bool,
}

/// What a change of the secrets of these shows.
fn shows_secrets(targets: &Targets, makes: bool, goes_to_file: bool) -> Shows {
    if targets.is_one(goes_to_file) {
        return Shows::all_of(&[RENEWED]).once("secret", makes);
    }
    let is_shown = !goes_to_file && !targets.is_dry_run();
    Shows::all_of(&[MANY, SECRETS]).once("secrets", is_shown)
}

/// Prints a new secret, which is shown this once.
fn print(invocation: &Invocation, issued: &IssuedCredential, ended: u64) -> Result<(), CliError> {
    let name = &issued.described.credential.name;
    let done = match &issued.secret {
        Some(_) => format!("{name} has a new secret, which is shown this once"),
        None => format!("{name} has a new password"),
    };
    let view = RenewedSecretView::of(issued);
    let more = &[] as &[(&str, &str)];
    let done = told(&done, ended);
    let keys = ["username", "secret", "old_secret_until"];
    invocation
        .output
        .made(Mark::Done, &done, &view, &keys, more)
}

impl Rotate {
    /// What is printed.
    pub(super) fn shows(&self) -> Shows {
        shows_secrets(&self.targets, true, self.output.output.is_some())
    }

    pub(super) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let overlap = Overlap::of(self.overlap, self.until_used);
        let SecretOutput { output } = self.output;
        match self.targets.chosen(output.is_some())? {
            Chosen::Many(chosen) => {
                many::run(invocation, &chosen, ManyAct::Rotate(overlap), output)
            }
            Chosen::One(name) => {
                let act = RotateCredential {
                    name: name.clone(),
                    overlap,
                };
                let (issued, live) = invocation.run(&Ending { name, act })?;
                let ended = if overlap == Overlap::None { live } else { 0 };
                print(invocation, &issued, ended)?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}
