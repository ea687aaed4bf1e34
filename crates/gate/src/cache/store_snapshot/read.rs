//! Reading a store's settings, schemes and tenants, those that are damaged among
//! them.

use std::sync::Arc;

use countersign_core::access::{self, topic_owners};
use countersign_core::number_map::NumberMap;
use countersign_core::store::{DamagedTenant, GateStore, StoreError, StoredSchemes, StoredTenants};

use super::StoreSnapshot;
use crate::cache::anonymous_rights::AnonymousRights;
use crate::cache::complaints::Complaints;
use crate::cache::verdict_cache::VerdictCache;

impl StoreSnapshot {
    /// Reads all of it. Settings that can't be read stay what they were
    /// `before`.
    ///
    /// # Errors
    ///
    /// Returns the store's error when it can't be read.
    pub(crate) fn read<S: GateStore>(
        store: &mut S,
        before: Option<&Self>,
    ) -> Result<Self, StoreError> {
        // The numbers first: what changes meanwhile is read again later.
        let mark = store.mark()?;
        let seq = store.log_position()?.last_policy_change;
        let mut complaints = Vec::new();
        let settings = match (store.settings(), before) {
            (Err(error), Some(before)) if error.is_of_one_record() => {
                complaints.push(format!("the settings stay as they were: {error}"));
                before.settings
            }
            (settings, _) => settings?,
        };
        let schemes = store.schemes()?;
        for (name, error) in &schemes.damaged {
            complaints.push(format!("refusing credentials of scheme `{name}`: {error}"));
        }
        let mut stored = store.tenants()?;
        let damaged = core::mem::take(&mut stored.damaged).into_iter();
        stored.damaged = damaged
            .map(|tenant| owning_what_it_did(tenant, before))
            .collect();
        for tenant in &stored.damaged {
            let error = &tenant.error;
            complaints.push(format!(
                "refusing all of tenant `{}`: {error}",
                tenant.name()
            ));
        }
        let owners = topic_owners(&stored, &schemes, |scheme| store.users_of_scheme(scheme))?;
        let verdict_cache = VerdictCache::new(owners);
        let StoredSchemes {
            readable: schemes,
            damaged: damaged_schemes,
        } = schemes;
        let StoredTenants {
            readable: tenants,
            damaged,
        } = stored;
        let default_rights = tenants
            .iter()
            .map(|tenant| {
                let rights = access::default_rights(Arc::clone(tenant));
                (tenant.id.clone(), Arc::new(rights))
            })
            .collect();
        let mut anonymous = NumberMap::default();
        for tenant in &tenants {
            let rights = match AnonymousRights::read(tenant, store) {
                Ok(rights) => rights,
                Err(error) if error.is_of_one_record() => {
                    complaints.push(format!(
                        "clients of tenant `{}` without a login may do nothing: {error}",
                        tenant.id
                    ));
                    AnonymousRights::none()
                }
                Err(error) => return Err(error),
            };
            anonymous.insert(tenant.id.clone(), rights);
        }
        let prefixes = tenants
            .iter()
            .map(|it| (&it.client_id_prefix, Some(&it.id)));
        let of_damaged = damaged
            .iter()
            .map(|it| (&it.client_id_prefix, it.id.as_ref()));
        let prefixes = prefixes
            .chain(of_damaged)
            .filter_map(|(prefix, id)| Some((prefix.clone()?, id.cloned())))
            .collect();
        let damaged = damaged.into_iter();
        let damaged = damaged
            .filter_map(|it| Some((it.id.clone()?, it)))
            .collect();
        Ok(Self {
            schemes,
            verdict_cache,
            settings,
            tenants: tenants.into_iter().map(|it| (it.id.clone(), it)).collect(),
            default_rights,
            anonymous,
            damaged,
            damaged_schemes,
            complaints: Complaints::new(complaints, before.map(|it| &it.complaints)),
            prefixes,
            mark,
            seq,
        })
    }
}

/// A damaged tenant with all that it owned before, so that nobody else gets
/// what can't be read any more.
fn owning_what_it_did(mut tenant: DamagedTenant, before: Option<&StoreSnapshot>) -> DamagedTenant {
    let Some(before) = before else {
        return tenant;
    };
    let Some(id) = &tenant.id else {
        return tenant;
    };
    let known = before.tenants.get(id);
    let damaged = before.damaged.get(id);
    if let Some(known) = known {
        tenant.namespaces = known.namespaces.clone();
        tenant.has_all_namespaces = true;
        tenant.client_id_prefix.clone_from(&known.client_id_prefix);
    } else if let Some(damaged) = damaged {
        tenant.namespaces = damaged.namespaces.clone();
        tenant.has_all_namespaces = damaged.has_all_namespaces;
        tenant
            .client_id_prefix
            .clone_from(&damaged.client_id_prefix);
    }
    tenant
}
