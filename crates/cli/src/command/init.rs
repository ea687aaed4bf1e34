//! `countersign init`: a store and its key file, both or neither.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use countersign_admin::settings::CreateStore;
use countersign_core::secret::Argon2Params;
use countersign_core::store::Settings;
use countersign_sqlite::SqliteStore;
use serde_json::json;

use crate::account::Account;
use crate::error::CliError;
use crate::invocation::{Invocation, run_on};
use crate::new_store::{self, KeyFile};
use crate::output::Mark;
use crate::store_files::key_of;
use crate::store_place::{Database, StorePlace};

#[derive(Args, Debug)]
pub(crate) struct Init {
    /// Whose the files are: the user that the broker runs as.
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    /// How chosen passwords are hashed.
    #[arg(long, value_name = "m=KIB,t=PASSES,p=LANES", value_parser = Argon2Params::parse)]
    argon2: Option<Argon2Params>,
}

impl Init {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let owner = self.owner.as_deref().map(Account::require).transpose()?;
        let settings = Settings {
            argon2: self.argon2.unwrap_or_default(),
            ..Settings::default()
        };
        let store = match &invocation.store {
            StorePlace::File(store) => std::path::absolute(store)?,
            StorePlace::Database(database) => {
                return in_database(invocation, database, owner.as_ref(), settings);
            }
        };
        new_store::make(&store, owner.as_ref(), KeyFile::New, |draft| {
            fill(draft, settings)
        })?;
        let hints = [
            (
                "key",
                format!(
                    "{}; back it up apart from the store: it opens second factors and signs tokens",
                    key_of(&store).display()
                ),
            ),
            (
                "next",
                "make a tenant with `countersign tenant create`, then ask `countersign doctor`"
                    .into(),
            ),
        ];
        let done = format!("store made at {}", store.display());
        let path = json!({ "path": store });
        invocation
            .output
            .made(Mark::Done, &done, &path, &["key", "next"], &hints)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Makes the tables in a database, and the key file if there is none of that name: another
/// machine may have made it.
fn in_database(
    invocation: &Invocation,
    database: &Database,
    owner: Option<&Account>,
    settings: Settings,
) -> Result<ExitCode, CliError> {
    if owner.is_some() && database.key().is_none() {
        return Err(CliError::usage(
            "--owner says whose the key file is, and --key-file names none",
        ));
    }
    let make = || {
        let mut store = database.create(&settings)?;
        run_on(&mut store, &CreateStore(settings))?;
        Ok(store.place())
    };
    let place = match database.key() {
        Some(key) => new_store::make_key(&std::path::absolute(key)?, owner, make)?,
        None => make()?,
    };
    let key = match database.key() {
        Some(key) => format!(
            "{}; copy it to each machine that runs `countersign serve` on this database",
            key.display()
        ),
        None => "none: second factors and tokens need one, which --key-file names".into(),
    };
    let next = "make a tenant with `countersign tenant create`, then run `countersign serve`";
    let hints = [("key", key), ("next", next.into())];
    let done = format!("store made in {place}");
    invocation.output.made(
        Mark::Done,
        &done,
        &json!({ "path": place }),
        &["key", "next"],
        &hints,
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the store and closes it, so that all of it is in one file.
fn fill(draft: &Path, settings: Settings) -> Result<(), CliError> {
    let mut store =
        SqliteStore::create(draft, &Settings::default()).map_err(CliError::elsewhere)?;
    run_on(&mut store, &CreateStore(settings))
}
