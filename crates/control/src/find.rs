//! Finding what commands are about, and what they say of all of it.

use std::collections::BTreeMap;

use countersign_admin::credential::ShowCredential;
use countersign_admin::text::FreeText;
use countersign_admin::{AdminError, ErrorKind, Tx};
use countersign_core::credential::Credential;
use countersign_core::kind::Kind;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::role::RoleName;

use crate::acl::{DEFAULT_PRIORITY, DEFAULT_ROLE};
use crate::note::{self, GroupNote};
use crate::order::members;
use crate::params::{Params, none_found, said};

/// The client of this name, if the caller may see it.
pub(crate) fn client(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    name: &str,
) -> Result<Credential, AdminError> {
    let none = || none_found("Client not found");
    let name = LoginName::parse(name).map_err(|_| none())?;
    let found = tx
        .credential(&name)?
        .filter(|it| matches!(it.kind, Kind::Device) && it.tenant.as_ref() == Some(tenant));
    found.ok_or_else(none)?;
    Ok(tx.run(&ShowCredential(name))?.credential)
}

/// The same refusal, in these words where something is not there.
pub(crate) fn missing(error: AdminError, words: &str) -> AdminError {
    if error.kind() == ErrorKind::NotFound {
        return none_found(words);
    }
    error
}

/// The name of a role that there is.
pub(crate) fn role(tx: &mut Tx<'_>, tenant: &TenantId, name: &str) -> Result<RoleName, AdminError> {
    let none = || none_found("Role not found");
    let name = RoleName::parse(name).map_err(|_| none())?;
    if name.as_str() == DEFAULT_ROLE || tx.role(tenant, &name)?.is_none() {
        return Err(none());
    }
    Ok(name)
}

/// `textname` and `textdescription`.
pub(crate) fn texts(params: Params<'_>) -> Result<(Option<&str>, Option<FreeText>), AdminError> {
    let name = params.text("textname", "Invalid/missing textname")?;
    let description = params.text("textdescription", "Invalid/missing textdescription")?;
    for text in [name, description].into_iter().flatten() {
        FreeText::parse(text).map_err(|why| said(&why.to_string()))?;
    }
    let description = description.and_then(|text| FreeText::parse(text).ok());
    Ok((name, description))
}

/// Keeps a priority; the usual one needs no keeping.
pub(crate) fn prioritise(priorities: &mut BTreeMap<String, i64>, name: &str, priority: i64) {
    if priority == DEFAULT_PRIORITY {
        priorities.remove(name);
    } else {
        priorities.insert(name.into(), priority);
    }
}

/// The group of this name, if there is one.
pub(crate) fn group(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    name: &str,
) -> Result<GroupPath, AdminError> {
    let none = || none_found("Group not found");
    let group = GroupPath::parse(name).map_err(|_| none())?;
    let is_there = note::find::<GroupNote>(tx, tenant, name)?.is_some()
        || !tx.roles_of_group(tenant, &group)?.is_empty()
        || !members(tx, tenant, &group)?.is_empty();
    if is_there { Ok(group) } else { Err(none()) }
}
