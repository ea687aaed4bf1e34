//! Runs the program on a store in a temporary directory.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The public keys of an issuer.
pub(crate) const JWKS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../issuer/tests/keys/issuer.jwks.json"
);

/// One more, as PEM.
pub(crate) const ED25519_PEM: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../issuer/tests/keys/ed25519.pem"
);

/// Another one, as PEM.
pub(crate) const P256_PEM: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../issuer/tests/keys/p256.pem");

/// A certificate that ends in ten years.
pub(crate) const DEVICE_PEM: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../certificate/tests/device.pem"
);

/// A directory with a store, and the program to run on it.
pub(crate) struct Fixture {
    pub(crate) directory: TempDir,
}

/// What a run of the program came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Fixture {
    /// A directory without a store.
    pub(crate) fn empty() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory }
    }

    /// A store with nothing in it, whose passwords are quick to hash.
    pub(crate) fn new() -> Self {
        let fixture = Self::empty();
        fixture.run("init --argon2 m=8,t=1,p=1").done();
        fixture
    }

    /// A store with the tenant `acme` and its credential `dev1`.
    pub(crate) fn with_credential() -> Self {
        let fixture = Self::new();
        fixture.run("tenant create acme").done();
        fixture.run("credential create dev1 --tenant acme").done();
        fixture
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.directory.path().join("store.db")
    }

    /// The program, about to run on the store.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .env("COUNTERSIGN_STORE", self.store())
            .env_remove("SUDO_USER")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command line of words without spaces.
    pub(crate) fn run(&self, line: &str) -> Ran {
        self.run_words(&line.split_whitespace().collect::<Vec<_>>())
    }

    pub(crate) fn run_words(&self, words: &[&str]) -> Ran {
        finish(self.command().args(words))
    }

    /// Runs a command line with `input` on standard input.
    pub(crate) fn run_with(&self, line: &str, input: &[u8]) -> Ran {
        let mut child = self
            .command()
            .args(line.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The program may have refused before it read anything.
        let _ = child.stdin.take().unwrap().write_all(input);
        ran(child.wait_with_output().unwrap())
    }

    /// Runs a command line and reads the JSON that it prints.
    pub(crate) fn json(&self, line: &str) -> Value {
        self.run(&format!("{line} --json")).done().json()
    }

    /// All that the store says, to see whether anything changed.
    pub(crate) fn content(&self) -> String {
        [
            "tenant list",
            "credential list",
            "role list",
            "operator list",
            "user list",
            "application list",
            "thing list",
            "jwt list",
            "scheme list",
            "settings show",
            "audit list",
        ]
        .map(|line| self.run(&format!("{line} --json")).done().stdout)
        .concat()
    }

    /// What lies in the directory, by name.
    pub(crate) fn files(&self) -> Vec<String> {
        names_in(self.directory.path())
    }
}

impl Ran {
    /// The run, which must have been done. It may tell of something by the way.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        let mut lines = self.stderr.lines();
        let is_notice = |line: &str| line.starts_with("countersign: notice: ");
        assert!(lines.all(is_notice), "{self:?}");
        self
    }

    /// The run, which must have been done, and what it warned of.
    #[track_caller]
    pub(crate) fn warned(mut self) -> (Self, String) {
        let warnings = core::mem::take(&mut self.stderr);
        let is_warning = |line: &str| {
            ["countersign: warning: ", "countersign: notice: "]
                .iter()
                .any(|start| line.starts_with(start))
        };
        assert!(warnings.lines().all(is_warning), "{warnings}");
        (self.done(), warnings)
    }

    /// The run's one line of complaint, which must be all that it printed; of a document
    /// what it says.
    #[track_caller]
    pub(crate) fn refused(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        let line = self.stderr.strip_suffix('\n').unwrap_or_default();
        assert!(!line.contains('\n'), "{self:?}");
        if let Ok(document) = serde_json::from_str::<Value>(line) {
            return document["error"]["message"].as_str().unwrap().into();
        }
        assert!(line.starts_with("countersign: "), "{self:?}");
        line.into()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command) -> Ran {
    ran(command.output().unwrap())
}

/// The keys of an object, in the order they were printed.
#[track_caller]
pub(crate) fn keys(value: &Value) -> Vec<&str> {
    let object = value
        .as_object()
        .unwrap_or_else(|| panic!("no object: {value}"));
    object.keys().map(String::as_str).collect()
}

pub(crate) fn names_in(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = directory
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Says whether we are root, which some tests need; if not, says so.
pub(crate) fn is_root(test: &str) -> bool {
    let root = nix::unistd::Uid::effective().is_root();
    if !root {
        eprintln!("skipped, as it needs root: {test}");
    }
    root
}

pub(crate) fn ran(output: std::process::Output) -> Ran {
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Every command by the words that lead to it, each before those below it, and its
/// help on a terminal of that width.
pub(crate) fn helps(columns: &str) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let mut open = vec![Vec::new()];
    while let Some(words) = open.pop() {
        let output = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(&words)
            .arg("--help")
            .env_clear()
            .env("COLUMNS", columns)
            .output()
            .unwrap();
        assert!(output.status.success(), "{words:?}");
        let help = String::from_utf8(output.stdout).unwrap();
        let below = subcommands(&help).into_iter().rev();
        open.extend(below.map(|name| [words.as_slice(), &[name.to_owned()]].concat()));
        found.push((words, help));
    }
    found
}

/// The commands below one, as its help lists them.
fn subcommands(help: &str) -> Vec<&str> {
    let below = help.split_once("Commands:\n").map_or("", |(_, rest)| rest);
    let below = below.split("\n\n").next().unwrap_or_default();
    let lines = below.lines().filter_map(|line| line.strip_prefix("  "));
    lines
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "help")
        .collect()
}
