//! From what a source wants and what the store holds to steps and a report.
//!
//! The plan is whole before anything is written. Roles come before credentials, and
//! what only takes away before what gives; a credential comes with all its rules.
//! So nothing may do more in between than at the end, and an import that was
//! interrupted is run again.

use core::ops::ControlFlow;

use countersign_admin::import::{ImportedTenant, LookUpCredentials};
use countersign_admin::taking::{TakeFromRest, Taking};
use countersign_admin::{AdminError, Context, dry_run, run, run_unsynced};
use countersign_core::name::LoginName;
use countersign_core::store::AdminStore;

use self::client_ids::try_client_ids;
use self::desired::{Desired, DesiredCredential};
use self::gone::Gone;
use self::planner::Planner;
use crate::import_error::ImportError;
use crate::report::{Created, Report};

mod again;
pub(crate) mod attempt;
mod client_ids;
pub(crate) mod desired;
mod fit;
mod gone;
mod made;
mod options;
mod planner;
mod rows;
mod step;
pub(crate) mod tenant;
mod told;

pub(crate) use self::made::check_own;
pub use self::options::{ImportOptions, TenantOptions};
pub(crate) use self::rows::{MEND, RowPlanner};
pub use self::step::IssuedSecret;
pub(crate) use self::step::{MOST_IN_A_STEP, Step};

/// What an import would write, and what becomes of each line of its source.
#[expect(missing_debug_implementations, reason = "it holds secrets")]
pub struct Plan {
    report: Report,
    steps: Vec<Step>,
    taking: Taking,
}

/// Who hears of the steps of a plan as it is written.
pub trait Writing {
    /// Keeps the secrets that a step made, before it counts: where that fails, the step
    /// never happened.
    ///
    /// # Errors
    ///
    /// Returns why they could not be kept.
    fn keep(&mut self, secrets: &[IssuedSecret]) -> Result<(), AdminError> {
        let _later = secrets;
        Ok(())
    }

    /// A step is done, as so many of how many: its secrets work from now on. Says whether
    /// to go on.
    fn done(&mut self, secrets: Vec<IssuedSecret>, done: u64, all: u64) -> ControlFlow<()>;
}

impl<F: FnMut(Vec<IssuedSecret>, u64, u64) -> ControlFlow<()>> Writing for F {
    fn done(&mut self, secrets: Vec<IssuedSecret>, done: u64, all: u64) -> ControlFlow<()> {
        self(secrets, done, all)
    }
}

/// Why a plan was not written to its end.
#[derive(Debug, thiserror::Error)]
#[error("not all of it was written")]
pub struct ApplyError {
    /// What was written until then.
    pub report: Report,
    /// Why it stopped; none where it was told to.
    pub error: Option<AdminError>,
}

impl ApplyError {
    /// Whether something was written.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.report.updated > 0 || self.report.created != Created::default()
    }
}

impl Plan {
    /// What would become of each line, and what would be made.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// Writes it step by step. It ends behind a step where `writing` says so. All steps
    /// are synced to disk at the end: one that a power failure undoes is made by the import
    /// that is run again.
    ///
    /// # Errors
    ///
    /// Returns [`ApplyError`] where a step is refused, as when the store changed
    /// meanwhile, or its secrets could not be kept. The steps before it are written, and
    /// the import can be run again.
    pub fn apply<S: AdminStore>(
        self,
        store: &mut S,
        context: &mut Context<'_>,
        mut writing: impl Writing,
    ) -> Result<Report, Box<ApplyError>> {
        let Self {
            mut report,
            steps,
            taking,
        } = self;
        (report.created, report.updated) = (Created::default(), 0);
        let total = u64::try_from(steps.len()).unwrap_or(u64::MAX);
        let written = steps
            .into_iter()
            .zip(1..)
            .try_for_each(|(command, number)| {
                let (created, updated) = (command.created(), command.updated());
                let command = TakeFromRest { command, taking };
                let issued = run_unsynced(store, context, &command, |issued| writing.keep(issued));
                let issued = issued.map_err(Some)?;
                report.count(&created, updated);
                match writing.done(issued, number, total) {
                    ControlFlow::Break(()) if number < total => Err(None),
                    ControlFlow::Break(()) | ControlFlow::Continue(()) => Ok(()),
                }
            });
        let synced = store.sync_commits().map_err(AdminError::from);
        match written.and(synced.map_err(Some)) {
            Ok(()) => {
                report.applied = true;
                Ok(report)
            }
            Err(error) => Err(Box::new(ApplyError { report, error })),
        }
    }
}

/// Looks up what an import has to know of its tenant, and refuses operators where
/// they can't be.
pub(crate) fn look_up_tenant<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    options: &ImportOptions,
) -> Result<ImportedTenant, ImportError> {
    let found = tenant::look_up(store, context, &options.tenant)?;
    if !options.operators.is_empty() && !found.others.is_empty() {
        return Err(ImportError::Refused(
            "users become operators only in a store without other tenants: an operator stands \
             outside of all"
                .into(),
        ));
    }
    Ok(found)
}

/// Plans what `desired` comes to.
pub(crate) fn plan<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    options: &ImportOptions,
    found: &ImportedTenant,
    mut desired: Desired,
) -> Result<Plan, ImportError> {
    let mut planner = Planner::new(options, found, &desired)?;
    let taking = options.taking;
    let making = planner.tenant(&desired);
    let making = making.map(|step| tried(store, context, step, taking));
    let making = making.transpose()?;
    let gone = Gone::of(&desired);
    let mut gone_roles = gone.roles(found, &desired);
    let mut gone_items = gone.credentials(store, context, found)?;
    if options.update {
        gone_items.extend(gone.denying(found, &mut gone_roles));
        desired.roles.extend(gone_roles);
    } else {
        let told = gone.sum(found, &gone_roles, &gone_items);
        gone_items = told.into_iter().collect();
    }
    for role in desired.roles {
        planner.role(role);
    }
    let mut credentials = desired.credentials.into_iter();
    loop {
        let page: Vec<DesiredCredential> = credentials.by_ref().take(LOOKED_UP_AT_ONCE).collect();
        if page.is_empty() {
            break;
        }
        let names: Vec<LoginName> = page.iter().filter_map(|it| it.login.clone().ok()).collect();
        let mut known = run(store, context, &LookUpCredentials(names))?.into_iter();
        let page = page.into_iter().map(|credential| {
            let known = match &credential.login {
                Ok(_) => known.next().flatten(),
                Err(_) => None,
            };
            (credential, known)
        });
        let page: Vec<_> = page.collect();
        let tried = try_client_ids(store, context, options, making.as_ref(), &page)?;
        for ((credential, known), tried) in page.into_iter().zip(tried) {
            planner.credential(credential, known, tried);
        }
    }
    desired.items.extend(gone_items);
    let (report, steps) = planner.finish(making, desired.items);
    Ok(Plan {
        report,
        steps,
        taking,
    })
}

/// A step that would be accepted now.
pub(crate) fn tried<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    step: Step,
    taking: Taking,
) -> Result<Step, ImportError> {
    let command = TakeFromRest {
        command: step,
        taking,
    };
    dry_run(store, context, &command)?;
    Ok(command.command)
}

/// So many names are looked up, or rows tried, in one look at the store.
pub(crate) const LOOKED_UP_AT_ONCE: usize = 500;
