//! What is listed, and what is left out.

use countersign_core::credential::Credential;
use countersign_core::lifecycle::State;
use countersign_core::name::GroupPath;
use countersign_core::store::{
    AdminStore, AdminTransaction, AuditQuery, CredentialQuery, GateStore, Intent,
};
use countersign_core::tenant::{Authentication, Tenant};

use super::{add, at, commit, credential, entry, login_name, look, tenant, tenant_id};

/// A listing is sorted by name, and each filter keeps out what it says.
pub fn credentials_are_listed_by_name_and_filtered(mut store: impl GateStore + AdminStore) {
    let groups = [
        ("d@acme", "DM.X"),
        ("b@acme", "DM"),
        ("c@acme", "DMX"),
        ("a@other", "DM.Y"),
    ];
    for (secret, (name, group)) in (1..).zip(groups) {
        let made = Credential {
            group: Some(GroupPath::parse(group).unwrap()),
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
    let mut names = |query: CredentialQuery| -> Vec<String> {
        let listed = look(&mut store, |transaction| transaction.credentials(&query));
        listed.into_iter().map(|one| one.name.to_string()).collect()
    };
    let all = CredentialQuery::default;
    let acme = || CredentialQuery {
        tenant: Some(tenant_id("acme")),
        ..all()
    };
    let group = |text| Some(GroupPath::parse(text).unwrap());
    let after = |text| Some(login_name(text));
    assert_eq!(names(all()), ["a@other", "b@acme", "c@acme", "d@acme"]);
    assert_eq!(names(acme()), ["b@acme", "c@acme", "d@acme"]);
    let inactive = CredentialQuery {
        state: Some(State::Inactive),
        ..acme()
    };
    assert_eq!(names(inactive), ["b@acme", "d@acme"]);
    let of_group = CredentialQuery {
        group: group("DM"),
        ..all()
    };
    assert_eq!(names(of_group), ["a@other", "b@acme", "d@acme"]);
    let page = CredentialQuery {
        after: after("a@other"),
        limit: Some(2),
        ..all()
    };
    assert_eq!(names(page), ["b@acme", "c@acme"]);
    let page = CredentialQuery {
        after: after("b@acme"),
        group: group("DM"),
        ..acme()
    };
    assert_eq!(names(page), ["d@acme"]);
    let none = CredentialQuery {
        limit: Some(0),
        ..all()
    };
    assert!(names(none).is_empty());
}

/// One question tells whether a client without a login has a chance at all.
pub fn open_tenants_are_those_that_admit_somebody_without_a_login(
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
        let open = store.open_tenants().unwrap();
        assert_eq!(
            store.some_tenant_admits_anonymous().unwrap(),
            !open.is_empty()
        );
        open.iter()
            .map(|tenant| tenant.id.to_string())
            .collect::<Vec<_>>()
    };
    assert!(switch("b", Authentication::Required).is_empty());
    assert_eq!(switch("c", Authentication::Off), ["c"]);
    assert_eq!(switch("a", Authentication::Optional), ["a", "c"]);
    assert_eq!(switch("c", Authentication::Required), ["a"]);
    assert!(switch("a", Authentication::Required).is_empty());
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
    let mut list = |query: AuditQuery| look(&mut store, |transaction| transaction.audit(&query));
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
