//! `countersign hook`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use countersign_admin::hook::{
    CreateHook, DeleteHook, IssuedHook, ListHooks, NewHook, NewKick, RotateHook, ShowHook,
};
use countersign_admin::view::{HookView, IssuedHookView};
use countersign_core::hook::{HookKind, HookName, KickUrl, Vhost};
use countersign_core::name::TenantId;
use countersign_core::network::Network;
use serde_json::json;

use crate::error::CliError;
use crate::input::read_kick_login;
use crate::invocation::Invocation;
use crate::keys::{DELETED, HOOK, NEW_HOOK, Shows};
use crate::listing::Column;
use crate::output::Mark;

#[derive(Debug, Subcommand)]
pub(crate) enum HookCommand {
    /// Make a hook, and print its secret this once.
    ///
    /// Its broker is given the addresses that are printed, behind that of the service.
    /// It shows the secret as `Authorization: Bearer`, or in the address.
    #[command(
        after_help = "Examples:\n  countersign hook create edge --kind rabbitmq\n  countersign hook create site --kind rabbitmq --vhost / --vhost plant\n  countersign hook create plant --kind emqx --tenant acme --from 10.0.0.0/8\n  printf admin:%s \"$PASSWORD\" | countersign hook create east --kind emqx \\\n      --kick http://127.0.0.1:18083 --kick-login-stdin"
    )]
    Create(HookCreate),
    /// List the hooks.
    #[command(after_help = "Examples:\n  countersign hook list")]
    List,
    /// Show a hook.
    #[command(after_help = "Examples:\n  countersign hook show edge")]
    Show {
        /// Its name.
        #[arg(value_parser = HookName::parse)]
        name: HookName,
    },
    /// Give a hook another secret, and print it this once. The one before is worth
    /// nothing from then on.
    #[command(after_help = "Examples:\n  countersign hook rotate edge")]
    Rotate {
        /// Its name.
        #[arg(value_parser = HookName::parse)]
        name: HookName,
    },
    /// Delete a hook. Its broker is answered no more.
    #[command(after_help = "Examples:\n  countersign hook delete edge")]
    Delete {
        /// Its name.
        #[arg(value_parser = HookName::parse)]
        name: HookName,
    },
}

#[derive(Args, Debug)]
pub(crate) struct HookCreate {
    /// Its name: 1 to 64 of `a-z`, `0-9`, `-`, `_` and `.`. `broker list` shows its broker
    /// by it.
    #[arg(value_parser = HookName::parse)]
    name: HookName,
    /// What asks: `emqx`, `goauth` (mosquitto-go-auth and amqtt), `rabbitmq` or `rmqtt`.
    #[arg(long, value_name = "KIND")]
    kind: HookKind,
    /// The only tenant whose principals it lets in, besides operators.
    #[arg(long, value_name = "T", value_parser = TenantId::parse)]
    tenant: Option<TenantId>,
    /// Where requests may come from: an address, or a range of them. Without it, this
    /// machine alone.
    #[arg(long, value_name = "CIDR")]
    from: Vec<Network>,
    /// Where the broker ends sessions: its management interface.
    #[arg(long, value_name = "URL", value_parser = KickUrl::parse)]
    kick: Option<KickUrl>,
    /// Read `NAME:PASSWORD` for that from standard input.
    #[arg(long, requires = "kick")]
    kick_login_stdin: bool,
    /// A virtual host of RabbitMQ that clients may use. Without it, `/` alone.
    #[arg(long, value_name = "VHOST", value_parser = Vhost::parse)]
    vhost: Vec<Vhost>,
}

impl HookCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::Create(create) => {
                let login = create.kick_login_stdin.then(read_kick_login).transpose()?;
                let created = invocation.run(&CreateHook(NewHook {
                    name: create.name,
                    kind: create.kind,
                    tenant: create.tenant,
                    from: create.from,
                    kick: create.kick.map(|url| NewKick { url, login }),
                    vhosts: create.vhost,
                }))?;
                issued(invocation, "created", &created)?;
            }
            Self::List => {
                let mut listing = invocation.output.listing(COLUMNS, "No hooks.");
                invocation.each_row(ListHooks, |hook| listing.push(&HookView::of(&hook)))?;
                listing.finish()?;
            }
            Self::Show { name } => {
                let hook = invocation.run(&ShowHook(name))?;
                invocation.output.record(&HookView::of(&hook))?;
            }
            Self::Rotate { name } => {
                let rotated = invocation.run(&RotateHook(name))?;
                issued(invocation, "has another secret", &rotated)?;
            }
            Self::Delete { name } => {
                invocation.run(&DeleteHook(name.clone()))?;
                let deleted = json!({ "deleted": name.as_str() });
                let done = format!("hook {name} deleted");
                invocation.output.act(&done, &deleted)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match self {
            Self::Create(_) | Self::Rotate { .. } => {
                Shows::all_of(&[NEW_HOOK]).once("secret", true)
            }
            Self::Delete { .. } => Shows::all_of(&[DELETED]),
            Self::List | Self::Show { .. } => Shows::all_of(&[HOOK]),
        }
    }
}

/// Prints a secret this once, and where it is for.
fn issued(invocation: &Invocation, what: &str, issued: &IssuedHook) -> Result<(), CliError> {
    let view = IssuedHookView::of(issued);
    let done = format!(
        "hook {} {what}; its secret is shown this once",
        issued.hook.name
    );
    let keys = ["secret", "paths", "secret_paths"];
    let more = &[] as &[(&str, &str)];
    invocation
        .output
        .made(Mark::Done, &done, &view, &keys, more)
}

const COLUMNS: &[Column] = &[
    ("name", "NAME"),
    ("kind", "KIND"),
    ("tenant", "TENANT"),
    ("from", "FROM"),
    ("kick", "KICK"),
    ("rotated_at", "ROTATED"),
];
