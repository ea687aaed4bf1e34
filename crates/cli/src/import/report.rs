//! The report of an import, as programs and people read it.

use countersign_core::given::OneLine;
use countersign_import::{Change, IssuedSecret, Loss, Report};
use serde::Serialize;

use crate::error::CliError;
use crate::output::{self, Mark, Output};

/// How much of what a report tells was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Written {
    All,
    Nothing,
    Some,
}

/// Prints a report.
pub(crate) fn print(output: Output, report: &Report, written: Written) -> Result<(), CliError> {
    print_with(output, report, written, &[])
}

/// The same with secrets that were made, this once.
pub(super) fn print_with(
    output: Output,
    report: &Report,
    written: Written,
    secrets: &[IssuedSecret],
) -> Result<(), CliError> {
    if output.is_for_people() {
        return print_for_people(output, report, written, secrets);
    }
    output.record(&ReportView {
        report,
        secrets: secrets.iter().map(SecretView::of).collect(),
    })
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

/// What [`ReportView`] tells programs, line by line.
fn print_for_people(
    output: Output,
    report: &Report,
    written: Written,
    secrets: &[IssuedSecret],
) -> Result<(), CliError> {
    let line = |text: String| output.paragraph(Mark::None, &text);
    for Change { place, what, how } in &report.changed {
        line(format!("{place}: changed: `{what}`: {how}"))?;
    }
    for Loss {
        place,
        what,
        why,
        fix,
    } in &report.lost
    {
        line(format!("{place}: lost: `{what}`: {why}; {fix}"))?;
    }
    let (changed, lost) = (report.changed.len(), report.lost.len());
    line(format!(
        "{} kept, {changed} changed, {lost} lost",
        report.kept
    ))?;
    let created = &report.created;
    let made = [
        (created.tenants, "tenants"),
        (created.roles, "roles"),
        (created.credentials, "credentials"),
        (created.operators, "operators"),
        (created.rules, "rules"),
    ]
    .map(|(count, noun)| format!("{count} {noun}"));
    let made = made.join(", ");
    line(match written {
        Written::All => format!("made {made}"),
        Written::Nothing => format!("would make {made} (nothing was written)"),
        Written::Some => format!("made {made} (not all of it)"),
    })?;
    if report.updated > 0 || report.unchanged > 0 {
        line(format!(
            "of an earlier import {} changed, {} as they were",
            report.updated, report.unchanged
        ))?;
    }
    // What is copied is not cut into lines.
    secrets.iter().try_for_each(|issued| {
        let SecretView { name, secret } = SecretView::of(issued);
        output::print(&format_args!("{}  {secret}\n", OneLine(name)))
    })
}
