//! The service as a process: what it starts on, what systemd and signals tell it. What
//! it answers is tested in its crate.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::Fixture;

const LONGEST: Duration = Duration::from_secs(60);

/// The service, which is killed with the test.
pub(crate) struct Service {
    child: Child,
    log: PathBuf,
}

impl Service {
    pub(crate) fn start(fixture: &Fixture, command: &mut Command) -> Self {
        let log = fixture.directory.path().join("log");
        let child = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
        Self { child, log }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Waits for a line of the log, and returns what follows these words in it.
    pub(crate) fn wait_for(&mut self, words: &str) -> String {
        let begun = Instant::now();
        loop {
            let log = self.log();
            let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
            let mut lines = whole.lines();
            if let Some(said) = lines.find_map(|line| Some(line.split_once(words)?.1)) {
                return said.to_owned();
            }
            assert!(self.child.try_wait().unwrap().is_none(), "it ended: {log}");
            assert!(begun.elapsed() < LONGEST, "no `{words}`: {log}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn tell(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// The code with which it ends, once it is asked to.
    pub(crate) fn end(mut self, signal: Signal) -> Option<i32> {
        self.tell(signal);
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(begun.elapsed() < LONGEST, "it never ends: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(fixture: &Fixture, line: &str) -> Command {
    let mut command = fixture.command();
    command.args(line.split_whitespace());
    command
}

/// What the service answers to a request for whether it is ready.
fn ready(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONGEST)).unwrap();
    let request = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A certificate for `localhost` that is signed by itself, and its key.
fn make_certificate(folder: &Path, name: &str) -> [PathBuf; 2] {
    let [certificate, key] = ["crt", "key"].map(|end| folder.join(name).with_extension(end));
    let made = Command::new("openssl")
        .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes".split(' '))
        .args("-subj /CN=localhost -addext subjectAltName=DNS:localhost -days 2".split(' '))
        .arg("-out")
        .arg(&certificate)
        .arg("-keyout")
        .arg(&key)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    [certificate, key]
}

/// Says whether curl, which believes this certificate alone, finds the service ready.
fn is_trusted(address: SocketAddr, certificate: &Path) -> bool {
    let asked = Command::new("curl")
        .args(["-sS", "--noproxy", "*", "--max-time", "60", "--cacert"])
        .arg(certificate)
        .arg(format!("https://localhost:{}/readyz", address.port()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&asked.stdout);
    // 60 is what curl says of a certificate that it does not know.
    assert!(
        [Some(0), Some(60)].contains(&asked.status.code()),
        "{asked:?}"
    );
    assert_eq!(asked.status.success(), said == "ok\n", "{asked:?}");
    asked.status.success()
}

#[test]
fn where_others_reach_it_there_is_tls_or_it_does_not_start() {
    let fixture = Fixture::new();
    for address in ["0.0.0.0:0", "[::]:0", "[::ffff:0.0.0.0]:0"] {
        let refused = fixture.run(&format!("serve --listen {address}")).refused(1);
        assert!(
            refused.contains("passwords would go there in the clear"),
            "{refused}"
        );
        assert!(refused.contains("--allow-plain"), "{refused}");
    }
    let lone = fixture.run("serve --tls-cert x.crt");
    assert_eq!(lone.code, Some(2), "{lone:?}");
    let missing = "serve --listen 127.0.0.1:0 --tls-cert missing.crt --tls-key missing.key";
    let refused = fixture.run(missing).refused(1);
    assert!(
        refused.contains("could not read `missing.crt`"),
        "{refused}"
    );
    let line = "serve --listen 0.0.0.0:0 --allow-plain";
    let mut service = Service::start(&fixture, &mut serve(&fixture, line));
    service.wait_for("listening on http://0.0.0.0:");
    assert_eq!(service.end(Signal::SIGTERM), Some(0));
}

#[test]
fn a_door_that_there_is_not_is_a_fault_of_usage_and_one_to_no_tenant_is_told() {
    let fixture = Fixture::new();
    for (door, told) in [
        (
            "nonsense",
            "`nonsense` is no door; the doors are devicewise, impact, kaa, tier0",
        ),
        ("impact=No", "`No`"),
        ("impact=", "``"),
    ] {
        let ran = fixture.run(&format!("serve --listen 127.0.0.1:0 --door {door}"));
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains(told), "{ran:?}");
    }
    let twice = "serve --listen 127.0.0.1:0 --door impact --door impact=acme";
    let refused = fixture.run(twice).refused(1);
    assert!(
        refused.contains("the door `impact` is said twice"),
        "{refused}"
    );
    let line = "serve --listen 127.0.0.1:0 --door impact=later";
    let mut service = Service::start(&fixture, &mut serve(&fixture, line));
    service.wait_for("the door impact=later: there is no tenant `later`");
    service.wait_for("listening on");
    assert_eq!(service.end(Signal::SIGTERM), Some(0));
}

#[test]
fn a_new_certificate_is_read_on_sighup_and_a_broken_one_leaves_the_old() {
    let fixture = Fixture::new();
    let folder = fixture.directory.path();
    let [certificate, key] = make_certificate(folder, "used");
    let [first, _] = make_certificate(folder, "other");
    std::fs::copy(&certificate, &first).unwrap();
    let [second, second_key] = make_certificate(folder, "second");
    let mut command = serve(&fixture, "serve --listen 127.0.0.1:0");
    command
        .arg("--tls-cert")
        .arg(&certificate)
        .arg("--tls-key")
        .arg(&key);
    let mut service = Service::start(&fixture, &mut command);
    let address = service.wait_for("listening on https://").parse().unwrap();
    assert!(is_trusted(address, &first));
    assert!(!is_trusted(address, &second));

    std::fs::copy(&second, &certificate).unwrap();
    service.tell(Signal::SIGHUP);
    // The key belongs to the other one.
    service.wait_for("the certificate stays as it was");
    assert!(is_trusted(address, &first));
    std::fs::copy(&second_key, &key).unwrap();
    service.tell(Signal::SIGHUP);
    service.wait_for("the certificate was read again");
    assert!(is_trusted(address, &second));
    assert!(!is_trusted(address, &first));
    assert_eq!(service.end(Signal::SIGINT), Some(0));
}

#[test]
fn systemd_hands_a_socket_over_and_is_told_when_the_service_is_ready() {
    let fixture = Fixture::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let notified = fixture.directory.path().join("notify");
    let told = UnixDatagram::bind(&notified).unwrap();
    told.set_read_timeout(Some(LONGEST)).unwrap();
    let told = || {
        let mut bytes = [0; 64];
        let length = told.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    // Sockets that are handed over begin with the fourth file.
    let script = "exec 3<&0 0</dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; \
                  exec \"$0\" serve --listen 192.0.2.1:1";
    let mut command = Command::new("sh");
    command
        .args(["-euc", script, env!("CARGO_BIN_EXE_countersign")])
        .env("COUNTERSIGN_STORE", fixture.store())
        .env("NOTIFY_SOCKET", &notified)
        .stdin(OwnedFd::from(listener));
    let service = Service::start(&fixture, &mut command);
    assert_eq!(told(), "READY=1");
    let answer = ready(address);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(service.end(Signal::SIGTERM), Some(0));
    assert_eq!(told(), "STOPPING=1");
}
