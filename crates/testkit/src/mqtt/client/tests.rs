//! A client against real brokers.

use std::net::Ipv4Addr;
use std::sync::LazyLock;

use super::*;
use crate::broker::{Broker, Version};
use crate::mqtt::{Answer, ClosedWithoutConnack, Connect, Will};
use crate::tools::Tool;

const SOON: Duration = Duration::from_secs(10);

static BROKERS: LazyLock<[Broker; 3]> = LazyLock::new(|| {
    Version::ALL.map(|version| {
        let broker = Broker::builder(version).line("allow_anonymous true");
        broker
            .listener()
            .listener_line("allow_anonymous true")
            .start()
            .unwrap()
    })
});

/// Runs `test` with both protocols against each broker.
fn everywhere(test: impl Fn(Protocol, &Broker)) {
    for broker in BROKERS.iter() {
        for protocol in Protocol::ALL {
            test(protocol, broker);
        }
    }
}

fn name(test: &str, protocol: Protocol) -> String {
    format!("{test}-{protocol:?}")
}

#[test]
fn a_message_goes_round_at_every_qos() {
    everywhere(|protocol, broker| {
        let mut client = Connect::new(protocol, name("round", protocol)).accepted(broker.port());
        let topic = name("round", protocol);
        assert_eq!(
            client.subscribe(&[(&topic, 2), ("other/#", 1)]).unwrap(),
            [2, 1]
        );
        for qos in [0, 1, 2] {
            let code = client.publish(&topic, [qos], qos, false).unwrap();
            assert_eq!(code, 0, "{protocol:?} on {}", broker.version());
            let message = client.receive(SOON).unwrap();
            assert_eq!(
                (message.payload, message.qos, message.retain),
                (vec![qos], qos, false)
            );
        }
        let codes = client.unsubscribe(&[&topic]).unwrap();
        assert_eq!(
            codes,
            if protocol == Protocol::V5 {
                vec![0]
            } else {
                vec![]
            }
        );
        client.publish(&topic, "late", 1, false).unwrap();
        assert_eq!(client.received(), []);
        client.disconnect().unwrap();
        assert_eq!(client.wait_closed(SOON).unwrap().disconnect_reason, None);
    });
}

#[test]
fn a_stored_session_is_present_and_keeps_messages() {
    everywhere(|protocol, broker| {
        let connect = Connect::new(protocol, name("stored", protocol)).stored();
        let topic = name("stored", protocol);
        let (mut client, connack) = connect.connect(broker.port()).unwrap();
        assert!(!connack.session_present);
        client.subscribe(&[(&topic, 1)]).unwrap();
        client.disconnect().unwrap();
        client.wait_closed(SOON).unwrap();
        let mut other = Connect::new(protocol, name("writer", protocol)).accepted(broker.port());
        other.publish(&topic, "kept", 1, false).unwrap();
        let (mut client, connack) = connect.connect(broker.port()).unwrap();
        assert!(connack.session_present);
        assert_eq!(client.receive(SOON).unwrap().text(), "kept");
    });
}

#[test]
fn a_will_is_sent_on_abort_and_drop_and_not_on_disconnect() {
    everywhere(|protocol, broker| {
        let topic = name("will", protocol);
        let mut watcher = Connect::new(protocol, name("watch", protocol)).accepted(broker.port());
        watcher.subscribe(&[(&topic, 1)]).unwrap();
        let connect = Connect::new(protocol, name("dying", protocol));
        let dying = |payload: &str| {
            connect
                .clone()
                .will_message(&topic, payload)
                .accepted(broker.port())
        };
        dying("abort").abort();
        assert_eq!(watcher.receive(SOON).unwrap().text(), "abort");
        drop(dying("drop"));
        assert_eq!(watcher.receive(SOON).unwrap().text(), "drop");
        let mut polite = dying("disconnect");
        polite.disconnect().unwrap();
        polite.wait_closed(SOON).unwrap();
        assert_eq!(watcher.received(), []);
    });
}

#[test]
fn a_delayed_will_waits() {
    for broker in BROKERS.iter() {
        let mut watcher = Connect::v5("watch-delay").accepted(broker.port());
        watcher.subscribe(&[("delay", 1)]).unwrap();
        let will = Will {
            topic: "delay".to_owned(),
            qos: 1,
            delay: 1,
            ..Will::default()
        };
        let dying = Connect::v5("dying-delay")
            .session_expiry(60)
            .will(will)
            .accepted(broker.port());
        drop(dying);
        assert_eq!(watcher.receive(Duration::from_millis(300)), None);
        assert!(watcher.receive(SOON).is_some());
    }
}

#[test]
fn a_takeover_closes_the_older_connection() {
    everywhere(|protocol, broker| {
        let connect = Connect::new(protocol, name("twin", protocol));
        let mut older = connect.accepted(broker.port());
        assert_eq!(older.wait_closed(Duration::from_millis(20)), None);
        let mut newer = connect.accepted(broker.port());
        let closed = older.wait_closed(SOON).unwrap();
        let says_why = protocol == Protocol::V5 && broker.version() != Version::V2_0_11;
        assert_eq!(closed.disconnect_reason, says_why.then_some(0x8E));
        assert!(newer.is_alive());
        assert!(!older.is_alive());
    });
}

#[test]
fn a_connection_closed_without_connack_is_told_from_a_refusal() {
    everywhere(|protocol, broker| {
        let mut bytes = Connect::new(protocol, "x").bytes();
        bytes[3] = b'?';
        bytes[4] = b'?';
        let mut client = Connect::new(protocol, "x").open(broker.port()).unwrap();
        client.send_bytes(&bytes).unwrap();
        let answer = client.answer(SOON).unwrap();
        assert!(
            matches!(answer, Answer::Closed(_)),
            "{answer:?} on {}",
            broker.version()
        );
    });
    // MQTT 3.1.1 §3.1.2.9: no password without a user name.
    let connect = Connect::v311("x").password("secret");
    let error = connect.connect(BROKERS[0].port()).unwrap_err();
    assert!(error.is::<ClosedWithoutConnack>(), "{error:#}");
    assert_eq!(connect.code(BROKERS[0].port()), None);
}

#[test]
fn an_unknown_authentication_method_is_refused() {
    for broker in BROKERS.iter() {
        let connect = Connect::v5("method").authentication("NO-SUCH", Some(b"data"));
        assert_eq!(connect.code(broker.port()), Some(0x8C));
    }
}

/// MQTT 5.0 §3.15.
#[test]
fn an_auth_names_its_reason_its_method_and_its_data() {
    let server = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = server.local_addr().unwrap().port();
    let connect = Connect::v5("auth").authentication("M", Some(b"pw"));
    let mut client = connect.send(port).unwrap();
    let (mut server, _) = server.accept().unwrap();
    let mut sent = vec![0; connect.bytes().len()];
    server.read_exact(&mut sent).unwrap();
    assert!(
        sent.windows(9)
            .any(|part| part == b"\x15\0\x01M\x16\0\x02pw")
    );

    server
        .write_all(b"\xF0\x0B\x18\x09\x15\0\x01M\x16\0\x02{}")
        .unwrap();
    let Answer::Auth(question) = client.answer(SOON).unwrap() else {
        panic!("no question");
    };
    assert_eq!(question.code, 0x18);
    assert_eq!(question.data(), Some(&b"{}"[..]));

    client.auth(0x18, "M", Some(b"123456")).unwrap();
    let expected = b"\xF0\x0F\x18\x0D\x15\0\x01M\x16\0\x06123456";
    let mut sent = vec![0; expected.len()];
    server.read_exact(&mut sent).unwrap();
    assert_eq!(sent, expected);
    server.write_all(&[0x20, 3, 0, 0, 0]).unwrap();
    let answer = client.answer(SOON).unwrap();
    assert!(matches!(answer, Answer::Connack(connack) if connack.code == 0));
}

#[test]
fn a_client_comes_from_the_address_it_names() {
    let connect = Connect::v311("address").source(Ipv4Addr::new(127, 0, 0, 5));
    let client = connect.accepted(BROKERS[0].port());
    assert_eq!(client.address().ip(), Ipv4Addr::new(127, 0, 0, 5));
    BROKERS[0].wait_for_log("from 127.0.0.5", SOON).unwrap();
}

#[test]
fn a_connect_holds_its_fields_in_the_order_of_the_specification() {
    let will = Will {
        topic: "w".to_owned(),
        payload: b"p".to_vec(),
        qos: 2,
        retain: true,
        delay: 7,
    };
    let connect = Connect::v5("id")
        .login("u", [0, 255])
        .clean(false)
        .keep_alive(258)
        .will(will);
    let expected = b"\x10\x22\0\x04MQTT\x05\xF4\x01\x02\x00\0\x02id\x05\x18\0\0\0\x07\0\x01w\0\x01p\0\x01u\0\x02\0\xFF";
    assert_eq!(connect.bytes(), expected);
}

#[test]
fn debians_own_clients_meet_ours() {
    for broker in BROKERS.iter() {
        let mut client = Connect::v5("meets").accepted(broker.port());
        client.subscribe(&[("from/debian", 1)]).unwrap();
        let publish = ["-V", "311", "-q", "1", "-t", "from/debian", "-m", "hello"];
        let output = Tool::mosquitto("mosquitto_pub", broker.port())
            .args(publish)
            .run(SOON)
            .unwrap();
        assert_eq!(output.code, Some(0), "{output:?}");
        assert_eq!(client.receive(SOON).unwrap().text(), "hello");

        let subscribe = ["-d", "-q", "1", "-t", "to/debian", "-C", "1"];
        let mut subscriber = Tool::mosquitto("mosquitto_sub", broker.port())
            .args(subscribe)
            .background()
            .unwrap();
        subscriber.wait_for_output("Subscribed", SOON).unwrap();
        client.publish("to/debian", "back", 1, false).unwrap();
        let output = subscriber.wait(SOON).unwrap();
        assert_eq!(output.code, Some(0), "{output:?}");
        assert!(output.stdout.contains("back\n"), "{output:?}");

        // Behaviour M4: nobody answers, so the deadline ends it with 27.
        let request = ["-W", "1", "-t", "request", "-e", "response", "-m", "?"];
        let output = Tool::mosquitto("mosquitto_rr", broker.port())
            .args(request)
            .run(SOON)
            .unwrap();
        assert_eq!(output.code, Some(27), "{output:?}");
    }
}
