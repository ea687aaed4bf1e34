//! The roles that a principal holds: by itself, by default, and by its groups.

use std::collections::BTreeSet;

use super::PolicyLookup;
use super::grants::HeldRole;
use crate::name::{GroupPath, TenantId};
use crate::role::RoleName;
use crate::store::StoreError;

/// The roles that a principal holds, each once. One that does not exist is not
/// among them.
#[derive(Default)]
pub(super) struct HeldRoles {
    roles: Vec<HeldRole>,
    names: BTreeSet<RoleName>,
}

impl HeldRoles {
    /// Adds those that the principal holds itself, or by default.
    pub(super) fn add<'r>(
        &mut self,
        tenant: &TenantId,
        names: impl IntoIterator<Item = &'r RoleName>,
        lookup: &mut impl PolicyLookup,
    ) -> Result<(), StoreError> {
        for name in names {
            self.add_one(tenant, name, None, lookup)?;
        }
        Ok(())
    }

    /// Adds those that are held by one of these groups or by one above it.
    pub(super) fn add_of_groups(
        &mut self,
        tenant: &TenantId,
        groups: &[GroupPath],
        lookup: &mut impl PolicyLookup,
    ) -> Result<(), StoreError> {
        for group in and_above(groups) {
            for name in lookup.roles_of_group(tenant, &group)? {
                self.add_one(tenant, &name, Some(&group), lookup)?;
            }
        }
        Ok(())
    }

    fn add_one(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
        group: Option<&GroupPath>,
        lookup: &mut impl PolicyLookup,
    ) -> Result<(), StoreError> {
        if self.names.insert(name.clone())
            && let Some(role) = lookup.role(tenant, name)?
        {
            let group = group.cloned();
            self.roles.push(HeldRole { role, group });
        }
        Ok(())
    }

    /// The roles, in the order in which they were added.
    pub(super) fn into_inner(self) -> Vec<HeldRole> {
        self.roles
    }
}

/// Says whether one of these groups, or one above it, holds a role.
pub(super) fn has_roles_by_groups(
    tenant: &TenantId,
    groups: &[GroupPath],
    lookup: &mut impl PolicyLookup,
) -> Result<bool, StoreError> {
    for group in and_above(groups) {
        if !lookup.roles_of_group(tenant, &group)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// These groups and those above them, each once.
fn and_above(groups: &[GroupPath]) -> impl Iterator<Item = GroupPath> {
    let mut seen = BTreeSet::new();
    let all = groups.iter().flat_map(GroupPath::and_above);
    all.filter(move |group| seen.insert(group.clone()))
}
