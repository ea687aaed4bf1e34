//! The report of an import, as programs and people read it.

use std::io::{self, Write as _};

use countersign_core::given::one_line;
use countersign_import::{Change, Loss, Report};

use crate::error::CliError;
use crate::output::Output;

/// Prints a report.
pub(crate) fn print(output: Output, report: &Report) -> Result<(), CliError> {
    match output {
        Output::Json => output.record(report),
        Output::Text => for_people(report),
    }
}

fn for_people(report: &Report) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    for Change { place, what, how } in &report.changed {
        let (place, what, how) = (one_line(place), one_line(what), one_line(how));
        writeln!(stdout, "{place}: changed: `{what}`: {how}")?;
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
        writeln!(stdout, "{place}: lost: `{what}`: {why}; {fix}")?;
    }
    let (changed, lost) = (report.changed.len(), report.lost.len());
    writeln!(
        stdout,
        "{} kept, {changed} changed, {lost} lost",
        report.kept
    )?;
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
    writeln!(stdout, "{verb} {}{counts}", made.join(", "))?;
    if report.updated > 0 || report.unchanged > 0 {
        writeln!(
            stdout,
            "of an earlier import {} changed, {} as they were",
            report.updated, report.unchanged
        )?;
    }
    Ok(stdout.flush()?)
}
