//! `countersign credential reset-password` and `rotate`.

use core::time::Duration;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use countersign_admin::credential::{ManyAct, ResetPassword, RotateCredential};
use countersign_admin::secret::{NewSecret, Overlap};
use countersign_admin::view::RenewedSecretView;
use countersign_core::duration::parse_duration;

use super::many;
use super::selection::{Chosen, Targets};
use crate::error::CliError;
use crate::input::{PasswordWarnings, read_password};
use crate::invocation::Invocation;

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
        let issued = invocation.run(&ResetPassword { name, secret })?;
        invocation.output.record(&RenewedSecretView::of(&issued))?;
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

impl Rotate {
    pub(super) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let overlap = match (self.overlap, self.until_used) {
            (None, false) => Overlap::None,
            (None, true) => Overlap::UntilUsed,
            (Some(duration), false) => Overlap::For(duration),
            (Some(duration), true) => Overlap::ForUntilUsed(duration),
        };
        let SecretOutput { output } = self.output;
        match self.targets.chosen(output.is_some())? {
            Chosen::Many(chosen) => {
                many::run(invocation, &chosen, ManyAct::Rotate(overlap), output)
            }
            Chosen::One(name) => {
                let issued = invocation.run(&RotateCredential { name, overlap })?;
                invocation.output.record(&RenewedSecretView::of(&issued))?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}
