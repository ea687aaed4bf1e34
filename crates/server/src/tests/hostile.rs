//! Requests of no good will: each is refused or hung up on, and none changes anything.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use countersign_core::name::TenantId;
use countersign_core::store::{ExportPart, ExportScope, StoreError, TableRow};
use serde_json::json;

use crate::door::Door;
use crate::fixture::Server;
use crate::patience::Patience;

const REQUESTS: u64 = 10_000;
const THREADS: u64 = 16;

/// What would change something, if it were read as a request of its own.
const HIDDEN: &str = "DELETE /api/v1/tenants/acme?cascade=true HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Numbers that look random and are the same for each seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33).checked_rem(end).unwrap()
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.count(0, of.len() as u64)]
    }

    /// So many at least, and fewer than `more` more.
    fn count(&mut self, least: usize, more: u64) -> usize {
        let more = usize::try_from(self.below(more)).unwrap();
        least.saturating_add(more)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count)
            .map(|_| u8::try_from(self.below(256)).unwrap())
            .collect()
    }
}

/// A request from an address of its own, so that none is turned away for their number.
fn request(line: &str, headers: &str, body: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let [a, b, c] = [(); 3].map(|()| numbers.below(256));
    let mut bytes =
        format!("{line}\r\nHost: localhost\r\nX-Forwarded-For: 10.{a}.{b}.{c}\r\n{headers}\r\n")
            .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// One with a body that says how long it is.
fn with_body(line: &str, kind: &str, body: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let headers = format!(
        "Connection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n",
        body.len()
    );
    request(line, &headers, body, numbers)
}

const JSON: &str = "application/json";
const NEW: &str = "POST /api/v1/tenants HTTP/1.1";
const GOOD: &[u8] = br#"{"id":"taken-in"}"#;

type Shape = fn(&mut Numbers) -> Vec<u8>;

/// Each kind of hostility, by name.
const SHAPES: [(&str, Shape); 16] = [
    ("two lengths", two_lengths),
    ("odd length", odd_length),
    ("odd coding", odd_coding),
    ("broken chunks", broken_chunks),
    ("broken headers", broken_headers),
    ("many headers", many_headers),
    ("bad utf-8", bad_utf8),
    ("deep json", deep_json),
    ("odd json", odd_json),
    ("wrong kind", wrong_kind),
    ("odd method", odd_method),
    ("odd path", odd_path),
    ("odd query", odd_query),
    ("odd door", odd_door),
    ("not meant for us", not_ours),
    ("other door", other_door),
];

fn two_lengths(numbers: &mut Numbers) -> Vec<u8> {
    let length = HIDDEN.len().saturating_add(5);
    let both = match numbers.below(4) {
        0 => format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"),
        1 => format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n"),
        2 => format!("Content-Length: 5\r\nContent-Length: {length}\r\n"),
        _ => format!("Content-Length: 5, {length}\r\n"),
    };
    let headers = format!("Content-Type: {JSON}\r\n{both}");
    let body = format!("0\r\n\r\n{HIDDEN}");
    request(NEW, &headers, body.as_bytes(), numbers)
}

fn odd_length(numbers: &mut Numbers) -> Vec<u8> {
    let length = numbers.one(&[
        "+17",
        "-1",
        "0x11",
        "1 7",
        "17abc",
        "",
        "99999999999999999999",
        "18446744073709551616",
        "1e2",
        "\u{664}",
        "17.0",
    ]);
    let headers = format!("Content-Type: {JSON}\r\nContent-Length: {length}\r\n");
    request(NEW, &headers, GOOD, numbers)
}

fn odd_coding(numbers: &mut Numbers) -> Vec<u8> {
    let coding = numbers.one(&[
        "identity",
        "xchunked",
        "chunked, identity",
        "gzip",
        "chunked;q=1, gzip",
        "\x0bchunked",
        "\"chunked\"",
        "",
        "chunked\r\nTransfer-Encoding: identity",
    ]);
    let version = numbers.one(&["HTTP/1.1", "HTTP/1.0"]);
    let line = format!("POST /api/v1/tenants {version}");
    let headers = format!("Content-Type: {JSON}\r\nTransfer-Encoding: {coding}\r\n");
    let body = format!("0\r\n\r\n{HIDDEN}");
    request(&line, &headers, body.as_bytes(), numbers)
}

fn broken_chunks(numbers: &mut Numbers) -> Vec<u8> {
    let headers = format!("Content-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n");
    let size = numbers.one(&[
        "zz",
        "-5",
        "0x5",
        "ffffffffffffffff",
        "fffffffffffffffff",
        "5 5",
        "",
        ";",
        "5\n",
    ]);
    let body = match numbers.below(3) {
        0 => format!("{size}\r\nhello\r\n0\r\n\r\n"),
        1 => format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(20_000)),
        _ => format!("5\r\nhelloXX0\r\n\r\n{HIDDEN}"),
    };
    request(NEW, &headers, body.as_bytes(), numbers)
}

fn broken_headers(numbers: &mut Numbers) -> Vec<u8> {
    let header = numbers.one(&[
        "no colon here",
        "Content-Length : 17",
        " folded: 1",
        "X: a\r\n b",
        "X: a\0b",
        "X: a\rb",
        ": empty",
        "X Y: 1",
        "X\u{e9}: 1",
        "Host: localhost",
        "Host:",
        "\tX: 1",
        "X(: 1",
    ]);
    let headers = format!("{header}\r\nContent-Type: {JSON}\r\nContent-Length: 0\r\n");
    request(
        NEW,
        &format!("{headers}Connection: close\r\n"),
        b"",
        numbers,
    )
}

fn many_headers(numbers: &mut Numbers) -> Vec<u8> {
    let headers = match numbers.below(3) {
        0 => "A: b\r\n".repeat(numbers.count(70, 2_000)),
        1 => format!("A: {}\r\n", "b".repeat(numbers.count(70_000, 100_000))),
        _ => format!("{}: b\r\n", "A".repeat(70_000)),
    };
    request(NEW, &headers, b"", numbers)
}

fn bad_utf8(numbers: &mut Numbers) -> Vec<u8> {
    let wrong: [&[u8]; 5] = [
        b"\xff",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf5\x80\x80\x80",
        b"\xe2\x82",
    ];
    let wrong = wrong[numbers.count(0, 5)];
    match numbers.below(3) {
        0 => {
            let body = [br#"{"id":""#, wrong, br#""}"#].concat();
            with_body(NEW, JSON, &body, numbers)
        }
        1 => {
            let rest = b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            [b"DELETE /api/v1/tenants/acme", wrong, rest].concat()
        }
        _ => {
            let escaped: String = wrong.iter().map(|byte| format!("%{byte:02x}")).collect();
            let line = numbers.one(&["tenants/acme", "settings?x="]);
            let line = format!("DELETE /api/v1/{line}{escaped} HTTP/1.1");
            request(&line, "Connection: close\r\n", b"", numbers)
        }
    }
}

fn deep_json(numbers: &mut Numbers) -> Vec<u8> {
    let depth = numbers.count(200, 20_000);
    let body = match numbers.below(4) {
        0 => "[".repeat(depth),
        1 => r#"{"id":"#.repeat(depth),
        2 => format!(r#"{{"id":{}1{}}}"#, "[".repeat(depth), "]".repeat(depth)),
        _ => format!(
            r#"{{"x":{}{}}}"#,
            "{\"x\":".repeat(depth),
            "}".repeat(depth)
        ),
    };
    with_body(NEW, JSON, body.as_bytes(), numbers)
}

fn odd_json(numbers: &mut Numbers) -> Vec<u8> {
    let body = numbers.one(&[
        r#"{"id":"taken-in","id":"taken-in"}"#,
        r#"{"id":"taken-in","__proto__":{}}"#,
        r#"{"id":"taken-in"} {"id":"taken-in"}"#,
        r#"{"id":"taken-in"}x"#,
        r#"{"id":"taken-in",}"#,
        r#"{'id':'taken-in'}"#,
        r#"{"id":"\ud800"}"#,
        r#"{"id":"a\u0000b"}"#,
        r#"{"id":"../acme"}"#,
        r#"{"id":1e999}"#,
        r#"{"id":{"$ne":null}}"#,
        r#"{"ID":"taken-in"}"#,
        r#"["taken-in"]"#,
        r#""taken-in""#,
        "null",
        "NaN",
        "",
        "\u{feff}{\"id\":\"taken-in\"}",
        r#"{"id":"acme' OR 1=1 --"}"#,
        r#"{"id":"acme"}"#,
    ]);
    with_body(NEW, JSON, body.as_bytes(), numbers)
}

fn wrong_kind(numbers: &mut Numbers) -> Vec<u8> {
    let kind = numbers.one(&[
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json, text/plain",
        "application/jsonp",
        "application/json\r\nContent-Type: application/json",
        "",
        "*/*",
    ]);
    with_body(NEW, kind, GOOD, numbers)
}

fn odd_method(numbers: &mut Numbers) -> Vec<u8> {
    let method = numbers.one(&[
        "delete",
        "DELETE\t",
        "TRACE",
        "OPTIONS",
        "CONNECT",
        "PROPFIND",
        "PUT",
        "FOO",
        "",
        "PRI",
        "D\u{c9}LETE",
        "POST",
    ]);
    let line = format!("{method} /api/v1/tenants/acme HTTP/1.1");
    request(
        &line,
        "Connection: close\r\nContent-Length: 0\r\n",
        b"",
        numbers,
    )
}

fn odd_path(numbers: &mut Numbers) -> Vec<u8> {
    let path = numbers.one(&[
        "/api/v1/../v1/tenants/acme",
        "/api/v1/tenants/%2e%2e",
        "//api/v1/tenants/acme",
        "/api/v1/tenants/acme/",
        "/api/v1/tenants/acme%00",
        "/api/v1/tenants/..%2facme",
        "/api/v1/tenants/acme%zz",
        "/api/v1/tenants/acme;x=1",
        "/API/v1/tenants/acme",
        "/api/v1/tenants//acme",
        "/api/v1/tenants/%",
        "/api/v1/tenants/ACME",
        "*",
        "",
        "api/v1/tenants/acme",
        "/%61pi/v1/tenants/acme",
        "/api/v1/tenants/acme /x",
        "/api\\v1\\tenants\\acme",
        "/etc/passwd",
        "/.git/config",
    ]);
    let long = numbers.below(8) == 0;
    let path = if long {
        format!(
            "/api/v1/tenants/{}",
            "%61".repeat(numbers.count(100, 20_000))
        )
    } else {
        path.to_owned()
    };
    request(
        &format!("DELETE {path} HTTP/1.1"),
        "Connection: close\r\n",
        b"",
        numbers,
    )
}

fn odd_query(numbers: &mut Numbers) -> Vec<u8> {
    let query = numbers.one(&[
        "cascade=true&cascade=true",
        "cascade=yes",
        "cascade=TRUE",
        "cascade=true&x",
        "x=1",
        "cascade=%ff",
        "cascade=true%00",
        "cascade[]=true",
        "cascade=true&cascade=false",
        "%63ascade=1",
        "cascade",
        "=true",
    ]);
    let line = format!("DELETE /api/v1/tenants/acme?{query} HTTP/1.1");
    request(&line, "Connection: close\r\n", b"", numbers)
}

fn odd_door(numbers: &mut Numbers) -> Vec<u8> {
    let id = numbers.one(&[
        "0",
        "-1",
        "1%00",
        "01",
        "99999999999999999999",
        "dev1@acme",
        "%2e%2e",
        "1;x=1",
    ]);
    let (line, bodies): (String, &[&str]) = match numbers.below(5) {
        0 => (
            "POST /ccm/api/v1/basic-credentials".into(),
            &[
                "{}",
                r#"{"username":1}"#,
                r#"{"username":"x","password":{"$ne":""}}"#,
                r#"{"username":"x","username":"y"}"#,
                r#"{"username":"x","tenant":"acme"}"#,
                r#"{"username":"a\u0000b"}"#,
                r#"["x"]"#,
                "null",
            ],
        ),
        1 => (
            format!("PUT /ccm/api/v1/basic-credentials/{id}/state"),
            &[r#"{"state":"Revoked"}"#, r#"{"state":"revoked"}"#, "[]"],
        ),
        2 => (
            "PUT /ccm/api/v1/tenant-settings".into(),
            &[
                "{}",
                r#"{"basicAuthEnabled":0}"#,
                r#"{"basicAuthEnabled":"false"}"#,
                r#"{"basicAuthEnabled":false,"basicAuthEnabled":false}"#,
                r#"{"basicAuthEnabled":false,"id":"acme"}"#,
                r#"[false]"#,
            ],
        ),
        3 => (
            "POST /connectivity/auths".into(),
            &[
                "{}",
                r#"{"description":null}"#,
                r#"{"description":"\u001b[2J"}"#,
                r#"{"description":"x","scheme":"basic"}"#,
            ],
        ),
        _ => (format!("DELETE /connectivity/auths/{id}"), &["", "{}"]),
    };
    let line = format!("{line} HTTP/1.1");
    with_body(&line, JSON, numbers.one(bodies).as_bytes(), numbers)
}

fn not_ours(numbers: &mut Numbers) -> Vec<u8> {
    let head = numbers.one(&[
        "DELETE /api/v1/tenants/acme HTTP/1.1\r\n",
        "DELETE /api/v1/tenants/acme HTTP/1.1\r\nHost: evil.example\r\n",
        "DELETE /api/v1/tenants/acme HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n",
        "DELETE http://evil.example/api/v1/tenants/acme HTTP/1.1\r\nHost: localhost\r\n",
        "DELETE /api/v1/tenants/acme HTTP/1.1\r\nHost: localhost@evil.example\r\n",
        "DELETE /api/v1/tenants/acme HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n",
        "DELETE /api/v1/tenants/acme HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost.evil\r\n",
        "DELETE /api/v1/tenants/acme HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n",
        "DELETE /api/v1/tenants/acme HTTP/2.0\r\nHost: localhost\r\n",
        "DELETE /api/v1/tenants/acme HTTP/9.9\r\nHost: localhost\r\n",
        "DELETE /api/v1/tenants/acme\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n",
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03",
    ]);
    if numbers.below(4) == 0 {
        let count = numbers.count(1, 400);
        return [numbers.bytes(count), b"\r\n\r\n".to_vec()].concat();
    }
    format!("{head}Connection: close\r\n\r\n").into_bytes()
}

fn other_door(numbers: &mut Numbers) -> Vec<u8> {
    const MAKE: &str = "PUT /m2m/token/mqtt HTTP/1.1";
    const GIVE: &str = "POST /api HTTP/1.1";
    match numbers.below(5) {
        0 => {
            let body = numbers.one(&[
                r#"{"groupName":"ACME","username":"a","username":"b"}"#,
                r#"{"groupName":"ACME","username":{"$ne":null}}"#,
                r#"{"groupName":"ACME","username":"a","tenant":"other"}"#,
                r#"{"groupName":"ACME","username":"a","secret":"abcde","password":"abcde"}"#,
                r#"{"groupName":"../ACME","username":"a"}"#,
                r#"{"groupName":"ACME\u0000","username":"a"}"#,
                r#"{"groupName":"ACME.","username":"a"}"#,
                r#"{"groupName":"NOPE","username":"a"}"#,
                r#"{"groupName":"ACME","username":"a\u0000b"}"#,
                r#"{"groupName":"ACME","username":"a","secret":"abc\u0000def"}"#,
                r#"{"groupName":"ACME","username":"a/+/#"}"#,
                r#"{"groupName":"ACME"}"#,
                r#"["ACME","a"]"#,
                "",
            ]);
            with_body(MAKE, JSON, body.as_bytes(), numbers)
        }
        1 => {
            let query = numbers.one(&[
                "",
                "groupName=",
                "token=&groupName=",
                "groupName=ACME&groupName=ACME",
                "groupName=ACME&x=1",
                "groupName=ACME&after=a",
                "groupName=%ff",
                "groupName=ACME%00",
                "groupName=..",
                "groupName=*",
                "groupName[]=ACME",
                "GROUPNAME=ACME",
            ]);
            let path = numbers.one(&["/m2m/token", "/m2m/token/mqtt"]);
            let line = format!("DELETE {path}?{query} HTTP/1.1");
            request(&line, "Connection: close\r\n", b"", numbers)
        }
        2 => {
            let depth = numbers.count(200, 5_000);
            let deep = format!(r#"{{"1":{}"#, "[".repeat(depth));
            let body = numbers.one(&[
                &deep,
                r#"{"auth":[]}"#,
                r#"{"auth":"a"}"#,
                r#"{"auth":{},"auth":{}}"#,
                r#"[{"auth":{}}]"#,
                "null",
                "{",
                "",
            ]);
            with_body(GIVE, JSON, body.as_bytes(), numbers)
        }
        3 => {
            let line = numbers.one(&[MAKE, GIVE]);
            let kind = numbers.one(&["text/plain", "application/x-www-form-urlencoded", ""]);
            with_body(line, kind, b"groupName=ACME&username=a", numbers)
        }
        _ => {
            let line = numbers.one(&[
                "POST /m2m/token/mqtt HTTP/1.1",
                "PUT /m2m/token HTTP/1.1",
                "DELETE /m2m/token/mqtt/acme HTTP/1.1",
                "DELETE /m2m/token/../token?groupName=ACME HTTP/1.1",
                "GET /api HTTP/1.1",
                "POST /api/ HTTP/1.1",
                "PUT /api HTTP/1.1",
            ]);
            with_body(line, JSON, b"{}", numbers)
        }
    }
}

/// The status of each answer that comes until the other end closes.
fn statuses(server: &Server, request: &[u8]) -> Vec<u16> {
    let mut stream = TcpStream::connect(server.address).unwrap();
    let long = Some(Duration::from_secs(60));
    stream.set_read_timeout(long).unwrap();
    stream.set_write_timeout(long).unwrap();
    // The service may close before it has heard all, and then what it said may be lost.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    let is_late = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
    assert!(!read.as_ref().is_err_and(is_late), "never closed");
    let _ = stream.shutdown(Shutdown::Both);
    let text = String::from_utf8_lossy(&bytes);
    let answers = text.split("HTTP/1.").skip(1);
    let statuses = answers.map(|it| it.split(' ').nth(1).unwrap().parse().unwrap());
    statuses.collect()
}

fn exported(server: &Server) -> Vec<TableRow> {
    let mut store = server.store();
    let scope = ExportScope {
        tenant: None,
        with_sealed: false,
    };
    let mut rows = Vec::new();
    let read = store.export::<StoreError>(&scope, |part| {
        if let ExportPart::Row(row) = part {
            rows.push(row);
        }
        Ok(())
    });
    read.unwrap();
    rows
}

#[test]
fn ten_thousand_hostile_requests_are_refused_and_change_nothing() {
    let soon = Duration::from_millis(500);
    let patience = Patience {
        headers: soon,
        body: soon,
        ..Patience::default()
    };
    let server = Server::start_with_patience(patience, |options| {
        options.trusted_proxies.push("127.0.0.1".parse().unwrap());
        options.doors = Door::all(&TenantId::parse("acme").unwrap());
    });
    // Each counts as sent by one who may do everything.
    server.become_somebody(Some(countersign_admin::Authority::Platform));
    server
        .post("/api/v1/tenants", json!({ "id": "acme" }))
        .with(201);
    let device = json!({ "name": "dev1", "tenant": "acme" });
    server.post("/api/v1/credentials", device).with(201);
    let before = exported(&server);
    assert!(before.len() >= 2);

    let next = AtomicU64::new(0);
    let ask = || {
        let mut answers: BTreeMap<&str, u64> = BTreeMap::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= REQUESTS {
                return answers;
            }
            let mut numbers = Numbers(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            numbers.below(1);
            let (name, shape) = SHAPES[usize::try_from(number).unwrap() % SHAPES.len()];
            let request = shape(&mut numbers);
            let answered = statuses(&server, &request);
            let is_refused = answered.iter().all(|status| (400..500).contains(status));
            let shown = String::from_utf8_lossy(&request[..request.len().min(400)]);
            assert!(is_refused, "{name} {number}: {answered:?} to {shown}");
            *answers.entry(name).or_default() += answered.len() as u64;
        }
    };
    let mut answers: BTreeMap<&str, u64> = BTreeMap::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(ask)).collect();
        for thread in threads {
            for (name, count) in thread.join().unwrap() {
                *answers.entry(name).or_default() += count;
            }
        }
    });
    // They were heard: most of each kind have an answer.
    let each = REQUESTS / SHAPES.len() as u64;
    for (name, _) in SHAPES {
        let count = answers.get(name).copied().unwrap_or_default();
        assert!(count > each / 4, "{name}: {count} of {each}");
    }
    server.get("/api/v1/tenants/acme").with(200);
    let is_same = exported(&server) == before;
    assert!(is_same, "something was changed");
}
