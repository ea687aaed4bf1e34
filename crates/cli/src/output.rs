//! What commands print: one JSON document, or text for people.

use core::fmt;
use std::io::{self, Write as _};

use countersign_core::given::{OneLine, one_line};
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::error::CliError;
use crate::json;
use crate::listing::{Column, Listing};
use crate::wiped::{self, WipedValue};

/// How to print.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Output {
    /// JSON, for programs.
    Json,
    /// Text, for people.
    Text,
}

impl Output {
    /// Prints one thing: an object, or its keys and values in two columns.
    pub(crate) fn record(self, record: &impl Serialize) -> Result<(), CliError> {
        self.record_with(record, &[] as &[(&str, &str)])
    }

    /// Prints one thing, and to people more than a program is told, or the same
    /// in other words: what has the name of a key stands in its place. Several
    /// of one name are lines below each other.
    pub(crate) fn record_with(
        self,
        record: &impl Serialize,
        more: &[(&str, impl AsRef<str>)],
    ) -> Result<(), CliError> {
        match self {
            Self::Json => print(&format_args!("{}\n", json::lines(record)?.as_str())),
            Self::Text => {
                let record = WipedValue(serde_json::to_value(record)?);
                let is_said = |key: &str| more.iter().any(|(other, _)| *other == key);
                let mut lines: Vec<(String, Zeroizing<String>)> = record
                    .0
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(key, value)| (key.replace('_', " "), for_people(value)))
                    .filter(|(key, _)| !is_said(key))
                    .collect();
                let mut last = "";
                for (key, value) in more {
                    let shown = if *key == last { "" } else { key };
                    last = key;
                    lines.push((shown.into(), wiped::display(&OneLine(value.as_ref()))));
                }
                print(&Table(&lines))
            }
        }
    }

    /// Warns of something that was done all the same. Standard output is for
    /// what was asked for, so this goes elsewhere.
    pub(crate) fn warn(self, warning: &impl fmt::Display) {
        self.remark("warning", &warning.to_string());
    }

    /// Tells, besides what was asked for, what else is to be done.
    pub(crate) fn notice(self, notice: &str) {
        self.remark("notice", notice);
    }

    fn remark(self, kind: &str, text: &str) {
        // If standard error is closed, nobody reads there.
        let _ = writeln!(io::stderr(), "countersign: {kind}: {}", one_line(text));
    }

    /// Prints one thing as JSON on a line of its own.
    pub(crate) fn line(self, record: &impl Serialize) -> Result<(), CliError> {
        print(&format_args!("{}\n", json::line(record)?.as_str()))
    }

    /// Begins to print many things of one kind.
    pub(crate) fn listing(self, columns: &'static [Column]) -> Listing {
        Listing::new(self, columns)
    }
}

/// Prints whole lines. All of them go to standard output at once: what waits there
/// is kept in memory that is not wiped.
pub(crate) fn print(lines: &impl fmt::Display) -> Result<(), CliError> {
    let text = wiped::display(lines);
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// Keys and values in two columns.
struct Table<'t>(&'t [(String, Zeroizing<String>)]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.0.iter().map(|(key, _)| key.chars().count());
        let width = widths.max().unwrap_or(0);
        for (key, value) in self.0 {
            writeln!(f, "{key:width$}  {}", value.as_str())?;
        }
        Ok(())
    }
}

/// A value as people read it.
pub(crate) fn for_people(value: &Value) -> Zeroizing<String> {
    wiped::display(&ForPeople(value))
}

struct ForPeople<'v>(&'v Value);

impl fmt::Display for ForPeople<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => f.write_str("-"),
            Value::Bool(true) => f.write_str("yes"),
            Value::Bool(false) => f.write_str("no"),
            Value::Number(number) => write!(f, "{number}"),
            Value::String(text) => write!(f, "{}", OneLine(text)),
            Value::Array(values) if values.is_empty() => f.write_str("-"),
            Value::Array(values) => {
                for (index, value) in values.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{}", ForPeople(value))?;
                }
                Ok(())
            }
            Value::Object(values) if values.is_empty() => f.write_str("-"),
            Value::Object(values) => {
                for (index, (key, value)) in values.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{}={}", OneLine(key), ForPeople(value))?;
                }
                Ok(())
            }
        }
    }
}
