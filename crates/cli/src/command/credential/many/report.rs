//! What became of many credentials, for programs and people.

use std::process::ExitCode;

use countersign_admin::view::{ManyView, StoppedView};
use zeroize::Zeroizing;

use crate::error::{CliError, STOPPED};
use crate::output::{Mark, Output};
use crate::told::told as told_ended;
use crate::wiped;

/// What became of many credentials.
#[derive(Default)]
pub(super) struct Report {
    pub(super) view: ManyView,
    /// What a dry run of a change would give and take, for people.
    pub(super) told: Vec<String>,
}

impl Report {
    /// Prints what became of them. Where none was done and something failed, that is a
    /// refusal.
    pub(super) fn finish(self, output: Output, done_to: &str) -> Result<ExitCode, CliError> {
        let is_whole = self.view.failed.is_empty() && self.view.stopped.is_none();
        if !is_whole && self.view.done == 0 {
            return Err(CliError::refused(self.why_none()));
        }
        let failed = self.view.failed.iter();
        let failed = failed.map(|it| ("failed", format!("`{}`: {}", it.name, it.error)));
        let stopped = self.view.stopped.iter().map(|it| ("stopped", in_words(it)));
        let names = self.view.names.iter().map(|name| ("names", name.clone()));
        let effects = self.told.iter().map(|line| ("effects", line.clone()));
        let plain = failed.chain(stopped).chain(names).chain(effects);
        let mut more: Vec<_> = plain
            .map(|(key, text)| (key, Zeroizing::new(text)))
            .collect();
        let secrets = self.view.secrets.iter();
        more.extend(secrets.map(|it| {
            let line = wiped::display(&format_args!("{} {}", it.name(), it.secret()));
            ("secrets", line)
        }));
        let mark = if is_whole { Mark::Done } else { Mark::Doubtful };
        let keys = ["failed", "names", "effects", "secrets"];
        output.made(mark, &self.in_words(done_to), &self.view, &keys, &more)?;
        if let Some(stopped) = &self.view.stopped {
            output.warn(&in_words(stopped));
        }
        Ok(if is_whole {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(STOPPED)
        })
    }

    /// What became of them, in one line.
    fn in_words(&self, done_to: &str) -> String {
        let would_be = if self.view.dry_run { "would be " } else { "" };
        let matched = self.view.matched;
        let mut said = match (self.view.done, matched) {
            (_, 0) => "no credential is selected".into(),
            (1, 1) => format!("1 credential {would_be}{done_to}"),
            (done, _) => format!("{done} of {matched} credentials {would_be}{done_to}"),
        };
        if self.view.skipped > 0 {
            said.push_str(&format!(" · {} skipped", self.view.skipped));
        }
        if !self.view.failed.is_empty() {
            said.push_str(&format!(" · {} failed", self.view.failed.len()));
        }
        told_ended(&said, self.view.sessions_ended)
    }

    /// Why none was done, in one line.
    fn why_none(&self) -> String {
        let named = self.view.failed.iter().take(FEW);
        let mut said: Vec<_> = named.map(|it| it.error.clone()).collect();
        let more = self.view.failed.len().saturating_sub(FEW);
        if more > 0 {
            said.push(format!("and {more} more"));
        }
        said.extend(self.view.stopped.as_ref().map(|it| it.error.clone()));
        format!(
            "none of {} was done: {}",
            self.view.matched,
            said.join("; ")
        )
    }
}

/// Where it stopped, and why, in one line.
fn in_words(stopped: &StoppedView) -> String {
    match &stopped.after {
        Some(name) => format!(
            "stopped after `{name}`: {}; go on with --after",
            stopped.error
        ),
        None => format!("stopped: {}", stopped.error),
    }
}

/// So many are told in one line.
const FEW: usize = 5;
