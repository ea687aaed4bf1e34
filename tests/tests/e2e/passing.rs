//! States that pass: nobody is told for good what is true for a moment.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use countersign_testkit::mqtt::Answer;
use countersign_testkit::{Connect, Version};
use countersign_tests::people::TOTP;
use countersign_tests::{ACCEPTED, Fixture, Login, REFUSED, REFUSED_V5, on_every_broker};

/// What became of a CONNECT; `None` if it was closed without a CONNACK.
fn answer(connect: &Connect, port: u16) -> Option<u8> {
    match connect.attempt(port).unwrap().1 {
        Answer::Connack(connack) => Some(connack.code),
        Answer::Closed(_) => None,
        Answer::Auth(_) | Answer::Nothing => panic!("neither answered nor closed"),
    }
}

/// Says whether an answer is more than "there was no time": that comes between,
/// and the log says later than the client hears which of them it was.
fn is_final(code: Option<u8>) -> bool {
    code.is_some_and(|code| code != 0x89)
}

fn stranger(number: usize, version_5: bool) -> Connect {
    let client_id = format!("c{number}");
    let connect = if version_5 {
        Connect::v5(client_id)
    } else {
        Connect::v311(client_id)
    };
    connect.login(format!("none{number}@t1"), "wrong")
}

on_every_broker! {
    nearly alone;

    fn devices_that_come_at_once_get_in_and_none_is_told_that_it_may_not(version) {
        let mut fixture = Fixture::start(version);
        fixture.tenant("t1", &[]);
        let devices: Vec<Login> = (0..10)
            .map(|number| fixture.credential_with_password(&format!("dev{number}"), "t1", "a chosen one"))
            .collect();
        for version_5 in [false, true] {
            fixture.broker.restart().unwrap();
            let port = fixture.port();
            let start = Arc::new(Barrier::new(devices.len()));
            let threads: Vec<_> = devices
                .iter()
                .enumerate()
                .map(|(number, device)| {
                    let start = Arc::clone(&start);
                    let client_id = format!("c{number}");
                    let connect = if version_5 { device.connect_v5(&client_id) } else { device.connect(&client_id) };
                    thread::spawn(move || {
                        start.wait();
                        for _ in 0..10 {
                            match answer(&connect, port) {
                                ACCEPTED => return,
                                // Closed, or "server busy".
                                None | Some(0x89) => thread::sleep(Duration::from_secs(1)),
                                told => panic!("told {told:?}"),
                            }
                        }
                        panic!("never let in");
                    })
                })
                .collect();
            for thread in threads {
                thread.join().unwrap();
            }
        }
    }

    fn where_there_is_no_time_nobody_is_refused_for_good(version) {
        let fixture = Fixture::start_with(version, |builder| builder.plugin_option("hash_budget", 1));
        fixture.tenant("t1", &[]);
        let device = fixture.credential_with_password("dev", "t1", "a chosen one");
        // What hashing may take is used up before an address is too often wrong.
        let told: Vec<_> = (0..30).map(|number| answer(&stranger(number, true), fixture.port())).collect();
        let busy = if version == Version::V2_1 { Some(0x89) } else { None };
        assert!(told.iter().all(|code| [REFUSED_V5, busy].contains(code)), "{told:?}");
        assert_eq!(*told.last().unwrap(), busy, "{told:?}");
        // 2.1 can hold a login of MQTT 3 while a worker hashes.
        let held = if version == Version::V2_1 { REFUSED } else { None };
        assert_eq!(answer(&stranger(30, false), fixture.port()), held);
        // What the wait gave back lets some of these be hashed, and then there is no time again.
        let is_closed = |number: usize| {
            let enhanced = Connect::v5(format!("c{number}")).username(format!("none{number}@t1"));
            let code = answer(&enhanced.authentication(TOTP, Some(b"wrong")), fixture.port());
            assert!([None, REFUSED_V5].contains(&code), "{code:?}");
            code.is_none()
        };
        assert!((31..60).any(is_closed), "{}", fixture.our_lines());
        // Whoever comes back is let in, with what a worker found out meanwhile.
        let code = (0..20).find_map(|_| {
            let code = answer(&device.connect("dev"), fixture.port());
            if code.is_none() {
                thread::sleep(Duration::from_millis(200));
            }
            code
        });
        assert_eq!(code, ACCEPTED);
        assert!(fixture.our_lines().contains(": over-budget"), "{}", fixture.our_lines());
    }

    fn who_fails_too_often_is_told_so_and_only_an_address_by_a_word_of_its_own(version) {
        let fixture = Fixture::start(version);
        // So quick that failures add up faster than they are forgiven.
        fixture.cli.act("settings set --argon2 m=64,t=1,p=1", &[]);
        fixture.tenant("t1", &[]);
        let device = fixture.credential_with_password("dev", "t1", "a chosen one");
        // Says whether this is the login that was not looked at.
        let is_too_many = |fixture: &Fixture, name: &str| {
            let lines = fixture.our_lines();
            lines.lines().last().is_some_and(|line| line.contains(name) && line.contains(": too-many-failures"))
        };
        for name in [device.username.as_str(), "none@t1"] {
            let wrong = Connect::v5("c").login(name, "wrong");
                let code = (0..4_000).find_map(|_| {
                let code = answer(&wrong, fixture.port());
                thread::sleep(Duration::from_millis(10));
                (is_final(code) && is_too_many(&fixture, name)).then_some(code)
            });
            // Never by a word that tells about a name.
            assert_eq!(code, Some(REFUSED_V5));
            // What waits at a worker meanwhile is told apart from that by nothing.
            let right = Connect::v5("c").login(name, "a chosen one");
            assert_ne!(answer(&right, fixture.port()), ACCEPTED);
        }
        let banned = if version == Version::V2_1 { Some(0x8A) } else { REFUSED_V5 };
        let code = (0..4_000).find_map(|number| {
            let code = answer(&stranger(number, true), fixture.port());
            thread::sleep(Duration::from_millis(10));
            (is_final(code) && is_too_many(&fixture, &format!("none{number}@t1"))).then_some(code)
        });
        assert_eq!(code, Some(banned));
    }
}
