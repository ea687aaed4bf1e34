//! Rows D16–D22: lockouts.

use std::time::Duration;

use countersign_testkit::Connect;
use countersign_testkit::Version;
use countersign_tests::{ACCEPTED, Clock, Fixture, Login, REFUSED, on_every_broker, text};

/// `jane`, hashed quickly, at a broker whose clock can be moved.
fn start(version: Version) -> (Fixture, Clock, Login) {
    let (fixture, clock) = Fixture::start_with_clock(version);
    fixture
        .cli
        .json(&["settings", "set", "--argon2", "m=64,t=1,p=1"]);
    let jane = fixture.jane();
    (fixture, clock, jane)
}

fn fail(fixture: &Fixture, login: &Login, times: usize) {
    let wrong = login.with_secret("wrong");
    for _ in 0..times {
        assert_eq!(wrong.connect("jane").code(fixture.port()), REFUSED);
    }
}

fn code(fixture: &Fixture, login: &Login) -> Option<u8> {
    login.connect("jane").code(fixture.port())
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

const A_SECOND: Duration = Duration::from_secs(1);

on_every_broker! {
    fn d16_each_fifth_failure_locks_for_five_minutes_more(version) {
        let (fixture, clock, jane) = start(version);
        let mut ahead = Duration::ZERO;
        for locked in [5, 10, 15, 20, 25, 30, 30] {
            fail(&fixture, &jane, 4);
            fail(&fixture, &jane, 1);
            clock.set(ahead + minutes(locked) - 3 * A_SECOND);
            assert_eq!(code(&fixture, &jane), REFUSED, "{locked}");
            ahead += minutes(locked) + A_SECOND;
            clock.set(ahead);
        }
        assert_eq!(code(&fixture, &jane), ACCEPTED);
    }

    fn d17_while_locked_the_right_password_is_refused_and_nothing_is_counted(version) {
        let (fixture, clock, jane) = start(version);
        fail(&fixture, &jane, 5);
        assert_eq!(code(&fixture, &jane), REFUSED);
        fail(&fixture, &jane, 10);
        clock.set(minutes(5) - 10 * A_SECOND);
        assert_eq!(code(&fixture, &jane), REFUSED);
        clock.set(minutes(5) + A_SECOND);
        assert_eq!(code(&fixture, &jane), ACCEPTED);
        fixture.wait_for_cause(&jane.username, "locked");
    }

    fn d18_a_login_resets_the_count(version) {
        let (fixture, _clock, jane) = start(version);
        for _ in 0..3 {
            fail(&fixture, &jane, 4);
            assert_eq!(code(&fixture, &jane), ACCEPTED);
        }
        // A right password without its code neither counts nor resets.
        fixture.wait_for_a_fresh_step();
        let authenticator = fixture.enrol_and_confirm(&jane);
        fail(&fixture, &jane.with_code("x"), 2);
        for _ in 0..6 {
            assert_eq!(code(&fixture, &jane), REFUSED);
        }
        let wrong_code = jane.with_code(&authenticator.wrong_code());
        for _ in 0..2 {
            assert_eq!(code(&fixture, &wrong_code), REFUSED);
        }
        assert_eq!(code(&fixture, &jane.with_code(&authenticator.code(0))), ACCEPTED);
        // Wrong codes lock as wrong passwords do.
        for _ in 0..5 {
            assert_eq!(code(&fixture, &wrong_code), REFUSED);
        }
        assert_eq!(code(&fixture, &jane.with_code(&authenticator.code(1))), REFUSED);
    }

    fn d19_a_lock_outlives_a_restart_and_holds_everywhere(version) {
        let (mut fixture, clock, jane) = start(version);
        fail(&fixture, &jane, 5);
        fixture.broker.kill_9().unwrap();
        fixture.broker.restart().unwrap();
        assert_eq!(code(&fixture, &jane), REFUSED);
        let elsewhere = Connect::v5("elsewhere").login("Jane@Mail.Test", &jane.secret);
        assert_ne!(elsewhere.source([127, 0, 0, 9].into()).code(fixture.port()), ACCEPTED);
        let shown = fixture.cli.json(&["user", "show", &jane.username]);
        assert!(!text(&shown, "locked_until").is_empty());
        fixture.cli.json(&["user", "unlock", &jane.username]);
        assert!(fixture.cli.json(&["user", "show", &jane.username])["locked_until"].is_null());
        assert_eq!(code(&fixture, &jane), ACCEPTED);
        drop(clock);
    }

    fn d20_an_address_that_nobody_has_is_locked_alike(version) {
        let (fixture, clock, jane) = start(version);
        let stranger = Login { username: "john@mail.test".into(), secret: "x".into() };
        fail(&fixture, &stranger, 5);
        fail(&fixture, &stranger, 1);
        fixture.wait_for_cause(&stranger.username, "locked");
        // Nothing was made by that.
        assert_eq!(fixture.cli.json(&["user", "list"]).as_array().unwrap().len(), 1);
        clock.set(minutes(5) + A_SECOND);
        assert_eq!(code(&fixture, &stranger), REFUSED);
        assert_eq!(code(&fixture, &jane), ACCEPTED);
    }

    fn d21_nobody_locks_an_application_or_a_device(version) {
        let (fixture, _clock, _jane) = start(version);
        let token = fixture.application("fleet", "t1", &[]);
        let thing = fixture.thing("thing1", "t1", "fleet", &token);
        let device = fixture.credential_with_password("dev", "t1", "a chosen password");
        for login in [&thing, &device] {
            for _ in 0..10 {
                assert_eq!(login.with_secret("wrong").connect("a").code(fixture.port()), REFUSED);
            }
        }
        assert_eq!(thing.connect("app-id").code(fixture.port()), ACCEPTED);
        assert_eq!(device.connect("dev").code(fixture.port()), ACCEPTED);
    }

    fn d22_a_lock_ends_no_session(version) {
        let (fixture, _clock, jane) = start(version);
        let mut live = jane.connect("live").accepted(fixture.port());
        fail(&fixture, &jane, 5);
        assert_eq!(code(&fixture, &jane), REFUSED);
        assert_eq!(live.subscribe(&[("t1/#", 0)]).unwrap(), [0]);
        assert!(live.is_alive());
    }
}

/// The same as D16 and D17, in real time and with a tenant's own policy.
#[test]
fn d16_a_tenant_has_a_policy_of_its_own() {
    let fixture = Fixture::start(Version::V2_1);
    fixture
        .cli
        .json(&["settings", "set", "--argon2", "m=64,t=1,p=1"]);
    let jane = fixture.jane();
    let policy = "failures=2,step=3s,longest=5s";
    fixture
        .cli
        .json(&["tenant", "set", "t1", "--lockout", policy]);
    fail(&fixture, &jane, 2);
    assert_eq!(code(&fixture, &jane), REFUSED);
    std::thread::sleep(Duration::from_millis(3_200));
    fail(&fixture, &jane, 2);
    std::thread::sleep(Duration::from_millis(3_200));
    assert_eq!(code(&fixture, &jane), REFUSED);
    std::thread::sleep(Duration::from_millis(2_000));
    assert_eq!(code(&fixture, &jane), ACCEPTED);
}
