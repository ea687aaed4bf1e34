//! `countersign doctor`: finds what keeps a broker from using the store.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use countersign_config::{BrokerConfig, Diagnostic, USUAL_USER};
use serde::Serialize;

use crate::account::Account;
use crate::error::{CliError, REFUSED};
use crate::invocation::Invocation;
use crate::output::{Mark, Output};
use crate::store_files::DEFAULT_STORE;
use crate::store_place::StorePlace;

mod access;
mod beside;
mod broker;
mod files;
mod fleet;
mod issuers;
mod listeners;
mod mosquitto_files;
mod places;
mod server;
mod settings;
mod store;
mod version;

pub(crate) use self::places::PlacesOf;

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// The broker's configuration. Without this, Debian's is looked at if it
    /// names this store.
    #[arg(long, value_name = "MOSQUITTO_CONF")]
    config: Option<PathBuf>,
}

impl Doctor {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let mut report = Report::default();
        let Some(store) = invocation.store.file() else {
            if self.config.is_some() {
                invocation.store.require_file("a broker's configuration")?;
            }
            store::check(
                &mut report,
                &invocation.store,
                invocation.output,
                [].into_iter(),
            );
            return report.print(invocation);
        };
        let store = std::path::absolute(store)?;
        let place = StorePlace::File(store.clone());
        let config = match &self.config {
            Some(path) => report.take("config", BrokerConfig::read(path).map_err(Problem::from)),
            None => usual_config(&store),
        };
        let user = report
            .take("user", user_of_broker(config.as_ref(), &store))
            .flatten();
        files::check(&mut report, &store, user.as_ref());
        let files = config
            .as_ref()
            .map(mosquitto_files::MosquittoFiles::read)
            .unwrap_or_default();
        let content = store::check(&mut report, &place, invocation.output, files.names());
        if let Some(config) = &config {
            for diagnostic in &config.diagnostics {
                report.note("config", Err(diagnostic.clone().into()));
            }
            broker::check(&mut report, config, &store, &content, &files, user.as_ref());
        }
        report.print(invocation)
    }
}

/// The usual configuration, if it names this store.
fn usual_config(store: &Path) -> Option<BrokerConfig> {
    BrokerConfig::read(Path::new(USUAL_CONFIG))
        .ok()
        .filter(|config| broker::names(config, store))
}

/// What was found, in the order it was looked at.
#[derive(Debug, Default)]
struct Report(Vec<Finding>);

impl Report {
    /// Notes how one check went.
    fn note(&mut self, check: &'static str, result: Result<(), Problem>) {
        let (level, problem, fix) = match result {
            Ok(()) => (Level::Ok, None, None),
            Err(found) => (found.level, Some(found.problem), Some(found.fix)),
        };
        self.0.push(Finding {
            check,
            ok: level != Level::Fail,
            level,
            problem,
            fix,
            found: None,
        });
    }

    /// Notes how one check went, and what it found where all is well.
    fn note_found(&mut self, check: &'static str, result: Result<Option<String>, Problem>) {
        let (result, found) = match result {
            Ok(found) => (Ok(()), found),
            Err(problem) => (Err(problem), None),
        };
        self.note(check, result);
        if let Some(finding) = self.0.last_mut() {
            finding.found = found;
        }
    }

    /// Notes all problems that one check found, or that it found none.
    fn note_all(&mut self, check: &'static str, problems: impl IntoIterator<Item = Problem>) {
        let before = self.0.len();
        for problem in problems {
            self.note(check, Err(problem));
        }
        if self.0.len() == before {
            self.note(check, Ok(()));
        }
    }

    /// Notes how one check went, and goes on with what it brought.
    fn take<T>(&mut self, check: &'static str, result: Result<T, Problem>) -> Option<T> {
        let (result, brought) = match result {
            Ok(brought) => (Ok(()), Some(brought)),
            Err(problem) => (Err(problem), None),
        };
        self.note(check, result);
        brought
    }

    fn print(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let all_well = self.0.iter().all(|finding| finding.ok);
        if invocation.output.is_for_people() {
            self.print_for_people(invocation.output)?;
        } else {
            let mut listing = invocation.output.listing(&[], "");
            for finding in &self.0 {
                listing.push(finding)?;
            }
            listing.finish()?;
        }
        Ok(if all_well {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(REFUSED)
        })
    }
}

impl Report {
    /// What is well in one line, then each problem, the worst first, and below it what
    /// to do.
    fn print_for_people(&self, output: Output) -> Result<(), CliError> {
        let of_level = |level| self.0.iter().filter(move |it| it.level == level);
        let mut names: Vec<_> = of_level(Level::Ok).map(|finding| finding.check).collect();
        names.dedup();
        if !names.is_empty() {
            output.paragraph(Mark::Done, &names.join(", "))?;
        }
        for found in of_level(Level::Ok).filter_map(|it| it.found.as_deref()) {
            output.paragraph(Mark::More, found)?;
        }
        for (level, mark) in [(Level::Fail, Mark::Bad), (Level::Warn, Mark::Doubtful)] {
            for finding in of_level(level) {
                let problem = finding.problem.as_deref().unwrap_or_default();
                output.paragraph(mark, &format!("{}: {problem}", finding.check))?;
                if let Some(fix) = &finding.fix {
                    output.paragraph(Mark::More, &format!("fix: {fix}"))?;
                }
            }
        }
        Ok(())
    }
}

/// How one check went.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    /// Whether nothing failed; a warning is no failure.
    ok: bool,
    level: Level,
    problem: Option<String>,
    fix: Option<String>,
    /// What is worth knowing although all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<String>,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// Nothing was found.
    Ok,
    /// It may be meant so.
    Warn,
    /// It keeps a broker from starting, locks people out or leaves a listener
    /// open.
    Fail,
}

/// What is wrong, and what to do about it.
#[derive(Debug)]
struct Problem {
    level: Level,
    problem: String,
    fix: String,
}

impl Problem {
    /// Something that must be mended.
    fn new(problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            level: Level::Fail,
            problem: problem.into(),
            fix: fix.into(),
        }
    }

    /// Something that may be meant so.
    fn warning(problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            level: Level::Warn,
            ..Self::new(problem, fix)
        }
    }
}

/// What keeps the broker from starting.
impl From<Diagnostic> for Problem {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::new(diagnostic.to_string(), diagnostic.kind.fix())
    }
}

/// Where nothing is checked but something is asked, a problem is a refusal.
impl From<Problem> for CliError {
    fn from(problem: Problem) -> Self {
        Self::refused(format!("{}; {}", problem.problem, problem.fix))
    }
}

/// Whom the broker runs as: its configuration says so. Where none is known, a
/// store in the usual place is for the usual user, and any other for whoever
/// owns it; none if there is no store.
fn user_of_broker(config: Option<&BrokerConfig>, store: &Path) -> Result<Option<Account>, Problem> {
    let name = match config {
        Some(config) => config.user(),
        None if store == Path::new(DEFAULT_STORE) => USUAL_USER,
        None => {
            use std::os::unix::fs::MetadataExt as _;
            let owner = store
                .metadata()
                .map(|file| Account::of(file.uid(), file.gid()));
            return Ok(owner.ok());
        }
    };
    Account::find(name).map(Some).ok_or_else(|| {
        Problem::new(
            format!("the broker is to run as `{name}`, and there is no such user"),
            "name another one with `user` in the broker's configuration",
        )
    })
}

const USUAL_CONFIG: &str = "/etc/mosquitto/mosquitto.conf";
