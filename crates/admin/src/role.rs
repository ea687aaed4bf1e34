//! Acts on roles.

use std::collections::BTreeSet;

use countersign_core::change::Change;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::role::{Role, RoleName};
use countersign_core::rule::Effect;
use countersign_core::store::{AdminStore, AdminTransaction, Intent, StoreError};
use countersign_core::time::Timestamp;

use crate::context::Context;
use crate::error::AdminError;
use crate::lookup::{self, Rows};
use crate::rule::{RuleChange, RuleError};
use crate::text::FreeText;
use crate::view::RoleView;
use crate::{cascade, jwt};

mod preview;

pub use self::preview::{ChangeEffect, preview, rule_warnings};

/// A role to be made.
#[derive(Clone, Debug)]
pub struct NewRole {
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: RoleName,
    /// Free text for people.
    pub description: Option<FreeText>,
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
///
/// # Errors
///
/// Returns [`RoleError`] when there is one, when there is no such tenant, or
/// when the store can't be written; nothing changed then.
pub fn create<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    new: NewRole,
) -> Result<Role, RoleError> {
    let mut transaction = store.begin(Intent::Write)?;
    lookup::tenant(&mut Rows::of(&mut transaction), &new.tenant)?;
    if transaction.role(&new.tenant, &new.name)?.is_some() {
        return Err(RoleError::Exists {
            role: new.name,
            tenant: new.tenant,
        });
    }
    let role = Role {
        tenant: new.tenant,
        name: new.name,
        description: new.description.and_then(FreeText::into_filled),
        created_at: context.now,
        rules: Vec::new(),
    };
    transaction.put_role(&role)?;
    commit(
        transaction,
        context,
        "role.create",
        &role,
        (None, Some(&role)),
    )?;
    Ok(role)
}

/// Roles, by tenant and name.
///
/// # Errors
///
/// Returns [`RoleError`] when there is no such tenant or the store can't be
/// read.
pub fn list<S: AdminStore>(
    store: &mut S,
    tenant: Option<&TenantId>,
) -> Result<Vec<Role>, RoleError> {
    let mut transaction = store.begin(Intent::Read)?;
    if let Some(tenant) = tenant {
        lookup::tenant(&mut Rows::of(&mut transaction), tenant)?;
    }
    Ok(transaction.roles(tenant)?)
}

/// The role of this name.
///
/// # Errors
///
/// Returns [`RoleError`] when there is none or the store can't be read.
pub fn show<S: AdminStore>(
    store: &mut S,
    tenant: &TenantId,
    name: &RoleName,
) -> Result<Role, RoleError> {
    find(&mut store.begin(Intent::Read)?, tenant, name)
}

/// Changes the rules of a role, those that are bound to `group` or those that
/// are bound to none, and returns what it is then.
///
/// # Errors
///
/// Returns [`RoleError`] when there is no such role, when the rule is there
/// already or is not there to be removed, when it names the broker's own
/// topics, or when the store can't be written; nothing changed then.
pub fn change_rules<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    tenant: &TenantId,
    name: &RoleName,
    change: &RuleChange,
    group: Option<&GroupPath>,
) -> Result<Role, RoleError> {
    let mut transaction = store.begin(Intent::Write)?;
    let before = find(&mut transaction, tenant, name)?;
    let after = changed(&before, change, group)?;
    transaction.put_role(&after)?;
    let act = match change {
        RuleChange::Add(rule) => match rule.effect() {
            Effect::Allow => "role.allow",
            Effect::Deny => "role.deny",
        },
        RuleChange::Remove { .. } => "role.remove",
    };
    commit(
        transaction,
        context,
        act,
        &after,
        (Some(&before), Some(&after)),
    )?;
    Ok(after)
}

/// Deletes a role.
///
/// # Errors
///
/// Returns [`RoleError`] when there is none, when credentials hold it that may
/// not lose it, or when the store can't be written; nothing changed then.
pub fn delete<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    tenant: &TenantId,
    name: &RoleName,
    deletion: RoleDeletion,
) -> Result<(), RoleError> {
    let mut transaction = store.begin(Intent::Write)?;
    let role = find(&mut transaction, tenant, name)?;
    let holders = count_holders(&mut transaction, &role, context.now)?;
    if holders > 0 && deletion == RoleDeletion::OnlyUnused {
        return Err(RoleError::InUse {
            role: role.name,
            holders,
        });
    }
    // Of a user's session in the tenant nothing else tells that it has to end.
    let users = cascade::users_with_role(&mut Rows::of(&mut transaction), tenant, name)?;
    let subject = subject_of(&role);
    let ended = jwt::end(&mut transaction, Some(tenant), context, &subject, |token| {
        token.role == *name
    })?;
    transaction.delete_role(tenant, name)?;
    let row = context.audit(
        "role.delete",
        &subject,
        Some(&RoleView::of(&role)),
        None::<&RoleView>,
    );
    let (rows, mut changes) = ended.and(row, Change::Tenant(tenant.clone()));
    let users = users.iter().map(|user| Change::Credential(user.id));
    changes.extend(users);
    transaction.commit(&rows, &changes)?;
    Ok(())
}

/// How many credentials and users hold a role, and tokens that have not ended
/// carry it.
fn count_holders<T: AdminTransaction>(
    transaction: &mut T,
    role: &Role,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let mut tokens = transaction.tokens(Some(&role.tenant))?;
    tokens.retain(|token| token.role == role.name);
    // They hold it by their tokens alone, ended ones among them.
    let bearers: BTreeSet<_> = tokens.iter().map(|token| token.bearer).collect();
    let alive = tokens
        .iter()
        .filter(|token| token.revoked_at.is_none() && now < token.expires_at)
        .count();
    let holders = transaction.holders_of_role(&role.tenant, &role.name)?;
    let others = holders.iter().filter(|holder| !bearers.contains(holder));
    Ok(others.count().saturating_add(alive))
}

/// The role of this name, in the midst of an act.
pub(crate) fn find<T: AdminTransaction>(
    transaction: &mut T,
    tenant: &TenantId,
    name: &RoleName,
) -> Result<Role, RoleError> {
    lookup::tenant(&mut Rows::of(transaction), tenant)?;
    let missing = || RoleError::Missing {
        role: name.clone(),
        tenant: tenant.clone(),
    };
    transaction.role(tenant, name)?.ok_or_else(missing)
}

/// Why an act on a role was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RoleError {
    /// There is one of this name.
    #[error("tenant `{tenant}` has a role `{role}` already")]
    Exists {
        /// Its name.
        role: RoleName,
        /// Its tenant.
        tenant: TenantId,
    },
    /// Credentials hold it.
    #[error(
        "role `{role}` is in use, {holders} times; take it from its holders first, or from all at once with --cascade"
    )]
    InUse {
        /// Its name.
        role: RoleName,
        /// How many.
        holders: usize,
    },
    /// There is none of this name.
    #[error("tenant `{tenant}` has no role `{role}`; `role list --tenant {tenant}` shows all")]
    Missing {
        /// The name.
        role: RoleName,
        /// The tenant.
        tenant: TenantId,
    },
    /// Something is wrong with a rule.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// As the commands say.
    #[error(transparent)]
    Admin(#[from] AdminError),
}

/// What the role would be after the change.
fn changed(role: &Role, change: &RuleChange, group: Option<&GroupPath>) -> Result<Role, RuleError> {
    match change {
        RuleChange::Add(_) => change.check_for_tenant()?,
        RuleChange::Remove { .. } => {}
    }
    let mut changed = role.clone();
    change.apply(&mut changed.rules, group)?;
    Ok(changed)
}

/// Commits an act on a role. All its holders are of its tenant.
fn commit<T: AdminTransaction>(
    transaction: T,
    context: &Context<'_>,
    act: &'static str,
    role: &Role,
    (before, after): (Option<&Role>, Option<&Role>),
) -> Result<(), RoleError> {
    let subject = subject_of(role);
    let (before, after) = (before.map(RoleView::of), after.map(RoleView::of));
    let row = context.audit(act, &subject, before.as_ref(), after.as_ref());
    transaction.commit(&[row], &[Change::Tenant(role.tenant.clone())])?;
    Ok(())
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
    use crate::credential::{self, CredentialChanges};
    use crate::fixture::{
        Fixture, adding, application_name, login_name, removing, role_name, tenant_id,
    };

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
        fixture
            .act(|store, context| credential::set(store, context, &name, changes))
            .unwrap();
    }

    #[test]
    fn a_role_is_its_tenants_alone() {
        let mut fixture = with_role();
        assert!(matches!(fixture.role("ops"), Err(RoleError::Exists { .. })));
        fixture.tenant("other", &[]).unwrap();
        let other = tenant_id("other");
        let shown = show(&mut fixture.store, &other, &role_name("ops"));
        assert!(matches!(shown, Err(RoleError::Missing { .. })));
        let none = tenant_id("none");
        let shown = show(&mut fixture.store, &none, &role_name("ops"));
        assert!(matches!(shown, Err(RoleError::Admin(_))));
        assert_eq!(list(&mut fixture.store, None).unwrap().len(), 1);
        assert!(list(&mut fixture.store, Some(&other)).unwrap().is_empty());
        assert!(list(&mut fixture.store, Some(&none)).is_err());
    }

    #[test]
    fn rules_of_a_group_are_told_from_those_of_all() {
        let mut fixture = with_role();
        let group = GroupPath::parse("DM").unwrap();
        let (tenant, name) = (tenant_id("acme"), role_name("ops"));
        for group in [None, Some(&group)] {
            fixture
                .act(|store, context| {
                    change_rules(
                        store,
                        context,
                        &tenant,
                        &name,
                        &adding("allow both a"),
                        group,
                    )
                })
                .unwrap();
        }
        let role = fixture.change_role("ops", &removing("both a")).unwrap();
        assert_eq!(role.rules.len(), 1);
        assert_eq!(role.rules[0].group.as_ref(), Some(&group));
        assert!(matches!(
            fixture.change_role("ops", &removing("both a")),
            Err(RoleError::Rule(RuleError::Missing { .. }))
        ));
        assert!(matches!(
            fixture.change_role("ops", &adding("allow both $SYS/#")),
            Err(RoleError::Rule(RuleError::Reserved { .. }))
        ));
    }

    #[test]
    fn a_role_in_use_is_deleted_only_with_its_grants() {
        let mut fixture = with_role();
        grant(&mut fixture, "ops");
        let (tenant, name) = (tenant_id("acme"), role_name("ops"));
        let mut remove = |deletion| {
            fixture.act(|store, context| delete(store, context, &tenant, &name, deletion))
        };
        assert!(matches!(
            remove(RoleDeletion::OnlyUnused),
            Err(RoleError::InUse { holders: 1, .. })
        ));
        remove(RoleDeletion::WithGrants).unwrap();
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
        fixture
            .act(|store, context| jwt::revoke(store, context, &revoked.id))
            .unwrap();
        let new = NewApplication {
            name: application_name("fleet"),
            tenant: tenant_id("acme"),
            roles: vec![role_name("ops")],
            about: Application::default(),
        };
        fixture.run(&CreateApplication(new)).unwrap();
        let (tenant, name) = (tenant_id("acme"), role_name("ops"));
        let refused = fixture
            .act(|store, context| delete(store, context, &tenant, &name, RoleDeletion::OnlyUnused));
        assert!(matches!(refused, Err(RoleError::InUse { holders: 3, .. })));
        let before = fixture.store.last_change().unwrap();
        fixture
            .act(|store, context| delete(store, context, &tenant, &name, RoleDeletion::WithGrants))
            .unwrap();
        let changes = fixture.changes_after(before);
        assert_eq!(
            changes,
            [
                Change::Tenant(tenant.clone()),
                Change::Credential(token.bearer),
                Change::Credential(joe)
            ]
        );
        let shown = crate::user::show(&mut fixture.store, &login_name("joe@mail.test")).unwrap();
        assert!(matches!(shown.user.kind, Kind::User(user) if user.grants.is_empty()));
    }

    #[test]
    fn every_act_tells_the_gates_which_tenant_changed() {
        let mut fixture = with_role();
        let before = fixture.store.last_change().unwrap();
        fixture.change_role("ops", &adding("allow both a")).unwrap();
        fixture.change_role("ops", &removing("both a")).unwrap();
        let (tenant, name) = (tenant_id("acme"), role_name("ops"));
        fixture
            .act(|store, context| delete(store, context, &tenant, &name, RoleDeletion::OnlyUnused))
            .unwrap();
        let changes = fixture.changes_after(before);
        assert_eq!(changes, vec![Change::Tenant(tenant); 3]);
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
