//! Clients that a certificate or a pre-shared key vouches for.

use countersign::core::store::{BrokerPresence, Directory as _};
use countersign::{ClientOrigin, ClientRef, Handle, TopicUse};
use countersign_admin::clients::ListClients;
use countersign_admin::credential::{CreateCredential, NewCredential};

use crate::fixture::{Fixture, JANE, TRY, is_admitted, tenant_id};

const DEV1: &str = "dev1@acme";
const PUBLISH: TopicUse<'static> = TopicUse::Publish {
    topic: b"acme/x",
    qos: 0,
    retain: false,
};

fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    let new = NewCredential {
        external_identity: true,
        ..NewCredential::new(tenant_id("acme"), "dev1")
    };
    fixture.run(&CreateCredential(new)).unwrap();
    fixture.settle();
    fixture
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
