//! The preview of a change of a role: which of its holders would gain or lose
//! what, and what a new rule would not do.
//!
//! It looks and writes nothing, and so it does not keep brokers from writing
//! while it goes through all holders.

use core::ops::ControlFlow;
use std::sync::Arc;

use countersign_core::access::AccessSubject;
use countersign_core::credential::Credential;
use countersign_core::name::TenantId;
use countersign_core::role::Role;
use countersign_core::rule::Rule;
use countersign_core::store::{Intent, StoreError};

use super::ChangeRoleRules;
use super::assignment::Assignment;
use super::holders::{for_each_holder, for_each_member};
use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::difference::{
    ChangeEffect, LiveSessions, PossibleClientIds, RightsContext, RightsDifference,
};
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

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        self.0.needs()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<ChangeEffect>, AdminError> {
        let ChangeRoleRules { tenant, name, .. } = &self.0;
        let policies = RolePolicies::of_rules(tx, &self.0)?;
        let mut effects = Effects::new(tx, &policies)?;
        for_each_holder(tx, tenant, name, |holder| effects.add(holder))?;
        Ok(effects.told)
    }
}

/// Says who would gain or lose what if a group held a role, or held it no more, as
/// [`PreviewRoleRules`] does of a change of rules. Refuses what the change would
/// refuse.
#[derive(Clone, Debug)]
pub struct PreviewAssignment {
    /// The role and the group.
    pub of: Assignment,
    /// Whether the group is to hold it.
    pub is_to_be_held: bool,
}

impl Command for PreviewAssignment {
    type Output = Vec<ChangeEffect>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Administer(self.of.tenant.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<ChangeEffect>, AdminError> {
        let Assignment { tenant, group, .. } = &self.of;
        let policies = RolePolicies::of_assignment(tx, &self.of, self.is_to_be_held)?;
        let mut effects = Effects::new(tx, &policies)?;
        for_each_member(tx, tenant, group, |member| effects.add(member))?;
        Ok(effects.told)
    }
}

/// The effects of a change that are told so far.
struct Effects<'a> {
    policies: &'a RolePolicies,
    sessions: LiveSessions,
    told: Vec<ChangeEffect>,
}

impl<'a> Effects<'a> {
    fn new(rows: &mut Rows<'_>, policies: &'a RolePolicies) -> Result<Self, StoreError> {
        Ok(Self {
            policies,
            sessions: LiveSessions::read(rows, &policies.changed.tenant)?,
            told: Vec::new(),
        })
    }

    /// Adds what becomes of a principal, if anything does.
    fn add(&mut self, holder: Credential) -> Result<ControlFlow<()>, StoreError> {
        let ids = self.sessions.client_ids(Some(holder.id));
        let (difference, _) = self.policies.compare(&holder, &ids)?;
        if !difference.is_none() {
            self.told.push(ChangeEffect {
                is_connected: !ids.is_empty(),
                name: holder.name,
                gains: difference.gains,
                loses: difference.loses,
            });
        }
        Ok(ControlFlow::Continue(()))
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

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        self.0.needs()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<RuleWarning>, AdminError> {
        let RuleChange::Add(rule) = &self.0.change else {
            return Ok(Vec::new());
        };
        let change = RolePolicies::of_rules(tx, &self.0)?;
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
        let mut impact = RuleImpact {
            is_of_others: change.before.is_of_others(rule),
            ..RuleImpact::default()
        };
        let mut count: usize = 0;
        for_each_holder(rows, tenant, name, |holder| {
            count = count.saturating_add(1);
            if count > FEW {
                impact.is_known = false;
                return Ok(ControlFlow::Break(()));
            }
            let (difference, ids) = change.compare(&holder, &[])?;
            let bare = Credential {
                rules: Vec::new(),
                ..holder
            };
            let rights = alone.access(subject(&bare, tenant))?.rights(ids.first());
            impact.add(&change.before, &bare, &difference, &rights);
            Ok(if impact.makes_difference {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        })?;
        Ok(impact)
    }
}

/// What the rights of the holders of a role follow from before something changes
/// about it, and after that.
struct RolePolicies {
    before: RightsContext,
    after: RightsContext,
    changed: Role,
}

impl RolePolicies {
    /// Those of a change of whether a group holds the role.
    fn of_assignment(
        rows: &mut Rows<'_>,
        assignment: &Assignment,
        is_to_be_held: bool,
    ) -> Result<Self, AdminError> {
        let found = assignment.found(rows, is_to_be_held)?;
        let tenant = lookup::tenant(rows, &assignment.tenant)?;
        let before = RightsContext::read(rows, Some(tenant))?;
        let Assignment { role, group, .. } = assignment;
        Ok(Self {
            after: before.with_assignment(group, role, is_to_be_held),
            before,
            changed: found.role,
        })
    }

    /// Those of a change of its rules.
    fn of_rules(rows: &mut Rows<'_>, change: &ChangeRoleRules) -> Result<Self, AdminError> {
        let (_, changed) = change.outcome(rows)?;
        let tenant = lookup::tenant(rows, &change.tenant)?;
        let before = RightsContext::read(rows, Some(tenant))?;
        Ok(Self {
            after: before.with_role(&changed),
            before,
            changed,
        })
    }

    /// The policy where one rule of the changed role is all that grants.
    fn of_rule_alone(&self, rule: &Rule) -> RightsContext {
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

fn subject<'a>(holder: &'a Credential, tenant: &'a TenantId) -> AccessSubject<'a> {
    match holder.kind.user() {
        Some(_) => AccessSubject::User {
            credential: holder,
            tenant,
        },
        None => AccessSubject::of_credential(holder),
    }
}

/// How many who hold a role are looked at to say that a rule adds nothing.
const FEW: usize = 1_000;

#[cfg(test)]
mod tests;
