//! What is remembered of commands, and nothing else keeps: texts, orders and priorities.

use std::collections::BTreeMap;

use countersign_admin::control_note::WriteNote;
use countersign_admin::{AdminError, Tx};
use countersign_core::control_note::{NoteKey, NoteKind};
use countersign_core::name::TenantId;
use countersign_core::store::StoreError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What is remembered of one sort of things.
pub(crate) trait ControlNote: Default + DeserializeOwned + PartialEq + Serialize {
    /// Which sort.
    const KIND: NoteKind;
    /// Whether it is kept although it says nothing: a group is there by it alone.
    const IS_KEPT: bool = false;
}

/// Of a client.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub(crate) struct ClientNote {
    /// The priorities of its roles.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) roles: BTreeMap<String, i64>,
    /// The priorities of its groups.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) groups: BTreeMap<String, i64>,
}

/// Of a group.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub(crate) struct GroupNote {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) textname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) textdescription: Option<String>,
    /// The priorities of its roles.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) roles: BTreeMap<String, i64>,
}

/// Of a role.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub(crate) struct RoleNote {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) textname: Option<String>,
    /// Its rules as they were given, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) acls: Vec<AclNote>,
}

/// Of a rule of a role.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct AclNote {
    pub(crate) acltype: String,
    pub(crate) topic: String,
    pub(crate) priority: i64,
    pub(crate) allow: bool,
}

/// Of the tenant.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub(crate) struct TenantNote {
    /// The group of clients without a login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) anonymous_group: Option<String>,
}

impl ControlNote for ClientNote {
    const KIND: NoteKind = NoteKind::Client;
}

impl ControlNote for GroupNote {
    const KIND: NoteKind = NoteKind::Group;
    const IS_KEPT: bool = true;
}

impl ControlNote for RoleNote {
    const KIND: NoteKind = NoteKind::Role;
}

impl ControlNote for TenantNote {
    const KIND: NoteKind = NoteKind::Tenant;
}

/// The key of a note.
pub(crate) fn key<N: ControlNote>(tenant: &TenantId, name: &str) -> NoteKey {
    NoteKey {
        tenant: tenant.clone(),
        kind: N::KIND,
        name: name.into(),
    }
}

/// What is remembered of something, if anything is.
pub(crate) fn find<N: ControlNote>(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    name: &str,
) -> Result<Option<N>, StoreError> {
    let note = tx.control_note(&key::<N>(tenant, name))?;
    // What can't be read decides nothing, and is written anew by the next command.
    Ok(note.map(|note| serde_json::from_str(&note.text).unwrap_or_default()))
}

/// The same; nothing where nothing is.
pub(crate) fn of<N: ControlNote>(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    name: &str,
) -> Result<N, StoreError> {
    Ok(find(tx, tenant, name)?.unwrap_or_default())
}

/// Remembers something, as an act that the audit calls so.
pub(crate) fn put<N: ControlNote>(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    name: &str,
    note: &N,
    act: &'static str,
) -> Result<(), AdminError> {
    let is_kept = N::IS_KEPT || *note != N::default();
    let text = is_kept.then(|| serde_json::to_string(note).unwrap_or_default());
    tx.run(&WriteNote {
        key: key::<N>(tenant, name),
        text: text.map(Into::into),
        act,
    })
}

/// Forgets it.
pub(crate) fn forget<N: ControlNote>(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    name: &str,
    act: &'static str,
) -> Result<(), AdminError> {
    tx.run(&WriteNote {
        key: key::<N>(tenant, name),
        text: None,
        act,
    })
}
