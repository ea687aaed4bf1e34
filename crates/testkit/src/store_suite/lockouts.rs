//! Failed logins and lockouts.

use std::thread;
use std::time::Duration;

use countersign_core::connect::FailedLogin;
use countersign_core::lockout::{Lockout, LockoutPolicy};
use countersign_core::reason::Reason;
use countersign_core::store::{AdminStore, GateStore};
use countersign_core::time::Timestamp;

use super::people::{JANE, user};
use super::{add, at, at_once, commit, login_name, look, patiently};

/// Failures add up, whichever connection counts them, and outlast a restart;
/// while somebody is locked, none is counted.
pub fn failures_add_up_and_outlast_a_restart(mut store: impl GateStore + AdminStore) {
    add(&mut store, &user(Vec::new(), None), 1);
    let mut other = store.reopen().unwrap();
    for email in [JANE, "nobody@mail.test"] {
        for count in 1..=4 {
            let store = if count % 2 == 0 {
                &mut store
            } else {
                &mut other
            };
            let counted = fail(store, email, at(10));
            assert_eq!((counted.failures, counted.locked_until), (count, None));
        }
        let locked = fail(&mut store, email, at(10));
        let five_minutes = Duration::from_secs(300);
        assert_eq!(locked.locked_until, Some(at(10).plus(five_minutes)));
        assert_eq!(fail(&mut other, email, at(11)), locked);
    }
    drop(store);
    let mut store = other.reopen().unwrap();
    drop(other);
    for email in [JANE, "nobody@mail.test"] {
        let locked = store.lockout(&login_name(email)).unwrap();
        assert_eq!(locked.failures, 5);
        assert!(locked.is_locked(at(299_000)));
        let after = at(10).plus(Duration::from_secs(300));
        assert_eq!(fail(&mut store, email, after).failures, 6);
        commit(&mut store, &[], |transaction| {
            assert_eq!(transaction.lockout(&login_name(email))?.failures, 6);
            transaction.clear_lockout(&login_name(email))?;
            // There need be nothing to clear.
            transaction.clear_lockout(&login_name(email))
        });
        let cleared = store.lockout(&login_name(email)).unwrap();
        assert_eq!(cleared, Lockout::default());
    }
}

/// No failure is lost between two brokers.
pub fn failures_of_two_brokers_are_all_counted(mut store: impl GateStore + AdminStore) {
    add(&mut store, &user(Vec::new(), None), 1);
    let mut other = store.reopen().unwrap();
    for _ in 0..30 {
        at_once(&mut store, &mut other, |store, _| {
            fail_under(store, JANE, "failures=100,step=1s,longest=1s", at(10))
        });
    }
    assert_eq!(store.lockout(&login_name(JANE)).unwrap().failures, 60);
}

/// Of addresses that no user has, the newest 10,000 are kept; people are kept
/// besides.
pub fn addresses_that_nobody_has_are_kept_in_a_bounded_number(
    mut store: impl GateStore + AdminStore,
) {
    add(&mut store, &user(Vec::new(), None), 1);
    fail(&mut store, JANE, at(1));
    let name = |number: i64| format!("x{number}@mail.test");
    // Each is synced to disk, and those that wait for the disk do so together.
    thread::scope(|scope| {
        for part in 0..16 {
            let mut store = store.reopen().unwrap();
            scope.spawn(move || {
                for number in (part..10_000).step_by(16) {
                    fail(&mut store, &name(number), at(1_000 + number));
                }
            });
        }
    });
    let counted = |store: &mut _, who: &str| count(store, who);
    assert_eq!(counted(&mut store, &name(0)), 1);
    // The clock was set back: what is counted now stays all the same.
    fail(&mut store, "new@mail.test", at(2));
    assert_eq!(counted(&mut store, "new@mail.test"), 1);
    assert_eq!(counted(&mut store, &name(0)), 0);
    assert_eq!(counted(&mut store, &name(1)), 1);
    assert_eq!(counted(&mut store, JANE), 1);
    // Who is made later is a person from then on.
    let late = countersign_core::credential::Credential {
        name: login_name("new@mail.test"),
        ..user(Vec::new(), None)
    };
    add(&mut store, &late, 2);
    for number in 10_000..10_003 {
        fail(&mut store, &name(number), at(1_000 + number));
    }
    assert_eq!(counted(&mut store, "new@mail.test"), 1);
}

/// What was counted is forgotten once nothing was added for a month, and not
/// when a lock ends: the next one is longer.
pub fn what_was_counted_is_forgotten_after_a_month(mut store: impl GateStore + AdminStore) {
    add(&mut store, &user(Vec::new(), None), 1);
    let day = Duration::from_secs(86_400);
    for email in [JANE, "nobody@mail.test"] {
        for _ in 0..5 {
            fail(&mut store, email, at(0));
        }
    }
    store.maintain(at(0).plus(day * 30)).unwrap();
    assert_eq!(count(&mut store, JANE), 5);
    assert_eq!(count(&mut store, "nobody@mail.test"), 5);
    store.maintain(at(1).plus(day * 30)).unwrap();
    assert_eq!(count(&mut store, JANE), 0);
    assert_eq!(count(&mut store, "nobody@mail.test"), 0);
}

fn count<S: GateStore + AdminStore>(store: &mut S, email: &str) -> u32 {
    let name = login_name(email);
    let counted = store.lockout(&name).unwrap();
    assert_eq!(
        look(store, |transaction| transaction.lockout(&name)),
        counted
    );
    counted.failures
}

/// Counts one failure under the default policy.
pub(crate) fn fail<S: GateStore>(store: &mut S, email: &str, now: Timestamp) -> Lockout {
    let policy = LockoutPolicy::default().to_string();
    fail_under(store, email, &policy, now)
}

fn fail_under<S: GateStore>(store: &mut S, email: &str, policy: &str, now: Timestamp) -> Lockout {
    let failure = FailedLogin {
        reason: Reason::BadSecret,
        email: login_name(email),
        policy: LockoutPolicy::parse(policy).unwrap(),
    };
    patiently(|| store.record_failure(&failure, now))
}
