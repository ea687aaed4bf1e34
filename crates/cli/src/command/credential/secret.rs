//! `countersign credential reset-password` and `rotate`.

use core::time::Duration;

use clap::Args;
use countersign_admin::credential::{ResetPassword, RotateCredential};
use countersign_admin::secret::{NewSecret, Overlap};
use countersign_admin::view::RenewedSecretView;
use countersign_core::duration::parse_duration;

use super::Name;
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
    name: Name,
    #[command(flatten)]
    secret: SecretSource,
}

impl CredentialReset {
    pub(super) fn run(self, invocation: &Invocation) -> Result<(), CliError> {
        let (secret, oddities) = self.secret.read()?;
        let Name { name } = self.name;
        let issued = invocation.run(&ResetPassword { name, secret })?;
        invocation.output.record(&RenewedSecretView::of(&issued))?;
        oddities.tell(invocation.output);
        Ok(())
    }
}

#[derive(Args, Debug)]
pub(crate) struct Rotate {
    #[command(flatten)]
    name: Name,
    /// How long the old secret still works; without it, not at all.
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    overlap: Option<Duration>,
    /// The old secret works until the new one is first used, or its overlap
    /// ends.
    #[arg(long)]
    until_used: bool,
}

impl Rotate {
    pub(super) fn run(self, invocation: &Invocation) -> Result<(), CliError> {
        let overlap = match (self.overlap, self.until_used) {
            (None, false) => Overlap::None,
            (None, true) => Overlap::UntilUsed,
            (Some(duration), false) => Overlap::For(duration),
            (Some(duration), true) => Overlap::ForUntilUsed(duration),
        };
        let Name { name } = self.name;
        let issued = invocation.run(&RotateCredential { name, overlap })?;
        invocation.output.record(&RenewedSecretView::of(&issued))
    }
}
