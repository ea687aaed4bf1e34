//! `countersign limit`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use countersign_admin::limit::{ClearLimits, Limited, SetLimits, ShowLimits, Unsaid};
use countersign_admin::view::LimitsView;
use countersign_core::limit::{Limit, Share, UseLimits};
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::RoleName;

use crate::error::CliError;
use crate::invocation::Invocation;
use crate::keys::{LIMITS, Shows};

#[derive(Debug, Subcommand)]
pub(crate) enum LimitCommand {
    /// Limit a credential, each holder of a role, or all of a tenant together.
    ///
    /// The limits hold on each broker by itself. What is not said stays as it is; the
    /// tightest of all limits of a client counts.
    #[command(
        after_help = "Examples:\n  countersign limit set dev1@acme --messages-per-second 10\n  countersign limit set --role ops --tenant acme --connections 2 --payload 4096\n  countersign limit set --tenant acme --connections 500 --share 25"
    )]
    Set(Set),
    /// Show the limits of a credential, a role or a tenant.
    #[command(
        after_help = "Examples:\n  countersign limit show dev1@acme\n  countersign limit show --tenant acme"
    )]
    Show(Of),
    /// Take the limits of a credential, a role or a tenant away.
    #[command(
        after_help = "Examples:\n  countersign limit clear dev1@acme\n  countersign limit clear --role ops --tenant acme"
    )]
    Clear(Of),
}

/// Whose limits are meant.
#[derive(Args, Debug)]
pub(crate) struct Of {
    /// The credential.
    #[arg(value_parser = LoginName::parse, conflicts_with_all = ["role", "tenant"], required_unless_present = "tenant")]
    name: Option<LoginName>,
    /// The role of the tenant: its limits are for each that holds it.
    #[arg(long, value_parser = RoleName::parse, requires = "tenant")]
    role: Option<RoleName>,
    /// The tenant: its limits are for all its clients together.
    #[arg(long, value_parser = TenantId::parse)]
    tenant: Option<TenantId>,
}

#[derive(Args, Debug)]
pub(crate) struct Set {
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    to: To,
}

/// What the limits are.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub(crate) struct To {
    /// So many connections at a time.
    #[arg(long, value_name = "N", value_parser = Limit::parse)]
    connections: Option<Limit>,
    /// So many messages published in a second.
    #[arg(long, value_name = "N", value_parser = Limit::parse)]
    messages_per_second: Option<Limit>,
    /// So many bytes of payloads published in a second.
    #[arg(long, value_name = "N", value_parser = Limit::parse)]
    bytes_per_second: Option<Limit>,
    /// So many bytes in one payload.
    #[arg(long, value_name = "N", value_parser = Limit::parse)]
    payload: Option<Limit>,
    /// Of a tenant: so many per cent of its messages and bytes are for one session at
    /// most. 50, where this is not said.
    #[arg(long, value_name = "PCT", value_parser = Share::parse)]
    share: Option<Share>,
}

impl Of {
    fn into_limited(self) -> Result<Limited, CliError> {
        match (self.name, self.tenant, self.role) {
            (Some(name), _, _) => Ok(Limited::Credential(name)),
            (None, Some(tenant), Some(role)) => Ok(Limited::Role(tenant, role)),
            (None, Some(tenant), None) => Ok(Limited::Tenant(tenant)),
            (None, None, _) => Err(CliError::usage("give a NAME or --tenant")),
        }
    }
}

impl From<To> for UseLimits {
    fn from(to: To) -> Self {
        Self {
            connections: to.connections,
            messages_per_second: to.messages_per_second,
            bytes_per_second: to.bytes_per_second,
            payload: to.payload,
            share: to.share,
        }
    }
}

impl LimitCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::Set(set) => {
                let of = set.of.into_limited()?;
                let limits = set.to.into();
                let shown = invocation.run(&SetLimits {
                    of,
                    limits,
                    unsaid: Unsaid::Stay,
                })?;
                let done = format!("limited to {}", shown.limits);
                invocation.output.act(&done, &LimitsView::of(&shown))?;
            }
            Self::Show(of) => {
                let shown = invocation.run(&ShowLimits(of.into_limited()?))?;
                invocation.output.record(&LimitsView::of(&shown))?;
            }
            Self::Clear(of) => {
                let shown = invocation.run(&ClearLimits(of.into_limited()?))?;
                invocation
                    .output
                    .act("not limited any more", &LimitsView::of(&shown))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        Shows::all_of(&[LIMITS])
    }
}
