//! An act on many credentials: asked for, done step by step, and summed up.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use countersign_admin::credential::{ActOnTarget, IssuedCredential, ManyAct, Target, act_on};
use countersign_admin::role::ChangeEffect;
use countersign_admin::view::{ManyView, NewSecretView, StoppedView};
use countersign_admin::{AdminError, Mode};
use countersign_store::AnyStore;

use self::report::Report;
use super::selection::ManyChosen;
use crate::command::role::in_words;
use crate::error::CliError;
use crate::interrupt::{INTERRUPTED, Interrupt};
use crate::invocation::{Invocation, as_caller, run_on};
use crate::progress::Progress;
use crate::secret_file::SecretFile;

mod report;

/// Does something to many credentials. New secrets go to `output`, or are printed.
pub(super) fn run(
    invocation: &Invocation,
    chosen: &ManyChosen,
    act: ManyAct,
    output: Option<PathBuf>,
) -> Result<ExitCode, CliError> {
    let mut store = invocation.open()?;
    let targets = chosen.find(&mut store)?;
    let makes_secrets = matches!(act, ManyAct::ResetPassword | ManyAct::Rotate(_));
    if makes_secrets && output.is_none() && !chosen.is_dry_run && targets.len() > MOST_SHOWN {
        return Err(CliError::usage(format!(
            "more than {MOST_SHOWN} secrets are not printed; give --output FILE"
        )));
    }
    if chosen.asks && !targets.is_empty() && !confirmed(&act, targets.len())? {
        return Err(CliError::refused(
            "nothing was changed, as you did not say yes",
        ));
    }
    let mut secrets = Secrets::default();
    if let Some(path) = output.filter(|_| !chosen.is_dry_run) {
        secrets.file = Some(SecretFile::create(&path)?);
    }
    let act = Act {
        act: Arc::new(act),
        chosen,
    };
    let mut report = Report {
        view: ManyView {
            dry_run: chosen.is_dry_run,
            matched: targets.len(),
            ..ManyView::default()
        },
        ..Report::default()
    };
    act.do_to(&mut store, &targets, &mut secrets, &mut report)?;
    secrets.close(&mut report)?;
    report.finish(invocation.output, done_to(&act.act))
}

/// What was done to one, as it is told behind its name.
pub(super) fn done_to(act: &ManyAct) -> &'static str {
    match act {
        ManyAct::Delete => "deleted",
        ManyAct::Reactivate => "reactivated",
        ManyAct::ResetPassword => "given a new secret",
        ManyAct::Revoke(_) => "revoked",
        ManyAct::Rotate(_) => "given a new secret beside the old one",
        ManyAct::Set(_) => "changed",
        ManyAct::Suspend => "suspended",
    }
}

/// What is done, and to which.
struct Act<'a> {
    act: Arc<ManyAct>,
    chosen: &'a ManyChosen,
}

impl Act<'_> {
    /// Acts step by step, up to one that can't be done.
    fn do_to(
        &self,
        store: &mut AnyStore,
        targets: &[Target],
        secrets: &mut Secrets,
        report: &mut Report,
    ) -> Result<(), CliError> {
        let selection = Arc::new(self.chosen.query.clone());
        let mode = if self.chosen.is_dry_run {
            Mode::DryRun
        } else {
            Mode::Commit
        };
        let interrupt = Interrupt::watch()?;
        let mut progress = Progress::default();
        let as_u64 = |count| u64::try_from(count).unwrap_or(u64::MAX);
        let matched = as_u64(report.view.matched);
        for (step, targets) in (0_u64..).zip(targets.chunks(AT_ONCE)) {
            let acts = ActOnTarget::all(&self.act, &selection, targets);
            let done = as_caller(|context| {
                act_on(store, context, &acts, mode, &mut |issued| {
                    secrets.keep(issued)
                })
            });
            let told = |error| CliError::from(error).text();
            let are_shown = secrets.file.is_none();
            let is_stopped = report.view.add(targets, done, are_shown, told);
            self.preview(store, targets, report)?;
            let reached = step.saturating_add(1).saturating_mul(as_u64(AT_ONCE));
            progress.show(reached.min(matched), matched);
            if is_stopped {
                break;
            }
            if interrupt.is_asked() && reached < matched {
                report.view.stopped = Some(StoppedView {
                    after: targets.last().map(|target| target.name.to_string()),
                    error: INTERRUPTED.into(),
                });
                break;
            }
        }
        progress.clear();
        Ok(())
    }

    /// What these would gain and lose, in a dry run of a change.
    fn preview(
        &self,
        store: &mut AnyStore,
        targets: &[Target],
        report: &mut Report,
    ) -> Result<(), CliError> {
        let Some(preview) = report.view.preview(&self.act, targets) else {
            return Ok(());
        };
        let effects = run_on(store, &preview)?;
        report.view.add_effects(&effects);
        report.told.extend(effects.iter().map(told));
        report.told.truncate(MOST_SHOWN);
        Ok(())
    }
}

/// What one would gain and lose, in a line.
fn told(effect: &ChangeEffect) -> String {
    let sides = [("gains", &effect.gains), ("loses", &effect.loses)];
    let sides = sides.into_iter().filter(|(_, uses)| !uses.is_empty());
    let said = sides.map(|(verb, uses)| format!("{verb} {}", in_words(uses).join(", ")));
    format!("`{}` {}", effect.name, said.collect::<Vec<_>>().join("; "))
}

/// Asks a person at a terminal; elsewhere nobody needs to say anything.
fn confirmed(act: &ManyAct, count: usize) -> Result<bool, CliError> {
    if !io::stdin().is_terminal() {
        return Ok(true);
    }
    let what = match act {
        ManyAct::Delete => "Delete",
        ManyAct::Reactivate => "Reactivate",
        ManyAct::ResetPassword => "Reset the secrets of",
        ManyAct::Revoke(_) => "Revoke, for good,",
        ManyAct::Rotate(_) => "Rotate the secrets of",
        ManyAct::Set(_) => "Change",
        ManyAct::Suspend => "Suspend",
    };
    let them = if count == 1 {
        "credential"
    } else {
        "credentials"
    };
    write!(io::stderr(), "{what} {count} {them}? [y/N] ")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// The secrets that were made.
#[derive(Default)]
struct Secrets {
    file: Option<SecretFile>,
}

impl Secrets {
    /// Writes secrets before they count: one that is lost could be given to no device.
    fn keep(&mut self, issued: &[&IssuedCredential]) -> Result<(), AdminError> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let made = issued.iter().filter_map(|it| NewSecretView::of(it));
        let made: Vec<_> = made.collect();
        file.add(made.iter().map(|it| (it.name(), it.secret())))
            .and_then(|()| file.sync())
            .map_err(AdminError::secrets_not_kept)
    }

    /// Keeps the file, where it holds something.
    fn close(self, report: &mut Report) -> Result<(), CliError> {
        match self.file {
            Some(file) if report.view.done > 0 => file.keep(),
            Some(_) | None => Ok(()),
        }
    }
}

const AT_ONCE: usize = ActOnTarget::AT_ONCE;
/// So many of a list are told.
const MOST_SHOWN: usize = ManyView::MOST_SHOWN;
