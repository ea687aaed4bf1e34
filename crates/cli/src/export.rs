//! `countersign export`.

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use countersign_admin::transfer::{COUNTERSIGN, RecordExport};
use countersign_core::name::TenantId;
use countersign_core::store::{ExportPart, ExportScope};
use countersign_import::export_file::header_line;
use countersign_store::AnyStore;
use serde_json::json;

use self::target::{ExportDynamicSecurity, ExportMosquitto};
use crate::error::CliError;
use crate::invocation::{Invocation, run_on};
use crate::json;
use crate::keys::{REPORT, Shows};
use crate::new_file::NewFile;
use crate::progress::Progress;

mod target;

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Export {
    #[command(subcommand)]
    target: Option<ExportTarget>,
    #[command(flatten)]
    own: OwnForm,
}

/// Files of other systems.
#[derive(Debug, Subcommand)]
enum ExportTarget {
    /// Write the users and rules of a tenant as Mosquitto's `password_file` and
    /// `acl_file`.
    ///
    /// What they can't say is left out where that takes rights away, and never
    /// where it would give some. The report names it as lost.
    #[command(
        after_help = "Examples:\n  countersign export mosquitto --tenant acme --passwords passwd --acl acl"
    )]
    Mosquitto(ExportMosquitto),
    /// Write the users, groups and roles of a tenant as the file of Mosquitto's
    /// plugin dynamic-security.
    ///
    /// What it can't say is left out where that takes rights away, and never where
    /// it would give some. The report names it as lost.
    #[command(
        after_help = "Examples:\n  countersign export dynamic-security --tenant acme dynamic-security.json"
    )]
    DynamicSecurity(ExportDynamicSecurity),
}

#[derive(Args, Debug)]
struct OwnForm {
    /// The file to make, or `-` for standard output. It must not be there yet.
    #[arg(required = true)]
    file: Option<PathBuf>,
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
    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match &self.target {
            Some(ExportTarget::DynamicSecurity(_) | ExportTarget::Mosquitto(_)) => {
                Shows::all_of(&[REPORT])
            }
            None if self.own.file.as_deref() == Some(Path::new(STANDARD_OUTPUT)) => Shows::NOTHING,
            None => Shows::all_of(&[&["path", "rows"]]),
        }
    }

    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self.target {
            None => self.own.run(invocation),
            Some(ExportTarget::DynamicSecurity(export)) => export.run(invocation),
            Some(ExportTarget::Mosquitto(export)) => export.run(invocation),
        }
    }
}

impl OwnForm {
    fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let Some(path) = self.file else {
            return Err(CliError::usage("name a file, or `-` for standard output"));
        };
        let scope = ExportScope {
            tenant: self.tenant,
            with_sealed: self.with_sealed,
        };
        if path == Path::new(STANDARD_OUTPUT) {
            let mut store = begin(invocation.open()?, &scope)?;
            let mut stdout = BufWriter::with_capacity(BUFFER, io::stdout().lock());
            let is_seen = io::stdout().is_terminal();
            let progress = (!is_seen).then(Progress::default);
            write(&mut store, &scope, &mut stdout, progress)?;
            return Ok(ExitCode::SUCCESS);
        }
        let file = NewFile::create(&path)?;
        let rows = invocation.with_store(|store| {
            let mut store = begin(store, &scope)?;
            let mut output = BufWriter::with_capacity(BUFFER, file.file());
            write(&mut store, &scope, &mut output, Some(Progress::default()))
        })?;
        let made = json!({ "path": file.path(), "rows": rows });
        let shown = file.path().to_owned();
        file.keep()?;
        let done = format!("{rows} rows written to {}", shown.display());
        invocation.output.act(&done, &made)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Has the audit of a store take note of its export.
fn begin(mut store: AnyStore, scope: &ExportScope) -> Result<AnyStore, CliError> {
    let record = RecordExport {
        scope: scope.clone(),
        form: COUNTERSIGN,
    };
    run_on(&mut store, &record)?;
    Ok(store)
}

/// Writes the export; returns how many rows it has.
fn write(
    store: &mut AnyStore,
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
                json::write_line(&mut *output, &row)?;
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
