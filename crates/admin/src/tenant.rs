//! Acts on tenants.

use countersign_core::change::Change;
use countersign_core::client_id::ClientId;
use countersign_core::name::TenantId;
use countersign_core::rule::Namespaces;
use countersign_core::store::{Intent, Listed, Page, all_rows};
use countersign_core::tenant::{DefaultRights, Tenant};
use countersign_core::topic::TopicFilter;

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::kept_name;
use crate::namespace::{NamespaceError, check_namespaces, default_namespace};
use crate::taking::{Plan, Taken};
use crate::view::TenantView;
use crate::{lookup, scheme_overlap};

mod changes;
mod delete;
mod find;
mod rights;

pub use self::changes::{NewTenant, RoleChanges, TenantChanges};
pub use self::delete::{
    Belongings, ClearTenant, DeleteTenant, TenantDeletion, TenantDeletionSteps, delete,
};
pub use self::find::FindTenant;
pub use self::rights::{DeviceRights, ReadTenantRights, TenantRights};

/// Makes a tenant. From the tenant that owns `#` it takes what it owns only if
/// it may.
#[derive(Clone, Debug)]
pub struct CreateTenant(pub NewTenant);

impl Plan for CreateTenant {
    fn plan(&self, tx: &mut Tx<'_>) -> Result<Option<Taken>, AdminError> {
        Ok(self.outcome(tx)?.taken)
    }
}

impl CreateTenant {
    fn outcome(&self, tx: &mut Tx<'_>) -> Result<Outcome, AdminError> {
        let new = &self.0;
        if tx.tenant(&new.id)?.is_some() {
            let message = format!("tenant `{}` exists already", new.id);
            return Err(refused(ErrorKind::Exists, &new.id, message));
        }
        kept_name::check_tenant_free(tx, &new.id)?;
        let mut namespaces = Vec::new();
        add_namespaces(&new.id, &mut namespaces, &new.namespaces)?;
        if namespaces.is_empty() {
            namespaces.push(default_namespace(&new.id)?);
        }
        let namespaces = Namespaces::new(namespaces).map_err(NamespaceError::from)?;
        let tenant = Tenant {
            authentication: new.authentication,
            subscribe: new.subscribe,
            client_id_prefix: new.client_id_prefix.clone(),
            lockout: new.lockout,
            default_rights: new.default_rights,
            anonymous_rights: new.default_rights,
            ..Tenant::new(new.id.clone(), namespaces, tx.now)
        };
        Outcome::of(tx, None, tenant)
    }
}

impl Command for CreateTenant {
    type Output = Tenant;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Tenant, AdminError> {
        self.outcome(tx)?.put(tx, "tenant.create")
    }
}

/// Lists tenants, by id.
#[derive(Clone, Debug, Default)]
pub struct ListTenants(pub Page<TenantId>);

impl Command for ListTenants {
    type Output = Listed<Tenant>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Any
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Listed<Tenant>, AdminError> {
        let (authority, now) = (tx.caller.authority, tx.now);
        let Some(seen) = authority.seen_tenants(tx, now)? else {
            return Ok(tx.tenants(&self.0)?);
        };
        let page = &self.0;
        let sought = usize::try_from(page.sought()).unwrap_or(usize::MAX);
        let later = seen.iter().filter(|id| Some(*id) > page.after.as_ref());
        let mut rows = Vec::new();
        for id in later.take(sought) {
            rows.extend(tx.tenant(id)?);
        }
        Ok(page.listed(rows))
    }
}

/// Shows the tenant with this id.
#[derive(Clone, Debug)]
pub struct ShowTenant(pub TenantId);

impl Command for ShowTenant {
    type Output = Tenant;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::See(self.0.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Tenant, AdminError> {
        lookup::tenant(tx, &self.0)
    }
}

/// Changes a tenant; what it is then is the output.
///
/// Namespaces are removed before others are added. At least one must be left:
/// without any, nothing in the tenant could use a topic, and what is meant is
/// to suspend its credentials or to delete it.
#[derive(Clone, Debug)]
pub struct SetTenant {
    /// Its id.
    pub id: TenantId,
    /// What to change.
    pub changes: TenantChanges,
}

impl Command for SetTenant {
    type Output = Tenant;

    /// An administrator of the tenant may change what it asks of clients, and
    /// nothing else.
    fn needs(&self) -> Permission {
        let others = TenantChanges {
            authentication: None,
            ..self.changes.clone()
        };
        if others.is_empty() {
            Permission::Administer(self.id.clone())
        } else {
            Permission::Platform
        }
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Tenant, AdminError> {
        self.outcome(tx)?.put(tx, "tenant.set")
    }
}

impl Plan for SetTenant {
    fn plan(&self, tx: &mut Tx<'_>) -> Result<Option<Taken>, AdminError> {
        Ok(self.outcome(tx)?.taken)
    }
}

impl SetTenant {
    fn outcome(&self, tx: &mut Tx<'_>) -> Result<Outcome, AdminError> {
        let (id, changes) = (&self.id, &self.changes);
        let mut tenant = lookup::tenant(tx, id)?;
        let before = tenant.clone();
        if let Some(authentication) = changes.authentication {
            tenant.authentication = authentication;
        }
        if let Some(subscribe) = changes.subscribe {
            tenant.subscribe = subscribe;
        }
        if let Some(prefix) = &changes.client_id_prefix {
            tenant.client_id_prefix.clone_from(prefix);
        }
        if let Some(lockout) = changes.lockout {
            tenant.lockout = lockout;
        }
        if let Some(rights) = changes.default_rights {
            tenant.default_rights = rights;
        }
        changes
            .default_roles
            .apply(tx, id, &mut tenant.default_roles)?;
        let had_none = tenant.anonymous_roles.is_empty();
        changes
            .anonymous_roles
            .apply(tx, id, &mut tenant.anonymous_roles)?;
        if had_none && !tenant.anonymous_roles.is_empty() {
            // A role says what they may do, so all else is taken away.
            tenant.anonymous_rights = DefaultRights::Nothing;
        }
        if let Some(rights) = changes.anonymous_rights {
            tenant.anonymous_rights = rights;
        }
        if let Some(sys_read) = changes.sys_read {
            tenant.sys_read = sys_read;
        }
        if let Some(prefix) = &changes.name_prefix {
            tenant.name_prefix.clone_from(prefix);
        }
        let mut namespaces = tenant.namespaces.iter().cloned().collect();
        remove_namespaces(id, &mut namespaces, &changes.remove_namespaces)?;
        add_namespaces(id, &mut namespaces, &changes.add_namespaces)?;
        if namespaces.is_empty() {
            let message = format!(
                "tenant `{id}` must keep a namespace; add another one with the same command"
            );
            return Err(refused(ErrorKind::Conflict, id, message));
        }
        tenant.namespaces = Namespaces::new(namespaces).map_err(NamespaceError::from)?;
        Outcome::of(tx, Some(before), tenant)
    }
}

/// What becomes of a tenant by an act.
struct Outcome {
    before: Option<Tenant>,
    after: Tenant,
    /// What it takes from the tenant that owns `#`.
    taken: Option<Taken>,
}

impl Outcome {
    /// Makes sure that the tenant shares neither topics nor client ids with
    /// another.
    fn of(tx: &mut Tx<'_>, before: Option<Tenant>, after: Tenant) -> Result<Self, AdminError> {
        let tenants = all_rows(|page| tx.tenants(page))?;
        check_namespaces(&after, &tenants)?;
        scheme_overlap::check_namespaces(tx, &after)?;
        check_prefix(&after, &tenants)?;
        let owned = before.as_ref().map(|tenant| tenant.namespaces.clone());
        let owned: Vec<_> = owned.iter().flat_map(Namespaces::named).collect();
        let named = after.namespaces.named().cloned();
        let added = named.filter(|namespace| !owned.contains(&namespace));
        let taken = Taken::of(tenants, &after.id, added.collect());
        Ok(Self {
            before,
            after,
            taken,
        })
    }

    /// Writes the tenant.
    fn put(self, tx: &mut Tx<'_>, act: &'static str) -> Result<Tenant, AdminError> {
        if let Some(taken) = self.taken {
            taken.take(tx)?;
        }
        let tenant = self.after;
        tx.put_tenant(&tenant)?;
        let before = self.before.as_ref().map(TenantView::of);
        let after = TenantView::of(&tenant);
        tx.record(act, tenant.id.as_str(), before.as_ref(), Some(&after));
        tx.changed(Change::Tenant(tenant.id.clone()));
        Ok(tenant)
    }
}

fn add_namespaces(
    tenant: &TenantId,
    namespaces: &mut Vec<TopicFilter>,
    added: &[TopicFilter],
) -> Result<(), AdminError> {
    for namespace in added {
        if namespaces.contains(namespace) {
            return Err(AdminError::new(
                ErrorKind::Exists,
                Subject::in_tenant(Noun::Namespace, namespace, tenant),
                format!("tenant `{tenant}` owns namespace `{namespace}` already"),
            ));
        }
        namespaces.push(namespace.clone());
    }
    Ok(())
}

fn remove_namespaces(
    tenant: &TenantId,
    namespaces: &mut Vec<TopicFilter>,
    removed: &[TopicFilter],
) -> Result<(), AdminError> {
    for namespace in removed {
        let Some(place) = namespaces.iter().position(|owned| owned == namespace) else {
            return Err(AdminError::new(
                ErrorKind::NotFound,
                Subject::in_tenant(Noun::Namespace, namespace, tenant),
                format!("tenant `{tenant}` does not own namespace `{namespace}`"),
            ));
        };
        namespaces.remove(place);
    }
    Ok(())
}

/// Checks that no other tenant's client ids begin as those of `tenant` do.
fn check_prefix(tenant: &Tenant, tenants: &[Tenant]) -> Result<(), AdminError> {
    let Some(wanted) = &tenant.client_id_prefix else {
        return Ok(());
    };
    for other in tenants.iter().filter(|other| other.id != tenant.id) {
        if let Some(taken) = &other.client_id_prefix
            && begin_the_same(wanted, taken)
        {
            let message = format!(
                "client-id prefix `{wanted}` and `{taken}` of tenant `{}` begin the same; neither \
                 may begin with the other",
                other.id
            );
            return Err(refused(ErrorKind::Conflict, &tenant.id, message));
        }
    }
    Ok(())
}

fn refused(kind: ErrorKind, tenant: &TenantId, message: String) -> AdminError {
    AdminError::new(kind, Subject::new(Noun::Tenant, tenant), message)
}

/// Says whether some client id begins with both prefixes.
pub(crate) fn begin_the_same(one: &ClientId, other: &ClientId) -> bool {
    let (one, other) = (one.as_str(), other.as_str());
    one.starts_with(other) || other.starts_with(one)
}

#[cfg(test)]
mod tests {
    use countersign_core::lockout::LockoutPolicy;
    use countersign_core::tenant::Authentication;

    use super::*;
    use crate::fixture::{Fixture, new_tenant, tenant_id};
    use crate::namespace::parse_namespace;

    fn filters(texts: &[&str]) -> Vec<TopicFilter> {
        texts
            .iter()
            .map(|text| parse_namespace(text).unwrap())
            .collect()
    }

    fn namespaces(tenant: &Tenant) -> Vec<&str> {
        tenant.namespaces.iter().map(TopicFilter::as_str).collect()
    }

    fn prefixed(fixture: &mut Fixture, id: &str, prefix: &str) -> Result<Tenant, AdminError> {
        let new = NewTenant {
            client_id_prefix: ClientId::parse(prefix).ok(),
            ..new_tenant(id, &[])
        };
        fixture.run(&CreateTenant(new))
    }

    fn change(fixture: &mut Fixture, changes: TenantChanges) -> Result<Tenant, AdminError> {
        let id = tenant_id("acme");
        fixture.run(&SetTenant { id, changes })
    }

    #[test]
    fn a_new_tenant_owns_what_lies_below_its_id_and_requires_a_login() {
        let mut fixture = Fixture::new();
        let tenant = fixture.tenant("acme", &[]).unwrap();
        assert_eq!(namespaces(&tenant), ["acme/#"]);
        assert_eq!(tenant.authentication, Authentication::Required);
        assert_eq!(fixture.run(&ShowTenant(tenant.id.clone())).unwrap(), tenant);
        assert_eq!(fixture.acts(), ["tenant.create acme"]);
    }

    #[test]
    fn a_tenant_is_made_once() {
        let mut fixture = Fixture::new();
        fixture.tenant("acme", &[]).unwrap();
        let error = fixture.tenant("acme", &["x/#"]).unwrap_err();
        assert_eq!(error.to_string(), "tenant `acme` exists already");
        assert_eq!(fixture.acts().len(), 1);
    }

    #[test]
    fn no_topic_has_two_owners() {
        let mut fixture = Fixture::new();
        fixture.tenant("acme", &["plant/a/#", "kp1/+/x"]).unwrap();
        for other in [
            "plant/#",
            "plant/a",
            "plant/a/b/c",
            "plant/+/b",
            "kp1/app/#",
            "kp1/app/x",
        ] {
            let error = fixture.tenant("other", &[other]).unwrap_err();
            assert!(
                error.is(ErrorKind::Conflict, Noun::Namespace),
                "{other}: {error}"
            );
        }
        fixture
            .tenant("other", &["plant/b/#", "kp1/app/y"])
            .unwrap();
        let changes = TenantChanges {
            add_namespaces: filters(&["plant/+/c"]),
            ..TenantChanges::default()
        };
        let error = change(&mut fixture, changes).unwrap_err();
        assert_eq!(
            error.to_string(),
            "namespace `plant/+/c` overlaps `plant/b/#` of tenant `other`; a topic has one owner"
        );
        assert_eq!(fixture.acts().len(), 2);
    }

    #[test]
    fn no_client_id_begins_as_two_tenants_do() {
        let mut fixture = Fixture::new();
        prefixed(&mut fixture, "acme", "ac-").unwrap();
        for prefix in ["ac-", "ac", "ac-x", "a"] {
            assert!(
                prefixed(&mut fixture, "other", prefix)
                    .is_err_and(|error| error.is(ErrorKind::Conflict, Noun::Tenant)),
                "{prefix}"
            );
        }
        prefixed(&mut fixture, "other", "ac_").unwrap();
        let freed = TenantChanges {
            client_id_prefix: Some(None),
            ..TenantChanges::default()
        };
        assert_eq!(change(&mut fixture, freed).unwrap().client_id_prefix, None);
        prefixed(&mut fixture, "third", "ac-").unwrap();
    }

    #[test]
    fn namespaces_are_removed_before_others_are_added_and_one_is_left() {
        let mut fixture = Fixture::new();
        fixture.tenant("acme", &[]).unwrap();
        let moved = TenantChanges {
            add_namespaces: filters(&["plant/#"]),
            remove_namespaces: filters(&["acme/#"]),
            ..TenantChanges::default()
        };
        assert_eq!(
            namespaces(&change(&mut fixture, moved.clone()).unwrap()),
            ["plant/#"]
        );
        let error = change(&mut fixture, moved).unwrap_err();
        assert!(error.is(ErrorKind::NotFound, Noun::Namespace), "{error}");
        let emptied = TenantChanges {
            remove_namespaces: filters(&["plant/#"]),
            ..TenantChanges::default()
        };
        let error = change(&mut fixture, emptied).unwrap_err();
        assert!(error.is(ErrorKind::Conflict, Noun::Tenant), "{error}");
        let doubled = TenantChanges {
            add_namespaces: filters(&["plant/#"]),
            ..TenantChanges::default()
        };
        let error = change(&mut fixture, doubled).unwrap_err();
        assert!(error.is(ErrorKind::Exists, Noun::Namespace), "{error}");
        assert_eq!(fixture.acts().len(), 2);
    }

    #[test]
    fn a_change_leaves_alone_what_it_does_not_name() {
        let mut fixture = Fixture::new();
        let before = prefixed(&mut fixture, "acme", "ac-").unwrap();
        let changes = TenantChanges {
            authentication: Some(Authentication::Off),
            ..TenantChanges::default()
        };
        let after = change(&mut fixture, changes).unwrap();
        let expected = Tenant {
            authentication: Authentication::Off,
            ..before
        };
        assert_eq!(after, expected);
        assert_eq!(
            fixture.run(&ShowTenant(expected.id.clone())).unwrap(),
            expected
        );
    }

    #[test]
    fn an_absent_tenant_is_named() {
        let mut fixture = Fixture::new();
        let error = fixture.run(&ShowTenant(tenant_id("none"))).unwrap_err();
        assert_eq!(error.to_string(), "there is no tenant `none`");
    }

    #[test]
    fn a_lockout_policy_is_set_and_taken_away() {
        let mut fixture = Fixture::new();
        fixture.tenant("acme", &[]).unwrap();
        let policy = LockoutPolicy::parse("failures=3,step=1m,longest=1h").ok();
        for lockout in [policy, None] {
            let changes = TenantChanges {
                lockout: Some(lockout),
                ..TenantChanges::default()
            };
            assert!(!changes.is_empty());
            assert_eq!(change(&mut fixture, changes).unwrap().lockout, lockout);
        }
    }

    #[test]
    fn nobody_owns_what_the_scheme_of_another_tenant_reaches() {
        let mut fixture = Fixture::new();
        fixture.tenant("acme", &[]).unwrap();
        fixture
            .tenant("zoo", &["vwire/acme/#", "vwire/zoo/#"])
            .unwrap();
        fixture.of_scheme("vwire", None).unwrap();
        fixture.of_scheme("impact", Some("one")).unwrap();
        for (namespace, is_taken) in [
            ("vwire/x", true),
            ("vwire/#", false),
            ("vwire/VW-ABC123/#", false),
            ("us/+", false),
            ("us", true),
            ("0123456789ab/x", false),
            ("0123456789a/x", true),
        ] {
            let tenant = fixture.tenant("other", &[namespace]);
            assert_eq!(tenant.is_ok(), is_taken, "{namespace}");
            if is_taken {
                fixture
                    .delete_tenant("other", TenantDeletion::OnlyEmpty)
                    .unwrap();
            }
        }
        // What its own credentials reach, a tenant may own.
        let own = TenantChanges {
            add_namespaces: filters(&["us/#"]),
            ..TenantChanges::default()
        };
        change(&mut fixture, own).unwrap();
        let changes = TenantChanges {
            add_namespaces: filters(&["vwire/VW-ABC123/x"]),
            ..TenantChanges::default()
        };
        let id = tenant_id("zoo");
        let error = fixture.run(&SetTenant { id, changes }).unwrap_err();
        assert_eq!(
            error.to_string(),
            "scheme `vwire` grants `vwire/${username}/+/#`, by which credentials of tenant `acme` \
             could reach namespace `vwire/VW-ABC123/x` of tenant `zoo`; a topic has one owner"
        );
    }
}
