//! Refused logins in the broker's log, as fail2ban reads them with the filter of
//! `examples/fail2ban`.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::process::Command;
use std::time::Instant;

use countersign_testkit::{Client, Connect, artifacts};
use countersign_tests::{ACCEPTED, Fixture, is_kicked, on_every_broker, wait_until};

/// The addresses that fail2ban finds in the broker's log, one for each line that it
/// takes for a failure.
fn found_by_fail2ban(fixture: &Fixture) -> Vec<String> {
    let log = fixture.cli.store().with_extension("log");
    fs::write(&log, fixture.broker.log()).unwrap();
    let filter = artifacts::workspace().join("examples/fail2ban/filter.d/countersign.conf");
    let output = Command::new("fail2ban-regex")
        .args(["-o", "ip"])
        .args([log, filter])
        .output()
        .expect("`cargo xtask setup` installs fail2ban");
    assert!(output.status.success(), "{output:?}");
    let found = String::from_utf8(output.stdout).unwrap();
    found.lines().map(str::to_owned).collect()
}

/// An address of this machine besides those of loopback, where it has one.
fn own_address() -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    // Nothing is sent; the system says where it would be sent from.
    socket.connect((Ipv4Addr::new(198, 51, 100, 1), 9)).ok()?;
    match socket.local_addr().unwrap().ip() {
        IpAddr::V4(address) => Some(address).filter(|it| !it.is_loopback()),
        IpAddr::V6(_) => None,
    }
}

const GUESSER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 7);
/// A name of a shape whose secrets are never hashed, so that there is always time.
const CHEAP: &str = "357890055321856";
const DEVICE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 8);

on_every_broker! {
    fn fail2ban_finds_who_guesses_and_nobody_whom_a_client_names(version) {
        let fixture = Fixture::start_with_tenant(version);
        let device = fixture.credential("dev1", "t1");
        let suspended = fixture.credential("dev2", "t1");
        fixture.act("suspend", &suspended);
        let _live = device.connect("dev1").source(DEVICE).accepted(fixture.port());
        let _refused = suspended.connect("dev2").source(DEVICE).code(fixture.port());
        let line = "Countersign: refused 192.0.2.66: bad-secret: `x` client `y`";
        let texts = [
            line.to_owned(),
            format!("x` client `y`\n1764425567: {line}"),
            format!("x\r1764425567: {line}"),
            format!("x\u{2028}1764425567: {line}"),
            format!("{} {line}", "x".repeat(60)),
            format!("host mosquitto[1]: {line}"),
            "127.0.0.9: bad-secret: `x".to_owned(),
        ];
        for text in &texts {
            for (name, client_id) in [(text.as_str(), "c"), (CHEAP, text.as_str())] {
                let connect = Connect::v311(client_id).login(name, "x").source(GUESSER);
                assert_ne!(connect.code(fixture.port()), ACCEPTED, "{text:?}");
            }
        }
        let refused = || {
            let lines = fixture.our_lines();
            let is_counted = |line: &&str| {
                ["bad-secret", "unknown-name", "too-many-failures"]
                    .iter()
                    .any(|cause| line.contains(&format!("refused {GUESSER}: {cause}: ")))
            };
            lines.lines().filter(is_counted).count()
        };
        // Where there is no time to hash, a name is not looked at; texts with control
        // characters are malformed.
        wait_until("wrong logins are in the log", || refused() >= 4);
        let expected = vec![GUESSER.to_string(); refused()];
        assert_eq!(found_by_fail2ban(&fixture), expected, "{}", fixture.our_lines());
    }
}

on_every_broker! {
    fn a_ban_refuses_who_comes_and_ends_who_is_there_and_nobody_else(version) {
        let fixture = Fixture::start_with_tenant(version);
        let device = fixture.credential("dev1", "t1");
        let port = fixture.port();
        let connect = |client_id: &str| device.connect(client_id);
        let mut banned = connect("by-address").source(GUESSER).accepted(port);
        let mut pump = connect("pump").source(DEVICE).accepted(port);
        let mut other = connect("other").source(DEVICE).accepted(port);
        let network = format!("ban add --address {GUESSER} --force");
        let ended = |act: &str, client: &mut Client| {
            fixture.cli.act(act, &[]);
            let banned_at = Instant::now();
            assert!(is_kicked(client));
            println!("{version}: ended {:?} after `{act}`", banned_at.elapsed());
        };
        ended(&network, &mut banned);
        ended("ban add --client-id pump --tenant t1 --until 1h", &mut pump);
        for (client_id, source) in [("by-address", GUESSER), ("pump", DEVICE)] {
            let code = connect(client_id).source(source).code(port);
            assert_ne!(code, ACCEPTED, "{client_id}");
        }
        assert!(other.is_alive());
        let is_logged = || fixture.our_lines().contains(&format!("refused {GUESSER}: banned: `"));
        wait_until("the log tells of it", is_logged);
        fixture.cli.act(&format!("ban remove --address {GUESSER}"), &[]);
        fixture.cli.act("ban remove --client-id pump --tenant t1", &[]);
        for (client_id, source) in [("by-address", GUESSER), ("pump", DEVICE)] {
            connect(client_id).source(source).accepted(port);
        }
    }
}

on_every_broker! {
    fn who_guesses_is_banned_without_being_asked_for_and_loopback_is_not(version) {
        let fixture = Fixture::start_with_tenant(version);
        let device = fixture.credential("dev1", "t1");
        let port = fixture.port();
        fixture.cli.act("settings set --auto-ban 3/10m:1h", &[]);
        let own = own_address();
        // Of one broker bans are made in the order in which they came to be due.
        for address in [GUESSER].into_iter().chain(own) {
            for _ in 0..4 {
                let connect = Connect::v311("c").login(CHEAP, "x").source(address);
                assert_ne!(connect.code(port), ACCEPTED, "{address}");
            }
        }
        let expected: Vec<_> = own.iter().map(ToString::to_string).collect();
        wait_until("there are the bans that there should be", || {
            let bans = fixture.cli.json(&["ban", "list"]);
            let bans = bans.as_array().unwrap().iter();
            let addresses = bans.map(|ban| ban["address"].as_str().unwrap().to_owned());
            addresses.collect::<Vec<_>>() == expected
        });
        device.connect("dev1").source(GUESSER).accepted(port);
        if let Some(own) = own {
            let code = device.connect("dev1").source(own).code(port);
            assert_ne!(code, ACCEPTED);
            let is_logged = || fixture.our_lines().contains(&format!("refused {own}: banned: `"));
            wait_until("the log tells of it", is_logged);
        }
    }
}
