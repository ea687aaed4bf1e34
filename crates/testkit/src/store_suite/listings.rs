//! What is listed, and what is left out.

use countersign_core::credential::Credential;
use countersign_core::kind::Kind;
use countersign_core::lifecycle::State;
use countersign_core::name::{GroupPath, LoginName};
use countersign_core::scheme::SchemeName;
use countersign_core::store::{
    AdminStore, AdminTransaction, AuditQuery, CredentialQuery, GateStore, Intent, Page, all_rows,
};
use countersign_core::tenant::{Authentication, Tenant};

use super::{add, at, commit, credential, entry, login_name, look, tenant, tenant_id};

/// A listing is sorted by name, and each filter keeps out what it says.
pub fn credentials_are_listed_by_name_and_filtered(mut store: impl GateStore + AdminStore) {
    let groups = [
        ("d@acme", ["DMX", "DM.X"].as_slice()),
        ("b@acme", &["DM"]),
        ("c@acme", &["DMX"]),
        ("a@other", &["DM.Y", "DM"]),
        ("e@other", &[]),
    ];
    for (secret, (name, groups)) in (1..).zip(groups) {
        let made = Credential {
            groups: groups
                .iter()
                .map(|path| GroupPath::parse(path).unwrap())
                .collect(),
            state: if name == "c@acme" {
                State::Revoked
            } else {
                State::Inactive
            },
            ..credential(name)
        };
        add(&mut store, &made, secret);
    }
    add(&mut store, &credential("operator"), 9);
    let mut page_of = |query: CredentialQuery, page: &Page<LoginName>| -> Vec<String> {
        let listed = look(&mut store, |transaction| {
            transaction.credentials(&query, page)
        });
        let names = listed.rows.into_iter().map(|one| one.name.to_string());
        names.collect()
    };
    let all = CredentialQuery::default;
    let acme = || CredentialQuery {
        tenant: Some(tenant_id("acme")),
        ..all()
    };
    let group = |text| Some(GroupPath::parse(text).unwrap());
    let after = |text| Page::after(login_name(text));
    assert_eq!(
        page_of(all(), &Page::default()),
        ["a@other", "b@acme", "c@acme", "d@acme", "e@other"]
    );
    assert_eq!(
        page_of(acme(), &Page::default()),
        ["b@acme", "c@acme", "d@acme"]
    );
    let inactive = CredentialQuery {
        state: Some(State::Inactive),
        ..acme()
    };
    assert_eq!(page_of(inactive, &Page::default()), ["b@acme", "d@acme"]);
    let of_group = CredentialQuery {
        group: group("DM"),
        ..all()
    };
    assert_eq!(
        page_of(of_group, &Page::default()),
        ["a@other", "b@acme", "d@acme"]
    );
    let within = CredentialQuery {
        within: group("DM"),
        ..all()
    };
    assert_eq!(page_of(within, &Page::default()), ["a@other", "b@acme"]);
    let both = CredentialQuery {
        within: group("DM"),
        group: group("DM.Y"),
        ..all()
    };
    assert_eq!(page_of(both, &Page::default()), ["a@other"]);
    let two = Page {
        limit: 2,
        ..after("a@other")
    };
    assert_eq!(page_of(all(), &two), ["b@acme", "c@acme"]);
    let of_group = CredentialQuery {
        group: group("DM"),
        ..acme()
    };
    assert_eq!(page_of(of_group, &after("b@acme")), ["d@acme"]);
    let none = Page {
        limit: 0,
        ..Page::default()
    };
    assert!(page_of(all(), &none).is_empty());
}

/// Operators stand outside of all tenants, in listings too.
pub fn operators_are_listed_apart_by_name(mut store: impl GateStore + AdminStore) {
    for (secret, name) in (1..).zip(["root", "dev1@acme", "bridge"]) {
        add(&mut store, &credential(name), secret);
    }
    let listed = look(&mut store, |transaction| {
        all_rows(|page| transaction.operators(page))
    });
    let names: Vec<_> = listed.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["bridge", "root"]);
    assert!(listed.iter().all(|one| one.secrets.len() == 1));
}

/// A name with an `@` that is not its tenant's is found by what stands behind that.
pub fn names_that_imports_kept_are_found_by_what_they_end_with(
    mut store: impl GateStore + AdminStore,
) {
    let names = [
        "a@home",
        "B@Home",
        "c@d@home",
        "e@home.test",
        "f@homes",
        "dev1@acme",
        "g",
    ];
    for (secret, name) in (1..).zip(names) {
        let kept = Credential {
            kind: Kind::Device,
            tenant: Some(tenant_id("acme")),
            ..credential(name)
        };
        add(&mut store, &kept, secret);
    }
    add(&mut store, &credential("x@home"), 20);
    let mut under = |suffix: &str, most: usize| {
        let names = look(&mut store, |transaction| {
            transaction.names_kept_under(suffix, most)
        });
        names.iter().map(LoginName::to_string).collect::<Vec<_>>()
    };
    assert_eq!(under("home", 9), ["a@home", "B@Home", "c@d@home"]);
    assert_eq!(under("home", 2), ["a@home", "B@Home"]);
    assert_eq!(under("HOME.test", 9), ["e@home.test"]);
    for none in ["acme", "", "g", "me", "%", "none"] {
        assert!(under(none, 9).is_empty(), "{none}");
    }
    for (name, kept) in [
        ("b@home", Some("B@Home")),
        ("E@HOME.TEST", Some("e@home.test")),
        ("dev1@acme", None),
        ("x@home", None),
        ("b@homes", None),
    ] {
        let name = LoginName::parse(name).unwrap();
        let found = look(&mut store, |transaction| transaction.name_kept_like(&name));
        assert_eq!(found.as_ref().map(LoginName::as_str), kept, "{name}");
    }
}

/// What must be unique is found wherever it is.
pub fn an_attribute_finds_its_holder(mut store: impl GateStore + AdminStore) {
    for (secret, (name, key, value)) in (1..).zip([
        ("dev1@acme", "token", "x"),
        ("dev2@other", "token", "y"),
        ("dev3@other", "serial", "x"),
    ]) {
        let holder = Credential {
            attributes: [(key.into(), value.into())].into(),
            ..credential(name)
        };
        add(&mut store, &holder, secret);
    }
    let mut holder = |key: &str, value: &str| {
        let found = look(&mut store, |transaction| {
            transaction.holder_of_attribute(key, value)
        });
        found.map(|name| name.to_string())
    };
    assert_eq!(holder("token", "x").as_deref(), Some("dev1@acme"));
    assert_eq!(holder("token", "y").as_deref(), Some("dev2@other"));
    assert_eq!(holder("serial", "x").as_deref(), Some("dev3@other"));
    assert_eq!(holder("serial", "y"), None);
    assert_eq!(holder("token", ""), None);
    let later = Credential {
        attributes: [("token".into(), "x".into())].into(),
        scheme: SchemeName::plain(),
        ..credential("dev4@other")
    };
    add(&mut store, &later, 4);
    for (scheme, value, expected) in [
        (SchemeName::basic(), "x", ["dev1@acme"].as_slice()),
        (SchemeName::plain(), "x", &["dev4@other"]),
        (SchemeName::plain(), "y", &[]),
    ] {
        let found = look(&mut store, |transaction| {
            transaction.holders_in_scheme(&scheme, "token", value)
        });
        let found: Vec<_> = found.iter().map(LoginName::as_str).collect();
        assert_eq!(found, expected, "{scheme} {value}");
    }
}

/// One question tells whether a client without a login has a chance at all.
pub fn some_tenant_admits_anonymous_while_one_is_not_required(
    mut store: impl GateStore + AdminStore,
) {
    let mut switch = |id: &str, authentication| {
        let switched = Tenant {
            authentication,
            ..tenant(id)
        };
        commit(&mut store, &[], |transaction| {
            transaction.put_tenant(&switched)
        });
        let tenants = store.tenants().unwrap().readable;
        assert!(tenants.is_sorted_by_key(|tenant| tenant.id.clone()));
        let admits = |tenant: &Tenant| tenant.authentication.admits_anonymous();
        let is_open = store.some_tenant_admits_anonymous().unwrap();
        assert_eq!(is_open, tenants.iter().any(|tenant| admits(tenant)));
        (tenants.len(), is_open)
    };
    assert_eq!(switch("b", Authentication::Required), (1, false));
    assert_eq!(switch("c", Authentication::Off), (2, true));
    assert_eq!(switch("a", Authentication::Optional), (3, true));
    assert_eq!(switch("c", Authentication::Required), (3, true));
    assert_eq!(switch("a", Authentication::Required), (3, false));
}

/// A limit means the newest rows; the newest row is the last.
pub fn the_audit_lists_the_newest_rows_and_filters_them(mut store: impl GateStore + AdminStore) {
    let rows = [
        entry(10, "tenant.create", "acme"),
        entry(20, "credential.create", "dev1@acme"),
        entry(30, "credential.create", "dev2@acme"),
        entry(40, "credential.suspend", "dev1@acme"),
    ];
    store
        .begin(Intent::Write)
        .unwrap()
        .commit(&rows[..2], &[])
        .unwrap();
    store
        .begin(Intent::Write)
        .unwrap()
        .commit(&rows[2..], &[])
        .unwrap();
    let mut list = |query: AuditQuery| -> Vec<_> {
        let rows = look(&mut store, |transaction| transaction.audit(&query));
        rows.into_iter().map(|row| row.entry).collect()
    };
    let all = AuditQuery::default;
    assert_eq!(list(all()), rows);
    assert_eq!(
        list(AuditQuery {
            limit: Some(2),
            ..all()
        }),
        rows[2..]
    );
    assert_eq!(
        list(AuditQuery {
            since: Some(at(20)),
            ..all()
        }),
        rows[1..]
    );
    let of_dev1 = || AuditQuery {
        subject: Some("dev1@acme".into()),
        ..all()
    };
    assert_eq!(list(of_dev1()), [rows[1].clone(), rows[3].clone()]);
    let last = AuditQuery {
        since: Some(at(11)),
        limit: Some(1),
        ..of_dev1()
    };
    assert_eq!(list(last), rows[3..]);
    assert!(
        list(AuditQuery {
            limit: Some(0),
            ..all()
        })
        .is_empty()
    );
}
