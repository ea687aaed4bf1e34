//! What commands print: one JSON document, or text for people.

use std::io::{self, Write as _};

use countersign_core::given::one_line;
use serde::Serialize;
use serde_json::Value;

use crate::error::CliError;
use crate::json;
use crate::listing::{Column, Listing};

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
        self.record_with(record, &[])
    }

    /// Prints one thing, and to people more than a program is told, or the same
    /// in other words: what has the name of a key stands in its place. Several
    /// of one name are lines below each other.
    pub(crate) fn record_with(
        self,
        record: &impl Serialize,
        more: &[(&str, String)],
    ) -> Result<(), CliError> {
        let mut stdout = io::stdout().lock();
        match self {
            Self::Json => {
                json::write_lines(&mut stdout, record)?;
                writeln!(stdout)?;
            }
            Self::Text => {
                let record = serde_json::to_value(record)?;
                let is_said = |key: &str| more.iter().any(|(other, _)| *other == key);
                let mut lines: Vec<(String, String)> = record
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
                    lines.push((shown.into(), one_line(value)));
                }
                let width = lines
                    .iter()
                    .map(|(key, _)| key.chars().count())
                    .max()
                    .unwrap_or(0);
                for (key, value) in lines {
                    writeln!(stdout, "{key:width$}  {value}")?;
                }
            }
        }
        Ok(stdout.flush()?)
    }

    /// Warns of something that was done all the same. Standard output is for
    /// what was asked for, so this goes elsewhere.
    pub(crate) fn warn(self, warning: &impl core::fmt::Display) {
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
        let mut stdout = io::stdout().lock();
        json::write_line(&mut stdout, record)?;
        writeln!(stdout)?;
        Ok(stdout.flush()?)
    }

    /// Begins to print many things of one kind.
    pub(crate) fn listing(self, columns: &'static [Column]) -> Listing {
        Listing::new(self, columns)
    }
}

/// A value as people read it.
pub(crate) fn for_people(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => one_line(text),
        Value::Array(values) if values.is_empty() => "-".into(),
        Value::Array(values) => values.iter().map(for_people).collect::<Vec<_>>().join(", "),
        Value::Object(values) if values.is_empty() => "-".into(),
        Value::Object(values) => values
            .iter()
            .map(|(key, value)| format!("{}={}", one_line(key), for_people(value)))
            .collect::<Vec<_>>()
            .join(", "),
    }
}
