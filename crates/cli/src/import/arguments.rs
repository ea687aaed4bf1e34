//! What is said of every import, and how one is written and reported.

use core::ops::ControlFlow;
use std::process::ExitCode;

use clap::Args;
use countersign_admin::namespace::parse_namespace;
use countersign_admin::taking::Taking;
use countersign_admin::{AdminError, Context};
use countersign_core::name::{LoginName, TenantId};
use countersign_core::topic::TopicFilter;
use countersign_import::{ImportError, ImportOptions, IssuedSecret, Plan, TenantOptions, Writing};
use countersign_store::AnyStore;

use super::csv::Issued;
use super::report::{self, Written};
use crate::error::{CliError, STOPPED};
use crate::interrupt::{INTERRUPTED, Interrupt};
use crate::invocation::{Invocation, as_caller};
use crate::output::Output;
use crate::progress::Progress;

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
    pub(super) fn taking(&self) -> Taking {
        if self.take {
            Taking::Filtering
        } else {
            Taking::Refused
        }
    }

    /// The tenant that these are the topics of.
    pub(super) fn of(self, id: TenantId) -> TenantOptions {
        let namespaces = self.namespaces;
        TenantOptions { id, namespaces }
    }
}

/// What may be written.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Consent {
    /// Say what would become of each line, and write nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Write it, although something is lost.
    #[arg(long)]
    accept_losses: bool,
    /// Change what an earlier import made, where the source has changed since.
    #[arg(long)]
    pub(super) update: bool,
}

impl ImportArguments {
    pub(super) fn import(
        self,
        invocation: &Invocation,
        plan: impl FnOnce(&mut AnyStore, &mut Context<'_>, &ImportOptions) -> Result<Plan, ImportError>,
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
    pub(super) fn writes(self, plan: &Plan) -> bool {
        !self.dry_run && !self.stops(plan)
    }

    pub(super) fn stops(self, plan: &Plan) -> bool {
        !plan.report().lost.is_empty() && !self.accept_losses
    }

    /// Writes a plan, if that is wanted, and prints its report.
    pub(super) fn finish(
        self,
        output: Output,
        plan: Plan,
        store: &mut AnyStore,
        context: &mut Context<'_>,
        mut issued: Issued,
    ) -> Result<ExitCode, CliError> {
        let stopped = ExitCode::from(STOPPED);
        if !self.writes(&plan) {
            report::print(output, plan.report(), Written::Nothing)?;
            let stops = self.stops(&plan);
            return Ok(if stops { stopped } else { ExitCode::SUCCESS });
        }
        let mut writing = Shown {
            issued: &mut issued,
            interrupt: Interrupt::watch()?,
            progress: Progress::default(),
        };
        let applied = plan.apply(store, context, &mut writing);
        writing.progress.clear();
        match applied {
            Ok(done) => {
                let closed = issued.close();
                let shown = issued.show(output, &done, Written::All)?;
                closed.map(|()| shown)
            }
            Err(failed) => {
                let why = match &failed.error {
                    Some(error) => error.to_string(),
                    None => INTERRUPTED.into(),
                };
                if !failed.has_begun() {
                    return Err(failed
                        .error
                        .map_or_else(|| CliError::refused(why), Into::into));
                }
                let closed = issued.close();
                issued.show(output, &failed.report, Written::Some)?;
                output.warn(&format!(
                    "{why}; what was not written yet is by the same command"
                ));
                closed.map(|()| stopped)
            }
        }
    }
}

/// Shows how far a plan is written, and keeps its secrets.
struct Shown<'a> {
    issued: &'a mut Issued,
    interrupt: Interrupt,
    progress: Progress,
}

impl Writing for &mut Shown<'_> {
    fn keep(&mut self, secrets: &[IssuedSecret]) -> Result<(), AdminError> {
        self.issued.keep(secrets)
    }

    fn done(&mut self, secrets: Vec<IssuedSecret>, done: u64, all: u64) -> ControlFlow<()> {
        self.issued.take(secrets);
        self.progress.show(done, all);
        if self.interrupt.is_asked() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// The refusal of an import, with the hint that its cause has.
pub(super) fn told(error: ImportError) -> CliError {
    match error {
        ImportError::Admin(error) => error.into(),
        error @ (ImportError::Refused(_) | ImportError::Source(_) | _) => error.into(),
    }
}
