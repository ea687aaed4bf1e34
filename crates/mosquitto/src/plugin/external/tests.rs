use countersign::core::options::ChainMode;
use countersign::core::reason::Reason;
use countersign::{Handle, Verdict};
use countersign_mosquitto_sys as sys;

use crate::fixture::{FakeClient, Fixture, call, connect_event, psk_event, refused};

const WRITE: i32 = sys::MOSQ_ACL_WRITE;
const SUBSCRIBE: i32 = sys::MOSQ_ACL_SUBSCRIBE;
const DENIED: i32 = sys::MOSQ_ERR_ACL_DENIED;

fn handle(client: &mut FakeClient) -> Handle {
    Handle(client.pointer().addr())
}

/// A client with a certificate, and a name that is taken from it.
fn certified(id: &str) -> FakeClient {
    let mut client = FakeClient::new(id);
    client.username = Some(b"x@acme".to_vec());
    client.certificate = Some(Vec::new());
    client
}

fn online(fixture: &Fixture, client: &mut FakeClient) {
    let online = (client.pointer(), fixture.userdata());
    fixture.host.online.set(Some(online));
}

#[test]
fn a_stranger_with_a_certificate_is_ended_when_it_connects_where_the_broker_says_so() {
    let fixture = Fixture::new(ChainMode::Final);
    fixture.host.is_2_1.set(true);
    let mut client = certified("c");
    call(
        "connect",
        &connect_event(client.pointer()),
        fixture.userdata(),
    );
    let pointer = client.pointer();
    fixture.host.let_in.borrow_mut().insert("c".into(), pointer);
    online(&fixture, &mut client);
    fixture.tick();
    assert_eq!(*fixture.host.kicked.borrow(), ["c"]);
    assert!(fixture.host.said("refused a stranger"));
    fixture.tick();
    assert_eq!(fixture.host.kicked.borrow().len(), 1);
    assert_eq!(fixture.host.lines.borrow().len(), 1);
}

#[test]
fn a_stranger_with_a_certificate_is_ended_at_its_first_use_elsewhere() {
    let fixture = Fixture::new(ChainMode::Final);
    let mut client = certified("c");
    assert_eq!(fixture.check(&mut client, c"t", SUBSCRIBE), DENIED);
    assert_eq!(fixture.check(&mut client, c"t", SUBSCRIBE), DENIED);
    assert_eq!(fixture.gate.turned_away.borrow().len(), 1);
    online(&fixture, &mut client);
    let checks = fixture.gate.checks.borrow().len();
    fixture.tick();
    assert_eq!(*fixture.host.kicked.borrow(), ["c"]);
    // Its Will is judged by nobody, and denied.
    assert_eq!(fixture.gate.checks.borrow().len(), checks);
    // It may come again, and is ended again.
    fixture.check(&mut client, c"t", WRITE);
    online(&fixture, &mut client);
    fixture.tick();
    assert_eq!(fixture.host.kicked.borrow().len(), 2);
}

#[test]
fn a_stranger_is_ended_also_where_the_log_has_too_many_lines_of_refusals() {
    let fixture = Fixture::new(ChainMode::Final);
    fixture.gate.is_silent.set(true);
    let mut client = certified("c");
    assert_eq!(fixture.check(&mut client, c"t", SUBSCRIBE), DENIED);
    online(&fixture, &mut client);
    fixture.tick();
    assert_eq!(*fixture.host.kicked.borrow(), ["c"]);
    assert!(fixture.host.lines.borrow().is_empty());
}

#[test]
fn a_stranger_is_not_ended_by_an_id_that_is_a_sessions_by_now() {
    let fixture = Fixture::new(ChainMode::Final);
    let mut client = certified("c");
    fixture.check(&mut client, c"t", SUBSCRIBE);
    fixture.gate.is_live.set(true);
    fixture.tick();
    assert!(fixture.host.kicked.borrow().is_empty());
    assert!(fixture.host.said("refused a stranger"));
}

#[test]
fn whoever_a_credential_stands_for_stays_and_is_known_after_a_reload() {
    let fixture = Fixture::new(ChainMode::Final);
    fixture.gate.verdict.set(Some(Verdict::Allow));
    fixture.gate.knows_all.set(true);
    let mut client = certified("c");
    fixture.check(&mut client, c"t", SUBSCRIBE);
    fixture.tick();
    assert!(fixture.host.kicked.borrow().is_empty());
    fixture.disconnect(&mut client);
    fixture
        .gate
        .outcome
        .replace(Some(refused(Reason::BadSecret)));
    fixture.reload();
    let code = fixture.connect(&mut client, Some(c"x@acme"), None);
    assert_eq!(code, sys::MOSQ_ERR_SUCCESS);
}

/// A refusal would make 2.0 end its session a second time, and damage its memory.
#[test]
fn a_client_that_left_without_a_word_is_not_judged_after_a_reload() {
    let fixture = Fixture::new(ChainMode::Final);
    fixture
        .gate
        .outcome
        .replace(Some(refused(Reason::Unauthenticated)));
    let mut client = certified("c");
    fixture.disconnect(&mut client);
    fixture.reload();
    let again = |client: &mut FakeClient| fixture.connect(client, Some(c"x@acme"), None);
    assert_eq!(again(&mut client), sys::MOSQ_ERR_SUCCESS);
    fixture.tick();
    // Its Will, which the broker asks about once it is gone, changes nothing.
    let mut client = certified("w");
    fixture.disconnect(&mut client);
    fixture.check(&mut client, c"will", WRITE);
    client.certificate = None;
    fixture.tick();
    assert!(fixture.gate.turned_away.borrow().is_empty());
    assert!(fixture.host.kicked.borrow().is_empty());
    fixture.reload();
    assert_eq!(again(&mut client), sys::MOSQ_ERR_SUCCESS);
    // Another that has its handle is.
    client.id = Some(b"d".to_vec());
    assert_eq!(again(&mut client), sys::MOSQ_ERR_AUTH);
    // One that proved its name by a pre-shared key is left alone as well.
    let mut keyed = FakeClient::new("k");
    keyed.username = Some(b"x@acme".to_vec());
    let event = psk_event(keyed.pointer(), c"x@acme");
    call("psk-key", &event, fixture.userdata());
    fixture.disconnect(&mut keyed);
    assert_eq!(again(&mut keyed), sys::MOSQ_ERR_SUCCESS);
    let mut unproved = FakeClient::new("e");
    fixture.disconnect(&mut unproved);
    assert_eq!(again(&mut unproved), sys::MOSQ_ERR_AUTH);
}

/// Another plugin that stands before ours may let in a client under any name.
#[test]
fn a_name_counts_for_nothing_unless_a_certificate_or_a_key_vouches_for_it() {
    let fixture = Fixture::new(ChainMode::Final);
    fixture.host.is_2_1.set(true);
    let mut client = FakeClient::new("c");
    client.username = Some(b"x@acme".to_vec());
    let seen = |client: &mut FakeClient| {
        fixture.check(client, c"t", WRITE);
        fixture.gate.names.borrow_mut().pop().unwrap()
    };
    let name = client.username.clone();
    assert_eq!(seen(&mut client), None);
    for (identity, expected) in [(c"y@acme", None), (c"x@acme", name.clone())] {
        let event = psk_event(client.pointer(), identity);
        let code = call("psk-key", &event, fixture.userdata());
        assert_eq!(code, sys::MOSQ_ERR_PLUGIN_DEFER);
        assert_eq!(seen(&mut client), expected);
    }
    fixture.disconnect(&mut client);
    assert_eq!(seen(&mut client), None);
    client.certificate = Some(Vec::new());
    assert_eq!(seen(&mut client), name);
    // What the broker only remembers is told by our own record.
    client.certificate = None;
    client.address = None;
    assert_eq!(seen(&mut client), name);
    // 2.0 does not tell who has a pre-shared key. Nobody is ended for that.
    fixture.gate.turned_away.borrow_mut().clear();
    fixture.host.is_2_1.set(false);
    client.address = Some(b"192.0.2.1".to_vec());
    assert_eq!(seen(&mut client), name);
    assert!(fixture.gate.turned_away.borrow().is_empty());
}

/// 2.0 does not say that a client connects, but that the one before it goes.
#[test]
fn whoever_takes_the_id_of_a_session_without_a_login_is_ended() {
    for (was_clean, is_clean, is_live, has_former_handle, expected) in [
        (true, true, false, false, 1),
        (false, true, false, false, 1),
        // The broker does not say when it forgets a session, so another may have its
        // handle.
        (true, true, false, true, 1),
        (false, false, false, false, 0),
        (true, true, true, false, 0),
    ] {
        let fixture = Fixture::new(ChainMode::Final);
        let (mut device, mut taker) = (FakeClient::new("c"), certified("c"));
        if has_former_handle {
            taker.starts_clean = false;
            fixture.admit(&mut taker);
            fixture.disconnect(&mut taker);
        }
        let checks = fixture.gate.checks.borrow().len();
        device.starts_clean = was_clean;
        fixture.admit(&mut device);
        device.starts_clean = is_clean;
        fixture.disconnect(&mut device);
        fixture.gate.is_live.set(is_live);
        online(&fixture, &mut taker);
        fixture.tick();
        assert_eq!(fixture.host.kicked.borrow().len(), expected);
        assert_eq!(fixture.gate.turned_away.borrow().len(), expected);
        if expected > 0 {
            assert_eq!(*fixture.gate.turned_away.borrow(), [handle(&mut taker)]);
            assert!(fixture.host.said("took the id `c`"));
            // What the broker asks while it ends it is not the gate's to judge.
            assert_eq!(fixture.gate.checks.borrow().len(), checks);
        }
        fixture.tick();
        assert_eq!(fixture.host.kicked.borrow().len(), expected);
    }
}

/// Its next connection is not asked about either, and says nothing before it uses
/// a topic.
#[test]
fn a_certificates_client_that_takes_over_from_itself_stays() {
    let fixture = Fixture::new(ChainMode::Final);
    fixture.gate.verdict.set(Some(Verdict::Allow));
    fixture.gate.knows_all.set(true);
    let (mut before, mut after) = (certified("c"), certified("c"));
    fixture.check(&mut before, c"t", SUBSCRIBE);
    before.starts_clean = true;
    fixture.disconnect(&mut before);
    online(&fixture, &mut after);
    fixture.tick();
    assert!(fixture.host.kicked.borrow().is_empty());
    assert!(fixture.gate.turned_away.borrow().is_empty());
}

#[test]
fn what_others_let_in_is_not_ended() {
    let fixture = Fixture::new(ChainMode::Defer);
    fixture.host.is_2_1.set(true);
    let mut client = certified("c");
    fixture
        .gate
        .outcome
        .replace(Some(refused(Reason::UnknownName)));
    fixture.connect(&mut client, Some(c"x"), None);
    call(
        "connect",
        &connect_event(client.pointer()),
        fixture.userdata(),
    );
    fixture.check(&mut client, c"t", WRITE);
    fixture.tick();
    assert!(fixture.gate.turned_away.borrow().is_empty());
    assert!(fixture.host.kicked.borrow().is_empty());
}
