use core::ptr;
use std::time::Instant;

use countersign::core::options::ChainMode;
use countersign::core::reason::Reason;
use countersign::{Directive, Handle, Verdict};
use countersign_mosquitto_sys as sys;

use crate::fixture::{FakeClient, Fixture, refused};
use crate::plugin::pending_kicks::ASK_AGAIN;

const READ: i32 = sys::MOSQ_ACL_READ;
const WRITE: i32 = sys::MOSQ_ACL_WRITE;
const SUBSCRIBE: i32 = sys::MOSQ_ACL_SUBSCRIBE;
const ALLOWED: i32 = sys::MOSQ_ERR_SUCCESS;
const DENIED: i32 = sys::MOSQ_ERR_ACL_DENIED;

fn kick(client: &FakeClient) -> Directive {
    Directive::Kick {
        handle: Handle(ptr::from_ref(client).addr()),
        client_id: "c".into(),
        line: "ended c".into(),
    }
}

/// A fixture with one client over WebSockets, as on 2.0, that a kick does not
/// end before it returns.
fn over_websockets(client: &mut FakeClient) -> Fixture {
    let fixture = Fixture::new(ChainMode::Final);
    fixture.gate.verdict.set(Some(Verdict::Allow));
    client.is_websocket = true;
    fixture.admit(client);
    end(&fixture, client);
    fixture
}

/// The gate has a client ended that the broker knows by its id.
fn end(fixture: &Fixture, client: &mut FakeClient) {
    let online = (client.pointer(), fixture.userdata());
    fixture.host.online.set(Some(online));
    fixture.gate.directives.borrow_mut().push_back(kick(client));
    fixture.tick();
}

#[test]
fn a_client_that_the_broker_closes_later_is_ended_alone_and_has_its_will() {
    let mut client = FakeClient::new("c");
    let fixture = over_websockets(&mut client);
    assert_eq!(*fixture.host.kicked.borrow(), ["c"]);
    assert!(fixture.host.kicked_users.borrow().is_empty());
    assert!(!fixture.host.said("ended c"));
    fixture.disconnect(&mut client);
    assert!(fixture.host.said("ended c"));
    // The Will is asked about once it is gone.
    assert_eq!(fixture.check(&mut client, c"will", WRITE), ALLOWED);
    assert_eq!(fixture.gate.gone.borrow().len(), 1);
}

#[test]
fn a_client_whose_id_another_one_took_is_not_asked_for_by_that_id() {
    let mut client = FakeClient::new("c");
    let fixture = Fixture::new(ChainMode::Final);
    fixture.gate.verdict.set(Some(Verdict::Allow));
    client.is_websocket = true;
    fixture.admit(&mut client);
    fixture.gate.is_taken_over.set(true);
    end(&fixture, &mut client);
    assert!(fixture.host.kicked.borrow().is_empty());
    assert!(fixture.host.kicked_users.borrow().is_empty());
    assert_eq!(fixture.check(&mut client, c"t", WRITE), DENIED);
    fixture.disconnect(&mut client);
    assert!(fixture.host.said("ended c"));
}

#[test]
fn a_client_that_is_not_closed_yet_may_do_nothing_more() {
    let mut client = FakeClient::new("c");
    let fixture = over_websockets(&mut client);
    for access in [READ, WRITE, SUBSCRIBE] {
        assert_eq!(fixture.check(&mut client, c"t", access), DENIED);
    }
    // Nor does a reload let it in again.
    fixture.reload();
    assert_eq!(fixture.admit(&mut client), sys::MOSQ_ERR_AUTH);
    fixture.tick();
    fixture.disconnect(&mut client);
    // What is left of it is not judged, or the broker would end it once more.
    client.is_websocket = false;
    fixture
        .gate
        .outcome
        .replace(Some(refused(Reason::Suspended)));
    fixture.reload();
    let presented = (Some(c"dev1@acme"), Some(c"secret"));
    assert_eq!(
        fixture.connect(&mut client, presented.0, presented.1),
        ALLOWED
    );
    fixture.tick();
    // Another connection with its handle is another.
    assert_eq!(fixture.admit(&mut client), ALLOWED);
    assert_eq!(fixture.check(&mut client, c"t", WRITE), ALLOWED);
}

/// Else a session would begin that nobody ends.
#[test]
fn what_is_asked_about_a_client_that_is_away_while_it_is_ended_begins_nothing() {
    let mut client = FakeClient::new("c");
    client.starts_clean = false;
    let fixture = Fixture::new(ChainMode::Final);
    fixture.admit(&mut client);
    fixture.disconnect(&mut client);
    fixture.tick();
    end(&fixture, &mut client);
    assert_eq!(*fixture.host.kicked.borrow(), ["c"]);
    let handle = Handle(client.pointer().addr());
    assert_eq!(*fixture.gate.departed.borrow(), [handle]);
}

#[test]
fn a_client_that_stays_is_asked_for_again_and_by_name_only_if_its_id_is_lost() {
    let mut client = FakeClient::new("c");
    let fixture = over_websockets(&mut client);
    let handle = Handle(client.pointer().addr());
    let late = || {
        let mut pending_kicks = fixture.plugin().pending_kicks.borrow_mut();
        pending_kicks.set_asked(handle, Instant::now().checked_sub(ASK_AGAIN));
    };
    fixture.tick();
    assert_eq!(fixture.host.kicked.borrow().len(), 1);
    late();
    let online = (client.pointer(), fixture.userdata());
    fixture.host.online.set(Some(online));
    fixture.tick();
    assert_eq!(fixture.host.kicked.borrow().len(), 2);
    assert!(fixture.host.kicked_users.borrow().is_empty());
    late();
    fixture.tick();
    assert_eq!(*fixture.host.kicked_users.borrow(), ["dev1@acme"]);
    late();
    fixture.tick();
    assert_eq!(fixture.host.kicked.borrow().len(), 3);
    assert_eq!(fixture.check(&mut client, c"t", WRITE), DENIED);
}

#[test]
fn what_is_asked_about_a_client_while_it_is_being_ended_is_for_the_gate() {
    let fixture = Fixture::new(ChainMode::Final);
    let mut client = FakeClient::new("c");
    fixture.admit(&mut client);
    fixture
        .gate
        .outcome
        .replace(Some(refused(Reason::Suspended)));
    end(&fixture, &mut client);
    assert_eq!(fixture.gate.checks.borrow().len(), 1);
    assert!(fixture.host.said("ended c"));
}

#[test]
fn where_the_broker_loses_no_ids_a_client_that_it_does_not_find_is_gone() {
    let fixture = Fixture::new(ChainMode::Final);
    fixture.host.is_2_1.set(true);
    let mut client = FakeClient::new("c");
    fixture.admit(&mut client);
    fixture
        .gate
        .directives
        .borrow_mut()
        .push_back(kick(&client));
    fixture.tick();
    assert!(fixture.host.kicked.borrow().is_empty());
    assert!(fixture.host.kicked_users.borrow().is_empty());
    assert_eq!(fixture.gate.gone.borrow().len(), 1);
}

#[test]
fn a_kick_whose_id_is_another_clients_ends_nobody() {
    let fixture = Fixture::new(ChainMode::Final);
    fixture.host.is_2_1.set(true);
    let (mut client, mut other) = (FakeClient::new("c"), FakeClient::new("c"));
    fixture.admit(&mut client);
    fixture.disconnect(&mut client);
    let others = other.pointer();
    fixture.host.let_in.borrow_mut().insert("c".into(), others);
    fixture
        .gate
        .directives
        .borrow_mut()
        .push_back(kick(&client));
    fixture.tick();
    assert!(fixture.host.kicked.borrow().is_empty());
}
