//! Refused logins and denied uses, and what the audit tells of them.

use countersign_core::audit::{AuditOutcome, RefusedAct};
use countersign_core::reason::Reason;
use countersign_core::store::{
    AdminStore, AdminTransaction as _, AuditQuery, Batch, GateStore, Intent, Page, Refusal,
};

use super::{at, audit, entry, look};

/// Refusals of one minute, name, address and reason are one row.
pub fn refusals_add_up_and_end_in_the_audit(mut store: impl GateStore + AdminStore) {
    let wrong = refusal("dev1@acme", Some("::1"), 2);
    let elsewhere = refusal("dev1@acme", None, 1);
    let later = Refusal {
        minute: at(60_000),
        ..refusal("dev1@acme", Some("::1"), 4)
    };
    let unknown = Refusal {
        cause: Reason::UnknownName,
        ..refusal("x", Some("::1"), 1)
    };
    for refusals in [vec![wrong.clone(), elsewhere], vec![wrong, later, unknown]] {
        store
            .write_batch(
                "b1",
                &Batch {
                    refusals,
                    ..Batch::default()
                },
            )
            .unwrap();
    }
    let home = || Some("::1".to_owned());
    let expected = [
        (0, "dev1@acme".into(), None, Reason::BadSecret, 1),
        (0, "dev1@acme".into(), home(), Reason::BadSecret, 4),
        (0, "x".into(), home(), Reason::UnknownName, 1),
        (60_000, "dev1@acme".into(), home(), Reason::BadSecret, 4),
    ];
    assert_eq!(counts(&mut store), expected);
    let mut staged = |most| look(&mut store, |tx| tx.staged_refusals(most));
    let sums = staged(10);
    assert!(sums.iter().all(|row| row.id.is_none()));
    let sums: Vec<_> = sums.iter().map(|row| row.entry.count).collect();
    assert_eq!(
        sums,
        expected
            .iter()
            .map(|it: &(_, String, _, _, _)| it.4)
            .collect::<Vec<_>>()
    );
    let newest = staged(1);
    assert_eq!((newest.len(), newest[0].entry.time), (1, at(60_000)));
    for now in [59_999, 60_000, 60_001, 120_000, 180_000] {
        store.maintain(at(now)).unwrap();
        assert_eq!(counts(&mut store), expected, "{now}");
    }
    let left = look(&mut store, |tx| tx.staged_refusals(10));
    assert_eq!(left, [], "what has a number is a sum no more");
    // What comes late for a minute that is over is a row of its own.
    let late = Batch {
        refusals: vec![refusal("x", None, 1)],
        ..Batch::default()
    };
    store.write_batch("b1", &late).unwrap();
    store.maintain(at(180_000)).unwrap();
    assert_eq!(counts(&mut store).len(), 5);
}

/// A sum of refusals that gets its number between two pages comes once, and so does
/// everything else.
pub fn a_page_of_the_audit_neither_loses_nor_repeats_a_row(mut store: impl GateStore + AdminStore) {
    for pages_before in 0..6 {
        let minute = pages_before * 600_000;
        let act = |number: i64| entry(minute + number / 2, "tenant.create", &format!("t{number}"));
        let acts: Vec<_> = (0..4).map(act).collect();
        let transaction = store.begin(Intent::Write).unwrap();
        transaction.commit(&acts, &[]).unwrap();
        let refusals = ["x", "dev10@acme", "dev1@acme"].map(|subject| Refusal {
            minute: at(minute),
            ..refusal(subject, Some("::1"), 1)
        });
        let batch = Batch {
            refusals: refusals.to_vec(),
            ..Batch::default()
        };
        store.write_batch("b1", &batch).unwrap();
        let query = AuditQuery {
            since: Some(at(minute)),
            ..AuditQuery::default()
        };
        let all = look(&mut store, |transaction| transaction.audit(&query));
        assert_eq!(all.len(), 7);
        let mut listed = Vec::new();
        let mut page = Page {
            after: None,
            limit: 2,
        };
        for number in 0.. {
            if number == pages_before {
                store.maintain(at(minute + 180_000)).unwrap();
            }
            let found = look(&mut store, |transaction| {
                transaction.audit_page(&query, &page)
            });
            listed.extend(found.rows.into_iter().map(|row| row.entry));
            page.after = found.next;
            if page.after.is_none() {
                break;
            }
        }
        let all: Vec<_> = all.into_iter().map(|row| row.entry).collect();
        assert_eq!(listed, all, "{pages_before}");
        store.maintain(at(minute + 180_000)).unwrap();
    }
}

/// Of one name sixteen client ids a minute are told apart, and whose the id was
/// stays with the row.
pub fn refusals_name_client_ids_and_their_owners(mut store: impl GateStore + AdminStore) {
    let about = || Some(r#"{"held_by":"dev0@acme"}"#.to_owned());
    let of = |number: i64| Refusal {
        client_id: Some(format!("c{number}")),
        about: about(),
        ..refusal("dev1@acme", None, 1)
    };
    for refusals in [(0..30).map(of).collect(), vec![of(3), of(29)]] {
        let batch = Batch {
            refusals,
            ..Batch::default()
        };
        store.write_batch("b1", &batch).unwrap();
    }
    let check = |store: &mut _| {
        let rows = audit(store);
        assert_eq!(rows.len(), 17);
        let of = |id: &str| rows.iter().find(|row| row.client_id.as_deref() == Some(id));
        assert_eq!(
            (of("c3").unwrap().count, &of("c3").unwrap().after),
            (2, &about())
        );
        assert_eq!(
            (of("*").unwrap().count, &of("*").unwrap().after),
            (15, &None)
        );
    };
    check(&mut store);
    store.maintain(at(180_000)).unwrap();
    check(&mut store);
}

/// A flood of names fills neither the disk nor the audit, and is counted all
/// the same.
pub fn no_more_than_a_thousand_rows_tell_of_a_minutes_refusals(
    mut store: impl GateStore + AdminStore,
) {
    for batch in 0..3 {
        let names = (0..700).map(|number| format!("bot{}", batch * 700 + number));
        let refusals = names.map(|name| refusal(&name, Some("::1"), 1)).collect();
        store
            .write_batch(
                "b1",
                &Batch {
                    refusals,
                    ..Batch::default()
                },
            )
            .unwrap();
    }
    let known = Batch {
        refusals: vec![refusal("bot0", Some("::1"), 5)],
        ..Batch::default()
    };
    store.write_batch("b1", &known).unwrap();
    for now in [0, 60_000] {
        store.maintain(at(now)).unwrap();
        let rows = audit(&mut store);
        assert!(rows.len() > 900 && rows.len() <= 1_000, "{}", rows.len());
        assert_eq!(rows.iter().map(|row| row.count).sum::<i64>(), 2_105);
        let count_of = |name| {
            rows.iter()
                .find(|row| row.subject == name)
                .map(|row| row.count)
        };
        assert_eq!(count_of("bot0"), Some(6));
        assert!(count_of("*").unwrap() > 1_000);
    }
}

/// Denied uses of one minute, principal, topic and reason are one row, beside the
/// login of that name that was refused.
pub fn denied_uses_add_up_and_keep_their_topic_in_the_audit(
    mut store: impl GateStore + AdminStore,
) {
    let first = denied("dev1@acme", RefusedAct::Publish, "other/x", 3);
    let filter = denied("dev1@acme", RefusedAct::Subscribe, "other/x", 1);
    let login = refusal("dev1@acme", None, 1);
    for refusals in [vec![first.clone(), filter, login], vec![first]] {
        let batch = Batch {
            refusals,
            ..Batch::default()
        };
        store.write_batch("b1", &batch).unwrap();
    }
    for now in [0, 60_000, 120_000] {
        store.maintain(at(now)).unwrap();
        let rows = audit(&mut store).into_iter();
        let rows = rows.map(|row| (row.act, row.outcome, row.topic, row.count));
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by(|one, other| one.0.cmp(&other.0));
        let topic = || Some("other/x".to_owned());
        assert_eq!(
            rows,
            [
                ("login".into(), AuditOutcome::Refused, None, 1),
                ("publish".into(), AuditOutcome::Denied, topic(), 6),
                ("subscribe".into(), AuditOutcome::Denied, topic(), 1),
            ],
            "{now}"
        );
    }
}

/// A flood of denied uses leaves their rows to refused logins, and the other way
/// round.
pub fn denied_uses_and_refused_logins_have_a_thousand_rows_each(
    mut store: impl GateStore + AdminStore,
) {
    let mut refusals = Vec::new();
    for number in 0..1_500 {
        let topic = format!("t/{number}");
        refusals.push(denied("dev1@acme", RefusedAct::Publish, &topic, 1));
        refusals.push(refusal(&format!("bot{number}"), Some("::1"), 1));
    }
    let batch = Batch {
        refusals,
        ..Batch::default()
    };
    store.write_batch("b1", &batch).unwrap();
    let rows = audit(&mut store);
    for act in ["login", "publish"] {
        let rows: Vec<_> = rows.iter().filter(|row| row.act == act).collect();
        assert!(rows.len() > 900 && rows.len() <= 1_000, "{}", rows.len());
        assert_eq!(rows.iter().map(|row| row.count).sum::<i64>(), 1_500);
    }
    let others = rows.iter().find(|row| row.topic.as_deref() == Some("*"));
    assert_eq!(others.unwrap().subject, "*");
}

pub(super) fn refusal(subject: &str, address: Option<&str>, count: i64) -> Refusal {
    Refusal {
        minute: at(0),
        subject: subject.into(),
        address: address.map(Into::into),
        client_id: None,
        topic: None,
        act: RefusedAct::Login,
        about: None,
        cause: Reason::BadSecret,
        count,
    }
}

fn denied(subject: &str, act: RefusedAct, topic: &str, count: i64) -> Refusal {
    Refusal {
        act,
        topic: Some(topic.into()),
        cause: Reason::NoRule,
        ..refusal(subject, None, count)
    }
}

/// The refusals in the audit, sorted: minute, name, address, reason, count.
fn counts(store: &mut impl AdminStore) -> Vec<(i64, String, Option<String>, Reason, i64)> {
    let rows = audit(store).into_iter().map(|row| {
        assert_eq!(
            (row.act.as_str(), row.actor.as_str()),
            ("login", "broker:b1")
        );
        assert_eq!(row.outcome, AuditOutcome::Refused);
        (
            row.time.as_millis(),
            row.subject,
            row.address,
            row.cause.unwrap(),
            row.count,
        )
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort();
    rows
}
