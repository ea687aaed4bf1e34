//! The tenant that an import goes to: found as it is, or made.

use countersign_admin::import::{ImportedTenant, LookUpTenant};
use countersign_admin::tenant::{CreateTenant, NewTenant, SetTenant, TenantChanges};
use countersign_admin::{Context, run};
use countersign_core::store::AdminStore;
use countersign_core::tenant::{Authentication, DefaultRights, SubscribeMode};
use countersign_core::topic::TopicFilter;

use super::desired::DesiredTenant;
use super::options::TenantOptions;
use super::step::Step;
use crate::import_error::ImportError;

/// Looks up what an import has to know of its tenant.
pub(crate) fn look_up<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    options: &TenantOptions,
) -> Result<ImportedTenant, ImportError> {
    let TenantOptions { id, namespaces, .. } = options;
    let found = run(store, context, &LookUpTenant(id.clone()))?;
    match &found.tenant {
        Some(tenant) => {
            let owned = |filter: &&TopicFilter| !tenant.namespaces.owns_all_of(*filter);
            if let Some(missing) = namespaces.iter().find(owned) {
                return Err(ImportError::Refused(format!(
                    "tenant `{id}` does not own `{missing}`, and an import changes no tenant that \
                     exists; `tenant set {id} --add-namespace` does"
                )));
            }
        }
        None if namespaces.is_empty() && !found.others.is_empty() => {
            return Err(ImportError::Refused(format!(
                "the store has other tenants; say with --namespace which topics tenant `{id}` owns"
            )));
        }
        None => {}
    }
    Ok(found)
}

/// The topics that the tenant owns, or is to own.
pub(super) fn namespaces(options: &TenantOptions, found: &ImportedTenant) -> Vec<TopicFilter> {
    match &found.tenant {
        Some(tenant) => tenant.namespaces.iter().cloned().collect(),
        None if options.namespaces.is_empty() => TopicFilter::parse("#").into_iter().collect(),
        None => options.namespaces.clone(),
    }
}

/// The step that makes the tenant, where there is none.
pub(crate) fn making(
    options: &TenantOptions,
    found: &ImportedTenant,
    wanted: DesiredTenant,
    sys_read: bool,
) -> Option<Step> {
    if found.tenant.is_some() {
        return None;
    }
    let create = CreateTenant(NewTenant {
        namespaces: namespaces(options, found),
        authentication: if wanted.admits_anonymous {
            Authentication::Optional
        } else {
            Authentication::Required
        },
        subscribe: if wanted.accepts_every_subscribe {
            SubscribeMode::Filtered
        } else {
            SubscribeMode::Strict
        },
        // What the source does not allow is not allowed here either.
        default_rights: DefaultRights::Nothing,
        ..NewTenant::new(options.id.clone())
    });
    let changes = TenantChanges {
        sys_read: sys_read.then_some(true),
        ..TenantChanges::default()
    };
    let id = options.id.clone();
    let set = SetTenant { id, changes };
    Some(Step::Tenant(Box::new(create), Box::new(set)))
}
