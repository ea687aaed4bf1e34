//! What a client can say about itself decides nothing.

use std::rc::Rc;
use std::thread;

use countersign::core::connect::Reservation;

use super::*;
use crate::instances::{self, InstanceKey};

/// The data of every event, about one client.
fn call_all(client: *mut sys::mosquitto, userdata: *mut c_void) -> Vec<(&'static str, c_int)> {
    let mut codes = Vec::new();
    for event in &EVENTS {
        let name = event.name;
        let code = match name {
            ACL_CHECK => call(
                name,
                &acl_event(client, c"t", sys::MOSQ_ACL_WRITE),
                userdata,
            ),
            BASIC_AUTH => call(name, &auth_event(client, Some(c"x"), Some(c"y")), userdata),
            CONNECT => call(name, &connect_event(client), userdata),
            CONTROL => call(name, &control_event(client, b"{}"), userdata),
            EXT_AUTH_CONTINUE | EXT_AUTH_START => {
                call(name, &enhanced_event(client, Some(c"m"), None), userdata)
            }
            PSK_KEY => call(name, &psk_event(client, c"x"), userdata),
            _ => call(name, &disconnect_event(client), userdata),
        };
        codes.push((name, code));
    }
    codes
}

/// Mosquitto 2.1 asks so about a listener with `protocol http_api`.
#[test]
fn another_thread_is_told_no_by_every_callback_and_touches_nothing() {
    let fixture = Fixture::new(ChainMode::Defer);
    fixture.gate.verdict.set(Some(Verdict::Allow));
    fixture
        .gate
        .outcome
        .replace(Some(crate::fixture::admitted(None)));
    let userdata = fixture.userdata().expose_provenance();
    let codes = thread::scope(|scope| {
        let asking = scope.spawn(move || {
            // The client is never looked at, and need not be one.
            let client = ptr::without_provenance_mut(0x1000);
            call_all(client, ptr::with_exposed_provenance_mut(userdata))
        });
        asking.join().unwrap()
    });
    for (event, code) in codes {
        let refusal = match event {
            ACL_CHECK => DENIED,
            BASIC_AUTH => REFUSED,
            EXT_AUTH_CONTINUE | EXT_AUTH_START => CONTINUE,
            PSK_KEY => DEFERRED,
            _ => ALLOWED,
        };
        assert_eq!(code, refusal, "{event}");
    }
    assert!(fixture.gate.connects.borrow().is_empty());
    assert!(fixture.gate.checks.borrow().is_empty());
    assert!(fixture.gate.gone.borrow().is_empty());
    assert!(fixture.gate.arrived.borrow().is_empty());
    assert!(fixture.gate.commands.borrow().is_empty());
    assert!(fixture.gate.enhanced.borrow().is_empty());
    assert_eq!(fixture.gate.reloads.get(), 0);
    assert!(fixture.host.lines.borrow().is_empty());
    // The plugin's own thread says so, once.
    fixture.tick();
    fixture.tick();
    assert_eq!(fixture.host.lines.borrow().len(), 1);
    assert!(fixture.host.said("http_api"));
}

#[test]
fn an_address_that_is_not_text_makes_nobody_absent() {
    for is_2_1 in [false, true] {
        let fixture = Fixture::new(ChainMode::Final);
        fixture.host.is_2_1.set(is_2_1);
        fixture
            .gate
            .outcome
            .replace(Some(refused(Reason::BadSecret)));
        fixture.reload();
        for address in [&b"\xff\xfe\x80"[..], b"", b"nowhere"] {
            let mut client = FakeClient::new("c");
            client.address = Some(address.to_vec());
            for is_websocket in [false, true] {
                client.is_websocket = is_websocket;
                let code = fixture.connect(&mut client, Some(c"dev1@acme"), Some(c"guess"));
                assert_eq!(code, REFUSED);
                assert_eq!(fixture.connect(&mut client, None, None), REFUSED);
            }
        }
        assert_eq!(fixture.gate.connects.borrow().len(), 12);
    }
}

#[test]
fn a_client_without_an_address_is_restored_only_if_the_broker_knows_no_protocol_of_it() {
    let fixture = Fixture::new(ChainMode::Final);
    fixture
        .gate
        .outcome
        .replace(Some(refused(Reason::BadSecret)));
    let mut client = FakeClient::new("c");
    client.address = None;
    fixture.reload();
    assert_eq!(fixture.connect(&mut client, Some(c"x"), None), REFUSED);
    client.protocol = 0;
    assert_eq!(fixture.connect(&mut client, Some(c"x"), None), ALLOWED);
    // 2.1 finds a client that it has restored, and none that is connecting.
    let fixture = Fixture::new(ChainMode::Final);
    fixture.host.is_2_1.set(true);
    fixture.reload();
    assert_eq!(fixture.connect(&mut client, Some(c"x"), None), REFUSED);
    let pointer = client.pointer();
    fixture.host.let_in.borrow_mut().insert("c".into(), pointer);
    assert_eq!(fixture.connect(&mut client, Some(c"x"), None), ALLOWED);
    fixture.tick();
    assert_eq!(fixture.connect(&mut client, Some(c"x"), None), REFUSED);
}

#[test]
fn a_connect_during_a_reload_is_judged_though_it_is_all_that_an_away_client_was() {
    let login = (Some(c"dev1@acme"), Some(c"secret"));
    for is_2_1 in [false, true] {
        let fixture = Fixture::new(ChainMode::Final);
        fixture.host.is_2_1.set(is_2_1);
        let mut client = FakeClient::new("c");
        fixture.admit(&mut client);
        fixture.disconnect(&mut client);
        fixture
            .gate
            .outcome
            .replace(Some(refused(Reason::Suspended)));
        fixture.reload();
        // The same handle, id, name and password, but a connection: on 2.0 over
        // WebSockets, on 2.1 one that the broker does not find by its id yet.
        client.is_websocket = true;
        assert_eq!(fixture.connect(&mut client, login.0, login.1), REFUSED);
    }
}

#[test]
fn only_what_a_client_can_t_choose_is_its_address() {
    let fixture = Fixture::new(ChainMode::Final);
    let mut client = FakeClient::new("c");
    for (text, over_tcp) in [
        (&b"192.0.2.1"[..], "192.0.2.1"),
        (b"2001:db8::1", "2001:db8::1"),
        (b"fe80::1%eth0", "fe80::1%eth0"),
        (b"/run/mosquitto.sock", "/run/mosquitto.sock"),
        (b"", "unix"),
        (b"\xff", "unix"),
        (b"192.0.2.1, 192.0.2.2", "unix"),
        (b"127.0.0.1%x", "unix"),
    ] {
        client.address = Some(text.to_vec());
        for (is_2_1, is_websocket) in [(false, false), (false, true), (true, false), (true, true)] {
            fixture.host.is_2_1.set(is_2_1);
            client.is_websocket = is_websocket;
            fixture.connect(&mut client, None, None);
            let expected = if is_websocket && !is_2_1 {
                "ws"
            } else {
                over_tcp
            };
            let seen = fixture.gate.addresses.borrow_mut().pop().flatten();
            assert_eq!(seen.as_deref(), Some(expected));
        }
    }
    client.address = None;
    fixture.connect(&mut client, None, None);
    assert_eq!(fixture.gate.addresses.borrow_mut().pop(), Some(None));
}

#[test]
fn an_id_is_kept_for_a_client_that_no_plugin_was_asked_about() {
    let fixture = Fixture::new(ChainMode::Final);
    fixture.host.is_2_1.set(true);
    let neighbour = Fixture::on(Rc::clone(&fixture.host), ChainMode::Final);
    let key = InstanceKey {
        store: "/s".into(),
        broker: "two".into(),
    };
    instances::join(neighbour.plugin(), key);
    let mut asking = FakeClient::new("c");
    let mut holder = FakeClient::new("c");
    let mut reservation = |holder: Option<&mut FakeClient>| {
        let pointer = holder.map(FakeClient::pointer);
        let mut found = fixture.host.let_in.borrow_mut();
        found.clear();
        found.extend(pointer.map(|pointer| ("c".to_owned(), pointer)));
        drop(found);
        fixture.connect(&mut asking, Some(c"x"), None);
        fixture.gate.reservations.borrow_mut().pop().unwrap()
    };
    assert_eq!(reservation(None), Reservation::Free);
    // A bridge, or a client that another plugin let in.
    assert_eq!(reservation(Some(&mut holder)), Reservation::Taken);
    // What was restored is told by our own record.
    holder.address = None;
    holder.protocol = 0;
    assert_eq!(reservation(Some(&mut holder)), Reservation::Free);
    // A bridge has no address either.
    holder.protocol = 4;
    assert_eq!(reservation(Some(&mut holder)), Reservation::Taken);
    // Whom a plugin of another listener let in, here or away, is judged.
    neighbour.admit(&mut holder);
    assert_eq!(reservation(Some(&mut holder)), Reservation::Free);
    neighbour.disconnect(&mut holder);
    assert_eq!(reservation(Some(&mut holder)), Reservation::Free);
    instances::leave(neighbour.plugin());
    assert_eq!(reservation(Some(&mut holder)), Reservation::Taken);
}

#[test]
fn where_the_broker_does_not_tell_the_ids_of_its_bridges_are_kept() {
    let fixture = Fixture::new(ChainMode::Final);
    for (id, expected) in [
        ("local.edge", Reservation::Possible),
        ("localhost", Reservation::Free),
    ] {
        let mut client = FakeClient::new(id);
        fixture.connect(&mut client, Some(c"x"), None);
        let reservation = fixture.gate.reservations.borrow_mut().pop();
        assert_eq!(reservation, Some(expected));
    }
}

/// 2.1 lets one plugin of a broker have the topic of commands.
#[test]
fn a_command_is_carried_out_by_the_plugin_that_let_its_client_in() {
    let fixture = Fixture::new(ChainMode::Final);
    let neighbour = Fixture::on(Rc::clone(&fixture.host), ChainMode::Final);
    let key = InstanceKey {
        store: "/s".into(),
        broker: "two".into(),
    };
    instances::join(neighbour.plugin(), key);
    let mut client = FakeClient::new("c");
    neighbour.admit(&mut client);
    let event = control_event(client.pointer(), b"{}");
    call(CONTROL, &event, fixture.userdata());
    assert_eq!(neighbour.gate.commands.borrow().len(), 1);
    assert!(fixture.gate.commands.borrow().is_empty());
    instances::leave(neighbour.plugin());
}

/// The broker holds a login by its client id alone, and says nothing when one
/// that it held goes away.
#[test]
fn a_verdict_lets_nobody_in_that_waits_for_another_plugin() {
    let fixture = Fixture::new(ChainMode::Final);
    fixture.host.is_2_1.set(true);
    let neighbour = Fixture::on(Rc::clone(&fixture.host), ChainMode::Final);
    let key = InstanceKey {
        store: "/s".into(),
        broker: "two".into(),
    };
    instances::join(neighbour.plugin(), key);
    let (mut first, mut second) = (FakeClient::new("c"), FakeClient::new("c"));
    let held = pending(7, Some("dev1@acme"));
    fixture.gate.outcome.replace(Some(held.clone()));
    neighbour.gate.outcome.replace(Some(held));
    fixture.connect(&mut first, Some(c"dev1@acme"), Some(c"secret"));
    // It leaves, and another one waits under its id.
    neighbour.connect(&mut second, Some(c"dev1@acme"), Some(c"guess"));
    complete(&fixture, &mut first, admit(Some("dev1@acme")));
    let refused = [("c".to_owned(), LoginCompletion::Refused)];
    assert_eq!(*fixture.host.completed.borrow(), refused);
    assert_eq!(
        *fixture.gate.arrivals.borrow(),
        [(Ticket(7), CompletionStatus::Gone)]
    );
    instances::leave(neighbour.plugin());
}
