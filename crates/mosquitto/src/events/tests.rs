use core::ptr;

use countersign::core::options::ChainMode;
use countersign::core::reason::Reason;
use countersign::{
    Completion, CompletionStatus, Directive, Handle, LogLevel, RefusalCode, Ticket, Verdict,
};

use super::table::EVENTS;
use super::*;
use crate::fixture::{
    FakeClient, Fixture, acl_event, auth_event, call, connect_event, control_event,
    disconnect_event, enhanced_event, pending, psk_event, refused, refused_with,
};
use crate::host::LoginCompletion;
use crate::plugin::Plugin;

mod who_asks;

const ALLOWED: c_int = sys::MOSQ_ERR_SUCCESS;
const REFUSED: c_int = sys::MOSQ_ERR_AUTH;
const DENIED: c_int = sys::MOSQ_ERR_ACL_DENIED;
const DEFERRED: c_int = sys::MOSQ_ERR_PLUGIN_DEFER;
const CONTINUE: c_int = sys::MOSQ_ERR_AUTH_CONTINUE;

fn handle(client: &mut FakeClient) -> Handle {
    Handle(client.pointer().addr())
}

#[test]
fn nothing_is_granted_without_a_plugin_data_or_a_client() {
    let fixture = Fixture::new(ChainMode::Final);
    fixture.gate.verdict.set(Some(Verdict::Allow));
    let mut client = FakeClient::new("c");
    for event in &EVENTS {
        let refusal = match event.name {
            ACL_CHECK => DENIED,
            BASIC_AUTH => REFUSED,
            EXT_AUTH_CONTINUE | EXT_AUTH_START => CONTINUE,
            PSK_KEY => DEFERRED,
            _ => ALLOWED,
        };
        for userdata in [ptr::null_mut(), fixture.userdata()] {
            // SAFETY: null is allowed, and the plugin is one.
            let code = unsafe { (event.callback)(0, ptr::null_mut(), userdata) };
            assert_eq!(code, refusal);
        }
    }
    let nobody = auth_event(ptr::null_mut(), None, None);
    assert_eq!(call(BASIC_AUTH, &nobody, fixture.userdata()), REFUSED);
    let nobody = acl_event(ptr::null_mut(), c"t", sys::MOSQ_ACL_READ);
    assert_eq!(call(ACL_CHECK, &nobody, fixture.userdata()), DENIED);
    let nobody = disconnect_event(ptr::null_mut());
    assert_eq!(call(DISCONNECT, &nobody, fixture.userdata()), ALLOWED);
    let nobody = connect_event(ptr::null_mut());
    assert_eq!(call(CONNECT, &nobody, fixture.userdata()), ALLOWED);
    let nobody = control_event(ptr::null_mut(), b"{}");
    assert_eq!(call(CONTROL, &nobody, fixture.userdata()), ALLOWED);
    let nobody = psk_event(ptr::null_mut(), c"identity");
    assert_eq!(call(PSK_KEY, &nobody, fixture.userdata()), DEFERRED);
    for step in [EXT_AUTH_START, EXT_AUTH_CONTINUE] {
        let nobody = enhanced_event(ptr::null_mut(), Some(c"method"), None);
        assert_eq!(call(step, &nobody, fixture.userdata()), CONTINUE);
    }
    let mut no_topic = acl_event(client.pointer(), c"t", sys::MOSQ_ACL_READ);
    no_topic.topic = ptr::null();
    assert_eq!(call(ACL_CHECK, &no_topic, fixture.userdata()), DENIED);
    assert!(fixture.gate.checks.borrow().is_empty());
}

#[test]
fn a_panic_is_no_in_every_callback_and_the_next_call_is_answered() {
    let fixture = Fixture::new(ChainMode::Final);
    let mut client = FakeClient::new("c");
    fixture.gate.verdict.set(Some(Verdict::Allow));
    fixture.gate.panics.set(true);
    assert_eq!(fixture.admit(&mut client), REFUSED);
    assert_eq!(fixture.check(&mut client, c"t", sys::MOSQ_ACL_READ), DENIED);
    assert_eq!(fixture.disconnect(&mut client), ALLOWED);
    assert_eq!(fixture.tick(), ALLOWED);
    assert_eq!(fixture.reload(), ALLOWED);
    for event in [ACL_CHECK, BASIC_AUTH, DISCONNECT, RELOAD, TICK] {
        assert!(fixture.host.said(event), "{event}");
    }
    fixture.gate.panics.set(false);
    fixture.tick();
    assert_eq!(fixture.admit(&mut client), ALLOWED);
    assert_eq!(
        fixture.check(&mut client, c"t", sys::MOSQ_ACL_READ),
        ALLOWED
    );
}

#[test]
fn whoever_is_admitted_gets_the_name_that_the_gate_says() {
    let fixture = Fixture::new(ChainMode::Final);
    let mut client = FakeClient::new("c");
    assert_eq!(fixture.admit(&mut client), ALLOWED);
    fixture
        .gate
        .outcome
        .replace(Some(crate::fixture::admitted(None)));
    assert_eq!(fixture.connect(&mut client, None, None), ALLOWED);
    assert_eq!(
        *fixture.host.usernames.borrow(),
        [Some("dev1@acme".to_owned()), None]
    );
}

#[test]
fn a_login_whose_name_can_t_be_set_is_refused_and_forgotten() {
    let fixture = Fixture::new(ChainMode::Final);
    fixture.host.refuses_usernames.set(true);
    let mut client = FakeClient::new("c");
    assert_eq!(fixture.admit(&mut client), REFUSED);
    assert_eq!(*fixture.gate.gone.borrow(), [handle(&mut client)]);
}

#[test]
fn a_connect_reaches_the_gate_as_it_came() {
    let fixture = Fixture::new(ChainMode::Final);
    let mut client = FakeClient::new("c");
    assert_eq!(fixture.connect(&mut client, None, None), REFUSED);
    assert_eq!(
        fixture.connect(&mut client, Some(c"\xff"), Some(c"\x80\x01")),
        REFUSED
    );
    let handle = handle(&mut client);
    let expected = [
        (handle, None, None),
        (handle, Some(b"\xff".to_vec()), Some(b"\x80\x01".to_vec())),
    ];
    assert_eq!(*fixture.gate.connects.borrow(), expected);
}

#[test]
fn a_client_without_an_id_is_refused_unasked() {
    let fixture = Fixture::new(ChainMode::Final);
    let mut client = FakeClient::new("c");
    client.id = None;
    assert_eq!(fixture.admit(&mut client), REFUSED);
    assert!(fixture.gate.connects.borrow().is_empty());
    // It may still go away.
    assert_eq!(fixture.disconnect(&mut client), ALLOWED);
}

#[test]
fn each_refusal_is_one_line_and_always_the_same_code() {
    let fixture = Fixture::new(ChainMode::Final);
    let mut client = FakeClient::new("c");
    for reason in Reason::ALL {
        fixture.gate.outcome.replace(Some(refused(*reason)));
        assert_eq!(
            fixture.connect(&mut client, Some(c"x"), None),
            REFUSED,
            "{reason}"
        );
    }
    assert_eq!(fixture.host.lines.borrow().len(), Reason::ALL.len());
}

#[test]
fn a_login_that_would_have_to_wait_is_refused_where_it_can_t() {
    let fixture = Fixture::new(ChainMode::Defer);
    fixture.gate.outcome.replace(Some(pending(1, None)));
    let mut client = FakeClient::new("c");
    assert_eq!(fixture.connect(&mut client, Some(c"x"), None), REFUSED);
    assert_eq!(*fixture.gate.gone.borrow(), [handle(&mut client)]);
    assert_eq!(*fixture.gate.may_wait.borrow(), [false]);
}

/// A fixture of 2.1 with one login that waits.
fn waiting(client: &mut FakeClient) -> Fixture {
    let fixture = Fixture::new(ChainMode::Final);
    fixture.host.is_2_1.set(true);
    fixture
        .gate
        .outcome
        .replace(Some(pending(7, Some("dev1@acme"))));
    let code = fixture.connect(client, Some(c"dev1@acme"), Some(c"secret"));
    assert_eq!(code, crate::fixture::AUTH_DELAYED);
    assert_eq!(*fixture.gate.may_wait.borrow(), [true]);
    fixture
}

fn complete(fixture: &Fixture, client: &mut FakeClient, completion: Completion) {
    fixture
        .gate
        .directives
        .borrow_mut()
        .push_back(Directive::Complete {
            ticket: Ticket(7),
            handle: handle(client),
            client_id: "c".into(),
            completion,
        });
    fixture.tick();
}

fn admit(username: Option<&str>) -> Completion {
    Completion::Admit {
        username: username.map(Into::into),
    }
}

#[test]
fn a_login_that_waited_is_let_in_under_the_name_that_it_waited_with() {
    let mut client = FakeClient::new("c");
    let fixture = waiting(&mut client);
    fixture.host.asks.set(Some(fixture.userdata()));
    // A certificate besides makes it no stranger.
    client.certificate = Some(Vec::new());
    complete(&fixture, &mut client, admit(Some("dev1@acme")));
    assert_eq!(
        *fixture.host.completed.borrow(),
        [("c".to_owned(), LoginCompletion::Admitted)]
    );
    assert_eq!(
        *fixture.gate.arrivals.borrow(),
        [(Ticket(7), CompletionStatus::Here)]
    );
    assert_eq!(
        *fixture.host.usernames.borrow(),
        [Some("dev1@acme".to_owned())]
    );
    assert!(fixture.gate.turned_away.borrow().is_empty());
    // The broker asked while it let the client in, and the gate was free.
    assert_eq!(fixture.gate.checks.borrow().len(), 1);

    // After a reload it is known, here and away.
    fixture.disconnect(&mut client);
    fixture.reload();
    let same = (Some(c"dev1@acme"), Some(c"secret"));
    fixture
        .gate
        .outcome
        .replace(Some(refused(Reason::Suspended)));
    assert_eq!(fixture.connect(&mut client, same.0, same.1), ALLOWED);
    assert_eq!(fixture.connect(&mut client, same.0, Some(c"x")), REFUSED);
}

#[test]
fn a_login_that_waited_and_proved_nothing_loses_the_name() {
    let mut client = FakeClient::new("c");
    let fixture = waiting(&mut client);
    complete(&fixture, &mut client, admit(None));
    assert_eq!(client.username, None);
    assert_eq!(
        *fixture.gate.arrivals.borrow(),
        [(Ticket(7), CompletionStatus::Here)]
    );
}

#[test]
fn a_login_that_waited_is_ended_if_its_name_can_t_be_set() {
    let mut client = FakeClient::new("c");
    let fixture = waiting(&mut client);
    fixture.host.refuses_usernames.set(true);
    complete(&fixture, &mut client, admit(None));
    assert_eq!(
        *fixture.gate.arrivals.borrow(),
        [(Ticket(7), CompletionStatus::Gone)]
    );
    assert_eq!(*fixture.host.kicked.borrow(), ["c"]);
}

#[test]
fn a_login_that_waited_is_refused_with_one_line() {
    let mut client = FakeClient::new("c");
    let fixture = waiting(&mut client);
    let line = Some("refused: bad-secret".to_owned());
    complete(&fixture, &mut client, Completion::Refuse { line });
    assert_eq!(
        *fixture.host.completed.borrow(),
        [("c".to_owned(), LoginCompletion::Refused)]
    );
    assert!(fixture.gate.arrivals.borrow().is_empty());
    assert!(fixture.host.said("refused: bad-secret"));
}

#[test]
fn who_is_gone_or_is_another_is_not_let_in() {
    let mut client = FakeClient::new("c");
    let fixture = waiting(&mut client);
    fixture.host.held.borrow_mut().clear();
    complete(&fixture, &mut client, admit(Some("dev1@acme")));
    assert_eq!(
        *fixture.gate.arrivals.borrow(),
        [(Ticket(7), CompletionStatus::Gone)]
    );

    // Somebody else is connected with the same client id.
    let mut client = FakeClient::new("c");
    let fixture = waiting(&mut client);
    let mut other = FakeClient::new("c");
    fixture.host.held.borrow_mut().clear();
    let others = other.pointer();
    fixture.host.let_in.borrow_mut().insert("c".into(), others);
    complete(&fixture, &mut client, admit(None));
    assert_eq!(
        *fixture.gate.arrivals.borrow(),
        [(Ticket(7), CompletionStatus::Gone)]
    );
    assert_eq!(fixture.host.usernames.borrow().len(), 1);

    // Its own session is stored, and it is away.
    let mut client = FakeClient::new("c");
    let fixture = waiting(&mut client);
    client.address = None;
    complete(&fixture, &mut client, admit(Some("dev1@acme")));
    assert_eq!(
        *fixture.gate.arrivals.borrow(),
        [(Ticket(7), CompletionStatus::Gone)]
    );
}

#[test]
fn who_came_unasked_in_the_place_of_one_that_left_is_not_let_in_as_that() {
    let mut client = FakeClient::new("c");
    let fixture = waiting(&mut client);
    // It leaves, and a certificate lets another one in with its handle and its id.
    fixture.host.held.borrow_mut().clear();
    client.certificate = Some(Vec::new());
    client.username = Some("cert@acme".into());
    let others = client.pointer();
    fixture.host.let_in.borrow_mut().insert("c".into(), others);
    call("connect", &connect_event(others), fixture.userdata());
    complete(&fixture, &mut client, admit(Some("dev1@acme")));
    assert_eq!(
        *fixture.gate.arrivals.borrow(),
        [(Ticket(7), CompletionStatus::Gone)]
    );
    assert_eq!(*fixture.gate.gone.borrow(), [handle(&mut client)]);
    assert_eq!(client.username.as_deref(), Some(&b"cert@acme"[..]));
}

#[test]
fn nobody_waits_during_a_reload_or_with_mqtt_5() {
    let fixture = Fixture::new(ChainMode::Final);
    fixture.host.is_2_1.set(true);
    let mut client = FakeClient::new("c");
    fixture.admit(&mut client);
    fixture.reload();
    fixture.admit(&mut client);
    fixture.tick();
    fixture.host.speaks_5.set(true);
    fixture.admit(&mut client);
    assert_eq!(*fixture.gate.may_wait.borrow(), [true, false, false]);
    fixture.gate.outcome.replace(Some(pending(1, None)));
    assert_eq!(fixture.connect(&mut client, None, None), REFUSED);
}

#[test]
fn only_mqtt_5_on_2_1_hears_more_and_where_there_was_no_time_others_hear_nothing() {
    const CLOSED: c_int = sys::MOSQ_ERR_CONN_LOST;
    let codes = [
        (RefusalCode::NotAuthorized, REFUSED, REFUSED),
        (RefusalCode::Busy, 137, CLOSED),
        (RefusalCode::Banned, 138, REFUSED),
    ];
    for (is_2_1, speaks_5) in [(false, false), (false, true), (true, false), (true, true)] {
        let fixture = Fixture::new(ChainMode::Final);
        fixture.host.is_2_1.set(is_2_1);
        fixture.host.speaks_5.set(speaks_5);
        let mut client = FakeClient::new("c");
        for (code, answer, otherwise) in codes {
            let outcome = refused_with(Reason::OverBudget, code);
            fixture.gate.outcome.replace(Some(outcome));
            let expected = if is_2_1 && speaks_5 {
                answer
            } else {
                otherwise
            };
            let answered = fixture.connect(&mut client, Some(c"x"), None);
            assert_eq!(answered, expected, "{code:?} {is_2_1} {speaks_5}");
        }
    }
}

#[test]
fn only_names_that_nobody_has_are_left_to_others() {
    let fixture = Fixture::new(ChainMode::Defer);
    let mut client = FakeClient::new("c");
    for reason in Reason::ALL {
        fixture.gate.outcome.replace(Some(refused(*reason)));
        let unknown = matches!(reason, Reason::UnknownName | Reason::Unauthenticated);
        let expected = if unknown { DEFERRED } else { REFUSED };
        assert_eq!(
            fixture.connect(&mut client, Some(c"x"), None),
            expected,
            "{reason}"
        );
    }
}

#[test]
fn what_others_let_in_others_judge_and_what_the_gate_let_in_they_do_not() {
    let fixture = Fixture::new(ChainMode::Defer);
    let (mut ours, mut theirs) = (FakeClient::new("ours"), FakeClient::new("theirs"));
    fixture.admit(&mut ours);
    fixture
        .gate
        .outcome
        .replace(Some(refused(Reason::UnknownName)));
    fixture.connect(&mut theirs, Some(c"x"), None);
    let read = sys::MOSQ_ACL_READ;
    assert_eq!(fixture.check(&mut theirs, c"t", read), DEFERRED);
    for reason in Reason::ALL {
        fixture.gate.verdict.set(Some(Verdict::Deny(*reason)));
        assert_eq!(fixture.check(&mut ours, c"t", read), DENIED, "{reason}");
    }
    // Away, theirs is nobody's until the gate knows it.
    fixture.disconnect(&mut theirs);
    fixture
        .gate
        .verdict
        .set(Some(Verdict::Deny(Reason::Unauthenticated)));
    assert_eq!(fixture.check(&mut theirs, c"t", read), DEFERRED);
    fixture
        .gate
        .verdict
        .set(Some(Verdict::Deny(Reason::Revoked)));
    assert_eq!(fixture.check(&mut theirs, c"t", read), DENIED);
}

#[test]
fn every_kind_of_access_is_asked_about_and_no_other() {
    let fixture = Fixture::new(ChainMode::Defer);
    fixture.gate.verdict.set(Some(Verdict::Allow));
    let mut client = FakeClient::new("c");
    for access in -1..=32 {
        let known = [1, 2, 4, 8].contains(&access);
        let expected = if known { ALLOWED } else { DENIED };
        assert_eq!(
            fixture.check(&mut client, c"t", access),
            expected,
            "{access}"
        );
    }
    let asked: Vec<_> = fixture
        .gate
        .checks
        .take()
        .into_iter()
        .map(|(_, _, usage)| usage)
        .collect();
    assert_eq!(asked[0], "Deliver { topic: [116] }");
    assert_eq!(asked[1], "Publish { topic: [116], qos: 1, retain: true }");
    assert_eq!(asked[2], "Subscribe { filter: [116] }");
    assert_eq!(asked[3], "Unsubscribe");
}

#[test]
fn the_gate_is_told_how_long_a_payload_is() {
    let fixture = Fixture::new(ChainMode::Final);
    let client = &mut FakeClient::new("c");
    for payloadlen in [0, 7, u32::MAX] {
        let event = sys::mosquitto_evt_acl_check {
            payloadlen,
            ..acl_event(client.pointer(), c"t", sys::MOSQ_ACL_WRITE)
        };
        call("acl-check", &event, fixture.userdata());
    }
    let told = fixture.gate.payloads.take();
    assert_eq!(told, [0, 7, usize::try_from(u32::MAX).unwrap()]);
}

#[test]
fn a_client_that_the_broker_only_remembers_is_not_connected() {
    let fixture = Fixture::new(ChainMode::Final);
    let mut client = FakeClient::new("c");
    fixture.check(&mut client, c"t", sys::MOSQ_ACL_WRITE);
    client.address = None;
    fixture.check(&mut client, c"t", sys::MOSQ_ACL_WRITE);
    let connected: Vec<_> = fixture
        .gate
        .checks
        .take()
        .into_iter()
        .map(|(_, it, _)| it)
        .collect();
    assert_eq!(connected, [true, false]);
}

#[test]
fn a_kick_calls_back_and_finds_the_gate_free() {
    let fixture = Fixture::new(ChainMode::Final);
    let mut client = FakeClient::new("c");
    fixture.admit(&mut client);
    fixture
        .host
        .online
        .set(Some((client.pointer(), fixture.userdata())));
    fixture.gate.directives.borrow_mut().extend([
        Directive::Kick {
            handle: handle(&mut client),
            client_id: "c".into(),
            line: "ended the session of dev1@acme".into(),
        },
        Directive::Log {
            level: LogLevel::Warning,
            line: "after it".into(),
        },
    ]);
    fixture.tick();
    assert_eq!(*fixture.host.kicked.borrow(), ["c"]);
    assert_eq!(fixture.gate.checks.borrow().len(), 1);
    assert_eq!(*fixture.gate.gone.borrow(), [handle(&mut client)]);
    assert_eq!(
        *fixture.host.lines.borrow(),
        [
            (
                LogLevel::Notice,
                "Countersign: ended the session of dev1@acme".to_owned()
            ),
            (LogLevel::Warning, "Countersign: after it".to_owned()),
        ]
    );
}

#[test]
fn a_client_that_was_gone_before_its_kick_is_forgotten() {
    let fixture = Fixture::new(ChainMode::Final);
    fixture
        .gate
        .directives
        .borrow_mut()
        .push_back(Directive::Kick {
            handle: Handle(7),
            client_id: "c".into(),
            line: "ended".into(),
        });
    fixture.tick();
    assert_eq!(*fixture.gate.gone.borrow(), [Handle(7)]);
    assert!(fixture.host.lines.borrow().is_empty());
}

#[test]
fn after_a_reload_the_gate_is_asked_about_those_who_are_there_and_no_others() {
    let fixture = Fixture::new(ChainMode::Final);
    let (mut here, mut away) = (FakeClient::new("here"), FakeClient::new("away"));
    let mut restored = FakeClient::new("restored");
    restored.address = None;
    restored.protocol = 0;
    fixture.admit(&mut here);
    fixture.admit(&mut away);
    fixture.disconnect(&mut away);
    fixture.gate.connects.take();
    fixture.host.usernames.take();

    fixture.reload();
    assert_eq!(fixture.gate.reloads.get(), 1);
    assert_eq!(fixture.admit(&mut here), ALLOWED);
    fixture
        .gate
        .outcome
        .replace(Some(refused(Reason::Suspended)));
    let same = (Some(c"dev1@acme"), Some(c"secret"));
    assert_eq!(fixture.connect(&mut away, same.0, same.1), ALLOWED);
    assert_eq!(fixture.connect(&mut restored, same.0, None), ALLOWED);
    assert_eq!(fixture.gate.connects.borrow().len(), 1);
    // It has its name already.
    assert!(fixture.host.usernames.borrow().is_empty());
    assert_eq!(fixture.connect(&mut here, same.0, same.1), REFUSED);

    // The next tick ends it: a CONNECT is a CONNECT again.
    fixture.tick();
    assert_eq!(fixture.connect(&mut away, same.0, same.1), REFUSED);
}

#[test]
fn a_connect_in_the_middle_of_a_reload_is_still_a_login() {
    let fixture = Fixture::new(ChainMode::Final);
    let (mut new, mut away) = (FakeClient::new("new"), FakeClient::new("away"));
    fixture.admit(&mut away);
    fixture.disconnect(&mut away);
    fixture.reload();
    fixture
        .gate
        .outcome
        .replace(Some(refused(Reason::BadSecret)));
    assert_eq!(
        fixture.connect(&mut new, Some(c"dev1@acme"), Some(c"secret")),
        REFUSED
    );
    // Another client where the one that is away was, by its name.
    assert_eq!(
        fixture.connect(&mut away, Some(c"dev1@acme"), Some(c"guess")),
        REFUSED
    );
    assert_eq!(
        fixture.connect(&mut away, Some(c"dev1@acme"), None),
        REFUSED
    );
}

#[test]
fn a_panic_ends_what_a_reload_began() {
    let fixture = Fixture::new(ChainMode::Final);
    let mut away = FakeClient::new("away");
    fixture.admit(&mut away);
    fixture.disconnect(&mut away);
    fixture.reload();
    fixture.gate.panics.set(true);
    fixture.tick();
    fixture.gate.panics.set(false);
    fixture
        .gate
        .outcome
        .replace(Some(refused(Reason::Suspended)));
    assert_eq!(
        fixture.connect(&mut away, Some(c"dev1@acme"), Some(c"secret")),
        REFUSED
    );
}

#[test]
fn all_callbacks_are_taken_back_when_one_is_refused() {
    for event in &EVENTS {
        let fixture = Fixture::new(ChainMode::Final);
        let code = sys::MOSQ_ERR_NOT_SUPPORTED;
        fixture.host.refuses_event.set(Some((event.name, code)));
        // SAFETY: it outlives the fixture's last line here.
        let registered = unsafe { Plugin::register(fixture.plugin(), false) };
        if event.is_needed {
            assert_eq!(registered, Err((event.name, code)));
        } else {
            assert_eq!(registered, Ok(()));
            assert_eq!(fixture.host.registered.borrow().len(), EVENTS.len() - 1);
            fixture.plugin().unregister();
        }
        assert!(fixture.host.registered.borrow().is_empty());
    }
}
