//! Refused logins and denied uses of topics at the broker beside a replica, as its centre
//! is told.
//!
//! They are sums of minutes that are over, rows of the replica's own audit. A telling says
//! after which row it begins and up to which one it is all there is, so each row counts once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::audit::{AuditEntry, RefusedAct};
use crate::reason::Reason;
use crate::store::rows::RefusalRow;
use crate::time::Timestamp;

/// What is told at once.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ToldRefusals {
    /// The schema of the replica.
    pub schema: u32,
    /// Tells the rows of this replica's audit from those of another file.
    pub stamp: i64,
    /// The row after which this begins.
    pub after: i64,
    /// The row up to which it is all.
    pub last: i64,
    /// At most [`MOST_TOLD`].
    pub rows: Vec<ToldRefusal>,
}

/// A sum of refusals.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ToldRefusal {
    /// The start of the minute, in milliseconds.
    pub minute: i64,
    /// `login`, `publish` or `subscribe`.
    pub act: String,
    /// Whose, as it may be shown, or [`RefusalRow::ALL_OTHERS`].
    pub subject: String,
    /// Where it came from.
    pub address: Option<String>,
    /// The client id, as it may be shown.
    pub client_id: Option<String>,
    /// The topic or filter, as it may be shown.
    pub topic: Option<String>,
    /// Why, in a word of [`Reason`].
    pub cause: String,
    /// How often.
    pub count: i64,
}

/// What the centre answers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TakenRefusals {
    /// Up to this row it was told; it begins anew there.
    pub last: i64,
}

impl ToldRefusals {
    /// Adds rows of the audit that are told; the first of them one by one, and the rest as
    /// sums, one for each act and reason.
    pub fn add(&mut self, entries: impl IntoIterator<Item = AuditEntry>) {
        let mut rest = RefusalSums::default();
        for entry in entries {
            let Some((act, cause)) = sort_of(&entry.act, entry.cause.map(Reason::as_str)) else {
                continue;
            };
            let (minute, count) = (entry.time, entry.count);
            let row = ToldRefusal::of(entry, cause);
            if self.rows.len() < MOST_BY_NAME && row.is_plain() {
                self.rows.push(row);
            } else {
                rest.add(act, cause, minute, count);
            }
        }
        let sums = rest.rows("").map(|row| row.entry());
        let sums = sums.filter_map(|sum| Some(ToldRefusal::of(sum.clone(), sum.cause?)));
        self.rows.extend(sums);
    }
}

impl ToldRefusal {
    fn of(entry: AuditEntry, cause: Reason) -> Self {
        Self {
            minute: entry.time.as_millis(),
            act: entry.act,
            subject: entry.subject,
            address: entry.address,
            client_id: entry.client_id,
            topic: entry.topic,
            cause: cause.as_str().into(),
            count: entry.count,
        }
    }

    /// Whether its texts are as brokers write them: short, and of one line.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let texts = [&self.address, &self.client_id, &self.topic];
        let mut texts = texts.into_iter().flatten().chain([&self.subject]);
        texts.all(|text| {
            let is_short = (1..=LONGEST_TEXT).contains(&text.len());
            is_short && !text.chars().any(char::is_control)
        })
    }

    /// What was refused, and why, if there is such.
    #[must_use]
    pub fn sort(&self) -> Option<(RefusedAct, Reason)> {
        sort_of(&self.act, Some(&self.cause))
    }
}

fn sort_of(act: &str, cause: Option<&str>) -> Option<(RefusedAct, Reason)> {
    let act = RefusedAct::ALL.into_iter().find(|it| it.as_str() == act)?;
    let mut reasons = Reason::ALL.iter().copied();
    Some((act, reasons.find(|it| Some(it.as_str()) == cause)?))
}

/// Refusals of all others, one sum for each act and reason.
#[derive(Debug, Default)]
pub(crate) struct RefusalSums(BTreeMap<(RefusedAct, Reason), (Timestamp, i64)>);

impl RefusalSums {
    pub(crate) fn add(&mut self, act: RefusedAct, cause: Reason, minute: Timestamp, count: i64) {
        let (newest, sum) = self.0.entry((act, cause)).or_insert((minute, 0));
        *newest = minute.max(*newest);
        *sum = sum.saturating_add(count);
    }

    /// The sums, as rows of a broker.
    pub(crate) fn rows<'a>(&self, broker: &'a str) -> impl Iterator<Item = RefusalRow<'a>> {
        self.0.iter().map(move |((act, cause), (minute, count))| {
            RefusalRow::of_all_others(*minute, broker, *act, *cause, *count)
        })
    }
}

/// So many rows are told at once: those of names, and sums.
pub const MOST_TOLD: usize = 200;
/// So long a text of one is.
const LONGEST_TEXT: usize = 512;
/// So many of them name somebody.
const MOST_BY_NAME: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_told_by_name_and_the_rest_as_sums() {
        let mut told = ToldRefusals {
            schema: 0,
            stamp: 0,
            after: 0,
            last: 300,
            rows: Vec::new(),
        };
        let row = |number: i64| {
            let cause = if number % 2 == 0 {
                Reason::BadSecret
            } else {
                Reason::UnknownName
            };
            let minute = Timestamp::from_millis(number);
            let entry = AuditEntry::done(minute, "broker:b", "login", format!("dev{number}"));
            AuditEntry {
                cause: Some(cause),
                ..entry
            }
        };
        let long = AuditEntry {
            client_id: Some("x".repeat(600)),
            ..row(301)
        };
        let act = AuditEntry {
            act: "credential.tie".into(),
            ..row(1)
        };
        told.add([long, act].into_iter().chain((1..=300).map(row)));
        assert_eq!(told.rows.len(), MOST_BY_NAME + 2);
        assert!(told.rows.len() <= MOST_TOLD);
        assert_eq!(told.rows[0].subject, "dev1");
        let sums: Vec<_> = told.rows[MOST_BY_NAME..].iter().collect();
        assert!(
            sums.iter()
                .all(|sum| sum.subject == "*" && sum.address.is_none())
        );
        assert_eq!(sums[0].count + sums[1].count, 201);
        assert_eq!(sums[0].minute.max(sums[1].minute), 301);
        assert!(
            told.rows
                .iter()
                .all(|row| row.is_plain() && row.sort().is_some())
        );
    }
}
