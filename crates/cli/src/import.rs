//! `countersign import`: users and rules of other systems.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use countersign_admin::Context;
use countersign_admin::namespace::parse_namespace;
use countersign_admin::taking::Taking;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::topic::TopicFilter;
use countersign_import::source::go_auth::Queries;
use countersign_import::{
    DynamicSecuritySource, GoAuthSource, ImportError, ImportOptions, MosquittoSource, Plan,
    TenantOptions,
};
use countersign_sqlite::SqliteStore;

use self::countersign::ImportCountersign;
use self::csv::{ImportCsv, Issued};
use crate::error::{CliError, STOPPED};
use crate::invocation::{Invocation, as_caller};
use crate::output::Output;
use crate::progress::Progress;

mod countersign;
mod csv;
mod report;

pub(crate) use self::report::print as print_report;

#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Take over the users and rules of Mosquitto's `password_file` and `acl_file`.
    #[command(after_help = MOSQUITTO)]
    Mosquitto(ImportMosquitto),
    /// Make credentials of a table, one a row, by their schemes.
    #[command(after_help = CSV)]
    Csv(ImportCsv),
    /// Take over clients, groups and roles of Mosquitto's dynamic-security.
    #[command(
        after_help = "Examples:\n  countersign import dynamic-security /var/lib/mosquitto/dynamic-security.json --tenant home --dry-run"
    )]
    DynamicSecurity(ImportDynamicSecurity),
    /// Take over users and rules of mosquitto-go-auth: of its files, or of an SQLite
    /// database.
    #[command(
        after_help = "Examples:\n  countersign import go-auth --passwords /etc/mosquitto/passwd --acl /etc/mosquitto/acl --tenant home --dry-run"
    )]
    GoAuth(ImportGoAuth),
    /// Take over what `export` wrote, into a store that holds nothing yet.
    ///
    /// The file is read and checked whole before anything is written. Numbers,
    /// generations, hashes and digests stay what they were. `docs/store.md` says
    /// what is in an export and what is not.
    #[command(
        after_help = "Examples:\n  countersign import countersign export.jsonl --dry-run\n  countersign import countersign export.jsonl"
    )]
    Countersign(ImportCountersign),
}

impl ImportCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::Countersign(import) => import.run(invocation),
            Self::Csv(import) => import.run(invocation),
            Self::DynamicSecurity(import) => import.run(invocation),
            Self::GoAuth(import) => import.run(invocation),
            Self::Mosquitto(import) => import.run(invocation),
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct ImportMosquitto {
    /// The broker's configuration, which names both files and says whether clients
    /// are let in without a login.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present_any = ["passwords", "acl"],
        conflicts_with_all = ["passwords", "acl"]
    )]
    config: Option<PathBuf>,
    /// The `password_file`.
    #[arg(long, value_name = "FILE")]
    passwords: Option<PathBuf>,
    /// The `acl_file`.
    #[arg(long, value_name = "FILE")]
    acl: Option<PathBuf>,
    #[command(flatten)]
    how: ImportArguments,
}

impl ImportMosquitto {
    fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let source = match &self.config {
            Some(config) => MosquittoSource::read_config(config),
            None => MosquittoSource::read_files(self.passwords.as_deref(), self.acl.as_deref()),
        };
        let source = source.map_err(told)?;
        self.how.import(invocation, |store, context, options| {
            source.plan(store, context, options)
        })
    }
}

#[derive(Args, Debug)]
pub(crate) struct ImportDynamicSecurity {
    /// The plugin's file.
    file: PathBuf,
    #[command(flatten)]
    how: ImportArguments,
}

impl ImportDynamicSecurity {
    fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let source = DynamicSecuritySource::read(&self.file).map_err(told)?;
        self.how.import(invocation, |store, context, options| {
            source.plan(store, context, options)
        })
    }
}

#[derive(Args, Debug)]
pub(crate) struct ImportGoAuth {
    /// The file of passwords.
    #[arg(
        long,
        value_name = "FILE",
        requires = "acl",
        required_unless_present = "sqlite"
    )]
    passwords: Option<PathBuf>,
    /// The file of rules.
    #[arg(long, value_name = "FILE", requires = "passwords")]
    acl: Option<PathBuf>,
    /// The database. It is opened for reading, and its queries may do nothing else.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["passwords", "acl"])]
    sqlite: Option<PathBuf>,
    #[command(flatten)]
    queries: QueryArguments,
    #[command(flatten)]
    how: ImportArguments,
}

/// The queries of a database. Without them, those of mosquitto-go-auth's examples.
#[derive(Args, Debug)]
struct QueryArguments {
    /// Lists the names of all users.
    #[arg(long, value_name = "Q", requires = "sqlite")]
    users_query: Option<String>,
    /// Gives the hash of the user `?`.
    #[arg(long, value_name = "Q", requires = "sqlite")]
    user_query: Option<String>,
    /// Gives a number over 0 where the user `?` may do everything; empty where
    /// nobody may.
    #[arg(long, value_name = "Q", requires = "sqlite")]
    super_query: Option<String>,
    /// Gives the topics that the user `?1` has the access `?2` to; empty where
    /// everything is allowed to all.
    #[arg(long, value_name = "Q", requires = "sqlite")]
    acl_query: Option<String>,
}

impl QueryArguments {
    fn queries(self) -> Queries {
        let usual = Queries::default();
        let or_none = |given: Option<String>, usual| match given {
            Some(query) => Some(query).filter(|query| !query.is_empty()),
            None => usual,
        };
        Queries {
            users: self.users_query.unwrap_or(usual.users),
            user: self.user_query.unwrap_or(usual.user),
            superuser: or_none(self.super_query, usual.superuser),
            acl: or_none(self.acl_query, usual.acl),
            time_limit: usual.time_limit,
        }
    }
}

impl ImportGoAuth {
    fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let queries = self.queries.queries();
        let source = match (&self.sqlite, &self.passwords, &self.acl) {
            (Some(path), ..) => GoAuthSource::read_database(path, &queries),
            (None, Some(passwords), Some(acl)) => GoAuthSource::read_files(passwords, acl),
            (None, ..) => {
                return Err(CliError::usage("give --passwords and --acl, or --sqlite"));
            }
        };
        let source = source.map_err(told)?;
        self.how.import(invocation, |store, context, options| {
            source.plan(store, context, options)
        })
    }
}

/// What is said of every import.
#[derive(Args, Debug)]
pub(crate) struct ImportArguments {
    /// The tenant that they go to. It is made, if there is none of this name.
    #[arg(long, value_name = "T", value_parser = TenantId::parse)]
    tenant: TenantId,
    #[command(flatten)]
    topics: TopicArguments,
    /// Users that become operators: outside of all tenants, bound by their rules
    /// alone. Only in a store without other tenants.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = LoginName::parse_device)]
    operators: Vec<LoginName>,
    /// Take over passwords in plain text, too, as Argon2id hashes.
    #[arg(long)]
    accept_weak: bool,
    #[command(flatten)]
    consent: Consent,
}

/// What is said of the topics of a tenant that an import makes.
#[derive(Args, Debug)]
pub(crate) struct TopicArguments {
    /// Topics that the tenant owns, where it is made. In a store without tenants it
    /// owns `#`, all topics, unless something else is said.
    #[arg(long = "namespace", value_name = "F", requires = "tenant", value_parser = parse_namespace)]
    namespaces: Vec<TopicFilter>,
    /// Take topics from the tenant that owns `#`: those of --namespace, and of a table
    /// those that the schemes of its rows grant. That tenant subscribes `filtered` from
    /// then on.
    #[arg(long)]
    take: bool,
}

impl TopicArguments {
    fn taking(&self) -> Taking {
        if self.take {
            Taking::Filtering
        } else {
            Taking::Refused
        }
    }

    /// The tenant that these are the topics of.
    fn of(self, id: TenantId) -> TenantOptions {
        let namespaces = self.namespaces;
        TenantOptions { id, namespaces }
    }
}

/// What may be written.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Consent {
    /// Say what would become of each line, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Write it, although something is lost.
    #[arg(long)]
    accept_losses: bool,
    /// Change what an earlier import made, where the source has changed since.
    #[arg(long)]
    update: bool,
}

impl ImportArguments {
    fn import(
        self,
        invocation: &Invocation,
        plan: impl FnOnce(
            &mut SqliteStore,
            &mut Context<'_>,
            &ImportOptions,
        ) -> Result<Plan, ImportError>,
    ) -> Result<ExitCode, CliError> {
        let options = ImportOptions {
            taking: self.topics.taking(),
            tenant: self.topics.of(self.tenant),
            operators: self.operators,
            accept_weak: self.accept_weak,
            update: self.consent.update,
            dry_run: self.consent.dry_run,
        };
        let output = invocation.output;
        let mut store = invocation.open()?;
        as_caller(|context| {
            let plan = plan(&mut store, context, &options).map_err(told)?;
            let issued = Issued::default();
            self.consent
                .finish(output, plan, &mut store, context, issued)
        })
    }
}

impl Consent {
    /// Whether a plan is written.
    fn writes(self, plan: &Plan) -> bool {
        !self.dry_run && !self.stops(plan)
    }

    fn stops(self, plan: &Plan) -> bool {
        !plan.report().lost.is_empty() && !self.accept_losses
    }

    /// Writes a plan, if that is wanted, and prints its report.
    fn finish(
        self,
        output: Output,
        plan: Plan,
        store: &mut SqliteStore,
        context: &mut Context<'_>,
        mut issued: Issued,
    ) -> Result<ExitCode, CliError> {
        let stopped = ExitCode::from(STOPPED);
        if !self.writes(&plan) {
            report::print(output, plan.report())?;
            let stops = self.stops(&plan);
            return Ok(if stops { stopped } else { ExitCode::SUCCESS });
        }
        let mut progress = Progress::default();
        let applied = plan.apply(store, context, |secrets, done, all| {
            issued.take(secrets);
            progress.show(done, all);
        });
        progress.clear();
        match applied {
            Ok(done) => {
                let closed = issued.close();
                report::print_with(output, &done, &issued.printed)?;
                closed.map(|()| ExitCode::SUCCESS)
            }
            Err(failed) if failed.has_begun() => {
                let closed = issued.close();
                report::print_with(output, &failed.report, &issued.printed)?;
                let why = &failed.error;
                output.warn(&format!(
                    "{why}; what was not written yet is by the same command"
                ));
                closed.map(|()| stopped)
            }
            Err(failed) => Err(failed.error.into()),
        }
    }
}

/// The refusal of an import, with the hint that its cause has.
fn told(error: ImportError) -> CliError {
    match error {
        ImportError::Admin(error) => error.into(),
        error @ (ImportError::Refused(_) | ImportError::Source(_) | _) => error.into(),
    }
}

const CSV: &str =
    "Rows without secret, password and password_hash get a secret, which is shown this once. \
A secret in the table was given out elsewhere, and is taken over in a form that its scheme accepts.

Examples:
  printf 'name,description\\npump-1,hall 2\\n' > devices.csv
  countersign import csv devices.csv --tenant acme --dry-run
  countersign import csv devices.csv --tenant acme --output secrets.csv

Exit codes:
  0  done
  1  refused, or the table is malformed; nothing was changed
  2  the arguments make no sense
  4  something would be lost, or it stopped halfway; the report says what";

const MOSQUITTO: &str = "Nothing is written while something would be lost, unless --accept-losses \
is given. Run again, it changes nothing.

Examples:
  countersign import mosquitto --config /etc/mosquitto/mosquitto.conf --tenant home --dry-run
  countersign import mosquitto --passwords /etc/mosquitto/passwd --acl /etc/mosquitto/acl --tenant home --namespace 'home/#'

Exit codes:
  0  done
  1  refused, or a file is malformed; nothing was changed
  2  the arguments make no sense
  4  something would be lost, or it stopped halfway; the report says what";
