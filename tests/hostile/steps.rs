//! What clients do, drawn at random.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use countersign_testkit::Version;
use countersign_testkit::mqtt::{DISCONNECT, auth, subscribe};
use fastrand::Rng;

use crate::driver::{Driver, LAG, Published};
use crate::packets::{self, ConnectInfo, any_packet, mutate};
use crate::wire::Wire;
use crate::world::{BRIDGE, ClientIds, Id, KNOWN, Kind, STRANGER};

impl Driver {
    /// One step of some client.
    pub fn step(&mut self) {
        let crowded = self.sessions.len() > 40;
        match self.rng.u8(..100) {
            0..=17 if !crowded => self.log_in(),
            0..=17 => self.leave(),
            18..=24 => self.guess(),
            25..=31 => self.steal(),
            32..=35 => self.come_again(),
            36..=41 => self.bend_connect(),
            42..=43 => self.break_off(),
            44..=46 => self.bend_session(),
            47..=50 => self.leave(),
            51..=52 => self.come_without_anything(),
            53 => self.come_with_certificate(),
            54 => self.come_with_a_code(),
            55 => self.ask_over_http(),
            56..=70 => self.subscribe(),
            _ => self.publish(),
        }
    }

    fn log_in(&mut self) {
        let id = self.any_principal();
        let info = self.right_facts(id, None);
        let source = self.friendly();
        self.open(info, source, None);
    }

    /// A secret that is not right, or a right one in the wrong place.
    fn guess(&mut self) {
        let id = self.any_principal();
        let mut info = self.right_facts(id, None);
        let secret = info.password.clone().unwrap_or_default();
        let other = self.any_principal();
        match self.rng.u8(..9) {
            0 => info.password = Some(b"wrong".to_vec()),
            1 => info.password = Some(self.right_facts(other, None).password.unwrap_or_default()),
            2 => info.password = Some([secret.as_slice(), b"x"].concat()),
            3 => info.password = Some(secret[..secret.len() / 2].to_vec()),
            // What a user chose has no shape that could be told in a name.
            4 if !self.world.principals[id].slow => {
                info.username = Some(String::from_utf8_lossy(&secret).into_owned());
            }
            5 => info.password = None,
            6 => info.username = Some(format!("nobody{}@alpha", self.rng.u8(..))),
            7 => info.username = Some("stranger".to_owned()),
            _ => info.password = Some(vec![b'x'; self.rng.usize(..5_000)]),
        }
        self.world.principals[id].attacked += 1;
        let source = self.unfriendly();
        self.open(info, source, None);
    }

    /// A right login with another's live client id.
    fn steal(&mut self) {
        if self.sessions.is_empty() {
            return;
        }
        let victim = self.rng.usize(..self.sessions.len());
        let client_id = match self.rng.u8(..8) {
            0 => BRIDGE.to_owned(),
            _ => self.sessions[victim].info.client_id.clone(),
        };
        let id = self.any_principal();
        let info = self.right_facts(id, Some(client_id));
        let source = self.friendly();
        self.open(info, source, None);
    }

    /// The same login with the same client id once more.
    fn come_again(&mut self) {
        if self.sessions.is_empty() {
            return;
        }
        let index = self.rng.usize(..self.sessions.len());
        let mut info = self.sessions[index].info.clone();
        info.will = None;
        info.clean = self.rng.bool();
        let source = self.friendly();
        self.open(info, source, None);
    }

    fn come_without_anything(&mut self) {
        let info = ConnectInfo {
            level: self.any_level(),
            client_id: format!("anon-{}", self.rng.u8(..12)),
            clean: true,
            will: self.any_will(),
            ..ConnectInfo::default()
        };
        let source = self.friendly();
        self.open(info, source, None);
    }

    /// A certificate, and an id that nobody else uses: the broker itself lets it in.
    fn come_with_certificate(&mut self) {
        let name = if self.rng.bool() { KNOWN } else { STRANGER };
        // 2.0.11 damages its memory itself when it reloads beside a session that such
        // a client left (docs/SAFETY.md).
        let stored = self.rng.bool() && self.fixture.broker.version() != Version::V2_0_11;
        let info = ConnectInfo {
            level: self.any_level(),
            client_id: format!("{name}-{}", self.rng.u8(..4)),
            clean: !stored,
            stored,
            will: self.any_will(),
            ..ConnectInfo::default()
        };
        let port = self.fixture.broker.port_of(2);
        let Ok(wire) = Wire::tls(port, info.protocol(), &self.authority, name) else {
            return;
        };
        let bytes = info.bytes();
        self.connect(wire, Some(info), &bytes, PATIENCE, Some(name));
    }

    /// Enhanced authentication, by a user who has a second factor or has none.
    fn come_with_a_code(&mut self) {
        let users: Vec<Id> = (0..self.world.principals.len())
            .filter(|id| self.world.principals[*id].kind == Kind::User)
            .collect();
        let id = users[self.rng.usize(..users.len())];
        let mut info = self.right_facts(id, None);
        let user = &self.world.principals[id];
        let secret = user.secrets.newest().last().cloned().unwrap_or_default();
        let codes = user
            .authenticator
            .as_ref()
            .map(|it| [it.code(0), it.wrong_code()]);
        info.level = 5;
        info.password = Some(secret.into_bytes());
        info.method = Some(packets::TOTP.to_owned());
        info.code = codes.map(|codes| codes[self.rng.usize(..2)].clone());
        match self.rng.u8(..6) {
            0 => info.method = Some("PLAIN".to_owned()),
            1 => info.password = Some(b"wrong".to_vec()),
            _ => {}
        }
        let source = self.friendly();
        self.open(info, source, None);
    }

    /// A request to 2.1's `http_api`, with a login or without one.
    fn ask_over_http(&mut self) {
        if self.fixture.broker.version().is_2_0() {
            return;
        }
        let id = self.any_principal();
        let info = self.right_facts(id, None);
        let name = info.username.unwrap_or_default();
        let password = String::from_utf8_lossy(&info.password.unwrap_or_default()).into_owned();
        let login = match self.rng.u8(..3) {
            0 => String::new(),
            1 => format!(
                "Authorization: Basic {}\r\n",
                base64(&format!("{name}:wrong"))
            ),
            _ => format!(
                "Authorization: Basic {}\r\n",
                base64(&format!("{name}:{password}"))
            ),
        };
        let path = ["/api/v1/version", "/api/v1/systree", "/api/v1/listeners"][self.rng.usize(..3)];
        let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n{login}\r\n");
        let port = self.fixture.broker.port_of(3);
        let told = self.http.0.clone();
        std::thread::spawn(move || {
            let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
                return;
            };
            // A broker that is being restarted answers nothing.
            let _ = stream.set_read_timeout(Some(Duration::from_secs(3)));
            let _ = stream.write_all(request.as_bytes());
            let mut answer = [0; 64];
            let length = stream.read(&mut answer).unwrap_or(0);
            let first = String::from_utf8_lossy(&answer[..length]).into_owned();
            let _ = told.send(format!("{path}: {first}"));
        });
    }

    /// Nothing is told over HTTP: a thread that is not the broker's own is
    /// answered no.
    pub fn hear_http(&mut self) {
        while let Ok(answer) = self.http.1.try_recv() {
            self.count("asked over HTTP");
            let status = answer.split(' ').nth(2).unwrap_or_default();
            if status.starts_with('2') {
                self.fail("told something over HTTP", &answer);
            }
        }
    }

    fn bend_connect(&mut self) {
        let id = self.any_principal();
        let info = self.right_facts(id, None);
        let mut bytes = info.bytes();
        mutate(&mut bytes, &mut self.rng);
        let source = self.unfriendly();
        self.open(info, source, Some(bytes));
    }

    /// A CONNECT, or half of one, and nobody who waits for the answer.
    fn break_off(&mut self) {
        let id = self.any_principal();
        let info = self.right_facts(id, None);
        let bytes = info.bytes();
        let end = if self.rng.bool() {
            bytes.len()
        } else {
            self.rng.usize(..bytes.len())
        };
        let source = self.unfriendly();
        self.open(info, source, Some(bytes[..end].to_vec()));
        if let Some(attempt) = self.attempts.pop() {
            attempt.wire.reset_on_drop();
            self.abandon(&attempt);
        }
    }

    fn bend_session(&mut self) {
        if self.sessions.is_empty() {
            return;
        }
        let index = self.rng.usize(..self.sessions.len());
        let (filter, topic) = (
            self.world.filter(&mut self.rng),
            self.world.topic(&mut self.rng),
        );
        let session = &mut self.sessions[index];
        session.bent = true;
        let protocol = session.info.protocol();
        let mut bytes = match self.rng.u8(..5) {
            4 => auth(0x18, packets::TOTP, Some(b"123456")),
            0 => any_packet(&mut self.rng),
            1 => subscribe(protocol, session.id(), &[(&filter, 1)]),
            2 => packets::publish(session.id(), &topic, b"bent", 1, false, protocol),
            _ => session.info.bytes(),
        };
        mutate(&mut bytes, &mut self.rng);
        session.wire.send(&bytes);
    }

    fn leave(&mut self) {
        if self.sessions.is_empty() {
            return;
        }
        let index = self.rng.usize(..self.sessions.len());
        let mut session = self.sessions.swap_remove(index);
        let how = self.rng.u8(..3);
        self.event(format!("`{}` leaves, way {how}", session.info.client_id));
        match how {
            0 => session.wire.send(&DISCONNECT),
            1 => session.wire.reset_on_drop(),
            _ => {}
        }
        let (id, who) = (session.info.client_id.clone(), session.who.clone());
        self.let_go(id, who, session.certificate);
    }

    fn subscribe(&mut self) {
        if self.sessions.is_empty() {
            return;
        }
        let index = self.rng.usize(..self.sessions.len());
        let filter = self.world.filter(&mut self.rng);
        let qos = self.rng.u8(..3);
        let now = self.now();
        let session = &mut self.sessions[index];
        let id = session.id();
        let bytes = subscribe(session.info.protocol(), id, &[(&filter, qos)]);
        session.subscribing.insert(id, (filter.clone(), now));
        session.wire.send(&bytes);
        let who = session.info.client_id.clone();
        self.event(format!("SUBSCRIBE `{who}` to `{filter}` QoS {qos}"));
    }

    fn publish(&mut self) {
        if self.sessions.is_empty() {
            return;
        }
        let index = self.rng.usize(..self.sessions.len());
        let topic = self.world.topic(&mut self.rng);
        let qos = self.rng.u8(..3);
        let retain = self.rng.u8(..10) == 0;
        let (number, payload) = self.payload();
        let now = self.now();
        let session = &mut self.sessions[index];
        let id = session.id();
        let bytes = packets::publish(id, &topic, &payload, qos, retain, session.info.protocol());
        session.publishing.insert(id, (number, now));
        let published = Published {
            topic: topic.clone(),
            who: session.who.clone(),
            from: now,
            is_will: false,
        };
        session.wire.send(&bytes);
        let who = session.info.client_id.clone();
        self.published.insert(number, published);
        self.event(format!(
            "PUBLISH `{who}` on `{topic}` QoS {qos} retain {retain} {number}"
        ));
    }

    /// Connects by some transport and sends a CONNECT, bent if `bytes` are given.
    pub fn open(&mut self, info: ConnectInfo, source: Ipv4Addr, bytes: Option<Vec<u8>>) {
        let protocol = info.protocol();
        let wire = if self.rng.u8(..4) == 0 {
            let headers = odd_headers(&mut self.rng);
            Wire::websocket(self.fixture.broker.port_of(1), source, protocol, &headers)
        } else {
            Wire::tcp(self.fixture.broker.port(), source, protocol)
        };
        let wire = match wire {
            Ok(wire) => wire,
            Err(error) => {
                if !self.is_disturbed() {
                    self.fail("the broker takes no connection", &format!("{error:#}"));
                }
                return;
            }
        };
        match bytes {
            None => {
                let bytes = info.bytes();
                self.connect(wire, Some(info), &bytes, PATIENCE, None);
            }
            Some(bytes) => {
                let read = ConnectInfo::read(&bytes);
                // What a broker takes for another level answers in its words.
                let told = read.as_ref().is_none_or(|read| read.protocol() == protocol);
                if told {
                    self.connect(wire, read, &bytes, LAG, None);
                }
            }
        }
    }

    /// What this principal presents when it does all right.
    pub fn right_facts(&mut self, id: Id, client_id: Option<String>) -> ConnectInfo {
        let level = self.any_level();
        let will = self.any_will();
        let number = self.rng.u8(..6);
        let principal = &self.world.principals[id];
        let secret = principal
            .secrets
            .newest()
            .last()
            .cloned()
            .unwrap_or_default();
        let password = match &principal.authenticator {
            Some(authenticator) => format!("{secret}{}", authenticator.code(0)),
            None => secret.clone(),
        };
        let own = match &principal.client_ids {
            ClientIds::Any if principal.tenant == Some("gamma") => format!("ga-{id}-{number}"),
            ClientIds::Any => format!("c-{id}-{number}"),
            ClientIds::Exact(own) => own.clone(),
            ClientIds::Secret => secret.clone(),
            ClientIds::FirstUse(_) => format!("truck-{id}"),
        };
        let username = match (&principal.username, principal.kind) {
            (Some(name), _) => Some(name.clone()),
            (None, Kind::Token) => Some("jwt".to_owned()),
            (None, _) => Some(secret),
        };
        let clean = self.rng.u8(..3) > 0;
        ConnectInfo {
            level,
            client_id: client_id.unwrap_or(own),
            username,
            password: Some(password.into_bytes()),
            clean,
            will,
            stored: self.rng.bool(),
            ..ConnectInfo::default()
        }
    }

    fn any_principal(&mut self) -> Id {
        self.rng.usize(..self.world.principals.len())
    }

    fn any_level(&mut self) -> u8 {
        [3, 4, 4, 5, 5][self.rng.usize(..5)]
    }

    fn any_will(&mut self) -> Option<(String, Vec<u8>)> {
        if self.rng.u8(..4) > 0 {
            return None;
        }
        let topic = self.world.topic(&mut self.rng);
        Some((topic, self.payload().1))
    }
}

fn odd_headers(rng: &mut Rng) -> Vec<(String, Vec<u8>)> {
    let address: &[u8] = match rng.u8(..8) {
        0 => b"\xff\xfe\x80",
        1 => b"",
        2 => b"10.0.0.1, 127.0.0.1",
        3 => b"::1",
        4 => b"<script>",
        5 => &[b'9'; 3_000],
        6 => b"127.0.0.1",
        _ => return Vec::new(),
    };
    vec![("X-Forwarded-For".to_owned(), address.to_vec())]
}

/// RFC 4648 §4.
fn base64(text: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for part in text.as_bytes().chunks(3) {
        let mut bits = 0_u32;
        for at in 0..3 {
            bits = bits << 8 | u32::from(part.get(at).copied().unwrap_or(0));
        }
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            out.push(if at > part.len() {
                '='
            } else {
                char::from(digit)
            });
        }
    }
    out
}

/// So long a CONNECT is waited for.
const PATIENCE: u64 = 8_000;
