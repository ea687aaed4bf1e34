//! The program `countersign`, on one store.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::artifacts;
use crate::tools::{Output, Tool};

/// The program and the store that it works on.
#[derive(Clone, Debug)]
pub struct Cli {
    program: PathBuf,
    store: PathBuf,
}

impl Cli {
    /// The program that `COUNTERSIGN_CLI` names, else the last release build.
    pub fn new(store: impl Into<PathBuf>) -> Self {
        Self {
            program: artifacts::cli().unwrap(),
            store: store.into(),
        }
    }

    /// The store's file.
    pub fn store(&self) -> &Path {
        &self.store
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        self.run_with_stdin(args, b"")
    }

    /// Runs a command that reads `bytes`.
    pub fn run_with_stdin(&self, args: &[&str], bytes: &[u8]) -> Output {
        self.tool(args).stdin(bytes).run(DEADLINE).unwrap()
    }

    /// Runs a command that must succeed and returns what it printed as JSON.
    pub fn json(&self, args: &[&str]) -> Value {
        self.json_with_stdin(args, b"")
    }

    /// The same for a line of words without spaces, and further arguments.
    pub fn act(&self, line: &str, more: &[&str]) -> Value {
        let words = line.split(' ').chain(more.iter().copied());
        self.json(&words.collect::<Vec<_>>())
    }

    /// The same for a command that reads `bytes`.
    pub fn json_with_stdin(&self, args: &[&str], bytes: &[u8]) -> Value {
        let with_json: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let output = self.run_with_stdin(&with_json, bytes);
        assert_eq!(
            output.code,
            Some(0),
            "`countersign {}`: {output:?}",
            args.join(" ")
        );
        serde_json::from_str(&output.stdout)
            .unwrap_or_else(|error| panic!("`countersign {}`: {error}: {output:?}", args.join(" ")))
    }

    /// Runs a command that must be refused and returns its one line of
    /// complaint.
    pub fn refused(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let said = (output.code, output.stdout.as_str());
        let lines = output.stderr.lines().count();
        let what = args.join(" ");
        assert_eq!((said, lines), ((Some(1), ""), 1), "`{what}`: {output:?}");
        output.stderr.trim_end().to_owned()
    }

    /// A command that is about to run, for whoever needs more than the above.
    pub fn tool(&self, args: &[&str]) -> Tool {
        Tool::new(&self.program)
            .args([Path::new("--store"), &self.store])
            .args(args)
    }
}

const DEADLINE: Duration = Duration::from_secs(60);
