//! Who registers devices: an authority or an issuer of their tenant.

use crate::certificate::AuthorityId;
use crate::credential::Credential;
use crate::issuer::IssuerId;
use crate::kind::Kind;
use crate::name::{LoginName, TenantId};
use crate::role::RoleName;
use crate::scheme::SchemeName;
use crate::time::Timestamp;

/// An authority or an issuer, as one that registers devices.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Registrar {
    /// An authority, by the certificates that it signs.
    Authority(AuthorityId),
    /// An issuer, by the tokens that it signs.
    Issuer(IssuerId),
}

/// The device that is made of a client that presents what a registrar signed. It has no
/// secret: what was signed alone proves it.
#[must_use]
pub fn new_device(
    name: LoginName,
    tenant: &TenantId,
    role: &RoleName,
    now: Timestamp,
) -> Credential {
    let (tenant, scheme) = (Some(tenant.clone()), SchemeName::basic());
    Credential {
        roles: vec![role.clone()],
        ..Credential::new(name, Kind::Device, tenant, scheme, now)
    }
}
