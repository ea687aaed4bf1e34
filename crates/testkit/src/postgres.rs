//! A real PostgreSQL in a folder of its own, reached by a socket in it alone.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::artifacts;
use crate::broker::Port;
use crate::broker::process::{Process, User, give, we_are_root};

/// A PostgreSQL that forgets what it was told when the machine fails, ended when dropped.
#[derive(Debug)]
pub struct Postgres {
    // Dropped in this order: it ends before its folder does.
    server: Process,
    programs: PathBuf,
    dir: TempDir,
    databases: AtomicU64,
    /// Where it is reached by TCP, too.
    port: Option<Port>,
}

impl Postgres {
    /// Makes one and starts it.
    pub fn start() -> Result<Self> {
        Self::start_by(None, "", &[])
    }

    /// Makes one that is reached on 127.0.0.1, too, with these settings besides and these
    /// files in its folder of data.
    pub fn start_on_tcp(settings: &str, files: &[(&str, Vec<u8>)]) -> Result<Self> {
        Self::start_by(Some(Port::reserve()), settings, files)
    }

    fn start_by(port: Option<Port>, settings: &str, files: &[(&str, Vec<u8>)]) -> Result<Self> {
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
        fs::write(
            data.join("postgresql.auto.conf"),
            format!("{SETTINGS}{settings}"),
        )?;
        for (name, content) in files {
            let path = data.join(name);
            fs::write(&path, content)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
            if let Some(user) = user {
                user.own(&path)?;
            }
        }
        let log = dir.path().join("log");
        let mut args: Vec<String> = ["-D", &shown(&data), "-k", &shown(dir.path())]
            .map(str::to_owned)
            .into();
        let listens = match &port {
            Some(_) => "listen_addresses=127.0.0.1",
            None => "listen_addresses=",
        };
        args.extend(["-c", listens].map(str::to_owned));
        if let Some(port) = &port {
            args.extend(["-p".to_owned(), port.number().to_string()]);
        }
        let program = shown(&programs.join("postgres"));
        let mut server =
            Process::new(program, args, Vec::new(), log, false).of_user(user, libc::SIGQUIT);
        server.spawn()?;
        server.wait_for_log(0, READY, PATIENCE)?;
        Ok(Self {
            server,
            programs,
            dir,
            databases: AtomicU64::new(0),
            port,
        })
    }

    /// Has it follow a server that is no more. Its settings say `wal_level = replica`.
    pub fn become_standby(&mut self) -> Result<()> {
        self.crash()?;
        fs::write(self.folder().join("data/standby.signal"), "")?;
        self.start_again()
    }

    /// Starts it again after it was ended.
    pub fn start_again(&mut self) -> Result<()> {
        let mark = self.server.log_mark();
        self.server.spawn()?;
        self.server.wait_for_log(mark, READY, PATIENCE)?;
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

    /// The port at which it is reached by TCP or, without one, of its socket.
    pub fn port(&self) -> u16 {
        self.port.as_ref().map_or(5_432, Port::number)
    }

    /// The address of a database.
    pub fn url(&self, database: &str) -> String {
        let folder = shown(self.folder()).replace('/', "%2F");
        let port = self.port();
        format!("postgres://{NAME}@{folder}:{port}/{database}")
    }

    /// The folder of PostgreSQL's own programs.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// Runs statements as an administrator; returns what they print, without headings.
    pub fn sql(&self, database: &str, statements: &str) -> Result<String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1", "--command", statements])
            .arg(self.url(database));
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

/// What it says once it does what it is there for, be it as a standby.
const READY: &str = "system is ready to accept";

/// A start takes a second, or more on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(60);
