//! Devices that authorities and issuers register: the same for both.

use countersign_core::auto_registration::{DeviceRegistration, name_of_device};
use countersign_core::name::{LoginName, Suffix, TenantId};
use serde::Serialize;

use crate::command::Tx;
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup;

/// Says that devices of a tenant may be registered so: the role is there that they are
/// given.
pub(crate) fn check(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    registers: Option<&DeviceRegistration>,
) -> Result<(), AdminError> {
    if let Some(registers) = registers {
        lookup::role(tx, tenant, &registers.role)?;
    }
    Ok(())
}

/// What the audit says of a name that was forgotten.
#[derive(Serialize)]
struct Forgotten<'a> {
    name: &'a str,
}

/// Lets a device of a tenant be registered again that was registered and deleted; says what
/// it is called. `by` is who may register it again. Brokers keep nothing of it, so none is
/// told.
pub(crate) fn forget(
    tx: &mut Tx<'_>,
    act: &'static str,
    by: &str,
    tenant: &TenantId,
    given: &str,
) -> Result<LoginName, AdminError> {
    let name = whole(tenant, given);
    let known = match &name {
        Some(name) => tx.was_registered(tenant, name)?,
        None => false,
    };
    let Some(name) = name.filter(|_| known) else {
        let message = format!("no device `{given}` of tenant `{tenant}` was registered");
        return Err(refused(ErrorKind::NotFound, given, message));
    };
    if tx.credential(&name)?.is_some() {
        let message = format!("`{name}` was not deleted; it logs in as it is");
        return Err(refused(ErrorKind::Conflict, given, message));
    }
    tx.forget_registered(tenant, &name)?;
    let after = Forgotten {
        name: name.as_str(),
    };
    tx.record(act, by, None, Some(&after));
    Ok(name)
}

fn refused(kind: ErrorKind, given: &str, message: String) -> AdminError {
    AdminError::new(kind, Subject::new(Noun::Credential, given), message)
}

/// The login name of a device, of which the whole may be given, too.
fn whole(tenant: &TenantId, given: &str) -> Option<LoginName> {
    let name = LoginName::parse(given).ok()?;
    match name.suffix() {
        Suffix::Tenant(own) if own == *tenant => Some(name),
        Suffix::Email | Suffix::None | Suffix::Tenant(_) | Suffix::Unknown => {
            name_of_device(given, tenant)
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::ledger::Ledger as _;
    use countersign_core::registrar::{Registrar, new_device};
    use countersign_core::store::{Directory as _, Registered};

    use super::*;
    use crate::authority::{AddAuthority, ForgetRegisteredDevice, tests as authorities};
    use crate::credential::DeleteCredential;
    use crate::fixture::{Fixture, login_name, role_name, tenant_id};
    use crate::issuer::{AddIssuer, ForgetIssuedIdentity, tests as issuers};

    fn registers(role: &str) -> Option<DeviceRegistration> {
        Some(DeviceRegistration {
            role: role_name(role),
            max: 5,
            registered: 0,
        })
    }

    fn authority(role: &str) -> AddAuthority {
        AddAuthority {
            registers: registers(role),
            ..authorities::add(1)
        }
    }

    fn issuer(role: &str) -> AddIssuer {
        AddIssuer {
            registers: registers(role),
            ..issuers::add("sso")
        }
    }

    #[test]
    fn the_role_that_devices_are_given_must_be_there() {
        let mut fixture = Fixture::with_credential();
        fixture.tenant("other", &[]).unwrap();
        let theirs = |add: AddAuthority| AddAuthority {
            tenant: tenant_id("other"),
            ..add
        };
        fixture.role("ops").unwrap();
        for error in [
            fixture.run(&authority("none")).unwrap_err(),
            fixture.run(&issuer("none")).unwrap_err(),
            fixture.run(&theirs(authority("ops"))).unwrap_err(),
        ] {
            assert!(error.is(ErrorKind::NotFound, Noun::Role), "{error}");
        }
        let added = fixture.run(&authority("ops")).unwrap();
        assert_eq!(added.registers, registers("ops"));
        assert_eq!(
            fixture.run(&issuer("ops")).unwrap().registers,
            registers("ops")
        );
    }

    #[test]
    fn a_device_that_was_deleted_is_forgotten_once_and_by_name() {
        let mut fixture = Fixture::with_credential();
        fixture.role("ops").unwrap();
        let added = fixture.run(&authority("ops")).unwrap();
        fixture.run(&issuer("ops")).unwrap();
        let by_authority = |name: &str| ForgetRegisteredDevice {
            authority: added.fingerprint,
            name: name.into(),
        };
        let by_issuer = |identity: &str| ForgetIssuedIdentity {
            issuer: issuers::name("sso"),
            identity: identity.into(),
        };
        let registrar = Registrar::Authority(added.id);
        for (number, given) in ["new1", "new1@acme"].into_iter().enumerate() {
            let name = login_name("new1@acme");
            let device = new_device(
                name.clone(),
                &tenant_id("acme"),
                &role_name("ops"),
                fixture.now,
            );
            let made = fixture
                .store
                .register_device(registrar, &device, "b1", fixture.now);
            assert_eq!(made.unwrap(), Registered::Done);
            let there = fixture.run(&by_authority(given)).unwrap_err();
            assert_eq!(there.kind(), ErrorKind::Conflict, "{there}");
            fixture.run(&DeleteCredential(name.clone())).unwrap();
            for other in ["new2", "new1@other", "dev1", "", "new1@acme@acme"] {
                let unknown = fixture.run(&by_authority(other)).unwrap_err();
                assert!(
                    unknown.is(ErrorKind::NotFound, Noun::Credential),
                    "{other}: {unknown}"
                );
            }
            let forgotten = if number == 0 {
                fixture.run(&by_authority(given))
            } else {
                fixture.run(&by_issuer(given))
            };
            assert_eq!(forgotten.unwrap(), name);
            let again = fixture.run(&by_issuer(given)).unwrap_err();
            assert_eq!(again.kind(), ErrorKind::NotFound, "{again}");
            let known = fixture.store.was_registered(&tenant_id("acme"), &name);
            assert!(!known.unwrap());
        }
        let acts = fixture.acts();
        assert!(acts.contains(&format!("ca.forget {}", added.fingerprint)));
        assert_eq!(acts.last().unwrap(), "issuer.forget sso");
    }
}
