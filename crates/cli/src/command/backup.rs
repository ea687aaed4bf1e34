//! `countersign backup`.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use countersign_sqlite::BackupProgress;
use serde_json::json;

use crate::failure::Failure;
use crate::invocation::Invocation;

#[derive(Args, Debug)]
pub(crate) struct Backup {
    /// The file to make. It must not be there yet. The key file beside the
    /// store is not in it.
    file: PathBuf,
}

impl Backup {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, Failure> {
        let mut progress = Progress::default();
        let store = invocation.open()?;
        let result = store.backup(&self.file, |step| progress.show(step));
        progress.clear();
        result?;
        let path = std::path::absolute(&self.file)?;
        invocation.output.record(&json!({ "path": path }))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A percentage on a terminal; elsewhere, nothing.
#[derive(Default)]
struct Progress {
    shown: Option<u64>,
}

impl Progress {
    fn show(&mut self, step: BackupProgress) {
        let percent = step
            .done
            .saturating_mul(100)
            .checked_div(step.total)
            .unwrap_or(100);
        if self.shown != Some(percent) && stderr().is_terminal() {
            self.shown = Some(percent);
            // Progress that can't be shown is no reason to stop the backup.
            let _ = write!(stderr(), "\r{percent:3} %");
        }
    }

    fn clear(&self) {
        if self.shown.is_some() {
            // As above.
            let _ = write!(stderr(), "\r     \r");
        }
    }
}
