//! What followers tell of who was refused at their brokers.

use countersign_core::audit::{AuditEntry, AuditOutcome};
use countersign_core::ledger::{FollowerLedger as _, JudgedRefusals};
use countersign_core::reason::Reason;
use countersign_core::store::{AdminStore, GateStore};
use countersign_core::told_refusals::{ToldRefusal, ToldRefusals};

use super::hand_back::{NOW, follow, hand_back, handed, secret};
use super::{add, at, commit, credential, look, tenant};

/// Each row counts once, whichever answers are lost, and says whose broker it was.
pub fn refusals_of_followers_are_told_once_and_under_their_names(
    mut store: impl GateStore + AdminStore,
) {
    add(&mut store, &credential("dev1@acme"), 1);
    follow(&mut store, Some(&["acme"]));
    let known = tell(&mut store, &told(0, 0, &[]));
    assert_eq!(known.answer.last, 0);
    let first = told(0, 4, &[login("dev1@acme", 3), publish("dev1@acme", 2)]);
    for _ in 0..2 {
        assert_eq!(tell(&mut store, &first).answer.last, 4);
    }
    // More rows came meanwhile: it begins where the centre is.
    let more = told(0, 5, &[login("dev1@acme", 3), login("dev1@acme", 1)]);
    assert_eq!(tell(&mut store, &more).answer.last, 4);
    assert_eq!(
        tell(&mut store, &told(4, 5, &[login("dev1@acme", 1)]))
            .answer
            .last,
        5
    );
    // What is handed back besides changes nothing of that.
    hand_back(&mut store, &handed(&[]));
    assert_eq!(tell(&mut store, &told(0, 0, &[])).answer.last, 5);
    let rows = of_edge(&mut store);
    let counts: Vec<_> = rows.iter().map(|row| (&*row.act, row.count)).collect();
    assert_eq!(counts, [("login", 3), ("publish", 2), ("login", 1)]);
    let login = &rows[0];
    assert_eq!(login.outcome, AuditOutcome::Refused);
    assert_eq!(login.cause, Some(Reason::BadSecret));
    assert_eq!(login.address.as_deref(), Some("192.0.2.7"));
    assert_eq!((login.time, &*login.subject), (at(500), "dev1@acme"));
    let publish = &rows[1];
    assert_eq!(publish.outcome, AuditOutcome::Denied);
    assert_eq!(publish.topic.as_deref(), Some("a/b"));
    // Another file's rows begin anew.
    let other = ToldRefusals {
        stamp: 8,
        ..told(0, 2, &[])
    };
    assert_eq!(tell(&mut store, &other).answer.last, 2);
}

/// Who is another tenant's is one of all others, and what no broker writes is refused.
pub fn a_follower_names_nobody_whom_it_is_not_told_of(mut store: impl GateStore + AdminStore) {
    add(&mut store, &credential("dev1@acme"), 1);
    add(&mut store, &credential("dev1@other"), 2);
    add(&mut store, &credential("root"), 3);
    commit(&mut store, &[], |transaction| {
        transaction.put_tenant(&tenant("bare"))
    });
    follow(&mut store, Some(&["acme"]));
    let rows = [
        "dev1@acme",
        "dev9@acme",
        "dev1@other",
        "dev9@bare",
        "root",
        "nobody",
        "(anonymous)",
    ];
    let mut rows: Vec<_> = rows.iter().map(|name| login(name, 1)).collect();
    let odd = [
        ToldRefusal {
            count: 0,
            ..login("dev1@acme", 1)
        },
        ToldRefusal {
            act: "credential.create".into(),
            ..login("dev1@acme", 1)
        },
        ToldRefusal {
            cause: "none".into(),
            ..login("dev1@acme", 1)
        },
        ToldRefusal {
            minute: NOW.as_millis() + 300_001,
            ..login("dev1@acme", 1)
        },
        login("a\nb", 1),
        login(&"x".repeat(513), 1),
    ];
    rows.extend(odd.clone());
    let judged = tell(&mut store, &told(0, 9, &rows));
    assert_eq!(judged.refused, odd.len() as u64);
    let told = of_edge(&mut store);
    let (refused, told): (Vec<_>, Vec<_>) = told
        .into_iter()
        .partition(|row| row.act == "follower.hand-back");
    assert_eq!(refused.len(), odd.len());
    let named: Vec<_> = told.iter().map(|row| (&*row.subject, row.count)).collect();
    assert_eq!(
        named,
        [
            ("dev1@acme", 1),
            ("dev9@acme", 1),
            ("nobody", 1),
            ("(anonymous)", 1),
            ("*", 3),
        ]
    );
    assert_eq!(told[4].address, None);
}

fn tell(store: &mut impl GateStore, told: &ToldRefusals) -> JudgedRefusals {
    let judged = store.hear_refusals(&secret(), told, &mut || Some(0), NOW);
    judged.unwrap().unwrap()
}

fn told(after: i64, last: i64, rows: &[ToldRefusal]) -> ToldRefusals {
    ToldRefusals {
        schema: 0,
        stamp: 7,
        after,
        last,
        rows: rows.to_vec(),
    }
}

fn login(subject: &str, count: i64) -> ToldRefusal {
    ToldRefusal {
        minute: 500,
        act: "login".into(),
        subject: subject.into(),
        address: Some("192.0.2.7".into()),
        client_id: Some("c".into()),
        topic: None,
        cause: "bad-secret".into(),
        count,
    }
}

fn publish(subject: &str, count: i64) -> ToldRefusal {
    ToldRefusal {
        act: "publish".into(),
        topic: Some("a/b".into()),
        cause: "no-rule".into(),
        ..login(subject, count)
    }
}

/// What the audit has under the name of the follower, in the order in which it came.
fn of_edge(store: &mut impl AdminStore) -> Vec<AuditEntry> {
    let rows = look(store, |transaction| transaction.audit_after(0, 100));
    let rows = rows.into_iter().map(|row| row.entry);
    rows.filter(|row| row.actor == "broker:edge").collect()
}
