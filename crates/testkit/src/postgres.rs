//! A real PostgreSQL in a folder of its own, reached by a socket in it alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::artifacts;
use crate::broker::process::{Process, User, give, we_are_root};

/// A PostgreSQL that forgets what it was told when the machine fails, ended when dropped.
#[derive(Debug)]
pub struct Postgres {
    // Dropped in this order: it ends before its folder does.
    server: Process,
    programs: PathBuf,
    dir: TempDir,
    databases: AtomicU64,
}

impl Postgres {
    /// Makes one and starts it.
    pub fn start() -> Result<Self> {
        let programs = artifacts::postgres()?;
        let dir = tempfile::Builder::new()
            .prefix("countersign-postgres-")
            .tempdir()?;
        // It does not run as root.
        let user = we_are_root().then(|| User::named(USER)).transpose()?;
        if user.is_some() {
            give(dir.path(), USER)?;
        }
        let data = dir.path().join("data");
        let mut initdb = Command::new(programs.join("initdb"));
        initdb
            .args(["--username", NAME, "--auth", "trust", "--no-sync"])
            .args(["--encoding", "UTF8", "--no-locale", "--pgdata"])
            .arg(&data)
            .current_dir("/");
        if let Some(user) = user {
            user.run(&mut initdb);
        }
        run(&mut initdb)?;
        fs::write(data.join("postgresql.auto.conf"), SETTINGS)?;
        let log = dir.path().join("log");
        let mut args: Vec<String> = ["-D", &shown(&data), "-k", &shown(dir.path())]
            .map(str::to_owned)
            .into();
        args.extend(["-c", "listen_addresses="].map(str::to_owned));
        let program = shown(&programs.join("postgres"));
        let mut server =
            Process::new(program, args, Vec::new(), log, false).of_user(user, libc::SIGQUIT);
        server.spawn()?;
        server.wait_for_log(0, "ready to accept connections", PATIENCE)?;
        Ok(Self {
            server,
            programs,
            dir,
            databases: AtomicU64::new(0),
        })
    }

    /// Starts it again after it was ended.
    pub fn start_again(&mut self) -> Result<()> {
        let mark = self.server.log_mark();
        self.server.spawn()?;
        self.server
            .wait_for_log(mark, "ready to accept connections", PATIENCE)?;
        Ok(())
    }

    /// Ends it at once, as a failure of its machine would.
    pub fn crash(&mut self) -> Result<()> {
        self.server.signal(libc::SIGQUIT)?;
        self.server.wait()?;
        Ok(())
    }

    /// Makes an empty database; returns its name.
    pub fn database(&self) -> Result<String> {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(
            "postgres",
            &format!("CREATE DATABASE {name} STRATEGY file_copy"),
        )?;
        Ok(name)
    }

    /// The folder with its socket.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// The address of a database.
    pub fn url(&self, database: &str) -> String {
        let folder = shown(self.folder()).replace('/', "%2F");
        format!("postgres://{NAME}@{folder}/{database}")
    }

    /// Runs statements as an administrator; returns what they print, without headings.
    pub fn sql(&self, database: &str, statements: &str) -> Result<String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1", "--username", NAME, "--host"])
            .arg(self.folder())
            .args(["--command", statements, database]);
        run(&mut psql)
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn run(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whom Debian's package runs it as.
const USER: &str = "postgres";

/// The only user of its databases.
const NAME: &str = "countersign";

/// Small, and without a disk to wait for.
const SETTINGS: &str = "autovacuum = off
fsync = off
full_page_writes = off
log_min_messages = warning
max_connections = 200
max_wal_senders = 0
shared_buffers = 64MB
wal_level = minimal
";

/// A start takes a second, or more on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(60);
