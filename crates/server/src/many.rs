//! An act on many credentials, a few in each transaction.

use std::sync::Arc;
use std::time::Duration;

use countersign_admin::Mode;
use countersign_admin::credential::{
    ActOnTarget, ListCredentials, ManyAct, Target, act_on, find_targets,
};
use countersign_admin::view::ManyView;
use countersign_core::store::{CredentialQuery, Page};

use crate::answer::Answer;
use crate::call::Call;
use crate::problem::Problem;

/// Finds those that a query selects.
pub(crate) fn selected(
    call: &mut Call<'_>,
    query: &CredentialQuery,
) -> Result<Vec<Target>, Problem> {
    let list = ListCredentials {
        query: query.clone(),
        page: Page::default(),
    };
    call.with_context(|store, context| find_targets(store, context, list, MOST_SELECTED))
}

/// An act that is being done to many.
pub(crate) struct Running {
    act: Arc<ManyAct>,
    selection: Arc<CredentialQuery>,
    targets: Vec<Target>,
    /// How many of them it came to.
    reached: usize,
    mode: Mode,
    report: ManyView,
}

/// Answers with what was done.
pub(crate) type Finish = fn(&ManyView) -> Result<Answer, Problem>;

impl Running {
    /// An act that is to be done to these, as far as they are still what was selected.
    pub(crate) fn new(
        act: ManyAct,
        selection: CredentialQuery,
        targets: Vec<Target>,
        mode: Mode,
    ) -> Self {
        let report = ManyView {
            dry_run: mode == Mode::DryRun,
            matched: targets.len(),
            ..ManyView::default()
        };
        Self {
            act: Arc::new(act),
            selection: Arc::new(selection),
            targets,
            reached: 0,
            mode,
            report,
        }
    }

    /// Acts on some more, and lets others have the thread before those that are left.
    pub(crate) fn go_on(mut self, call: &mut Call<'_>, finish: Finish) -> Result<Answer, Problem> {
        let mode = self.mode;
        let report = &mut self.report;
        let left = self.targets.get(self.reached..).unwrap_or_default();
        let targets = left.get(..ActOnTarget::AT_ONCE).unwrap_or(left);
        let acts = ActOnTarget::all(&self.act, &self.selection, targets);
        let step = call.with_context(|store, context| {
            Ok(act_on(store, context, &acts, mode, &mut |_| Ok(())))
        })?;
        let done_before = report.done;
        let told = |error| Problem::from(error).detail;
        let is_stopped = report.add(targets, step, true, told);
        if mode == Mode::Commit {
            let done = report.done.saturating_sub(done_before);
            let done = u64::try_from(done).unwrap_or(u64::MAX);
            call.counts.add_acts(self.act.audited_as(), done);
        }
        preview(call, &self.act, targets, report)?;
        self.reached = self.reached.saturating_add(targets.len());
        if is_stopped || self.reached >= self.targets.len() {
            return finish(&self.report);
        }
        let rest = move |call: &mut Call<'_>| self.go_on(call, finish);
        Ok(Answer::later(Duration::ZERO, rest))
    }
}

/// Adds to the report what those of these would gain and lose that a dry run of a change
/// came to.
fn preview(
    call: &mut Call<'_>,
    act: &ManyAct,
    targets: &[Target],
    report: &mut ManyView,
) -> Result<(), Problem> {
    let Some(preview) = report.preview(act, targets) else {
        return Ok(());
    };
    let effects = call.run(&preview)?;
    report.add_effects(&effects);
    Ok(())
}

/// So many are selected at once.
const MOST_SELECTED: usize = 100_000;
