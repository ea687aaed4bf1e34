//! The report of an import, as programs and people read it.

use core::fmt;

use countersign_core::given::one_line;
use countersign_import::{Change, IssuedSecret, Loss, Report};
use serde::Serialize;

use crate::error::CliError;
use crate::output::{self, Output};

/// Prints a report.
pub(crate) fn print(output: Output, report: &Report) -> Result<(), CliError> {
    print_with(output, report, &[])
}

/// The same with secrets that were made, this once.
pub(super) fn print_with(
    output: Output,
    report: &Report,
    secrets: &[IssuedSecret],
) -> Result<(), CliError> {
    match output {
        Output::Json => output.record(&ReportView {
            report,
            secrets: secrets.iter().map(SecretView::of).collect(),
        }),
        Output::Text => output::print(&ForPeople { report, secrets }),
    }
}

/// A report, and the secrets that were made.
#[derive(Serialize)]
struct ReportView<'a> {
    #[serde(flatten)]
    report: &'a Report,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<SecretView<'a>>,
}

#[derive(Serialize)]
struct SecretView<'a> {
    name: &'a str,
    secret: &'a str,
}

impl<'a> SecretView<'a> {
    fn of(issued: &'a IssuedSecret) -> Self {
        Self {
            name: issued.name.as_str(),
            secret: secret_of(issued),
        }
    }
}

/// A secret that was made, which is of printable characters.
pub(super) fn secret_of(issued: &IssuedSecret) -> &str {
    core::str::from_utf8(issued.secret.expose()).unwrap_or_default()
}

/// What [`ReportView`] tells programs.
struct ForPeople<'a> {
    report: &'a Report,
    secrets: &'a [IssuedSecret],
}

impl fmt::Display for ForPeople<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { report, secrets } = self;
        for Change { place, what, how } in &report.changed {
            let (place, what, how) = (one_line(place), one_line(what), one_line(how));
            writeln!(f, "{place}: changed: `{what}`: {how}")?;
        }
        for Loss {
            place,
            what,
            why,
            fix,
        } in &report.lost
        {
            let (place, what) = (one_line(place), one_line(what));
            let (why, fix) = (one_line(why), one_line(fix));
            writeln!(f, "{place}: lost: `{what}`: {why}; {fix}")?;
        }
        let (changed, lost) = (report.changed.len(), report.lost.len());
        writeln!(f, "{} kept, {changed} changed, {lost} lost", report.kept)?;
        let created = &report.created;
        let (verb, counts) = if report.applied {
            ("made", "")
        } else {
            ("would make", " (nothing was written)")
        };
        let made = [
            (created.tenants, "tenants"),
            (created.roles, "roles"),
            (created.credentials, "credentials"),
            (created.operators, "operators"),
            (created.rules, "rules"),
        ]
        .map(|(count, noun)| format!("{count} {noun}"));
        writeln!(f, "{verb} {}{counts}", made.join(", "))?;
        if report.updated > 0 || report.unchanged > 0 {
            writeln!(
                f,
                "of an earlier import {} changed, {} as they were",
                report.updated, report.unchanged
            )?;
        }
        for issued in *secrets {
            let SecretView { name, secret } = SecretView::of(issued);
            writeln!(f, "{name}  {secret}")?;
        }
        Ok(())
    }
}
