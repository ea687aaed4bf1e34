//! Who is asking: what a client can say of itself decides nothing.

use std::rc::Rc;
use std::thread;

use countersign::core::connect::Reservation;

use super::*;
use crate::plugins::{self, Role};

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
    let bench = Bench::new(Chain::Defer);
    bench.gate.verdict.set(Some(Verdict::Allow));
    bench
        .gate
        .outcome
        .replace(Some(crate::fake::admitted(None)));
    let userdata = bench.userdata().expose_provenance();
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
    assert!(bench.gate.connects.borrow().is_empty());
    assert!(bench.gate.checks.borrow().is_empty());
    assert!(bench.gate.gone.borrow().is_empty());
    assert!(bench.gate.arrived.borrow().is_empty());
    assert!(bench.gate.commands.borrow().is_empty());
    assert!(bench.gate.enhanced.borrow().is_empty());
    assert_eq!(bench.gate.reloads.get(), 0);
    assert!(bench.host.lines.borrow().is_empty());
    // The plugin's own thread says so, once.
    bench.tick();
    bench.tick();
    assert_eq!(bench.host.lines.borrow().len(), 1);
    assert!(bench.host.said("http_api"));
}

#[test]
fn an_address_that_is_not_text_makes_nobody_absent() {
    for is_2_1 in [false, true] {
        let bench = Bench::new(Chain::Final);
        bench.host.is_2_1.set(is_2_1);
        bench.gate.outcome.replace(Some(refused(Reason::BadSecret)));
        bench.reload();
        for address in [&b"\xff\xfe\x80"[..], b"", b"nowhere"] {
            let mut client = FakeClient::new("c");
            client.address = Some(address.to_vec());
            for is_websocket in [false, true] {
                client.is_websocket = is_websocket;
                let code = bench.connect(&mut client, Some(c"dev1@acme"), Some(c"guess"));
                assert_eq!(code, REFUSED);
                assert_eq!(bench.connect(&mut client, None, None), REFUSED);
            }
        }
        assert_eq!(bench.gate.connects.borrow().len(), 12);
    }
}

#[test]
fn a_client_without_an_address_is_restored_only_if_the_broker_knows_no_protocol_of_it() {
    let bench = Bench::new(Chain::Final);
    bench.gate.outcome.replace(Some(refused(Reason::BadSecret)));
    let mut client = FakeClient::new("c");
    client.address = None;
    bench.reload();
    assert_eq!(bench.connect(&mut client, Some(c"x"), None), REFUSED);
    client.protocol = 0;
    assert_eq!(bench.connect(&mut client, Some(c"x"), None), ALLOWED);
    // 2.1 finds a client that it has restored, and none that is connecting.
    let bench = Bench::new(Chain::Final);
    bench.host.is_2_1.set(true);
    bench.reload();
    assert_eq!(bench.connect(&mut client, Some(c"x"), None), REFUSED);
    let pointer = client.pointer();
    bench.host.let_in.borrow_mut().insert("c".into(), pointer);
    assert_eq!(bench.connect(&mut client, Some(c"x"), None), ALLOWED);
    bench.tick();
    assert_eq!(bench.connect(&mut client, Some(c"x"), None), REFUSED);
}

#[test]
fn a_connect_during_a_reload_is_judged_though_it_is_all_that_an_away_client_was() {
    let login = (Some(c"dev1@acme"), Some(c"secret"));
    for is_2_1 in [false, true] {
        let bench = Bench::new(Chain::Final);
        bench.host.is_2_1.set(is_2_1);
        let mut client = FakeClient::new("c");
        bench.admit(&mut client);
        bench.disconnect(&mut client);
        bench.gate.outcome.replace(Some(refused(Reason::Suspended)));
        bench.reload();
        // The same handle, id, name and password, but a connection: on 2.0 over
        // WebSockets, on 2.1 one that the broker does not find by its id yet.
        client.is_websocket = true;
        assert_eq!(bench.connect(&mut client, login.0, login.1), REFUSED);
    }
}

#[test]
fn only_what_a_client_can_t_choose_is_its_address() {
    let bench = Bench::new(Chain::Final);
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
            bench.host.is_2_1.set(is_2_1);
            client.is_websocket = is_websocket;
            bench.connect(&mut client, None, None);
            let expected = if is_websocket && !is_2_1 {
                "ws"
            } else {
                over_tcp
            };
            let seen = bench.gate.addresses.borrow_mut().pop().flatten();
            assert_eq!(seen.as_deref(), Some(expected));
        }
    }
    client.address = None;
    bench.connect(&mut client, None, None);
    assert_eq!(bench.gate.addresses.borrow_mut().pop(), Some(None));
}

#[test]
fn an_id_is_kept_for_a_client_that_no_plugin_was_asked_about() {
    let bench = Bench::new(Chain::Final);
    bench.host.is_2_1.set(true);
    let neighbour = Bench::on(Rc::clone(&bench.host), Chain::Final);
    let role = Role {
        store: "/s".into(),
        broker: "two".into(),
    };
    plugins::join(neighbour.plugin(), role);
    let mut asking = FakeClient::new("c");
    let mut holder = FakeClient::new("c");
    let mut reservation = |holder: Option<&mut FakeClient>| {
        let pointer = holder.map(FakeClient::pointer);
        let mut found = bench.host.let_in.borrow_mut();
        found.clear();
        found.extend(pointer.map(|pointer| ("c".to_owned(), pointer)));
        drop(found);
        bench.connect(&mut asking, Some(c"x"), None);
        bench.gate.reservations.borrow_mut().pop().unwrap()
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
    plugins::leave(neighbour.plugin());
    assert_eq!(reservation(Some(&mut holder)), Reservation::Taken);
}

#[test]
fn where_the_broker_does_not_tell_the_ids_of_its_bridges_are_kept() {
    let bench = Bench::new(Chain::Final);
    for (id, expected) in [
        ("local.edge", Reservation::Possible),
        ("localhost", Reservation::Free),
    ] {
        let mut client = FakeClient::new(id);
        bench.connect(&mut client, Some(c"x"), None);
        let reservation = bench.gate.reservations.borrow_mut().pop();
        assert_eq!(reservation, Some(expected));
    }
}

/// 2.1 lets one plugin of a broker have the topic of commands.
#[test]
fn a_command_is_carried_out_by_the_plugin_that_let_its_client_in() {
    let bench = Bench::new(Chain::Final);
    let neighbour = Bench::on(Rc::clone(&bench.host), Chain::Final);
    let role = Role {
        store: "/s".into(),
        broker: "two".into(),
    };
    plugins::join(neighbour.plugin(), role);
    let mut client = FakeClient::new("c");
    neighbour.admit(&mut client);
    let event = control_event(client.pointer(), b"{}");
    call(CONTROL, &event, bench.userdata());
    assert_eq!(neighbour.gate.commands.borrow().len(), 1);
    assert!(bench.gate.commands.borrow().is_empty());
    plugins::leave(neighbour.plugin());
}

/// The broker holds a login by its client id alone, and says nothing when one
/// that it held goes away.
#[test]
fn a_verdict_lets_nobody_in_that_waits_for_another_plugin() {
    let bench = Bench::new(Chain::Final);
    bench.host.is_2_1.set(true);
    let neighbour = Bench::on(Rc::clone(&bench.host), Chain::Final);
    let role = Role {
        store: "/s".into(),
        broker: "two".into(),
    };
    plugins::join(neighbour.plugin(), role);
    let (mut first, mut second) = (FakeClient::new("c"), FakeClient::new("c"));
    let held = pending(7, Some("dev1@acme"));
    bench.gate.outcome.replace(Some(held.clone()));
    neighbour.gate.outcome.replace(Some(held));
    bench.connect(&mut first, Some(c"dev1@acme"), Some(c"secret"));
    // It leaves, and another one waits under its id.
    neighbour.connect(&mut second, Some(c"dev1@acme"), Some(c"guess"));
    complete(&bench, &mut first, admit(Some("dev1@acme")));
    let refused = [("c".to_owned(), Login::Refused)];
    assert_eq!(*bench.host.completed.borrow(), refused);
    assert_eq!(*bench.gate.arrivals.borrow(), [(Ticket(7), Arrival::Gone)]);
    plugins::leave(neighbour.plugin());
}
