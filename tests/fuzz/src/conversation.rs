//! What a client that was let in sends.

use countersign::{ConnectFacts, ConnectOutcome, Directive, Handle, Peer, TopicUse};

use crate::parts;
use crate::site::{PASSWORD, Site, with};

/// A session command of an administrator. Whatever it is, what is answered is
/// JSON, to the connection that asked and no other.
pub fn command(data: &[u8]) {
    with(|site| {
        let (handle, name) = log_in(site, b"boss@mail.test", PASSWORD);
        let peer = peer(handle, &name);
        site.gate.command(&peer, data);
        for directive in site.gate.poll() {
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
        site.finish(handle);
    });
}

/// Any use of any topic: a device of `acme` reaches what begins with `acme/`
/// and nothing else, whatever the bytes.
pub fn topic_use(data: &[u8]) {
    with(|site| {
        let secret = site.secret.clone();
        let (handle, name) = log_in(site, b"dev1@acme", &secret);
        let peer = peer(handle, &name);
        for topic in parts(data) {
            let mut may = |usage: TopicUse<'_>| site.gate.check(&peer, usage).is_allowed();
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
        site.finish(handle);
    });
}

fn log_in(site: &mut Site, name: &[u8], secret: &[u8]) -> (Handle, String) {
    let mut facts = ConnectFacts::new(site.handle(), b"asker");
    facts.username = Some(name);
    facts.password = Some(secret);
    facts.address = Some("192.0.2.1");
    match site.gate.connect(&facts) {
        ConnectOutcome::Admitted {
            username: Some(username),
        } => (facts.handle, username.to_string()),
        other => panic!("not let in: {other:?}"),
    }
}

fn peer(handle: Handle, name: &str) -> Peer<'_> {
    Peer {
        handle,
        client_id: Some(b"asker"),
        username: Some(name.as_bytes()),
        connected: true,
        ..Peer::default()
    }
}
