//! `countersign role`.

use std::process::ExitCode;

use clap::{ArgAction, Args, Subcommand};
use countersign_admin::role::{
    AssignRole, Assignment, ChangeEffect, ChangeRoleRules, CreateRole, DeleteRole, ListRoles,
    NewRole, PreviewAssignment, PreviewRoleRules, RoleDeletion, RoleRuleWarnings, SetRole,
    ShowRole, ShownRole, UnassignRole,
};
use countersign_admin::text::FreeText;
use countersign_admin::view::{EffectView, RoleView};
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::rights::TopicUses;
use countersign_core::role::RoleName;
use countersign_core::rule::Effect;
use serde_json::json;

use crate::error::CliError;
use crate::input::RuleArguments;
use crate::invocation::{Invocation, run_on};
use crate::keys::{DELETED, EFFECT, ROLE, Shows};
use crate::listing::Column;
use crate::told::change_in_words;

#[derive(Debug, Subcommand)]
pub(crate) enum RoleCommand {
    /// Make a role without any rules.
    #[command(
        after_help = "Examples:\n  countersign role create ops --tenant acme --description maintenance"
    )]
    Create {
        #[command(flatten)]
        role: RoleOf,
        /// Free text for people.
        #[arg(long, value_name = "TEXT", value_parser = FreeText::parse)]
        description: Option<FreeText>,
        /// It grants no SUBSCRIBE with `+` or `#`.
        #[arg(long)]
        no_wildcards: bool,
    },
    /// Change a role.
    #[command(
        after_help = "Examples:\n  countersign role set ops --tenant acme --no-wildcards true"
    )]
    Set {
        #[command(flatten)]
        role: RoleOf,
        /// Whether it grants no SUBSCRIBE with `+` or `#`: `true` or `false`.
        #[arg(long, value_name = "BOOL", action = ArgAction::Set)]
        no_wildcards: bool,
    },
    /// List roles.
    #[command(after_help = "Examples:\n  countersign role list --tenant acme")]
    List {
        /// Of this tenant alone.
        #[arg(long, value_parser = TenantId::parse)]
        tenant: Option<TenantId>,
    },
    /// Show a role and its rules.
    #[command(after_help = "Examples:\n  countersign role show ops --tenant acme")]
    Show(RoleOf),
    /// Delete a role.
    #[command(after_help = "Examples:\n  countersign role delete ops --tenant acme --cascade")]
    Delete {
        #[command(flatten)]
        role: RoleOf,
        /// Take it from all who hold it.
        #[arg(long)]
        cascade: bool,
    },
    /// Give a role to a group: all in it and below it hold the role.
    #[command(
        after_help = "Examples:\n  countersign role assign ops --tenant acme --group DM --dry-run\n  countersign role assign ops --tenant acme --group DM"
    )]
    Assign(RoleOfGroup),
    /// Take a role from a group.
    #[command(
        after_help = "Examples:\n  countersign role unassign ops --tenant acme --group DM.X --dry-run\n  countersign role unassign ops --tenant acme --group DM.X"
    )]
    Unassign(RoleOfGroup),
    /// Let those who hold a role do something.
    #[command(
        after_help = "Examples:\n  countersign role allow ops --tenant acme subscribe acme/+/state\n  countersign role allow ops --tenant acme publish 'acme/${group}/cmd' \\\n      --group DM --max-qos 1 --dry-run"
    )]
    Allow(RuleOf),
    /// Keep those who hold a role from something, whatever else lets them.
    #[command(
        after_help = "Examples:\n  countersign role deny ops --tenant acme both acme/secret/#"
    )]
    Deny(RuleOf),
    /// Take away a rule of a role, whether it allows or denies.
    #[command(
        after_help = "Examples:\n  countersign role remove ops --tenant acme both acme/secret/#"
    )]
    Remove(RuleOf),
}

#[derive(Args, Debug)]
pub(crate) struct RoleOf {
    /// Its name.
    #[arg(value_name = "ROLE", value_parser = RoleName::parse)]
    name: RoleName,
    /// Its tenant.
    #[arg(long, value_parser = TenantId::parse)]
    tenant: TenantId,
}

#[derive(Args, Debug)]
pub(crate) struct RoleOfGroup {
    #[command(flatten)]
    role: RoleOf,
    /// The group, like `DM.MFORM.SURYA`. It is made by use.
    #[arg(long, value_parser = GroupPath::parse)]
    group: GroupPath,
    /// Change nothing, and print who would gain or lose what.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Args, Debug)]
pub(crate) struct RuleOf {
    #[command(flatten)]
    role: RoleOf,
    #[command(flatten)]
    words: RuleArguments,
    /// Bind the rule to this group and those below.
    #[arg(long, value_parser = GroupPath::parse)]
    group: Option<GroupPath>,
    /// Change nothing, and print who would gain or lose what.
    #[arg(long)]
    dry_run: bool,
}

impl RoleCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::Create {
                role,
                description,
                no_wildcards,
            } => {
                let new = NewRole {
                    tenant: role.tenant,
                    name: role.name,
                    description,
                    no_wildcards,
                };
                let done = format!("role {} created in {}", new.name, new.tenant);
                let role = invocation.run(&CreateRole(new))?;
                print(invocation, &role, Some(&done))?;
            }
            Self::Set {
                role: RoleOf { name, tenant },
                no_wildcards,
            } => {
                let done = format!("role {name} of {tenant} changed");
                let role = invocation.run(&SetRole {
                    tenant,
                    name,
                    no_wildcards,
                })?;
                print(invocation, &role, Some(&done))?;
            }
            Self::List { tenant } => {
                let mut listing = invocation.output.listing(COLUMNS, "No roles.");
                invocation.each_row(
                    |page| ListRoles {
                        tenant: tenant.clone(),
                        page,
                    },
                    |role| listing.push(&RoleView::of(&role)),
                )?;
                listing.finish()?;
            }
            Self::Show(RoleOf { name, tenant }) => {
                let role = invocation.run(&ShowRole { tenant, name })?;
                print(invocation, &role, None)?;
            }
            Self::Delete {
                role: RoleOf { name, tenant },
                cascade,
            } => {
                let deletion = if cascade {
                    RoleDeletion::WithGrants
                } else {
                    RoleDeletion::OnlyUnused
                };
                let deleted = json!({ "deleted": name.as_str() });
                let done = format!("role {name} of {tenant} deleted");
                invocation.run(&DeleteRole {
                    tenant,
                    name,
                    deletion,
                })?;
                invocation.output.act(&done, &deleted)?;
            }
            Self::Assign(role) => role.run(invocation, true)?,
            Self::Unassign(role) => role.run(invocation, false)?,
            Self::Allow(rule) => rule.run(invocation, Some(Effect::Allow))?,
            Self::Deny(rule) => rule.run(invocation, Some(Effect::Deny))?,
            Self::Remove(rule) => rule.run(invocation, None)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl RoleCommand {
    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match self {
            Self::Allow(rule) | Self::Deny(rule) | Self::Remove(rule) if rule.dry_run => {
                Shows::all_of(&[EFFECT])
            }
            Self::Assign(role) | Self::Unassign(role) if role.dry_run => Shows::all_of(&[EFFECT]),
            Self::Delete { .. } => Shows::all_of(&[DELETED]),
            Self::Allow(_)
            | Self::Assign(_)
            | Self::Create { .. }
            | Self::Deny(_)
            | Self::List { .. }
            | Self::Remove(_)
            | Self::Set { .. }
            | Self::Show(_)
            | Self::Unassign(_) => Shows::all_of(&[ROLE]),
        }
    }
}

impl RoleOfGroup {
    fn run(self, invocation: &Invocation, is_to_be_held: bool) -> Result<(), CliError> {
        let of = Assignment {
            tenant: self.role.tenant,
            role: self.role.name,
            group: self.group,
        };
        if self.dry_run {
            let preview = PreviewAssignment { of, is_to_be_held };
            return print_effects(invocation, &invocation.run(&preview)?);
        }
        let (role, verb) = (
            &of.role,
            if is_to_be_held {
                "holds"
            } else {
                "no longer holds"
            },
        );
        let done = format!("group {} of {} {verb} role {role}", of.group, of.tenant);
        let role = if is_to_be_held {
            invocation.run(&AssignRole(of))?
        } else {
            invocation.run(&UnassignRole(of))?
        };
        print(invocation, &role, Some(&done))
    }
}

impl RuleOf {
    fn run(self, invocation: &Invocation, effect: Option<Effect>) -> Result<(), CliError> {
        let RoleOf { name, tenant } = self.role;
        let change = ChangeRoleRules {
            tenant,
            name,
            change: match effect {
                Some(effect) => self.words.adding(effect)?,
                None => self.words.removing(),
            },
            group: self.group,
        };
        if self.dry_run {
            let effects = invocation.run(&PreviewRoleRules(change))?;
            return print_effects(invocation, &effects);
        }
        let mut store = invocation.open()?;
        // Looking at all holders takes longer than brokers may wait for the lock.
        let warnings = run_on(&mut store, &RoleRuleWarnings(change.clone()))?;
        let role = run_on(&mut store, &change)?;
        let within = change.group.as_ref();
        let within = within.map(|group| format!(" in group {group}"));
        let done = format!(
            "role {} of {} {}{}",
            change.name,
            change.tenant,
            change_in_words(&change.change),
            within.unwrap_or_default()
        );
        print(invocation, &role, Some(&done))?;
        for warning in &warnings {
            invocation.output.warn(warning);
        }
        Ok(())
    }
}

/// Prints who would gain or lose what.
fn print_effects(invocation: &Invocation, effects: &[ChangeEffect]) -> Result<(), CliError> {
    let mut listing = invocation
        .output
        .listing(EFFECTS, "Nobody would gain or lose anything.");
    for effect in effects {
        if invocation.output.is_for_people() {
            listing.push(&json!({
                "name": effect.name.as_str(),
                "connected": effect.is_connected,
                "gains": in_words(&effect.gains),
                "loses": in_words(&effect.loses),
            }))?;
        } else {
            listing.push(&EffectView::of(effect))?;
        }
    }
    listing.finish()
}

/// Uses of topics as people read them.
pub(crate) fn in_words(uses: &[TopicUses]) -> Vec<String> {
    let word = |usage: &TopicUses| format!("{} {}", usage.action, usage.filter);
    uses.iter().map(word).collect()
}

/// Prints a role, its rules line by line, or what was done to it.
fn print(invocation: &Invocation, shown: &ShownRole, done: Option<&str>) -> Result<(), CliError> {
    let rules: Vec<_> = shown
        .role
        .rules
        .iter()
        .map(|bound| {
            let group = match &bound.group {
                Some(group) => format!(" group {group}"),
                None => String::new(),
            };
            ("rules", format!("{}{group}", bound.rule))
        })
        .collect();
    invocation.output.tell(done, &RoleView::of(shown), &rules)
}

const COLUMNS: &[Column] = &[
    ("name", "ROLE"),
    ("tenant", "TENANT"),
    ("description", "DESCRIPTION"),
];
const EFFECTS: &[Column] = &[
    ("name", "NAME"),
    ("connected", "CONNECTED"),
    ("gains", "GAINS"),
    ("loses", "LOSES"),
];
