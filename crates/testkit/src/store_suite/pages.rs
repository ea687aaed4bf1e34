//! Listings, page by page.

use std::fmt::Debug;

use countersign_core::credential::Credential;
use countersign_core::name::LoginName;
use countersign_core::presence::{Presence, PresenceEvent};
use countersign_core::store::{
    AdminStore, AdminTransaction, CredentialQuery, GateStore, Keyed, Listed, Page, StoreError,
    all_rows,
};

use super::people::{grant, user};
use super::principals::{about, application, make, thing};
use super::tokens::{add_token, parties, token};
use super::{
    add, anonymous, commit, credential, found, login_name, look, make_roles, observe, tenant_id,
};

/// However long its pages are, a listing has every row once, in its order.
pub fn a_listing_is_the_same_by_pages_of_any_length(mut store: impl GateStore + AdminStore) {
    // The applications of the first tenant are not the first by name alone.
    for (app, tenant) in [("z", "acme"), ("b", "acme"), ("a", "other")] {
        make_roles(&mut store, tenant, &["viewer", "editor"]);
        let name = format!("application:{app}@{tenant}");
        let made = Credential {
            tenant: Some(tenant_id(tenant)),
            ..application(&name, about(false, false))
        };
        let id = make(&mut store, &made);
        for number in 0..2 {
            let made = Credential {
                tenant: Some(tenant_id(tenant)),
                ..thing(&format!("t{number}{app}"), id)
            };
            make(&mut store, &made);
        }
    }
    for (secret, name) in (1..).zip(["root", "d2@acme", "bridge", "d1@other", "d3@acme"]) {
        add(&mut store, &credential(name), secret);
    }
    for (email, tenant) in [("joe@mail.test", "acme"), ("amy@mail.test", "other")] {
        let made = Credential {
            name: login_name(email),
            ..user(vec![grant(tenant, None)], None)
        };
        make(&mut store, &made);
    }
    // One more user is among them, and one more role.
    let parties = parties(&mut store);
    for number in [3, 1, 2] {
        add_token(&mut store, &token(number, parties));
    }
    for (broker, tenant) in [("b2", "acme"), ("b1", "other"), ("b10", "acme")] {
        let session = |number| Presence {
            tenant: Some(tenant_id(tenant)),
            ..anonymous(number, "c")
        };
        let came = [2, 10, 1].map(|number| PresenceEvent::Connected(session(number)));
        observe(&mut store, broker, came.into());
    }
    let (acme, everybody) = (tenant_id("acme"), CredentialQuery::default());
    let mut check = PagesCheck(&mut store);
    check.listing(2, |rows, page| rows.tenants(page));
    check.listing(3, |rows, page| rows.credentials(&everybody, page));
    check.listing(2, |rows, page| rows.operators(page));
    check.listing(3, |rows, page| rows.users(page));
    check.listing(2, |rows, page| rows.granted_users(&acme, page));
    for (tenant, applications, things) in [(None, 3, 6), (Some(&acme), 2, 4)] {
        check.listing(applications, |rows, page| rows.applications(tenant, page));
        check.listing(things, |rows, page| rows.things(tenant, None, page));
    }
    for (tenant, roles, sessions) in [(None, 5, 9), (Some(&acme), 3, 6)] {
        check.listing(roles, |rows, page| rows.roles(tenant, page));
        check.listing(sessions, |rows, page| rows.presence(tenant, page));
        check.listing(3, |rows, page| rows.tokens(tenant, page));
    }
}

/// What was added or removed between two pages makes no row come twice, and no
/// other one missing.
pub fn a_page_begins_after_a_key_whether_that_is_there_or_not(
    mut store: impl GateStore + AdminStore,
) {
    for (secret, name) in (1..).zip(["b@acme", "d@acme", "f@acme", "h@acme"]) {
        add(&mut store, &credential(name), secret);
    }
    let mut pages = |after: Option<&str>| page_of_two(&mut store, after);
    assert_eq!(pages(None), ["b@acme", "d@acme"]);
    let last = store.credential(&login_name("d@acme")).unwrap().unwrap().id;
    commit(&mut store, &[], |transaction| {
        transaction.delete_credential(last)
    });
    for (secret, name) in (9..).zip(["c@acme", "e@acme"]) {
        add(&mut store, &credential(name), secret);
    }
    let mut pages = |after: Option<&str>| page_of_two(&mut store, after);
    assert_eq!(pages(Some("d@acme")), ["e@acme", "f@acme"]);
    assert_eq!(pages(Some("f@acme")), ["h@acme"]);
}

/// Users are listed in each tenant that grants them something, in the order in which
/// they were made, and for as long as it does.
pub fn users_are_listed_where_something_is_granted(mut store: impl GateStore + AdminStore) {
    for tenant in ["acme", "beta"] {
        make_roles(&mut store, tenant, &["viewer"]);
    }
    add(&mut store, &credential("d1@acme"), 1);
    for (email, tenants) in [
        ("zoe@mail.test", &["acme", "beta"][..]),
        ("amy@mail.test", &["beta"]),
        ("kim@mail.test", &[]),
        ("bob@mail.test", &["acme"]),
    ] {
        let grants = tenants.iter().map(|tenant| grant(tenant, None));
        let made = Credential {
            name: login_name(email),
            ..user(grants.collect(), None)
        };
        make(&mut store, &made);
    }
    assert_eq!(
        granted_in(&mut store, "acme"),
        ["zoe@mail.test", "bob@mail.test"]
    );
    assert_eq!(
        granted_in(&mut store, "beta"),
        ["zoe@mail.test", "amy@mail.test"]
    );
    assert!(granted_in(&mut store, "none").is_empty());
    let zoe = found(&mut store, "zoe@mail.test").id;
    commit(&mut store, &[], |transaction| {
        transaction.delete_credential(zoe)?;
        transaction.delete_tenant(&tenant_id("beta"))
    });
    assert_eq!(granted_in(&mut store, "acme"), ["bob@mail.test"]);
    assert!(granted_in(&mut store, "beta").is_empty());
}

/// The names of the users whom a tenant grants something.
fn granted_in(store: &mut impl AdminStore, tenant: &str) -> Vec<String> {
    let tenant = tenant_id(tenant);
    let users = look(store, |transaction| {
        all_rows(|page| transaction.granted_users(&tenant, page))
    });
    let names = users.into_iter().map(|it| it.0.name.to_string());
    names.collect()
}

/// The names of up to two devices.
fn page_of_two(store: &mut impl AdminStore, after: Option<&str>) -> Vec<String> {
    let page = Page::<LoginName> {
        after: after.map(login_name),
        limit: 2,
    };
    let listed = look(store, |transaction| {
        transaction.credentials(&CredentialQuery::default(), &page)
    });
    let names = listed.rows.into_iter().map(|it| it.name.to_string());
    names.collect()
}

struct PagesCheck<'a, S>(&'a mut S);

impl<S: AdminStore> PagesCheck<'_, S> {
    /// Holds a listing of so many rows, read by pages, against one page of all.
    fn listing<T: Keyed<Key: Debug + PartialEq>>(
        &mut self,
        rows: usize,
        list: impl Fn(&mut dyn AdminTransaction, &Page<T::Key>) -> Result<Listed<T>, StoreError>,
    ) {
        let whole = look(self.0, |transaction| list(transaction, &Page::default()));
        let whole: Vec<_> = whole.rows.iter().map(Keyed::key).collect();
        assert_eq!(whole.len(), rows, "{whole:?}");
        for limit in 1..=whole.len() + 1 {
            let mut keys = Vec::new();
            let mut page = Page {
                after: None,
                limit: limit as u64,
            };
            loop {
                let Listed { rows, next } = look(self.0, |transaction| list(transaction, &page));
                assert!(rows.len() <= limit);
                keys.extend(rows.iter().map(Keyed::key));
                match next {
                    Some(key) => page.after = Some(key),
                    None => break,
                }
            }
            assert_eq!(keys, whole, "{limit}");
        }
    }
}
