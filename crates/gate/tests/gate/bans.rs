//! Bans: who is refused before anything is looked up, and whose sessions end.

use std::time::Duration;

use countersign::core::ban::Ban;
use countersign::core::client_id::ClientId;
use countersign::core::reason::Reason;
use countersign::{ConnectInfo, ConnectOutcome, Handle, RefusalCode};
use countersign_admin::ban::{AddBan, BanNamed, Banned, RemoveBan};

use crate::fixture::{Fixture, JANE, TRY, Try, client, is_admitted, tenant_id};

/// A CONNECT of Jane's from an address.
fn from<'a>(handle: usize, client_id: &'a str, address: Option<&'a str>) -> ConnectInfo<'a> {
    let mut info = ConnectInfo::new(Handle(handle), client_id.as_bytes());
    info.username = Some(JANE.as_bytes());
    info.password = Some(b"right");
    info.address = address;
    info
}

fn address(text: &str) -> Banned {
    Banned::Address(text.parse().unwrap())
}

fn client_id(text: &str, tenant: Option<&str>) -> Banned {
    Banned::ClientId(ClientId::parse(text).unwrap(), tenant.map(tenant_id))
}

impl Fixture {
    fn ban(&mut self, banned: Banned) -> Ban {
        self.ban_for(banned, None)
    }

    fn ban_for(&mut self, banned: Banned, time: Option<Duration>) -> Ban {
        let ban = AddBan {
            banned,
            until: time.map(|time| self.now().plus(time)),
            reason: None,
            asker: None,
            force: true,
        };
        self.run(&ban).unwrap()
    }

    fn lift(&mut self, ban: &Ban) {
        self.run(&RemoveBan(BanNamed::Id(ban.id))).unwrap();
    }

    fn connects(&mut self, handle: usize, client_id: &str, address: Option<&str>) -> bool {
        let outcome = self.gate.connect(&from(handle, client_id, address));
        let is_admitted = is_admitted(&outcome);
        if let ConnectOutcome::Refused { reason, .. } = outcome {
            assert_eq!(reason, Reason::Banned);
        }
        self.gate.disconnected(Handle(handle));
        is_admitted
    }
}

#[test]
fn a_ban_counts_at_the_next_login_whether_it_was_followed_by_then_or_not() {
    let mut fixture = Fixture::new();
    for is_followed in [false, true] {
        let ban = fixture.ban(address("192.0.2.0/24"));
        let of_id = fixture.ban(client_id("pump", None));
        if is_followed {
            fixture.settle();
        }
        assert!(!fixture.connects(1, "a", Some("192.0.2.7")));
        assert!(!fixture.connects(1, "a", Some("::ffff:192.0.2.7")));
        assert!(fixture.connects(1, "a", Some("192.0.3.7")));
        assert!(!fixture.connects(1, "pump", Some("192.0.3.7")));
        fixture.lift(&ban);
        fixture.lift(&of_id);
        if is_followed {
            fixture.settle();
        }
        assert!(fixture.connects(1, "a", Some("192.0.2.7")));
        assert!(fixture.connects(1, "pump", Some("192.0.2.7")));
    }
}

#[test]
fn a_network_is_banned_for_those_alone_whose_address_is_not_their_own_word() {
    let mut fixture = Fixture::new();
    fixture.ban(address("0.0.0.0/0"));
    fixture.ban(address("::/0"));
    for is_followed in [false, true] {
        if is_followed {
            fixture.settle();
        }
        for unknown in [
            None,
            Some("ws"),
            Some("unix"),
            Some("192.0.2.7, 10.0.0.1"),
            Some(""),
        ] {
            assert!(fixture.connects(1, "a", unknown), "{unknown:?}");
        }
        for known in ["192.0.2.7", "fe80::1%eth0"] {
            assert!(!fixture.connects(1, "a", Some(known)), "{known}");
        }
    }
}

#[test]
fn sessions_that_a_ban_is_about_end_and_no_others() {
    let mut fixture = Fixture::new();
    let clients = [
        (1, "a", Some("192.0.2.7")),
        (2, "b", Some("192.0.3.7")),
        (3, "pump", Some("192.0.3.7")),
        (4, "d", None),
    ];
    for (handle, client_id, address) in clients {
        assert!(is_admitted(
            &fixture.gate.connect(&from(handle, client_id, address))
        ));
    }
    fixture.settle();
    fixture.ban(address("192.0.2.0/24"));
    assert_eq!(fixture.kicked(), ["a"]);
    fixture.ban(client_id("pump", None));
    assert_eq!(fixture.kicked(), ["pump"]);
    let ban = fixture.ban(client_id("b", Some("beta")));
    assert_eq!(fixture.kicked(), [""; 0]);
    fixture.lift(&ban);
    fixture.ban(client_id("b", Some("acme")));
    assert_eq!(fixture.kicked(), ["b"]);
}

#[test]
fn a_tenants_ban_refuses_its_own_principals_whatever_their_names_say() {
    let mut fixture = Fixture::new();
    for is_followed in [false, true] {
        // Her name is an e-mail address, so only what is stored says where she is.
        let ban = fixture.ban(client_id("c", Some("acme")));
        let of_beta = fixture.ban(client_id("d", Some("beta")));
        if is_followed {
            fixture.settle();
        }
        assert!(!fixture.connects(1, "c", None));
        assert!(fixture.connects(1, "d", None));
        fixture.lift(&ban);
        fixture.lift(&of_beta);
    }
}

#[test]
fn a_ban_ends_by_itself_and_without_a_writer() {
    let mut fixture = Fixture::new();
    fixture.ban_for(address("192.0.2.7"), Some(Duration::from_secs(60)));
    fixture.settle();
    assert!(!fixture.connects(1, "a", Some("192.0.2.7")));
    fixture.pass(Duration::from_secs(59));
    assert!(!fixture.connects(1, "a", Some("192.0.2.7")));
    fixture.pass(Duration::from_secs(1));
    assert!(fixture.connects(1, "a", Some("192.0.2.7")));
}

#[test]
fn bans_are_there_after_a_restart_and_the_client_of_an_address_learns_it() {
    let mut fixture = Fixture::new();
    fixture.ban(address("192.0.2.7"));
    fixture.ban(client_id("pump", None));
    let mut fixture = fixture.restart();
    for (client_id, address, expected) in [
        ("a", "192.0.2.7", RefusalCode::Banned),
        ("pump", "192.0.2.8", RefusalCode::NotAuthorized),
    ] {
        match fixture.gate.connect(&from(1, client_id, Some(address))) {
            ConnectOutcome::Refused { code, line, .. } => {
                assert_eq!(code, expected);
                let line = line.unwrap();
                assert!(
                    line.starts_with(&format!("refused {address}: banned: `")),
                    "{line}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_password_of_a_banned_client_is_not_hashed() {
    let mut fixture = Fixture::new();
    fixture.ban(client_id("held", None));
    let held = Try {
        client_id: "held",
        may_wait: true,
        ..TRY
    };
    match fixture.connect(held) {
        ConnectOutcome::Refused { reason, .. } => assert_eq!(reason, Reason::Banned),
        other => panic!("{other:?}"),
    }
    // One that is held already is refused once its wait is over.
    let held = Try {
        client_id: "late",
        ..held
    };
    assert!(matches!(
        fixture.connect(held),
        ConnectOutcome::Pending { .. }
    ));
    fixture.ban(client_id("late", None));
    let ends = fixture.settle();
    assert!(
        format!("{ends:?}").contains("banned: `jane@mail.test`"),
        "{ends:?}"
    );
    assert!(!fixture.gate.knows(client(held, JANE).handle));
}

#[test]
fn many_bans_are_lifted_one_by_one() {
    let mut fixture = Fixture::new();
    let bans: Vec<_> = (0..40)
        .map(|number| fixture.ban(address(&format!("192.0.2.{number}"))))
        .collect();
    fixture.settle();
    for ban in &bans {
        fixture.lift(ban);
    }
    assert!(fixture.connects(1, "a", Some("192.0.2.3")));
    fixture.settle();
    assert!(fixture.connects(1, "a", Some("192.0.2.3")));
}
