//! The examples, run.

use std::env;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use countersign_testkit::artifacts::workspace;
use countersign_testkit::tools::Tool;
use countersign_testkit::{Cli, Connect};
use countersign_tests::{Login, text, wait_until};
use tempfile::TempDir;

use crate::clang::{Build, Compiler, command, compile, printed, under_valgrind};

const EMBED: &str = "examples/c/embed.c";
const EPOLL: &str = "examples/c/epoll.c";
const DECISIONS: &str = "\
admitted dev1@acme
publish acme/hello: allowed
publish other/hello: no-rule
log: ended the session of `dev1@acme` (sensor-1): suspended
again: suspended
";

/// What a host prints, but for the heads of the audit, which come when they come
/// and are others each time.
fn told(host: &mut Command) -> String {
    let said = printed(host);
    let lines = said.split_inclusive('\n');
    lines
        .filter(|line| !line.starts_with("log: audit heads: "))
        .collect()
}

#[test]
fn the_smallest_host_in_c_decides() {
    for compiler in Compiler::ALL {
        for build in [Build::Shared, Build::Asan] {
            let (program, folder) = compile(compiler, build, EMBED);
            let said = told(command(&program).arg(folder.path().join("store.db")));
            assert_eq!(said, format!("made dev1@acme\n{DECISIONS}"), "{compiler:?}");
        }
    }
}

#[test]
fn valgrind_finds_nothing_in_the_smallest_host_in_c() {
    let (program, folder) = compile(Compiler::Gcc, Build::Shared, EMBED);
    let said = told(under_valgrind(&program).arg(folder.path().join("store.db")));
    assert!(said.ends_with(DECISIONS), "{said}");
}

#[test]
fn the_smallest_host_in_rust_decides_alike() {
    let folder = tempfile::tempdir().unwrap();
    let said = told(
        Command::new(example("COUNTERSIGN_EXAMPLE_EMBED", "debug/examples/embed"))
            .arg(folder.path().join("store.db")),
    );
    let rust = DECISIONS
        .replace("allowed", "Allow")
        .replace("hello: no-rule", "hello: Deny(NoRule)");
    assert_eq!(said, rust);
}

/// A host that listens, and the store behind it.
struct Host {
    child: Child,
    cli: Cli,
    port: u16,
    _folder: TempDir,
}

impl Host {
    fn start(mut command: Command, folder: TempDir, patience: Duration) -> Self {
        let cli = Cli::new(folder.path().join("store.db"));
        cli.json(&["init"]);
        cli.json(&["tenant", "create", "acme"]);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let child = command
            .arg(cli.store())
            .arg(port.to_string())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < patience, "the host does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self {
            child,
            cli,
            port,
            _folder: folder,
        }
    }

    fn chosen(&self, name: &str) -> Login {
        let args = [
            "credential",
            "create",
            name,
            "--tenant",
            "acme",
            "--password-stdin",
        ];
        let made = self.cli.json_with_stdin(&args, b"chosen-it\n");
        Login {
            username: text(&made, "username"),
            secret: "chosen-it".into(),
        }
    }

    /// Publishes with QoS 1 as a client of its own.
    fn publishes(&self, login: &Login, client_id: &str, topic: &str) -> bool {
        let ended = Tool::mosquitto("mosquitto_pub", self.port)
            .args(["-u", &login.username, "-P", &login.secret, "-i", client_id])
            .args(["-t", topic, "-m", "x", "-q", "1", "-V", "311"])
            .run(Duration::from_secs(20))
            .unwrap();
        ended.code == Some(0)
    }

    /// Ends it as a system would; how it ended.
    fn stop(&mut self) -> Option<i32> {
        let stopped = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        assert!(stopped.unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn holds_logins(command: Command, folder: TempDir, many: usize) {
    let mut host = Host::start(command, folder, Duration::from_secs(60));
    let logins: Vec<Login> = (0..many).map(|n| host.chosen(&format!("dev{n}"))).collect();
    let wrong = logins[0].with_secret("guessed");
    std::thread::scope(|scope| {
        for (number, login) in logins.iter().enumerate() {
            let host = &host;
            // Refused where the store is busy, as it may be under Valgrind, a
            // device comes again.
            scope.spawn(move || {
                wait_until("it is let in", || {
                    host.publishes(login, &format!("c{number}"), "acme/x")
                });
            });
        }
        scope.spawn(|| assert!(!host.publishes(&wrong, "wrong", "acme/x")));
        // A client that goes away while it is held harms nobody.
        scope.spawn(|| drop(std::net::TcpStream::connect(("127.0.0.1", host.port))));
    });
    assert!(!host.publishes(&logins[0], "c0", "other/x"));
    wait_until("it is let in again", || {
        logins[0].connect("stays").code(host.port) == Some(0)
    });
    let mut client = logins[0].connect("stays").accepted(host.port);
    host.cli
        .json(&["credential", "suspend", &logins[0].username]);
    assert!(client.wait_closed(Duration::from_secs(30)).is_some());
    assert!(!host.publishes(&logins[0], "c0", "acme/x"));
    assert_eq!(host.stop(), Some(0));
}

#[test]
fn the_epoll_host_holds_logins_and_serves_others_meanwhile() {
    for (compiler, build) in [
        (Compiler::Clang, Build::Shared),
        (Compiler::Gcc, Build::Asan),
    ] {
        let (program, folder) = compile(compiler, build, EPOLL);
        holds_logins(command(&program), folder, 6);
    }
}

#[test]
fn valgrind_finds_nothing_in_the_epoll_host() {
    let (program, folder) = compile(Compiler::Gcc, Build::Shared, EPOLL);
    holds_logins(under_valgrind(&program), folder, 2);
}

#[test]
fn rumqttd_lets_in_whom_countersign_lets_in_and_drops_whom_it_kicks() {
    let folder = tempfile::tempdir().unwrap();
    let program = example(
        "COUNTERSIGN_EXAMPLE_RUMQTTD",
        "rumqttd/debug/countersign-rumqttd",
    );
    let host = Host::start(Command::new(program), folder, Duration::from_secs(20));
    let made = host
        .cli
        .json(&["credential", "create", "quick", "--tenant", "acme"]);
    let generated = Login::from(&made);
    let chosen = host.chosen("slow");
    for login in [&generated, &chosen] {
        assert!(host.publishes(login, &login.username, "acme/x"));
        let wrong = login.with_secret("guessed");
        assert!(!host.publishes(&wrong, "wrong", "acme/x"));
    }
    assert!(
        Connect::v311("anonymous")
            .keep_alive(60)
            .code(host.port)
            .is_none()
    );

    // What rumqttd has no hook for: `check` is asked nothing.
    assert!(host.publishes(&generated, "free", "other/x"));

    let mut client = generated
        .connect("stays")
        .keep_alive(60)
        .accepted(host.port);
    let mut other = chosen.connect("other").keep_alive(60).accepted(host.port);
    host.cli
        .json(&["credential", "suspend", &generated.username]);
    assert!(client.wait_closed(Duration::from_secs(10)).is_some());
    assert!(!host.publishes(&generated, "again", "acme/x"));
    other.ping(Duration::from_secs(10)).unwrap();
    host.cli
        .json(&["credential", "reactivate", &generated.username]);
    wait_until("it is let in again", || {
        host.publishes(&generated, "stays", "acme/x")
    });
}

fn example(variable: &str, in_target: &str) -> PathBuf {
    let path = env::var_os(variable)
        .map_or_else(|| workspace().join("target").join(in_target), PathBuf::from);
    assert!(path.is_file(), "there is no {}", path.display());
    path
}
