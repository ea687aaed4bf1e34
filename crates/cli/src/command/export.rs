//! `countersign export`.

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use countersign_admin::transfer::{COUNTERSIGN, RecordExport};
use countersign_core::name::TenantId;
use countersign_core::store::{ExportPart, ExportScope};
use countersign_import::export_file::{header_line, row_line};
use countersign_sqlite::SqliteStore;
use serde_json::json;

use crate::error::CliError;
use crate::identity::ActingAs;
use crate::invocation::{Invocation, open_at, run_on};
use crate::json;
use crate::new_file::NewFile;
use crate::progress::Progress;

#[derive(Args, Debug)]
pub(crate) struct Export {
    /// The file to make, or `-` for standard output. It must not be there yet.
    file: PathBuf,
    /// This tenant alone, with the users that have grants in it.
    #[arg(long, value_name = "T", value_parser = TenantId::parse)]
    tenant: Option<TenantId>,
    /// With the seeds of second factors and the private halves of signing keys,
    /// as the key file sealed them. Without it, users with a second factor keep
    /// it and can't log in until it is enrolled again.
    #[arg(long)]
    with_sealed: bool,
}

impl Export {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let scope = ExportScope {
            tenant: self.tenant,
            with_sealed: self.with_sealed,
        };
        if self.file == Path::new(STANDARD_OUTPUT) {
            let store = begin(invocation, &scope)?;
            let mut stdout = BufWriter::with_capacity(BUFFER, io::stdout().lock());
            let is_seen = io::stdout().is_terminal();
            let progress = (!is_seen).then(Progress::default);
            write(&store, &scope, &mut stdout, progress)?;
            return Ok(ExitCode::SUCCESS);
        }
        let file = NewFile::create(&self.file)?;
        let rows = {
            let _here = ActingAs::for_keeper_of(&invocation.store)?;
            let store = begin(invocation, &scope)?;
            let mut output = BufWriter::with_capacity(BUFFER, file.file());
            write(&store, &scope, &mut output, Some(Progress::default()))?
        };
        let made = json!({ "path": file.path(), "rows": rows });
        file.keep()?;
        invocation.output.record(&made)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Opens the store and has the audit take note of the export.
fn begin(invocation: &Invocation, scope: &ExportScope) -> Result<SqliteStore, CliError> {
    let mut store = open_at(&invocation.store, invocation.output)?;
    let record = RecordExport {
        scope: scope.clone(),
        form: COUNTERSIGN,
    };
    run_on(&mut store, &record)?;
    Ok(store)
}

/// Writes the export; returns how many rows it has.
fn write(
    store: &SqliteStore,
    scope: &ExportScope,
    output: &mut impl Write,
    mut progress: Option<Progress>,
) -> Result<u64, CliError> {
    let (mut total, mut done) = (0, 0_u64);
    let written = store.export::<CliError>(scope, |part| {
        match part {
            ExportPart::Header(header) => {
                total = header.all_rows();
                json::write_line(&mut *output, &header_line(&header))?;
            }
            ExportPart::Row(row) => {
                done = done.saturating_add(1);
                if let Some(progress) = &mut progress {
                    progress.show(done, total);
                }
                json::write_line(&mut *output, &row_line(&row))?;
            }
        }
        Ok(output.write_all(b"\n")?)
    });
    if let Some(progress) = progress {
        progress.clear();
    }
    written?;
    output.flush()?;
    Ok(done)
}

const STANDARD_OUTPUT: &str = "-";
/// What is written at once.
const BUFFER: usize = 256 * 1_024;
