//! The store that followers follow, in a file or in a database.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use countersign_sqlite::SqliteStore;
use countersign_store::AnyStore;
use countersign_testkit::Cli;
use countersign_testkit::postgres::Postgres;

use crate::store::{Devices, file};

/// A store, and the program on it.
pub struct Centre {
    pub cli: Cli,
    /// The server that it is in, ended with it.
    database: Option<Postgres>,
}

/// Where a centre is.
#[derive(Clone, Copy)]
pub enum Lies {
    InFile,
    InDatabase,
}

impl Lies {
    /// What a bench of it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::InFile => "fleet",
            Self::InDatabase => "fleet-database",
        }
    }
}

impl Centre {
    /// One with this many credentials, in a folder of its own.
    pub fn make(lies: Lies, place: &Path, count: usize) -> Result<Self> {
        let folder = place.join("centre");
        fs::create_dir_all(&folder)?;
        let devices = Devices {
            count,
            used: 0..0,
            have_passwords: false,
            have_roles: false,
        };
        devices.store_in(&folder)?;
        let in_file = Cli::new(file(&folder));
        Ok(match lies {
            Lies::InFile => Self {
                cli: in_file,
                database: None,
            },
            Lies::InDatabase => Self::moved(&in_file, &folder)?,
        })
    }

    /// Moves a store into a database, as an administrator does.
    fn moved(from: &Cli, folder: &Path) -> Result<Self> {
        let database = Postgres::start()?;
        let cli = Cli::new(database.url(&database.database()?));
        let export = folder.join("export.jsonl");
        let export = export.to_str().context("a folder without a name")?;
        for (cli, line) in [
            (from, &["export", export][..]),
            (&cli, &["init"]),
            (&cli, &["import", "countersign", export]),
        ] {
            let done = cli.tool(line).run(LONGEST_MOVE)?;
            ensure!(done.code == Some(0), "{line:?}: {done:?}");
        }
        fs::remove_file(export)?;
        Ok(Self {
            cli,
            database: Some(database),
        })
    }

    /// Opens it.
    pub fn open(&self) -> Result<AnyStore> {
        let store = self.cli.store();
        if self.database.is_none() {
            return Ok(SqliteStore::open(store)?.into());
        }
        let url = store.to_str().context("an address that is no text")?;
        Ok(AnyStore::open_database(url, None)?)
    }
}

/// Rows of a million credentials, on a machine with other work.
const LONGEST_MOVE: Duration = Duration::from_secs(1_800);
