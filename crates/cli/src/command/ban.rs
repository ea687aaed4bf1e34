//! `countersign ban`.

use std::net::IpAddr;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use countersign_admin::ban::{AddBan, BanNamed, Banned, ListBans, RemoveBan};
use countersign_admin::text::FreeText;
use countersign_admin::view::BanView;
use countersign_core::ban::BanId;
use countersign_core::client_id::ClientId;
use countersign_core::name::TenantId;
use countersign_core::network::Network;
use serde_json::json;

use crate::error::CliError;
use crate::input::When;
use crate::invocation::{Invocation, now};
use crate::keys::{BAN, DELETED, Shows};
use crate::listing::Column;

#[derive(Debug, Subcommand)]
pub(crate) enum BanCommand {
    /// Refuse clients before their logins are looked at, and end the sessions of those
    /// that are connected.
    ///
    /// Of a network over WebSockets on Mosquitto 2.0 nobody is banned: such a client's
    /// address is its own word.
    #[command(
        after_help = "Examples:\n  countersign ban add --address 192.0.2.0/24 --until 24h \\\n      --reason 'guesses passwords'\n  countersign ban add --client-id pump-7\n  countersign ban add --client-id pump-7 --tenant acme"
    )]
    Add(Add),
    /// List the bans that count.
    #[command(
        after_help = "Examples:\n  countersign ban list\n  countersign ban list --tenant acme"
    )]
    List {
        /// Those of this tenant's principals alone.
        #[arg(long, value_parser = TenantId::parse)]
        tenant: Option<TenantId>,
    },
    /// Lift a ban.
    #[command(
        after_help = "Examples:\n  countersign ban remove --address 192.0.2.0/24\n  countersign ban remove --client-id pump-7"
    )]
    Remove {
        /// Its number, as `ban list` shows it.
        #[arg(value_parser = BanId::parse, conflicts_with_all = ["address", "client_id"])]
        id: Option<BanId>,
        #[command(flatten)]
        on: On,
    },
}

/// What is banned.
#[derive(Args)]
pub(crate) struct On {
    /// Clients with this client id.
    #[arg(long, value_name = "ID", value_parser = ClientId::parse, conflicts_with = "address")]
    client_id: Option<ClientId>,
    /// Clients from this address, or this network.
    #[arg(long, value_name = "CIDR")]
    address: Option<Network>,
    /// Of the client id: principals of this tenant alone.
    #[arg(long, value_parser = TenantId::parse, requires = "client_id", conflicts_with = "address")]
    tenant: Option<TenantId>,
}

/// A client id may be a secret.
impl core::fmt::Debug for On {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("On").finish_non_exhaustive()
    }
}

#[derive(Args, Debug)]
pub(crate) struct Add {
    #[command(flatten)]
    on: On,
    /// When the ban ends; never, where this is not said.
    #[arg(long, value_name = "WHEN|DUR", value_parser = When::parse_to_come, allow_hyphen_values = true)]
    until: Option<When>,
    /// Why, for people.
    #[arg(long, value_name = "TEXT", value_parser = FreeText::parse)]
    reason: Option<FreeText>,
    /// Ban also where that keeps out loopback, the address you come from, or a platform
    /// administrator who is connected.
    #[arg(long)]
    force: bool,
}

impl On {
    fn into_banned(self) -> Option<Banned> {
        match (self.address, self.client_id) {
            (Some(address), _) => Some(Banned::Address(address)),
            (None, Some(client_id)) => Some(Banned::ClientId(client_id, self.tenant)),
            (None, None) => None,
        }
    }
}

impl BanCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::Add(add) => {
                let Some(banned) = add.on.into_banned() else {
                    return Err(CliError::usage("give --client-id or --address"));
                };
                let ban = invocation.run(&AddBan {
                    banned,
                    until: add.until.map(|until| until.seen_from(now())),
                    reason: add.reason,
                    asker: asker(),
                    force: add.force,
                })?;
                let done = format!("{} banned", ban.shown);
                invocation.output.act(&done, &BanView::of(&ban))?;
            }
            Self::List { tenant } => {
                let mut listing = invocation.output.listing(COLUMNS, "No bans.");
                invocation.each_row(
                    |page| ListBans {
                        tenant: tenant.clone(),
                        page,
                    },
                    |ban| listing.push(&BanView::of(&ban)),
                )?;
                listing.finish()?;
            }
            Self::Remove { id, on } => {
                let named = match (id, on.into_banned()) {
                    (Some(id), _) => BanNamed::Id(id),
                    (None, Some(banned)) => BanNamed::On(banned),
                    (None, None) => {
                        return Err(CliError::usage("give an ID, --client-id or --address"));
                    }
                };
                let ban = invocation.run(&RemoveBan(named))?;
                let done = format!("the ban of {} lifted", ban.shown);
                let deleted = json!({ "deleted": ban.id.0 });
                invocation.output.act(&done, &deleted)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match self {
            Self::Add(_) | Self::List { .. } => Shows::all_of(&[BAN]),
            Self::Remove { .. } => Shows::all_of(&[DELETED]),
        }
    }
}

/// Where the user comes from, as far as SSH tells.
fn asker() -> Option<IpAddr> {
    let connection = std::env::var("SSH_CONNECTION").ok()?;
    connection.split_whitespace().next()?.parse().ok()
}

const COLUMNS: &[Column] = &[
    ("id", "ID"),
    ("address", "ADDRESS"),
    ("client_id", "CLIENT ID"),
    ("tenant", "TENANT"),
    ("until", "UNTIL"),
    ("reason", "REASON"),
    ("created_by", "BY"),
];
