//! Unauthenticated clients: anonymous ones, and wrong logins where a tenant
//! admits them.

use super::{Admission, ConnectContext, Decision, Identity, LoginRecord, Request, client_ids};
use crate::jwt::may_be_token;
use crate::name::{Suffix, TenantId};
use crate::reason::Reason;
use crate::store::{Directory, StoreError};

/// A CONNECT that presents no name.
pub(super) fn without_login(
    request: &Request,
    at: &ConnectContext<'_>,
    directory: &mut dyn Directory,
) -> Result<Decision, StoreError> {
    let Some(id) = at.listener.default_tenant_of_clients() else {
        return if directory.some_tenant_admits_anonymous()? {
            admit_unauthenticated(None, request, at, directory)
        } else {
            Ok(Decision::Refuse(Reason::Unauthenticated))
        };
    };
    match directory.tenant(id)? {
        Some(tenant) if tenant.authentication.admits_anonymous() => {
            admit_unauthenticated(Some(id), request, at, directory)
        }
        Some(_) => Ok(Decision::Refuse(Reason::Unauthenticated)),
        None => Ok(Decision::Refuse(Reason::UnknownTenant)),
    }
}

/// A CONNECT with a name that no credential has, once what that costs is spent.
pub(super) fn with_unknown_name(
    suffix: &Suffix,
    request: &Request,
    at: &ConnectContext<'_>,
    directory: &mut dyn Directory,
) -> Result<Decision, StoreError> {
    match suffix {
        // An operator, a device of a scheme without suffixes, or somebody
        // whose tenant the place tells.
        Suffix::None => {
            let tenant = at.listener.default_tenant_of_clients();
            wrong_login(Reason::UnknownName, tenant, request, at, directory)
        }
        Suffix::Tenant(tenant) => match directory.tenant(tenant)? {
            Some(_) => wrong_login(Reason::UnknownName, Some(tenant), request, at, directory),
            None => Ok(Decision::Refuse(Reason::UnknownTenant)),
        },
        Suffix::Email => Ok(Decision::Refuse(Reason::UnknownName)),
        Suffix::Unknown => Ok(Decision::Refuse(Reason::UnknownTenant)),
    }
}

/// A login that proved nothing: refused, unless the tenant that answers for
/// it admits wrong logins as unauthenticated.
///
/// A wrong login of an operator, who has no tenant, is refused in every mode.
pub(super) fn wrong_login(
    reason: Reason,
    tenant: Option<&TenantId>,
    request: &Request,
    at: &ConnectContext<'_>,
    directory: &mut dyn Directory,
) -> Result<Decision, StoreError> {
    let Some(id) = tenant else {
        return Ok(Decision::Refuse(reason));
    };
    match directory.tenant(id)? {
        Some(tenant)
            if tenant.authentication.admits_wrong_login() && at.listener.takes(Some(id)) =>
        {
            admit_unauthenticated(Some(id), request, at, directory)
        }
        Some(_) | None => Ok(Decision::Refuse(reason)),
    }
}

/// Admits a client as unauthenticated, but for one that presents what looks like
/// a token: a token that does not verify is refused in every mode.
fn admit_unauthenticated(
    tenant: Option<&TenantId>,
    request: &Request,
    at: &ConnectContext<'_>,
    directory: &mut dyn Directory,
) -> Result<Decision, StoreError> {
    if request.secret.as_ref().is_some_and(may_be_token) {
        return Ok(Decision::Refuse(Reason::BadSecret));
    }
    let claimant = client_ids::Claimant {
        credential: None,
        tenant,
    };
    let owned = match client_ids::own_client_id(&claimant, request, at, directory)? {
        Ok(owned) => owned,
        Err(reason) => return Ok(Decision::Refuse(reason)),
    };
    let tenant = match (tenant, owned.resumes_in) {
        (Some(tenant), _) => Some(tenant.clone()),
        (None, Some(left)) => open(left, request, directory)?,
        (None, None) => None,
    };
    Ok(Decision::Admit(Admission {
        identity: Identity::Unauthenticated { tenant },
        record: LoginRecord {
            session: owned.change,
            ..LoginRecord::default()
        },
    }))
}

/// The tenant that a client left a session in, if it is open to it still.
fn open(
    left: TenantId,
    request: &Request,
    directory: &mut dyn Directory,
) -> Result<Option<TenantId>, StoreError> {
    let Some(tenant) = directory.tenant(&left)? else {
        return Ok(None);
    };
    let is_admitted = if request.name.is_some() {
        tenant.authentication.admits_wrong_login()
    } else {
        tenant.authentication.admits_anonymous()
    };
    let keeps_prefix = tenant
        .client_id_prefix
        .as_ref()
        .is_none_or(|prefix| request.client_id.as_str().starts_with(prefix.as_str()));
    Ok((is_admitted && keeps_prefix).then_some(left))
}
