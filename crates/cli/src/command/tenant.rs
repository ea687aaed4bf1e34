//! `countersign tenant`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use countersign_admin::namespace::parse_namespace;
use countersign_admin::tenant::{
    self, CreateTenant, DeleteTenant, ListTenants, NewTenant, RoleChanges, SetTenant, ShowTenant,
    TenantChanges, TenantDeletion,
};
use countersign_admin::view::TenantView;
use countersign_core::client_id::ClientId;
use countersign_core::lockout::{LockoutPolicy, LockoutPolicyError};
use countersign_core::name::TenantId;
use countersign_core::role::RoleName;
use countersign_core::tenant::{Authentication, DefaultRights, SubscribeMode};
use countersign_core::topic::TopicFilter;
use serde_json::json;

use crate::command::taking::TakingArguments;
use crate::error::CliError;
use crate::input::{ClientIdPrefix, NamePrefix};
use crate::invocation::{Invocation, as_caller, run_on};
use crate::keys::{DELETED, LOSER, Shows, TENANT};
use crate::listing::Column;
use crate::progress::Progress;

#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// Make a tenant.
    #[command(
        after_help = "Examples:\n  countersign tenant create acme --default-rights none\n  countersign tenant create kaa --namespace kp1/app1/# --authentication off\n  countersign tenant create home --namespace '#'"
    )]
    Create(TenantCreate),
    /// List the tenants.
    #[command(after_help = "Examples:\n  countersign tenant list")]
    List,
    /// Show a tenant.
    #[command(after_help = "Examples:\n  countersign tenant show acme")]
    Show {
        /// Its id.
        #[arg(value_parser = TenantId::parse)]
        tenant: TenantId,
    },
    /// Change a tenant.
    #[command(
        after_help = "Examples:\n  countersign tenant set acme --authentication optional\n  countersign tenant set acme --add-namespace plant/# --remove-namespace acme/#\n  countersign tenant set acme --lockout failures=3,step=10m,longest=1h\n  countersign tenant set acme --add-default-role ops --default-rights none"
    )]
    Set(TenantSet),
    /// Delete a tenant.
    #[command(after_help = "Examples:\n  countersign tenant delete acme --cascade")]
    Delete {
        /// Its id.
        #[arg(value_parser = TenantId::parse)]
        tenant: TenantId,
        /// Delete all that belongs to it, too.
        #[arg(long)]
        cascade: bool,
    },
}

#[derive(Args, Debug)]
pub(crate) struct TenantCreate {
    /// Its id: `a-z`, `0-9`, `_` and `-`.
    #[arg(value_parser = TenantId::parse)]
    tenant: TenantId,
    /// Topics that it owns; without any, all below its id. `#` is all that no
    /// other tenant owns.
    #[arg(long = "namespace", value_name = "FILTER", value_parser = parse_namespace)]
    namespaces: Vec<TopicFilter>,
    /// What it asks of clients: `required`, `optional` or `off`.
    #[arg(long, value_name = "MODE", default_value = "required", value_parser = Authentication::parse)]
    authentication: Authentication,
    /// How it judges SUBSCRIBE: `strict` or `filtered`.
    #[arg(long, value_name = "MODE", default_value = "strict", value_parser = SubscribeMode::parse)]
    subscribe: SubscribeMode,
    /// How all of its client ids begin, and nobody else's do.
    #[arg(long, value_name = "PREFIX", value_parser = ClientId::parse)]
    client_id_prefix: Option<ClientId>,
    /// When its people are locked out, if other than `settings show` says.
    #[arg(long, value_name = LOCKOUT, value_parser = LockoutPolicy::parse)]
    lockout: Option<LockoutPolicy>,
    /// What its credentials may do if no rule says so: use all of its
    /// `namespaces`, or `none`.
    #[arg(long, value_name = "RIGHTS", default_value = "namespaces", value_parser = DefaultRights::parse)]
    default_rights: DefaultRights,
    #[command(flatten)]
    taking: TakingArguments,
}

#[derive(Args, Debug)]
pub(crate) struct TenantSet {
    /// Its id.
    #[arg(value_parser = TenantId::parse)]
    tenant: TenantId,
    /// What it asks of clients: `required`, `optional` or `off`.
    #[arg(long, value_name = "MODE", value_parser = Authentication::parse)]
    authentication: Option<Authentication>,
    /// How it judges SUBSCRIBE: `strict` or `filtered`.
    #[arg(long, value_name = "MODE", value_parser = SubscribeMode::parse)]
    subscribe: Option<SubscribeMode>,
    /// Topics that it owns from now on.
    #[arg(long = "add-namespace", value_name = "FILTER", value_parser = parse_namespace)]
    add: Vec<TopicFilter>,
    /// Topics that it no longer owns. One namespace must be left.
    #[arg(long = "remove-namespace", value_name = "FILTER", value_parser = parse_namespace)]
    remove: Vec<TopicFilter>,
    /// How all of its client ids begin; '' is anyhow.
    #[arg(long, value_name = "PREFIX", value_parser = ClientIdPrefix::parse)]
    client_id_prefix: Option<ClientIdPrefix>,
    /// When its people are locked out; `default` is as `settings show` says.
    #[arg(long, value_name = LOCKOUT, value_parser = LockoutArgument::parse)]
    lockout: Option<LockoutArgument>,
    /// What its credentials may do if no rule says so: use all of its
    /// `namespaces`, or `none`.
    #[arg(long, value_name = "RIGHTS", value_parser = DefaultRights::parse)]
    default_rights: Option<DefaultRights>,
    /// What its clients without a login may do if no role of theirs says so: use
    /// all of its `namespaces`, or `none`.
    #[arg(long, value_name = "RIGHTS", value_parser = DefaultRights::parse)]
    anonymous_rights: Option<DefaultRights>,
    /// A role that all of its devices and things hold from now on.
    #[arg(long = "add-default-role", value_name = "ROLE", value_parser = RoleName::parse)]
    add_default_roles: Vec<RoleName>,
    /// A role that they no longer hold by default.
    #[arg(long = "remove-default-role", value_name = "ROLE", value_parser = RoleName::parse)]
    remove_default_roles: Vec<RoleName>,
    /// A role that its clients without a login hold from now on. The first one
    /// sets --anonymous-rights none.
    #[arg(long = "add-anonymous-role", value_name = "ROLE", value_parser = RoleName::parse)]
    add_anonymous_roles: Vec<RoleName>,
    /// A role that they no longer hold.
    #[arg(long = "remove-anonymous-role", value_name = "ROLE", value_parser = RoleName::parse)]
    remove_anonymous_roles: Vec<RoleName>,
    /// Whether its rules for subscribing may name `$SYS`: `true` or `false`.
    #[arg(long, value_name = "BOOL")]
    sys_read: Option<bool>,
    /// How names begin that its administrators give by the scheme `plain`; ''
    /// leaves such names to the platform.
    #[arg(long, value_name = "PREFIX", value_parser = NamePrefix::parse)]
    name_prefix: Option<NamePrefix>,
    #[command(flatten)]
    taking: TakingArguments,
}

/// When people of a tenant are locked out.
#[derive(Clone, Copy, Debug)]
struct LockoutArgument(Option<LockoutPolicy>);

impl LockoutArgument {
    fn parse(text: &str) -> Result<Self, LockoutPolicyError> {
        match text {
            "default" => Ok(Self(None)),
            _ => LockoutPolicy::parse(text).map(|policy| Self(Some(policy))),
        }
    }
}

impl TenantCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::Create(create) => create.run(invocation)?,
            Self::List => {
                let mut listing = invocation.output.listing(COLUMNS, "No tenants.");
                invocation
                    .each_row(ListTenants, |tenant| listing.push(&TenantView::of(&tenant)))?;
                listing.finish()?;
            }
            Self::Show { tenant } => {
                let tenant = invocation.run(&ShowTenant(tenant))?;
                invocation.output.record(&TenantView::of(&tenant))?;
            }
            Self::Set(set) => set.run(invocation)?,
            Self::Delete { tenant, cascade } => {
                let deletion = if cascade {
                    TenantDeletion::WithEverything
                } else {
                    TenantDeletion::OnlyEmpty
                };
                let mut store = invocation.open()?;
                let owned = run_on(&mut store, &ShowTenant(tenant.clone()))?.namespaces;
                let id = tenant.clone();
                let mut progress = Progress::default();
                let deleted = as_caller(|context| {
                    let deletion = DeleteTenant { id, deletion };
                    let mut show = |done, total| progress.show(done, total);
                    tenant::delete(&mut store, context, &deletion, &mut show)
                });
                progress.clear();
                deleted?;
                let done = format!("tenant {tenant} deleted");
                let deleted = json!({ "deleted": tenant.as_str() });
                invocation.output.act(&done, &deleted)?;
                tell_of_retained(invocation, owned.iter().cloned().collect(), Vec::new());
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl TenantCommand {
    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match self {
            Self::Create(create) if create.taking.is_dry_run() => Shows::all_of(&[LOSER]),
            Self::Set(set) if set.taking.is_dry_run() => Shows::all_of(&[LOSER]),
            Self::Delete { .. } => Shows::all_of(&[DELETED]),
            Self::Create(_) | Self::List | Self::Set(_) | Self::Show { .. } => {
                Shows::all_of(&[TENANT])
            }
        }
    }
}

impl TenantCreate {
    fn run(self, invocation: &Invocation) -> Result<(), CliError> {
        let new = NewTenant {
            id: self.tenant,
            namespaces: self.namespaces,
            authentication: self.authentication,
            subscribe: self.subscribe,
            client_id_prefix: self.client_id_prefix,
            lockout: self.lockout,
            default_rights: self.default_rights,
        };
        let Some(tenant) = self.taking.run(invocation, CreateTenant(new))? else {
            return Ok(());
        };
        let owned: Vec<_> = tenant.namespaces.iter().map(ToString::to_string).collect();
        let done = format!("tenant {} created; it owns {}", tenant.id, owned.join(", "));
        invocation.output.act(&done, &TenantView::of(&tenant))?;
        if self.taking.takes() {
            let named = tenant.namespaces.named();
            tell_of_retained(invocation, Vec::new(), named.cloned().collect());
        }
        Ok(())
    }
}

impl TenantSet {
    fn run(self, invocation: &Invocation) -> Result<(), CliError> {
        let changes = TenantChanges {
            authentication: self.authentication,
            subscribe: self.subscribe,
            add_namespaces: self.add.clone(),
            remove_namespaces: self.remove.clone(),
            client_id_prefix: self.client_id_prefix.map(|ClientIdPrefix(prefix)| prefix),
            lockout: self.lockout.map(|LockoutArgument(policy)| policy),
            default_rights: self.default_rights,
            anonymous_rights: self.anonymous_rights,
            default_roles: RoleChanges {
                add: self.add_default_roles,
                remove: self.remove_default_roles,
            },
            anonymous_roles: RoleChanges {
                add: self.add_anonymous_roles,
                remove: self.remove_anonymous_roles,
            },
            sys_read: self.sys_read,
            name_prefix: self.name_prefix.map(|NamePrefix(prefix)| prefix),
        };
        if changes.is_empty() {
            return Err(CliError::usage(
                "nothing to set; give --authentication, --subscribe, --add-namespace, \
                 --remove-namespace, --client-id-prefix, --lockout, --default-rights, \
                 --anonymous-rights, --add-default-role, --remove-default-role, \
                 --add-anonymous-role, --remove-anonymous-role, --sys-read or --name-prefix",
            ));
        }
        let id = self.tenant;
        let restricts = self.default_rights == Some(DefaultRights::Nothing);
        let Some(tenant) = self.taking.run(invocation, SetTenant { id, changes })? else {
            return Ok(());
        };
        let done = format!("tenant {} changed", tenant.id);
        invocation.output.act(&done, &TenantView::of(&tenant))?;
        tell_of_retained(invocation, self.remove, self.add);
        if restricts
            && tenant.authentication.admits_anonymous()
            && tenant.anonymous_rights == DefaultRights::Namespaces
        {
            invocation.output.notice(
                "clients without a login still may use all that the tenant owns; \
                 --anonymous-rights none takes that away",
            );
        }
        Ok(())
    }
}

/// Tells that retained messages stay where they are when topics get another
/// owner.
fn tell_of_retained(
    invocation: &Invocation,
    given_up: Vec<TopicFilter>,
    taken_over: Vec<TopicFilter>,
) {
    let unless = "unless the broker has `check_retain_source true`; an empty retained message \
                  removes one";
    for filter in given_up {
        invocation.output.notice(&format!(
            "brokers keep what was retained in `{filter}` and send it to the next owner, {unless}"
        ));
    }
    for filter in taken_over {
        invocation.output.notice(&format!(
            "what others retained in `{filter}` is sent to this tenant, {unless}"
        ));
    }
}

const LOCKOUT: &str = "failures=N,step=DUR,longest=DUR";
const COLUMNS: &[Column] = &[
    ("id", "TENANT"),
    ("authentication", "AUTHENTICATION"),
    ("subscribe", "SUBSCRIBE"),
    ("client_id_prefix", "CLIENT ID PREFIX"),
    ("namespaces", "NAMESPACES"),
];
