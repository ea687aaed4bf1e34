//! Commands on groups.
//!
//! A group is there by what is remembered of it, by a role that it holds, or by a client
//! that is in it.

use std::collections::BTreeSet;

use countersign_admin::role::ShowRole;
use countersign_admin::{AdminError, ErrorKind, Tx};
use countersign_core::control_note::NoteKind;
use countersign_core::credential::Credential;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::role::RoleName;
use countersign_core::store::{CredentialQuery, all_rows, each_row};

use crate::find::{self, texts};
use crate::json::Json;
use crate::listing::{Listing, described, prioritised};
use crate::members::{ClientsOfGroup, Members as _, RolesOfGroup};
use crate::membership;
use crate::note::{self, GroupNote};
use crate::order::{cannot, members};
use crate::params::{Params, said};

/// All groups of a tenant.
fn all(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<Vec<GroupPath>, AdminError> {
    let mut groups = BTreeSet::new();
    let notes = all_rows(|page| tx.control_notes(tenant, NoteKind::Group, page))?;
    let noted = notes
        .iter()
        .filter_map(|note| GroupPath::parse(&note.key.name).ok());
    groups.extend(noted);
    for role in all_rows(|page| tx.roles(Some(tenant), page))? {
        groups.extend(tx.groups_of_role(tenant, &role.name)?);
    }
    let query = CredentialQuery {
        tenant: Some(tenant.clone()),
        ..CredentialQuery::default()
    };
    each_row(
        |page| tx.credentials(&query, page),
        |credential: Credential| {
            groups.extend(credential.groups);
            Ok(())
        },
    )?;
    Ok(groups.into_iter().collect())
}

/// The group that a command names.
fn named(tx: &mut Tx<'_>, tenant: &TenantId, params: Params<'_>) -> Result<GroupPath, AdminError> {
    find::group(tx, tenant, params.named("groupname")?)
}

pub(crate) fn create(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let name = params.name("groupname")?;
    let (textname, description) = texts(params)?;
    let group = GroupPath::parse(name).map_err(|why| said(&why.to_string()))?;
    if find::group(tx, tenant, name).is_ok() {
        return Err(AdminError::of_door(
            ErrorKind::Exists,
            "Group already exists",
        ));
    }
    stands_alone(tx, tenant, &group)?;
    let roles = roles_given(params)?;
    let note = GroupNote {
        textname: textname.filter(|text| !text.is_empty()).map(Into::into),
        textdescription: description.and_then(countersign_admin::text::FreeText::into_filled),
        ..GroupNote::default()
    };
    note::put(tx, tenant, name, &note, "group.create")?;
    let (group, roles) = (&group, roles.unwrap_or_default());
    RolesOfGroup { tenant, group }.replace(tx, &roles)?;
    Ok(None)
}

/// Refuses a group that would be below another one, or above it: what an upper one holds,
/// the lower one holds, too, and there no group holds what another does.
fn stands_alone(tx: &mut Tx<'_>, tenant: &TenantId, group: &GroupPath) -> Result<(), AdminError> {
    let groups = all(tx, tenant)?;
    let mut pairs = groups.iter().map(|it| {
        if it.covers(group) {
            (it, group)
        } else {
            (group, it)
        }
    });
    match pairs.find(|(upper, lower)| upper.covers(lower)) {
        None => Ok(()),
        Some((upper, lower)) => Err(cannot(format!(
            "group `{lower}` is below group `{upper}` here and would hold all that it holds; \
             choose another name"
        ))),
    }
}

fn roles_given(params: Params<'_>) -> Result<Option<Vec<(&str, i64)>>, AdminError> {
    let otherwise = "'roles' not an array or missing/invalid rolename";
    params.members("roles", "rolename", otherwise)
}

pub(crate) fn delete(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let group = named(tx, tenant, params)?;
    if membership::is_anonymous(tx, tenant, &group)? {
        return Err(said("Deleting the anonymous group is forbidden"));
    }
    let group = &group;
    RolesOfGroup { tenant, group }.replace(tx, &[])?;
    ClientsOfGroup { tenant, group }.replace(tx, &[])?;
    note::forget::<GroupNote>(tx, tenant, group.as_str(), "group.delete")?;
    Ok(None)
}

pub(crate) fn modify(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let group = named(tx, tenant, params)?;
    let (textname, description) = texts(params)?;
    let roles = roles_given(params)?;
    let clients = params.members(
        "clients",
        "username",
        "'clients' contains an object with an invalid 'username'",
    )?;
    let mut note: GroupNote = note::of(tx, tenant, group.as_str())?;
    if let Some(name) = textname {
        note.textname = Some(name.to_owned()).filter(|name| !name.is_empty());
    }
    if let Some(description) = description {
        note.textdescription = description.into_filled();
    }
    note::put(tx, tenant, group.as_str(), &note, "group.set")?;
    let group = &group;
    if let Some(roles) = roles {
        RolesOfGroup { tenant, group }.replace(tx, &roles)?;
    }
    if let Some(clients) = clients {
        let most = ClientsOfGroup::MOST_CHANGED;
        if clients.len() > most {
            return Err(cannot(format!(
                "a command here puts at most {most} clients into a group"
            )));
        }
        ClientsOfGroup { tenant, group }.replace(tx, &clients)?;
    }
    Ok(None)
}

pub(crate) fn add_role(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let name = params.named("groupname")?;
    let role = params.named("rolename")?;
    let priority = params.priority(crate::acl::DEFAULT_PRIORITY)?;
    let group = find::group(tx, tenant, name)?;
    let role = find::role(tx, tenant, role)?;
    if tx.roles_of_group(tenant, &group)?.contains(&role) {
        return Err(AdminError::of_door(
            ErrorKind::Exists,
            "Group is already in this role",
        ));
    }
    membership::assign(tx, tenant, &group, &role, priority)?;
    Ok(None)
}

pub(crate) fn remove_role(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let name = params.named("groupname")?;
    let role = params.named("rolename")?;
    let group = find::group(tx, tenant, name)?;
    let role = find::role(tx, tenant, role)?;
    if tx.roles_of_group(tenant, &group)?.contains(&role) {
        membership::unassign(tx, tenant, &group, &role)?;
        membership::keep(tx, tenant, &group)?;
    } else {
        may_change(tx, tenant, &role)?;
    }
    Ok(None)
}

/// Asks whether the caller may see what it would change, where there is nothing to change.
fn may_change(tx: &mut Tx<'_>, tenant: &TenantId, role: &RoleName) -> Result<(), AdminError> {
    tx.run(&ShowRole {
        tenant: tenant.clone(),
        name: role.clone(),
    })
    .map(drop)
}

pub(crate) fn add_client(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let name = params.named("username")?;
    let group = params.named("groupname")?;
    let priority = params.priority(crate::acl::DEFAULT_PRIORITY)?;
    let client = find::client(tx, tenant, name)?;
    let group = find::group(tx, tenant, group)?;
    if client.groups.contains(&group) {
        return Err(AdminError::of_door(
            ErrorKind::Exists,
            "Client is already in this group",
        ));
    }
    membership::join(tx, tenant, &client, &group, priority)?;
    Ok(None)
}

pub(crate) fn remove_client(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let name = params.named("username")?;
    let group = params.named("groupname")?;
    let client = find::client(tx, tenant, name)?;
    let group = find::group(tx, tenant, group)?;
    if client.groups.contains(&group) {
        membership::leave(tx, tenant, &client, &group)?;
    }
    Ok(None)
}

pub(crate) fn get(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let group = named(tx, tenant, params)?;
    let shown = to_json(tx, tenant, &group)?;
    Ok(Some(Json::Object(vec![("group".into(), shown)])))
}

fn to_json(tx: &mut Tx<'_>, tenant: &TenantId, group: &GroupPath) -> Result<Json, AdminError> {
    let note: GroupNote = note::of(tx, tenant, group.as_str())?;
    let mut shown = vec![("groupname".into(), Json::text(group.as_str()))];
    described(
        &mut shown,
        note.textname.as_deref(),
        note.textdescription.as_deref(),
    );
    let clients = members(tx, tenant, group)?.into_iter();
    let clients = clients.map(|client| {
        let name = Json::text(client.name.as_str());
        Json::Object(vec![("username".into(), name)])
    });
    shown.push(("clients".into(), Json::Array(clients.collect())));
    let roles = tx.roles_of_group(tenant, group)?;
    let roles = prioritised("rolename", &roles, RoleName::as_str, &note.roles);
    shown.push(("roles".into(), roles));
    Ok(Json::Object(shown))
}

pub(crate) fn list(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let listing = Listing::of(params);
    let mut groups = all(tx, tenant)?;
    let total = groups.len();
    let mut items = Vec::new();
    for group in listing.cut(&mut groups) {
        items.push(if listing.is_verbose {
            to_json(tx, tenant, &group)?
        } else {
            Json::text(group.as_str())
        });
    }
    Ok(Some(Listing::answer("groups", total, items)))
}

/// How many groups there are.
pub(crate) fn count(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<usize, AdminError> {
    Ok(all(tx, tenant)?.len())
}
