//! `countersign backup`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use countersign_sqlite::{BackupProgress, BackupTarget};
use serde_json::json;

use crate::error::CliError;
use crate::identity::ActingAs;
use crate::invocation::Invocation;
use crate::progress::Progress;

#[derive(Args, Debug)]
pub(crate) struct Backup {
    /// The file to make. It must not be there yet. The key file beside the
    /// store is not in it.
    file: PathBuf,
}

impl Backup {
    /// Root is one user where the store lies, and another where the copy goes.
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let path = std::path::absolute(&self.file)?;
        if invocation.store.file().is_none() {
            return Err(CliError::refused(of_database(&path)));
        }
        let mut progress = Progress::default();
        let mut target = {
            let _there = ActingAs::for_keeper_of(&path)?;
            BackupTarget::create(&path).map_err(CliError::elsewhere)?
        };
        let filled = invocation.with_store(|store| {
            let step = |step: BackupProgress| progress.show(step.done, step.total);
            let store = store.into_file("back up the store")?;
            Ok(store.back_up_into(&mut target, step)?)
        });
        progress.clear();
        let _there = ActingAs::for_keeper_of(&path)?;
        match filled {
            Ok(()) => target.keep().map_err(CliError::elsewhere)?,
            Err(failure) => {
                target.discard();
                return Err(failure);
            }
        }
        let done = format!("backup made at {}", path.display());
        invocation.output.act(&done, &json!({ "path": path }))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// How a store in a database is copied, without who is connected or signed in.
fn of_database(path: &Path) -> String {
    format!(
        "a store in a database is copied by `pg_dump --format=custom --schema=countersign \
         --exclude-table-data='countersign.(broker|presence|web_session)' --file={} ADDRESS`; keep \
         a copy of the key file, too",
        path.display()
    )
}
