//! Devices that authorities and issuers register.

use countersign_core::auto_registration::DeviceRegistration;
use countersign_core::certificate::AuthorityRecord;
use countersign_core::change::{Change, ChangeSeq};
use countersign_core::credential::Credential;
use countersign_core::issuer::IssuerRecord;
use countersign_core::registrar::{Registrar, new_device};
use countersign_core::store::rows::{
    AuthorityRows as _, DeviceRegistrationRows as _, IssuerRows as _,
};
use countersign_core::store::{AdminStore, GateStore, Intent, Registered, StoreErrorKind};

use super::authorities::record as authority;
use super::issuers::record as issuer;
use super::roles::role;
use super::{
    acts, add, at, commit, credential, found, login_name, look, make_roles, role_name, tenant,
    tenant_id,
};

/// A device that nobody made is made once, with its role, and never in the place of
/// another.
pub fn a_device_is_registered_once_and_in_nobodys_place(mut store: impl GateStore + AdminStore) {
    let registrars = registrars(&mut store, 10);
    let mut other = store.reopen().unwrap();
    add(&mut store, &credential("taken@acme"), 1);
    for (number, registrar) in (1..).zip(registrars) {
        let name = format!("dev{number}@acme");
        let made = store.register_device(registrar, &device(&name), "b1", at(7));
        assert_eq!(made.unwrap(), Registered::Done);
        let read = found(&mut store, &name);
        assert_eq!(read.roles, [role_name("ops")]);
        assert!(read.secrets.is_empty() && !read.ever_used);
        assert_eq!(acts(&mut store).last().unwrap(), "credential.create");
        let told = other.changes_after(ChangeSeq(number - 1), 10).unwrap();
        assert_eq!(told, [(ChangeSeq(number), Change::Credential(read.id))]);
        for taken in [
            name.as_str(),
            "taken@acme",
            "application:fleet@acme",
            "jwt:me@acme",
        ] {
            let error = other.register_device(registrar, &device(taken), "b1", at(7));
            let error = error.unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Conflict, "{taken}: {error}");
        }
        // Not what it makes.
        for odd in [
            Credential {
                roles: Vec::new(),
                ..device("odd@acme")
            },
            Credential {
                roles: vec![role_name("more")],
                ..device("odd@acme")
            },
            new_device(
                login_name("odd@beta"),
                &tenant_id("beta"),
                &role_name("ops"),
                at(1),
            ),
        ] {
            let error = other.register_device(registrar, &odd, "b1", at(7));
            assert_eq!(error.unwrap_err().kind(), StoreErrorKind::Unavailable);
        }
    }
    for odd in ["odd@acme", "odd@beta"] {
        assert!(store.credential(&login_name(odd)).unwrap().is_none());
    }
}

/// A registrar makes so many devices in a second and so many ever, whoever deletes them
/// and however often the store is opened again; each counts by itself.
pub fn a_registrar_makes_no_more_devices_than_it_may(mut store: impl GateStore + AdminStore) {
    let registrars = registrars(&mut store, 12);
    let mut other = store.reopen().unwrap();
    for (number, registrar) in registrars.into_iter().enumerate() {
        let name = |of: &str| format!("{of}-{number}@acme");
        let mut register = |of: &str, millis| {
            let made = other.register_device(registrar, &device(&name(of)), "b2", at(millis));
            made.unwrap()
        };
        for key in 0..10 {
            let made = register(&format!("a{key}"), 5_000 + key);
            assert_eq!(made, Registered::Done);
        }
        assert_eq!(register("late", 5_999), Registered::TooFast);
        for key in ["b0", "b1"] {
            assert_eq!(register(key, 6_000), Registered::Done);
        }
        let gone = found(&mut store, &name("a1")).id;
        commit(&mut store, &[], |transaction| {
            transaction.delete_credential(gone)
        });
        assert_eq!(register("c", 9_000), Registered::Full);
        let registers = registers(&mut store, registrar).unwrap();
        assert_eq!((registers.max, registers.registered), (12, 12));
        assert!(registers.is_full());
    }
}

/// The name of a device that was registered stays with its tenant when the device is
/// deleted, its registrar removed, or another of the name made by hand.
pub fn a_registered_name_stays_until_it_is_forgotten(mut store: impl GateStore + AdminStore) {
    let [authority, issuer] = registrars(&mut store, 10);
    let (acme, beta) = (tenant_id("acme"), tenant_id("beta"));
    let dev1 = login_name("dev1@acme");
    assert!(!store.was_registered(&acme, &dev1).unwrap());
    let made = store.register_device(authority, &device("dev1@acme"), "b1", at(7));
    assert_eq!(made.unwrap(), Registered::Done);
    let delete = |store: &mut _| {
        let id = found(store, "dev1@acme").id;
        commit(store, &[], |transaction| transaction.delete_credential(id));
    };
    delete(&mut store);
    remove(&mut store, authority);
    add(&mut store, &credential("dev1@acme"), 1);
    delete(&mut store);
    assert!(store.was_registered(&acme, &dev1).unwrap());
    assert!(!store.was_registered(&beta, &dev1).unwrap());
    let refused = store.register_device(issuer, &device("dev1@acme"), "b1", at(8));
    assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Conflict);
    commit(&mut store, &[], |transaction| {
        assert!(!transaction.forget_registered(&beta, &dev1)?);
        assert!(transaction.forget_registered(&acme, &dev1)?);
        assert!(!transaction.forget_registered(&acme, &dev1)?);
        assert!(!transaction.was_registered(&acme, &dev1)?);
        Ok(())
    });
    let again = store.register_device(issuer, &device("dev1@acme"), "b1", at(9));
    assert_eq!(again.unwrap(), Registered::Done);
    // It goes with the tenant.
    commit(&mut store, &[], |transaction| {
        assert!(transaction.was_registered(&acme, &dev1)?);
        transaction.delete_tenant(&acme)?;
        assert!(!transaction.was_registered(&acme, &dev1)?);
        Ok(())
    });
    let theirs = login_name("dev1@beta");
    let mut transaction = store.begin(Intent::Write).unwrap();
    transaction.note_registered(&beta, &theirs).unwrap();
    let twice = transaction.note_registered(&beta, &theirs);
    assert_eq!(twice.unwrap_err().kind(), StoreErrorKind::Conflict);
}

/// Where the role is gone, or the registrar, nobody is registered any more.
pub fn what_a_registrar_makes_goes_with_it_and_with_its_role(
    mut store: impl GateStore + AdminStore,
) {
    let registrars = registrars(&mut store, 10);
    let none = Some(DeviceRegistration {
        role: role_name("none"),
        max: 1,
        registered: 0,
    });
    let mut transaction = store.begin(Intent::Write).unwrap();
    let nobodys = AuthorityRecord {
        registers: none.clone(),
        ..authority(9, "acme")
    };
    assert!(transaction.add_authority(&nobodys).is_err());
    drop(transaction);
    let mut transaction = store.begin(Intent::Write).unwrap();
    let nobodys = IssuerRecord {
        registers: none,
        ..issuer("z", "acme")
    };
    assert!(transaction.add_issuer(&nobodys).is_err());
    drop(transaction);
    remove(&mut store, registrars[0]);
    commit(&mut store, &[], |transaction| {
        transaction.delete_role(&tenant_id("acme"), &role_name("ops"))
    });
    assert_eq!(registers(&mut store, registrars[1]), None);
    commit(&mut store, &[], |transaction| {
        transaction.put_role(&role("acme", "ops"))
    });
    for registrar in registrars {
        let error = store.register_device(registrar, &device("dev1@acme"), "b1", at(7));
        assert_eq!(error.unwrap_err().kind(), StoreErrorKind::Unavailable);
        look(&mut store, |transaction| {
            assert!(transaction.device_count(registrar).is_err());
            Ok(())
        });
    }
    let made = store.credential(&login_name("dev1@acme")).unwrap();
    assert!(made.is_none());
}

/// An authority and an issuer of `acme` that register so many devices with the role `ops`,
/// beside a tenant `beta`.
pub(super) fn registrars(store: &mut impl AdminStore, max: u32) -> [Registrar; 2] {
    make_roles(store, "acme", &["ops", "more"]);
    let written = DeviceRegistration {
        role: role_name("ops"),
        max,
        registered: 0,
    };
    let authority = AuthorityRecord {
        registers: Some(written.clone()),
        ..authority(1, "acme")
    };
    let issuer = IssuerRecord {
        registers: Some(written.clone()),
        ..issuer("a", "acme")
    };
    let made = commit(store, &[], |transaction| {
        transaction.put_tenant(&tenant("beta"))?;
        Ok([
            Registrar::Authority(transaction.add_authority(&authority)?),
            Registrar::Issuer(transaction.add_issuer(&issuer)?),
        ])
    });
    for registrar in made {
        assert_eq!(registers(store, registrar).as_ref(), Some(&written));
    }
    made
}

fn registers(store: &mut impl AdminStore, registrar: Registrar) -> Option<DeviceRegistration> {
    look(store, |transaction| {
        Ok(match registrar {
            Registrar::Authority(id) => transaction.authority(id)?.and_then(|it| it.registers),
            Registrar::Issuer(id) => transaction.issuer(id)?.and_then(|it| it.registers),
        })
    })
}

fn remove(store: &mut impl AdminStore, registrar: Registrar) {
    commit(store, &[], |transaction| match registrar {
        Registrar::Authority(id) => transaction.remove_authority(id),
        Registrar::Issuer(id) => transaction.remove_issuer(id),
    });
}

fn device(name: &str) -> Credential {
    new_device(
        login_name(name),
        &tenant_id("acme"),
        &role_name("ops"),
        at(1),
    )
}
