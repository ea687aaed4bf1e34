//! Secrets, states and dates of a device, and its sessions.

use super::*;

#[test]
fn a_login_activates_before_it_is_answered() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential("dev1");
    assert_eq!(
        refused(&fixture.connect(1, "a", Some((DEV1, "wrong")))),
        Reason::BadSecret
    );
    assert_eq!(
        fixture
            .run(&ShowCredential(name(DEV1)))
            .unwrap()
            .credential
            .state,
        State::Inactive
    );
    assert_eq!(
        admitted(&fixture.connect(1, "a", Some((DEV1, &secret)))),
        Some(DEV1)
    );
    let shown = fixture.run(&ShowCredential(name(DEV1))).unwrap().credential;
    assert_eq!(shown.state, State::Active);
    assert!(shown.last_used_at.is_some());
}

#[test]
fn suspending_ends_the_session_and_its_will_is_still_judged_as_it_was() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential("dev1");
    let _in = fixture.connect(1, "a", Some((DEV1, &secret)));
    fixture.run(&SuspendCredential(name(DEV1))).unwrap();
    assert_eq!(fixture.kicked(), ["a"]);
    assert!(
        fixture.wakes.load(Ordering::SeqCst) > 0,
        "the host was woken"
    );
    assert_eq!(
        fixture.publish(1, "a", Some(DEV1), "acme/will"),
        Verdict::Allow
    );
    let delivery = TopicUse::Deliver { topic: b"acme/x" };
    assert_eq!(
        fixture.check(1, "a", Some(DEV1), delivery),
        Verdict::Deny(Reason::Suspended)
    );
    fixture.gate.disconnected(Handle(1));
    assert_eq!(
        fixture.publish(1, "a", Some(DEV1), "acme/will"),
        Verdict::Allow
    );
    let _one = fixture.gate.poll();
    let _two = fixture.gate.poll();
    assert_eq!(
        fixture.publish(1, "a", Some(DEV1), "acme/will"),
        Verdict::Deny(Reason::Unauthenticated)
    );
}

#[test]
fn suspending_and_reactivating_at_once_still_ends_what_ran_before() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential("dev1");
    let _in = fixture.connect(1, "a", Some((DEV1, &secret)));
    fixture.run(&SuspendCredential(name(DEV1))).unwrap();
    fixture.run(&ReactivateCredential(name(DEV1))).unwrap();
    assert_eq!(fixture.kicked(), ["a"]);
    assert_eq!(
        admitted(&fixture.connect(2, "a", Some((DEV1, &secret)))),
        Some(DEV1)
    );
    assert_eq!(fixture.kicked(), [""; 0]);
}

#[test]
fn rotating_ends_exactly_the_sessions_of_the_old_secret() {
    let mut fixture = Fixture::new();
    let old = fixture.credential("dev1");
    let _old = fixture.connect(1, "old", Some((DEV1, &old)));
    let new = fixture
        .run(&RotateCredential {
            name: name(DEV1),
            overlap: Overlap::None,
        })
        .unwrap();
    let new = secret_of(new);
    assert_eq!(
        admitted(&fixture.connect(2, "new", Some((DEV1, &new)))),
        Some(DEV1)
    );
    assert_eq!(fixture.kicked(), ["old"]);
    assert_eq!(
        refused(&fixture.connect(3, "old", Some((DEV1, &old)))),
        Reason::BadSecret
    );
}

#[test]
fn an_overlap_ends_the_old_secret_and_its_sessions_at_its_instant() {
    let mut fixture = Fixture::new();
    let old = fixture.credential("dev1");
    let overlap = Overlap::For(Duration::from_secs(60));
    let new = fixture
        .run(&RotateCredential {
            name: name(DEV1),
            overlap,
        })
        .unwrap();
    let new = secret_of(new);
    let _old = fixture.connect(1, "old", Some((DEV1, &old)));
    let _new = fixture.connect(2, "new", Some((DEV1, &new)));
    assert_eq!(fixture.kicked(), [""; 0]);
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.kicked(), ["old"]);
}

#[test]
fn an_old_secret_that_works_until_the_new_one_is_used_ends_then() {
    let mut fixture = Fixture::new();
    let old = fixture.credential("dev1");
    let overlap = Overlap::UntilUsed;
    let new = fixture
        .run(&RotateCredential {
            name: name(DEV1),
            overlap,
        })
        .unwrap();
    let new = secret_of(new);
    let _old = fixture.connect(1, "old", Some((DEV1, &old)));
    assert_eq!(fixture.kicked(), [""; 0]);
    assert_eq!(
        admitted(&fixture.connect(2, "new", Some((DEV1, &new)))),
        Some(DEV1)
    );
    assert_eq!(fixture.kicked(), ["old"]);
    assert_eq!(
        refused(&fixture.connect(3, "old", Some((DEV1, &old)))),
        Reason::BadSecret
    );
}

#[test]
fn an_expiry_refuses_and_ends_sessions_at_its_instant() {
    let mut fixture = Fixture::new();
    let end =
        Timestamp::from_millis(fixture.clock.load(Ordering::SeqCst)).plus(Duration::from_secs(10));
    let secret = fixture.credential_that("dev1", |new| new.expires_at = Some(end));
    let _in = fixture.connect(1, "a", Some((DEV1, &secret)));
    fixture.pass(Duration::from_millis(9_999));
    assert_eq!(fixture.kicked(), [""; 0]);
    fixture.pass(Duration::from_millis(1));
    assert_eq!(fixture.kicked(), ["a"]);
    assert_eq!(
        refused(&fixture.connect(2, "a", Some((DEV1, &secret)))),
        Reason::Expired
    );
}

#[test]
fn a_kicked_session_is_not_recognised_again() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential("dev1");
    let _in = fixture.connect(1, "a", Some((DEV1, &secret)));
    fixture.run(&SuspendCredential(name(DEV1))).unwrap();
    assert_eq!(fixture.kicked(), ["a"]);
    assert_eq!(
        refused(&fixture.connect(1, "a", Some((DEV1, &secret)))),
        Reason::Suspended
    );
}

#[test]
fn a_credential_made_again_is_another_one() {
    let mut fixture = Fixture::new();
    let old = fixture.credential("dev1");
    let _in = fixture.connect(1, "a", Some((DEV1, &old)));
    fixture.run(&DeleteCredential(name(DEV1))).unwrap();
    let new = fixture.credential("dev1");
    assert_eq!(fixture.kicked(), ["a"]);
    fixture.gate.disconnected(Handle(1));
    assert_eq!(
        refused(&fixture.connect(2, "a", Some((DEV1, &old)))),
        Reason::BadSecret
    );
    assert_eq!(
        admitted(&fixture.connect(2, "a", Some((DEV1, &new)))),
        Some(DEV1)
    );
}

#[test]
fn first_use_binds_the_client_id_for_good() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential_that("dev1", |new| {
        new.client_id_rule = Some(ClientIdRule::FirstUse)
    });
    assert_eq!(
        admitted(&fixture.connect(1, "a", Some((DEV1, &secret)))),
        Some(DEV1)
    );
    assert_eq!(
        refused(&fixture.connect(2, "b", Some((DEV1, &secret)))),
        Reason::ClientIdMismatch
    );
    fixture.run(&UntieCredential(name(DEV1))).unwrap();
    assert_eq!(fixture.kicked(), ["a"]);
    assert_eq!(
        admitted(&fixture.connect(2, "b", Some((DEV1, &secret)))),
        Some(DEV1)
    );
}
