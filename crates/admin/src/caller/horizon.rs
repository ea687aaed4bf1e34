//! How far a caller sees what happens.

use countersign_core::audit::AuditRow;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::store::{AuditQuery, BrokerPresence};
use countersign_core::time::Timestamp;
use serde::Deserialize;

use super::Authority;
use super::rights::{CallerRights, Scope, forbidden};
use crate::error::AdminError;
use crate::lookup::{self, Rows};

/// How far a caller sees what happens: everywhere, or what the caller may see of some
/// tenants.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Horizon(Option<Vec<(TenantId, Scope)>>);

impl Horizon {
    /// How far this caller sees at `now`, in one tenant or in all.
    ///
    /// # Errors
    ///
    /// Returns [`AdminError`] of kind `Forbidden` when the caller sees nothing anywhere,
    /// and of kind `NotFound` when there is no such tenant, or not for this caller.
    pub(crate) fn of(
        authority: Authority,
        tenant: Option<&TenantId>,
        store: &mut Rows<'_>,
        now: Timestamp,
    ) -> Result<Self, AdminError> {
        let rights = CallerRights::of(authority, store, now)?;
        if let Some(tenant) = tenant {
            let scope = if rights.is_platform() {
                Some(Scope::ORG_ADMIN)
            } else {
                rights.scope_in(tenant)
            };
            let scope = scope.ok_or_else(|| rights.not_admin(tenant))?;
            lookup::check_tenant(store, Some(tenant))?;
            return Ok(Self(Some(vec![(tenant.clone(), scope)])));
        }
        if rights.is_platform() {
            return Ok(Self(None));
        }
        let scopes = rights.scopes();
        if scopes.is_empty() {
            let name = &rights.name;
            return Err(forbidden(format!("`{name}` may see no tenant")));
        }
        Ok(Self(Some(scopes)))
    }

    /// Says whether what happens to a session is seen.
    pub(crate) fn has_session(
        &self,
        session: &BrokerPresence,
        store: &mut Rows<'_>,
    ) -> Result<bool, AdminError> {
        let Some(scopes) = &self.0 else {
            return Ok(true);
        };
        let tenant = session.presence.tenant.as_ref();
        match scopes.iter().find(|(it, _)| Some(it) == tenant) {
            Some((_, scope)) => scope.holds_session(session, store),
            None => Ok(false),
        }
    }

    /// Says whether what a row of the audit tells is seen. Where a group is the limit,
    /// `is_of_group` says whether that is for its administrators and viewers at all.
    pub(crate) fn has_row(
        &self,
        row: &AuditRow,
        is_of_group: bool,
        store: &mut Rows<'_>,
    ) -> Result<bool, AdminError> {
        let Some(scopes) = &self.0 else {
            return Ok(true);
        };
        for (tenant, scope) in scopes {
            let is_seen = if scope.limit.is_none() {
                let query = AuditQuery {
                    tenant: Some(tenant.clone()),
                    ..AuditQuery::default()
                };
                lookup::is_asked_for(store, &query, row)?
            } else {
                is_of_group && has_subject(row, tenant, scope, store)?
            };
            if is_seen {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Says whether a row is about a credential of a group: as it is now, or as it was
/// before it was deleted.
fn has_subject(
    row: &AuditRow,
    tenant: &TenantId,
    scope: &Scope,
    store: &mut Rows<'_>,
) -> Result<bool, AdminError> {
    #[derive(Deserialize)]
    struct Before {
        tenant: String,
        groups: Vec<String>,
    }

    let found = match LoginName::parse(&row.entry.subject) {
        Ok(name) => store.credential(&name)?,
        Err(_) => None,
    };
    if let Some(found) = found {
        return Ok(found.tenant.as_ref() == Some(tenant) && scope.holds_all(&found.groups));
    }
    let before = row
        .entry
        .before
        .as_deref()
        .filter(|_| row.entry.after.is_none());
    let before: Option<Before> = before.and_then(|json| serde_json::from_str(json).ok());
    Ok(before.is_some_and(|before| {
        let groups = before.groups.iter().map(|group| GroupPath::parse(group));
        let groups: Result<Vec<_>, _> = groups.collect();
        before.tenant == tenant.as_str() && groups.is_ok_and(|groups| scope.holds_all(&groups))
    }))
}
