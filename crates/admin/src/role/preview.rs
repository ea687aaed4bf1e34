//! The preview of a change of a role: which of its holders would gain or lose
//! what, and what a new rule would not do.
//!
//! It looks and writes nothing, and so it does not keep brokers from writing
//! while it goes through all holders.

use core::ops::ControlFlow;
use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_core::access::AccessSubject;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::kind::Kind;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::{Role, RoleName};
use countersign_core::rule::Rule;
use countersign_core::store::{
    CredentialQuery, Intent, Listed, Page, StoreError, all_rows, each_row,
};

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
        for_each_holder(tx, tenant, name, |holder| {
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
            Ok(ControlFlow::Continue(()))
        })?;
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
        for_each_holder(rows, tenant, name, |holder| {
            count = count.saturating_add(1);
            impact.is_known = count <= FEW;
            if !impact.is_known {
                return Ok(ControlFlow::Break(()));
            }
            let (difference, ids) = change.compare(&holder, &[])?;
            impact.makes_difference = !difference.is_none();
            if impact.makes_difference {
                return Ok(ControlFlow::Break(()));
            }
            let bare = Credential {
                rules: Vec::new(),
                ..holder
            };
            let rights = alone.access(subject(&bare, tenant))?.rights(ids.first());
            impact.has_value |= alone.allow_something(&rights);
            impact.is_by_default |= change.before.gives_by_default(&bare);
            Ok(ControlFlow::Continue(()))
        })?;
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

/// Shows the principals that have the rules of a role to `each`, until it breaks
/// off: those that hold it, and all devices and things of a tenant that gives it
/// to them.
fn for_each_holder(
    rows: &mut Rows<'_>,
    tenant: &TenantId,
    role: &RoleName,
    mut each: impl FnMut(Credential) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    let given = rows.tenant(tenant)?;
    let is_given = given.is_some_and(|tenant| tenant.default_roles.contains(role));
    let mut show = |holders: Vec<Credential>| {
        for holder in holders {
            if each(holder)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok::<_, StoreError>(ControlFlow::Continue(()))
    };
    for id in rows.holders_of_role(tenant, role)? {
        let mut holders = principals(rows, tenant, id)?;
        holders.retain(|holder| !is_given || matches!(holder.kind, Kind::User(_)));
        if show(holders)?.is_break() {
            return Ok(());
        }
    }
    if !is_given || each_page(|page| rows.things(Some(tenant), None, page), &mut show)?.is_break() {
        return Ok(());
    }
    let query = CredentialQuery {
        tenant: Some(tenant.clone()),
        ..CredentialQuery::default()
    };
    let _all_or_enough = each_page(|page| rows.credentials(&query, page), show)?;
    Ok(())
}

/// Shows a listing to `show`, page by page, until it breaks off.
fn each_page(
    mut list: impl FnMut(&Page<LoginName>) -> Result<Listed<Credential>, StoreError>,
    mut show: impl FnMut(Vec<Credential>) -> Result<ControlFlow<()>, StoreError>,
) -> Result<ControlFlow<()>, StoreError> {
    let mut page = Page::default();
    loop {
        let Listed { rows, next } = list(&page)?;
        match (show(rows)?, next) {
            (ControlFlow::Continue(()), Some(key)) => page = Page::after(key),
            (shown, _) => return Ok(shown),
        }
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
        Kind::Application(_) => all_rows(|page| rows.things(Some(tenant), Some(holder), page)),
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
    each_row(
        |page| rows.presence(Some(tenant), page),
        |client| {
            if let (true, Some(credential)) = (client.is_alive, client.presence.credential) {
                let ids = connected.entry(credential).or_default();
                ids.push(client.presence.client_id);
            }
            Ok(())
        },
    )?;
    Ok(connected)
}

/// How many who hold a role are looked at to say that a rule adds nothing.
const FEW: usize = 1_000;

#[cfg(test)]
mod tests;
