use core::ptr;

use countersign::core::options::Chain;
use countersign::core::reason::Reason;
use countersign::{Arrival, Completion, Directive, Handle, LogLevel, RefusalCode, Ticket, Verdict};

use super::*;
use crate::fake::{
    Bench, FakeClient, acl_event, auth_event, call, connect_event, control_event, disconnect_event,
    enhanced_event, pending, psk_event, refused, refused_with,
};
use crate::host::Login;

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
    let bench = Bench::new(Chain::Final);
    bench.gate.verdict.set(Some(Verdict::Allow));
    let mut client = FakeClient::new("c");
    for event in &EVENTS {
        let refusal = match event.name {
            ACL_CHECK => DENIED,
            BASIC_AUTH => REFUSED,
            EXT_AUTH_CONTINUE | EXT_AUTH_START => CONTINUE,
            PSK_KEY => DEFERRED,
            _ => ALLOWED,
        };
        for userdata in [ptr::null_mut(), bench.userdata()] {
            // SAFETY: null is allowed, and the plugin is one.
            let code = unsafe { (event.callback)(0, ptr::null_mut(), userdata) };
            assert_eq!(code, refusal);
        }
    }
    let nobody = auth_event(ptr::null_mut(), None, None);
    assert_eq!(call(BASIC_AUTH, &nobody, bench.userdata()), REFUSED);
    let nobody = acl_event(ptr::null_mut(), c"t", sys::MOSQ_ACL_READ);
    assert_eq!(call(ACL_CHECK, &nobody, bench.userdata()), DENIED);
    let nobody = disconnect_event(ptr::null_mut());
    assert_eq!(call(DISCONNECT, &nobody, bench.userdata()), ALLOWED);
    let mut no_topic = acl_event(client.pointer(), c"t", sys::MOSQ_ACL_READ);
    no_topic.topic = ptr::null();
    assert_eq!(call(ACL_CHECK, &no_topic, bench.userdata()), DENIED);
    assert!(bench.gate.checks.borrow().is_empty());
}

#[test]
fn a_panic_is_no_in_every_callback_and_the_next_call_is_answered() {
    let bench = Bench::new(Chain::Final);
    let mut client = FakeClient::new("c");
    bench.gate.verdict.set(Some(Verdict::Allow));
    bench.gate.panics.set(true);
    assert_eq!(bench.admit(&mut client), REFUSED);
    assert_eq!(bench.check(&mut client, c"t", sys::MOSQ_ACL_READ), DENIED);
    assert_eq!(bench.disconnect(&mut client), ALLOWED);
    assert_eq!(bench.tick(), ALLOWED);
    assert_eq!(bench.reload(), ALLOWED);
    for event in [ACL_CHECK, BASIC_AUTH, DISCONNECT, RELOAD, TICK] {
        assert!(bench.host.said(event), "{event}");
    }
    bench.gate.panics.set(false);
    bench.tick();
    assert_eq!(bench.admit(&mut client), ALLOWED);
    assert_eq!(bench.check(&mut client, c"t", sys::MOSQ_ACL_READ), ALLOWED);
}

#[test]
fn whoever_is_admitted_gets_the_name_that_the_gate_says() {
    let bench = Bench::new(Chain::Final);
    let mut client = FakeClient::new("c");
    assert_eq!(bench.admit(&mut client), ALLOWED);
    bench
        .gate
        .outcome
        .replace(Some(crate::fake::admitted(None)));
    assert_eq!(bench.connect(&mut client, None, None), ALLOWED);
    assert_eq!(
        *bench.host.usernames.borrow(),
        [Some("dev1@acme".to_owned()), None]
    );
}

#[test]
fn a_login_whose_name_can_t_be_set_is_refused_and_forgotten() {
    let bench = Bench::new(Chain::Final);
    bench.host.refuses_usernames.set(true);
    let mut client = FakeClient::new("c");
    assert_eq!(bench.admit(&mut client), REFUSED);
    assert_eq!(*bench.gate.gone.borrow(), [handle(&mut client)]);
}

#[test]
fn a_connect_reaches_the_gate_as_it_came() {
    let bench = Bench::new(Chain::Final);
    let mut client = FakeClient::new("c");
    assert_eq!(bench.connect(&mut client, None, None), REFUSED);
    assert_eq!(
        bench.connect(&mut client, Some(c"\xff"), Some(c"\x80\x01")),
        REFUSED
    );
    let handle = handle(&mut client);
    let expected = [
        (handle, None, None),
        (handle, Some(b"\xff".to_vec()), Some(b"\x80\x01".to_vec())),
    ];
    assert_eq!(*bench.gate.connects.borrow(), expected);
}

#[test]
fn a_client_without_an_id_is_refused_unasked() {
    let bench = Bench::new(Chain::Final);
    let mut client = FakeClient::new("c");
    client.id = None;
    assert_eq!(bench.admit(&mut client), REFUSED);
    assert!(bench.gate.connects.borrow().is_empty());
    // It may still go away.
    assert_eq!(bench.disconnect(&mut client), ALLOWED);
}

#[test]
fn each_refusal_is_one_line_and_always_the_same_code() {
    let bench = Bench::new(Chain::Final);
    let mut client = FakeClient::new("c");
    for reason in Reason::ALL {
        bench.gate.outcome.replace(Some(refused(*reason)));
        assert_eq!(
            bench.connect(&mut client, Some(c"x"), None),
            REFUSED,
            "{reason}"
        );
    }
    assert_eq!(bench.host.lines.borrow().len(), Reason::ALL.len());
}

#[test]
fn a_login_that_would_have_to_wait_is_refused_where_it_can_t() {
    let bench = Bench::new(Chain::Defer);
    bench.gate.outcome.replace(Some(pending(1, None)));
    let mut client = FakeClient::new("c");
    assert_eq!(bench.connect(&mut client, Some(c"x"), None), REFUSED);
    assert_eq!(*bench.gate.gone.borrow(), [handle(&mut client)]);
    assert_eq!(*bench.gate.may_wait.borrow(), [false]);
}

/// A bench of 2.1 with one login that waits.
fn waiting(client: &mut FakeClient) -> Bench {
    let bench = Bench::new(Chain::Final);
    bench.host.is_2_1.set(true);
    bench
        .gate
        .outcome
        .replace(Some(pending(7, Some("dev1@acme"))));
    let code = bench.connect(client, Some(c"dev1@acme"), Some(c"secret"));
    assert_eq!(code, crate::fake::AUTH_DELAYED);
    assert_eq!(*bench.gate.may_wait.borrow(), [true]);
    bench
}

fn complete(bench: &Bench, client: &mut FakeClient, completion: Completion) {
    bench
        .gate
        .directives
        .borrow_mut()
        .push_back(Directive::Complete {
            ticket: Ticket(7),
            handle: handle(client),
            client_id: "c".into(),
            completion,
        });
    bench.tick();
}

fn admit(username: Option<&str>) -> Completion {
    Completion::Admit {
        username: username.map(Into::into),
    }
}

#[test]
fn a_login_that_waited_is_let_in_under_the_name_that_it_waited_with() {
    let mut client = FakeClient::new("c");
    let bench = waiting(&mut client);
    bench.host.asks.set(Some(bench.userdata()));
    // A certificate besides makes it no stranger.
    client.has_certificate = true;
    complete(&bench, &mut client, admit(Some("dev1@acme")));
    assert_eq!(
        *bench.host.completed.borrow(),
        [("c".to_owned(), Login::Admitted)]
    );
    assert_eq!(*bench.gate.arrivals.borrow(), [(Ticket(7), Arrival::Here)]);
    assert_eq!(
        *bench.host.usernames.borrow(),
        [Some("dev1@acme".to_owned())]
    );
    assert!(bench.gate.turned_away.borrow().is_empty());
    // The broker asked while it let the client in, and the gate was free.
    assert_eq!(bench.gate.checks.borrow().len(), 1);

    // After a reload it is known, here and away.
    bench.disconnect(&mut client);
    bench.reload();
    let same = (Some(c"dev1@acme"), Some(c"secret"));
    bench.gate.outcome.replace(Some(refused(Reason::Suspended)));
    assert_eq!(bench.connect(&mut client, same.0, same.1), ALLOWED);
    assert_eq!(bench.connect(&mut client, same.0, Some(c"x")), REFUSED);
}

#[test]
fn a_login_that_waited_and_proved_nothing_loses_the_name() {
    let mut client = FakeClient::new("c");
    let bench = waiting(&mut client);
    complete(&bench, &mut client, admit(None));
    assert_eq!(client.username, None);
    assert_eq!(*bench.gate.arrivals.borrow(), [(Ticket(7), Arrival::Here)]);
}

#[test]
fn a_login_that_waited_is_ended_if_its_name_can_t_be_set() {
    let mut client = FakeClient::new("c");
    let bench = waiting(&mut client);
    bench.host.refuses_usernames.set(true);
    complete(&bench, &mut client, admit(None));
    assert_eq!(*bench.gate.arrivals.borrow(), [(Ticket(7), Arrival::Gone)]);
    assert_eq!(*bench.host.kicked.borrow(), ["c"]);
}

#[test]
fn a_login_that_waited_is_refused_with_one_line() {
    let mut client = FakeClient::new("c");
    let bench = waiting(&mut client);
    let line = Some("refused: bad-secret".to_owned());
    complete(&bench, &mut client, Completion::Refuse { line });
    assert_eq!(
        *bench.host.completed.borrow(),
        [("c".to_owned(), Login::Refused)]
    );
    assert!(bench.gate.arrivals.borrow().is_empty());
    assert!(bench.host.said("refused: bad-secret"));
}

#[test]
fn who_is_gone_or_is_another_is_not_let_in() {
    let mut client = FakeClient::new("c");
    let bench = waiting(&mut client);
    bench.host.held.borrow_mut().clear();
    complete(&bench, &mut client, admit(Some("dev1@acme")));
    assert_eq!(*bench.gate.arrivals.borrow(), [(Ticket(7), Arrival::Gone)]);

    // Somebody else is connected with the same client id.
    let mut client = FakeClient::new("c");
    let bench = waiting(&mut client);
    let mut other = FakeClient::new("c");
    bench.host.held.borrow_mut().clear();
    let others = other.pointer();
    bench.host.let_in.borrow_mut().insert("c".into(), others);
    complete(&bench, &mut client, admit(None));
    assert_eq!(*bench.gate.arrivals.borrow(), [(Ticket(7), Arrival::Gone)]);
    assert_eq!(bench.host.usernames.borrow().len(), 1);

    // Its own session is stored, and it is away.
    let mut client = FakeClient::new("c");
    let bench = waiting(&mut client);
    client.address = None;
    complete(&bench, &mut client, admit(Some("dev1@acme")));
    assert_eq!(*bench.gate.arrivals.borrow(), [(Ticket(7), Arrival::Gone)]);
}

#[test]
fn nobody_waits_during_a_reload_or_with_mqtt_5() {
    let bench = Bench::new(Chain::Final);
    bench.host.is_2_1.set(true);
    let mut client = FakeClient::new("c");
    bench.admit(&mut client);
    bench.reload();
    bench.admit(&mut client);
    bench.tick();
    bench.host.speaks_5.set(true);
    bench.admit(&mut client);
    assert_eq!(*bench.gate.may_wait.borrow(), [true, false, false]);
    bench.gate.outcome.replace(Some(pending(1, None)));
    assert_eq!(bench.connect(&mut client, None, None), REFUSED);
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
        let bench = Bench::new(Chain::Final);
        bench.host.is_2_1.set(is_2_1);
        bench.host.speaks_5.set(speaks_5);
        let mut client = FakeClient::new("c");
        for (code, answer, otherwise) in codes {
            let outcome = refused_with(Reason::OverBudget, code);
            bench.gate.outcome.replace(Some(outcome));
            let expected = if is_2_1 && speaks_5 {
                answer
            } else {
                otherwise
            };
            let answered = bench.connect(&mut client, Some(c"x"), None);
            assert_eq!(answered, expected, "{code:?} {is_2_1} {speaks_5}");
        }
    }
}

#[test]
fn only_names_that_nobody_has_are_left_to_others() {
    let bench = Bench::new(Chain::Defer);
    let mut client = FakeClient::new("c");
    for reason in Reason::ALL {
        bench.gate.outcome.replace(Some(refused(*reason)));
        let unknown = matches!(reason, Reason::UnknownName | Reason::Unauthenticated);
        let expected = if unknown { DEFERRED } else { REFUSED };
        assert_eq!(
            bench.connect(&mut client, Some(c"x"), None),
            expected,
            "{reason}"
        );
    }
}

#[test]
fn what_others_let_in_others_judge_and_what_the_gate_let_in_they_do_not() {
    let bench = Bench::new(Chain::Defer);
    let (mut ours, mut theirs) = (FakeClient::new("ours"), FakeClient::new("theirs"));
    bench.admit(&mut ours);
    bench
        .gate
        .outcome
        .replace(Some(refused(Reason::UnknownName)));
    bench.connect(&mut theirs, Some(c"x"), None);
    let read = sys::MOSQ_ACL_READ;
    assert_eq!(bench.check(&mut theirs, c"t", read), DEFERRED);
    for reason in Reason::ALL {
        bench.gate.verdict.set(Some(Verdict::Deny(*reason)));
        assert_eq!(bench.check(&mut ours, c"t", read), DENIED, "{reason}");
    }
    // Away, theirs is nobody's until the gate knows it.
    bench.disconnect(&mut theirs);
    bench
        .gate
        .verdict
        .set(Some(Verdict::Deny(Reason::Unauthenticated)));
    assert_eq!(bench.check(&mut theirs, c"t", read), DEFERRED);
    bench.gate.verdict.set(Some(Verdict::Deny(Reason::Revoked)));
    assert_eq!(bench.check(&mut theirs, c"t", read), DENIED);
}

#[test]
fn every_kind_of_access_is_asked_about_and_no_other() {
    let bench = Bench::new(Chain::Defer);
    bench.gate.verdict.set(Some(Verdict::Allow));
    let mut client = FakeClient::new("c");
    for access in -1..=32 {
        let known = [1, 2, 4, 8].contains(&access);
        let expected = if known { ALLOWED } else { DENIED };
        assert_eq!(bench.check(&mut client, c"t", access), expected, "{access}");
    }
    let asked: Vec<_> = bench
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
fn a_client_that_the_broker_only_remembers_is_not_connected() {
    let bench = Bench::new(Chain::Final);
    let mut client = FakeClient::new("c");
    bench.check(&mut client, c"t", sys::MOSQ_ACL_WRITE);
    client.address = None;
    bench.check(&mut client, c"t", sys::MOSQ_ACL_WRITE);
    let connected: Vec<_> = bench
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
    let bench = Bench::new(Chain::Final);
    let mut client = FakeClient::new("c");
    bench.admit(&mut client);
    bench
        .host
        .online
        .set(Some((client.pointer(), bench.userdata())));
    bench.gate.directives.borrow_mut().extend([
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
    bench.tick();
    assert_eq!(*bench.host.kicked.borrow(), ["c"]);
    assert_eq!(bench.gate.checks.borrow().len(), 1);
    assert_eq!(*bench.gate.gone.borrow(), [handle(&mut client)]);
    assert_eq!(
        *bench.host.lines.borrow(),
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
    let bench = Bench::new(Chain::Final);
    bench
        .gate
        .directives
        .borrow_mut()
        .push_back(Directive::Kick {
            handle: Handle(7),
            client_id: "c".into(),
            line: "ended".into(),
        });
    bench.tick();
    assert_eq!(*bench.gate.gone.borrow(), [Handle(7)]);
    assert!(bench.host.lines.borrow().is_empty());
}

#[test]
fn after_a_reload_the_gate_is_asked_about_those_who_are_there_and_no_others() {
    let bench = Bench::new(Chain::Final);
    let (mut here, mut away) = (FakeClient::new("here"), FakeClient::new("away"));
    let mut restored = FakeClient::new("restored");
    restored.address = None;
    restored.protocol = 0;
    bench.admit(&mut here);
    bench.admit(&mut away);
    bench.disconnect(&mut away);
    bench.gate.connects.take();
    bench.host.usernames.take();

    bench.reload();
    assert_eq!(bench.gate.reloads.get(), 1);
    assert_eq!(bench.admit(&mut here), ALLOWED);
    bench.gate.outcome.replace(Some(refused(Reason::Suspended)));
    let same = (Some(c"dev1@acme"), Some(c"secret"));
    assert_eq!(bench.connect(&mut away, same.0, same.1), ALLOWED);
    assert_eq!(bench.connect(&mut restored, same.0, None), ALLOWED);
    assert_eq!(bench.gate.connects.borrow().len(), 1);
    assert_eq!(bench.host.usernames.borrow().len(), 1);
    assert_eq!(bench.connect(&mut here, same.0, same.1), REFUSED);

    // The next tick ends it: a CONNECT is a CONNECT again.
    bench.tick();
    assert_eq!(bench.connect(&mut away, same.0, same.1), REFUSED);
}

#[test]
fn a_connect_in_the_middle_of_a_reload_is_still_a_login() {
    let bench = Bench::new(Chain::Final);
    let (mut new, mut away) = (FakeClient::new("new"), FakeClient::new("away"));
    bench.admit(&mut away);
    bench.disconnect(&mut away);
    bench.reload();
    bench.gate.outcome.replace(Some(refused(Reason::BadSecret)));
    assert_eq!(
        bench.connect(&mut new, Some(c"dev1@acme"), Some(c"secret")),
        REFUSED
    );
    // Another client where the one that is away was, by its name.
    assert_eq!(
        bench.connect(&mut away, Some(c"dev1@acme"), Some(c"guess")),
        REFUSED
    );
    assert_eq!(bench.connect(&mut away, Some(c"dev1@acme"), None), REFUSED);
}

#[test]
fn a_panic_ends_what_a_reload_began() {
    let bench = Bench::new(Chain::Final);
    let mut away = FakeClient::new("away");
    bench.admit(&mut away);
    bench.disconnect(&mut away);
    bench.reload();
    bench.gate.panics.set(true);
    bench.tick();
    bench.gate.panics.set(false);
    bench.gate.outcome.replace(Some(refused(Reason::Suspended)));
    assert_eq!(
        bench.connect(&mut away, Some(c"dev1@acme"), Some(c"secret")),
        REFUSED
    );
}

#[test]
fn all_callbacks_are_taken_back_when_one_is_refused() {
    for event in &EVENTS {
        let bench = Bench::new(Chain::Final);
        let code = sys::MOSQ_ERR_NOT_SUPPORTED;
        bench.host.refuses_event.set(Some((event.name, code)));
        // SAFETY: it outlives the bench's last line here.
        let registered = unsafe { Plugin::register(bench.plugin()) };
        if event.is_needed {
            assert_eq!(registered, Err((event.name, code)));
        } else {
            assert_eq!(registered, Ok(()));
            assert_eq!(bench.host.registered.borrow().len(), EVENTS.len() - 1);
            bench.plugin().unregister();
        }
        assert!(bench.host.registered.borrow().is_empty());
    }
}
