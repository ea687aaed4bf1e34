//! RabbitMQ, configured as `docs/hooks.md` shows it, asks the service about its clients.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_testkit::Connect;
use countersign_testkit::broker::Port;
use countersign_testkit::mqtt::Protocol;
use countersign_testkit::rabbitmq::RabbitMq;
use countersign_tests::hooked::{Hooked, Watch};
use countersign_tests::{Login, PATIENCE, text, turn};

/// A RabbitMQ takes ten seconds to start, so there is one for all of this.
#[test]
fn rabbitmq_lets_in_and_allows_what_countersign_does() {
    let _turn = turn::beside_others();
    let mut rabbit = RabbitMq::new().unwrap();
    // Nobody listens there before sessions are to be ended.
    let door = Port::reserve();
    let url = format!("http://127.0.0.1:{}", door.number());
    let options = [
        "--kick",
        &url,
        "--kick-login-stdin",
        "--vhost",
        "/",
        "--vhost",
        "plant",
    ];
    let hooked = Hooked::start(
        "rabbitmq",
        Protocol::V5,
        &options,
        &format!("{ADMIN}:{PASSWORD}"),
    );
    let config = hooked.config("RabbitMQ");
    let admin = format!("default_user = {ADMIN}\ndefault_pass = {PASSWORD}\n");
    rabbit.start(&(config + &admin)).unwrap();
    let port = rabbit.port();
    let mut watch = hooked.watch(port);
    hooked.refuses_who_is_nobody(port);
    devices_do_what_they_may(&hooked, port, &mut watch);
    devices_have_nothing_but_mqtt(&hooked, &rabbit);
    hooked.refuses_what_is_over(port, &mut watch);
    hooked.holds_the_cases(port, &mut watch, |case| {
        // It can't tell `.` from `/`, and what stands before `:` is a virtual host.
        let names = [&case.username, &case.client_id];
        let names = names.into_iter().flatten();
        !case.topic.contains(['.', '*']) && names.into_iter().all(|it| !it.contains(':'))
    });
    // It was sent long before.
    assert!(!watch.has_seen("other/will"));
    sessions_are_ended(&hooked, port, &door, rabbit.management_port());
}

fn devices_do_what_they_may(hooked: &Hooked, port: u16, watch: &mut Watch) {
    let login = hooked.device("dev1");
    let connect = || login.connect_v5("c1").accepted(port);
    for (topic, may) in [
        ("acme/a", true),
        ("acme/a/b", true),
        ("other/a", false),
        // It would write this as `acme.*`, and that as `acme/+`.
        ("acme/*", false),
    ] {
        let mut client = connect();
        assert_eq!(watch.sees(&mut client, topic), may, "{topic}");
        // A refusal ends the connection.
        assert_eq!(client.is_alive(), may, "{topic}");
    }
    for (filter, may) in [
        ("acme/a", true),
        ("acme/+/b", true),
        ("acme/#", true),
        ("#", false),
        ("+/a", false),
        ("*/a", false),
        ("acme/#/b", false),
        ("other/a", false),
    ] {
        let granted = connect().subscribe(&[(filter, 1)]);
        // It knows what MQTT makes of `#`, and closes the connection.
        let is_granted = granted.is_ok_and(|codes| codes == [1]);
        assert_eq!(is_granted, may, "{filter}");
    }
    // It would deliver this to who subscribed to `#`, which is not for topics like it.
    let reserved = ["--publish", "$x/#"];
    let made = hooked.cli.act("operator create reserved", &reserved);
    let operator = Login {
        username: text(&made, "name"),
        secret: text(&made, "secret"),
    };
    let mut client = operator.connect_v5("reserved").accepted(port);
    assert!(!watch.sees(&mut client, "$x/acme"));
    for will in ["other/will", "acme/will"] {
        let connect = login.connect_v5("will").will_message(will, b"x");
        connect.accepted(port).abort();
    }
    watch.wait_for("acme/will");
    let mut subscriber = login.connect_v5("s").accepted(port);
    assert_eq!(subscriber.subscribe(&[("acme/s/+", 1)]).unwrap(), [1]);
    assert!(watch.sees(&mut connect(), "acme/s/1"));
    assert_eq!(subscriber.receive(PATIENCE).unwrap().topic, "acme/s/1");
}

/// What the same login gives elsewhere in RabbitMQ: nothing.
fn devices_have_nothing_but_mqtt(hooked: &Hooked, rabbit: &RabbitMq) {
    let login = hooked.device("amqp");
    login.connect("amqp").accepted(rabbit.port());
    let admin = Login {
        username: ADMIN.into(),
        secret: PASSWORD.into(),
    };
    for (login, may) in [(&admin, true), (&login, false)] {
        let logged_in = speaks_amqp(rabbit.amqp_port(), login);
        assert_eq!(logged_in, may, "{}", login.username);
        let status = asks_management(rabbit.management_port(), login, "GET /api/overview");
        assert_eq!(status, if may { 200 } else { 401 }, "{}", login.username);
    }
    // A virtual host that the hook names, and one that it does not.
    for vhost in ["plant", "other"] {
        let request = format!("PUT /api/vhosts/{vhost}");
        let status = asks_management(rabbit.management_port(), &admin, &request);
        assert_eq!(status, 201);
    }
    let at = |vhost: &str| Connect::v5("vhost").login(format!("{vhost}:amqp@acme"), &login.secret);
    assert_ne!(at("other").code(rabbit.port()), Some(0));
    assert_eq!(at("/").code(rabbit.port()), Some(0));
    // Its topics are its own, and rules hold there, too.
    let mut there = at("plant").accepted(rabbit.port());
    assert_eq!(there.subscribe(&[("acme/#", 1)]).unwrap(), [1]);
    let mut here = login.connect_v5("here").accepted(rabbit.port());
    here.publish("acme/here", b"x", 1, false).unwrap();
    there.publish("acme/there", b"x", 1, false).unwrap();
    assert_eq!(there.receive(PATIENCE).unwrap().topic, "acme/there");
    let _ = there.publish("other/there", b"x", 1, false);
    assert!(there.wait_closed(PATIENCE).is_some());
}

/// What may not go on is ended, by the management plugin.
fn sessions_are_ended(hooked: &Hooked, port: u16, door: &Port, management: u16) {
    let subscribed = |name: &str| {
        let login = hooked.device(name);
        let mut client = login.connect_v5(name).accepted(port);
        assert_eq!(client.subscribe(&[("acme/#", 1)]).unwrap(), [1]);
        (login, client)
    };
    let (revoked, mut over) = subscribed("over");
    let (_, mut other) = subscribed("other");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, door.number())).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            forward(&stream.unwrap(), management);
        }
    });
    hooked
        .cli
        .json(&["credential", "revoke", &revoked.username]);
    assert!(over.wait_closed(PATIENCE).is_some());
    other.ping(PATIENCE).unwrap();
}

/// Hands a request on, and the answer back.
fn forward(mut client: &TcpStream, port: u16) {
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        request.extend(byte);
    }
    server.write_all(&request).unwrap();
    std::io::copy(&mut server, &mut client).unwrap();
    client.shutdown(Shutdown::Both).unwrap();
}

/// Logs in by AMQP 0-9-1, and says whether that is granted.
fn speaks_amqp(port: u16, login: &Login) -> bool {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"AMQP\0\0\x09\x01").unwrap();
    // Class, and method, of what begins a frame.
    let method = |stream: &mut TcpStream| -> Option<[u8; 4]> {
        let mut head = [0; 7];
        stream.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
        let mut frame = vec![0; usize::try_from(length).unwrap() + 1];
        stream.read_exact(&mut frame).ok()?;
        frame.first_chunk().copied()
    };
    const START: [u8; 4] = [0, 10, 0, 10];
    const TUNE: [u8; 4] = [0, 10, 0, 30];
    assert_eq!(method(&mut stream), Some(START));
    let said = format!("\0{}\0{}", login.username, login.secret);
    let length = u32::try_from(said.len()).unwrap();
    let start_ok = [
        b"\0\x0a\0\x0b\0\0\0\0\x05PLAIN",
        &length.to_be_bytes()[..],
        said.as_bytes(),
        b"\x05en_US",
    ]
    .concat();
    let length = u32::try_from(start_ok.len()).unwrap();
    let frame = [b"\x01\0\0", &length.to_be_bytes()[..], &start_ok, b"\xce"].concat();
    stream.write_all(&frame).unwrap();
    method(&mut stream) == Some(TUNE)
}

/// Sends a request without a body to the management plugin; returns the status.
fn asks_management(port: u16, login: &Login, request: &str) -> u16 {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let shown = STANDARD.encode(format!("{}:{}", login.username, login.secret));
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {shown}\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Who administers RabbitMQ itself.
const ADMIN: &str = "keeper";
const PASSWORD: &str = "of-the-rabbits";
