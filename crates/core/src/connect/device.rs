//! Registration: a device that does not exist yet and presents what an authority or an
//! issuer signed that registers its devices.

use super::{ConnectContext, Decision, Registration};
use crate::auto_registration::{DeviceRegistration, name_of_device};
use crate::name::{LoginName, TenantId};
use crate::reason::Reason;
use crate::registrar::{Registrar, new_device};
use crate::store::{Directory, StoreError};

/// A registrar, with what is known of it.
pub(super) struct Registering<'a> {
    pub(super) registrar: Registrar,
    pub(super) tenant: &'a TenantId,
    /// None where it registers nobody.
    pub(super) registers: Option<&'a DeviceRegistration>,
}

/// A login that `by` proved, of a device `name` that nobody has made. `username` is the
/// name that the client gives itself.
///
/// Nothing is decided where it makes nobody of such a client: it is a stranger then.
pub(super) fn decide(
    by: &Registering<'_>,
    name: &str,
    username: Option<&LoginName>,
    at: &ConnectContext<'_>,
    directory: &mut dyn Directory,
) -> Result<Option<Decision>, StoreError> {
    let Some(registers) = by.registers else {
        return Ok(None);
    };
    let refuse = |reason| Ok(Some(Decision::Refuse(reason)));
    let Some(name) = name_of_device(name, by.tenant) else {
        return refuse(Reason::Malformed);
    };
    if username.is_some_and(|given| *given != name) {
        return Ok(None);
    }
    if !at.listener.takes(Some(by.tenant)) {
        return refuse(Reason::WrongListener);
    }
    // One that is called so and is no device.
    if directory.credential(&name)?.is_some() {
        return Ok(None);
    }
    if directory.was_registered(by.tenant, &name)? {
        return refuse(Reason::Revoked);
    }
    if registers.is_full() {
        return refuse(Reason::OverLimit);
    }
    let device = new_device(name, by.tenant, &registers.role, at.now);
    Ok(Some(Decision::Register(Registration::Device {
        registrar: by.registrar,
        device: Box::new(device),
    })))
}
