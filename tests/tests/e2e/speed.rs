//! Slow passwords: logins that wait, what a broker that can't hold them does
//! instead, and what neither may be tricked into.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use countersign_testkit::broker::Builder;
use countersign_testkit::mqtt::Answer;
use countersign_testkit::{Client, Connect, Version};
use countersign_tests::{
    ACCEPTED, Fixture, Login, PATIENCE, REFUSED, REFUSED_V5, on_every_broker, topics, wait_until,
};

/// A hash of this takes a few hundred milliseconds.
const SLOW: &str = "m=65536,t=8,p=1";

/// A broker that can hold logins, with tenant `t1`, and what hashing takes.
fn fixture(argon2: &str) -> Fixture {
    fixture_with(argon2, |builder| builder)
}

fn fixture_with(argon2: &str, more: impl FnOnce(Builder) -> Builder) -> Fixture {
    let fixture = Fixture::start_with(Version::V2_1, more);
    fixture.cli.json(&["settings", "set", "--argon2", argon2]);
    fixture.tenant("t1", &[]);
    fixture
}

fn device(fixture: &Fixture, name: &str) -> Login {
    fixture.credential_with_password(name, "t1", "a chosen password")
}

/// Connects, and is not answered yet.
fn waits(connect: &Connect, port: u16) -> Client {
    let mut client = connect.send(port).unwrap();
    let answer = client.answer(Duration::from_millis(60)).unwrap();
    assert_eq!(answer, Answer::Nothing, "a hash is not slow any more");
    client
}

/// How long the bystander's pings take while something happens.
fn pings_during(bystander: &mut Client, mut goes_on: impl FnMut() -> bool) -> Vec<Duration> {
    let mut pings = Vec::new();
    while goes_on() {
        pings.push(bystander.ping(PATIENCE).unwrap());
        thread::sleep(Duration::from_millis(1));
    }
    pings.sort_unstable();
    pings
}

#[test]
fn thirty_cold_logins_at_once_hold_up_nobody() {
    let fixture = fixture("m=19456,t=10,p=1");
    let port = fixture.port();
    let logins: Vec<Login> = (0..30)
        .map(|number| device(&fixture, &format!("d{number}")))
        .collect();
    let watcher = fixture.credential("watcher", "t1");
    let mut bystander = watcher.connect("watcher").accepted(port);
    let start = Instant::now();
    let storm: Vec<_> = logins
        .into_iter()
        .enumerate()
        .map(|(number, login)| {
            thread::spawn(move || login.connect(&format!("c{number}")).code(port))
        })
        .collect();
    let pings = pings_during(&mut bystander, || {
        storm.iter().any(|client| !client.is_finished())
    });
    let took = start.elapsed();
    for client in storm {
        assert_eq!(client.join().unwrap(), ACCEPTED);
    }
    assert!(took > Duration::from_millis(500), "nothing was hashed");
    // Ten times the goal.
    let p99 = pings[pings.len() * 99 / 100];
    assert!(
        p99 < Duration::from_millis(100),
        "{p99:?} of {}",
        pings.len()
    );
}

#[test]
fn the_verdict_of_a_try_that_was_given_up_admits_no_other() {
    let fixture = fixture("m=19456,t=2,p=1");
    let port = fixture.port();
    let logins: Vec<Login> = (0..50)
        .map(|number| device(&fixture, &format!("d{number}")))
        .collect();
    for (round, login) in (1..).zip(&logins) {
        let source = Ipv4Addr::new(127, 0, 1, round);
        let right = login.connect("the-id").source(source);
        let wrong = login.with_secret("wrong").connect("the-id").source(source);
        let first = right.send(port).unwrap();
        thread::sleep(Duration::from_micros(u64::from(round) * 100));
        first.abort();
        // As long as the broker has not noticed, it drops the second unasked.
        let mut second = None;
        wait_until("the second try is answered", || {
            second = wrong.code(port);
            second.is_some()
        });
        assert_eq!(second, REFUSED, "round {round}");
    }
    fixture.wait_for_clients(&[]);
}

#[test]
fn the_will_of_a_login_that_waits_is_never_sent() {
    for authentication in ["required", "off"] {
        let fixture = fixture(SLOW);
        fixture.set_authentication("t1", authentication);
        let watcher = fixture.credential("watcher", "t1");
        let mut watcher = watcher.connect("watcher").accepted(fixture.port());
        watcher.subscribe(&[("t1/#", 1)]).unwrap();
        for (number, secret) in ["a chosen password", "wrong"].into_iter().enumerate() {
            let login = device(&fixture, &format!("d{number}")).with_secret(secret);
            let id = format!("c{number}");
            let client = waits(
                &login.connect(&id).will_message("t1/will", b"x"),
                fixture.port(),
            );
            client.abort();
        }
        watcher.ping(PATIENCE).unwrap();
        assert_eq!(topics(&mut watcher), [""; 0], "{authentication}");
        // Nor once the hash is done.
        thread::sleep(Duration::from_secs(2));
        assert_eq!(topics(&mut watcher), [""; 0], "{authentication}");
        fixture.wait_for_clients(&["watcher"]);
    }
}

#[test]
fn a_client_that_vanishes_while_it_waits_is_listed_nowhere() {
    let fixture = fixture(SLOW);
    let login = device(&fixture, "dev");
    waits(&login.connect("a"), fixture.port()).abort();
    waits(&login.connect("b"), fixture.port()).abort();
    // Its password was right, so the next one need not wait.
    wait_until("the hash is done", || {
        let start = Instant::now();
        login.connect("c").code(fixture.port()) == ACCEPTED
            && start.elapsed() < Duration::from_millis(60)
    });
    fixture.wait_for_clients(&[]);
}

#[test]
fn what_happens_while_a_login_waits_counts() {
    let fixture = fixture(SLOW);
    for (act, name) in [("suspend", "d1"), ("revoke", "d2"), ("delete", "d3")] {
        let login = device(&fixture, name);
        let mut client = waits(&login.connect("a"), fixture.port());
        fixture.act(act, &login);
        let Answer::Connack(connack) = client.answer(PATIENCE).unwrap() else {
            panic!("{act}: no verdict");
        };
        assert_eq!(Some(connack.code), REFUSED, "{act}");
    }
    fixture.wait_for_clients(&[]);
    let log = fixture.broker.log();
    for cause in ["suspended", "revoked", "unknown-name"] {
        assert!(log.contains(cause), "{cause}: {log}");
    }
}

#[test]
fn the_broker_stops_while_logins_wait() {
    let mut fixture = fixture("m=19456,t=10,p=1");
    let login = device(&fixture, "dev");
    let _held: Vec<Client> = (0..30)
        .map(|number| {
            let connect = login.connect(&format!("c{number}"));
            connect.send(fixture.port()).unwrap()
        })
        .collect();
    let start = Instant::now();
    assert!(fixture.broker.stop().unwrap().success());
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(
        fixture.cli.json(&["clients", "list"]),
        serde_json::json!([])
    );
}

#[test]
fn a_reload_keeps_who_waited_and_who_waits() {
    let fixture = fixture(SLOW);
    let (one, two) = (device(&fixture, "d1"), device(&fixture, "d2"));
    let mut first = waits(&one.connect("one"), fixture.port());
    assert!(
        matches!(first.answer(PATIENCE).unwrap(), Answer::Connack(connack) if connack.code == 0)
    );
    let mut second = waits(&two.connect("two"), fixture.port());
    let mark = fixture.broker.log_mark();
    fixture.broker.reload().unwrap();
    fixture
        .broker
        .wait_for_log_since(mark, "Reloading config", PATIENCE)
        .unwrap();
    assert!(first.is_alive());
    assert!(
        matches!(second.answer(PATIENCE).unwrap(), Answer::Connack(connack) if connack.code == 0)
    );
    fixture.broker.reload().unwrap();
    assert!(first.is_alive() && second.is_alive());
    fixture.wait_for_clients(&["one", "two"]);
}

#[test]
fn a_stored_session_has_its_queue_after_a_wait() {
    let mut fixture = fixture_with(SLOW, Builder::persistent);
    let sender = fixture.credential("sender", "t1");
    let receiver = device(&fixture, "receiver");
    let connect = receiver.connect("receiver").stored();
    let mut client = connect.accepted(fixture.port());
    client.subscribe(&[("t1/#", 1)]).unwrap();
    client.disconnect().unwrap();
    // What was verified is forgotten with the process.
    thread::sleep(Duration::from_secs(1));
    fixture.broker.restart().unwrap();
    let mut publisher = sender.connect("sender").accepted(fixture.port());
    publisher.publish("t1/queued", b"x", 1, false).unwrap();
    let mut client = waits(&connect, fixture.port());
    let Answer::Connack(connack) = client.answer(PATIENCE).unwrap() else {
        panic!("no verdict");
    };
    assert!(connack.code == 0 && connack.session_present);
    assert_eq!(topics(&mut client), ["t1/queued"]);
}

#[test]
fn a_wrong_login_of_an_open_tenant_is_let_in_without_a_name_after_its_wait() {
    let fixture = fixture(SLOW);
    fixture.set_authentication("t1", "off");
    let wrong = device(&fixture, "dev").with_secret("wrong");
    let mut client = waits(&wrong.connect("a"), fixture.port());
    assert!(
        matches!(client.answer(PATIENCE).unwrap(), Answer::Connack(connack) if connack.code == 0)
    );
    assert_eq!(client.subscribe(&[("t1/#", 0)]).unwrap(), [0]);
    client.publish("t1/x", b"x", 1, false).unwrap();
    assert_eq!(topics(&mut client), ["t1/x"]);
    wait_until("it is listed as nobody", || {
        let listed = fixture.cli.json(&["clients", "list"]);
        listed[0]["authenticated"] == false && listed[0]["username"].is_null()
    });
}

#[test]
fn an_address_where_too_many_failed_is_told_so_in_mqtt_5() {
    let fixture = fixture("m=8,t=1,p=1");
    let login = device(&fixture, "dev");
    let bad = Ipv4Addr::new(127, 0, 0, 9);
    let told = (0..200).find_map(|number| {
        let guess = Login {
            username: format!("n{number}@t1"),
            secret: "wrong".into(),
        };
        let connect = guess.connect_v5("guesser").source(bad);
        connect
            .code(fixture.port())
            .filter(|code| Some(*code) != REFUSED_V5)
    });
    assert_eq!(told, Some(0x8A));
    let there = login.connect("a").source(bad);
    assert_eq!(there.code(fixture.port()), REFUSED);
    assert_eq!(login.connect_v5("b").code(fixture.port()), ACCEPTED);
    // What was verified needs no hash, there either.
    assert_eq!(there.code(fixture.port()), ACCEPTED);
}

/// Guesses passwords until it is told to stop.
fn flood(port: u16, source: Ipv4Addr, goes_on: &std::sync::atomic::AtomicBool) -> u32 {
    let mut tries = 0;
    while goes_on.load(std::sync::atomic::Ordering::SeqCst) {
        let name = format!("n{}@t1", tries % 1_000);
        let connect = Connect::v311(format!("f{tries}")).login(name, "a guess");
        let _verdict = connect.source(source).attempt(port);
        tries += 1;
    }
    tries
}

/// How often a device must try until it is let in, and how long that takes.
fn is_in_at_last(device: &Connect, port: u16) -> (Option<u32>, Duration) {
    let start = Instant::now();
    let tries = (1..).find(|_| {
        let code = device.code(port);
        thread::sleep(Duration::from_millis(if code == ACCEPTED {
            0
        } else {
            100
        }));
        code == ACCEPTED || start.elapsed() > PATIENCE
    });
    (tries, start.elapsed())
}

on_every_broker! {
    nearly alone;

    fn ten_wrong_tries_and_then_a_right_one_succeed(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("t1", &[]);
        let login = device(&fixture, "dev");
        for _ in 0..10 {
            assert_eq!(fixture.code(&login.with_secret("wrong")), REFUSED);
        }
        assert_eq!(fixture.code(&login), ACCEPTED);
    }

    fn a_flood_of_guesses_locks_out_no_device_elsewhere(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("t1", &[]);
        let port = fixture.port();
        let login = device(&fixture, "dev");
        let watcher = fixture.credential("watcher", "t1");
        let mut bystander = watcher.connect("watcher").accepted(port);
        let goes_on = std::sync::atomic::AtomicBool::new(true);
        thread::scope(|scope| {
            for number in 1..=2 {
                let goes_on = &goes_on;
                scope.spawn(move || flood(port, Ipv4Addr::new(127, 0, 2, number), goes_on));
            }
            thread::sleep(Duration::from_millis(500));
            let device = login.connect("dev").source(Ipv4Addr::new(127, 0, 3, 1));
            let (tries, took) = is_in_at_last(&device, port);
            let end = Instant::now() + Duration::from_secs(1);
            let pings = pings_during(&mut bystander, || Instant::now() < end);
            goes_on.store(false, std::sync::atomic::Ordering::SeqCst);
            // Ten times the goal of a second, and of 20 ms or 150 ms.
            assert!(took < Duration::from_secs(10), "{tries:?} tries in {took:?}");
            let goal = if version.is_2_0() { 150 } else { 20 };
            let p99 = pings[pings.len() * 99 / 100];
            assert!(p99 < Duration::from_millis(goal * 10), "{p99:?}");
        });
        fixture.wait_for_clients(&["watcher"]);
    }

    fn a_device_that_nobody_knows_is_not_behind_two_hundred_who_began_to_guess_before(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("t1", &[]);
        let port = fixture.port();
        let login = device(&fixture, "dev");
        // None of them waits for an answer, so all of them may wait at once.
        let guesses: Vec<Client> = (0..600_u16)
            .map(|number| {
                let [_, address] = (number % 200 + 1).to_be_bytes();
                let connect = Connect::v311(format!("g{number}")).login("dev@t1", "a guess");
                connect.source(Ipv4Addr::new(127, 0, 4, address)).send(port).unwrap()
            })
            .collect();
        let device = login.connect("dev").source(Ipv4Addr::new(127, 0, 5, 1));
        let (tries, took) = is_in_at_last(&device, port);
        // Ten times the goal of a second; the guesses would take longer.
        assert!(took < Duration::from_secs(10), "{tries:?} tries in {took:?}");
        drop(guesses);
    }

    fn a_crowd_that_comes_at_once_is_in_within_three_tries(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("t1", &[]);
        let port = fixture.port();
        let logins: Vec<Login> = (0..40).map(|number| device(&fixture, &format!("d{number}"))).collect();
        let crowd: Vec<_> = logins
            .into_iter()
            .enumerate()
            .map(|(number, login)| thread::spawn(move || {
                let connect = login.connect(&format!("c{number}"));
                (1..=3).find(|_| {
                    let is_in = connect.code(port) == ACCEPTED;
                    thread::sleep(Duration::from_secs(if is_in { 0 } else { 3 }));
                    is_in
                })
            }))
            .collect();
        for device in crowd {
            assert!(device.join().unwrap().is_some());
        }
    }
}
