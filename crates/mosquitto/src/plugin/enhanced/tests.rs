//! The callbacks of enhanced authentication and of commands, called as the
//! broker calls them.

use core::ffi::{CStr, c_int};
use core::ptr;

use countersign::core::options::ChainMode;
use countersign::core::reason::Reason;
use countersign::{ConnectOutcome, Directive, Handle, RESPONSE_TOPIC, RefusalCode};
use countersign_mosquitto_sys as sys;

use crate::events::table::EVENTS;
use crate::fixture::{
    FakeClient, Fixture, admitted, call, connect_event, control_event, enhanced_event, pending,
    refused, refused_with,
};

const ADMITTED: c_int = sys::MOSQ_ERR_SUCCESS;
const CONTINUE: c_int = sys::MOSQ_ERR_AUTH_CONTINUE;
const REFUSED: c_int = sys::MOSQ_ERR_AUTH;
const METHOD: &CStr = c"COUNTERSIGN-TOTP";

/// Calls a step of enhanced authentication; returns the code and the data.
fn step(
    fixture: &Fixture,
    event: &str,
    client: &mut FakeClient,
    method: Option<&CStr>,
    data: Option<&[u8]>,
) -> (c_int, Vec<u8>) {
    let mut data_of_event = enhanced_event(client.pointer(), method, data);
    let callback = EVENTS.iter().find(|known| known.name == event).unwrap();
    let pointer = ptr::from_mut(&mut data_of_event).cast();
    // SAFETY: the data of this event, for the time of the call, and a plugin.
    let code = unsafe { (callback.callback)(callback.id, pointer, fixture.userdata()) };
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

fn start(fixture: &Fixture, client: &mut FakeClient) -> (c_int, Vec<u8>) {
    client.username = Some(b"jane@x.test".to_vec());
    let data = Some(&b"right\0password"[..]);
    step(fixture, "ext-auth-start", client, Some(METHOD), data)
}

/// As 2.0 does, which names no method here.
fn answer(fixture: &Fixture, client: &mut FakeClient, code: &[u8]) -> (c_int, Vec<u8>) {
    step(fixture, "ext-auth-continue", client, None, Some(code))
}

fn outcome(fixture: &Fixture, outcome: ConnectOutcome) {
    fixture.gate.outcome.replace(Some(outcome));
}

fn challenge() -> ConnectOutcome {
    ConnectOutcome::Challenge { data: b"{}" }
}

fn handle(client: &mut FakeClient) -> Handle {
    Handle(client.pointer().addr())
}

#[test]
fn what_the_client_sent_reaches_the_gate_whole_and_the_question_comes_back() {
    let fixture = Fixture::new(ChainMode::Final);
    let mut client = FakeClient::new("c");
    outcome(&fixture, challenge());
    assert_eq!(start(&fixture, &mut client), (CONTINUE, b"{}".to_vec()));
    let expected = (
        METHOD.to_bytes().to_vec(),
        Some(b"jane@x.test".to_vec()),
        Some(b"right\0password".to_vec()),
    );
    assert_eq!(*fixture.gate.enhanced.borrow(), [expected]);
    // It is called as it is stored, and not as it was presented.
    outcome(&fixture, admitted(Some("jane@x.test@acme")));
    assert_eq!(
        answer(&fixture, &mut client, b"123456"),
        (ADMITTED, Vec::new())
    );
    assert_eq!(*fixture.gate.answers.borrow(), [Some(b"123456".to_vec())]);
    assert_eq!(
        *fixture.host.usernames.borrow(),
        [Some("jane@x.test@acme".to_owned())]
    );
}

#[test]
fn missing_data_is_none_and_a_missing_method_is_no_method() {
    let fixture = Fixture::new(ChainMode::Final);
    let mut client = FakeClient::new("c");
    let _refused = step(&fixture, "ext-auth-start", &mut client, None, None);
    assert_eq!(*fixture.gate.enhanced.borrow(), [(Vec::new(), None, None)]);
    let _refused = step(&fixture, "ext-auth-continue", &mut client, None, None);
    assert_eq!(*fixture.gate.answers.borrow(), [None]);
}

#[test]
fn each_refusal_has_the_code_that_the_broker_has_a_word_for() {
    let fixture = Fixture::new(ChainMode::Final);
    let mut client = FakeClient::new("c");
    for (code, expected) in [
        (RefusalCode::NotAuthorized, REFUSED),
        (RefusalCode::Banned, REFUSED),
        (RefusalCode::Busy, sys::MOSQ_ERR_CONN_LOST),
        (RefusalCode::BadMethod, sys::MOSQ_ERR_NOT_SUPPORTED),
    ] {
        outcome(&fixture, refused_with(Reason::Malformed, code));
        assert_eq!(start(&fixture, &mut client), (expected, Vec::new()));
    }
    assert_eq!(fixture.host.lines.borrow().len(), 4);
    // None of them can be held, nor is there a name or memory for everybody.
    outcome(&fixture, pending(1, None));
    assert_eq!(start(&fixture, &mut client).0, REFUSED);
    outcome(&fixture, admitted(Some("x")));
    fixture.host.refuses_usernames.set(true);
    assert_eq!(start(&fixture, &mut client).0, REFUSED);
    outcome(&fixture, challenge());
    fixture.host.has_no_memory.set(true);
    assert_eq!(start(&fixture, &mut client).0, REFUSED);
    assert_eq!(fixture.gate.gone.borrow().len(), 3);
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
        let fixture = Fixture::new(ChainMode::Final);
        fixture.admit(&mut client);
        outcome(&fixture, outcome_of_gate);
        assert_eq!(answer(&fixture, &mut client, b"").0, CONTINUE);
    }
    let fixture = Fixture::new(ChainMode::Final);
    fixture.admit(&mut client);
    outcome(&fixture, ConnectOutcome::Challenge { data: b"" });
    assert_eq!(start(&fixture, &mut client), (CONTINUE, Vec::new()));
    // Nor where the gate can't be asked, or panics.
    fixture.gate.panics.set(true);
    for event in ["ext-auth-start", "ext-auth-continue"] {
        assert_eq!(
            step(&fixture, event, &mut client, Some(METHOD), None).0,
            CONTINUE
        );
        assert!(fixture.host.said(event));
    }
}

#[test]
fn a_live_session_that_presents_another_good_token_goes_on() {
    let mut client = FakeClient::new("c");
    let fixture = Fixture::new(ChainMode::Final);
    fixture.admit(&mut client);
    let names_before = fixture.host.usernames.borrow().len();
    outcome(&fixture, admitted(Some("dev1@acme")));
    let again = |client: &mut FakeClient| {
        client.username = Some(b"dev1@acme".to_vec());
        let token = Some(&b"a.b.c"[..]);
        step(
            &fixture,
            "ext-auth-start",
            client,
            Some(c"OAUTH2-JWT"),
            token,
        )
    };
    assert_eq!(again(&mut client), (ADMITTED, Vec::new()));
    assert_eq!(fixture.host.usernames.borrow().len(), names_before);
    assert!(fixture.gate.gone.borrow().is_empty());
    // Once it is over it is another's handle.
    fixture.disconnect(&mut client);
    outcome(&fixture, refused(Reason::BadSecret));
    assert_eq!(again(&mut client).0, REFUSED);
}

#[test]
fn after_a_reload_one_that_is_away_is_known_whatever_its_password_field_held() {
    let fixture = Fixture::new(ChainMode::Final);
    let mut client = FakeClient::new("c");
    outcome(&fixture, admitted(Some("jane@x.test")));
    assert_eq!(start(&fixture, &mut client).0, ADMITTED);
    fixture.disconnect(&mut client);
    fixture.reload();
    outcome(&fixture, refused(Reason::BadSecret));
    for password in [None, Some(c"superfluous")] {
        let code = fixture.connect(&mut client, Some(c"jane@x.test"), password);
        assert_eq!(code, ADMITTED);
    }
    assert!(fixture.gate.connects.borrow().is_empty());
    let other = fixture.connect(&mut client, Some(c"john@x.test"), None);
    assert_eq!(other, REFUSED);
    // The next tick ends it: a CONNECT is a CONNECT again.
    fixture.tick();
    assert_eq!(
        fixture.connect(&mut client, Some(c"jane@x.test"), None),
        REFUSED
    );
}

#[test]
fn others_are_asked_about_methods_and_names_that_are_theirs() {
    let fixture = Fixture::new(ChainMode::Defer);
    let mut client = FakeClient::new("c");
    for outcome_of_gate in [
        refused(Reason::UnknownName),
        refused_with(Reason::Malformed, RefusalCode::BadMethod),
    ] {
        outcome(&fixture, outcome_of_gate);
        assert_eq!(start(&fixture, &mut client).0, sys::MOSQ_ERR_PLUGIN_DEFER);
        assert_eq!(
            answer(&fixture, &mut client, b"x").0,
            sys::MOSQ_ERR_PLUGIN_DEFER
        );
        fixture.disconnect(&mut client);
    }
    assert!(fixture.gate.answers.borrow().is_empty());
    outcome(&fixture, refused(Reason::BadSecret));
    assert_eq!(start(&fixture, &mut client).0, REFUSED);
}

#[test]
fn commands_reach_the_gate_and_their_answers_whoever_asked() {
    let fixture = Fixture::new(ChainMode::Final);
    let mut client = FakeClient::new("c");
    fixture.admit(&mut client);
    for payload in [&b"{\"commands\":[]}"[..], b"", b"\0\xff"] {
        let event = control_event(client.pointer(), payload);
        assert_eq!(call("control", &event, fixture.userdata()), ADMITTED);
    }
    let nobody = control_event(ptr::null_mut(), b"{}");
    assert_eq!(call("control", &nobody, fixture.userdata()), ADMITTED);
    assert_eq!(
        *fixture.gate.commands.borrow(),
        [
            b"{\"commands\":[]}".to_vec(),
            Vec::new(),
            b"\0\xff".to_vec()
        ]
    );
    fixture.gate.panics.set(true);
    let event = control_event(client.pointer(), b"{}");
    assert_eq!(call("control", &event, fixture.userdata()), ADMITTED);
    assert!(fixture.host.said("control"));
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
        let fixture = Fixture::new(ChainMode::Final);
        fixture.host.is_2_1.set(is_2_1);
        let holder = if is_same { &mut client } else { &mut other };
        fixture
            .host
            .let_in
            .borrow_mut()
            .insert("c".into(), holder.pointer());
        let reply = reply(handle(&mut client));
        fixture.gate.directives.borrow_mut().push_back(reply);
        fixture.tick();
        let sent = fixture.host.sent.borrow();
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
    let fixture = Fixture::new(ChainMode::Final);
    let mut client = FakeClient::new("c");
    let event = connect_event(client.pointer());
    assert_eq!(call("connect", &event, fixture.userdata()), ADMITTED);
    let nobody = connect_event(ptr::null_mut());
    assert_eq!(call("connect", &nobody, fixture.userdata()), ADMITTED);
    assert_eq!(*fixture.gate.arrived.borrow(), [handle(&mut client)]);
    // Not if it is others' to know.
    let fixture = Fixture::new(ChainMode::Defer);
    outcome(&fixture, refused(Reason::UnknownName));
    let code = fixture.connect(&mut client, Some(c"x"), None);
    assert_eq!(code, sys::MOSQ_ERR_PLUGIN_DEFER);
    assert_eq!(call("connect", &event, fixture.userdata()), ADMITTED);
    assert!(fixture.gate.arrived.borrow().is_empty());
}

/// On 2.0.11.
#[test]
fn whoever_the_broker_does_not_find_by_id_is_ended_by_name() {
    let fixture = Fixture::new(ChainMode::Final);
    let mut client = FakeClient::new("c");
    fixture.admit(&mut client);
    fixture
        .host
        .hidden
        .set(Some((client.pointer(), fixture.userdata())));
    let kick = || Directive::Kick {
        handle: Handle(ptr::from_ref(&client).addr()),
        client_id: "c".into(),
        line: "ended".into(),
    };
    fixture.gate.directives.borrow_mut().push_back(kick());
    fixture.tick();
    assert_eq!(*fixture.host.kicked_users.borrow(), ["dev1@acme"]);
    assert_eq!(fixture.gate.gone.borrow().len(), 1);
    assert!(fixture.host.said("ended"));
    // Whoever was gone before is looked for by no name.
    fixture.gate.directives.borrow_mut().push_back(kick());
    fixture.tick();
    assert_eq!(fixture.host.kicked_users.borrow().len(), 1);
}
