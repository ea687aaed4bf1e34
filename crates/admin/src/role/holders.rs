//! The principals that have the rules of a role: by themselves, by default, or by
//! a group.

use core::ops::ControlFlow;
use std::collections::BTreeSet;

use countersign_core::credential::{Credential, CredentialId};
use countersign_core::kind::Kind;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::store::{CredentialQuery, Listed, Page, StoreError, all_rows};
use countersign_core::user::Grant;

use crate::lookup::Rows;

/// What is made of a principal: whether others are to be shown, too.
type Shown = Result<ControlFlow<()>, StoreError>;

/// Shows the principals that have the rules of a role to `each`, until it breaks
/// off: those that hold it, those in or below groups that hold it, and all devices
/// and things of a tenant that gives it to them.
pub(super) fn for_each_holder(
    rows: &mut Rows<'_>,
    tenant: &TenantId,
    role: &RoleName,
    each: impl FnMut(Credential) -> Shown,
) -> Result<(), StoreError> {
    let given = rows.tenant(tenant)?;
    let is_given = given.is_some_and(|tenant| tenant.default_roles.contains(role));
    // Where it is given, devices and things come with all others of the tenant.
    let comes_first = |holder: &Credential| !is_given || matches!(holder.kind, Kind::User(_));
    let mut show = once_each(each);
    for id in rows.holders_of_role(tenant, role)? {
        let mut holders = principals(rows, tenant, id)?;
        holders.retain(comes_first);
        if show(holders)?.is_break() {
            return Ok(());
        }
    }
    let groups = rows.groups_of_role(tenant, role)?;
    if !is_given && show_devices(rows, tenant, &groups, &mut show)?.is_break() {
        return Ok(());
    }
    if show_users(rows, tenant, &groups, &mut show)?.is_break() || !is_given {
        return Ok(());
    }
    if each_page(|page| rows.things(Some(tenant), None, page), &mut show)?.is_break() {
        return Ok(());
    }
    let query = CredentialQuery {
        tenant: Some(tenant.clone()),
        ..CredentialQuery::default()
    };
    let _all_or_enough = each_page(|page| rows.credentials(&query, page), show)?;
    Ok(())
}

/// Shows the principals in or below a group to `each`, until it breaks off.
pub(super) fn for_each_member(
    rows: &mut Rows<'_>,
    tenant: &TenantId,
    group: &GroupPath,
    each: impl FnMut(Credential) -> Shown,
) -> Result<(), StoreError> {
    let mut show = once_each(each);
    let groups = core::slice::from_ref(group);
    if show_devices(rows, tenant, groups, &mut show)?.is_continue() {
        let _all_or_enough = show_users(rows, tenant, groups, &mut show)?;
    }
    Ok(())
}

/// Shows principals to `each` that were not shown before.
fn once_each(mut each: impl FnMut(Credential) -> Shown) -> impl FnMut(Vec<Credential>) -> Shown {
    let mut seen = BTreeSet::new();
    move |holders| {
        for holder in holders {
            if seen.insert(holder.id) && each(holder)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Shows the devices in or below some of these groups; no thing is in a group.
fn show_devices(
    rows: &mut Rows<'_>,
    tenant: &TenantId,
    groups: &[GroupPath],
    mut show: impl FnMut(Vec<Credential>) -> Shown,
) -> Shown {
    for group in groups {
        let query = CredentialQuery {
            tenant: Some(tenant.clone()),
            group: Some(group.clone()),
            ..CredentialQuery::default()
        };
        if each_page(|page| rows.credentials(&query, page), &mut show)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Shows the users in or below some of these groups.
fn show_users(
    rows: &mut Rows<'_>,
    tenant: &TenantId,
    groups: &[GroupPath],
    mut show: impl FnMut(Vec<Credential>) -> Shown,
) -> Shown {
    if groups.is_empty() {
        return Ok(ControlFlow::Continue(()));
    }
    let is_member = |user: &Credential| {
        let grant = user.kind.user().and_then(|user| user.grant_in(tenant));
        let own = grant.map_or(&[][..], Grant::groups);
        let mut holding = groups.iter();
        holding.any(|group| own.iter().any(|own| group.covers(own)))
    };
    each_page(
        |page| rows.users(page),
        |mut users| {
            users.retain(is_member);
            show(users)
        },
    )
}

/// Shows a listing to `show`, page by page, until it breaks off.
fn each_page(
    mut list: impl FnMut(&Page<LoginName>) -> Result<Listed<Credential>, StoreError>,
    mut show: impl FnMut(Vec<Credential>) -> Shown,
) -> Shown {
    let mut page = Page::default();
    loop {
        let Listed { rows, next } = list(&page)?;
        match (show(rows)?, next) {
            (ControlFlow::Continue(()), Some(key)) => page = Page::after(key),
            (shown, _) => return Ok(shown),
        }
    }
}

/// The principals that have the rules of a role by way of one that holds it:
/// itself if it is a device, thing or user, and the things of an application.
fn principals(
    rows: &mut Rows<'_>,
    tenant: &TenantId,
    holder: CredentialId,
) -> Result<Vec<Credential>, StoreError> {
    let Some(credential) = rows.credential_by_id(holder)? else {
        return Ok(Vec::new());
    };
    match credential.kind {
        Kind::Device | Kind::Operator | Kind::Thing(_) | Kind::User(_) => Ok(vec![credential]),
        Kind::Application(_) => all_rows(|page| rows.things(Some(tenant), Some(holder), page)),
        Kind::Bearer => Ok(Vec::new()),
    }
}
