//! Overlaps between the default rules of schemes and the namespaces of tenants.
//!
//! A scheme's default rules reach topics that no tenant owns. So no tenant may
//! own a topic that the scheme of another tenant's credentials could reach,
//! whichever of the two comes first.

use countersign_core::name::TenantId;
use countersign_core::scheme::{Scheme, SchemeUsers};
use countersign_core::store::all_rows;
use countersign_core::tenant::Tenant;

use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::Rows;

/// Checks that a tenant may make its first credential of a scheme.
pub(crate) fn check_scheme(
    rows: &mut Rows<'_>,
    scheme: &Scheme,
    tenant: &TenantId,
) -> Result<(), AdminError> {
    if rows.schemes_used_by(tenant)?.contains(scheme.name()) {
        return Ok(());
    }
    let tenants = all_rows(|page| rows.tenants(page))?;
    for owner in tenants.iter().filter(|other| other.id != *tenant) {
        check(scheme, tenant, owner)?;
    }
    Ok(())
}

/// Checks that a tenant may own its namespaces: no scheme that another tenant
/// uses reaches them.
pub(crate) fn check_namespaces(rows: &mut Rows<'_>, tenant: &Tenant) -> Result<(), AdminError> {
    for scheme in rows.schemes()?.iter() {
        let any_other = SchemeUsers::AllBut(&tenant.id);
        let is_in_reach = tenant
            .namespaces
            .iter()
            .any(|owned| scheme.pattern_reaching(owned, any_other).is_some());
        // Most schemes stay far away, so hardly ever has the store to be asked.
        if !is_in_reach {
            continue;
        }
        for user in rows.tenants_using_scheme(scheme.name())? {
            if user != tenant.id {
                check(scheme, &user, tenant)?;
            }
        }
    }
    Ok(())
}

/// Checks that credentials of `user` could not reach what `owner` owns, by the
/// rules that their scheme gives them.
fn check(scheme: &Scheme, user: &TenantId, owner: &Tenant) -> Result<(), AdminError> {
    for namespace in owner.namespaces.iter() {
        if let Some(pattern) = scheme.pattern_reaching(namespace, SchemeUsers::Of(user)) {
            return Err(AdminError::new(
                ErrorKind::Conflict,
                Subject::new(Noun::Scheme, scheme.name()),
                format!(
                    "scheme `{}` grants `{pattern}`, by which credentials of tenant `{user}` could \
                     reach namespace `{namespace}` of tenant `{}`; a topic has one owner",
                    scheme.name(),
                    owner.id
                ),
            ));
        }
    }
    Ok(())
}
