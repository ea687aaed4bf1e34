//! Automatic bans: addresses where so many logins failed.

use std::time::Duration;

use countersign::core::ban::AutoBan;
use countersign::core::lockout::LockoutPolicy;
use countersign::core::reason::Reason;
use countersign::{ConnectInfo, Handle};
use countersign_admin::ban::ListBans;
use countersign_admin::settings::{SetSettings, SettingsChanges};

use crate::fixture::{Fixture, JANE, is_admitted, refused, role_right};

const HERE: Option<&str> = Some("192.0.2.7");
const ELSEWHERE: Option<&str> = Some("198.51.100.7");
/// A name of a shape whose secrets are never hashed.
const CHEAP: &str = "357890055321856";

fn connect<'a>(name: &'a str, password: &'a str, address: Option<&'a str>) -> ConnectInfo<'a> {
    let mut info = ConnectInfo::new(Handle(9), b"guesser");
    info.username = Some(name.as_bytes());
    info.password = Some(password.as_bytes());
    info.address = address;
    info
}

impl Fixture {
    fn with_auto_ban(auto_ban: &str) -> Self {
        let mut fixture = Self::new();
        // Her own failures lock nobody out here.
        let lockout = LockoutPolicy::parse("failures=100,step=1s,longest=1s").unwrap();
        let changes = SettingsChanges {
            lockout: Some(lockout),
            ..SettingsChanges::default()
        };
        fixture.run(&SetSettings(changes)).unwrap();
        fixture.set_auto_ban(auto_ban);
        fixture
    }

    fn set_auto_ban(&mut self, auto_ban: &str) {
        let changes = SettingsChanges {
            auto_ban: Some(AutoBan::parse(auto_ban).unwrap()),
            ..SettingsChanges::default()
        };
        self.run(&SetSettings(changes)).unwrap();
        self.settle();
    }

    /// Why a login is refused, once all is written that came of the ones before.
    #[track_caller]
    fn why(&mut self, name: &str, password: &str, address: Option<&str>) -> Reason {
        let outcome = self.gate.connect(&connect(name, password, address));
        self.settle();
        refused(&outcome)
    }

    #[track_caller]
    fn fail(&mut self, times: usize, address: Option<&str>) {
        for _ in 0..times {
            assert_eq!(self.why(JANE, "wrong", address), Reason::BadSecret);
        }
    }

    /// Says whether Jane is let in from there, and has her leave again.
    fn lets_in(&mut self, address: Option<&str>) -> bool {
        let outcome = self.gate.connect(&connect(JANE, "right", address));
        let is_admitted = is_admitted(&outcome);
        self.gate.disconnected(Handle(9));
        self.settle();
        is_admitted
    }

    fn banned(&mut self) -> Vec<String> {
        self.settle();
        let bans = self.run(&ListBans::default()).unwrap().rows;
        bans.into_iter().map(|ban| ban.shown).collect()
    }
}

#[test]
fn so_many_wrong_logins_ban_their_address_for_a_while_and_no_other() {
    let mut fixture = Fixture::with_auto_ban("3/1m:1h");
    fixture.fail(2, HERE);
    assert_eq!(fixture.banned(), [""; 0]);
    fixture.fail(1, HERE);
    assert_eq!(fixture.banned(), ["192.0.2.7"]);
    assert_eq!(fixture.why(JANE, "right", HERE), Reason::Banned);
    assert!(fixture.lets_in(ELSEWHERE));
    let act = ["broker:bench", "ban.add", "192.0.2.7"].map(str::to_owned);
    assert!(fixture.acts().contains(&act.into()));
    let ban = fixture.run(&ListBans::default()).unwrap().rows.remove(0);
    assert_eq!(
        ban.until,
        Some(fixture.now().plus(Duration::from_secs(3_600)))
    );
    assert_eq!(
        ban.reason.as_deref(),
        Some("automatic: 3 failed logins within 1m")
    );
    fixture.pass(Duration::from_secs(3_600));
    assert!(fixture.lets_in(HERE));
    // It is banned again.
    fixture.fail(3, HERE);
    assert_eq!(fixture.why(JANE, "right", HERE), Reason::Banned);
}

#[test]
fn failures_count_within_the_while_alone() {
    let mut fixture = Fixture::with_auto_ban("3/1m:1h");
    fixture.fail(2, HERE);
    fixture.pass(Duration::from_secs(60));
    fixture.fail(2, HERE);
    assert_eq!(fixture.banned(), [""; 0]);
    fixture.pass(Duration::from_secs(59));
    fixture.fail(1, HERE);
    assert_eq!(fixture.banned(), ["192.0.2.7"]);
}

#[test]
fn wrong_secrets_and_unknown_names_count_however_they_are_checked_and_nothing_else_does() {
    let mut fixture = Fixture::with_auto_ban("4/1m:1h");
    for (name, reason) in [
        ("nobody@acme", Reason::UnknownName),
        ("nobody@nowhere", Reason::UnknownTenant),
        (CHEAP, Reason::UnknownName),
    ] {
        assert_eq!(fixture.why(name, "wrong", HERE), reason, "{name}");
    }
    for _ in 0..5 {
        assert!(fixture.lets_in(HERE));
        // It proves nothing, and is no guess.
        let mut nobody = connect(JANE, "", HERE);
        (nobody.username, nobody.password) = (None, None);
        assert!(!is_admitted(&fixture.gate.connect(&nobody)));
    }
    assert_eq!(fixture.banned(), [""; 0]);
    fixture.fail(1, HERE);
    assert_eq!(fixture.banned(), ["192.0.2.7"]);
}

#[test]
fn a_right_password_that_lets_nobody_in_does_not_count() {
    let mut fixture = Fixture::with_auto_ban("1/1m:1h");
    fixture.user("bob@mail.test", "right");
    fixture.grant("bob@mail.test", "acme", role_right("all"));
    fixture.settle();
    let mut bob = connect("bob@mail.test", "right", ELSEWHERE);
    bob.handle = Handle(1);
    assert!(is_admitted(&fixture.gate.connect(&bob)));
    for _ in 0..3 {
        assert_eq!(fixture.why(JANE, "right", HERE), Reason::ClientIdOwned);
    }
    assert_eq!(fixture.banned(), [""; 0]);
}

#[test]
fn names_that_somebody_else_may_know_do_not_count() {
    let options = [("chain", "defer")];
    let mut fixture = Fixture::with_options(&options);
    fixture.set_auto_ban("1/1m:1h");
    for name in ["nobody@acme", CHEAP] {
        let _refused = fixture.gate.connect(&connect(name, "wrong", HERE));
    }
    assert_eq!(fixture.banned(), [""; 0]);
    fixture.fail(1, HERE);
    assert_eq!(fixture.banned(), ["192.0.2.7"]);
}

#[test]
fn who_goes_on_guessing_is_counted_also_where_the_back_off_looks_at_nothing() {
    let mut fixture = Fixture::with_auto_ban("100/1m:1h");
    fixture.fail(16, HERE);
    for _ in 16..100 {
        assert_eq!(fixture.why(JANE, "wrong", HERE), Reason::TooManyFailures);
    }
    assert_eq!(fixture.banned(), ["192.0.2.7"]);
}

#[test]
fn of_ipv6_the_64_bits_are_banned_that_one_client_has() {
    let mut fixture = Fixture::with_auto_ban("3/1m:1h");
    for address in ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:0:3"] {
        fixture.fail(1, Some(address));
    }
    assert_eq!(fixture.banned(), ["2001:db8::/64"]);
    assert_eq!(
        fixture.why(JANE, "right", Some("2001:db8::9")),
        Reason::Banned
    );
    assert!(fixture.lets_in(Some("2001:db8:0:1::9")));
}

#[test]
fn an_address_from_which_a_name_is_logged_in_is_spared_while_it_is() {
    let mut fixture = Fixture::with_auto_ban("3/1m:1h");
    for (there, guesser) in [("192.0.2.7", "192.0.2.7"), ("2001:db8::1", "2001:db8::2")] {
        let mut jane = connect(JANE, "right", Some(there));
        jane.handle = Handle(1);
        jane.client_id = b"jane";
        assert!(is_admitted(&fixture.gate.connect(&jane)));
        // Nothing of it is written yet.
        for _ in 0..3 {
            let outcome = fixture.gate.connect(&connect(JANE, "wrong", Some(guesser)));
            assert_eq!(refused(&outcome), Reason::BadSecret);
        }
        assert_eq!(fixture.banned(), [""; 0]);
        fixture.fail(3, Some(guesser));
        assert_eq!(fixture.banned(), [""; 0]);
        fixture.gate.disconnected(Handle(1));
        fixture.settle();
        fixture.fail(3, Some(guesser));
        assert_eq!(fixture.banned().len(), 1);
        fixture.pass(Duration::from_secs(3_600));
    }
}

#[test]
fn an_address_that_is_the_clients_own_word_or_this_machines_is_never_banned() {
    let mut fixture = Fixture::with_auto_ban("1/1m:1h");
    for address in [
        None,
        Some("ws"),
        Some("unix"),
        Some("/run/mosquitto/in.sock"),
        Some("192.0.2.7, 10.0.0.1"),
        Some("127.0.0.1"),
        Some("::1"),
        Some("::ffff:127.0.0.9"),
        Some("fe80::1%eth0"),
    ] {
        fixture.fail(1, address);
        assert_eq!(fixture.banned(), [""; 0], "{address:?}");
        assert!(fixture.lets_in(address), "{address:?}");
    }
}

#[test]
fn brokers_that_ask_over_a_hook_have_nobody_banned() {
    let mut fixture = Fixture::with_auto_ban("1/1m:1h");
    fixture.config.hears_of_ends = false;
    let mut fixture = fixture.restart();
    fixture.fail(3, HERE);
    assert_eq!(fixture.banned(), [""; 0]);
    fixture.config.hears_of_ends = true;
    let mut fixture = fixture.restart();
    fixture.fail(1, HERE);
    assert_eq!(fixture.banned(), ["192.0.2.7"]);
}

#[test]
fn nobody_is_banned_unless_it_is_wanted_and_only_as_long_as_it_is() {
    let mut fixture = Fixture::with_auto_ban("off");
    fixture.fail(10, HERE);
    fixture.set_auto_ban("3/1m:1h");
    fixture.fail(2, HERE);
    fixture.set_auto_ban("off");
    fixture.fail(1, HERE);
    fixture.set_auto_ban("3/1m:1h");
    fixture.fail(2, HERE);
    assert_eq!(fixture.banned(), [""; 0]);
    fixture.fail(1, HERE);
    assert_eq!(fixture.banned(), ["192.0.2.7"]);
}
