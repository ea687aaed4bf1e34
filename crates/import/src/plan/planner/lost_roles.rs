//! Roles that are not taken over, and who can't do without them.

use std::collections::HashSet;

use countersign_core::credential::MOST_GROUPS;
use countersign_core::name::GroupPath;
use countersign_core::role::RoleName;
use countersign_core::rule::Effect;

use crate::plan::desired::{DesiredCredential, DesiredRole, rules_of};

/// The roles that are not taken over.
#[derive(Default)]
pub(super) struct LostRoles {
    all: HashSet<RoleName>,
    /// Those that deny something, which their holders could do then.
    denying: HashSet<RoleName>,
    /// The groups that hold one of these.
    groups: HashSet<GroupPath>,
    /// Such a role that all hold.
    of_all: Option<RoleName>,
}

impl LostRoles {
    /// Takes note of one.
    pub(super) fn insert(&mut self, role: &DesiredRole) {
        self.all.insert(role.name.clone());
        let rules = rules_of(&role.rules);
        if rules.iter().any(|rule| rule.effect() == Effect::Deny) {
            self.denying.insert(role.name.clone());
            let groups = role.groups.iter().map(|joined| joined.group.clone());
            self.groups.extend(groups);
            if role.is_default {
                self.of_all.get_or_insert_with(|| role.name.clone());
            }
        }
    }

    /// Says why a credential would do more without what is lost of it, and what can be
    /// done.
    pub(super) fn check(
        &self,
        credential: &DesiredCredential,
    ) -> Result<(), (String, &'static str)> {
        if credential.groups.len() > MOST_GROUPS {
            return Err(("it is in too many groups".into(), LEAVE));
        }
        let mut held = credential.roles.iter().map(|held| &held.role);
        let own = held.find(|role| self.denying.contains(*role));
        if let Some(role) = own.or(self.of_all.as_ref()) {
            return Err((format!("role `{role}` {DENIES}"), RENAME_ROLE));
        }
        let mut groups = credential.groups.iter().map(|joined| &joined.group);
        let mut above = groups.by_ref().flat_map(GroupPath::and_above);
        match above.find(|group| self.groups.contains(group)) {
            None => Ok(()),
            Some(group) => Err((format!("a role of group `{group}` {DENIES}"), RENAME_ROLE)),
        }
    }

    /// Takes the lost roles from a credential that can do without them.
    pub(super) fn take_from(&self, credential: &mut DesiredCredential) {
        let is_lost = |role: &RoleName| self.all.contains(role);
        let gone = credential.roles.extract_if(.., |held| is_lost(&held.role));
        let gone = gone.filter_map(|held| held.item).map(|mut item| {
            item.lose("the role is not taken over", RENAME_ROLE);
            item
        });
        credential.items.extend(gone);
    }
}

const DENIES: &str = "denies it something, and is not taken over";
const LEAVE: &str = "have it in 32 groups at most";
const RENAME_ROLE: &str = "give the role another name in the source";
