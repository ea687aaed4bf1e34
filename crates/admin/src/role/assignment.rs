//! Roles that groups hold.

use countersign_core::change::Change;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::role::RoleName;

use super::subject_of;
use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::{self, Rows, ShownRole};
use crate::view::RoleView;

/// A role that a group holds, or does not hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Assignment {
    /// The tenant of both.
    pub tenant: TenantId,
    /// The role.
    pub role: RoleName,
    /// The group. It need not have members: it is made by use.
    pub group: GroupPath,
}

/// Gives a role to a group. Every principal in the group or below it holds the
/// role from then on.
#[derive(Clone, Debug)]
pub struct AssignRole(pub Assignment);

impl Command for AssignRole {
    type Output = ShownRole;

    fn needs(&self) -> Permission {
        Permission::Administer(self.0.tenant.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownRole, AdminError> {
        let before = self.0.found(tx, true)?;
        let Assignment {
            tenant,
            role,
            group,
        } = &self.0;
        tx.assign_role(tenant, role, group)?;
        self.0.changed(tx, "role.assign", before)
    }
}

/// Takes a role from a group.
#[derive(Clone, Debug)]
pub struct UnassignRole(pub Assignment);

impl Command for UnassignRole {
    type Output = ShownRole;

    fn needs(&self) -> Permission {
        Permission::Administer(self.0.tenant.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownRole, AdminError> {
        let before = self.0.found(tx, false)?;
        let Assignment {
            tenant,
            role,
            group,
        } = &self.0;
        tx.unassign_role(tenant, role, group)?;
        self.0.changed(tx, "role.unassign", before)
    }
}

impl Assignment {
    /// The role as it is before the group is to hold it, or is to hold it no more.
    ///
    /// # Errors
    ///
    /// Returns [`AdminError`] when there is nothing to change, or where the group or
    /// the role would have more than it may.
    pub(super) fn found(
        &self,
        rows: &mut Rows<'_>,
        is_to_be_held: bool,
    ) -> Result<ShownRole, AdminError> {
        let Self {
            tenant,
            role,
            group,
        } = self;
        let found = lookup::role(rows, tenant, role)?;
        let shown = lookup::shown_role(rows, found)?;
        let is_held = shown.groups.contains(group);
        if is_held == is_to_be_held {
            let (kind, holds) = if is_held {
                (ErrorKind::Exists, "holds role")
            } else {
                (ErrorKind::NotFound, "does not hold role")
            };
            let already = if is_held { " already" } else { "" };
            let message = format!("group `{group}` of tenant `{tenant}` {holds} `{role}`{already}");
            return Err(AdminError::new(kind, self.subject(), message));
        }
        if is_to_be_held {
            self.check_room(rows, &shown)?;
        }
        Ok(shown)
    }

    fn check_room(&self, rows: &mut Rows<'_>, shown: &ShownRole) -> Result<(), AdminError> {
        let Self {
            tenant,
            role,
            group,
        } = self;
        let message = if rows.roles_of_group(tenant, group)?.len() >= MOST_ROLES {
            format!("group `{group}` holds {MOST_ROLES} roles, and may hold no more")
        } else if shown.groups.len() >= MOST_GROUPS {
            format!("role `{role}` is held by {MOST_GROUPS} groups, and may be held by no more")
        } else {
            return Ok(());
        };
        Err(AdminError::new(
            ErrorKind::Conflict,
            self.subject(),
            message,
        ))
    }

    fn subject(&self) -> Subject {
        Subject::in_tenant(Noun::Group, &self.group, &self.tenant)
    }

    /// Tells the audit and the brokers that it changed.
    fn changed(
        &self,
        tx: &mut Tx<'_>,
        act: &'static str,
        before: ShownRole,
    ) -> Result<ShownRole, AdminError> {
        let view = RoleView::of(&before);
        let after = lookup::shown_role(tx, before.role)?;
        let subject = subject_of(&after.role);
        tx.record(act, &subject, Some(&view), Some(&RoleView::of(&after)));
        let Self { tenant, group, .. } = self;
        tx.changed(Change::Group(tenant.clone(), group.clone()));
        Ok(after)
    }
}

/// How many roles a group may hold.
const MOST_ROLES: usize = 64;
/// How many groups may hold a role.
const MOST_GROUPS: usize = if cfg!(test) { 8 } else { 4_096 };

#[cfg(test)]
mod tests {
    use countersign_core::store::GateStore as _;

    use super::*;
    use crate::fixture::{Fixture, role_name, tenant_id};
    use crate::role::{DeleteRole, RoleDeletion, ShowRole};

    fn assignment(role: &str, group: &str) -> Assignment {
        Assignment {
            tenant: tenant_id("acme"),
            role: role_name(role),
            group: GroupPath::parse(group).unwrap(),
        }
    }

    fn with_role() -> Fixture {
        let mut fixture = Fixture::with_credential();
        fixture.role("ops").unwrap();
        fixture
    }

    fn groups(shown: &ShownRole) -> Vec<&str> {
        shown.groups.iter().map(GroupPath::as_str).collect()
    }

    #[test]
    fn a_group_is_given_a_role_and_loses_it_and_its_members_alone_are_judged_again() {
        let mut fixture = with_role();
        let before = fixture.store.last_change().unwrap();
        let shown = fixture.run(&AssignRole(assignment("ops", "DM.X"))).unwrap();
        assert_eq!(groups(&shown), ["DM.X"]);
        let shown = fixture.run(&AssignRole(assignment("ops", "DM"))).unwrap();
        assert_eq!(groups(&shown), ["DM", "DM.X"]);
        let shown = fixture
            .run(&UnassignRole(assignment("ops", "DM.X")))
            .unwrap();
        assert_eq!(groups(&shown), ["DM"]);
        let show = ShowRole {
            tenant: tenant_id("acme"),
            name: role_name("ops"),
        };
        assert_eq!(fixture.run(&show).unwrap(), shown);
        let group = |path| Change::Group(tenant_id("acme"), GroupPath::parse(path).unwrap());
        let changes = fixture.changes_after(before);
        assert_eq!(changes, [group("DM.X"), group("DM"), group("DM.X")]);
        let acts = fixture.acts();
        assert_eq!(
            acts[acts.len() - 3..],
            [
                "role.assign ops@acme",
                "role.assign ops@acme",
                "role.unassign ops@acme"
            ]
        );
    }

    #[test]
    fn what_changes_nothing_is_refused() {
        let mut fixture = with_role();
        fixture.run(&AssignRole(assignment("ops", "DM"))).unwrap();
        let again = fixture
            .run(&AssignRole(assignment("ops", "DM")))
            .unwrap_err();
        assert!(again.is(ErrorKind::Exists, Noun::Group), "{again}");
        assert_eq!(
            again.to_string(),
            "group `DM` of tenant `acme` holds role `ops` already"
        );
        let gone = fixture
            .run(&UnassignRole(assignment("ops", "DM.X")))
            .unwrap_err();
        assert!(gone.is(ErrorKind::NotFound, Noun::Group), "{gone}");
        assert_eq!(
            gone.to_string(),
            "group `DM.X` of tenant `acme` does not hold role `ops`"
        );
        let none = fixture
            .run(&AssignRole(assignment("none", "DM")))
            .unwrap_err();
        assert!(none.is(ErrorKind::NotFound, Noun::Role), "{none}");
    }

    #[test]
    fn a_group_holds_so_many_roles_and_a_role_is_held_by_so_many_groups() {
        let mut fixture = with_role();
        for number in 0..MOST_GROUPS {
            let group = format!("G{number}");
            fixture.run(&AssignRole(assignment("ops", &group))).unwrap();
        }
        let error = fixture
            .run(&AssignRole(assignment("ops", "DM")))
            .unwrap_err();
        assert!(error.is(ErrorKind::Conflict, Noun::Group), "{error}");
        for number in 0..MOST_ROLES {
            let role = format!("r{number}");
            fixture.role(&role).unwrap();
            fixture.run(&AssignRole(assignment(&role, "DM"))).unwrap();
        }
        fixture.role("more").unwrap();
        let error = fixture
            .run(&AssignRole(assignment("more", "DM")))
            .unwrap_err();
        assert!(error.is(ErrorKind::Conflict, Noun::Group), "{error}");
    }

    #[test]
    fn a_role_that_a_group_holds_is_in_use() {
        let mut fixture = with_role();
        fixture.run(&AssignRole(assignment("ops", "DM"))).unwrap();
        let mut delete = |deletion| {
            fixture.run(&DeleteRole {
                tenant: tenant_id("acme"),
                name: role_name("ops"),
                deletion,
            })
        };
        let error = delete(RoleDeletion::OnlyUnused).unwrap_err();
        assert_eq!(error.to_string(), "role `ops` is in use, 1 times");
        delete(RoleDeletion::WithGrants).unwrap();
        let group = GroupPath::parse("DM").unwrap();
        let held = fixture.store.roles_of_group(&tenant_id("acme"), &group);
        assert!(held.unwrap().is_empty());
    }
}
