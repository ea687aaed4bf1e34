//! `countersign clients`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use countersign_admin::clients::{
    CountClients, IsKicked, ListClients, ReleaseClientId, RequestKick, WithdrawKick,
};
use countersign_admin::view::ClientView;
use countersign_core::client_id::ClientId;
use countersign_core::name::{LoginName, TenantId};
use serde_json::json;

use crate::error::CliError;
use crate::invocation::{Invocation, run_on};
use crate::keys::{CLIENT, Shows};
use crate::listing::Column;

mod watch;

#[derive(Debug, Subcommand)]
pub(crate) enum ClientsCommand {
    /// List who is connected.
    #[command(
        after_help = "Examples:\n  countersign clients list --tenant acme\n  countersign clients list --all --json\n  countersign clients list --name dev1@acme --watch"
    )]
    List {
        #[command(flatten)]
        of: OfTenant,
        /// With this name alone.
        #[arg(long, value_parser = LoginName::parse)]
        name: Option<LoginName>,
        /// At this broker alone.
        #[arg(long)]
        broker: Option<String>,
        /// Sessions of brokers that are not alive, too.
        #[arg(long)]
        all: bool,
        /// Go on, and tell who comes and goes. With --json, each of them is a
        /// document on a line of its own, with the key `event`: `connected` or
        /// `disconnected`.
        #[arg(long, conflicts_with = "all")]
        watch: bool,
    },
    /// Count who is connected.
    #[command(after_help = "Examples:\n  countersign clients count --json")]
    Count(OfTenant),
    /// End a session. Its client may come back; to keep it out, suspend or
    /// revoke its credential.
    #[command(after_help = "Examples:\n  countersign clients kick sensor-17")]
    Kick {
        /// A client id, or a session as `clients list` names it.
        #[arg(value_name = "CLIENT_ID|SESSION")]
        target: String,
    },
    /// Give up a client id that a credential holds although it is not
    /// connected. Another one can take it with a clean start.
    #[command(after_help = "Examples:\n  countersign clients release sensor-17")]
    Release {
        /// The client id.
        #[arg(value_parser = ClientId::parse)]
        client_id: ClientId,
    },
}

#[derive(Args, Debug)]
pub(crate) struct OfTenant {
    /// Of this tenant alone.
    #[arg(long, value_parser = TenantId::parse)]
    tenant: Option<TenantId>,
}

impl ClientsCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::List {
                of: OfTenant { tenant },
                name,
                broker,
                watch,
                ..
            } if watch => {
                let list = ListClients {
                    tenant,
                    name,
                    broker,
                    ..ListClients::default()
                };
                watch::run(invocation, &list)?;
            }
            Self::List {
                of,
                name,
                broker,
                all,
                ..
            } => {
                let columns = if all { ALL_COLUMNS } else { COLUMNS };
                let mut listing = invocation
                    .output
                    .listing(columns, "No clients are connected.");
                let tenant = of.tenant;
                invocation.each_row(
                    |page| ListClients {
                        tenant: tenant.clone(),
                        name: name.clone(),
                        client_id: None,
                        broker: broker.clone(),
                        all,
                        page,
                    },
                    |client| listing.push(&ClientView::of(&client, all)),
                )?;
                listing.finish()?;
            }
            Self::Count(OfTenant { tenant }) => {
                let count = invocation.run(&CountClients { tenant })?;
                invocation.output.record(&json!({ "connected": count }))?;
            }
            Self::Kick { target } => kick(invocation, &target)?,
            Self::Release { client_id } => {
                let released = json!({ "released": client_id.as_str() });
                let done = format!("client id {} released", client_id.as_str());
                invocation.run(&ReleaseClientId(client_id))?;
                invocation.output.act(&done, &released)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match self {
            Self::Count(_) => Shows::all_of(&[&["connected"]]),
            Self::Kick { .. } => Shows::all_of(&[&["kicked"]]),
            Self::List { watch: true, .. } => Shows::all_of(&[&["event"], CLIENT]),
            Self::List { all: true, .. } => Shows::all_of(&[CLIENT, &["alive"]]),
            Self::List { .. } => Shows::all_of(&[CLIENT]),
            Self::Release { .. } => Shows::all_of(&[&["released"]]),
        }
    }
}

/// Asks the brokers for a kick and waits for one of them to answer.
fn kick(invocation: &Invocation, target: &str) -> Result<(), CliError> {
    if target.is_empty() {
        return Err(CliError::usage("a client id can't be empty"));
    }
    let mut store = invocation.open()?;
    let target = target.to_owned();
    let request = run_on(
        &mut store,
        &RequestKick {
            target: target.clone(),
        },
    )?;
    let withdraw = WithdrawKick { target, request };
    let asked = Instant::now();
    while !run_on(&mut store, &IsKicked(request))? {
        if asked.elapsed() >= LONGEST_WAIT && run_on(&mut store, &withdraw)? {
            let target = &withdraw.target;
            return Err(CliError::refused(format!(
                "no broker answered within a second that it had a client `{target}`; \
                 `clients list` shows who is connected"
            )));
        }
        std::thread::sleep(PAUSE);
    }
    let done = format!("{} kicked", withdraw.target);
    let kicked = json!({ "kicked": withdraw.target });
    invocation.output.act(&done, &kicked)
}

const COLUMNS: &[Column] = &[
    ("session", "SESSION"),
    ("client_id", "CLIENT ID"),
    ("username", "USERNAME"),
    ("tenant", "TENANT"),
    ("address", "ADDRESS"),
    ("connected_at", "SINCE"),
    ("authenticated", "AUTHENTICATED"),
];
const ALL_COLUMNS: &[Column] = &[
    ("session", "SESSION"),
    ("client_id", "CLIENT ID"),
    ("username", "USERNAME"),
    ("tenant", "TENANT"),
    ("address", "ADDRESS"),
    ("connected_at", "SINCE"),
    ("authenticated", "AUTHENTICATED"),
    ("alive", "ALIVE"),
];
const LONGEST_WAIT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);
