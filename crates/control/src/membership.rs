//! What groups hold: roles and clients; and the group of clients without a login.

use countersign_admin::credential::{CredentialChanges, SetCredential};
use countersign_admin::role::{AssignRole, Assignment, UnassignRole};
use countersign_admin::tenant::{RoleChanges, SetTenant, ShowTenant, TenantChanges};
use countersign_admin::{AdminError, Tx};
use countersign_core::credential::Credential;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::role::RoleName;
use countersign_core::store::StoreError;

use crate::find;
use crate::json::Json;
use crate::note::{self, ClientNote, GroupNote, TenantNote};
use crate::order::Order;
use crate::params::Params;

/// Gives a role to a group, unless it has it, and checks whether that can be said.
pub(crate) fn assign(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    group: &GroupPath,
    role: &RoleName,
    priority: i64,
) -> Result<(), AdminError> {
    if !tx.roles_of_group(tenant, group)?.contains(role) {
        tx.run(&AssignRole(assignment(tenant, group, role)))?;
    }
    let mut note: GroupNote = note::of(tx, tenant, group.as_str())?;
    find::prioritise(&mut note.roles, role.as_str(), priority);
    note::put(tx, tenant, group.as_str(), &note, "group.note")?;
    if is_anonymous(tx, tenant, group)? {
        give_anonymous(tx, tenant, core::slice::from_ref(role), &[])?;
    }
    Order::read(tx, tenant)?.check_group(tx, group, role, &|_| true)
}

fn assignment(tenant: &TenantId, group: &GroupPath, role: &RoleName) -> Assignment {
    Assignment {
        tenant: tenant.clone(),
        role: role.clone(),
        group: group.clone(),
    }
}

pub(crate) fn unassign(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    group: &GroupPath,
    role: &RoleName,
) -> Result<(), AdminError> {
    tx.run(&UnassignRole(assignment(tenant, group, role)))?;
    let mut note: GroupNote = note::of(tx, tenant, group.as_str())?;
    note.roles.remove(role.as_str());
    note::put(tx, tenant, group.as_str(), &note, "group.note")?;
    if is_anonymous(tx, tenant, group)? {
        give_anonymous(tx, tenant, &[], core::slice::from_ref(role))?;
    }
    Ok(())
}

pub(crate) fn is_anonymous(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    group: &GroupPath,
) -> Result<bool, StoreError> {
    let note: TenantNote = note::of(tx, tenant, "")?;
    Ok(note.anonymous_group.as_deref() == Some(group.as_str()))
}

/// Says which roles clients without a login hold.
fn give_anonymous(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    add: &[RoleName],
    remove: &[RoleName],
) -> Result<(), AdminError> {
    let held = tx.run(&ShowTenant(tenant.clone()))?.anonymous_roles;
    let add = add.iter().filter(|role| !held.contains(role));
    let remove = remove.iter().filter(|role| held.contains(role));
    let changes = RoleChanges {
        add: add.cloned().collect(),
        remove: remove.cloned().collect(),
    };
    if changes == RoleChanges::default() {
        return Ok(());
    }
    let changes = TenantChanges {
        anonymous_roles: changes,
        ..TenantChanges::default()
    };
    let id = tenant.clone();
    tx.run(&SetTenant { id, changes }).map(drop)
}

/// Puts a client into a group, and checks whether that can be said.
pub(crate) fn join(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    client: &Credential,
    group: &GroupPath,
    priority: i64,
) -> Result<(), AdminError> {
    let changed = tx.run(&SetCredential {
        name: client.name.clone(),
        changes: CredentialChanges {
            add_groups: vec![group.clone()],
            ..CredentialChanges::default()
        },
    })?;
    let name = client.name.as_str();
    let mut note: ClientNote = note::of(tx, tenant, name)?;
    find::prioritise(&mut note.groups, group.as_str(), priority);
    note::put(tx, tenant, name, &note, "credential.note")?;
    let order = Order::read(tx, tenant)?;
    for role in tx.roles_of_group(tenant, group)? {
        order.check_client(tx, &changed.credential, &role)?;
    }
    Ok(())
}

/// Takes a client out of a group. The group stays, as long as commands don't delete it.
pub(crate) fn leave(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    client: &Credential,
    group: &GroupPath,
) -> Result<(), AdminError> {
    tx.run(&SetCredential {
        name: client.name.clone(),
        changes: CredentialChanges {
            remove_groups: vec![group.clone()],
            ..CredentialChanges::default()
        },
    })?;
    let name = client.name.as_str();
    let mut note: ClientNote = note::of(tx, tenant, name)?;
    note.groups.remove(group.as_str());
    note::put(tx, tenant, name, &note, "credential.note")?;
    keep(tx, tenant, group)
}

/// Remembers that there is a group, whoever is in it.
pub(crate) fn keep(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    group: &GroupPath,
) -> Result<(), AdminError> {
    let note: GroupNote = note::of(tx, tenant, group.as_str())?;
    note::put(tx, tenant, group.as_str(), &note, "group.note")
}

pub(crate) fn get_anonymous(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
) -> Result<Option<Json>, AdminError> {
    let note: TenantNote = note::of(tx, tenant, "")?;
    let name = note.anonymous_group.unwrap_or_default();
    let group = Json::Object(vec![("groupname".into(), Json::text(&name))]);
    Ok(Some(Json::Object(vec![("group".into(), group)])))
}

pub(crate) fn set_anonymous(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let group = find::group(tx, tenant, params.named("groupname")?)?;
    let mut note: TenantNote = note::of(tx, tenant, "")?;
    let before = match note.anonymous_group.as_deref().map(GroupPath::parse) {
        Some(Ok(before)) => tx.roles_of_group(tenant, &before)?,
        Some(Err(_)) | None => Vec::new(),
    };
    let after = tx.roles_of_group(tenant, &group)?;
    let gone = before.iter().filter(|role| !after.contains(role));
    let gone: Vec<RoleName> = gone.cloned().collect();
    keep(tx, tenant, &group)?;
    give_anonymous(tx, tenant, &after, &gone)?;
    note.anonymous_group = Some(group.as_str().into());
    note::put(tx, tenant, "", &note, "tenant.set")?;
    Ok(None)
}
