//! Schemes and who uses them.

use countersign_core::credential::Credential;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::scheme::{FieldValue, Scheme, SchemeName, Schemes};
use countersign_core::secret::{Argon2Params, PasswordHash, Secret, Verifier};
use countersign_core::store::rows::SchemeRows as _;
use countersign_core::store::{AdminStore, GateStore, Intent, Listed, Page, StoreErrorKind};

use super::{add, commit, credential, look, tenant_id};

/// All fields of a scheme are kept, of whatever kind.
pub fn a_scheme_reads_back_as_it_was_written(mut store: impl GateStore + AdminStore) {
    let mut expected = Schemes::built_in();
    for scheme in Schemes::built_in().iter() {
        let copy = copy_of(scheme, &format!("my-{}", scheme.name()));
        commit(&mut store, &[], |transaction| transaction.add_scheme(&copy));
        expected.add(copy).unwrap();
    }
    assert_eq!(store.schemes().unwrap().readable, expected);
    let read = look(&mut store, |transaction| transaction.schemes());
    assert_eq!(read, expected);
}

/// Built-in schemes can't be replaced, nor can added ones.
pub fn a_taken_scheme_name_is_a_conflict(mut store: impl GateStore + AdminStore) {
    let known = Schemes::built_in();
    let basic = known.find("basic").unwrap();
    let mine = copy_of(known.find("vwire").unwrap(), "mine");
    commit(&mut store, &[], |transaction| transaction.add_scheme(&mine));
    for taken in [basic.clone(), copy_of(basic, "mine")] {
        let mut transaction = store.begin(Intent::Write).unwrap();
        let error = transaction.add_scheme(&taken).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Conflict, "{error}");
    }
    assert_eq!(store.schemes().unwrap().readable.find("mine"), Some(&mine));
}

/// A name that was freed can be used for something else.
pub fn a_scheme_is_removed_with_all_its_fields(mut store: impl GateStore + AdminStore) {
    let known = Schemes::built_in();
    let names = known.iter().map(|scheme| scheme.name().as_str());
    for name in names.collect::<Vec<_>>() {
        let mine = copy_of(known.find(name).unwrap(), "mine");
        commit(&mut store, &[], |transaction| transaction.add_scheme(&mine));
        assert_eq!(store.schemes().unwrap().readable.find("mine"), Some(&mine));
        commit(&mut store, &[], |transaction| {
            transaction.remove_scheme(mine.name())
        });
        assert_eq!(store.schemes().unwrap().readable, known);
    }
    let mut transaction = store.begin(Intent::Write).unwrap();
    for absent in ["mine", "basic"] {
        let absent = scheme_name(absent);
        assert!(transaction.remove_scheme(&absent).is_err());
    }
}

/// It is no setting: those are read as before.
pub fn a_password_under_a_name_of_a_scheme_is_noted_until_that_is_removed(
    mut store: impl GateStore + AdminStore,
) {
    let mine = copy_of(Schemes::built_in().find("vwire").unwrap(), "mine");
    commit(&mut store, &[], |transaction| transaction.add_scheme(&mine));
    let settings = store.settings().unwrap();
    assert_eq!(noted(&mut store), "");
    for (scheme, after) in [
        ("mine", "mine"),
        ("generated", "generated mine"),
        ("mine", "generated mine"),
    ] {
        commit(&mut store, &[], |transaction| {
            transaction.expect_passwords(&scheme_name(scheme))
        });
        assert_eq!(noted(&mut store), after);
        let read = look(&mut store, |transaction| transaction.schemes());
        assert_eq!(read, store.schemes().unwrap().readable);
    }
    commit(&mut store, &[], |transaction| {
        transaction.set_settings(&settings)
    });
    assert_eq!(store.settings().unwrap(), settings);
    commit(&mut store, &[], |transaction| {
        transaction.remove_scheme(mine.name())
    });
    assert_eq!(noted(&mut store), "generated");
}

/// Whoever it is; who has a generated secret alone is not among them.
pub fn names_with_a_password_are_listed_by_name(mut store: impl GateStore + AdminStore) {
    let params = Argon2Params::parse("m=8,t=1,p=1").unwrap();
    let password = Secret::new(b"correct horse".to_vec());
    let hash = PasswordHash::new(&password, [7; 16], params).unwrap();
    for (secret, (name, has_password)) in (1..).zip([
        ("dev2@b", true),
        ("root", true),
        ("dev1@b", false),
        ("dev1@a", true),
    ]) {
        let (id, _) = add(&mut store, &credential(name), secret);
        if has_password {
            commit(&mut store, &[], |transaction| {
                transaction.add_secret(id, &Verifier::Password(hash.clone()))
            });
        }
    }
    let mut pages = Vec::new();
    let mut page = Page {
        limit: 2,
        ..Page::default()
    };
    loop {
        let Listed { rows, next } = look(&mut store, |transaction| {
            transaction.names_with_password(&page)
        });
        pages.push(texts(&rows, LoginName::as_str));
        match next {
            Some(last) => page.after = Some(last),
            None => break,
        }
    }
    assert_eq!(pages, ["dev1@a dev2@b", "root"]);
}

/// Operators, who have no tenant, do not count.
pub fn who_uses_a_scheme_is_told_tenant_by_tenant(mut store: impl GateStore + AdminStore) {
    let made = [
        ("dev1@b", "basic"),
        ("dev2@b", "basic"),
        ("dev1@a", "basic"),
        ("dev3@b", "vwire"),
        ("dev1@c", "impact"),
        ("root", "generated"),
        ("other", "basic"),
    ];
    for (secret, (name, scheme)) in (1..).zip(made) {
        let made = Credential {
            scheme: scheme_name(scheme),
            ..credential(name)
        };
        add(&mut store, &made, secret);
    }
    let mut users = |scheme| {
        let found = look(&mut store, |transaction| {
            transaction.tenants_using_scheme(&scheme_name(scheme))
        });
        texts(&found, TenantId::as_str)
    };
    assert_eq!(users("basic"), "a b");
    assert_eq!(users("vwire"), "b");
    assert_eq!(users("impact"), "c");
    assert_eq!(users("generated"), "");
    assert_eq!(users("application"), "");
    let mut used = |tenant| {
        let found = look(&mut store, |transaction| {
            transaction.schemes_used_by(&tenant_id(tenant))
        });
        texts(&found, SchemeName::as_str)
    };
    assert_eq!(used("a"), "basic");
    assert_eq!(used("b"), "basic vwire");
    assert_eq!(used("c"), "impact");
    assert_eq!(used("d"), "");
}

/// The schemes of whose names some have a password.
fn noted(store: &mut impl GateStore) -> String {
    let schemes = store.schemes().unwrap().readable;
    let noted: Vec<_> = schemes.with_passwords().cloned().collect();
    texts(&noted, SchemeName::as_str)
}

fn scheme_name(text: &str) -> SchemeName {
    SchemeName::parse(text).unwrap()
}

/// The same scheme under another name.
fn copy_of(scheme: &Scheme, name: &str) -> Scheme {
    let fields = scheme
        .to_fields()
        .into_iter()
        .map(|(key, value)| match key {
            "name" => (key, FieldValue::Text(name.into())),
            _ => (key, value),
        });
    Scheme::from_fields(fields).unwrap()
}

fn texts<T>(found: &[T], text: impl Fn(&T) -> &str) -> String {
    found.iter().map(text).collect::<Vec<_>>().join(" ")
}
