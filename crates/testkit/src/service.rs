//! The service as a process of its own, and requests to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::Cli;
use crate::tools::{Background, Output, POLL, Tool};

/// A service on a store.
#[derive(Debug)]
pub struct Service {
    /// Where it listens.
    pub address: SocketAddr,
    process: Background,
}

/// Events, as the service tells them.
#[derive(Debug)]
pub struct Events {
    stream: BufReader<TcpStream>,
    /// Those that nobody waited for yet.
    told: Vec<(String, Value)>,
}

impl Events {
    /// Waits for an event of this kind that is as it should be, and takes it out of those
    /// that were told.
    pub fn until(&mut self, kind: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let mut told = self.told.iter();
            if let Some(place) = told.position(|(it, data)| it == kind && is_meant(data)) {
                return self.told.remove(place).1;
            }
            let kind = self.line(begun, |line| line.starts_with("event: "));
            let data = self.line(begun, |line| line.starts_with("data: "));
            let data = serde_json::from_str(data.trim_start_matches("data: ")).unwrap();
            let kind = kind.trim_start_matches("event: ").to_owned();
            self.told.push((kind, data));
        }
    }

    fn line(&mut self, begun: Instant, is_meant: impl Fn(&str) -> bool) -> String {
        loop {
            let mut line = String::new();
            let count = self.stream.read_line(&mut line).unwrap();
            assert_ne!(count, 0, "the events ended");
            let line = line.trim_end();
            if is_meant(line) {
                return line.to_owned();
            }
            // Something comes now and then, whether anything happens or not.
            assert!(
                begun.elapsed() < PATIENCE,
                "in vain; told were {:?}",
                self.told
            );
        }
    }
}

impl Service {
    /// Starts it on a port that is free, with more options, and waits until it listens.
    pub fn start(cli: &Cli, options: &[&str]) -> Result<Self> {
        let serve = ["serve", "--listen", "127.0.0.1:0"];
        Self::of(cli.tool(&[&serve[..], options].concat()))
    }

    /// Starts it so that it trusts these authorities (PEM) and no others.
    pub fn start_trusting(cli: &Cli, file: &str) -> Result<Self> {
        let serve = cli.tool(&["serve", "--listen", "127.0.0.1:0"]);
        Self::of(serve.env("SSL_CERT_FILE", file))
    }

    fn of(serve: Tool) -> Result<Self> {
        let process = serve.background()?;
        let end = Instant::now() + PATIENCE;
        loop {
            let log = process.stderr();
            // Its hooks' gates may have said something before.
            let mut lines = log.split_inclusive('\n').filter(|it| it.ends_with('\n'));
            let said = lines.find_map(|it| it.split_once("listening on http://"));
            if let Some((_, address)) = said {
                let address = address.trim().parse()?;
                return Ok(Self { address, process });
            }
            ensure!(Instant::now() < end, "the service does not listen: {log}");
            thread::sleep(POLL);
        }
    }

    /// What lets the first administrator be made, where the store had no user.
    pub fn first_code(&self) -> Result<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let told = self.process.stderr();
            let line = told.split_inclusive('\n').filter(|it| it.ends_with('\n'));
            let mut codes = line.filter_map(|it| it.strip_prefix("first administrator: "));
            if let Some(code) = codes.next() {
                return Ok(code.trim().to_owned());
            }
            ensure!(Instant::now() < end, "it prints no code: {told}");
            thread::sleep(POLL);
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Sends a request with an API token, and returns status and document of the answer.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let shown = token.map(|token| format!("Bearer {token}"));
        self.ask_showing(method, path, shown.as_deref(), body)
    }

    /// Sends a request with this `Authorization`, and returns the same.
    pub fn ask_showing(
        &self,
        method: &str,
        path: &str,
        shown: Option<&str>,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let (status, body) = self.send(method, path, shown, body).unwrap();
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// The text at a path, which is told to who has this API token.
    pub fn text(&self, path: &str, token: &str) -> String {
        let shown = format!("Bearer {token}");
        let (status, text) = self.send("GET", path, Some(&shown), None).unwrap();
        assert_eq!(status, 200, "{text}");
        text
    }

    /// Sends a request over a connection of its own, and returns status and body of the
    /// answer.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        shown: Option<&str>,
        body: Option<&Value>,
    ) -> Result<(u16, String)> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        if let Some(shown) = shown {
            request += &format!("Authorization: {shown}\r\n");
        }
        if !body.is_empty() {
            request += "Content-Type: application/json\r\n";
        }
        let length = body.len();
        request += &format!("Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no head came")?;
        let status = head.split(' ').nth(1).context("no status came")?;
        Ok((status.parse()?, body.to_owned()))
    }

    /// Has a shell run a line with `curl` whose address is meant to be that of the
    /// service, and returns status and document of the answer.
    pub fn curl(&self, line: &str, address: &str) -> (u16, Value) {
        let line = line.replacen("curl ", CURL, 1);
        let line = line.replace(address, &self.address.to_string());
        let shell = Tool::new("sh").args(["-euc", &line]);
        let ran = shell.run(PATIENCE).unwrap();
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let (body, status) = ran.stdout.rsplit_once('\n').unwrap();
        let body = serde_json::from_str(body).unwrap_or(Value::Null);
        (status.parse().unwrap(), body)
    }

    /// Begins to listen to events with an API token.
    pub fn events(&self, token: &str) -> Events {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = "GET /api/v1/events HTTP/1.1";
        let address = self.address;
        let request = format!("{head}\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let (stream, told) = (BufReader::new(stream), Vec::new());
        let mut events = Events { stream, told };
        let begun = Instant::now();
        events.line(begun, |line| line.starts_with("HTTP/1.1 200 "));
        events.line(begun, |line| line.starts_with("retry: "));
        events
    }

    /// The head of the answer to a request for a path.
    pub fn curl_head(&self, path: &str) -> String {
        let address = format!("http://{}{path}", self.address);
        let curl = Tool::new("curl").args(["-sS", "--noproxy", "*", "-D", "-", "-o", "/dev/null"]);
        curl.args([address]).run(PATIENCE).unwrap().stdout
    }

    /// Sends a request with an API token, and kills the service in the midst of it, after
    /// so long.
    pub fn kill_in_the_midst(self, path: &str, token: &str, body: &Value, after: Duration) {
        let (address, body) = (self.address, body.to_string());
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}");
        let head =
            format!("{head}\r\nContent-Type: application/json\r\nAuthorization: Bearer {token}");
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .write_all(format!("{head}\r\n\r\n{body}").as_bytes())
            .unwrap();
        thread::sleep(after);
        self.process.kill().unwrap();
    }

    /// Asks it to end by SIGTERM, and waits for that.
    pub fn end(self) -> Output {
        let pid = i32::try_from(self.process.pid()).unwrap();
        // SAFETY: it takes two numbers; the process is a child that nobody waited for.
        let done = unsafe { libc::kill(pid, libc::SIGTERM) };
        assert_eq!(done, 0);
        self.process.wait(PATIENCE).unwrap()
    }
}

/// Nothing of a service takes so long unless it never comes.
const PATIENCE: Duration = Duration::from_secs(20);

const CURL: &str = "curl -sS --noproxy '*' -w '\\n%{http_code}' ";
