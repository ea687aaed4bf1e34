//! Deleting a tenant, and what belongs to it.

use core::fmt;

use countersign_core::audit::AuditEntry;
use countersign_core::change::Change;
use countersign_core::credential::Credential;
use countersign_core::kind::Kind;
use countersign_core::name::TenantId;
use countersign_core::store::{AdminStore, AdminTransaction, Intent, StoreError};
use countersign_core::time::Timestamp;
use countersign_core::token::TokenRecord;
use serde::Serialize;

use super::{TenantError, find};
use crate::context::Context;
use crate::view::TenantView;

/// What may go when a tenant is deleted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TenantDeletion {
    /// The tenant, if nothing belongs to it.
    OnlyEmpty,
    /// The tenant and all that belongs to it.
    WithEverything,
}

/// Deletes a tenant.
///
/// One that has many credentials loses them a few at a time before, for what
/// writes longer holds up logins; `progress` hears how many are gone, of how
/// many. If that is cut short, the tenant is still there, with those that are
/// left, and may be deleted again.
///
/// # Errors
///
/// Returns [`TenantError`] when there is no such tenant or when it has
/// belongings that may not go with it, and nothing changed then; and when the
/// store can't be written.
pub fn delete<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    id: &TenantId,
    deletion: TenantDeletion,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), TenantError> {
    // Counting takes its time, too, so not in the way of those who write.
    let mut transaction = store.begin(Intent::Read)?;
    find(&mut transaction, id)?;
    let belongings = Belongings::count(&mut transaction, id, context.now)?;
    drop(transaction);
    belongings.may_go(id, deletion)?;
    clear(store, context, id, &belongings, progress)?;
    let mut transaction = store.begin(Intent::Write)?;
    let tenant = find(&mut transaction, id)?;
    Belongings::count(&mut transaction, id, context.now)?.may_go(id, deletion)?;
    transaction.delete_tenant(id)?;
    let before = DeletedTenant {
        tenant: TenantView::of(&tenant),
        belongings,
    };
    let row = context.audit(
        "tenant.delete",
        id.as_str(),
        Some(&before),
        None::<&TenantView>,
    );
    let mut changes = vec![Change::Tenant(tenant.id)];
    if !belongings.are_none() {
        // One entry instead of one for each of perhaps a million.
        changes.push(Change::Everything);
    }
    transaction.commit(&[row], &changes)?;
    Ok(())
}

/// Deletes credentials of a tenant, until few are left.
fn clear<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    id: &TenantId,
    belongings: &Belongings,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), TenantError> {
    let total = belongings.principals();
    let mut done = 0_usize;
    while total.saturating_sub(done) > AT_ONCE {
        let mut transaction = store.begin(Intent::Write)?;
        find(&mut transaction, id)?;
        let deleted = transaction.delete_some_credentials(id, AT_ONCE)?;
        if deleted.is_empty() {
            break;
        }
        let row = AuditEntry {
            count: i64::try_from(deleted.len()).unwrap_or(i64::MAX),
            ..context.audit(
                "tenant.clear",
                id.as_str(),
                None::<&TenantView>,
                None::<&TenantView>,
            )
        };
        let changes: Vec<_> = deleted.iter().copied().map(Change::Credential).collect();
        transaction.commit(&[row], &changes)?;
        done = done.saturating_add(deleted.len());
        let as_u64 = |count| u64::try_from(count).unwrap_or(u64::MAX);
        progress(as_u64(done), as_u64(total));
    }
    Ok(())
}

/// What belongs to a tenant, besides the keys of its tokens.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Belongings {
    /// Credentials of devices and services.
    credentials: usize,
    /// Applications.
    applications: usize,
    /// Things.
    things: usize,
    /// Tokens that still are good for something.
    tokens: usize,
    /// Roles.
    roles: usize,
    /// What users are granted.
    grants: usize,
}

impl Belongings {
    fn count<T: AdminTransaction>(
        transaction: &mut T,
        id: &TenantId,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let of_all_kinds = transaction.count_credentials(id)?;
        let applications = transaction.applications(Some(id))?.len();
        let things = transaction.things(Some(id), None)?.len();
        let users = transaction.users()?;
        let is_granted = |user: &&Credential| match &user.kind {
            Kind::User(user) => user.grant_in(id).is_some(),
            Kind::Application(_) | Kind::Bearer | Kind::Device | Kind::Thing(_) => false,
        };
        let tokens = transaction.tokens(Some(id))?;
        let is_alive = |token: &&TokenRecord| token.revoked_at.is_none() && now < token.expires_at;
        Ok(Self {
            credentials: usize::try_from(of_all_kinds)
                .unwrap_or(usize::MAX)
                .saturating_sub(applications)
                .saturating_sub(things),
            applications,
            things,
            tokens: tokens.iter().filter(is_alive).count(),
            roles: transaction.roles(Some(id))?.len(),
            grants: users.iter().filter(is_granted).count(),
        })
    }

    /// Refuses if there is anything and it may not go with its tenant.
    fn may_go(self, tenant: &TenantId, deletion: TenantDeletion) -> Result<(), TenantError> {
        if self.are_none() || deletion == TenantDeletion::WithEverything {
            return Ok(());
        }
        Err(TenantError::NotEmpty {
            tenant: tenant.clone(),
            belongings: self,
        })
    }

    /// How many can log in by themselves.
    fn principals(&self) -> usize {
        self.credentials
            .saturating_add(self.applications)
            .saturating_add(self.things)
    }

    fn are_none(&self) -> bool {
        self.named().all(|(count, _)| count == 0)
    }

    fn named(&self) -> impl Iterator<Item = (usize, &'static str)> {
        [
            (self.credentials, "credentials"),
            (self.applications, "applications"),
            (self.things, "things"),
            (self.tokens, "tokens"),
            (self.roles, "roles"),
            (self.grants, "users"),
        ]
        .into_iter()
    }
}

impl fmt::Display for Belongings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let there: Vec<_> = self
            .named()
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| format!("{count} {name}"))
            .collect();
        match there.split_last() {
            Some((last, [])) => f.write_str(last),
            Some((last, others)) => write!(f, "{} and {last}", others.join(", ")),
            None => f.write_str("nothing"),
        }
    }
}

/// What the audit keeps of a tenant that is gone.
#[derive(Serialize)]
struct DeletedTenant {
    #[serde(flatten)]
    tenant: TenantView,
    #[serde(flatten)]
    belongings: Belongings,
}

/// So many credentials are deleted in one transaction, which takes a few
/// milliseconds.
const AT_ONCE: usize = 50;

#[cfg(test)]
mod tests {
    use countersign_core::kind::Application;
    use countersign_core::store::{Directory as _, GateStore as _};

    use super::*;
    use crate::fixture::{Fixture, JANE, login_name, tenant_id};
    use crate::tenant::show;

    #[test]
    fn a_tenant_with_credentials_is_not_deleted_by_mistake() {
        let mut fixture = Fixture::with_credential();
        let acme = tenant_id("acme");
        let error = fixture
            .act(|store, context| {
                delete(
                    store,
                    context,
                    &acme,
                    TenantDeletion::OnlyEmpty,
                    &mut |_, _| (),
                )
            })
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "tenant `acme` has 1 credentials; delete them first, or all at once with --cascade"
        );
        let last = fixture.store.last_change().unwrap();
        fixture
            .act(|store, context| {
                delete(
                    store,
                    context,
                    &acme,
                    TenantDeletion::WithEverything,
                    &mut |_, _| (),
                )
            })
            .unwrap();
        let changes = fixture.store.changes_after(last, 10).unwrap();
        assert!(
            changes
                .iter()
                .any(|(_, change)| *change == Change::Everything),
            "{changes:?}"
        );
        assert!(matches!(
            show(&mut fixture.store, &acme),
            Err(TenantError::Missing { .. })
        ));
        assert_eq!(fixture.acts().last().unwrap(), "tenant.delete acme");
    }

    #[test]
    fn a_tenant_with_many_credentials_goes_in_small_steps_that_are_all_told() {
        let mut fixture = Fixture::with_credential();
        let acme = tenant_id("acme");
        let dev1 = login_name("dev1@acme");
        let template = Credential::clone(&fixture.store.credential(&dev1).unwrap().unwrap());
        let mut transaction = fixture.store.begin(Intent::Write).unwrap();
        for number in 0..AT_ONCE * 2 {
            let credential = Credential {
                name: login_name(&format!("more{number}@acme")),
                ..template.clone()
            };
            transaction.add_credential(&credential).unwrap();
        }
        transaction.commit(&[], &[]).unwrap();
        let last = fixture.store.last_change().unwrap();

        let mut shown = Vec::new();
        fixture
            .act(|store, context| {
                let mut progress = |done, total| shown.push((done, total));
                delete(
                    store,
                    context,
                    &acme,
                    TenantDeletion::WithEverything,
                    &mut progress,
                )
            })
            .unwrap();
        assert_eq!(shown, [(50, 101), (100, 101)]);
        let acts = fixture.acts();
        assert_eq!(
            acts[acts.len() - 3..],
            [
                "tenant.clear acme",
                "tenant.clear acme",
                "tenant.delete acme"
            ]
        );
        let changes = fixture.store.changes_after(last, 1_000).unwrap();
        let told: std::collections::BTreeSet<_> = changes
            .iter()
            .filter_map(|(_, change)| match change {
                Change::Credential(id) => Some(*id),
                Change::Everything | Change::KickRequested(_) | Change::Tenant(_) => None,
            })
            .collect();
        assert_eq!(told.len(), 100);
        assert_eq!(changes.last().unwrap().1, Change::Everything);
        assert!(fixture.store.credential(&dev1).unwrap().is_none());
    }

    #[test]
    fn a_tenant_with_roles_is_not_empty() {
        let mut fixture = Fixture::new();
        fixture.tenant("acme", &[]).unwrap();
        fixture.role("ops").unwrap();
        let mut remove = |deletion| {
            fixture.act(|store, context| {
                delete(store, context, &tenant_id("acme"), deletion, &mut |_, _| ())
            })
        };
        assert_eq!(
            remove(TenantDeletion::OnlyEmpty).unwrap_err().to_string(),
            "tenant `acme` has 1 roles; delete them first, or all at once with --cascade"
        );
        remove(TenantDeletion::WithEverything).unwrap();
    }

    #[test]
    fn what_keeps_a_tenant_from_deletion_is_told_kind_by_kind() {
        let mut fixture = Fixture::with_admin();
        fixture.application("fleet", Application::default());
        fixture.thing("pump", "fleet").unwrap();
        fixture.thing("valve", "fleet").unwrap();
        fixture.token(&[]).unwrap();
        let mut remove = |deletion| {
            fixture.act(|store, context| {
                delete(store, context, &tenant_id("acme"), deletion, &mut |_, _| ())
            })
        };
        assert_eq!(
            remove(TenantDeletion::OnlyEmpty).unwrap_err().to_string(),
            "tenant `acme` has 1 credentials, 1 applications, 2 things, 1 tokens, 1 roles and 1 \
             users; delete them first, or all at once with --cascade"
        );
        remove(TenantDeletion::WithEverything).unwrap();
        let jane = crate::user::show(&mut fixture.store, &login_name(JANE)).unwrap();
        assert!(matches!(jane.user.kind, Kind::User(user) if user.grants.is_empty()));
    }
}
