//! `countersign import csv`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use countersign_admin::AdminError;
use countersign_core::name::TenantId;
use countersign_core::scheme::SchemeName;
use countersign_import::{CsvOptions, CsvSource, IssuedSecret, Report};

use super::arguments::{Consent, TopicArguments, told};
use super::report::{Written, print_with, secret_of};
use crate::error::{CliError, STOPPED};
use crate::input::Expiry;
use crate::invocation::{Invocation, as_caller, now};
use crate::keys::{REPORT, SECRETS, Shows};
use crate::output::Output;
use crate::secret_file::SecretFile;

#[derive(Args, Debug)]
pub(crate) struct ImportCsv {
    /// The table. Its first line names its columns: any of name, scheme, tenant,
    /// secret, password, password_hash, client_id, groups, roles, description, state,
    /// expires, not_before, attr.NAME. Lists are divided by `;`.
    file: PathBuf,
    /// The scheme of rows that name none.
    #[arg(long, value_name = "S", value_parser = SchemeName::parse, default_value = "basic")]
    scheme: SchemeName,
    /// The tenant of rows that name none. It is made, if there is none of this name.
    #[arg(long, value_name = "T", value_parser = TenantId::parse)]
    tenant: Option<TenantId>,
    #[command(flatten)]
    topics: TopicArguments,
    /// A new file, readable by you alone, for the secrets that are made. Without it
    /// they are printed with the report.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Take over secrets of fewer than 64 random bits, too, as Argon2id hashes.
    #[arg(long)]
    accept_weak: bool,
    #[command(flatten)]
    consent: Consent,
}

impl ImportCsv {
    /// What is printed.
    pub(super) fn shows(&self) -> Shows {
        let is_shown = self.output.is_none() && !self.consent.dry_run;
        Shows::all_of(&[REPORT, SECRETS]).once("secrets", is_shown)
    }

    pub(super) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let source = CsvSource::read(&self.file).map_err(told)?;
        let instant = |text: &str| {
            let read = Expiry::parse(text).map_err(|error| error.to_string());
            read.map(|expiry| expiry.seen_from(now()))
        };
        let options = CsvOptions {
            taking: self.topics.taking(),
            tenant: self.tenant.map(|tenant| self.topics.of(tenant)),
            scheme: self.scheme,
            accept_weak: self.accept_weak,
            update: self.consent.update,
            dry_run: self.consent.dry_run,
            instant: &instant,
        };
        let mut store = invocation.open()?;
        as_caller(|context| {
            let plan = source.plan(&mut store, context, &options).map_err(told)?;
            let output = self.output.as_deref();
            let mut issued = Issued::default();
            match output {
                Some(path) if self.consent.writes(&plan) => {
                    issued.file = Some(SecretFile::create(path)?);
                }
                Some(path) => SecretFile::check_is_free(path)?,
                None => {}
            }
            let output = invocation.output;
            self.consent
                .finish(output, plan, &mut store, context, issued)
        })
    }
}

/// The secrets that were made.
#[derive(Default)]
pub(super) struct Issued {
    /// Where they are written, before they work.
    file: Option<SecretFile>,
    /// Whether what was written last does not work yet.
    is_ahead: bool,
    /// Those that are printed.
    pub(super) printed: Vec<IssuedSecret>,
}

impl Issued {
    /// Writes secrets before they count: one that is lost could be given to no device.
    pub(super) fn keep(&mut self, secrets: &[IssuedSecret]) -> Result<(), AdminError> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let lines = secrets.iter().map(|it| (it.name.as_str(), secret_of(it)));
        file.add(lines).map_err(AdminError::secrets_not_kept)?;
        self.is_ahead = true;
        Ok(())
    }

    /// Takes secrets that work from now on.
    pub(super) fn take(&mut self, secrets: Vec<IssuedSecret>) {
        self.is_ahead = false;
        if self.file.is_none() {
            self.printed.extend(secrets);
        }
    }

    /// Keeps the file, without secrets that never worked. One without a secret is gone
    /// where this is not called.
    pub(super) fn close(&mut self) -> Result<(), CliError> {
        let Some(mut file) = self.file.take() else {
            return Ok(());
        };
        if self.is_ahead {
            file.take_back()?;
        }
        file.keep()
    }

    /// Prints a report with the secrets that are printed. Those that can't be are lost, and
    /// so it says whose they are.
    pub(super) fn show(
        &self,
        output: Output,
        report: &Report,
        written: Written,
    ) -> Result<ExitCode, CliError> {
        let shown = print_with(output, report, written, &self.printed);
        match shown {
            Err(error) if !self.printed.is_empty() => {
                let names: Vec<_> = self.printed.iter().map(|it| it.name.as_str()).collect();
                output.warn(&format!(
                    "the credentials are made, and their secrets could not be printed ({}): give \
                     each another one by `credential reset-password NAME`: {}",
                    error.text(),
                    names.join(", ")
                ));
                Ok(ExitCode::from(STOPPED))
            }
            shown => shown.map(|()| ExitCode::SUCCESS),
        }
    }
}
