//! `countersign import countersign`: our own form, into an empty store.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use countersign_admin::run_after;
use countersign_admin::transfer::{COUNTERSIGN, RecordImport};
use countersign_core::hex;
use countersign_core::store::{
    AdminStore as _, AdminTransaction as _, Cell, ExportHeader, Intent, TableRow,
};
use countersign_import::export_file::open_export;
use countersign_import::{Created, Report, SourceError, SourceName};
use countersign_sqlite::{StagedSummary, StagedTables, StagingError};
use countersign_store::AnyTransaction;

use super::report::{Written, print};
use crate::error::CliError;
use crate::invocation::{Invocation, as_caller};
use crate::progress::Progress;

#[derive(Args, Debug)]
pub(crate) struct ImportCountersign {
    /// The file that `export` wrote.
    file: PathBuf,
    /// Write nothing, and say what would be written.
    #[arg(long)]
    dry_run: bool,
}

impl ImportCountersign {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let mut progress = Progress::default();
        let read = stage(&self.file, &mut progress);
        progress.clear();
        let (staged, found) = read?;
        if self.dry_run {
            let mut store = invocation.open_to_read()?;
            check_target(&mut store.begin(Intent::Read)?, staged.header())?;
        } else {
            let filled = fill(invocation, &staged, &found, &mut progress);
            progress.clear();
            filled?;
        }
        let report = report(&self.file, &found, self.dry_run);
        let written = if self.dry_run {
            Written::Nothing
        } else {
            Written::All
        };
        print(invocation.output, &report, written)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Reads and checks the whole file.
fn stage(file: &Path, progress: &mut Progress) -> Result<(StagedTables, StagedSummary), CliError> {
    let (header, mut reader) = open_export(file)?;
    let total = header.all_rows();
    let name = SourceName::of(file);
    let said = |place, error| told(file, place, error);
    let mut staged = StagedTables::begin(header).map_err(|error| said(name.line(1), error))?;
    let mut done = 0_u64;
    while let Some(row) = reader.next_row()? {
        staged
            .add(&row)
            .map_err(|error| said(reader.place(), error))?;
        done = done.saturating_add(1);
        progress.show(done, total);
    }
    let found = staged
        .complete()
        .map_err(|error| said(name.line(1), error))?;
    Ok((staged, found))
}

/// Why the file was not taken, at the place where it says so.
fn told(file: &Path, place: countersign_import::Place, error: StagingError) -> CliError {
    let place = match &error {
        StagingError::Content { table, key, .. } => match line_of(file, table, key) {
            Ok(Some(found)) => found,
            // The file is another one by now; its beginning has to do.
            Ok(None) | Err(_) => place,
        },
        StagingError::Store(_) => return error.into(),
        StagingError::Header(_) | StagingError::Row(_) | _ => place,
    };
    CliError::refused(format!("{place}: {error}"))
}

/// Where the row stands in which these columns have these values.
fn line_of(
    file: &Path,
    table: &str,
    key: &[(&'static str, String)],
) -> Result<Option<countersign_import::Place>, SourceError> {
    let (_, mut reader) = open_export(file)?;
    while let Some(row) = reader.next_row()? {
        if row.table == table && key.iter().all(|(name, value)| has(&row, name, value)) {
            return Ok(Some(reader.place()));
        }
    }
    Ok(None)
}

fn has(row: &TableRow, column: &str, value: &str) -> bool {
    let cell = row.cells.iter().find(|(name, _)| name == column);
    match cell {
        Some((_, Cell::Integer(number))) => number.to_string() == value,
        Some((_, Cell::Text(text))) => text == value,
        Some((_, Cell::Bytes(bytes))) => hex::encode(bytes) == value,
        Some((_, Cell::Null)) | None => false,
    }
}

/// Refuses a store that holds something, and one whose key file does not open
/// what is sealed.
fn check_target(
    transaction: &mut AnyTransaction<'_>,
    header: &ExportHeader,
) -> Result<(), CliError> {
    if let Some(table) = transaction.filled_table()? {
        return Err(CliError::refused(format!(
            "the store holds something already (`{table}`), and an export goes into an empty one; \
             make one with `countersign --store PATH init`"
        )));
    }
    let key = transaction.seal_key().map(|key| key.fingerprint());
    if header.scope.with_sealed && (header.key.is_none() || header.key != key) {
        return Err(CliError::refused(
            "what is sealed in the export opens under another key file than the one beside this \
             store; put that one there, or export without --with-sealed",
        ));
    }
    Ok(())
}

/// Puts all of it into the store, in one transaction. Nobody can log in to a store
/// that is empty, so no login waits for it.
fn fill(
    invocation: &Invocation,
    staged: &StagedTables,
    found: &StagedSummary,
    progress: &mut Progress,
) -> Result<(), CliError> {
    let mut store = invocation.open()?;
    let record = RecordImport {
        tenant: staged.header().scope.tenant.clone(),
        rows: found.rows,
    };
    as_caller(|context| {
        run_after::<_, _, CliError>(&mut store, context, &record, |transaction| {
            check_target(transaction, staged.header())?;
            let mut done = 0_u64;
            transaction.fill(staged, || {
                done = done.saturating_add(1);
                progress.show(done, found.rows);
            })?;
            Ok(())
        })
    })
}

fn report(file: &Path, found: &StagedSummary, dry_run: bool) -> Report {
    let mut report = Report::about(COUNTERSIGN, dry_run);
    report.applied = !dry_run;
    report.created = Created {
        tenants: found.tenants,
        credentials: found.credentials,
        operators: found.operators,
        roles: found.roles,
        rules: found.rules,
    };
    let place = SourceName::of(file).whole();
    for user in &found.without_seed {
        report.change(
            &place,
            user,
            "the seed of the second factor was left out: the user can't log in until \
             `user mfa disable` and `user mfa enrol`",
        );
    }
    for key in &found.without_private {
        report.change(
            &place,
            key,
            "the private half of the signing key was left out: its tokens count, and new ones \
             take `jwt rotate-key`",
        );
    }
    let changed = u64::try_from(report.changed.len()).unwrap_or(u64::MAX);
    report.kept = found.rows.saturating_sub(changed);
    report
}
