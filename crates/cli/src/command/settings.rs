//! `countersign settings`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use countersign_admin::settings::{self, SettingsChanges};
use countersign_admin::view::SettingsView;
use countersign_core::secret::Argon2Params;

use crate::failure::Failure;
use crate::invocation::Invocation;

#[derive(Debug, Subcommand)]
pub(crate) enum SettingsCommand {
    /// Show the settings.
    #[command(after_help = "Examples:\n  countersign settings show --json")]
    Show,
    /// Change settings.
    #[command(after_help = "Examples:\n  countersign settings set --argon2 m=47104,t=1,p=1")]
    Set(SettingsSet),
}

#[derive(Args, Debug)]
pub(crate) struct SettingsSet {
    /// How chosen passwords are hashed from now on. Those stored keep working.
    #[arg(long, value_name = "m=KIB,t=PASSES,p=LANES", value_parser = Argon2Params::parse)]
    argon2: Option<Argon2Params>,
}

impl SettingsCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, Failure> {
        let settings = match self {
            Self::Show => settings::show(&mut invocation.open()?)?,
            Self::Set(SettingsSet { argon2: None }) => {
                return Err(Failure::usage("nothing to set; give --argon2"));
            }
            Self::Set(SettingsSet { argon2 }) => invocation
                .act(|store, context| settings::set(store, context, SettingsChanges { argon2 }))?,
        };
        invocation.output.record(&SettingsView::of(&settings))?;
        Ok(ExitCode::SUCCESS)
    }
}
