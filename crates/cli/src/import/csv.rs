//! `countersign import csv`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use countersign_core::name::TenantId;
use countersign_core::scheme::SchemeName;
use countersign_import::{CsvOptions, CsvSource, IssuedSecret};

use super::arguments::{Consent, TopicArguments, told};
use super::report::secret_of;
use crate::error::CliError;
use crate::input::Expiry;
use crate::invocation::{Invocation, as_caller, now};
use crate::keys::{REPORT, SECRETS, Shows};
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
            if let Some(path) = output.filter(|_| self.consent.writes(&plan)) {
                issued.file = Some(SecretFile::create(path)?);
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
    /// Where they are written, as soon as they work.
    file: Option<SecretFile>,
    /// Those that are printed.
    pub(super) printed: Vec<IssuedSecret>,
    failure: Option<std::io::Error>,
}

impl Issued {
    /// Takes secrets that work from now on.
    pub(super) fn take(&mut self, secrets: Vec<IssuedSecret>) {
        let Some(file) = &mut self.file else {
            self.printed.extend(secrets);
            return;
        };
        let lines = secrets.iter();
        if let Err(error) = file.add(lines.map(|it| (it.name.as_str(), secret_of(it)))) {
            self.failure = Some(error);
            // What can't be written must not be lost.
            self.printed.extend(secrets);
        }
    }

    /// Keeps the file, and says whether all that was to be written to it is. One
    /// without a secret is gone where this is not called.
    pub(super) fn close(&mut self) -> Result<(), CliError> {
        if let Some(file) = self.file.take() {
            file.keep()?;
        }
        match self.failure.take() {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }
}
