//! A Debian that is nobody else's: a root with processes, mounts and a network
//! of its own, of which nothing is left at the end.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use countersign_testkit::tools::{Background, Output, Tool};
use tempfile::TempDir;

pub struct Fixture {
    folder: TempDir,
    apart: Child,
    /// Its first process, as our own Debian numbers it.
    first: String,
}

/// No line takes so long, the installation of a package included.
const DEADLINE: Duration = Duration::from_secs(120);

/// Does what Debian's unit of Mosquitto says, since no systemd runs there. Like
/// systemd it comes back when the broker is ready, or has ended.
const SYSTEMCTL: &str = r#"#!/bin/sh
set -e
unit=/lib/systemd/system/$2.service
pidfile=/run/main.pid
if [ "$1" != start ] && [ -e $pidfile ]; then
    pid=$(cat $pidfile)
    kill "$pid" 2>/dev/null || :
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
    rm $pidfile
fi
if [ "$1" != stop ]; then
    sed -n 's/^ExecStartPre=//p' $unit | sh -e
    $(sed -n 's/^ExecStart=//p' $unit) </dev/null >/var/log/unit 2>&1 &
    echo $! > $pidfile
    until grep -q ':075B .* 0A ' /proc/net/tcp; do
        kill -0 $! || { cat /var/log/unit >&2; exit 1; }
        sleep 0.05
    done
fi
"#;

impl Fixture {
    /// A Debian with Mosquitto, and our packages where `cargo xtask package`
    /// would put them for somebody who works in `/root`.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        done(
            Command::new("cp")
                .arg("--archive")
                .arg(variable("COUNTERSIGN_DEBIAN"))
                .arg(&root),
        );
        for (from, to) in [(packages(), "target/packages"), (next_packages(), "next")] {
            let to = root.join("root").join(to);
            fs::create_dir_all(&to).unwrap();
            for name in debs(&from) {
                fs::copy(from.join(&name), to.join(&name)).unwrap();
            }
        }
        // Whoever installs a machine writes it.
        fs::write(root.join("etc/hosts"), "127.0.0.1 localhost\n").unwrap();
        let systemctl = root.join("usr/local/bin/systemctl");
        fs::write(&systemctl, SYSTEMCTL).unwrap();
        fs::set_permissions(systemctl, fs::Permissions::from_mode(0o755)).unwrap();
        let mut apart = Command::new("unshare")
            .args(["--mount", "--pid", "--net", "--fork", "--kill-child"])
            .arg(format!("--mount-proc={}", root.join("proc").display()))
            .arg("chroot")
            .arg(&root)
            // It takes leave of every process whose parent is gone.
            .args([
                "sh",
                "-c",
                "echo ready; while :; do sleep 1000 & wait; done",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let said = apart.stdout.take().unwrap();
        BufReader::new(said).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        let pid = apart.id();
        let first = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        let first = first.trim().to_owned();
        let fixture = Self {
            folder,
            apart,
            first,
        };
        let network = ["--net", "ip", "link", "set", "lo", "up"];
        done(
            Command::new("nsenter")
                .args(["--target", &fixture.first])
                .args(network),
        );
        fixture
    }

    /// Where a path of that Debian lies in ours.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.folder
            .path()
            .join("root")
            .join(inside.trim_start_matches('/'))
    }

    /// Runs a line in a shell, as root does, in `/root`.
    pub fn run(&self, line: &str) -> Output {
        self.tool(line).run(DEADLINE).unwrap()
    }

    /// Runs a line that must be done, and returns what it printed.
    #[track_caller]
    pub fn done(&self, line: &str) -> String {
        let output = self.run(line);
        assert_eq!(output.code, Some(0), "{line}: {output:?}");
        output.stdout
    }

    /// Starts a line beside all others.
    pub fn background(&self, line: &str) -> Background {
        self.tool(line).background().unwrap()
    }

    fn tool(&self, line: &str) -> Tool {
        Tool::new("nsenter")
            .args([
                "--target",
                &self.first,
                "--mount",
                "--pid",
                "--net",
                "--root",
            ])
            .args([
                "env",
                "--ignore-environment",
                "--chdir=/root",
                "HOME=/root",
                "LC_ALL=C.UTF-8",
            ])
            .args(["DEBIAN_FRONTEND=noninteractive", "TERM=dumb"])
            .args(["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"])
            .args(["sh", "-euc", line])
    }

    /// The one broker that runs, as that Debian numbers it.
    #[track_caller]
    pub fn broker(&self) -> String {
        self.done("cat /run/main.pid && kill -0 $(cat /run/main.pid)")
            .trim()
            .to_owned()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // The first process ends with the one that we started, and all others of
        // that Debian with the first.
        let _ = self.apart.kill();
        let _ = self.apart.wait();
    }
}

/// What `cargo xtask package` made.
pub fn packages() -> PathBuf {
    variable("COUNTERSIGN_PACKAGES")
}

/// The same as a later revision.
pub fn next_packages() -> PathBuf {
    variable("COUNTERSIGN_NEXT_PACKAGES")
}

/// The names of the Debian packages in a folder.
pub fn debs(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let mut debs: Vec<_> = names
        .map(|name| name.into_string().unwrap())
        .filter(|name| name.ends_with(".deb"))
        .collect();
    debs.sort();
    assert_eq!(debs.len(), 4, "{debs:?}");
    debs
}

/// Runs a program that must be done, and returns what it printed.
#[track_caller]
pub fn done(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn variable(name: &str) -> PathBuf {
    let set = std::env::var_os(name);
    set.unwrap_or_else(|| panic!("set {name}, or run `cargo xtask test --only package`"))
        .into()
}
