//! Overlaps between the default rules of schemes and the namespaces of tenants.
//!
//! A scheme's default rules reach topics that no tenant owns. So no tenant may
//! own a topic that the scheme of another tenant's credentials could reach,
//! whichever of the two comes first.

use std::collections::BTreeMap;

use countersign_core::change::Change;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::rule::Pattern;
use countersign_core::scheme::{Scheme, SchemeName, SchemeUsers, TOKEN};
use countersign_core::store::all_rows;
use countersign_core::tenant::Tenant;
use countersign_core::topic::TopicFilter;

use crate::caller::Permission;
use crate::command::Tx;
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::Rows;
use crate::taking::{Taken, rest_owner};

/// Has a tenant use a scheme, if it does not yet: checks that it may, and takes
/// what the scheme reaches from the tenant that owns `#`, if it may.
pub(crate) fn begin_use(
    tx: &mut Tx<'_>,
    scheme: &Scheme,
    tenant: &TenantId,
) -> Result<(), AdminError> {
    check_use(tx, scheme, tenant)?.begin(tx, scheme, tenant)
}

/// Checks that a tenant may use a scheme, and take what that reaches.
pub(crate) fn check_use(
    tx: &mut Tx<'_>,
    scheme: &Scheme,
    tenant: &TenantId,
) -> Result<SchemeUse, AdminError> {
    if tx.schemes_used_by(tenant)?.contains(scheme.name()) {
        return Ok(SchemeUse::Known);
    }
    let taken = plan_use(tx, scheme, tenant)?;
    if let Some(taken) = &taken {
        taken.check(tx)?;
    }
    Ok(SchemeUse::First(taken.map(Box::new)))
}

/// Whether a tenant uses a scheme.
pub(crate) enum SchemeUse {
    /// It does not yet, and takes this once it does.
    First(Option<Box<Taken>>),
    /// It does.
    Known,
}

impl SchemeUse {
    /// Has the tenant use the scheme.
    pub(crate) fn begin(
        self,
        tx: &mut Tx<'_>,
        scheme: &Scheme,
        tenant: &TenantId,
    ) -> Result<(), AdminError> {
        match self {
            Self::First(Some(taken)) => taken.take(tx),
            Self::First(None) => tell_of_rest(tx, scheme, tenant),
            Self::Known => Ok(()),
        }
    }
}

/// What a tenant takes from the tenant that owns `#` by its first credential of
/// a scheme, if it may make one.
pub(crate) fn plan_use(
    tx: &mut Tx<'_>,
    scheme: &Scheme,
    tenant: &TenantId,
) -> Result<Option<Taken>, AdminError> {
    if tx.schemes_used_by(tenant)?.contains(scheme.name()) {
        return Ok(None);
    }
    let tenants = all_rows(|page| tx.tenants(page))?;
    for owner in tenants.iter().filter(|other| other.id != *tenant) {
        let Some((pattern, namespace)) = reach(scheme, tenant, owner) else {
            continue;
        };
        if tx.may(&Permission::See(owner.id.clone())) {
            return Err(overlap(scheme, pattern, tenant, namespace, owner));
        }
        let message = format!(
            "scheme `{}` grants `{pattern}`, by which credentials of tenant `{tenant}` could reach \
             what another tenant owns; a topic has one owner",
            scheme.name(),
        );
        return Err(conflict(scheme, message));
    }
    let reached = scheme.reach_of(tenant).into_iter().collect();
    Ok(Taken::of(tenants, tenant, reached))
}

/// Has brokers look again at who owns what, after the last credential of a scheme
/// was deleted in a tenant.
pub(crate) fn end_use(
    tx: &mut Tx<'_>,
    scheme: &SchemeName,
    tenant: &TenantId,
) -> Result<(), AdminError> {
    if tx.schemes_used_by(tenant)?.contains(scheme) {
        return Ok(());
    }
    let known = tx.schemes()?;
    match known.find(scheme.as_str()) {
        Some(scheme) => tell_of_rest(tx, scheme, tenant),
        None => Ok(()),
    }
}

/// Tells brokers that the rest may be another now, where a tenant owns `#` and
/// the scheme reaches topics.
fn tell_of_rest(tx: &mut Tx<'_>, scheme: &Scheme, tenant: &TenantId) -> Result<(), AdminError> {
    if !scheme.reach_of(tenant).is_empty()
        && let Some(owner) = rest_owner(all_rows(|page| tx.tenants(page))?)
    {
        tx.changed(Change::Tenant(owner.id));
    }
    Ok(())
}

/// Checks that a tenant may own its namespaces: no scheme that another tenant
/// uses reaches them.
pub(crate) fn check_namespaces(rows: &mut Rows<'_>, tenant: &Tenant) -> Result<(), AdminError> {
    for scheme in rows.schemes()?.iter() {
        check_tokens(rows, scheme, tenant)?;
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
            if user != tenant.id
                && let Some((pattern, namespace)) = reach(scheme, &user, tenant)
            {
                return Err(overlap(scheme, pattern, &user, namespace, tenant));
            }
        }
    }
    Ok(())
}

/// The pattern of a scheme by which credentials of `user` could reach what `owner`
/// owns, and the namespace.
fn reach<'a>(
    scheme: &'a Scheme,
    user: &TenantId,
    owner: &'a Tenant,
) -> Option<(&'a Pattern, &'a TopicFilter)> {
    owner.namespaces.iter().find_map(|namespace| {
        let pattern = scheme.pattern_reaching(namespace, SchemeUsers::Of(user))?;
        Some((pattern, namespace))
    })
}

fn overlap(
    scheme: &Scheme,
    pattern: &Pattern,
    user: &TenantId,
    namespace: &TopicFilter,
    owner: &Tenant,
) -> AdminError {
    conflict(
        scheme,
        format!(
            "scheme `{}` grants `{pattern}`, by which credentials of tenant `{user}` could reach \
             namespace `{namespace}` of tenant `{}`; a topic has one owner",
            scheme.name(),
            owner.id
        ),
    )
}

/// Checks that a credential may have attributes that were given out elsewhere: by
/// them it reaches no topic that a tenant owns.
///
/// Topics that belong to nobody else are its own tenant's, if that owns the rest.
pub(crate) fn check_attributes(
    rows: &mut Rows<'_>,
    scheme: &Scheme,
    tenant: &TenantId,
    attributes: &BTreeMap<String, String>,
) -> Result<(), AdminError> {
    let users = SchemeUsers::One(tenant, attributes);
    for owner in all_rows(|page| rows.tenants(page))? {
        let mut owned = owner.namespaces.iter().filter(|it| it.as_str() != "#");
        let reached = owned.find_map(|it| Some((it, scheme.pattern_reaching(it, users)?)));
        if let Some((namespace, pattern)) = reached {
            return Err(conflict(
                scheme,
                format!(
                    "by `{pattern}` of scheme `{}` these attributes reach namespace `{namespace}` \
                     of tenant `{}`; a topic has one owner",
                    scheme.name(),
                    owner.id
                ),
            ));
        }
    }
    Ok(())
}

/// Checks that no token that was given out elsewhere reaches the namespaces of a
/// tenant. A token fills a level, so it is one of theirs.
fn check_tokens(rows: &mut Rows<'_>, scheme: &Scheme, tenant: &Tenant) -> Result<(), AdminError> {
    for namespace in tenant.namespaces.iter() {
        let levels = namespace.as_str().split('/');
        for level in levels.filter(|level| scheme.takes_over_token(level)) {
            // Credentials of other schemes may have the same text for an attribute of
            // this name: they stand in nobody's place.
            for holder in rows.holders_in_scheme(scheme.name(), TOKEN, level)? {
                check_holder(rows, scheme, &holder, namespace, tenant)?;
            }
        }
    }
    Ok(())
}

/// Checks that one credential with a token does not reach a namespace of a tenant.
fn check_holder(
    rows: &mut Rows<'_>,
    scheme: &Scheme,
    holder: &LoginName,
    namespace: &TopicFilter,
    tenant: &Tenant,
) -> Result<(), AdminError> {
    let Some(holder) = rows.credential(holder)? else {
        return Ok(());
    };
    let Some(user) = holder.tenant.filter(|user| *user != tenant.id) else {
        return Ok(());
    };
    let users = SchemeUsers::One(&user, &holder.attributes);
    let Some(pattern) = scheme.pattern_reaching(namespace, users) else {
        return Ok(());
    };
    Err(conflict(
        scheme,
        format!(
            "scheme `{}` grants `{pattern}`, by which a credential of tenant `{user}` reaches \
             namespace `{namespace}` of tenant `{}`; a topic has one owner",
            scheme.name(),
            tenant.id
        ),
    ))
}

fn conflict(scheme: &Scheme, message: String) -> AdminError {
    let subject = Subject::new(Noun::Scheme, scheme.name());
    AdminError::new(ErrorKind::Conflict, subject, message)
}
