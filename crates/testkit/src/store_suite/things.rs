//! Applications and things.

use countersign_core::auto_registration::AutoRegistration;
use countersign_core::change::{Change, ChangeSeq};
use countersign_core::connect::LoginRecord;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::kind::{Application, Kind};
use countersign_core::ledger::LedgerTransaction as _;
use countersign_core::lifecycle::State;
use countersign_core::scheme::SchemeName;
use countersign_core::secret::{SecretDigest, SecretId};
use countersign_core::store::{
    AdminStore, GateStore, Intent, LoginEffects, Recorded, Registered, StoreErrorKind, all_rows,
};

use super::principals::{about, application, make, make_application, thing};
use super::{
    acts, add, at, client_id, commit, credential, digest, first_use, found, login_name, look,
    make_roles, patiently, proved, race, role_name, tenant_id,
};

/// A thing has the token and the roles of its application, whatever becomes of
/// those, and nothing of that kind of its own.
pub fn a_thing_has_its_applications_token_and_roles(mut store: impl GateStore + AdminStore) {
    make_roles(&mut store, "acme", &["meter", "reader"]);
    let (app, token) = make_application(&mut store, about(true, false), 1);
    let written = Credential {
        roles: vec![role_name("reader")],
        ..thing("t1", app)
    };
    let id = make(&mut store, &written);
    let read = found(&mut store, "t1");
    let Kind::Thing(about) = &read.kind else {
        panic!("no thing");
    };
    assert_eq!((read.id, read.parent()), (id, Some(app)));
    assert_eq!(about.application_name.as_str(), "fleet");
    assert!(about.is_org_admin);
    assert!(read.is_org_admin_of(&tenant_id("acme")));
    assert_eq!(read.roles, [role_name("meter")]);
    assert_eq!(read.attributes["thing_key"], "t1");
    assert_eq!(secrets(&read), [token]);
    let owner = store
        .credential_by_digest(&SecretDigest::from_bytes([1; 32]))
        .unwrap();
    assert_eq!(owner.unwrap().id, app);
    // Of what an act writes, the roles stay the application's, too.
    commit(&mut store, &[], |transaction| {
        transaction.update_credential(&Credential {
            description: Some("the one in the cellar".into()),
            roles: vec![role_name("meter"), role_name("reader")],
            ..read.clone()
        })
    });
    let holders = look(&mut store, |transaction| {
        transaction.holders_of_role(&tenant_id("acme"), &role_name("reader"))
    });
    assert!(holders.is_empty());
    // Rotated: the thing has the new token and not the old one.
    let newer = commit(&mut store, &[], |transaction| {
        let newer = transaction.add_secret(app, &digest(2))?;
        transaction.remove_secret(token)?;
        Ok(newer)
    });
    let read = found(&mut store, "t1");
    assert_eq!(secrets(&read), [newer]);
    assert_eq!(read.roles, [role_name("meter")]);
    let late = store.record_login(&proved(&read, token, &client_id("a")), at(5));
    assert_eq!(late.unwrap(), Recorded::Outdated);
}

/// Applications and things have lists of their own; a device's list has neither.
pub fn applications_and_things_are_listed_apart(mut store: impl GateStore + AdminStore) {
    let (app, _) = make_application(&mut store, about(false, false), 1);
    let other_app = Credential {
        tenant: Some(tenant_id("other")),
        ..application("application:fleet@other", about(false, true))
    };
    let (other_app, _) = add(&mut store, &other_app, 2);
    let (second, _) = add(
        &mut store,
        &application("application:carts@acme", about(false, false)),
        3,
    );
    add(&mut store, &credential("dev1@acme"), 4);
    add(&mut store, &credential("root"), 5);
    for (key, app, tenant) in [
        ("t3", app, "acme"),
        ("t1", second, "acme"),
        ("t2", other_app, "other"),
    ] {
        let made = Credential {
            tenant: Some(tenant_id(tenant)),
            ..thing(key, app)
        };
        make(&mut store, &made);
    }
    let acme = tenant_id("acme");
    look(&mut store, |transaction| {
        let names = |listed: Vec<Credential>| -> Vec<String> {
            listed.into_iter().map(|one| one.name.to_string()).collect()
        };
        assert_eq!(
            names(all_rows(|page| transaction.applications(None, page))?),
            [
                "application:carts@acme",
                "application:fleet@acme",
                "application:fleet@other"
            ]
        );
        assert_eq!(
            names(all_rows(|page| transaction.applications(Some(&acme), page))?).len(),
            2
        );
        assert_eq!(
            names(all_rows(|page| transaction.things(None, None, page))?),
            ["t1", "t2", "t3"]
        );
        assert_eq!(
            names(all_rows(|page| transaction.things(
                Some(&acme),
                None,
                page
            ))?),
            ["t1", "t3"]
        );
        assert_eq!(
            names(all_rows(|page| transaction.things(None, Some(app), page))?),
            ["t3"]
        );
        assert_eq!(
            names(all_rows(|page| transaction.things(
                Some(&acme),
                Some(app),
                page
            ))?),
            ["t3"]
        );
        assert!(
            all_rows(|page| transaction.things(Some(&acme), Some(other_app), page))?.is_empty()
        );
        assert_eq!(
            names(all_rows(|page| transaction.operators(page))?),
            ["root"]
        );
        let devices = all_rows(|page| transaction.credentials(&Default::default(), page))?;
        assert_eq!(names(devices), ["dev1@acme"]);
        assert_eq!(transaction.count_credentials(&acme)?, 5);
        let scheme = SchemeName::parse("application").unwrap();
        let users = transaction.tenants_using_scheme(&scheme)?;
        assert_eq!(users, [acme.clone(), tenant_id("other")]);
        assert!(transaction.schemes_used_by(&acme)?.contains(&scheme));
        Ok(())
    });
}

/// Things go with their application, and everything with the tenant.
pub fn things_go_with_their_application(mut store: impl GateStore + AdminStore) {
    let (app, _) = make_application(&mut store, about(false, false), 1);
    let (second, _) = add(
        &mut store,
        &application("application:carts@acme", about(false, false)),
        3,
    );
    make(&mut store, &thing("t1", app));
    make(&mut store, &thing("t2", second));
    commit(&mut store, &[], |transaction| {
        transaction.delete_credential(app)
    });
    assert!(store.credential(&login_name("t1")).unwrap().is_none());
    assert!(store.credential(&login_name("t2")).unwrap().is_some());
    commit(&mut store, &[], |transaction| {
        transaction.delete_tenant(&tenant_id("acme"))
    });
    assert!(store.credential(&login_name("t2")).unwrap().is_none());
    assert!(store.credential_by_id(second).unwrap().is_none());
}

/// A thing needs an application of its tenant.
pub fn a_thing_needs_an_application_of_its_tenant(mut store: impl GateStore + AdminStore) {
    let (app, _) = make_application(&mut store, about(false, false), 1);
    let (device, _) = add(&mut store, &credential("dev1@acme"), 2);
    add(&mut store, &credential("dev1@other"), 3);
    let of_another_tenant = Credential {
        tenant: Some(tenant_id("other")),
        ..thing("t1", app)
    };
    for bad in [
        thing("t1", CredentialId(999)),
        thing("t1", device),
        of_another_tenant,
    ] {
        let mut transaction = store.begin(Intent::Write).unwrap();
        assert!(transaction.add_credential(&bad).is_err());
    }
}

/// A first token leaves with the first use of the second, for all things.
pub fn a_token_in_use_retires_the_older_one_for_all_things(mut store: impl GateStore + AdminStore) {
    let (app, old) = make_application(&mut store, about(false, false), 1);
    let ids = ["t1", "t2"].map(|key| make(&mut store, &thing(key, app)));
    let new = commit(&mut store, &[], |transaction| {
        transaction.limit_secret(old, None, true)?;
        transaction.add_secret(app, &digest(2))
    });
    let seen = found(&mut store, "t1");
    let a = client_id("a");
    let login = first_use(&seen, new, &a);
    let login = LoginEffects {
        record: LoginRecord {
            retires_older_secrets: true,
            ..login.record
        },
        ..login
    };
    assert_eq!(store.record_login(&login, at(5)).unwrap(), Recorded::Done);
    assert_eq!(secrets(&found(&mut store, "t2")), [new]);
    let told: Vec<_> = store.changes_after(ChangeSeq(0), 10).unwrap();
    let told: Vec<_> = told.into_iter().map(|(_, change)| change).collect();
    assert_eq!(told, [Change::Credential(ids[0]), Change::Credential(app)]);
}

/// A thing that nobody made is made once, only while its application does that,
/// and never in the place of another.
pub fn a_thing_is_registered_once_and_in_nobodys_place(mut store: impl GateStore + AdminStore) {
    let (app, token) = make_application(&mut store, about(false, true), 1);
    let mut other = store.reopen().unwrap();
    let made = store.register_thing(&thing("t1", app), "b1", at(7));
    assert_eq!(made.unwrap(), Registered::Done);
    let read = found(&mut store, "t1");
    assert_eq!(read.parent(), Some(app));
    assert_eq!(secrets(&read), [token]);
    assert_eq!(acts(&mut store), ["thing.create"]);
    let told = other.changes_after(ChangeSeq(0), 10).unwrap();
    assert_eq!(told, [(ChangeSeq(1), Change::Credential(read.id))]);
    add(&mut store, &credential("dev1@acme"), 2);
    for taken in ["t1", "dev1@acme", "application:fleet@acme", "jwt:me@acme"] {
        let error = other
            .register_thing(&thing(taken, app), "b1", at(7))
            .unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Conflict, "{taken}: {error}");
    }
    for round in 0..10 {
        let made = race(&mut store, &mut other, |store, _| {
            let now = at((round + 1) * 1_000);
            match store.register_thing(&thing(&format!("r{round}"), app), "b1", now) {
                Ok(Registered::Done) => Recorded::Done,
                Ok(Registered::Asked | Registered::Full | Registered::TooFast) | Err(_) => {
                    Recorded::Outdated
                }
            }
        });
        assert_eq!(made, 1, "{round}");
    }
    for forbidden in [
        application("application:fleet@acme", about(false, false)),
        Credential {
            state: State::Suspended,
            ..application("application:fleet@acme", about(false, true))
        },
    ] {
        let forbidden = Credential {
            id: app,
            ..forbidden
        };
        commit(&mut store, &[], |transaction| {
            transaction.update_credential(&forbidden)
        });
        let error = other.register_thing(&thing("t2", app), "b1", at(7));
        assert_eq!(error.unwrap_err().kind(), StoreErrorKind::Unavailable);
        assert!(store.credential(&login_name("t2")).unwrap().is_none());
    }
}

/// A token makes so many things in a second and so many ever, whoever deletes
/// them and however often the store is opened again.
pub fn a_token_registers_no_more_things_than_it_may(mut store: impl GateStore + AdminStore) {
    make_roles(&mut store, "acme", &["meter"]);
    let of = Application {
        registers: Some(AutoRegistration {
            max: 15,
            ..AutoRegistration::default()
        }),
        ..Application::default()
    };
    let (app, _) = add(&mut store, &application("application:fleet@acme", of), 1);
    let mut other = store.reopen().unwrap();
    for number in 0..10 {
        let key = format!("a{number}");
        let made = store.register_thing(&thing(&key, app), "b1", at(5_000 + number));
        assert_eq!(made.unwrap(), Registered::Done, "{key}");
    }
    let late = other.register_thing(&thing("b0", app), "b2", at(5_999));
    assert_eq!(late.unwrap(), Registered::TooFast);
    assert!(store.credential(&login_name("b0")).unwrap().is_none());
    // What is refused for another reason does not count.
    let taken = other.register_thing(&thing("a1", app), "b2", at(6_000));
    assert_eq!(taken.unwrap_err().kind(), StoreErrorKind::Conflict);
    for number in 0..5 {
        let made = other.register_thing(&thing(&format!("b{number}"), app), "b2", at(6_000));
        assert_eq!(made.unwrap(), Registered::Done, "{number}");
    }
    let gone = found(&mut store, "a1").id;
    commit(&mut store, &[], |transaction| {
        transaction.delete_credential(gone)
    });
    let full = other.register_thing(&thing("c0", app), "b2", at(9_000));
    assert_eq!(full.unwrap(), Registered::Full);
    let read = found(&mut store, "application:fleet@acme");
    let Kind::Application(about) = &read.kind else {
        panic!("no application");
    };
    let registers = about.registers.as_ref().unwrap();
    assert_eq!((registers.max, registers.registered), (15, 15));
    assert!(registers.is_full());
}

/// Of two clients that race for a thing, or two things for a client id, one
/// wins.
pub fn a_first_use_has_one_winner(mut store: impl GateStore + AdminStore) {
    let (app, token) = make_application(&mut store, about(false, false), 1);
    for key in ["t1", "t2"] {
        make(&mut store, &thing(key, app));
    }
    let mut other = store.reopen().unwrap();
    // The second one is first: whichever number is lower must not matter.
    let (t1, t2) = (found(&mut store, "t1"), found(&mut store, "t2"));
    let x = client_id("x");
    let tied = store.record_login(&first_use(&t2, token, &x), at(5));
    assert_eq!(tied.unwrap(), Recorded::Done);
    let late = other.record_login(&first_use(&t1, token, &x), at(5));
    assert_eq!(late.unwrap(), Recorded::Outdated);
    assert_eq!(found(&mut other, "t1").client_id_tie, None);
    for round in 0..25 {
        untie(&mut store, &["t1", "t2"]);
        let pair = [found(&mut store, "t1"), found(&mut store, "t2")];
        let same = client_id(&format!("same{round}"));
        let winners = race(&mut store, &mut other, |store, side| {
            let login = first_use(&pair[side], token, &same);
            patiently(|| store.record_login(&login, at(6)))
        });
        assert_eq!(winners, 1, "{round}");
        untie(&mut store, &["t1", "t2"]);
        let one = found(&mut store, "t1");
        let ids = [client_id("left"), client_id("right")];
        let winners = race(&mut store, &mut other, |store, side| {
            let login = first_use(&one, token, &ids[side]);
            patiently(|| store.record_login(&login, at(6)))
        });
        assert_eq!(winners, 1, "{round}");
    }
}

fn secrets(credential: &Credential) -> Vec<SecretId> {
    credential.secrets.iter().map(|secret| secret.id).collect()
}

fn untie<S: GateStore + AdminStore>(store: &mut S, keys: &[&str]) {
    for key in keys {
        let untied = Credential {
            client_id_tie: None,
            ..found(store, key)
        };
        commit(store, &[], |transaction| {
            transaction.update_credential(&untied)
        });
    }
}
