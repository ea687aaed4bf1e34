//! What is listed by what is said of it: credentials, their sessions, and rows of the
//! audit.

use countersign_core::audit::{AuditEntry, AuditOutcome, AuditRow};
use countersign_core::credential::Credential;
use countersign_core::presence::{Presence, PresenceEvent};
use countersign_core::role::RoleName;
use countersign_core::scheme::SchemeName;
use countersign_core::store::{
    AdminStore, AdminTransaction as _, AuditQuery, CredentialQuery, GateStore, Intent, Listed, Page,
};

use super::{
    add, anonymous, at, commit, credential, entry, login_name, look, make_roles, observe, tenant_id,
};

/// Each further filter keeps out what it says, and several keep out what any does.
pub fn credentials_are_filtered_by_what_is_said_of_them(mut store: impl GateStore + AdminStore) {
    make_roles(&mut store, "acme", &["reader", "writer"]);
    let role = |name: &str| RoleName::parse(name).unwrap();
    let made = [
        Credential {
            roles: vec![role("reader"), role("writer")],
            created_at: at(1_000),
            expires_at: Some(at(7_000)),
            ..credential("dev1@acme")
        },
        Credential {
            roles: vec![role("writer")],
            attributes: [("line".into(), "4".into()), ("hall".into(), "2".into())].into(),
            created_at: at(2_000),
            expires_at: Some(at(8_000)),
            ..credential("dev10@acme")
        },
        Credential {
            attributes: [("line".into(), "4".into())].into(),
            scheme: SchemeName::plain(),
            created_at: at(3_000),
            ..credential("dev2@acme")
        },
        Credential {
            attributes: [("line".into(), "40".into())].into(),
            created_at: at(3_000),
            ..credential("sen@acme")
        },
    ];
    for (secret, made) in (1..).zip(&made) {
        add(&mut store, made, secret);
    }
    let used = store.credential(&made[0].name).unwrap().unwrap().id;
    commit(&mut store, &[], |transaction| {
        transaction.note_use(used, at(5_000))
    });
    let mut found = |query: CredentialQuery| {
        let listed = look(&mut store, |transaction| {
            transaction.credentials(&query, &Page::default())
        });
        let names = listed.rows.iter().map(|it| it.name.as_str());
        let names = names.map(|name| name.trim_end_matches("@acme").to_owned());
        names.collect::<Vec<_>>().join(" ")
    };
    let all = CredentialQuery::default;
    let with = |key: &str, value: &str| CredentialQuery {
        attributes: [(key.into(), value.into())].into(),
        ..all()
    };
    let of_role = |name| CredentialQuery {
        role: Some(role(name)),
        ..all()
    };
    let beginning = |prefix| CredentialQuery {
        name_prefix: Some(login_name(prefix)),
        ..all()
    };
    let unused = |since| CredentialQuery {
        unused_since: Some(at(since)),
        ..all()
    };
    let ending = |end| CredentialQuery {
        expires_before: Some(at(end)),
        ..all()
    };
    let of_scheme = CredentialQuery {
        scheme: Some(SchemeName::plain()),
        ..all()
    };
    let several = CredentialQuery {
        role: Some(role("writer")),
        name_prefix: Some(login_name("dev1")),
        expires_before: Some(at(9_000)),
        ..with("line", "4")
    };
    let both = CredentialQuery {
        attributes: [("line".into(), "4".into()), ("hall".into(), "2".into())].into(),
        ..all()
    };
    for (query, names) in [
        (of_scheme, "dev2"),
        (of_role("writer"), "dev10 dev1"),
        (of_role("reader"), "dev1"),
        (of_role("none"), ""),
        (beginning("dev1"), "dev10 dev1"),
        (beginning("dev1@"), "dev1"),
        (beginning("DEV"), ""),
        (beginning("%"), ""),
        (with("line", "4"), "dev10 dev2"),
        (with("line", ""), ""),
        (both, "dev10"),
        (unused(2_000), ""),
        (unused(2_001), "dev10"),
        (unused(5_000), "dev10 dev2 sen"),
        (unused(5_001), "dev10 dev1 dev2 sen"),
        (ending(7_000), ""),
        (ending(7_001), "dev1"),
        (several, "dev10"),
    ] {
        assert_eq!(found(query.clone()), names, "{query:?}");
    }
}

/// Whichever brokers they are at, and no other's.
pub fn the_sessions_of_a_credential_are_found(mut store: impl GateStore + AdminStore) {
    let [one, other] = ["dev1@acme", "dev2@acme"].map(login_name);
    for (secret, name) in (1..).zip([&one, &other]) {
        add(&mut store, &credential(name.as_str()), secret);
    }
    let mut id_of = |name| store.credential(name).unwrap().unwrap().id;
    let (one, other) = (id_of(&one), id_of(&other));
    for (broker, sessions) in [
        ("b2", [(1, Some(one)), (2, Some(other))]),
        ("b1", [(7, Some(one)), (8, None)]),
    ] {
        let session = |(number, credential)| Presence {
            credential,
            ..anonymous(number, "c")
        };
        let came = sessions.map(|it| PresenceEvent::Connected(session(it)));
        observe(&mut store, broker, came.into());
    }
    let mut found = |id| {
        let sessions = look(&mut store, |transaction| {
            transaction.presence_of_credential(id)
        });
        let sessions = sessions.into_iter();
        sessions
            .map(|it| (it.broker, it.presence.session.0))
            .collect::<Vec<_>>()
    };
    assert_eq!(found(one), [("b1".into(), 7), ("b2".into(), 1)]);
    assert_eq!(found(other), [("b2".into(), 2)]);
}

/// Each filter keeps out what it says; a row is a tenant's by what it says, else by whose
/// credential it is about, else by the name's end.
pub fn the_audit_is_filtered_by_what_its_rows_say(mut store: impl GateStore + AdminStore) {
    let kept = Credential {
        tenant: Some(tenant_id("other")),
        ..credential("kept@acme")
    };
    add(&mut store, &kept, 1);
    let refused = |time, subject: &str, address: &str| AuditEntry {
        actor: "broker:b1".into(),
        outcome: AuditOutcome::Refused,
        address: Some(address.into()),
        after: None,
        ..entry(time, "login", subject)
    };
    let says = |time, act, subject, json: &str| AuditEntry {
        after: Some(json.into()),
        ..entry(time, act, subject)
    };
    let rows = [
        entry(100_000, "tenant.set", "acme"),
        refused(160_000, "dev1@acme", "10.0.0.1"),
        refused(160_000, "kept@acme", "10.0.0.2"),
        says(
            230_000,
            "role.set",
            "ops",
            r#"{"name":"ops","tenant":"acme"}"#,
        ),
        says(
            240_000,
            "role.set",
            "ops@acme",
            r#"{"tenant":"other","description":"\"tenant\":\"acme\""}"#,
        ),
        entry(250_000, "role.set", "acme"),
    ];
    let before = look(&mut store, |transaction| transaction.audit_after(0, 9)).len();
    store
        .begin(Intent::Write)
        .unwrap()
        .commit(&rows, &[])
        .unwrap();
    let mut found = |query: AuditQuery| -> Vec<usize> {
        let whole = look(&mut store, |transaction| transaction.audit(&query));
        let newest = AuditQuery {
            limit: Some(1),
            ..query.clone()
        };
        let newest = look(&mut store, |transaction| transaction.audit(&newest));
        assert_eq!(newest.last(), whole.last(), "{query:?}");
        for limit in [1, 2, 9] {
            let paged = look(&mut store, |transaction| {
                let mut page = Page { after: None, limit };
                let mut all = Vec::new();
                loop {
                    let Listed { rows, next } = transaction.audit_page(&query, &page)?;
                    all.extend(rows);
                    match next {
                        Some(key) => page.after = Some(key),
                        None => return Ok(all),
                    }
                }
            });
            assert_eq!(paged, whole, "{query:?}, by {limit}");
        }
        let place = |row: &AuditRow| rows.iter().position(|it| *it == row.entry);
        whole.iter().filter_map(place).collect()
    };
    let all = AuditQuery::default;
    for (query, expected) in [
        (all(), [0, 1, 2, 3, 4, 5].as_slice()),
        (
            AuditQuery {
                until: Some(at(230_000)),
                ..all()
            },
            &[0, 1, 2, 3],
        ),
        (
            AuditQuery {
                since: Some(at(219_999)),
                ..all()
            },
            &[1, 2, 3, 4, 5],
        ),
        (
            AuditQuery {
                since: Some(at(220_000)),
                ..all()
            },
            &[3, 4, 5],
        ),
        (
            AuditQuery {
                actor: Some("broker:b1".into()),
                ..all()
            },
            &[1, 2],
        ),
        (
            AuditQuery {
                act: Some("role.set".into()),
                ..all()
            },
            &[3, 4, 5],
        ),
        (
            AuditQuery {
                act: Some("role".into()),
                ..all()
            },
            &[],
        ),
        (
            AuditQuery {
                outcome: Some(AuditOutcome::Refused),
                ..all()
            },
            &[1, 2],
        ),
        (
            AuditQuery {
                outcome: Some(AuditOutcome::Done),
                ..all()
            },
            &[0, 3, 4, 5],
        ),
        (
            AuditQuery {
                address: Some("10.0.0.2".into()),
                ..all()
            },
            &[2],
        ),
        (
            AuditQuery {
                tenant: Some(tenant_id("acme")),
                ..all()
            },
            &[0, 1, 3],
        ),
        (
            AuditQuery {
                tenant: Some(tenant_id("other")),
                ..all()
            },
            &[2, 4],
        ),
        (
            AuditQuery {
                tenant: Some(tenant_id("other")),
                act: Some("login".into()),
                ..all()
            },
            &[2],
        ),
    ] {
        assert_eq!(found(query.clone()), expected, "{query:?}");
    }
    let numbered = look(&mut store, |transaction| transaction.audit_after(0, 99));
    let numbers: Vec<_> = numbered.iter().filter_map(|row| row.id).collect();
    assert_eq!(numbers.len(), before + rows.len());
    assert!(numbers.is_sorted());
    let last = look(&mut store, |transaction| {
        transaction.audit_after(numbers[before], 2)
    });
    let last: Vec<_> = last.into_iter().map(|row| row.entry).collect();
    assert_eq!(last, rows[1..3]);
}
