//! Things: the clients of an application, each with a key of its own.

use crate::auto_registration::may_register_itself;
use crate::client_id::ClientIdRule;
use crate::credential::Credential;
use crate::kind::{ApplicationName, Kind, Thing};
use crate::name::LoginName;
use crate::reason::Reason;
use crate::scheme::{KEY_ATTRIBUTE, Schemes};
use crate::time::Timestamp;

/// The thing that a client with this key becomes which presents the token of
/// an application; its secrets and roles are the application's. None if it is
/// not an application.
///
/// Whether this can be the key of a thing is for its caller to know: of a thing
/// that registers itself, [`may_become_one`] says so.
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

/// Says why no client with this key registers itself as a thing of an application, however
/// many that has made. Its secret is for the caller to check.
///
/// # Errors
///
/// Returns the reason.
pub fn may_become_one(
    application: &Credential,
    key: &LoginName,
    schemes: &Schemes,
    now: Timestamp,
) -> Result<(), Reason> {
    application.is_in_force(now)?;
    let about = application.kind.application();
    let registers = about.and_then(|about| about.registers.as_ref());
    let registers = registers.ok_or(Reason::UnknownName)?;
    if !may_register_itself(key, schemes) {
        return Err(Reason::Malformed);
    }
    if !registers.pattern.matches(key.as_str()) {
        return Err(Reason::UnknownName);
    }
    Ok(())
}
