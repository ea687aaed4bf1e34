//! Things: the clients of an application, each with a key of its own.

use crate::client_id::ClientIdRule;
use crate::credential::Credential;
use crate::kind::{ApplicationName, Kind, Thing};
use crate::name::LoginName;
use crate::scheme::KEY_ATTRIBUTE;
use crate::time::Timestamp;

/// The thing that a client with this key becomes which presents the token of
/// an application; its secrets and roles are the application's. None if it is
/// not an application.
///
/// Whether this can be the key of a thing is for its caller to know: of a thing
/// that registers itself,
/// [`may_register_itself`](crate::auto_registration::may_register_itself) says
/// so.
#[must_use]
pub fn of_application(
    application: &Credential,
    key: &LoginName,
    now: Timestamp,
) -> Option<Credential> {
    let about = application.kind.application()?;
    let kind = Kind::Thing(Thing {
        application: application.id,
        application_name: ApplicationName::of_credential(&application.name)?,
        is_org_admin: about.is_org_admin,
    });
    let (tenant, scheme) = (application.tenant.clone(), application.scheme.clone());
    Some(Credential {
        client_id_rule: ClientIdRule::FirstUse,
        attributes: [(KEY_ATTRIBUTE.into(), key.as_str().into())].into(),
        ..Credential::new(key.clone(), kind, tenant, scheme, now)
    })
}
