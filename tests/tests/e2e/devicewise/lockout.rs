//! Rows D16–D22: lockouts.

use std::time::Duration;

use countersign_testkit::Connect;
use countersign_testkit::Version;
use countersign_tests::{ACCEPTED, Clock, Login, REFUSED, Site, on_every_broker, text};

/// `jane`, hashed quickly, at a broker whose clock can be moved.
fn start(version: Version) -> (Site, Clock, Login) {
    let (site, clock) = Site::start_with_clock(version);
    site.cli
        .json(&["settings", "set", "--argon2", "m=64,t=1,p=1"]);
    let jane = site.jane();
    (site, clock, jane)
}

fn fail(site: &Site, login: &Login, times: usize) {
    let wrong = login.with_secret("wrong");
    for _ in 0..times {
        assert_eq!(wrong.connect("jane").code(site.port()), REFUSED);
    }
}

fn code(site: &Site, login: &Login) -> Option<u8> {
    login.connect("jane").code(site.port())
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

const A_SECOND: Duration = Duration::from_secs(1);

on_every_broker! {
    fn d16_each_fifth_failure_locks_for_five_minutes_more(version) {
        let (site, clock, jane) = start(version);
        let mut ahead = Duration::ZERO;
        for locked in [5, 10, 15, 20, 25, 30, 30] {
            fail(&site, &jane, 4);
            fail(&site, &jane, 1);
            clock.set(ahead + minutes(locked) - 3 * A_SECOND);
            assert_eq!(code(&site, &jane), REFUSED, "{locked}");
            ahead += minutes(locked) + A_SECOND;
            clock.set(ahead);
        }
        assert_eq!(code(&site, &jane), ACCEPTED);
    }

    fn d17_while_locked_the_right_password_is_refused_and_nothing_is_counted(version) {
        let (site, clock, jane) = start(version);
        fail(&site, &jane, 5);
        assert_eq!(code(&site, &jane), REFUSED);
        fail(&site, &jane, 10);
        clock.set(minutes(5) - 10 * A_SECOND);
        assert_eq!(code(&site, &jane), REFUSED);
        clock.set(minutes(5) + A_SECOND);
        assert_eq!(code(&site, &jane), ACCEPTED);
        site.wait_for_cause(&jane.username, "locked");
    }

    fn d18_a_login_resets_the_count(version) {
        let (site, _clock, jane) = start(version);
        for _ in 0..3 {
            fail(&site, &jane, 4);
            assert_eq!(code(&site, &jane), ACCEPTED);
        }
        // A right password without its code neither counts nor resets.
        site.wait_for_a_fresh_step();
        let authenticator = site.enrol_and_confirm(&jane);
        fail(&site, &jane.with_code("x"), 2);
        for _ in 0..6 {
            assert_eq!(code(&site, &jane), REFUSED);
        }
        let wrong_code = jane.with_code(&authenticator.wrong_code());
        for _ in 0..2 {
            assert_eq!(code(&site, &wrong_code), REFUSED);
        }
        assert_eq!(code(&site, &jane.with_code(&authenticator.code(0))), ACCEPTED);
        // Wrong codes lock as wrong passwords do.
        for _ in 0..5 {
            assert_eq!(code(&site, &wrong_code), REFUSED);
        }
        assert_eq!(code(&site, &jane.with_code(&authenticator.code(1))), REFUSED);
    }

    fn d19_a_lock_outlives_a_restart_and_holds_everywhere(version) {
        let (mut site, clock, jane) = start(version);
        fail(&site, &jane, 5);
        site.broker.kill_9().unwrap();
        site.broker.restart().unwrap();
        assert_eq!(code(&site, &jane), REFUSED);
        let elsewhere = Connect::v5("elsewhere").login("Jane@Mail.Test", &jane.secret);
        assert_ne!(elsewhere.source([127, 0, 0, 9].into()).code(site.port()), ACCEPTED);
        let shown = site.cli.json(&["user", "show", &jane.username]);
        assert!(!text(&shown, "locked_until").is_empty());
        site.cli.json(&["user", "unlock", &jane.username]);
        assert!(site.cli.json(&["user", "show", &jane.username])["locked_until"].is_null());
        assert_eq!(code(&site, &jane), ACCEPTED);
        drop(clock);
    }

    fn d20_an_address_that_nobody_has_is_locked_alike(version) {
        let (site, clock, jane) = start(version);
        let stranger = Login { username: "john@mail.test".into(), secret: "x".into() };
        fail(&site, &stranger, 5);
        fail(&site, &stranger, 1);
        site.wait_for_cause(&stranger.username, "locked");
        // Nothing was made by that.
        assert_eq!(site.cli.json(&["user", "list"]).as_array().unwrap().len(), 1);
        clock.set(minutes(5) + A_SECOND);
        assert_eq!(code(&site, &stranger), REFUSED);
        assert_eq!(code(&site, &jane), ACCEPTED);
    }

    fn d21_nobody_locks_an_application_or_a_device(version) {
        let (site, _clock, _jane) = start(version);
        let token = site.application("fleet", "t1", &[]);
        let thing = site.thing("thing1", "t1", "fleet", &token);
        let device = site.credential_with_password("dev", "t1", "a chosen password");
        for login in [&thing, &device] {
            for _ in 0..10 {
                assert_eq!(login.with_secret("wrong").connect("a").code(site.port()), REFUSED);
            }
        }
        assert_eq!(thing.connect("app-id").code(site.port()), ACCEPTED);
        assert_eq!(device.connect("dev").code(site.port()), ACCEPTED);
    }

    fn d22_a_lock_ends_no_session(version) {
        let (site, _clock, jane) = start(version);
        let mut live = jane.connect("live").accepted(site.port());
        fail(&site, &jane, 5);
        assert_eq!(code(&site, &jane), REFUSED);
        assert_eq!(live.subscribe(&[("t1/#", 0)]).unwrap(), [0]);
        assert!(live.is_alive());
    }
}

/// The same as D16 and D17, in real time and with a tenant's own policy.
#[test]
fn d16_a_tenant_has_a_policy_of_its_own() {
    let site = Site::start(Version::V2_1);
    site.cli
        .json(&["settings", "set", "--argon2", "m=64,t=1,p=1"]);
    let jane = site.jane();
    let policy = "failures=2,step=3s,longest=5s";
    site.cli.json(&["tenant", "set", "t1", "--lockout", policy]);
    fail(&site, &jane, 2);
    assert_eq!(code(&site, &jane), REFUSED);
    std::thread::sleep(Duration::from_millis(3_200));
    fail(&site, &jane, 2);
    std::thread::sleep(Duration::from_millis(3_200));
    assert_eq!(code(&site, &jane), REFUSED);
    std::thread::sleep(Duration::from_millis(2_000));
    assert_eq!(code(&site, &jane), ACCEPTED);
}
