//! What followers hand back: what counts, and what is refused.

use countersign_core::change::Change;
use countersign_core::client_id::{ClientId, ClientIdRule};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::follower::{Follower, FollowerName};
use countersign_core::hand_back::{HandBack, HandedAct, HandedItem};
use countersign_core::hex;
use countersign_core::ledger::{FollowerLedger as _, HandBackOutcome};
use countersign_core::lifecycle::State;
use countersign_core::reason::Reason;
use countersign_core::secret::{Secret, SecretDigest};
use countersign_core::store::{AdminStore, GateStore};
use countersign_core::time::Timestamp;

use super::people::{JANE, grant, user};
use super::{
    acts, add, at, audit, commit, credential, digest, found, login_name, make_roles, tenant_id,
};

/// What a broker may have written counts, is told to all brokers, and is written down
/// under the name of that broker.
pub fn what_a_follower_may_say_counts_once(mut store: impl GateStore + AdminStore) {
    let [first, tied] = [ClientIdRule::Any, ClientIdRule::FirstUse].map(|rule| Credential {
        client_id_rule: rule.clone(),
        ..credential(if rule == ClientIdRule::Any {
            "one@acme"
        } else {
            "two@acme"
        })
    });
    let (one, old) = add(&mut store, &first, 1);
    let (two, _) = add(&mut store, &tied, 2);
    follow(&mut store, Some(&["acme"]));
    commit(&mut store, &[], |transaction| {
        transaction.add_secret(one, &digest(3))?;
        transaction.limit_secret(old, None, true)
    });
    let last = store.last_change().unwrap();
    let handed = handed(&[
        (5, HandedAct::Activated { credential: one.0 }),
        (
            0,
            HandedAct::Retired {
                credential: one.0,
                secret: old.0,
            },
        ),
        (6, tie(two, 1, "pump")),
        (7, HandedAct::Used { credential: two.0 }),
        (8, failed("nobody@mail.test", 3)),
    ]);
    for _ in 0..2 {
        let judged = hand_back(&mut store, &handed);
        assert_eq!((judged.refused, judged.answer.seq), (0, 5));
        assert!(judged.answer.undone.is_empty());
        let used = found(&mut store, "one@acme");
        assert_eq!(
            (used.state, used.ever_used, used.secrets.len()),
            (State::Active, true, 1)
        );
        assert_eq!(used.last_used_at, Some(at(5)));
        let tied = found(&mut store, "two@acme");
        assert_eq!(
            (tied.state, tied.last_used_at),
            (State::Inactive, Some(at(7)))
        );
        assert_eq!(
            tied.client_id_tie,
            Some(ClientId::parse("pump").unwrap().tie())
        );
        let counted = store.lockout(&login_name("nobody@mail.test")).unwrap();
        assert_eq!(counted.failures, 3);
    }
    let told = store.changes_after(last, 10).unwrap();
    let told: Vec<_> = told.into_iter().map(|(_, change)| change).collect();
    assert_eq!(told, [one, two].map(Change::Credential));
    let written = audit(&mut store);
    let written: Vec<_> = written
        .iter()
        .filter(|it| it.actor == "broker:edge")
        .collect();
    assert_eq!(
        written.iter().map(|it| &*it.act).collect::<Vec<_>>(),
        [
            "credential.activate",
            "credential.retire-secret",
            "credential.tie"
        ]
    );
    // Another file's numbers begin anew, and what counted already changes nothing.
    let again = HandBack { stamp: 8, ..handed };
    assert_eq!(hand_back(&mut store, &again).refused, 0);
    let counted = store.lockout(&login_name("nobody@mail.test")).unwrap();
    // The fifth failure locks, and what comes then is not judged.
    assert_eq!(counted.failures, 5);
}

/// Whoever has taken a follower's machine over can't say anything else.
pub fn nothing_else_of_a_follower_counts(mut store: impl GateStore + AdminStore) {
    let first_use = |name: &str| Credential {
        client_id_rule: ClientIdRule::FirstUse,
        ..credential(name)
    };
    let ids = ["a@acme", "b@acme", "c@acme", "d@acme", "x@other"];
    let mut made = Vec::new();
    for (secret, name) in (1..).zip(ids) {
        made.push(add(&mut store, &first_use(name), secret));
    }
    let [a, b, c, d, x] = [0, 1, 2, 3, 4].map(|place: usize| made[place]);
    let (operator, _) = add(&mut store, &credential("root"), 9);
    make_roles(&mut store, "other", &["viewer"]);
    add(
        &mut store,
        &user(vec![grant("other", Some("viewer"))], None),
        10,
    );
    follow(&mut store, Some(&["acme"]));
    for (name, state) in [("b@acme", State::Suspended), ("c@acme", State::Revoked)] {
        let stopped = Credential {
            state,
            ..found(&mut store, name)
        };
        commit(&mut store, &[], |transaction| {
            transaction.update_credential(&stopped)
        });
    }
    let of_d = handed(&[(5, tie(d.0, 1, "pump"))]);
    assert_eq!(hand_back(&mut store, &of_d).refused, 0);
    let later = 5 + NOW.as_millis() + 300_000;
    let forged = [
        // What another tenant has, what nobody has, and who stands outside.
        (
            5,
            HandedAct::Activated { credential: x.0.0 },
            Reason::OtherTenant,
        ),
        (5, tie(x.0, 1, "pump"), Reason::OtherTenant),
        (
            5,
            HandedAct::Retired {
                credential: x.0.0,
                secret: x.1.0,
            },
            Reason::OtherTenant,
        ),
        (
            5,
            HandedAct::Used { credential: x.0.0 },
            Reason::OtherTenant,
        ),
        (
            5,
            HandedAct::Used {
                credential: operator.0,
            },
            Reason::OtherTenant,
        ),
        (5, HandedAct::Used { credential: 999 }, Reason::UnknownName),
        // What is stopped is not begun again.
        (
            5,
            HandedAct::Activated { credential: b.0.0 },
            Reason::Suspended,
        ),
        (
            5,
            HandedAct::Activated { credential: c.0.0 },
            Reason::Revoked,
        ),
        (5, tie(b.0, 1, "pump"), Reason::Suspended),
        // Who is tied stays so, to an id that is nobody else's, by what counts now.
        (5, tie(d.0, 1, "other"), Reason::ClientIdMismatch),
        (5, tie(a.0, 1, "pump"), Reason::ClientIdOwned),
        (5, tie(a.0, 2, "mine"), Reason::ClientIdMismatch),
        (
            5,
            HandedAct::Tied {
                credential: a.0.0,
                generation: 1,
                client_id: "00".into(),
            },
            Reason::Malformed,
        ),
        // The newest secret, and one that does not end so, stay.
        (
            5,
            HandedAct::Retired {
                credential: a.0.0,
                secret: a.1.0,
            },
            Reason::Malformed,
        ),
        // Nothing happened in the future.
        (
            later,
            HandedAct::Used { credential: a.0.0 },
            Reason::NotYetValid,
        ),
        (later, failed("nobody@mail.test", 1), Reason::NotYetValid),
        // Names of others, and what is none.
        (5, failed(JANE, 5), Reason::OtherTenant),
        (5, failed("a@acme", 5), Reason::Malformed),
        (5, failed("", 5), Reason::Malformed),
        (
            5,
            HandedAct::Cleared { name: JANE.into() },
            Reason::OtherTenant,
        ),
        (
            5,
            HandedAct::Cleared {
                name: "nobody@mail.test".into(),
            },
            Reason::UnknownName,
        ),
    ];
    let before: Vec<_> = ids
        .map(|name| format!("{:?}", found(&mut store, name)))
        .into();
    let (last, acted) = (store.last_change().unwrap(), acts(&mut store).len());
    let items: Vec<_> = forged
        .iter()
        .map(|(at, what, _)| (*at, what.clone()))
        .collect();
    let judged = hand_back(
        &mut store,
        &HandBack {
            stamp: 9,
            ..handed(&items)
        },
    );
    assert_eq!(judged.refused, forged.len() as u64);
    assert_eq!(judged.answer.undone.len(), 6);
    let after: Vec<_> = ids
        .map(|name| format!("{:?}", found(&mut store, name)))
        .into();
    assert_eq!(before, after);
    assert_eq!(store.last_change().unwrap(), last);
    for name in [JANE, "nobody@mail.test", "a@acme"] {
        assert_eq!(store.lockout(&login_name(name)).unwrap().failures, 0);
    }
    let written = audit(&mut store);
    let written: Vec<_> = written
        .iter()
        .skip_while(|it| it.act != "follower.hand-back")
        .collect();
    assert_eq!(acts(&mut store).len(), acted + forged.len());
    let causes: Vec<_> = written.iter().filter_map(|it| it.cause).collect();
    assert_eq!(causes, forged.map(|(_, _, cause)| cause));
    assert!(written.iter().all(|it| it.actor == "broker:edge"));
    // Who shows no follower's secret says nothing at all.
    let stranger = SecretDigest::of(&Secret::new(b"x".to_vec()));
    let taken = store.take_hand_back(&stranger, &handed(&items), &mut || Some(0), NOW);
    assert_eq!(taken.unwrap(), None);
}

/// What can't be written down by itself is counted by the next that can.
pub fn refusals_of_a_follower_are_written_down_in_a_bounded_number(
    mut store: impl GateStore + AdminStore,
) {
    follow(&mut store, None);
    let items: Vec<_> = (0..9)
        .map(|id| (5, HandedAct::Used { credential: id }))
        .collect();
    let (mut calls, secret) = (0, secret());
    let mut may_audit = || {
        calls += 1;
        (calls > 7).then_some(if calls == 8 { 7 } else { 0 })
    };
    let judged = store.take_hand_back(&secret, &handed(&items), &mut may_audit, NOW);
    assert_eq!(judged.unwrap().unwrap().refused, 9);
    let written: Vec<_> = audit(&mut store)
        .into_iter()
        .filter_map(|it| it.after)
        .collect();
    let written: Vec<_> = written.iter().filter(|it| it.contains("used")).collect();
    assert_eq!(
        written,
        [r#"{"what":"used","more":7}"#, r#"{"what":"used"}"#]
    );
}

pub(super) fn hand_back(store: &mut impl GateStore, handed: &HandBack) -> HandBackOutcome {
    let judged = store.take_hand_back(&secret(), handed, &mut || Some(0), NOW);
    judged.unwrap().unwrap()
}

pub(super) fn handed(items: &[(i64, HandedAct)]) -> HandBack {
    let items = items.iter().zip(1..);
    HandBack {
        schema: 0,
        stamp: 7,
        items: items
            .map(|((at, what), seq)| HandedItem {
                seq,
                at: *at,
                what: what.clone(),
            })
            .collect(),
    }
}

pub(super) fn failed(name: &str, count: u32) -> HandedAct {
    HandedAct::Failed {
        name: name.into(),
        count,
    }
}

fn tie(id: CredentialId, generation: i64, client_id: &str) -> HandedAct {
    HandedAct::Tied {
        credential: id.0,
        generation,
        client_id: hex::encode(&ClientId::parse(client_id).unwrap().tie().0),
    }
}

pub(super) fn follow(store: &mut impl AdminStore, tenants: Option<&[&str]>) {
    let tenants = tenants.map(|ids| ids.iter().map(|id| tenant_id(id)).collect());
    let follower = Follower {
        name: FollowerName::parse("edge").unwrap(),
        tenants,
        digest: secret(),
        era: 1,
        created_at: at(1),
        rotated_at: at(1),
        progress: None,
        lag: None,
        refused: 0,
        machine: None,
    };
    commit(store, &[], |transaction| {
        transaction.put_follower(&follower)
    });
}

pub(super) fn secret() -> SecretDigest {
    SecretDigest::of(&Secret::new(b"edge".to_vec()))
}

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_000);
