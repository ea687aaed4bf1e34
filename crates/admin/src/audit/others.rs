//! What the audit says of other tenants, which is told to platform administrators alone.

use countersign_core::name::{LoginName, TenantId};
use serde_json::Value;

use crate::error::AdminError;
use crate::lookup::Rows;

/// What a row says, without what is of other tenants: grants in them, and who of them has
/// a client id.
pub(super) fn without_others(
    rows: &mut Rows<'_>,
    json: &str,
    tenant: &TenantId,
) -> Result<String, AdminError> {
    let Ok(mut said) = serde_json::from_str::<Value>(json) else {
        // What can't be read can't be told apart.
        return Ok("{}".into());
    };
    if let Some(object) = said.as_object_mut() {
        if let Some(holder) = object.get(HELD_BY) {
            let name = holder.as_str().and_then(|name| LoginName::parse(name).ok());
            let found = match name {
                Some(name) => rows.credential(&name)?,
                None => None,
            };
            if found.is_none_or(|it| it.tenant.as_ref() != Some(tenant)) {
                object.remove(HELD_BY);
                object.remove(HELD_SINCE);
            }
        }
        let is_own = |it: &Value| it.as_str() == Some(tenant.as_str());
        if object.get(HELD_BY_TENANT).is_some_and(|it| !is_own(it)) {
            object.remove(HELD_BY_TENANT);
        }
        for value in object.values_mut() {
            if let Some(list) = value.as_array_mut() {
                list.retain(|it| it.get(TENANT).is_none_or(is_own));
            }
        }
    }
    Ok(said.to_string())
}

const TENANT: &str = "tenant";
const HELD_BY: &str = "held_by";
const HELD_SINCE: &str = "held_since";
const HELD_BY_TENANT: &str = "held_by_tenant";
