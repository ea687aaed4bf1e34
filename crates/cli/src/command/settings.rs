//! `countersign settings`.

use core::time::Duration;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use countersign_admin::settings::{SetSettings, SettingsChanges, ShowSettings};
use countersign_admin::view::SettingsView;
use countersign_core::ban::AutoBan;
use countersign_core::duration::parse_duration;
use countersign_core::lockout::LockoutPolicy;
use countersign_core::secret::Argon2Params;

use crate::error::CliError;
use crate::invocation::Invocation;

#[derive(Debug, Subcommand)]
pub(crate) enum SettingsCommand {
    /// Show the settings.
    #[command(after_help = "Examples:\n  countersign settings show --json")]
    Show,
    /// Change settings.
    #[command(
        after_help = "Examples:\n  countersign settings set --argon2 m=47104,t=1,p=1\n  countersign settings set --client-id-hold 7d\n  countersign settings set --keep-refusals 30d\n  countersign settings set --lockout failures=5,step=5m,longest=30m\n  countersign settings set --rehash off\n  countersign settings set --auto-ban 20/10m:1h"
    )]
    Set(SettingsSet),
}

#[derive(Args, Debug)]
pub(crate) struct SettingsSet {
    /// How chosen passwords are hashed from now on. Those stored keep working.
    #[arg(long, value_name = "m=KIB,t=PASSES,p=LANES", value_parser = Argon2Params::parse)]
    argon2: Option<Argon2Params>,
    /// How long a client id is held for whom it belongs to after its last use.
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    client_id_hold: Option<Duration>,
    /// How long refusals are kept in the audit. Acts are kept until
    /// `countersign audit prune`.
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    keep_refusals: Option<Duration>,
    /// How many client ids of one credential may name stored sessions, and how
    /// many more an hour.
    #[arg(long, value_name = "N")]
    client_id_limit: Option<u32>,
    /// When people are locked out, unless their tenants say otherwise: after so
    /// many failed logins for a step, after as many again for two, and so on.
    #[arg(
        long,
        value_name = "failures=N,step=DUR,longest=DUR",
        value_parser = LockoutPolicy::parse
    )]
    lockout: Option<LockoutPolicy>,
    /// Whether a password that another system hashed, or that was hashed with other
    /// parameters, is hashed anew once it let a client in.
    #[arg(long)]
    rehash: Option<Switch>,
    /// Ban an address for a while after so many failed logins: `20/10m:1h` bans it for
    /// an hour after 20 within ten minutes. `off` bans none, which is the default.
    #[arg(long, value_name = "FAILURES/DUR:DUR", value_parser = AutoBan::parse)]
    auto_ban: Option<AutoBan>,
}

impl SettingsCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let (done, settings) = match self {
            Self::Show => (None, invocation.run(&ShowSettings)?),
            Self::Set(SettingsSet {
                argon2,
                client_id_hold,
                keep_refusals,
                client_id_limit,
                lockout,
                rehash,
                auto_ban,
            }) => {
                let changes = SettingsChanges {
                    argon2,
                    client_id_hold,
                    keep_refusals,
                    client_id_limit,
                    lockout,
                    rehash: rehash.map(|switch| matches!(switch, Switch::On)),
                    auto_ban,
                };
                if changes.is_empty() {
                    return Err(CliError::usage(
                        "nothing to set; give --argon2, --auto-ban, --client-id-hold, \
                         --client-id-limit, --keep-refusals, --lockout or --rehash",
                    ));
                }
                (
                    Some("settings changed"),
                    invocation.run(&SetSettings(changes))?,
                )
            }
        };
        let more = &[] as &[(&str, &str)];
        let view = SettingsView::of(&settings);
        invocation.output.tell(done, &view, more)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// On or off.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Switch {
    On,
    Off,
}
