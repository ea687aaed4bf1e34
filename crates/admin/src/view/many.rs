//! What became of many credentials, as it is shown.

use serde::Serialize;

use super::{EffectView, SecretText};
use crate::credential::{ManyAct, PreviewChanges, Step, Target, TargetOutcome};
use crate::difference::ChangeEffect;
use crate::error::AdminError;
use crate::secret::IssuedCredential;

/// What became of many credentials.
#[derive(Default, Serialize)]
#[expect(missing_debug_implementations, reason = "it holds secrets")]
pub struct ManyView {
    /// Whether nothing was changed.
    #[serde(skip_serializing_if = "is_false")]
    pub dry_run: bool,
    /// How many were asked for.
    pub matched: usize,
    /// How many the act was done to.
    pub done: usize,
    /// How many were so already, or are not what was asked for any more.
    pub skipped: usize,
    /// Those that were refused, so many at most.
    pub failed: Vec<FailedView>,
    /// How many live sessions end by it.
    pub sessions_ended: u64,
    /// Where it stopped, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<StoppedView>,
    /// Those that a dry run would act on, so many at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// What a dry run of a change would give and take.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<EffectView>,
    /// What is shown this once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<NewSecretView>,
}

/// One that was refused.
#[derive(Debug, Serialize)]
pub struct FailedView {
    /// Its name.
    pub name: String,
    /// Why.
    pub error: String,
}

/// Where an act on many stopped, and why.
#[derive(Debug, Serialize)]
pub struct StoppedView {
    /// The last that it came to; none where it came to none.
    pub after: Option<String>,
    /// Why.
    pub error: String,
}

/// A new secret.
#[derive(Serialize)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct NewSecretView {
    name: String,
    secret: SecretText,
}

impl NewSecretView {
    /// The view of a credential that was given a new secret just now; none where that
    /// has none to be shown.
    #[must_use]
    pub fn of(issued: &IssuedCredential) -> Option<Self> {
        Some(Self {
            name: issued.described.credential.name.to_string(),
            secret: issued.secret.as_ref()?.into(),
        })
    }

    /// Whose it is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The secret.
    #[must_use]
    pub fn secret(&self) -> &str {
        self.secret.as_str()
    }
}

impl ManyView {
    /// So many of a list are shown.
    pub const MOST_SHOWN: usize = 1_000;

    /// Adds what became of a step, with its secrets where they are shown; says whether it
    /// stopped there. `told` puts an error in words.
    pub fn add(
        &mut self,
        targets: &[Target],
        step: Step,
        are_shown: bool,
        told: impl Fn(AdminError) -> String,
    ) -> bool {
        let mut last = None;
        for (target, outcome) in targets.iter().zip(step.outcomes) {
            last = Some(target.name.to_string());
            match outcome {
                Ok(TargetOutcome::Done {
                    issued,
                    sessions_ended,
                }) => {
                    let shown = issued.filter(|_| are_shown && !self.dry_run);
                    self.secrets
                        .extend(shown.and_then(|it| NewSecretView::of(&it)));
                    self.done = self.done.saturating_add(1);
                    self.sessions_ended = self.sessions_ended.saturating_add(sessions_ended);
                    if self.dry_run && self.names.len() < Self::MOST_SHOWN {
                        self.names.push(target.name.to_string());
                    }
                }
                Ok(TargetOutcome::Skipped) => self.skipped = self.skipped.saturating_add(1),
                Err(error) if self.failed.len() < Self::MOST_SHOWN => {
                    self.failed.push(FailedView {
                        name: target.name.to_string(),
                        error: told(error),
                    });
                }
                Err(_) => {}
            }
        }
        let Some(error) = step.stopped else {
            return false;
        };
        self.stopped = Some(StoppedView {
            after: last,
            error: told(error),
        });
        true
    }

    /// What is to be looked at besides behind a step of a dry run that changes
    /// credentials: what those would gain and lose that it came to.
    #[must_use]
    pub fn preview(&self, act: &ManyAct, targets: &[Target]) -> Option<PreviewChanges> {
        let ManyAct::Set(changes) = act else {
            return None;
        };
        if !self.dry_run || self.effects.len() >= Self::MOST_SHOWN {
            return None;
        }
        let last = self.names.iter().rev().take(targets.len());
        let last: Vec<_> = last.map(String::as_str).collect();
        let reached = targets.iter().map(|target| &target.name);
        let would_be_done = reached.filter(|name| last.contains(&name.as_str()));
        let names: Vec<_> = would_be_done.cloned().collect();
        (!names.is_empty()).then(|| PreviewChanges {
            names,
            changes: changes.as_ref().clone(),
        })
    }

    /// Adds what these would gain and lose.
    pub fn add_effects(&mut self, effects: &[ChangeEffect]) {
        self.effects.extend(effects.iter().map(EffectView::of));
        self.effects.truncate(Self::MOST_SHOWN);
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_false(value: &bool) -> bool {
    !*value
}
