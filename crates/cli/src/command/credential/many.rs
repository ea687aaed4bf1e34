//! An act on many credentials: asked for, done step by step, and summed up.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use countersign_admin::credential::{
    ActOnTarget, IssuedCredential, ManyAct, PreviewChanges, Step, Target, TargetOutcome, act_on,
};
use countersign_admin::role::ChangeEffect;
use countersign_admin::view::EffectView;
use countersign_admin::{AdminError, Mode};
use countersign_sqlite::SqliteStore;
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::selection::ManyChosen;
use crate::command::role::in_words;
use crate::error::{CliError, STOPPED};
use crate::invocation::{Invocation, as_caller, run_on};
use crate::output::Output;
use crate::progress::Progress;
use crate::secret_file::SecretFile;
use crate::wiped;

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
        dry_run: chosen.is_dry_run,
        matched: targets.len(),
        ..Report::default()
    };
    act.do_to(&mut store, &targets, &mut secrets, &mut report)?;
    secrets.close(&mut report)?;
    report.finish(invocation.output)
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
        store: &mut SqliteStore,
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
        let mut progress = Progress::default();
        let as_u64 = |count| u64::try_from(count).unwrap_or(u64::MAX);
        for (step, targets) in (0_u64..).zip(targets.chunks(AT_ONCE)) {
            let acts: Vec<_> = targets
                .iter()
                .map(|target| ActOnTarget {
                    act: Arc::clone(&self.act),
                    selection: Arc::clone(&selection),
                    target: target.clone(),
                })
                .collect();
            let done = as_caller(|context| {
                act_on(store, context, &acts, mode, &mut |issued| {
                    secrets.keep(issued)
                })
            });
            let is_stopped = report.add(targets, done, secrets.file.is_none());
            self.preview(store, targets, report)?;
            let reached = step.saturating_add(1).saturating_mul(as_u64(AT_ONCE));
            progress.show(reached.min(as_u64(report.matched)), as_u64(report.matched));
            if is_stopped {
                break;
            }
        }
        progress.clear();
        Ok(())
    }

    /// What these would gain and lose, in a dry run of a change.
    fn preview(
        &self,
        store: &mut SqliteStore,
        targets: &[Target],
        report: &mut Report,
    ) -> Result<(), CliError> {
        let ManyAct::Set(changes) = &*self.act else {
            return Ok(());
        };
        if !self.chosen.is_dry_run || report.effects.len() >= MOST_SHOWN {
            return Ok(());
        }
        let reached = targets.iter().map(|target| &target.name);
        let would_be_done = reached.filter(|name| report.is_named(name.as_str()));
        let preview = PreviewChanges {
            names: would_be_done.cloned().collect(),
            changes: changes.as_ref().clone(),
        };
        let effects = run_on(store, &preview)?;
        report.effects.extend(effects.iter().map(EffectView::of));
        report.effects.truncate(MOST_SHOWN);
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
        let mut made = issued.iter().map(|it| NewSecretView::of(it));
        let written = made.try_for_each(|it| file.add(&it.name, &it.secret));
        written
            .and_then(|()| file.sync())
            .map_err(AdminError::secrets_not_kept)
    }

    /// Keeps the file, where it holds something.
    fn close(self, report: &mut Report) -> Result<(), CliError> {
        match self.file {
            Some(file) if report.done > 0 => file.keep(),
            Some(_) | None => Ok(()),
        }
    }
}

/// What became of many credentials.
#[derive(Default, Serialize)]
struct Report {
    #[serde(skip_serializing_if = "is_false")]
    dry_run: bool,
    matched: usize,
    done: usize,
    skipped: usize,
    failed: Vec<Failed>,
    sessions_ended: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<Stopped>,
    /// Those that a dry run would act on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    names: Vec<String>,
    /// What a dry run of a change would give and take.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    effects: Vec<EffectView>,
    /// The same for people.
    #[serde(skip)]
    told: Vec<String>,
    /// What is printed this once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<NewSecretView>,
}

#[derive(Serialize)]
struct Failed {
    name: String,
    error: String,
}

/// Where it stopped, and why.
#[derive(Serialize)]
struct Stopped {
    /// The last that it came to; none where it came to none.
    after: Option<String>,
    error: String,
}

/// A new secret.
#[derive(Serialize)]
struct NewSecretView {
    name: String,
    #[serde(serialize_with = "as_text")]
    secret: Zeroizing<String>,
}

impl NewSecretView {
    fn of(issued: &IssuedCredential) -> Self {
        let made = issued.secret.as_ref().map_or(&[][..], |it| it.expose());
        // Generated secrets are printable characters.
        let secret = wiped::display(&core::str::from_utf8(made).unwrap_or_default());
        Self {
            name: issued.described.credential.name.to_string(),
            secret,
        }
    }
}

impl Report {
    /// Adds what became of a step, with its secrets where they are shown; says whether it
    /// stopped there.
    fn add(&mut self, targets: &[Target], step: Step, are_shown: bool) -> bool {
        let mut last = None;
        for (target, outcome) in targets.iter().zip(step.outcomes) {
            last = Some(target.name.to_string());
            match outcome {
                Ok(TargetOutcome::Done {
                    issued,
                    sessions_ended,
                }) => {
                    let shown = issued.filter(|_| are_shown && !self.dry_run);
                    self.secrets.extend(shown.map(|it| NewSecretView::of(&it)));
                    self.done = self.done.saturating_add(1);
                    self.sessions_ended = self.sessions_ended.saturating_add(sessions_ended);
                    if self.dry_run && self.names.len() < MOST_SHOWN {
                        self.names.push(target.name.to_string());
                    }
                }
                Ok(TargetOutcome::Skipped) => self.skipped = self.skipped.saturating_add(1),
                Err(error) if self.failed.len() < MOST_SHOWN => self.failed.push(Failed {
                    name: target.name.to_string(),
                    error: CliError::from(error).text(),
                }),
                Err(_) => {}
            }
        }
        let Some(error) = step.stopped else {
            return false;
        };
        self.stopped = Some(Stopped {
            after: last,
            error: CliError::from(error).text(),
        });
        true
    }

    /// Says whether a dry run would act on the credential of this name.
    fn is_named(&self, name: &str) -> bool {
        self.names.iter().rev().take(AT_ONCE).any(|it| it == name)
    }

    /// Prints what became of them. Where none was done and something failed, that is a
    /// refusal.
    fn finish(self, output: Output) -> Result<ExitCode, CliError> {
        let is_whole = self.failed.is_empty() && self.stopped.is_none();
        if !is_whole && self.done == 0 {
            return Err(CliError::refused(self.why_none()));
        }
        let failed = self.failed.iter();
        let failed = failed.map(|it| ("failed", format!("`{}`: {}", it.name, it.error)));
        let stopped = self.stopped.iter().map(|it| ("stopped", it.in_words()));
        let names = self.names.iter().map(|name| ("names", name.clone()));
        let effects = self.told.iter().map(|line| ("effects", line.clone()));
        let plain = failed.chain(stopped).chain(names).chain(effects);
        let mut more: Vec<_> = plain
            .map(|(key, text)| (key, Zeroizing::new(text)))
            .collect();
        let secrets = self.secrets.iter();
        more.extend(secrets.map(|it| {
            let line = wiped::display(&format_args!("{} {}", it.name, it.secret.as_str()));
            ("secrets", line)
        }));
        output.record_with(&self, &more)?;
        if let Some(stopped) = &self.stopped {
            output.warn(&stopped.in_words());
        }
        Ok(if is_whole {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(STOPPED)
        })
    }

    /// Why none was done, in one line.
    fn why_none(&self) -> String {
        let named = self.failed.iter().take(FEW);
        let mut said: Vec<_> = named.map(|it| it.error.clone()).collect();
        let more = self.failed.len().saturating_sub(FEW);
        if more > 0 {
            said.push(format!("and {more} more"));
        }
        said.extend(self.stopped.as_ref().map(|it| it.error.clone()));
        format!("none of {} was done: {}", self.matched, said.join("; "))
    }
}

impl Stopped {
    fn in_words(&self) -> String {
        match &self.after {
            Some(name) => format!("stopped after `{name}`: {}; go on with --after", self.error),
            None => format!("stopped: {}", self.error),
        }
    }
}

fn as_text<S: Serializer>(secret: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret)
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_false(value: &bool) -> bool {
    !*value
}

/// So many a transaction: brokers wait for its lock.
const AT_ONCE: usize = 50;
/// So many of a list are told.
const MOST_SHOWN: usize = 1_000;
/// So many are told in one line.
const FEW: usize = 5;
