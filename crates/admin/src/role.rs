//! Commands on roles.

use std::collections::BTreeSet;

use countersign_core::change::Change;
use countersign_core::control_note::NoteKind;
use countersign_core::limit::UseLimits;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::role::{Role, RoleName};
use countersign_core::rule::Effect;
use countersign_core::store::{Intent, Listed, Page, StoreError, each_row};
use countersign_core::time::Timestamp;

use crate::caller::Permission;
use crate::cascade;
use crate::command::{Command, Tx};
use crate::control_note;
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::{self, Rows};
use crate::rule::RuleChange;
use crate::text::FreeText;
use crate::view::RoleView;

mod assignment;
mod holders;
mod preview;
mod rewrite;

pub use self::assignment::{AssignRole, Assignment, UnassignRole};
pub use self::preview::{PreviewAssignment, PreviewRoleRules, RoleRuleWarnings};
pub use self::rewrite::RewriteRole;
pub use crate::difference::ChangeEffect;
pub use crate::lookup::ShownRole;

/// A role to be made.
#[derive(Clone, Debug)]
pub struct NewRole {
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: RoleName,
    /// Free text for people.
    pub description: Option<FreeText>,
    /// Whether it grants no SUBSCRIBE with `+` or `#`.
    pub no_wildcards: bool,
}

/// What may become of a role that credentials hold when it is deleted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RoleDeletion {
    /// It stays.
    OnlyUnused,
    /// It is taken from all of them.
    WithGrants,
}

/// Makes a role without any rules.
#[derive(Clone, Debug)]
pub struct CreateRole(pub NewRole);

impl Command for CreateRole {
    type Output = ShownRole;

    fn needs(&self) -> Permission {
        Permission::Administer(self.0.tenant.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownRole, AdminError> {
        let NewRole {
            tenant,
            name,
            description,
            no_wildcards,
        } = self.0.clone();
        lookup::tenant(tx, &tenant)?;
        if tx.role(&tenant, &name)?.is_some() {
            return Err(AdminError::new(
                ErrorKind::Exists,
                Subject::in_tenant(Noun::Role, &name, &tenant),
                format!("tenant `{tenant}` has a role `{name}` already"),
            ));
        }
        let role = Role {
            tenant,
            name,
            description: description.and_then(FreeText::into_filled),
            no_wildcards,
            limits: UseLimits::default(),
            created_at: tx.now,
            rules: Vec::new(),
        };
        put(tx, "role.create", None, &role)
    }
}

/// Lists roles, by tenant and name: those of a tenant, or all.
#[derive(Clone, Debug, Default)]
pub struct ListRoles {
    /// Of this tenant alone.
    pub tenant: Option<TenantId>,
    /// Which of them.
    pub page: Page<(TenantId, RoleName)>,
}

impl Command for ListRoles {
    type Output = Listed<ShownRole>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::see(self.tenant.as_ref())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Listed<ShownRole>, AdminError> {
        let tenant = self.tenant.as_ref();
        lookup::check_tenant(tx, tenant)?;
        let Listed { rows, next } = tx.roles(tenant, &self.page)?;
        let rows = rows.into_iter().map(|role| lookup::shown_role(tx, role));
        let rows = rows.collect::<Result<_, _>>()?;
        Ok(Listed { rows, next })
    }
}

/// Lists groups of a tenant whose paths begin so, by path: those that hold a role, and
/// those that a credential is in.
#[derive(Clone, Debug)]
pub struct ListGroups {
    /// Their tenant.
    pub tenant: TenantId,
    /// What their paths begin with; nothing is all.
    pub begin: String,
    /// So many at most.
    pub most: usize,
}

impl Command for ListGroups {
    type Output = Vec<GroupPath>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::see(Some(&self.tenant))
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<GroupPath>, AdminError> {
        lookup::check_tenant(tx, Some(&self.tenant))?;
        Ok(tx.groups(&self.tenant, &self.begin, self.most.min(MOST_GROUPS))?)
    }
}

/// So many groups are listed at once.
const MOST_GROUPS: usize = 1_000;

/// Shows the role of this name.
#[derive(Clone, Debug)]
pub struct ShowRole {
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: RoleName,
}

impl Command for ShowRole {
    type Output = ShownRole;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::See(self.tenant.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownRole, AdminError> {
        let role = lookup::role(tx, &self.tenant, &self.name)?;
        lookup::shown_role(tx, role)
    }
}

/// Changes the rules of a role; what it is then is the output.
///
/// It is refused when the rule is there already or is not there to be removed,
/// and when it names the broker's own topics.
#[derive(Clone, Debug)]
pub struct ChangeRoleRules {
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: RoleName,
    /// What is to become of its rules.
    pub change: RuleChange,
    /// Of which: of those that are bound to this group, or to none.
    pub group: Option<GroupPath>,
}

impl ChangeRoleRules {
    /// The role before the change and after it.
    fn outcome(&self, rows: &mut Rows<'_>) -> Result<(Role, Role), AdminError> {
        let before = lookup::role(rows, &self.tenant, &self.name)?;
        let tenant = rows.tenant(&self.tenant)?;
        self.change.check_for(tenant.as_ref())?;
        let mut after = before.clone();
        self.change.apply(&mut after.rules, self.group.as_ref())?;
        Ok((before, after))
    }
}

impl Command for ChangeRoleRules {
    type Output = ShownRole;

    fn needs(&self) -> Permission {
        Permission::Administer(self.tenant.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownRole, AdminError> {
        let (before, after) = self.outcome(tx)?;
        let act = match &self.change {
            RuleChange::Add(rule) => match rule.effect() {
                Effect::Allow => "role.allow",
                Effect::Deny => "role.deny",
            },
            RuleChange::Remove { .. } => "role.remove",
        };
        put(tx, act, Some(&before), &after)
    }
}

/// Says whether a role grants a SUBSCRIBE with `+` or `#`; what it is then is the
/// output.
#[derive(Clone, Debug)]
pub struct SetRole {
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: RoleName,
    /// Whether it grants none.
    pub no_wildcards: bool,
}

impl Command for SetRole {
    type Output = ShownRole;

    fn needs(&self) -> Permission {
        Permission::Administer(self.tenant.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownRole, AdminError> {
        let before = lookup::role(tx, &self.tenant, &self.name)?;
        let after = Role {
            no_wildcards: self.no_wildcards,
            ..before.clone()
        };
        put(tx, "role.set", Some(&before), &after)
    }
}

/// Deletes a role. Tokens that carry it end with it.
#[derive(Clone, Debug)]
pub struct DeleteRole {
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: RoleName,
    /// What may become of it where credentials hold it.
    pub deletion: RoleDeletion,
}

impl Command for DeleteRole {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Administer(self.tenant.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let Self { tenant, name, .. } = self;
        let role = lookup::role(tx, tenant, name)?;
        let now = tx.now;
        let holders = count_holders(tx, &role, now)?;
        if holders > 0 && self.deletion == RoleDeletion::OnlyUnused {
            return Err(AdminError::new(
                ErrorKind::InUse,
                Subject::in_tenant(Noun::Role, name, tenant),
                format!("role `{name}` is in use, {holders} times"),
            ));
        }
        let subject = subject_of(&role);
        let shown = lookup::shown_role(tx, role)?;
        tx.record("role.delete", &subject, Some(&RoleView::of(&shown)), None);
        tx.changed(Change::Tenant(tenant.clone()));
        cascade::end_tokens(tx, Some(tenant), &subject, |token| token.role == *name)?;
        // Of a user's session in the tenant nothing else tells that it has to end.
        for user in cascade::users_with_role(tx, tenant, name)? {
            tx.changed(Change::Credential(user.id));
        }
        tx.delete_role(tenant, name)?;
        control_note::remove(tx, tenant, NoteKind::Role, name.as_str())?;
        Ok(())
    }
}

/// How many credentials, users and groups hold a role, tokens that have not ended
/// carry it, and how often its tenant gives it to all.
fn count_holders(rows: &mut Rows<'_>, role: &Role, now: Timestamp) -> Result<usize, StoreError> {
    // They hold it by their tokens alone, ended ones among them.
    let mut bearers = BTreeSet::new();
    let mut alive: usize = 0;
    each_row(
        |page| rows.tokens(Some(&role.tenant), page),
        |token| {
            if token.role == role.name {
                bearers.insert(token.bearer);
                let is_alive = token.revoked_at.is_none() && now < token.expires_at;
                alive = alive.saturating_add(usize::from(is_alive));
            }
            Ok(())
        },
    )?;
    let holders = rows.holders_of_role(&role.tenant, &role.name)?;
    let others = holders.iter().filter(|holder| !bearers.contains(holder));
    let tenant = rows.tenant(&role.tenant)?;
    let given = tenant.iter().flat_map(|tenant| {
        let by_default = tenant.default_roles.iter();
        by_default.chain(&tenant.anonymous_roles)
    });
    let given = given.filter(|given| **given == role.name).count();
    let groups = rows.groups_of_role(&role.tenant, &role.name)?.len();
    let counts = [others.count(), alive, given, groups];
    Ok(counts.into_iter().fold(0, usize::saturating_add))
}

/// Writes a role, new or changed, and returns what it is then. All its holders are
/// of its tenant.
pub(crate) fn put(
    tx: &mut Tx<'_>,
    act: &'static str,
    before: Option<&Role>,
    after: &Role,
) -> Result<ShownRole, AdminError> {
    tx.put_role(after)?;
    let after = lookup::shown_role(tx, after.clone())?;
    let before = before.map(|role| {
        RoleView::of(&ShownRole {
            role: role.clone(),
            groups: after.groups.clone(),
        })
    });
    let subject = subject_of(&after.role);
    tx.record(act, &subject, before.as_ref(), Some(&RoleView::of(&after)));
    tx.changed(Change::Tenant(after.role.tenant.clone()));
    Ok(after)
}

/// What the audit calls a role: of two tenants' roles of one name it must say
/// which it is.
fn subject_of(role: &Role) -> String {
    format!("{}@{}", role.name, role.tenant)
}

#[cfg(test)]
mod tests {
    use countersign_core::kind::{Application, Kind};
    use countersign_core::store::GateStore as _;
    use countersign_core::user::GrantedRight;

    use super::*;
    use crate::application::{CreateApplication, NewApplication};
    use crate::credential::{CredentialChanges, SetCredential};
    use crate::fixture::{
        Fixture, adding, application_name, change_of_role, login_name, removing, role_name,
        tenant_id,
    };
    use crate::jwt::RevokeToken;

    fn with_role() -> Fixture {
        let mut fixture = Fixture::with_credential();
        fixture.role("ops").unwrap();
        fixture
    }

    fn grant(fixture: &mut Fixture, role: &str) {
        let changes = CredentialChanges {
            add_roles: vec![role_name(role)],
            ..CredentialChanges::default()
        };
        let name = login_name("dev1@acme");
        fixture.run(&SetCredential { name, changes }).unwrap();
    }

    fn delete(fixture: &mut Fixture, deletion: RoleDeletion) -> Result<(), AdminError> {
        fixture.run(&DeleteRole {
            tenant: tenant_id("acme"),
            name: role_name("ops"),
            deletion,
        })
    }

    #[test]
    fn a_role_is_its_tenants_alone() {
        let mut fixture = with_role();
        let error = fixture.role("ops").unwrap_err();
        assert!(error.is(ErrorKind::Exists, Noun::Role), "{error}");
        fixture.tenant("other", &[]).unwrap();
        for (tenant, missing) in [("other", Noun::Role), ("none", Noun::Tenant)] {
            let show = ShowRole {
                tenant: tenant_id(tenant),
                name: role_name("ops"),
            };
            let error = fixture.run(&show).unwrap_err();
            assert!(error.is(ErrorKind::NotFound, missing), "{error}");
        }
        assert_eq!(fixture.run(&ListRoles::default()).unwrap().rows.len(), 1);
        let of = |tenant| ListRoles {
            tenant: Some(tenant_id(tenant)),
            ..ListRoles::default()
        };
        assert!(fixture.run(&of("other")).unwrap().rows.is_empty());
        assert!(fixture.run(&of("none")).is_err());
    }

    #[test]
    fn rules_of_a_group_are_told_from_those_of_all() {
        let mut fixture = with_role();
        let group = GroupPath::parse("DM").unwrap();
        for group in [None, Some(group.clone())] {
            let change = ChangeRoleRules {
                group,
                ..change_of_role("ops", &adding("allow both a"))
            };
            fixture.run(&change).unwrap();
        }
        let role = fixture.change_role("ops", &removing("both a")).unwrap();
        assert_eq!(role.rules.len(), 1);
        assert_eq!(role.rules[0].group.as_ref(), Some(&group));
        for (change, kind) in [
            (removing("both a"), ErrorKind::NotFound),
            (adding("allow both $SYS/#"), ErrorKind::Invalid),
        ] {
            let error = fixture.change_role("ops", &change).unwrap_err();
            assert!(error.is(kind, Noun::Rule), "{error}");
        }
    }

    #[test]
    fn a_role_in_use_is_deleted_only_with_its_grants() {
        let mut fixture = with_role();
        grant(&mut fixture, "ops");
        let error = delete(&mut fixture, RoleDeletion::OnlyUnused).unwrap_err();
        assert!(error.is(ErrorKind::InUse, Noun::Role), "{error}");
        assert_eq!(error.to_string(), "role `ops` is in use, 1 times");
        delete(&mut fixture, RoleDeletion::WithGrants).unwrap();
        assert!(fixture.show("dev1@acme").roles.is_empty());
    }

    #[test]
    fn users_applications_and_tokens_keep_a_role_from_deletion() {
        let mut fixture = Fixture::with_admin();
        fixture.user("joe@mail.test");
        let ops = GrantedRight::Role(role_name("ops"));
        let joe = fixture.grant("joe@mail.test", "acme", ops).unwrap().user.id;
        let token = fixture.token(&[]).unwrap().record;
        let revoked = fixture.token(&[]).unwrap().record;
        fixture.run(&RevokeToken(revoked.id)).unwrap();
        let new = NewApplication {
            name: application_name("fleet"),
            tenant: tenant_id("acme"),
            roles: vec![role_name("ops")],
            about: Application::default(),
        };
        fixture.run(&CreateApplication(new)).unwrap();
        let error = delete(&mut fixture, RoleDeletion::OnlyUnused).unwrap_err();
        assert_eq!(error.to_string(), "role `ops` is in use, 3 times");
        let before = fixture.store.last_change().unwrap();
        delete(&mut fixture, RoleDeletion::WithGrants).unwrap();
        let changes = fixture.changes_after(before);
        assert_eq!(
            changes,
            [
                Change::Tenant(tenant_id("acme")),
                Change::Credential(token.bearer),
                Change::Credential(joe)
            ]
        );
        let shown = fixture
            .run(&crate::user::ShowUser(login_name("joe@mail.test")))
            .unwrap();
        assert!(matches!(shown.user.kind, Kind::User(user) if user.grants.is_empty()));
    }

    #[test]
    fn every_act_tells_the_gates_which_tenant_changed() {
        let mut fixture = with_role();
        let before = fixture.store.last_change().unwrap();
        fixture.change_role("ops", &adding("allow both a")).unwrap();
        fixture.change_role("ops", &removing("both a")).unwrap();
        delete(&mut fixture, RoleDeletion::OnlyUnused).unwrap();
        let changes = fixture.changes_after(before);
        assert_eq!(changes, vec![Change::Tenant(tenant_id("acme")); 3]);
        let acts = fixture.acts();
        assert_eq!(
            acts[acts.len() - 4..],
            [
                "role.create ops@acme",
                "role.allow ops@acme",
                "role.remove ops@acme",
                "role.delete ops@acme"
            ]
        );
    }
}
