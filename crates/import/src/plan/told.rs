//! What becomes of the lines of a source, until the report is written.

use super::desired::{Item, Outcome};
use super::step::Step;
use crate::report::Report;

/// The lines that are to be told of, and the number of all others.
#[derive(Default)]
pub(super) struct Told {
    items: Vec<Item>,
    kept: u64,
    unchanged: u64,
}

impl Told {
    /// Keeps what has to be told, and counts the rest.
    pub(super) fn settle(&mut self, items: impl IntoIterator<Item = Item>) {
        for item in items {
            match item.outcome {
                Outcome::Kept => self.kept = self.kept.saturating_add(1),
                Outcome::Changed(_) | Outcome::Lost(_) => self.items.push(item),
            }
        }
    }

    /// Takes note of an object that is as an earlier import made it.
    pub(super) fn count_unchanged(&mut self) {
        self.unchanged = self.unchanged.saturating_add(1);
    }

    /// The report, in the order of the source.
    pub(super) fn report(mut self, source: &str, dry_run: bool, steps: &[Step]) -> Report {
        self.items.sort_by(|one, other| one.place.cmp(&other.place));
        let mut report = Report::about(source, dry_run);
        report.kept = self.kept;
        report.unchanged = self.unchanged;
        for Item {
            place,
            what,
            outcome,
        } in &self.items
        {
            match outcome {
                Outcome::Changed(how) => report.change(place, what, &**how),
                Outcome::Kept => report.keep(),
                Outcome::Lost(lost) => {
                    report.lose(place, what, lost.why.as_str(), lost.fix.as_str());
                }
            }
        }
        for step in steps {
            report.count(&step.created(), step.updated());
        }
        report
    }
}
