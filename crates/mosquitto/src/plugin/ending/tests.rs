use core::ptr;

use countersign::core::options::Chain;
use countersign::core::reason::Reason;
use countersign::{Directive, Handle, Verdict};
use countersign_mosquitto_sys as sys;

use super::*;
use crate::fake::{Bench, FakeClient, refused};

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

/// A bench with one client over WebSockets, as on 2.0, that a kick does not end
/// before it returns.
fn over_websockets(client: &mut FakeClient) -> Bench {
    let bench = Bench::new(Chain::Final);
    bench.gate.verdict.set(Some(Verdict::Allow));
    client.is_websocket = true;
    bench.admit(client);
    let online = (client.pointer(), bench.userdata());
    bench.host.online.set(Some(online));
    bench.gate.directives.borrow_mut().push_back(kick(client));
    bench.tick();
    bench
}

#[test]
fn a_client_that_the_broker_closes_later_is_ended_alone_and_has_its_will() {
    let mut client = FakeClient::new("c");
    let bench = over_websockets(&mut client);
    assert_eq!(*bench.host.kicked.borrow(), ["c"]);
    assert!(bench.host.kicked_users.borrow().is_empty());
    assert!(!bench.host.said("ended c"));
    bench.disconnect(&mut client);
    assert!(bench.host.said("ended c"));
    // The Will is asked about once it is gone.
    assert_eq!(bench.check(&mut client, c"will", WRITE), ALLOWED);
    assert_eq!(bench.gate.gone.borrow().len(), 1);
}

#[test]
fn a_client_that_is_not_closed_yet_may_do_nothing_more() {
    let mut client = FakeClient::new("c");
    let bench = over_websockets(&mut client);
    for access in [READ, WRITE, SUBSCRIBE] {
        assert_eq!(bench.check(&mut client, c"t", access), DENIED);
    }
    // Nor does a reload let it in again.
    bench.reload();
    assert_eq!(bench.admit(&mut client), sys::MOSQ_ERR_AUTH);
    bench.tick();
    bench.disconnect(&mut client);
    // Another connection with its handle is another.
    assert_eq!(bench.admit(&mut client), ALLOWED);
    assert_eq!(bench.check(&mut client, c"t", WRITE), ALLOWED);
}

#[test]
fn a_client_that_stays_is_asked_for_again_and_by_name_only_if_its_id_is_lost() {
    let mut client = FakeClient::new("c");
    let bench = over_websockets(&mut client);
    let handle = Handle(client.pointer().addr());
    let late = || {
        let mut endings = bench.plugin().endings.borrow_mut();
        let ending = endings.0.get_mut(&handle).unwrap();
        ending.asked = ending.asked.and_then(|at| at.checked_sub(ASK_AGAIN));
    };
    bench.tick();
    assert_eq!(bench.host.kicked.borrow().len(), 1);
    late();
    let online = (client.pointer(), bench.userdata());
    bench.host.online.set(Some(online));
    bench.tick();
    assert_eq!(bench.host.kicked.borrow().len(), 2);
    assert!(bench.host.kicked_users.borrow().is_empty());
    late();
    bench.tick();
    assert_eq!(*bench.host.kicked_users.borrow(), ["dev1@acme"]);
    late();
    bench.tick();
    assert_eq!(bench.host.kicked.borrow().len(), 3);
    assert_eq!(bench.check(&mut client, c"t", WRITE), DENIED);
}

#[test]
fn what_is_asked_about_a_client_while_it_is_being_ended_is_for_the_gate() {
    let bench = Bench::new(Chain::Final);
    let mut client = FakeClient::new("c");
    bench.admit(&mut client);
    bench.gate.outcome.replace(Some(refused(Reason::Suspended)));
    let online = (client.pointer(), bench.userdata());
    bench.host.online.set(Some(online));
    bench.gate.directives.borrow_mut().push_back(kick(&client));
    bench.tick();
    assert_eq!(bench.gate.checks.borrow().len(), 1);
    assert!(bench.host.said("ended c"));
}

#[test]
fn where_the_broker_loses_no_ids_a_client_that_it_does_not_find_is_gone() {
    let bench = Bench::new(Chain::Final);
    bench.host.is_2_1.set(true);
    let mut client = FakeClient::new("c");
    bench.admit(&mut client);
    bench.gate.directives.borrow_mut().push_back(kick(&client));
    bench.tick();
    assert!(bench.host.kicked.borrow().is_empty());
    assert!(bench.host.kicked_users.borrow().is_empty());
    assert_eq!(bench.gate.gone.borrow().len(), 1);
}

#[test]
fn a_kick_whose_id_is_another_clients_ends_nobody() {
    let bench = Bench::new(Chain::Final);
    bench.host.is_2_1.set(true);
    let (mut client, mut other) = (FakeClient::new("c"), FakeClient::new("c"));
    bench.admit(&mut client);
    bench.disconnect(&mut client);
    let others = other.pointer();
    bench.host.let_in.borrow_mut().insert("c".into(), others);
    bench.gate.directives.borrow_mut().push_back(kick(&client));
    bench.tick();
    assert!(bench.host.kicked.borrow().is_empty());
}
