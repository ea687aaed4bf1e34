use countersign::core::options::Chain;
use countersign::core::reason::Reason;
use countersign::{Handle, Verdict};
use countersign_mosquitto_sys as sys;

use crate::fake::{Bench, FakeClient, call, connect_event, psk_event, refused};

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
    client.has_certificate = true;
    client
}

fn online(bench: &Bench, client: &mut FakeClient) {
    let online = (client.pointer(), bench.userdata());
    bench.host.online.set(Some(online));
}

#[test]
fn a_stranger_with_a_certificate_is_ended_when_it_connects_where_the_broker_says_so() {
    let bench = Bench::new(Chain::Final);
    bench.host.is_2_1.set(true);
    let mut stranger = certified("c");
    call(
        "connect",
        &connect_event(stranger.pointer()),
        bench.userdata(),
    );
    let pointer = stranger.pointer();
    bench.host.let_in.borrow_mut().insert("c".into(), pointer);
    online(&bench, &mut stranger);
    bench.tick();
    assert_eq!(*bench.host.kicked.borrow(), ["c"]);
    assert!(bench.host.said("refused a stranger"));
    bench.tick();
    assert_eq!(bench.host.kicked.borrow().len(), 1);
    assert_eq!(bench.host.lines.borrow().len(), 1);
}

#[test]
fn a_stranger_with_a_certificate_is_ended_at_its_first_use_elsewhere() {
    let bench = Bench::new(Chain::Final);
    let mut stranger = certified("c");
    assert_eq!(bench.check(&mut stranger, c"t", SUBSCRIBE), DENIED);
    assert_eq!(bench.check(&mut stranger, c"t", SUBSCRIBE), DENIED);
    assert_eq!(bench.gate.turned_away.borrow().len(), 1);
    online(&bench, &mut stranger);
    let checks = bench.gate.checks.borrow().len();
    bench.tick();
    assert_eq!(*bench.host.kicked.borrow(), ["c"]);
    // Its Will is judged by nobody, and denied.
    assert_eq!(bench.gate.checks.borrow().len(), checks);
    // It may come again, and is ended again.
    bench.check(&mut stranger, c"t", WRITE);
    online(&bench, &mut stranger);
    bench.tick();
    assert_eq!(bench.host.kicked.borrow().len(), 2);
}

#[test]
fn a_stranger_is_ended_also_where_the_log_has_too_many_lines_of_refusals() {
    let bench = Bench::new(Chain::Final);
    bench.gate.is_silent.set(true);
    let mut stranger = certified("c");
    assert_eq!(bench.check(&mut stranger, c"t", SUBSCRIBE), DENIED);
    online(&bench, &mut stranger);
    bench.tick();
    assert_eq!(*bench.host.kicked.borrow(), ["c"]);
    assert!(bench.host.lines.borrow().is_empty());
}

#[test]
fn a_stranger_is_not_ended_by_an_id_that_is_a_sessions_by_now() {
    let bench = Bench::new(Chain::Final);
    let mut stranger = certified("c");
    bench.check(&mut stranger, c"t", SUBSCRIBE);
    bench.gate.is_live.set(true);
    bench.tick();
    assert!(bench.host.kicked.borrow().is_empty());
    assert!(bench.host.said("refused a stranger"));
}

#[test]
fn whoever_a_credential_stands_for_stays_and_is_known_after_a_reload() {
    let bench = Bench::new(Chain::Final);
    bench.gate.verdict.set(Some(Verdict::Allow));
    bench.gate.knows_all.set(true);
    let mut client = certified("c");
    bench.check(&mut client, c"t", SUBSCRIBE);
    bench.tick();
    assert!(bench.host.kicked.borrow().is_empty());
    bench.disconnect(&mut client);
    bench.gate.outcome.replace(Some(refused(Reason::BadSecret)));
    bench.reload();
    let code = bench.connect(&mut client, Some(c"x@acme"), None);
    assert_eq!(code, sys::MOSQ_ERR_SUCCESS);
}

/// Another plugin that stands before ours may let in a client under any name.
#[test]
fn a_name_counts_for_nothing_unless_a_certificate_or_a_key_vouches_for_it() {
    let bench = Bench::new(Chain::Final);
    bench.host.is_2_1.set(true);
    let mut client = FakeClient::new("c");
    client.username = Some(b"x@acme".to_vec());
    let seen = |client: &mut FakeClient| {
        bench.check(client, c"t", WRITE);
        bench.gate.names.borrow_mut().pop().unwrap()
    };
    let name = client.username.clone();
    assert_eq!(seen(&mut client), None);
    for (identity, expected) in [(c"y@acme", None), (c"x@acme", name.clone())] {
        let event = psk_event(client.pointer(), identity);
        let code = call("psk-key", &event, bench.userdata());
        assert_eq!(code, sys::MOSQ_ERR_PLUGIN_DEFER);
        assert_eq!(seen(&mut client), expected);
    }
    bench.disconnect(&mut client);
    assert_eq!(seen(&mut client), None);
    client.has_certificate = true;
    assert_eq!(seen(&mut client), name);
    // What the broker only remembers is told by our own record.
    client.has_certificate = false;
    client.address = None;
    assert_eq!(seen(&mut client), name);
    // 2.0 does not tell who has a pre-shared key. Nobody is ended for that.
    bench.gate.turned_away.borrow_mut().clear();
    bench.host.is_2_1.set(false);
    client.address = Some(b"192.0.2.1".to_vec());
    assert_eq!(seen(&mut client), name);
    assert!(bench.gate.turned_away.borrow().is_empty());
}

/// 2.0 does not say that a client connects, but that the one before it goes.
#[test]
fn whoever_takes_the_id_of_a_session_without_a_login_is_ended() {
    for (was_clean, is_clean, is_live, expected) in [
        (true, true, false, 1),
        (false, true, false, 1),
        (false, false, false, 0),
        (true, true, true, 0),
    ] {
        let bench = Bench::new(Chain::Final);
        let (mut device, mut taker) = (FakeClient::new("c"), certified("c"));
        device.starts_clean = was_clean;
        bench.admit(&mut device);
        device.starts_clean = is_clean;
        bench.disconnect(&mut device);
        bench.gate.is_live.set(is_live);
        online(&bench, &mut taker);
        bench.tick();
        assert_eq!(bench.host.kicked.borrow().len(), expected);
        assert_eq!(bench.gate.turned_away.borrow().len(), expected);
        if expected > 0 {
            assert_eq!(*bench.gate.turned_away.borrow(), [handle(&mut taker)]);
            assert!(bench.host.said("took the id `c`"));
        }
        bench.tick();
        assert_eq!(bench.host.kicked.borrow().len(), expected);
    }
}

/// Its next connection is not asked about either, and says nothing before it uses
/// a topic.
#[test]
fn a_certificates_client_that_takes_over_from_itself_stays() {
    let bench = Bench::new(Chain::Final);
    bench.gate.verdict.set(Some(Verdict::Allow));
    bench.gate.knows_all.set(true);
    let (mut before, mut after) = (certified("c"), certified("c"));
    bench.check(&mut before, c"t", SUBSCRIBE);
    before.starts_clean = true;
    bench.disconnect(&mut before);
    online(&bench, &mut after);
    bench.tick();
    assert!(bench.host.kicked.borrow().is_empty());
    assert!(bench.gate.turned_away.borrow().is_empty());
}

#[test]
fn what_others_let_in_is_not_ended() {
    let bench = Bench::new(Chain::Defer);
    bench.host.is_2_1.set(true);
    let mut client = certified("c");
    bench
        .gate
        .outcome
        .replace(Some(refused(Reason::UnknownName)));
    bench.connect(&mut client, Some(c"x"), None);
    call(
        "connect",
        &connect_event(client.pointer()),
        bench.userdata(),
    );
    bench.check(&mut client, c"t", WRITE);
    bench.tick();
    assert!(bench.gate.turned_away.borrow().is_empty());
    assert!(bench.host.kicked.borrow().is_empty());
}
