//! `countersign backup`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::progress::Progress;

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
        let result = store.backup(&self.file, |step| progress.show(step.done, step.total));
        progress.clear();
        result?;
        let path = std::path::absolute(&self.file)?;
        invocation.output.record(&json!({ "path": path }))?;
        Ok(ExitCode::SUCCESS)
    }
}
