//! Overlaps between the default rules of schemes and the namespaces of tenants.
//!
//! A scheme's default rules reach topics that no tenant owns. So no tenant may
//! own a topic that the scheme of another tenant's credentials could reach,
//! whichever of the two comes first.

use countersign_core::name::TenantId;
use countersign_core::rule::Pattern;
use countersign_core::scheme::{Scheme, SchemeName, SchemeUsers};
use countersign_core::store::{AdminTransaction, StoreError};
use countersign_core::tenant::Tenant;
use countersign_core::topic::TopicFilter;

/// Finds what keeps `tenant` from making its first credential of a scheme.
pub(crate) fn find_for_scheme<T: AdminTransaction>(
    transaction: &mut T,
    scheme: &Scheme,
    tenant: &TenantId,
) -> Result<Option<SchemeOverlap>, StoreError> {
    if transaction.schemes_used_by(tenant)?.contains(scheme.name()) {
        return Ok(None);
    }
    let tenants = transaction.tenants()?;
    let others = tenants.iter().filter(|other| other.id != *tenant);
    Ok(others
        .flat_map(|other| other.namespaces.iter().map(|owned| (&other.id, owned)))
        .find_map(|(owner, namespace)| {
            let pattern = scheme.pattern_reaching(namespace, SchemeUsers::Of(tenant))?;
            Some(SchemeOverlap::new(
                scheme, pattern, tenant, namespace, owner,
            ))
        }))
}

/// Finds what keeps `tenant` from owning its namespaces: a scheme that another
/// tenant uses.
pub(crate) fn find_for_namespaces<T: AdminTransaction>(
    transaction: &mut T,
    tenant: &Tenant,
) -> Result<Option<SchemeOverlap>, StoreError> {
    for scheme in transaction.schemes()?.iter() {
        let any_other = SchemeUsers::AllBut(&tenant.id);
        let is_in_reach = tenant
            .namespaces
            .iter()
            .any(|owned| scheme.pattern_reaching(owned, any_other).is_some());
        // Most schemes stay far away, so hardly ever has anybody to be asked.
        if !is_in_reach {
            continue;
        }
        for user in transaction.tenants_using_scheme(scheme.name())? {
            if user == tenant.id {
                continue;
            }
            let reached = tenant.namespaces.iter().find_map(|owned| {
                let pattern = scheme.pattern_reaching(owned, SchemeUsers::Of(&user))?;
                Some(SchemeOverlap::new(
                    scheme, pattern, &user, owned, &tenant.id,
                ))
            });
            if reached.is_some() {
                return Ok(reached);
            }
        }
    }
    Ok(None)
}

/// Credentials of one tenant could reach what another owns, by the rules that
/// their scheme gives them.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "scheme `{scheme}` grants `{pattern}`, by which credentials of tenant `{user}` could reach \
     namespace `{namespace}` of tenant `{owner}`; a topic has one owner"
)]
pub struct SchemeOverlap {
    /// The scheme.
    pub scheme: SchemeName,
    /// The rule of it that reaches so far.
    pub pattern: Pattern,
    /// Whose credentials these are.
    pub user: TenantId,
    /// What they could reach.
    pub namespace: TopicFilter,
    /// Whose that is.
    pub owner: TenantId,
}

impl SchemeOverlap {
    fn new(
        scheme: &Scheme,
        pattern: &Pattern,
        user: &TenantId,
        namespace: &TopicFilter,
        owner: &TenantId,
    ) -> Self {
        Self {
            scheme: scheme.name().clone(),
            pattern: pattern.clone(),
            user: user.clone(),
            namespace: namespace.clone(),
            owner: owner.clone(),
        }
    }
}
