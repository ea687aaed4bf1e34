//! The callbacks of enhanced authentication and of commands, called as the
//! broker calls them.

use core::ffi::{CStr, c_int};
use core::ptr;

use countersign::core::options::Chain;
use countersign::core::reason::Reason;
use countersign::{ConnectOutcome, Directive, Handle, RESPONSE_TOPIC, RefusalCode};
use countersign_mosquitto_sys as sys;

use crate::events::EVENTS;
use crate::fake::{
    Bench, FakeClient, admitted, call, connect_event, control_event, enhanced_event, pending,
    refused, refused_with,
};

const ADMITTED: c_int = sys::MOSQ_ERR_SUCCESS;
const CONTINUE: c_int = sys::MOSQ_ERR_AUTH_CONTINUE;
const REFUSED: c_int = sys::MOSQ_ERR_AUTH;
const METHOD: &CStr = c"COUNTERSIGN-TOTP";

/// Calls a step of enhanced authentication; returns the code and the data.
fn step(
    bench: &Bench,
    event: &str,
    client: &mut FakeClient,
    method: Option<&CStr>,
    data: Option<&[u8]>,
) -> (c_int, Vec<u8>) {
    let mut data_of_event = enhanced_event(client.pointer(), method, data);
    let callback = EVENTS.iter().find(|known| known.name == event).unwrap();
    let pointer = ptr::from_mut(&mut data_of_event).cast();
    // SAFETY: the data of this event, for the time of the call, and a plugin.
    let code = unsafe { (callback.callback)(callback.id, pointer, bench.userdata()) };
    let length = usize::from(data_of_event.data_out_len);
    if data_of_event.data_out.is_null() {
        assert_eq!(length, 0);
        return (code, Vec::new());
    }
    let data = data_of_event.data_out.cast::<u8>();
    // SAFETY: the fake broker handed out so many bytes.
    let data = unsafe { core::slice::from_raw_parts(data, length) };
    (code, data.to_vec())
}

fn start(bench: &Bench, client: &mut FakeClient) -> (c_int, Vec<u8>) {
    client.username = Some(b"jane@x.test".to_vec());
    let data = Some(&b"right\0password"[..]);
    step(bench, "ext-auth-start", client, Some(METHOD), data)
}

/// As 2.0 does, which names no method here.
fn answer(bench: &Bench, client: &mut FakeClient, code: &[u8]) -> (c_int, Vec<u8>) {
    step(bench, "ext-auth-continue", client, None, Some(code))
}

fn outcome(bench: &Bench, outcome: ConnectOutcome) {
    bench.gate.outcome.replace(Some(outcome));
}

fn challenge() -> ConnectOutcome {
    ConnectOutcome::Challenge { data: b"{}" }
}

fn handle(client: &mut FakeClient) -> Handle {
    Handle(client.pointer().addr())
}

#[test]
fn what_the_client_sent_reaches_the_gate_whole_and_the_question_comes_back() {
    let bench = Bench::new(Chain::Final);
    let mut client = FakeClient::new("c");
    outcome(&bench, challenge());
    assert_eq!(start(&bench, &mut client), (CONTINUE, b"{}".to_vec()));
    let expected = (
        METHOD.to_bytes().to_vec(),
        Some(b"jane@x.test".to_vec()),
        Some(b"right\0password".to_vec()),
    );
    assert_eq!(*bench.gate.enhanced.borrow(), [expected]);
    outcome(&bench, admitted(Some("jane@x.test")));
    assert_eq!(
        answer(&bench, &mut client, b"123456"),
        (ADMITTED, Vec::new())
    );
    assert_eq!(*bench.gate.answers.borrow(), [Some(b"123456".to_vec())]);
    assert_eq!(
        *bench.host.usernames.borrow(),
        [Some("jane@x.test".to_owned())]
    );
}

#[test]
fn missing_data_is_none_and_a_missing_method_is_no_method() {
    let bench = Bench::new(Chain::Final);
    let mut client = FakeClient::new("c");
    let _refused = step(&bench, "ext-auth-start", &mut client, None, None);
    assert_eq!(*bench.gate.enhanced.borrow(), [(Vec::new(), None, None)]);
    let _refused = step(&bench, "ext-auth-continue", &mut client, None, None);
    assert_eq!(*bench.gate.answers.borrow(), [None]);
}

#[test]
fn each_refusal_has_the_code_that_the_broker_has_a_word_for() {
    let bench = Bench::new(Chain::Final);
    let mut client = FakeClient::new("c");
    for (code, expected) in [
        (RefusalCode::NotAuthorized, REFUSED),
        (RefusalCode::Banned, REFUSED),
        (RefusalCode::Busy, sys::MOSQ_ERR_CONN_LOST),
        (RefusalCode::BadMethod, sys::MOSQ_ERR_NOT_SUPPORTED),
    ] {
        outcome(&bench, refused_with(Reason::Malformed, code));
        assert_eq!(start(&bench, &mut client), (expected, Vec::new()));
    }
    assert_eq!(bench.host.lines.borrow().len(), 4);
    // None of them can be held, nor is there a name or memory for everybody.
    outcome(&bench, pending(1, None));
    assert_eq!(start(&bench, &mut client).0, REFUSED);
    outcome(&bench, admitted(Some("x")));
    bench.host.refuses_usernames.set(true);
    assert_eq!(start(&bench, &mut client).0, REFUSED);
    outcome(&bench, challenge());
    bench.host.has_no_memory.set(true);
    assert_eq!(start(&bench, &mut client).0, REFUSED);
    assert_eq!(bench.gate.gone.borrow().len(), 3);
}

/// The broker would free the id that it knows the session by.
#[test]
fn a_live_session_is_never_refused() {
    let mut client = FakeClient::new("c");
    for outcome_of_gate in [
        refused(Reason::MfaRequired),
        admitted(Some("x")),
        ConnectOutcome::Challenge { data: b"" },
    ] {
        let bench = Bench::new(Chain::Final);
        bench.admit(&mut client);
        outcome(&bench, outcome_of_gate);
        assert_eq!(answer(&bench, &mut client, b"").0, CONTINUE);
    }
    let bench = Bench::new(Chain::Final);
    bench.admit(&mut client);
    outcome(&bench, ConnectOutcome::Challenge { data: b"" });
    assert_eq!(start(&bench, &mut client), (CONTINUE, Vec::new()));
    // Nor where the gate can't be asked, or panics.
    bench.gate.panics.set(true);
    for event in ["ext-auth-start", "ext-auth-continue"] {
        assert_eq!(
            step(&bench, event, &mut client, Some(METHOD), None).0,
            CONTINUE
        );
        assert!(bench.host.said(event));
    }
}

#[test]
fn after_a_reload_one_that_is_away_is_known_whatever_its_password_field_held() {
    let bench = Bench::new(Chain::Final);
    let mut client = FakeClient::new("c");
    outcome(&bench, admitted(Some("jane@x.test")));
    assert_eq!(start(&bench, &mut client).0, ADMITTED);
    bench.disconnect(&mut client);
    bench.reload();
    outcome(&bench, refused(Reason::BadSecret));
    for password in [None, Some(c"superfluous")] {
        let code = bench.connect(&mut client, Some(c"jane@x.test"), password);
        assert_eq!(code, ADMITTED);
    }
    assert!(bench.gate.connects.borrow().is_empty());
    let other = bench.connect(&mut client, Some(c"john@x.test"), None);
    assert_eq!(other, REFUSED);
    // The next tick ends it: a CONNECT is a CONNECT again.
    bench.tick();
    assert_eq!(
        bench.connect(&mut client, Some(c"jane@x.test"), None),
        REFUSED
    );
}

#[test]
fn others_are_asked_about_methods_and_names_that_are_theirs() {
    let bench = Bench::new(Chain::Defer);
    let mut client = FakeClient::new("c");
    for outcome_of_gate in [
        refused(Reason::UnknownName),
        refused_with(Reason::Malformed, RefusalCode::BadMethod),
    ] {
        outcome(&bench, outcome_of_gate);
        assert_eq!(start(&bench, &mut client).0, sys::MOSQ_ERR_PLUGIN_DEFER);
        assert_eq!(
            answer(&bench, &mut client, b"x").0,
            sys::MOSQ_ERR_PLUGIN_DEFER
        );
        bench.disconnect(&mut client);
    }
    assert!(bench.gate.answers.borrow().is_empty());
    outcome(&bench, refused(Reason::BadSecret));
    assert_eq!(start(&bench, &mut client).0, REFUSED);
}

#[test]
fn commands_reach_the_gate_and_their_answers_whoever_asked() {
    let bench = Bench::new(Chain::Final);
    let mut client = FakeClient::new("c");
    bench.admit(&mut client);
    for payload in [&b"{\"commands\":[]}"[..], b"", b"\0\xff"] {
        let event = control_event(client.pointer(), payload);
        assert_eq!(call("control", &event, bench.userdata()), ADMITTED);
    }
    let nobody = control_event(ptr::null_mut(), b"{}");
    assert_eq!(call("control", &nobody, bench.userdata()), ADMITTED);
    assert_eq!(
        *bench.gate.commands.borrow(),
        [
            b"{\"commands\":[]}".to_vec(),
            Vec::new(),
            b"\0\xff".to_vec()
        ]
    );
    bench.gate.panics.set(true);
    let event = control_event(client.pointer(), b"{}");
    assert_eq!(call("control", &event, bench.userdata()), ADMITTED);
    assert!(bench.host.said("control"));
}

/// An answer of the gate for whoever has this handle.
fn reply(handle: Handle) -> Directive {
    Directive::Reply {
        handle,
        client_id: "c".into(),
        topic: RESPONSE_TOPIC,
        payload: b"{}".to_vec().into(),
    }
}

#[test]
fn where_the_broker_tells_whose_an_id_is_an_answer_is_sent_to_no_other() {
    let mut client = FakeClient::new("c");
    let mut other = FakeClient::new("c");
    for (is_2_1, is_same, is_sent) in [
        (false, true, true),
        (true, true, true),
        (true, false, false),
    ] {
        let bench = Bench::new(Chain::Final);
        bench.host.is_2_1.set(is_2_1);
        let holder = if is_same { &mut client } else { &mut other };
        bench
            .host
            .let_in
            .borrow_mut()
            .insert("c".into(), holder.pointer());
        let reply = reply(handle(&mut client));
        bench.gate.directives.borrow_mut().push_back(reply);
        bench.tick();
        let sent = bench.host.sent.borrow();
        assert_eq!(!sent.is_empty(), is_sent);
        for (id, topic, payload) in sent.iter() {
            assert_eq!(id, "c");
            assert_eq!(topic, "$CONTROL/countersign/v1/session/response");
            assert_eq!(payload, "{}");
        }
    }
}

#[test]
fn who_arrived_is_told_to_the_gate() {
    let bench = Bench::new(Chain::Final);
    let mut client = FakeClient::new("c");
    let event = connect_event(client.pointer());
    assert_eq!(call("connect", &event, bench.userdata()), ADMITTED);
    let nobody = connect_event(ptr::null_mut());
    assert_eq!(call("connect", &nobody, bench.userdata()), ADMITTED);
    assert_eq!(*bench.gate.arrived.borrow(), [handle(&mut client)]);
    // Not if it is others' to know.
    let bench = Bench::new(Chain::Defer);
    outcome(&bench, refused(Reason::UnknownName));
    let code = bench.connect(&mut client, Some(c"x"), None);
    assert_eq!(code, sys::MOSQ_ERR_PLUGIN_DEFER);
    assert_eq!(call("connect", &event, bench.userdata()), ADMITTED);
    assert!(bench.gate.arrived.borrow().is_empty());
}

/// On 2.0.11.
#[test]
fn whoever_the_broker_does_not_find_by_id_is_ended_by_name() {
    let bench = Bench::new(Chain::Final);
    let mut client = FakeClient::new("c");
    bench.admit(&mut client);
    bench
        .host
        .hidden
        .set(Some((client.pointer(), bench.userdata())));
    let kick = || Directive::Kick {
        handle: Handle(ptr::from_ref(&client).addr()),
        client_id: "c".into(),
        line: "ended".into(),
    };
    bench.gate.directives.borrow_mut().push_back(kick());
    bench.tick();
    assert_eq!(*bench.host.kicked_users.borrow(), ["dev1@acme"]);
    assert_eq!(bench.gate.gone.borrow().len(), 1);
    assert!(bench.host.said("ended"));
    // Whoever was gone before is looked for by no name.
    bench.gate.directives.borrow_mut().push_back(kick());
    bench.tick();
    assert_eq!(bench.host.kicked_users.borrow().len(), 1);
}
