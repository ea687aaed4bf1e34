//! Events: who is told what, for how long, and how many may listen.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use countersign_core::audit::RefusedAct;
use countersign_core::client_id::ClientId;
use countersign_core::credential::CredentialId;
use countersign_core::ledger::Ledger as _;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::presence::{Presence, PresenceEvent, SessionEnd, SessionNumber};
use countersign_core::reason::Reason;
use countersign_core::store::{Batch, Directory as _, GateStore as _, Refusal};
use serde_json::{Value, json};

use super::authentication::basic;
use super::permissions::furnished;
use crate::call::now;
use crate::fixture::Server;
use crate::patience::Patience;

/// Nothing here takes so long unless it never comes.
const LONG: Duration = Duration::from_secs(60);

/// A stream, and what came of it.
struct Listener {
    stream: TcpStream,
    text: String,
}

impl Listener {
    /// Begins to listen, which must be answered with this status.
    #[track_caller]
    fn open(server: &Server, query: &str, headers: &[(&str, &str)], status: u16) -> Self {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        let mut request = format!("GET /api/v1/events{query} HTTP/1.1\r\nHost: localhost\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        stream
            .write_all(format!("{request}\r\n").as_bytes())
            .unwrap();
        let mut listener = Self {
            stream,
            text: String::new(),
        };
        listener.until("\r\n\r\n");
        assert!(
            listener.text.starts_with(&format!("HTTP/1.1 {status} ")),
            "{}",
            listener.text
        );
        listener
    }

    fn of(server: &Server, name: &str) -> Self {
        let shown = basic(name, "correct horse");
        Self::open(server, "", &[("Authorization", &shown)], 200)
    }

    /// Reads some more; says whether it goes on.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(count) => {
                self.text
                    .push_str(&String::from_utf8_lossy(&bytes[..count]));
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => {
                let is_waiting = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
                assert!(is_waiting.contains(&error.kind()), "{error}");
                true
            }
        }
    }

    /// Reads until it has told this.
    #[track_caller]
    fn until(&mut self, told: &str) {
        let begun = Instant::now();
        while !self.text.contains(told) {
            assert!(self.read(), "it ended before `{told}`: {}", self.text);
            assert!(begun.elapsed() < LONG, "no `{told}` in {}", self.text);
        }
    }

    /// Reads until it ends.
    #[track_caller]
    fn end(mut self) -> String {
        let begun = Instant::now();
        // The last chunk ends an answer; the connection stays for the next request.
        while !self.text.ends_with("\r\n0\r\n\r\n") && self.read() {
            assert!(begun.elapsed() < LONG, "it goes on: {}", self.text);
        }
        self.text
    }

    /// The events that it told: their kinds and what they hold.
    fn events(&self) -> Vec<(String, Value)> {
        let blocks = self.text.split("\n\n");
        let told = blocks.filter_map(|block| {
            let (_, kind) = block.split_once("event: ")?;
            let (kind, data) = kind.split_once("\ndata: ")?;
            Some((kind.to_owned(), serde_json::from_str(data).unwrap()))
        });
        told.collect()
    }
}

fn session(server: &Server, number: i64, tenant: &str, name: Option<&str>) -> PresenceEvent {
    let client_id = ClientId::parse(&format!("client-{tenant}-{number}")).unwrap();
    let credential: Option<CredentialId> = name.and_then(|name| {
        let name = LoginName::parse(name).unwrap();
        server.store().credential(&name).unwrap().map(|it| it.id)
    });
    PresenceEvent::Connected(Presence {
        session: SessionNumber(number),
        client_id: client_id.as_str().into(),
        tie: client_id.tie(),
        username: name.map(Into::into),
        credential,
        tenant: TenantId::parse(tenant).ok(),
        address: Some("192.0.2.7".into()),
        protocol: 4,
        connected_at: now(),
        authenticated: true,
        listener: None,
        stored: false,
    })
}

fn refusal(act: RefusedAct, subject: &str) -> Refusal {
    Refusal {
        minute: now(),
        act,
        subject: subject.into(),
        address: Some("192.0.2.7".into()),
        client_id: None,
        topic: (act != RefusedAct::Login).then(|| "acme/secret".into()),
        cause: Reason::BadSecret,
        about: None,
        count: 1,
    }
}

#[test]
fn each_is_told_of_what_it_may_know_and_of_nothing_else() {
    let server = furnished();
    let mut store = server.store();
    let _alive = store.lock_broker("edge").unwrap();
    let names = ["root", "adam", "gus", "vera", "otto"];
    for name in names {
        // Their first use is an act of its own.
        let shown = basic(name, "correct horse");
        let me = server.ask("GET", "/api/v1/me", None, &[("Authorization", &shown)]);
        me.with(200);
    }
    let mut listeners = names.map(|name| Listener::of(&server, name));
    let platform = server.platform_token();
    let token = format!("Bearer {platform}");
    let all = ("Authorization", &*token);
    let mut of_other = Listener::open(&server, "?tenant=other", &[all], 200);
    let observations = vec![
        session(&server, 1, "acme", Some("dev1@acme")),
        session(&server, 2, "acme", Some("dev2@acme")),
        session(&server, 3, "other", None),
    ];
    let refusals = vec![
        refusal(RefusedAct::Login, "dev1@acme"),
        refusal(RefusedAct::Publish, "dev1@acme"),
        refusal(RefusedAct::Login, "x@other"),
    ];
    let batch = Batch {
        observations,
        refusals,
        ..Batch::default()
    };
    store.write_batch("edge", &batch).unwrap();
    for place in [0, 1, 3] {
        listeners[place].until(r#""topic":"acme/secret""#);
        listeners[place].until("bad-secret");
    }
    for place in [0, 4] {
        listeners[place].until("x@other");
    }
    of_other.until("x@other");
    for name in ["dev1", "dev2"] {
        let path = format!("/api/v1/credentials/{name}@acme/suspend");
        server.ask("POST", &path, None, &[all]).with(200);
    }
    let new = Some(json!({ "name": "last", "tenant": "acme", "groups": ["DM.Y"] }));
    server
        .ask("POST", "/api/v1/credentials", new, &[all])
        .with(201);
    let new = Some(json!({ "name": "last", "tenant": "other" }));
    server
        .ask("POST", "/api/v1/credentials", new, &[all])
        .with(201);
    for listener in &mut listeners[..4] {
        listener.until(r#""name":"last@acme""#);
    }
    of_other.until(r#""name":"last@other""#);
    for place in [0, 4] {
        listeners[place].until(r#""name":"last@other""#);
    }
    let told = |listener: &Listener| {
        let mut told: Vec<_> = listener
            .events()
            .iter()
            .map(|(kind, data)| match kind.as_str() {
                "client" => format!("client {}", data["client_id"].as_str().unwrap()),
                _ => format!(
                    "{kind} {} {}",
                    data["name"].as_str().unwrap_or("-"),
                    data["act"].as_str().unwrap()
                ),
            })
            .collect();
        told.sort();
        told
    };
    let of_acme = [
        "client client-acme-1",
        "client client-acme-2",
        "credential dev1@acme credential.suspend",
        "credential dev2@acme credential.suspend",
        "credential last@acme credential.create",
        "denied dev1@acme publish",
        "login dev1@acme login",
        "login dev1@acme login",
        "login dev2@acme login",
    ];
    let others = [
        "client client-other-3",
        "credential last@other credential.create",
        "login - login",
        "login x@other login",
    ];
    let of_group = [
        "client client-acme-1",
        "credential dev1@acme credential.suspend",
        "credential last@acme credential.create",
        "login dev1@acme login",
    ];
    let mut of_all: Vec<_> = of_acme.iter().chain(&others).copied().collect();
    of_all.sort_unstable();
    let [root, adam, gus, vera, otto] = &listeners;
    assert_eq!(told(root), of_all);
    assert_eq!(told(adam), of_acme);
    assert_eq!(told(vera), of_acme);
    assert_eq!(told(gus), of_group);
    assert_eq!(told(otto), others);
    assert_eq!(told(&of_other), others);
    for (name, query, status) in [
        ("paul", "", 403),
        ("otto", "?tenant=acme", 404),
        ("adam", "?tenant=none", 404),
        ("root", "?tenant=none", 404),
    ] {
        let shown = basic(name, "correct horse");
        Listener::open(&server, query, &[("Authorization", &shown)], status);
    }
    Listener::open(&server, "", &[], 401);
    // A session that ends is told of as it was.
    let end = PresenceEvent::Disconnected(SessionEnd {
        session: SessionNumber(3),
        tie: ClientId::parse("client-other-3").unwrap().tie(),
        credential: None,
        began: now(),
        at: now(),
        is_kept: None,
    });
    let batch = Batch {
        observations: vec![end],
        ..Batch::default()
    };
    store.write_batch("edge", &batch).unwrap();
    of_other.until(r#""connected":false"#);
    let (_, ended) = of_other.events().pop().unwrap();
    assert_eq!(ended["client_id"], "client-other-3");
}

#[test]
fn a_stream_ends_with_what_its_caller_stood_on() {
    let server = furnished();
    let platform = format!("Bearer {}", server.platform_token());
    let all = ("Authorization", &*platform);
    let scope = Some(json!({ "scope": "viewer:acme" }));
    let made = server
        .ask("POST", "/api/v1/tokens", scope, &[all])
        .with(201);
    let token = format!("Bearer {}", made.body["secret"].as_str().unwrap());
    let of_token = Listener::open(&server, "", &[("Authorization", &token)], 200);
    let of_user = Listener::of(&server, "vera");
    let mut of_other = Listener::of(&server, "adam");
    let revoke = format!("/api/v1/tokens/{}", made.body["id"]);
    server.ask("DELETE", &revoke, None, &[all]).with(204);
    of_token.end();
    let ungrant = "/api/v1/users/vera/grants/acme";
    server.ask("DELETE", ungrant, None, &[all]).with(204);
    of_user.end();
    // What came after was told to neither, and to who is there still.
    let new = Some(json!({ "name": "more", "tenant": "acme" }));
    server
        .ask("POST", "/api/v1/credentials", new, &[all])
        .with(201);
    of_other.until("more@acme");
    let made_by = json!({ "email": "adam", "password": "another horse" });
    let reset = "/api/v1/users/adam/reset-password";
    server.ask("POST", reset, Some(made_by), &[all]);
    server
        .ask("DELETE", "/api/v1/users/adam", None, &[all])
        .with(204);
    of_other.end();
}

#[test]
fn who_comes_again_is_told_what_was_done_meanwhile_or_that_it_missed_something() {
    let server = Server::start();
    server
        .post("/api/v1/tenants", json!({ "id": "acme" }))
        .with(201);
    let create = |name: &str| {
        let new = json!({ "name": name, "tenant": "acme" });
        server.post("/api/v1/credentials", new).with(201);
    };
    let mut listener = Listener::open(&server, "", &[], 200);
    listener.until("retry: ");
    create("a");
    listener.until("a@acme");
    let id = |listener: &Listener| {
        let mut ids = listener
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("id: "));
        ids.next_back().unwrap().to_owned()
    };
    let last = id(&listener);
    drop(listener);
    create("b");
    create("c");
    let mut listener = Listener::open(&server, "", &[("Last-Event-ID", &last)], 200);
    create("d");
    listener.until("d@acme");
    let names: Vec<_> = listener
        .events()
        .iter()
        .map(|(_, data)| data["name"].clone())
        .collect();
    assert_eq!(names, ["b@acme", "c@acme", "d@acme"]);
    for unknown in ["999999", "-1", "x", "99999999999999999999999"] {
        let mut listener = Listener::open(&server, "", &[("Last-Event-ID", unknown)], 200);
        listener.until("event: missed");
        assert_eq!(listener.events().len(), 1);
    }
    // Nothing is left out for who was here a moment ago.
    let mut listener = Listener::open(&server, "", &[("Last-Event-ID", &id(&listener))], 200);
    create("e");
    listener.until("e@acme");
    assert_eq!(listener.events().len(), 1);
}

#[test]
fn so_many_streams_one_may_have_and_a_place_is_given_back() {
    let server = Server::start();
    let mut listeners: Vec<_> = (0..16)
        .map(|_| Listener::open(&server, "", &[], 200))
        .collect();
    let mut refused = Listener::open(&server, "", &[], 429);
    refused.until("too-many-requests");
    listeners.pop();
    let begun = Instant::now();
    loop {
        let mut stream = TcpStream::connect(server.address).unwrap();
        let request = b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(request).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        if status.ends_with(b"200") {
            break;
        }
        assert!(begun.elapsed() < LONG, "no place is given back");
    }
}

#[test]
fn who_does_not_read_is_cut_and_others_are_told_all() {
    let patience = Patience {
        stall: Duration::from_millis(300),
        ..Patience::default()
    };
    let server = Server::start_with_patience(patience, |_| {});
    server.become_somebody(Some(countersign_admin::Authority::Platform));
    let mut store = server.store();
    let _alive = store.lock_broker("edge").unwrap();
    // So many leave room in a queue.
    const AT_ONCE: i64 = 200;
    let slow = Listener::open(&server, "", &[], 200);
    let mut quick = Listener::open(&server, "", &[], 200);
    let begun = Instant::now();
    let mut number = 0;
    let is_over = loop {
        // Sessions come and go, and fill all that lies between the two ends.
        let sessions = (number..number + AT_ONCE).map(|it| session(&server, it, "acme", None));
        let batch = Batch {
            observations: sessions.collect(),
            ..Batch::default()
        };
        store.write_batch("edge", &batch).unwrap();
        number += AT_ONCE;
        quick.until(&format!("client-acme-{}\"", number - 1));
        quick.text.clear();
        if server.app.events.streams() == 1 {
            break true;
        }
        if begun.elapsed() > LONG {
            break false;
        }
    };
    assert!(
        is_over,
        "a reader that does not read is kept after {number} sessions"
    );
    drop(slow);
}

#[test]
fn a_service_that_ends_ends_its_streams() {
    let server = Server::start();
    let listener = Listener::open(&server, "", &[], 200);
    let ended = std::thread::spawn(move || listener.end());
    let begun = Instant::now();
    drop(server);
    assert!(
        begun.elapsed() < Duration::from_secs(9),
        "it waited for its streams"
    );
    ended.join().unwrap();
}
