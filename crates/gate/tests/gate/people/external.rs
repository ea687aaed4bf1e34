//! Clients that a certificate or a pre-shared key vouches for.

use std::time::Duration;

use countersign::core::connect::Reservation;
use countersign::core::reason::Reason;
use countersign::core::store::{BrokerPresence, Directory as _};
use countersign::{ClientOrigin, ClientRef, Handle, TopicUse, Verdict};
use countersign_admin::clients::ListClients;
use countersign_admin::credential::{CreateCredential, NewCredential};
use countersign_admin::password::ChosenPassword;
use countersign_admin::secret::NewSecret;

use crate::fixture::{Fixture, JANE, TRY, Try, is_admitted, refused, tenant_id};

const DEV1: &str = "dev1@acme";
const PUBLISH: TopicUse<'static> = TopicUse::Publish {
    topic: b"acme/x",
    qos: 0,
    retain: false,
};

fn fixture() -> Fixture {
    with_options(&[])
}

fn with_options(options: &[(&str, &str)]) -> Fixture {
    let mut fixture = Fixture::with_options(options);
    let new = NewCredential {
        external_identity: true,
        ..NewCredential::new(tenant_id("acme"), "dev1")
    };
    fixture.run(&CreateCredential(new)).unwrap();
    fixture.settle();
    fixture
}

/// Adds a device of a tenant that logs in by a password.
fn add_other(fixture: &mut Fixture, tenant: &str) {
    let new = NewCredential {
        secret: NewSecret::Chosen(ChosenPassword::parse("right".into()).unwrap()),
        ..NewCredential::new(tenant_id(tenant), "dev2")
    };
    fixture.run(&CreateCredential(new)).unwrap();
    fixture.settle();
}

fn client(handle: usize, client_id: &str, protocol: u8, clean_start: bool) -> ClientRef<'_> {
    ClientRef {
        handle: Handle(handle),
        client_id: Some(client_id.as_bytes()),
        username: Some(DEV1.as_bytes()),
        connected: true,
        origin: ClientOrigin {
            address: Some("192.0.2.7"),
            listener: Some(8883),
            protocol,
            clean_start,
            ..ClientOrigin::default()
        },
    }
}

fn is_stored(fixture: &mut Fixture, client_id: &str) -> bool {
    let client_id = countersign::core::client_id::ClientId::parse(client_id).unwrap();
    fixture
        .admin
        .stored_session(&client_id.tie())
        .unwrap()
        .is_some()
}

/// Those who are listed, who are so many.
fn listed(fixture: &mut Fixture, count: usize) -> Vec<BrokerPresence> {
    fixture.background.write();
    let listed = fixture
        .run(&ListClients {
            tenant: None,
            all: false,
            ..ListClients::default()
        })
        .unwrap()
        .rows;
    assert_eq!(listed.len(), count);
    listed
}

#[test]
fn a_session_is_listed_and_stored_as_it_came() {
    let mut fixture = fixture();
    for (handle, id, protocol, clean, stored) in [
        (1, "clean", 4, true, false),
        (2, "kept", 4, false, true),
        (3, "five", 5, true, true),
    ] {
        let client = client(handle, id, protocol, clean);
        assert!(fixture.gate.check(&client, PUBLISH).is_allowed());
        assert_eq!(is_stored(&mut fixture, id), stored, "{id}");
    }
    for client in listed(&mut fixture, 3) {
        let presence = client.presence;
        assert_eq!(presence.address.as_deref(), Some("192.0.2.7"));
        assert_eq!(presence.listener, Some(8883));
        assert!([4, 5].contains(&presence.protocol));
        assert_eq!(presence.stored, *presence.client_id != *"clean");
    }
}

#[test]
fn a_client_id_that_its_host_may_keep_for_a_bridge_is_nobody_elses() {
    let mut fixture = fixture();
    for (reservation, is_let_in) in [
        (Reservation::Free, true),
        (Reservation::Possible, false),
        (Reservation::Taken, false),
    ] {
        let mut client = client(1, "local.bridge", 4, true);
        client.origin.reservation = reservation;
        let verdict = fixture.gate.check(&client, PUBLISH);
        assert_eq!(verdict.is_allowed(), is_let_in, "{reservation:?}");
        assert_eq!(fixture.gate.turn_away(&client).is_none(), is_let_in);
        fixture.gate.disconnected(Handle(1));
        fixture.gate.disconnected(Handle(1));
    }
}

#[test]
fn a_host_that_says_who_arrived_has_handles_told_apart() {
    let mut fixture = fixture();
    fixture.gate.arrived(&client(1, "a", 4, true));
    let _listed = listed(&mut fixture, 1);
    fixture.gate.disconnected(Handle(1));
    // The same handle, id and name: it is not the one that is gone.
    fixture.gate.arrived(&client(1, "a", 4, true));
    let _one = fixture.gate.poll();
    let _two = fixture.gate.poll();
    assert!(
        fixture
            .gate
            .check(&client(1, "a", 4, true), PUBLISH)
            .is_allowed()
    );
    // Whoever logged in is known, and nothing happens.
    assert!(is_admitted(&fixture.connect(TRY.with_handle(2))));
    let jane = ClientRef {
        handle: Handle(2),
        client_id: Some(b"jane"),
        username: Some(JANE.as_bytes()),
        connected: true,
        ..ClientRef::default()
    };
    fixture.gate.arrived(&jane);
    assert!(fixture.gate.check(&jane, PUBLISH).is_allowed());
}

#[test]
fn a_stale_replica_lets_nobody_in_whoever_vouches_and_sessions_go_on() {
    let mut fixture = with_options(&[("max_staleness", "10s"), ("when_stale", "refuse-new")]);
    let heard = "INSERT INTO replica (id, source, contact_at)
                 VALUES (1, 'https://centre.example.com', ?1)
                 ON CONFLICT DO UPDATE SET contact_at = ?1";
    let hear = |fixture: &mut Fixture| {
        let connection = rusqlite::Connection::open(&fixture.config.options.store).unwrap();
        let now = fixture.now().as_millis();
        connection.execute(heard, [now]).unwrap();
        fixture.settle();
    };
    hear(&mut fixture);
    fixture.gate.arrived(&client(1, "a", 4, true));
    assert!(is_admitted(&fixture.connect(TRY.with_handle(2))));

    fixture.pass(Duration::from_secs(11));
    let late = TRY.with_handle(3);
    assert_eq!(refused(&fixture.connect(late)), Reason::Stale);
    let new = client(4, "b", 4, true);
    fixture.gate.arrived(&new);
    assert!(!fixture.gate.is_live("b"));
    let denied = Verdict::Deny(Reason::Stale);
    assert_eq!(fixture.gate.check(&new, PUBLISH), denied);
    let known = client(1, "a", 4, true);
    assert!(fixture.gate.check(&known, PUBLISH).is_allowed());
    assert!(fixture.publishes(TRY.with_handle(2), JANE, "acme/x"));

    hear(&mut fixture);
    assert!(is_admitted(&fixture.connect(late)));
    assert!(fixture.gate.check(&new, PUBLISH).is_allowed());
}

#[test]
fn no_certificate_vouches_for_a_person() {
    let mut fixture = fixture();
    let jane = ClientRef {
        username: Some(JANE.as_bytes()),
        ..client(1, "j", 4, true)
    };
    fixture.gate.arrived(&jane);
    assert!(!fixture.gate.check(&jane, PUBLISH).is_allowed());
    let token = ClientRef {
        username: Some(b"jwt:script@acme"),
        ..jane
    };
    assert!(!fixture.gate.check(&token, PUBLISH).is_allowed());
}

#[test]
fn whoever_may_have_no_session_is_turned_away_with_the_true_cause() {
    let mut fixture = fixture();
    let unmarked = NewCredential::new(tenant_id("acme"), "unmarked");
    fixture.run(&CreateCredential(unmarked)).unwrap();
    fixture.settle();
    let named = |name: &'static str| ClientRef {
        username: Some(name.as_bytes()),
        ..client(1, "c", 4, true)
    };
    for (name, cause) in [
        ("nobody@acme", "unknown-name"),
        ("unmarked@acme", "unauthenticated"),
        ("My Client", "unknown-name"),
        ("a\u{7f}b", "malformed"),
    ] {
        let turned_away = fixture.gate.turn_away(&named(name)).unwrap();
        let line = turned_away.line.unwrap();
        assert!(line.contains(cause) && line.contains("192.0.2.7"), "{line}");
    }
    // Who may have a session, or vouches for nobody, is not.
    assert_eq!(fixture.gate.turn_away(&named(DEV1)), None);
    fixture.gate.arrived(&named(DEV1));
    assert!(fixture.gate.is_live("c") && !fixture.gate.is_live("d"));
    assert_eq!(fixture.gate.turn_away(&named(DEV1)), None);
    let nameless = ClientRef {
        username: None,
        ..client(2, "d", 4, true)
    };
    assert_eq!(fixture.gate.turn_away(&nameless), None);
}

#[test]
fn an_id_of_another_tenant_is_not_its_own_though_the_use_of_it_is_not_written_down_yet() {
    let mut fixture = fixture();
    add_other(&mut fixture, "beta");
    let it = Try {
        handle: 5,
        client_id: "shared",
        name: "dev2@beta",
        ..TRY
    };
    assert!(is_admitted(&fixture.connect(it)));
    fixture.pass(Duration::from_secs(5));
    fixture.gate.ended(Handle(5), false);
    // Nothing was written meanwhile.
    let external = client(1, "shared", 4, true);
    let verdict = fixture.gate.check(&external, PUBLISH);
    assert_eq!(verdict, Verdict::Deny(Reason::ClientIdOwned));
    assert!(!fixture.gate.is_live("shared"));
    // Nor is it while its holder is connected.
    let it = Try { handle: 6, ..it };
    assert!(is_admitted(&fixture.connect(it)));
    let verdict = fixture.gate.check(&external, PUBLISH);
    assert_eq!(verdict, Verdict::Deny(Reason::ClientIdOwned));
}

#[test]
fn an_id_that_was_another_s_is_recorded_as_its_own_once_it_has_it() {
    let mut fixture = fixture();
    add_other(&mut fixture, "acme");
    let before = Try {
        handle: 5,
        client_id: "kept",
        name: "dev2@acme",
        clean_start: false,
        ..TRY
    };
    assert!(is_admitted(&fixture.connect(before)));
    fixture.gate.ended(Handle(5), true);
    fixture.settle();
    fixture.pass(Duration::from_secs(31 * 24 * 3_600));
    let external = client(1, "kept", 5, true);
    assert!(fixture.gate.check(&external, PUBLISH).is_allowed());
    fixture.gate.ended(Handle(1), true);
    fixture.settle();
    // What it left is not the earlier holder's.
    assert_eq!(refused(&fixture.connect(before)), Reason::ClientIdOwned);
}

#[test]
fn a_flood_of_refusals_keeps_nobody_from_being_turned_away() {
    let mut fixture = fixture();
    let stranger = ClientRef {
        username: Some(b"nobody@acme"),
        ..client(1, "c", 4, true)
    };
    let lines = (0..200)
        .filter_map(|_| fixture.gate.turn_away(&stranger).unwrap().line)
        .count();
    assert_eq!(lines, 120);
}
