//! Acts on tenants.

use countersign_core::change::Change;
use countersign_core::client_id::ClientId;
use countersign_core::name::TenantId;
use countersign_core::rule::Namespaces;
use countersign_core::store::{AdminStore, AdminTransaction, Intent, StoreError};
use countersign_core::tenant::{Authentication, SubscribeMode, Tenant};
use countersign_core::topic::TopicFilter;
use serde::Serialize;

use crate::context::Context;
use crate::namespace::{NamespaceError, Overlap, default_namespace, find_overlap};
use crate::view::TenantView;

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
}

/// What may go when a tenant is deleted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deletion {
    /// The tenant, if nothing belongs to it.
    OnlyEmpty,
    /// The tenant and all that belongs to it.
    WithEverything,
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
        namespaces: Namespaces::new(namespaces).map_err(NamespaceError::from)?,
        created_at: context.now,
    };
    check_wall(&tenant, &transaction.tenants()?)?;
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
    let mut namespaces = tenant.namespaces.iter().cloned().collect();
    remove_namespaces(id, &mut namespaces, &changes.remove_namespaces)?;
    add_namespaces(id, &mut namespaces, changes.add_namespaces)?;
    if namespaces.is_empty() {
        return Err(TenantError::NoNamespace { tenant: tenant.id });
    }
    tenant.namespaces = Namespaces::new(namespaces).map_err(NamespaceError::from)?;
    check_wall(&tenant, &transaction.tenants()?)?;
    put(transaction, context, "tenant.set", Some(&before), &tenant)?;
    Ok(tenant)
}

/// Deletes a tenant.
///
/// # Errors
///
/// Returns [`TenantError`] when there is no such tenant, when it has
/// credentials that may not go with it, or when the store can't be written;
/// nothing changed then.
pub fn delete<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    id: &TenantId,
    deletion: Deletion,
) -> Result<(), TenantError> {
    let mut transaction = store.begin(Intent::Write)?;
    let tenant = find(&mut transaction, id)?;
    let credentials = transaction.count_credentials(id)?;
    if credentials > 0 && deletion == Deletion::OnlyEmpty {
        return Err(TenantError::NotEmpty {
            tenant: tenant.id,
            credentials,
        });
    }
    transaction.delete_tenant(id)?;
    let before = DeletedTenant {
        tenant: TenantView::of(&tenant),
        credentials,
    };
    let row = context.audit("tenant.delete", id.as_str(), Some(&before), None::<&TenantView>);
    let mut changes = vec![Change::Tenant(tenant.id)];
    if credentials > 0 {
        // One entry instead of one for each of perhaps a million.
        changes.push(Change::Everything);
    }
    transaction.commit(&[row], &changes)?;
    Ok(())
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
    #[error("tenant `{tenant}` does not own namespace `{namespace}`; `tenant show {tenant}` lists what it owns")]
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
    /// Credentials belong to it.
    #[error("tenant `{tenant}` has {credentials} credentials; delete them first, or all at once with --cascade")]
    NotEmpty {
        /// Its id.
        tenant: TenantId,
        /// How many.
        credentials: u64,
    },
    /// It would own what another owns.
    #[error(transparent)]
    Overlap(#[from] Overlap),
    /// Its client ids would begin as another's do.
    #[error("client-id prefix `{wanted}` and `{taken}` of tenant `{owner}` begin the same; neither may begin with the other")]
    PrefixTaken {
        /// What was asked for.
        wanted: ClientId,
        /// What is in its way.
        taken: ClientId,
        /// Whose that is.
        owner: TenantId,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the audit keeps of a tenant that is gone.
#[derive(Serialize)]
struct DeletedTenant {
    #[serde(flatten)]
    tenant: TenantView,
    credentials: u64,
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
fn check_wall(tenant: &Tenant, tenants: &[Tenant]) -> Result<(), TenantError> {
    if let Some(overlap) = find_overlap(tenant, tenants) {
        return Err(overlap.into());
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
