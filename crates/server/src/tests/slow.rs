//! Clients that are slow, and a service that waits for them no longer than it must.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::fixture::{Reply, Server};
use crate::patience::Patience;

/// Nothing here takes so long unless it never ends.
const LONG: Duration = Duration::from_secs(60);

/// A service that waits for a moment alone.
fn impatient() -> Server {
    let moment = Duration::from_millis(200);
    let patience = Patience {
        greeting: moment,
        headers: moment,
        body: moment,
        stall: moment,
    };
    Server::start_with_patience(patience, |_| {})
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.set_write_timeout(Some(LONG)).unwrap();
    stream
}

/// What came back once the other end has closed, which it must.
fn read_to_end(mut stream: TcpStream) -> Option<Reply> {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    Reply::parse(&bytes)
}

/// Sends `begin`, and then one byte after the other until the other end closes.
fn dribble(server: &Server, begin: &str) -> Option<Reply> {
    let mut stream = connect(server);
    stream.write_all(begin.as_bytes()).unwrap();
    let reader = stream.try_clone().unwrap();
    let reader = std::thread::spawn(move || read_to_end(reader));
    let begun = Instant::now();
    while !reader.is_finished() {
        assert!(begun.elapsed() < LONG, "a slow client is never cut");
        let _ = stream.write_all(b" ");
        std::thread::sleep(Duration::from_millis(20));
    }
    reader.join().unwrap()
}

#[test]
fn who_sends_headers_or_a_body_byte_by_byte_or_nothing_is_cut() {
    let server = impatient();
    let silent = connect(&server);
    let headers = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow:";
    assert!(dribble(&server, headers).is_none());
    let body = "POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\n\
                Content-Type: application/json\r\nContent-Length: 10000\r\n\r\n";
    let cut = dribble(&server, body).unwrap().with(422).is("invalid");
    assert_eq!(cut.body["detail"], "the body came too slowly");
    assert!(read_to_end(silent).is_none());
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // One that stays after its answer, with nothing more to ask.
    server.send(request).unwrap().with(200);
}

#[test]
fn who_takes_no_answers_is_cut() {
    let server = impatient();
    let mut stream = connect(&server);
    let request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut asked = 0;
    let error = loop {
        match stream.write_all(request) {
            // All that lies between the two ends is full long before.
            Ok(()) => asked += 1,
            Err(error) => break error,
        }
        assert!(asked < 1_000_000, "it is heard for ever");
    };
    let is_closed = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset].contains(&error.kind());
    assert!(is_closed, "{error}");
}
