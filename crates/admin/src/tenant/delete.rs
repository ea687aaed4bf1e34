//! Deleting a tenant, and what belongs to it.

use core::fmt;

use countersign_core::audit::AuditEntry;
use countersign_core::change::Change;
use countersign_core::credential::Credential;
use countersign_core::name::TenantId;
use countersign_core::store::{AdminStore, Intent, Keyed, Listed, Page, StoreError, each_row};
use countersign_core::time::Timestamp;
use countersign_core::token::TokenRecord;
use serde::Serialize;

use crate::caller::Permission;
use crate::command::{Command, Tx, run};
use crate::context::Context;
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::{self, Rows};
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
/// Returns [`AdminError`] when there is no such tenant or when it has
/// belongings that may not go with it, and nothing changed then; and when the
/// store can't be written.
pub fn delete<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    deletion: &DeleteTenant,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), AdminError> {
    let mut steps = TenantDeletionSteps::of(deletion.clone());
    while let Some((done, total)) = steps.next(store, context)? {
        progress(done, total);
    }
    Ok(())
}

/// [`delete`], a step at a time, for those who have something else to do in between.
#[derive(Clone, Debug)]
pub struct TenantDeletionSteps {
    deletion: DeleteTenant,
    /// How many there were at the beginning, once that is known.
    total: Option<usize>,
    done: usize,
}

impl TenantDeletionSteps {
    /// The steps of a deletion.
    #[must_use]
    pub fn of(deletion: DeleteTenant) -> Self {
        Self {
            deletion,
            total: None,
            done: 0,
        }
    }

    /// Takes the next step; says how many are gone, of how many, and nothing once the
    /// tenant is.
    ///
    /// # Errors
    ///
    /// As [`delete`].
    pub fn next<S: AdminStore>(
        &mut self,
        store: &mut S,
        context: &mut Context<'_>,
    ) -> Result<Option<(u64, u64)>, AdminError> {
        let total = match self.total {
            Some(total) => total,
            // Counting takes its time, too, so not in the way of those who write.
            None => {
                let belongings = run(store, context, &CountBelongings(self.deletion.clone()))?;
                *self.total.insert(belongings.principals())
            }
        };
        if total.saturating_sub(self.done) > AT_ONCE {
            let cleared = run(store, context, &ClearTenant(self.deletion.id.clone()))?;
            if cleared > 0 {
                self.done = self.done.saturating_add(cleared);
                let as_u64 = |count| u64::try_from(count).unwrap_or(u64::MAX);
                return Ok(Some((as_u64(self.done), as_u64(total))));
            }
        }
        run(store, context, &self.deletion)?;
        Ok(None)
    }
}

/// Deletes a tenant with what belongs to it, in one transaction. [`delete`] does
/// it in several where much belongs to it.
#[derive(Clone, Debug)]
pub struct DeleteTenant {
    /// Its id.
    pub id: TenantId,
    /// What may go with it.
    pub deletion: TenantDeletion,
}

impl Command for DeleteTenant {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let id = &self.id;
        let tenant = lookup::tenant(tx, id)?;
        let now = tx.now;
        let belongings = Belongings::count(tx, id, now)?;
        belongings.may_go(id, self.deletion)?;
        tx.delete_tenant(id)?;
        let before = DeletedTenant {
            tenant: TenantView::of(&tenant),
            belongings,
        };
        tx.record("tenant.delete", id.as_str(), Some(&before), None);
        tx.changed(Change::Tenant(tenant.id));
        if !belongings.are_none() {
            // One entry instead of one for each of perhaps a million.
            tx.changed(Change::Everything);
        }
        Ok(())
    }
}

/// Counts what belongs to a tenant that is about to be deleted.
struct CountBelongings(DeleteTenant);

impl Command for CountBelongings {
    type Output = Belongings;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        self.0.needs()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Belongings, AdminError> {
        let DeleteTenant { id, deletion } = &self.0;
        lookup::tenant(tx, id)?;
        let now = tx.now;
        let belongings = Belongings::count(tx, id, now)?;
        belongings.may_go(id, *deletion)?;
        Ok(belongings)
    }
}

/// Deletes a few credentials of a tenant; how many is the output.
#[derive(Clone, Debug)]
pub struct ClearTenant(pub TenantId);

impl Command for ClearTenant {
    type Output = usize;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<usize, AdminError> {
        let id = &self.0;
        lookup::tenant(tx, id)?;
        let deleted = tx.delete_some_credentials(id, AT_ONCE)?;
        if !deleted.is_empty() {
            let none = None::<&TenantView>;
            let entry = AuditEntry {
                count: i64::try_from(deleted.len()).unwrap_or(i64::MAX),
                ..tx.entry("tenant.clear", id.as_str(), none, none)
            };
            tx.record_entry(entry);
        }
        for id in &deleted {
            tx.changed(Change::Credential(*id));
        }
        Ok(deleted.len())
    }
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
    fn count(rows: &mut Rows<'_>, id: &TenantId, now: Timestamp) -> Result<Self, StoreError> {
        let of_all_kinds = rows.count_credentials(id)?;
        let applications = count(|page| rows.applications(Some(id), page), |_| true)?;
        let things = count(|page| rows.things(Some(id), None, page), |_| true)?;
        let is_granted = |user: &Credential| {
            let user = user.kind.user();
            user.is_some_and(|user| user.grant_in(id).is_some())
        };
        let is_alive = |token: &TokenRecord| token.revoked_at.is_none() && now < token.expires_at;
        Ok(Self {
            credentials: usize::try_from(of_all_kinds)
                .unwrap_or(usize::MAX)
                .saturating_sub(applications)
                .saturating_sub(things),
            applications,
            things,
            tokens: count(|page| rows.tokens(Some(id), page), is_alive)?,
            roles: count(|page| rows.roles(Some(id), page), |_| true)?,
            grants: count(|page| rows.users(page), is_granted)?,
        })
    }

    /// Refuses if there is anything and it may not go with its tenant.
    fn may_go(self, tenant: &TenantId, deletion: TenantDeletion) -> Result<(), AdminError> {
        if self.are_none() || deletion == TenantDeletion::WithEverything {
            return Ok(());
        }
        let message = format!("tenant `{tenant}` has {self}");
        let subject = Subject::new(Noun::Tenant, tenant);
        Err(AdminError::new(ErrorKind::InUse, subject, message))
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

/// How many rows of a listing count.
fn count<T: Keyed>(
    list: impl FnMut(&Page<T::Key>) -> Result<Listed<T>, StoreError>,
    counts: impl Fn(&T) -> bool,
) -> Result<usize, StoreError> {
    let mut count: usize = 0;
    each_row(list, |row| {
        count = count.saturating_add(usize::from(counts(&row)));
        Ok(())
    })?;
    Ok(count)
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
    use countersign_core::kind::Kind;
    use countersign_core::ledger::LedgerTransaction as _;
    use countersign_core::store::{AdminTransaction as _, Directory as _, GateStore as _};

    use super::*;
    use crate::fixture::{Fixture, JANE, login_name, tenant_id};
    use crate::tenant::ShowTenant;

    #[test]
    fn a_tenant_with_credentials_is_not_deleted_by_mistake() {
        let mut fixture = Fixture::with_credential();
        let acme = tenant_id("acme");
        let error = fixture
            .delete_tenant("acme", TenantDeletion::OnlyEmpty)
            .unwrap_err();
        assert_eq!(error.to_string(), "tenant `acme` has 1 credentials");
        let last = fixture.store.last_change().unwrap();
        fixture
            .delete_tenant("acme", TenantDeletion::WithEverything)
            .unwrap();
        let changes = fixture.store.changes_after(last, 10).unwrap();
        assert!(
            changes
                .iter()
                .any(|(_, change)| *change == Change::Everything),
            "{changes:?}"
        );
        let error = fixture.run(&ShowTenant(acme)).unwrap_err();
        assert!(error.is(ErrorKind::NotFound, Noun::Tenant));
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
                let deletion = DeleteTenant {
                    id: acme,
                    deletion: TenantDeletion::WithEverything,
                };
                delete(store, context, &deletion, &mut progress)
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
                Change::Ban(_)
                | Change::Everything
                | Change::Group(..)
                | Change::IssuerKeys(_)
                | Change::KickRequested(_)
                | Change::Tenant(_) => None,
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
        let mut remove = |deletion| fixture.delete_tenant("acme", deletion);
        assert_eq!(
            remove(TenantDeletion::OnlyEmpty).unwrap_err().to_string(),
            "tenant `acme` has 1 roles"
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
        let mut remove = |deletion| fixture.delete_tenant("acme", deletion);
        assert_eq!(
            remove(TenantDeletion::OnlyEmpty).unwrap_err().to_string(),
            "tenant `acme` has 1 credentials, 1 applications, 2 things, 1 tokens, 1 roles and 1 \
             users"
        );
        remove(TenantDeletion::WithEverything).unwrap();
        let jane = fixture
            .run(&crate::user::ShowUser(login_name(JANE)))
            .unwrap();
        assert!(matches!(jane.user.kind, Kind::User(user) if user.grants.is_empty()));
    }
}
