//! What followers hand back of the logins of users.

use countersign_core::credential::CredentialId;
use countersign_core::hand_back::{HandBack, HandedAct};
use countersign_core::ledger::FollowerLedger as _;
use countersign_core::reason::Reason;
use countersign_core::store::{AdminStore, GateStore};
use countersign_core::totp::Step;

use super::hand_back::{NOW, failed, follow, hand_back, handed, secret};
use super::people::{JANE, factor, grant, user, with_user};
use super::{add, at, audit, commit, credential, found, login_name, make_roles};

/// A code that was accepted at a broker is accepted nowhere again. One of later than could
/// be accepted keeps nobody out, and who has no second factor has no codes.
pub fn a_code_that_a_follower_took_is_used_up(mut store: impl GateStore + AdminStore) {
    make_roles(&mut store, "acme", &["viewer"]);
    let grants = vec![grant("acme", Some("viewer"))];
    let (jane, _) = add(&mut store, &user(grants, Some(factor(true))), 1);
    let (device, _) = add(&mut store, &credential("a@acme"), 2);
    follow(&mut store, Some(&["acme"]));
    let now = Step::at(NOW);
    let used = |id: CredentialId, step| HandedAct::CodeUsed {
        credential: id.0,
        step,
    };
    let handed = handed(&[
        (5, used(jane, now.0)),
        (5, used(jane, now.0 - 1)),
        (5, used(jane, now.0 + 2)),
        (5, used(device, now.0)),
    ]);
    assert_eq!(hand_back(&mut store, &handed).refused, 2);
    let found = found(&mut store, JANE);
    let factor = found.kind.user().and_then(|it| it.second_factor.as_ref());
    assert_eq!(factor.unwrap().last_step, Some(now));
    let causes: Vec<_> = audit(&mut store).iter().filter_map(|it| it.cause).collect();
    assert_eq!(causes, [Reason::NotYetValid, Reason::Malformed]);
}

/// Failures of several brokers add up to a lock, and a login ends what was counted, but
/// for whoever needs a code as well.
pub fn failures_of_followers_add_up_and_a_login_ends_them(mut store: impl GateStore + AdminStore) {
    make_roles(&mut store, "acme", &["viewer"]);
    let jane = user(vec![grant("acme", Some("viewer"))], None);
    add(&mut store, &jane, 1);
    follow(&mut store, Some(&["acme"]));
    let fails = |count| handed(&[(5, failed(JANE, count))]);
    let clears = handed(&[(5, HandedAct::Cleared { name: JANE.into() })]);
    let begun = |stamp, handed: &HandBack| HandBack {
        stamp,
        ..handed.clone()
    };
    hand_back(&mut store, &begun(1, &fails(3)));
    assert_eq!(hand_back(&mut store, &begun(2, &clears)).refused, 0);
    assert_eq!(store.lockout(&login_name(JANE)).unwrap().failures, 0);
    hand_back(&mut store, &begun(3, &fails(3)));
    hand_back(&mut store, &begun(4, &fails(4)));
    // The fifth locks, and what came then was not judged.
    let locked = store.lockout(&login_name(JANE)).unwrap();
    assert_eq!(locked.failures, 5);
    assert!(locked.is_locked(at(299_000)));
    assert_eq!(hand_back(&mut store, &begun(5, &clears)).refused, 1);
    let later = at(301_000);
    let with_factor = with_user(&found(&mut store, JANE), |user| {
        user.second_factor = Some(factor(true));
    });
    commit(&mut store, &[], |transaction| {
        transaction.update_credential(&with_factor)
    });
    let judged = store.take_hand_back(&secret(), &begun(6, &clears), &mut || Some(0), later);
    assert_eq!(judged.unwrap().unwrap().refused, 1);
    assert_eq!(store.lockout(&login_name(JANE)).unwrap().failures, 5);
}
