//! What a client that was let in sends.

use countersign::core::reason::Reason;
use countersign::{ClientRef, ConnectInfo, ConnectOutcome, Directive, Handle, TopicUse};

use crate::fixture::{Fixture, PASSWORD, with};
use crate::parts;

/// A session command of an administrator. Whatever it is, what is answered is
/// JSON, to the connection that asked and no other.
pub fn command(data: &[u8]) {
    with(|fixture| {
        let (handle, name) = log_in(fixture, b"boss@mail.test", PASSWORD);
        let client = client(handle, &name);
        fixture.gate.command(&client, data);
        for directive in fixture.gate.poll() {
            if let Directive::Reply {
                handle: to,
                payload,
                ..
            } = directive
            {
                assert_eq!(to, handle);
                let answer: Result<serde_json::Value, _> = serde_json::from_slice(payload.expose());
                assert!(answer.is_ok(), "an answer that is no JSON");
            }
        }
        fixture.finish(handle);
    });
}

/// Any use of any topic: a device of `acme` reaches what begins with `acme/`
/// and nothing else, whatever the bytes.
pub fn topic_use(data: &[u8]) {
    with(|fixture| {
        let secret = fixture.secret.clone();
        let (handle, name) = log_in(fixture, b"dev1@acme", &secret);
        let client = client(handle, &name);
        for topic in parts(data) {
            let mut may = |usage: TopicUse<'_>| fixture.gate.check(&client, usage).is_allowed();
            let own = topic == b"acme" || topic.starts_with(b"acme/");
            let shared = topic.starts_with(b"$share/");
            let command = topic == b"$CONTROL/countersign/v1/session";
            let answers = topic == b"$CONTROL/countersign/v1/session/response";
            let publish = TopicUse::Publish {
                topic,
                qos: 1,
                retain: true,
            };
            assert!(!may(publish) || own || command);
            assert!(!may(TopicUse::Deliver { topic }) || own || answers);
            let subscribe = TopicUse::Subscribe { filter: topic };
            assert!(!may(subscribe) || own || shared || answers);
            assert!(may(TopicUse::Unsubscribe));
        }
        fixture.finish(handle);
    });
}

fn log_in(fixture: &mut Fixture, name: &[u8], secret: &[u8]) -> (Handle, String) {
    let mut info = ConnectInfo::new(fixture.handle(), b"asker");
    info.username = Some(name);
    info.password = Some(secret);
    info.address = Some("192.0.2.1");
    // On a busy machine the writer may have the store for longer than a login waits.
    let outcome = (0..100).map(|_| fixture.gate.connect(&info)).find(|outcome| {
        !matches!(outcome, ConnectOutcome::Refused { reason, .. } if *reason == Reason::StoreBusy)
    });
    match outcome {
        Some(ConnectOutcome::Admitted {
            username: Some(username),
        }) => (info.handle, username.to_string()),
        other => panic!("not let in: {other:?}"),
    }
}

fn client(handle: Handle, name: &str) -> ClientRef<'_> {
    ClientRef {
        handle,
        client_id: Some(b"asker"),
        username: Some(name.as_bytes()),
        connected: true,
        ..ClientRef::default()
    }
}
