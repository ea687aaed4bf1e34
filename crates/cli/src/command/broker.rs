//! `countersign broker`.

use std::process::ExitCode;

use clap::Subcommand;
use countersign_admin::broker::{ForgetBroker, ListBrokers, forget};
use countersign_admin::view::BrokerView;
use serde_json::json;

use crate::error::CliError;
use crate::invocation::Invocation;
use crate::keys::{BROKER, FORGOTTEN, Shows};
use crate::listing::Column;

#[derive(Debug, Subcommand)]
pub(crate) enum BrokerCommand {
    /// List the brokers that use the store, or used it.
    #[command(
        after_help = "Examples:\n  countersign broker list\n  countersign broker list --json"
    )]
    List,
    /// Forget a broker that is gone for good, and what it left behind as
    /// connected. One that is alive is refused.
    #[command(after_help = "Examples:\n  countersign broker forget edge-7")]
    Forget {
        /// The broker, as `broker list` names it.
        #[arg(value_name = "B")]
        name: String,
    },
}

impl BrokerCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::List => {
                let mut listing = invocation.output.listing(COLUMNS, "No brokers.");
                invocation
                    .each_row(ListBrokers, |broker| listing.push(&BrokerView::of(&broker)))?;
                listing.finish()?;
            }
            Self::Forget { name } => {
                let command = ForgetBroker(name);
                invocation.act(|store, context| forget(store, context, &command))?;
                let forgotten = json!({ "forgotten": command.0 });
                let done = format!("broker {} forgotten", command.0);
                invocation.output.act(&done, &forgotten)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match self {
            Self::Forget { .. } => Shows::all_of(&[FORGOTTEN]),
            Self::List => Shows::all_of(&[BROKER]),
        }
    }
}

const COLUMNS: &[Column] = &[
    ("name", "NAME"),
    ("alive", "ALIVE"),
    ("version", "VERSION"),
    ("host", "HOST"),
    ("since", "SINCE"),
    ("sessions", "SESSIONS"),
    ("last_seen", "LAST SEEN"),
];
