//! Acts on tenants.

use countersign_core::change::Change;
use countersign_core::client_id::ClientId;
use countersign_core::lockout::LockoutPolicy;
use countersign_core::name::TenantId;
use countersign_core::rule::Namespaces;
use countersign_core::store::{AdminStore, AdminTransaction, Intent, StoreError};
use countersign_core::tenant::{Authentication, DefaultRights, SubscribeMode, Tenant};
use countersign_core::topic::TopicFilter;

use crate::context::Context;
use crate::namespace::{NamespaceError, NamespaceOverlap, default_namespace, find_overlap};
use crate::scheme_overlap::{self, SchemeOverlap};
use crate::view::TenantView;

mod delete;

pub use self::delete::{Belongings, TenantDeletion, delete};

/// A tenant to be made.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// Its id.
    pub id: TenantId,
    /// The topics it owns; if there are none, everything below its id.
    pub namespaces: Vec<TopicFilter>,
    /// What it asks of clients that connect.
    pub authentication: Authentication,
    /// How it judges SUBSCRIBE.
    pub subscribe: SubscribeMode,
    /// How all of its client ids begin.
    pub client_id_prefix: Option<ClientId>,
    /// When its users are locked out, if other than the settings say.
    pub lockout: Option<LockoutPolicy>,
    /// What its credentials may do if no rule says so.
    pub default_rights: DefaultRights,
}

impl NewTenant {
    /// A tenant that owns everything below its id and asks for a login from
    /// everybody.
    #[must_use]
    pub fn new(id: TenantId) -> Self {
        Self {
            id,
            namespaces: Vec::new(),
            authentication: Authentication::Required,
            subscribe: SubscribeMode::Strict,
            client_id_prefix: None,
            lockout: None,
            default_rights: DefaultRights::Namespaces,
        }
    }
}

/// What to change of a tenant; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct TenantChanges {
    /// What it asks of clients that connect.
    pub authentication: Option<Authentication>,
    /// How it judges SUBSCRIBE.
    pub subscribe: Option<SubscribeMode>,
    /// Topics it owns from now on.
    pub add_namespaces: Vec<TopicFilter>,
    /// Topics it no longer owns.
    pub remove_namespaces: Vec<TopicFilter>,
    /// How its client ids begin from now on; `Some(None)` is anyhow.
    pub client_id_prefix: Option<Option<ClientId>>,
    /// When its users are locked out from now on; `Some(None)` is as the
    /// settings say.
    pub lockout: Option<Option<LockoutPolicy>>,
    /// What its credentials may do from now on if no rule says so.
    pub default_rights: Option<DefaultRights>,
}

impl TenantChanges {
    /// Says whether nothing is to be changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.authentication.is_none()
            && self.subscribe.is_none()
            && self.add_namespaces.is_empty()
            && self.remove_namespaces.is_empty()
            && self.client_id_prefix.is_none()
            && self.lockout.is_none()
            && self.default_rights.is_none()
    }
}

/// Makes a tenant.
///
/// # Errors
///
/// Returns [`TenantError`] when there is one, when it would own what another
/// owns, or when the store can't be written; nothing changed then.
pub fn create<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    new: NewTenant,
) -> Result<Tenant, TenantError> {
    let mut transaction = store.begin(Intent::Write)?;
    if transaction.tenant(&new.id)?.is_some() {
        return Err(TenantError::Exists { tenant: new.id });
    }
    let mut namespaces = Vec::new();
    add_namespaces(&new.id, &mut namespaces, new.namespaces)?;
    if namespaces.is_empty() {
        namespaces.push(default_namespace(&new.id)?);
    }
    let tenant = Tenant {
        id: new.id,
        authentication: new.authentication,
        subscribe: new.subscribe,
        client_id_prefix: new.client_id_prefix,
        lockout: new.lockout,
        default_rights: new.default_rights,
        namespaces: Namespaces::new(namespaces).map_err(NamespaceError::from)?,
        created_at: context.now,
    };
    check_wall(&mut transaction, &tenant)?;
    let before = None::<&TenantView>;
    put(transaction, context, "tenant.create", before, &tenant)?;
    Ok(tenant)
}

/// All tenants, by id.
///
/// # Errors
///
/// Returns [`StoreError`] when the store can't be read.
pub fn list<S: AdminStore>(store: &mut S) -> Result<Vec<Tenant>, StoreError> {
    store.begin(Intent::Read)?.tenants()
}

/// The tenant with this id.
///
/// # Errors
///
/// Returns [`TenantError`] when there is none or the store can't be read.
pub fn show<S: AdminStore>(store: &mut S, id: &TenantId) -> Result<Tenant, TenantError> {
    find(&mut store.begin(Intent::Read)?, id)
}

/// Changes a tenant and returns what it is then.
///
/// Namespaces are removed before others are added. At least one must be left:
/// without any, nobody in the tenant could use a topic, and what is meant is
/// to suspend its credentials or to delete it.
///
/// # Errors
///
/// Returns [`TenantError`] when there is no such tenant, when it would own
/// what another owns, or when the store can't be written; nothing changed
/// then.
pub fn set<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    id: &TenantId,
    changes: TenantChanges,
) -> Result<Tenant, TenantError> {
    let mut transaction = store.begin(Intent::Write)?;
    let mut tenant = find(&mut transaction, id)?;
    let before = TenantView::of(&tenant);
    if let Some(authentication) = changes.authentication {
        tenant.authentication = authentication;
    }
    if let Some(subscribe) = changes.subscribe {
        tenant.subscribe = subscribe;
    }
    if let Some(prefix) = changes.client_id_prefix {
        tenant.client_id_prefix = prefix;
    }
    if let Some(lockout) = changes.lockout {
        tenant.lockout = lockout;
    }
    if let Some(rights) = changes.default_rights {
        tenant.default_rights = rights;
    }
    let mut namespaces = tenant.namespaces.iter().cloned().collect();
    remove_namespaces(id, &mut namespaces, &changes.remove_namespaces)?;
    add_namespaces(id, &mut namespaces, changes.add_namespaces)?;
    if namespaces.is_empty() {
        return Err(TenantError::NoNamespace { tenant: tenant.id });
    }
    tenant.namespaces = Namespaces::new(namespaces).map_err(NamespaceError::from)?;
    check_wall(&mut transaction, &tenant)?;
    put(transaction, context, "tenant.set", Some(&before), &tenant)?;
    Ok(tenant)
}

/// The tenant with this id, in the midst of an act.
pub(crate) fn find<T: AdminTransaction>(
    transaction: &mut T,
    id: &TenantId,
) -> Result<Tenant, TenantError> {
    let missing = || TenantError::Missing { tenant: id.clone() };
    transaction.tenant(id)?.ok_or_else(missing)
}

/// Why an act on a tenant was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TenantError {
    /// There is one with this id.
    #[error("tenant `{tenant}` exists already")]
    Exists {
        /// Its id.
        tenant: TenantId,
    },
    /// It would own a namespace twice.
    #[error("tenant `{tenant}` owns namespace `{namespace}` already")]
    HasNamespace {
        /// Its id.
        tenant: TenantId,
        /// The namespace.
        namespace: TopicFilter,
    },
    /// It does not own the namespace that was to be removed.
    #[error(
        "tenant `{tenant}` does not own namespace `{namespace}`; `tenant show {tenant}` lists what it owns"
    )]
    LacksNamespace {
        /// Its id.
        tenant: TenantId,
        /// The namespace.
        namespace: TopicFilter,
    },
    /// There is none with this id.
    #[error("there is no tenant `{tenant}`; `tenant list` shows all")]
    Missing {
        /// The id.
        tenant: TenantId,
    },
    /// Its default namespace can't be made.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// It would own nothing.
    #[error("tenant `{tenant}` must keep a namespace; add another one with the same command")]
    NoNamespace {
        /// Its id.
        tenant: TenantId,
    },
    /// Something belongs to it.
    #[error("tenant `{tenant}` has {belongings}; delete them first, or all at once with --cascade")]
    NotEmpty {
        /// Its id.
        tenant: TenantId,
        /// What.
        belongings: Belongings,
    },
    /// It would own what another owns.
    #[error(transparent)]
    NamespaceOverlap(#[from] NamespaceOverlap),
    /// Its client ids would begin as another's do.
    #[error(
        "client-id prefix `{wanted}` and `{taken}` of tenant `{owner}` begin the same; neither may begin with the other"
    )]
    PrefixTaken {
        /// What was asked for.
        wanted: ClientId,
        /// What is in its way.
        taken: ClientId,
        /// Whose that is.
        owner: TenantId,
    },
    /// It would own what another's credentials could reach.
    #[error(transparent)]
    SchemeOverlap(#[from] SchemeOverlap),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn put<T: AdminTransaction>(
    mut transaction: T,
    context: &Context<'_>,
    act: &'static str,
    before: Option<&TenantView>,
    tenant: &Tenant,
) -> Result<(), StoreError> {
    transaction.put_tenant(tenant)?;
    let after = TenantView::of(tenant);
    let row = context.audit(act, tenant.id.as_str(), before, Some(&after));
    transaction.commit(&[row], &[Change::Tenant(tenant.id.clone())])
}

fn add_namespaces(
    tenant: &TenantId,
    namespaces: &mut Vec<TopicFilter>,
    added: Vec<TopicFilter>,
) -> Result<(), TenantError> {
    for namespace in added {
        if namespaces.contains(&namespace) {
            return Err(TenantError::HasNamespace {
                tenant: tenant.clone(),
                namespace,
            });
        }
        namespaces.push(namespace);
    }
    Ok(())
}

fn remove_namespaces(
    tenant: &TenantId,
    namespaces: &mut Vec<TopicFilter>,
    removed: &[TopicFilter],
) -> Result<(), TenantError> {
    for namespace in removed {
        let Some(place) = namespaces.iter().position(|owned| owned == namespace) else {
            return Err(TenantError::LacksNamespace {
                tenant: tenant.clone(),
                namespace: namespace.clone(),
            });
        };
        namespaces.remove(place);
    }
    Ok(())
}

/// Checks that `tenant` shares neither topics nor client ids with another.
fn check_wall<T: AdminTransaction>(
    transaction: &mut T,
    tenant: &Tenant,
) -> Result<(), TenantError> {
    let tenants = transaction.tenants()?;
    if let Some(overlap) = find_overlap(tenant, &tenants) {
        return Err(overlap.into());
    }
    if let Some(reach) = scheme_overlap::find_for_namespaces(transaction, tenant)? {
        return Err(reach.into());
    }
    let Some(wanted) = &tenant.client_id_prefix else {
        return Ok(());
    };
    for other in tenants.iter().filter(|other| other.id != tenant.id) {
        if let Some(taken) = &other.client_id_prefix
            && begin_the_same(wanted, taken)
        {
            return Err(TenantError::PrefixTaken {
                wanted: wanted.clone(),
                taken: taken.clone(),
                owner: other.id.clone(),
            });
        }
    }
    Ok(())
}

/// Says whether some client id begins with both prefixes.
pub(crate) fn begin_the_same(one: &ClientId, other: &ClientId) -> bool {
    let (one, other) = (one.as_str(), other.as_str());
    one.starts_with(other) || other.starts_with(one)
}

#[cfg(test)]
mod tests {
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

    fn prefixed(fixture: &mut Fixture, id: &str, prefix: &str) -> Result<Tenant, TenantError> {
        let new = NewTenant {
            client_id_prefix: ClientId::parse(prefix).ok(),
            ..new_tenant(id, &[])
        };
        fixture.act(|store, context| create(store, context, new))
    }

    fn change(fixture: &mut Fixture, changes: TenantChanges) -> Result<Tenant, TenantError> {
        fixture.act(|store, context| set(store, context, &tenant_id("acme"), changes))
    }

    #[test]
    fn a_new_tenant_owns_what_lies_below_its_id_and_requires_a_login() {
        let mut fixture = Fixture::new();
        let tenant = fixture.tenant("acme", &[]).unwrap();
        assert_eq!(namespaces(&tenant), ["acme/#"]);
        assert_eq!(tenant.authentication, Authentication::Required);
        assert_eq!(show(&mut fixture.store, &tenant.id).unwrap(), tenant);
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
                matches!(error, TenantError::NamespaceOverlap(_)),
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
                matches!(
                    prefixed(&mut fixture, "other", prefix),
                    Err(TenantError::PrefixTaken { .. })
                ),
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
        assert!(
            matches!(error, TenantError::LacksNamespace { .. }),
            "{error}"
        );
        let emptied = TenantChanges {
            remove_namespaces: filters(&["plant/#"]),
            ..TenantChanges::default()
        };
        let error = change(&mut fixture, emptied).unwrap_err();
        assert!(matches!(error, TenantError::NoNamespace { .. }), "{error}");
        let doubled = TenantChanges {
            add_namespaces: filters(&["plant/#"]),
            ..TenantChanges::default()
        };
        let error = change(&mut fixture, doubled).unwrap_err();
        assert!(matches!(error, TenantError::HasNamespace { .. }), "{error}");
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
        assert_eq!(show(&mut fixture.store, &expected.id).unwrap(), expected);
    }

    #[test]
    fn an_absent_tenant_is_named() {
        let mut fixture = Fixture::new();
        let error = show(&mut fixture.store, &tenant_id("none")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no tenant `none`; `tenant list` shows all"
        );
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
                let other = tenant_id("other");
                let removed = fixture.act(|store, context| {
                    delete(
                        store,
                        context,
                        &other,
                        TenantDeletion::OnlyEmpty,
                        &mut |_, _| (),
                    )
                });
                removed.unwrap();
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
        let error = fixture
            .act(|store, context| set(store, context, &tenant_id("zoo"), changes))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "scheme `vwire` grants `vwire/${username}/+/#`, by which credentials of tenant `acme` \
             could reach namespace `vwire/VW-ABC123/x` of tenant `zoo`; a topic has one owner"
        );
    }
}
