//! What became of many credentials, for programs and people.

use std::process::ExitCode;

use countersign_admin::credential::{IssuedCredential, Step, Target, TargetOutcome};
use countersign_admin::view::EffectView;
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::{AT_ONCE, MOST_SHOWN};
use crate::error::{CliError, STOPPED};
use crate::output::{Mark, Output};
use crate::told::told as told_ended;
use crate::wiped;

/// What became of many credentials.
#[derive(Default, Serialize)]
pub(super) struct Report {
    #[serde(skip_serializing_if = "is_false")]
    pub(super) dry_run: bool,
    pub(super) matched: usize,
    pub(super) done: usize,
    pub(super) skipped: usize,
    pub(super) failed: Vec<Failed>,
    pub(super) sessions_ended: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stopped: Option<Stopped>,
    /// Those that a dry run would act on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) names: Vec<String>,
    /// What a dry run of a change would give and take.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) effects: Vec<EffectView>,
    /// The same for people.
    #[serde(skip)]
    pub(super) told: Vec<String>,
    /// What is printed this once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) secrets: Vec<NewSecretView>,
}

#[derive(Serialize)]
pub(super) struct Failed {
    pub(super) name: String,
    pub(super) error: String,
}

/// Where it stopped, and why.
#[derive(Serialize)]
pub(super) struct Stopped {
    /// The last that it came to; none where it came to none.
    pub(super) after: Option<String>,
    pub(super) error: String,
}

/// A new secret.
#[derive(Serialize)]
pub(super) struct NewSecretView {
    pub(super) name: String,
    #[serde(serialize_with = "as_text")]
    pub(super) secret: Zeroizing<String>,
}

impl NewSecretView {
    pub(super) fn of(issued: &IssuedCredential) -> Self {
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
    pub(super) fn add(&mut self, targets: &[Target], step: Step, are_shown: bool) -> bool {
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
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.names.iter().rev().take(AT_ONCE).any(|it| it == name)
    }

    /// Prints what became of them. Where none was done and something failed, that is a
    /// refusal.
    pub(super) fn finish(self, output: Output, done_to: &str) -> Result<ExitCode, CliError> {
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
        let mark = if is_whole { Mark::Done } else { Mark::Doubtful };
        let keys = ["failed", "names", "effects", "secrets"];
        output.made(mark, &self.in_words(done_to), &self, &keys, &more)?;
        if let Some(stopped) = &self.stopped {
            output.warn(&stopped.in_words());
        }
        Ok(if is_whole {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(STOPPED)
        })
    }

    /// What became of them, in one line.
    fn in_words(&self, done_to: &str) -> String {
        let would_be = if self.dry_run { "would be " } else { "" };
        let matched = self.matched;
        let mut said = match (self.done, matched) {
            (_, 0) => "no credential is selected".into(),
            (1, 1) => format!("1 credential {would_be}{done_to}"),
            (done, _) => format!("{done} of {matched} credentials {would_be}{done_to}"),
        };
        if self.skipped > 0 {
            said.push_str(&format!(" · {} skipped", self.skipped));
        }
        if !self.failed.is_empty() {
            said.push_str(&format!(" · {} failed", self.failed.len()));
        }
        told_ended(&said, self.sessions_ended)
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

/// So many are told in one line.
const FEW: usize = 5;
