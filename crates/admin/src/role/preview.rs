//! The preview of a change of a role: which of its holders would gain or lose
//! what, and what a new rule would not do.
//!
//! It looks and writes nothing, and so it does not keep brokers from writing
//! while it goes through all holders.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_core::access::AccessSubject;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::kind::Kind;
use countersign_core::name::TenantId;
use countersign_core::role::Role;
use countersign_core::rule::Rule;
use countersign_core::store::{Intent, StoreError};

use super::ChangeRoleRules;
use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::difference::{ChangeEffect, Policy, PossibleClientIds, RightsDifference};
use crate::error::AdminError;
use crate::lookup::{self, Rows};
use crate::rule::{RuleChange, RuleImpact, RuleWarning};

/// Says which credentials, things and users would gain or lose what by a change
/// of a role; those to whom it makes no difference are left out, and so are
/// tokens, which end soon. Refuses what the change would refuse.
#[derive(Clone, Debug)]
pub struct PreviewRoleRules(pub ChangeRoleRules);

impl Command for PreviewRoleRules {
    type Output = Vec<ChangeEffect>;

    fn needs(&self) -> Permission {
        self.0.needs()
    }

    fn intent(&self) -> Intent {
        Intent::Read
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<ChangeEffect>, AdminError> {
        let ChangeRoleRules { tenant, name, .. } = &self.0;
        let change = RolePolicies::read(tx, &self.0)?;
        let connected = connected(tx, tenant)?;
        let mut effects = Vec::new();
        for id in tx.holders_of_role(tenant, name)? {
            for holder in principals(tx, tenant, id)? {
                let ids = connected.get(&holder.id).map_or(&[][..], Vec::as_slice);
                let (difference, _) = change.compare(&holder, ids)?;
                if !difference.is_none() {
                    effects.push(ChangeEffect {
                        is_connected: !ids.is_empty(),
                        name: holder.name,
                        gains: difference.gains,
                        loses: difference.loses,
                    });
                }
            }
        }
        Ok(effects)
    }
}

/// Says what a new rule of a role would not do. Refuses what the change would
/// refuse.
///
/// Whether it adds something is said where few hold the role.
#[derive(Clone, Debug)]
pub struct RoleRuleWarnings(pub ChangeRoleRules);

impl Command for RoleRuleWarnings {
    type Output = Vec<RuleWarning>;

    fn needs(&self) -> Permission {
        self.0.needs()
    }

    fn intent(&self) -> Intent {
        Intent::Read
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<RuleWarning>, AdminError> {
        let RuleChange::Add(rule) = &self.0.change else {
            return Ok(Vec::new());
        };
        let change = RolePolicies::read(tx, &self.0)?;
        let impact = self.impact(tx, rule, &change)?;
        Ok(RuleWarning::of(rule, change.before.tenant(), impact))
    }
}

impl RoleRuleWarnings {
    /// What becomes of the holders, as far as they are few.
    fn impact(
        &self,
        rows: &mut Rows<'_>,
        rule: &Rule,
        change: &RolePolicies,
    ) -> Result<RuleImpact, StoreError> {
        let ChangeRoleRules { tenant, name, .. } = &self.0;
        let alone = change.of_rule_alone(rule);
        let mut impact = RuleImpact::default();
        let mut count: usize = 0;
        for id in rows.holders_of_role(tenant, name)? {
            for holder in principals(rows, tenant, id)? {
                count = count.saturating_add(1);
                impact.is_known = count <= FEW;
                if !impact.is_known {
                    return Ok(impact);
                }
                let (difference, ids) = change.compare(&holder, &[])?;
                impact.makes_difference = !difference.is_none();
                if impact.makes_difference {
                    return Ok(impact);
                }
                let bare = Credential {
                    rules: Vec::new(),
                    ..holder
                };
                let rights = alone.access(subject(&bare, tenant))?.rights(ids.first());
                impact.has_value |= alone.allow_something(&rights);
                impact.is_by_default |= change.before.gives_by_default(&bare);
            }
        }
        Ok(impact)
    }
}

/// What the rights of the holders of a role follow from before it changes, and
/// after it.
struct RolePolicies {
    before: Policy,
    after: Policy,
    changed: Role,
}

impl RolePolicies {
    fn read(rows: &mut Rows<'_>, change: &ChangeRoleRules) -> Result<Self, AdminError> {
        let (_, changed) = change.outcome(rows)?;
        let tenant = lookup::tenant(rows, &change.tenant)?;
        let before = Policy::read(rows, Some(tenant))?;
        Ok(Self {
            after: before.with_role(&changed),
            before,
            changed,
        })
    }

    /// The policy where one rule of the changed role is all that grants.
    fn of_rule_alone(&self, rule: &Rule) -> Policy {
        let mut alone = self.changed.clone();
        alone.rules.retain(|it| it.rule == *rule);
        self.before.of_roles_alone(&[alone])
    }

    /// What a holder would gain and lose, by its client ids.
    fn compare(
        &self,
        holder: &Credential,
        connected: &[Arc<str>],
    ) -> Result<(RightsDifference, PossibleClientIds), StoreError> {
        let subject = subject(holder, &self.changed.tenant);
        let (before, after) = (self.before.access(subject)?, self.after.access(subject)?);
        let ids = PossibleClientIds::of(holder, &[&before, &after]);
        let difference = self.before.compare(&before, &after, connected, &ids);
        Ok((difference, ids))
    }
}

/// The principals that have the rules of a role by way of one that holds it:
/// itself if it is a device, thing or user, and the things of an application.
fn principals(
    rows: &mut Rows<'_>,
    tenant: &TenantId,
    holder: CredentialId,
) -> Result<Vec<Credential>, StoreError> {
    let Some(credential) = rows.credential_by_id(holder)? else {
        return Ok(Vec::new());
    };
    match credential.kind {
        Kind::Device | Kind::Thing(_) | Kind::User(_) => Ok(vec![credential]),
        Kind::Application(_) => rows.things(Some(tenant), Some(holder)),
        Kind::Bearer => Ok(Vec::new()),
    }
}

fn subject<'a>(holder: &'a Credential, tenant: &'a TenantId) -> AccessSubject<'a> {
    match holder.kind {
        Kind::User(_) => AccessSubject::User {
            credential: holder,
            tenant,
        },
        Kind::Application(_) | Kind::Bearer | Kind::Device | Kind::Thing(_) => {
            AccessSubject::of_credential(holder)
        }
    }
}

/// The client ids that the principals of a tenant are connected as.
fn connected(
    rows: &mut Rows<'_>,
    tenant: &TenantId,
) -> Result<BTreeMap<CredentialId, Vec<Arc<str>>>, StoreError> {
    let mut connected: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for client in rows.presence(Some(tenant))? {
        if !client.is_alive {
            continue;
        }
        if let Some(credential) = client.presence.credential {
            let ids = connected.entry(credential).or_default();
            ids.push(client.presence.client_id);
        }
    }
    Ok(connected)
}

/// How many who hold a role are looked at to say that a rule adds nothing.
const FEW: usize = 1_000;

#[cfg(test)]
mod tests;
