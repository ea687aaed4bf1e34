//! Who is asking: clients that choose their address, threads that are not the
//! broker's first, and clients that the broker ends later than it is asked to.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use countersign_testkit::broker::Builder;
use countersign_testkit::mqtt::Answer;
use countersign_testkit::{Client, Version};
use countersign_tests::{
    ACCEPTED, Fixture, Login, PATIENCE, REFUSED, is_kicked, on_every_broker, text, topics_so_far,
    wait_until,
};

/// A broker whose second listener speaks MQTT over WebSockets.
fn start(version: Version) -> Fixture {
    Fixture::start_with(version, websockets)
}

fn websockets(builder: Builder) -> Builder {
    builder.listener().listener_line("protocol websockets")
}

fn websocket_port(fixture: &Fixture) -> u16 {
    fixture.broker.port_of(1)
}

/// The address that `clients list` shows of a client.
fn listed_address(fixture: &Fixture, client_id: &str) -> Option<String> {
    let listed = fixture.cli.json(&["clients", "list"]);
    let listed = listed.as_array().unwrap();
    let client = listed.iter().find(|it| it["client_id"] == client_id)?;
    Some(text(client, "address"))
}

/// Connected, upgraded to WebSockets, and has not sent its CONNECT yet.
fn upgraded(login: &Login, number: u32, port: u16) -> (Client, Vec<u8>) {
    let connect = login
        .connect(&format!("guess-{number}"))
        .header("X-Forwarded-For", b"\xff\xfe\x80");
    (connect.open(port).unwrap(), connect.bytes())
}

on_every_broker! {
    fn a_connect_during_a_reload_is_judged_whatever_address_it_claims(version) {
        let fixture = start(version);
        fixture.tenant("t1", &[]);
        let login = fixture.credential_with("dev", "t1", &["--external-identity"]);
        let wrong = login.with_secret("wrong-secret");
        let port = websocket_port(&fixture);
        for round in 0..12 {
            let waiting: Vec<_> = (0..8).map(|number| upgraded(&wrong, round * 8 + number, port)).collect();
            let pid = fixture.broker.pid().to_string();
            let mut answers = Vec::new();
            for (number, (mut client, connect)) in waiting.into_iter().enumerate() {
                if number == 2 {
                    let sent = std::process::Command::new("kill").args(["-HUP", &pid]).status();
                    assert!(sent.unwrap().success());
                }
                client.send_bytes(&connect).unwrap();
                answers.push(client);
            }
            for mut client in answers {
                let answer = client.answer(PATIENCE).unwrap();
                let is_refused = match &answer {
                    Answer::Connack(connack) => connack.code == 5,
                    Answer::Closed(_) => true,
                    Answer::Auth(_) | Answer::Nothing => false,
                };
                assert!(is_refused, "{answer:?}");
            }
        }
        assert_eq!(login.connect("right").websocket().code(port), ACCEPTED);
    }

    fn a_forwarded_address_is_shown_and_believed_nowhere(version) {
        let fixture = start(version);
        fixture.tenant("t1", &[]);
        let login = fixture.credential("dev", "t1");
        let port = websocket_port(&fixture);
        let expected = if version.is_2_0() { "ws" } else { "127.0.0.1" };
        let claim = "198.51.100.7";
        let wrong = login.with_secret("wrong").connect("a").header("X-Forwarded-For", claim);
        assert_eq!(wrong.code(port), REFUSED);
        let line = fixture.broker.wait_for_log("`dev@t1`", PATIENCE).unwrap();
        assert!(line.contains(&format!("refused {expected}: bad-secret")), "{line}");
        let _client = login.connect("a").header("X-Forwarded-For", claim).accepted(port);
        wait_until("the client is listed", || listed_address(&fixture, "a").is_some());
        assert_eq!(listed_address(&fixture, "a").as_deref(), Some(expected));
        assert!(!fixture.our_lines().contains(claim), "{}", fixture.our_lines());
        wait_until("the refusal is in the audit", || {
            let audit = fixture.cli.json(&["audit", "list", "--name", "dev@t1"]).to_string();
            assert!(!audit.contains(claim), "{audit}");
            audit.contains("bad-secret")
        });
    }

    fn guesses_from_many_forwarded_addresses_count_as_one_place(version) {
        let fixture = start(version);
        fixture.tenant("t1", &[]);
        let login = fixture.credential_with_password("dev", "t1", "a chosen password");
        let port = websocket_port(&fixture);
        let mut number = 0;
        wait_until("guesses are not checked any more", || {
            number += 1;
            let wrong = login.with_secret(&format!("guess {number}")).connect(&format!("g{number}"));
            let wrong = wrong.header("X-Forwarded-For", format!("198.51.{}.1", number % 256));
            // Refused, or told to come again.
            assert_ne!(wrong.code(port), ACCEPTED);
            fixture.our_lines().contains(": too-many-failures: `dev@t1`")
        });
        // The owner's own place is not touched by that.
        wait_until("the owner comes in", || fixture.code(&login) == ACCEPTED);
    }

    fn ending_a_websockets_session_ends_that_one_alone_with_its_will(version) {
        let fixture = start(version);
        fixture.tenant("t1", &[]);
        let login = fixture.credential("dev", "t1");
        let mut observer = fixture.observer("t1/will/#");
        let port = websocket_port(&fixture);
        let connect = |id: &str| login.connect(id).will_message(format!("t1/will/{id}"), "gone");
        let mut tab = connect("tab").websocket().accepted(port);
        let mut other_tab = connect("other-tab").websocket().accepted(port);
        let mut plc = connect("plc").accepted(fixture.port());
        fixture.cli.json(&["clients", "kick", "tab"]);
        assert!(is_kicked(&mut tab));
        wait_until("the Will comes", || topics_so_far(&mut observer) == ["t1/will/tab"]);
        let line = fixture.broker.wait_for_log("ended the session", PATIENCE).unwrap();
        assert!(line.contains("(tab)"), "{line}");
        fixture.cli.json(&["clients", "kick", "plc"]);
        assert!(is_kicked(&mut plc));
        assert!(other_tab.is_alive());
        assert_eq!(topics_so_far(&mut observer), ["t1/will/plc"]);
        let ended = fixture.our_lines().matches("ended the session").count();
        assert_eq!(ended, 2, "{}", fixture.our_lines());
    }

    fn a_rotation_over_websockets_ends_the_sessions_of_the_old_secret_alone(version) {
        let fixture = start(version);
        fixture.tenant("t1", &[]);
        let old = fixture.credential("dev", "t1");
        let port = websocket_port(&fixture);
        let mut on_old = old.connect("old").websocket().accepted(port);
        let new = Login::from(&fixture.cli.json(&["credential", "rotate", &old.username, "--overlap", "1s"]));
        let mut on_new = new.connect("new").accepted(fixture.port());
        let mut tab_on_new = new.connect("new-tab").websocket().accepted(port);
        assert!(on_old.wait_closed(PATIENCE).is_some());
        assert!(on_new.is_alive() && tab_on_new.is_alive());
    }

    fn a_websockets_client_that_reads_nothing_may_do_nothing_once_it_is_suspended(version) {
        let fixture = start(version);
        fixture.tenant("t1", &[]);
        let deaf = fixture.credential("deaf", "t1");
        let sender = fixture.credential("sender", "t1");
        let port = websocket_port(&fixture);
        let mut observer = fixture.observer("t1/from/deaf");
        let mut client = deaf.connect("deaf").websocket().accepted(port);
        assert_eq!(client.subscribe(&[("t1/to/deaf", 0)]).unwrap(), [0]);
        // What it does not read fills the connection.
        let mut sender = sender.connect("sender").accepted(fixture.port());
        fill(&mut sender);
        client.send_publish("t1/from/deaf", b"1", 0, false, &Default::default()).unwrap();
        wait_until("it may publish", || topics_so_far(&mut observer) == ["t1/from/deaf"]);
        fixture.act("suspend", &deaf);
        wait_until_muted(&mut client, &mut sender, &mut observer);
        client.send_publish("t1/from/deaf", b"3", 0, false, &Default::default()).ok();
        sender.ping(PATIENCE).unwrap();
        assert!(topics_so_far(&mut observer).is_empty());
    }

    fn ending_a_websockets_client_that_reads_nothing_spares_who_took_its_id_meanwhile(version) {
        let fixture = start(version);
        fixture.tenant("t1", &[]);
        let login = fixture.credential("deaf", "t1");
        let sender = fixture.credential("sender", "t1");
        let mut deaf = login.connect("deaf").websocket().accepted(websocket_port(&fixture));
        assert_eq!(deaf.subscribe(&[("t1/to/deaf", 0)]).unwrap(), [0]);
        // 2.0 ends a message that it began before it closes, 4 KiB a round.
        let mut sender = sender.connect("sender").accepted(fixture.port());
        sender.publish("t1/to/deaf", vec![b'x'; 1_900_000], 1, false).unwrap();
        fixture.cli.json(&["clients", "kick", "deaf"]);
        let mut heir = login.connect("deaf").accepted(fixture.port());
        // The broker is asked again each second about who has not ended.
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(2_500) {
            heir.ping(PATIENCE).unwrap();
            thread::sleep(Duration::from_millis(50));
        }
        let ended = || fixture.our_lines().matches("ended the session").count();
        assert_eq!(ended(), usize::from(!version.is_2_0()));
        deaf.abort();
        wait_until("it has ended", || ended() == 1);
        fixture.wait_for_clients(&["deaf", "sender"]);
        heir.ping(PATIENCE).unwrap();
    }

    fn a_websockets_client_whose_end_is_asked_for_is_left_alone_by_reloads_once_it_is_away(version) {
        let mut fixture = start(version);
        fixture.tenant("t1", &[]);
        let deaf = fixture.credential("deaf", "t1");
        let sender = fixture.credential("sender", "t1");
        let port = websocket_port(&fixture);
        let connect = deaf.connect_v5("deaf").clean(false).session_expiry(3_600);
        let mut observer = fixture.observer("t1/from/deaf");
        let mut client = connect.clone().websocket().accepted(port);
        assert_eq!(client.subscribe(&[("t1/to/deaf", 0)]).unwrap(), [0]);
        let mut sender = sender.connect("sender").accepted(fixture.port());
        fill(&mut sender);
        fixture.act("suspend", &deaf);
        wait_until_muted(&mut client, &mut sender, &mut observer);
        fixture.broker.reload().unwrap();
        sender.ping(PATIENCE).unwrap();
        client.abort();
        wait_until("it is gone", || !fixture.cli.json(&["clients", "list"]).to_string().contains("deaf"));
        for _ in 0..2 {
            fixture.broker.reload().unwrap();
            sender.ping(PATIENCE).unwrap();
        }
        fixture.act("reactivate", &deaf);
        // The broker frees what it had of it.
        deaf.connect_v5("deaf").accepted(fixture.port()).disconnect().unwrap();
        let status = fixture.broker.stop().unwrap();
        assert!(status.success(), "{status}: {}", fixture.broker.log());
    }

    fn a_reload_leaves_what_was_restored_alone(version) {
        let mut fixture = Fixture::start_with(version, Builder::persistent);
        fixture.tenant("t1", &[]);
        let login = fixture.credential("dev", "t1");
        let mut client = login.connect("stored").stored().accepted(fixture.port());
        assert_eq!(client.subscribe(&[("t1/#", 1)]).unwrap(), [1]);
        client.disconnect().unwrap();
        thread::sleep(Duration::from_millis(1_000));
        fixture.broker.restart().unwrap();
        for _ in 0..3 {
            fixture.broker.reload().unwrap();
            // A signal that comes before the reload is over is lost.
            assert_eq!(fixture.code(&login), ACCEPTED);
        }
        let mut sender = login.connect("sender").accepted(fixture.port());
        sender.publish("t1/x", "x", 1, false).unwrap();
        let (mut client, connack) = login.connect("stored").stored().connect(fixture.port()).unwrap();
        assert!(connack.session_present);
        assert_eq!(client.receive(PATIENCE).unwrap().topic, "t1/x");
        assert!(fixture.broker.stop().unwrap().success());
    }
}

/// Fills the connection of a client that reads nothing.
fn fill(sender: &mut Client) {
    let payload = vec![b'x'; 60_000];
    for _ in 0..200 {
        sender.publish("t1/to/deaf", &payload, 1, false).unwrap();
    }
}

/// Waits until the broker is asked to end a client that reads nothing.
fn wait_until_muted(client: &mut Client, sender: &mut Client, observer: &mut Client) {
    wait_until("its end is asked for", || {
        client
            .send_publish("t1/from/deaf", b"2", 0, false, &Default::default())
            .ok();
        sender.ping(PATIENCE).unwrap();
        topics_so_far(observer).is_empty()
    });
}

/// 2.1 asks plugins from another thread about what comes in by HTTP.
#[test]
fn a_listener_for_http_does_not_get_in_the_way_of_logins() {
    let fixture = Fixture::start_with(Version::V2_1, |builder| {
        let builder = builder.listener();
        let folder = format!("http_dir {}", builder.dir().display());
        builder
            .listener_line("protocol http_api")
            .listener_line(folder)
    });
    fixture.tenant("t1", &[]);
    let login = fixture.credential("dev", "t1");
    let port = fixture.broker.port_of(1);
    let ask = |authorization: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let request = format!(
            "GET /api/v1/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{authorization}\r\n"
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer).into_owned())
    };
    // `dev@t1:wrong`
    let wrong = "Authorization: Basic ZGV2QHQxOndyb25n\r\n";
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let _answer = ask(wrong);
                }
            });
        }
        for number in 0..300 {
            let code = login.connect(&format!("c{number}")).code(fixture.port());
            assert_eq!(code, ACCEPTED);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let answer = ask(wrong).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let log = fixture.broker.log();
    assert!(!log.contains("panicked"), "{log}");
    fixture.broker.wait_for_log("http_api", PATIENCE).unwrap();
    fixture.wait_for_clients(&[]);
}
