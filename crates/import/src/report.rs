//! What became of a source: one document.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::place::Place;

/// What became of each line or object of a source.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Report {
    /// The kind of source, such as `mosquitto`.
    pub source: String,
    /// Whether nothing was to be written.
    pub dry_run: bool,
    /// Whether it was written.
    pub applied: bool,
    /// How many lines or objects mean here what they meant there.
    pub kept: u64,
    /// What was made, or would be.
    pub created: Created,
    /// How many things of an earlier import were changed after the source.
    pub updated: u64,
    /// How many things of an earlier import are as the source has them.
    pub unchanged: u64,
    /// The lines or objects that mean something else here.
    pub changed: Vec<Change>,
    /// Those that are not taken over.
    pub lost: Vec<Loss>,
}

/// How many of each were made.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Created {
    /// Tenants.
    pub tenants: u64,
    /// Credentials.
    pub credentials: u64,
    /// Operators.
    pub operators: u64,
    /// Roles.
    pub roles: u64,
    /// Rules, of roles and of credentials.
    pub rules: u64,
}

/// A line or object that means something else here.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Change {
    /// Its place, as [`Place`] shows it.
    #[serde(rename = "where")]
    pub place: String,
    /// Its name, role or filter, as the source writes it.
    pub what: String,
    /// What is different.
    pub how: String,
}

/// A line or object that is not taken over.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Loss {
    /// Its place, as [`Place`] shows it.
    #[serde(rename = "where")]
    pub place: String,
    /// Its name, role or filter, as the source writes it.
    pub what: String,
    /// Why it is not taken over.
    pub why: String,
    /// What can be done about it.
    pub fix: String,
}

impl Report {
    /// An empty report about a source of this kind.
    #[must_use]
    pub fn about(source: &str, dry_run: bool) -> Self {
        Self {
            source: source.into(),
            dry_run,
            ..Self::default()
        }
    }

    /// Adds what a step of the import makes and changes.
    pub(crate) fn count(&mut self, created: &Created, updated: u64) {
        let Created {
            tenants,
            credentials,
            operators,
            roles,
            rules,
        } = &mut self.created;
        for (sum, more) in [
            (tenants, created.tenants),
            (credentials, created.credentials),
            (operators, created.operators),
            (roles, created.roles),
            (rules, created.rules),
            (&mut self.updated, updated),
        ] {
            *sum = sum.saturating_add(more);
        }
    }

    /// Takes note of a line or object that means here what it meant there.
    pub fn keep(&mut self) {
        self.kept = self.kept.saturating_add(1);
    }

    /// Takes note of a line or object that means something else here.
    pub fn change(&mut self, place: &Place, what: &str, how: impl Into<String>) {
        self.changed.push(Change {
            place: place.to_string(),
            what: what.into(),
            how: how.into(),
        });
    }

    /// Takes note of a line or object that is not taken over.
    pub fn lose(
        &mut self,
        place: &Place,
        what: &str,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.lost.push(Loss {
            place: place.to_string(),
            what: what.into(),
            why: why.into(),
            fix: fix.into(),
        });
    }

    /// Checks that the report tells of each of so many lines or objects once.
    ///
    /// # Errors
    ///
    /// Returns [`Unaccounted`] where it tells of more or of fewer.
    pub fn check_complete(&self, items: usize) -> Result<(), Unaccounted> {
        let counted = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let (changed, lost) = (counted(self.changed.len()), counted(self.lost.len()));
        let told = self.kept.saturating_add(changed).saturating_add(lost);
        let items = counted(items);
        if told == items {
            Ok(())
        } else {
            Err(Unaccounted { items, told })
        }
    }
}

/// A report does not tell of each line or object of its source once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unaccounted {
    /// How many the source has.
    pub items: u64,
    /// How many the report tells of.
    pub told: u64,
}

impl fmt::Display for Unaccounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { items, told } = self;
        write!(
            f,
            "the report tells of {told} lines or objects, and the source has {items}"
        )
    }
}

impl core::error::Error for Unaccounted {}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::place::SourceName;

    #[test]
    fn an_empty_report_is_complete_for_an_empty_source_alone() {
        let report = Report::about("mosquitto", true);
        assert_eq!(report.check_complete(0), Ok(()));
        assert_eq!(
            report.check_complete(1),
            Err(Unaccounted { items: 1, told: 0 })
        );
    }

    #[test]
    fn a_report_is_the_documented_document_and_counts_each_item_once() {
        let file = SourceName::of(Path::new("acl"));
        let mut report = Report::about("mosquitto", false);
        report.keep();
        report.change(&file.line(2), "a/%u", "`%u` is the user's name");
        report.lose(
            &file.line(3),
            "a/${x}",
            "it would be a variable",
            "write it anew",
        );
        assert_eq!(report.check_complete(3), Ok(()));
        let too_many = report.check_complete(2).unwrap_err();
        assert_eq!(
            too_many.to_string(),
            "the report tells of 3 lines or objects, and the source has 2"
        );
        let json = serde_json::json!({
            "source": "mosquitto", "dry_run": false, "applied": false, "kept": 1,
            "created": {"tenants": 0, "credentials": 0, "operators": 0, "roles": 0, "rules": 0},
            "updated": 0, "unchanged": 0,
            "changed": [{"where": "acl:2", "what": "a/%u", "how": "`%u` is the user's name"}],
            "lost": [{"where": "acl:3", "what": "a/${x}", "why": "it would be a variable",
                      "fix": "write it anew"}],
        });
        assert_eq!(serde_json::to_value(&report).unwrap(), json);
        assert_eq!(serde_json::from_value::<Report>(json).unwrap(), report);
    }
}
