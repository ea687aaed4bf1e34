//! `countersign restore`.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use countersign_admin::audit::VerifyAudit;
use countersign_admin::clients::ListClients;
use countersign_admin::settings::RecordRestore;
use countersign_core::ledger::Ledger as _;
use countersign_core::store::each_row;
use countersign_sqlite::{SqliteStore, create_private};
use serde_json::json;

use crate::account::Account;
use crate::error::CliError;
use crate::identity::ActingAs;
use crate::invocation::{Invocation, now, run_on};
use crate::new_store::{self, KeyFile};
use crate::output::Mark;
use crate::store_files::{beside, key_of};

#[derive(Args, Debug)]
pub(crate) struct Restore {
    /// A file that `backup` made. It stays as it is.
    file: PathBuf,
    /// Whose the store is: the user that the broker runs as.
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
}

impl Restore {
    /// Root is one user where the backup lies, and another where the store goes.
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let owner = self.owner.as_deref().map(Account::require).transpose()?;
        let path = std::path::absolute(&self.file)?;
        let Some(store) = invocation.store.file() else {
            return Err(CliError::refused(of_database(&path)));
        };
        let store = std::path::absolute(store)?;
        let mut backup = {
            let _there = ActingAs::for_keeper_of(&path)?;
            open_backup(&path)?
        };
        new_store::make(&store, owner.as_ref(), KeyFile::Untouched, |draft| {
            fill(draft, &mut backup, &path)
        })?;
        let key = key_of(&store);
        let hints = [(
            "key",
            format!(
                "put the key file of the store that was backed up to {}: without it second factors \
                 and tokens don't work",
                key.display()
            ),
        )];
        let hints: &[_] = if key.exists() { &[] } else { &hints };
        let done = format!("store made at {}", store.display());
        let path = json!({ "path": store });
        invocation
            .output
            .made(Mark::Done, &done, &path, &["key"], hints)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// How a copy of a store in a database becomes one, where there is none.
fn of_database(path: &Path) -> String {
    format!(
        "a store in a database is restored by `pg_restore --exit-on-error --no-owner \
         --dbname=ADDRESS {}`, into a database that `createdb --encoding=UTF8 \
         --template=template0` made",
        path.display()
    )
}

/// Opens a file that is whole by itself.
fn open_backup(path: &Path) -> Result<File, CliError> {
    let said = |error: io::Error| {
        CliError::Refused(
            anyhow::Error::new(error).context(format!("could not read `{}`", path.display())),
        )
    };
    let log = beside(path, "-wal");
    if log.metadata().is_ok_and(|log| log.len() > 0) {
        return Err(CliError::refused(format!(
            "`{}` is no backup: a part of it is in `{}`; `countersign backup` makes one file of both",
            path.display(),
            log.display()
        )));
    }
    let file = File::open(path).map_err(said)?;
    if !file.metadata().map_err(said)?.is_file() {
        return Err(CliError::refused(format!(
            "`{}` is not a file",
            path.display()
        )));
    }
    Ok(file)
}

/// Copies the backup and looks whether it is a whole store. Nobody is connected to
/// it, whoever was when it was made.
fn fill(draft: &Path, backup: &mut File, path: &Path) -> Result<(), CliError> {
    let mut file = create_private(draft)?;
    io::copy(backup, &mut file)?;
    file.sync_all()?;
    drop(file);
    let no_backup = |why: String| {
        CliError::refused(format!(
            "`{}` is no backup of a store: {why}",
            path.display()
        ))
    };
    let mut store = SqliteStore::open(draft).map_err(|error| {
        let why = error.to_string();
        no_backup(why.replace(&draft.display().to_string(), &path.display().to_string()))
    })?;
    // The backup itself is the way back from a newer schema.
    if let Some(upgraded) = store.upgraded() {
        std::fs::remove_file(&upgraded.copy)?;
    }
    let mut faults = store.quick_check()?;
    faults.extend(store.unreadable_records()?);
    if let Some(fault) = faults.into_iter().next() {
        return Err(no_backup(fault));
    }
    let audit = run_on(&mut store, &VerifyAudit(Vec::new()))?;
    audit.intact().map_err(no_backup)?;
    let mut brokers = BTreeSet::new();
    let all = ListClients {
        all: true,
        ..ListClients::default()
    };
    each_row(
        |page| {
            let page = page.clone();
            run_on(
                &mut store,
                &ListClients {
                    page,
                    ..all.clone()
                },
            )
        },
        |client| {
            brokers.insert(client.broker);
            Ok::<_, CliError>(())
        },
    )?;
    for broker in brokers {
        store.clear_presence(&broker, now())?;
    }
    run_on(&mut store, &RecordRestore)
}
