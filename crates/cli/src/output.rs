//! What commands print: documents for programs, or text for people.
//!
//! Text is fitted to a terminal. With a pipe behind it, it has neither colours nor cuts,
//! and its times are exact.

use core::fmt;
use std::io::{self, Write as _};

use anstyle::Style;
use clap::ValueEnum;
use countersign_core::given::{OneLine, one_line};
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::clock::now;
use crate::error::CliError;
use crate::json;
use crate::listing::{Column, Listing};
use crate::wiped::{self, WipedValue};

pub(crate) mod columns;
mod paragraph;
mod screen;
pub(crate) mod value;

pub(crate) use self::paragraph::Mark;
use self::paragraph::Paragraph;
pub(crate) use self::screen::Screen;
use self::value::Times;

/// A form of output that one can ask for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// One JSON document.
    Json,
    /// A JSON document a line: of a list, one for each row.
    Jsonl,
    /// Text, for people.
    Text,
    /// Text with all columns, each as wide as what it holds.
    Wide,
}

/// How to print.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    form: Form,
    /// Whether acts print what they acted on, too.
    is_verbose: bool,
}

/// The form of what is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// The value of one key and nothing else: of a list, one a line.
    Field(&'static str),
    /// One JSON document.
    Json,
    /// JSON documents, one a line.
    JsonLines,
    /// Text for people; with all columns of a list, where it is wide.
    Text { is_wide: bool },
}

impl Output {
    /// As it is asked for; `field` is the key of the one value to print.
    pub(crate) fn new(format: Format, field: Option<&'static str>, is_verbose: bool) -> Self {
        let form = match (field, format) {
            (Some(key), _) => Form::Field(key),
            (None, Format::Json) => Form::Json,
            (None, Format::Jsonl) => Form::JsonLines,
            (None, Format::Text) => Form::Text { is_wide: false },
            (None, Format::Wide) => Form::Text { is_wide: true },
        };
        Self { form, is_verbose }
    }

    /// Says whether people read it.
    pub(crate) fn is_for_people(self) -> bool {
        matches!(self.form, Form::Text { .. })
    }

    /// What standard output goes to, as far as text is fitted to it.
    fn screen(self) -> Screen {
        let screen = Screen::of_output();
        match self.form {
            Form::Text { is_wide: true } => screen.unlimited(),
            Form::Field(_) | Form::Json | Form::JsonLines | Form::Text { is_wide: false } => screen,
        }
    }

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
        match self.form {
            Form::Field(_) | Form::Json | Form::JsonLines => self.document(record),
            Form::Text { .. } => self.print_table(record, more, |_, _| true),
        }
    }

    /// Tells what was done: people in one line and, if they want to know, what is so
    /// then; programs what [`Output::record`] tells them.
    pub(crate) fn act(self, done: &str, record: &impl Serialize) -> Result<(), CliError> {
        self.act_with(done, record, &[] as &[(&str, &str)])
    }

    /// The same with more for people, as in [`Output::record_with`].
    pub(crate) fn act_with(
        self,
        done: &str,
        record: &impl Serialize,
        more: &[(&str, impl AsRef<str>)],
    ) -> Result<(), CliError> {
        self.made(Mark::Done, done, record, &[], more)
    }

    /// Prints one thing or, where something was done to it, what that was.
    pub(crate) fn tell(
        self,
        done: Option<&str>,
        record: &impl Serialize,
        more: &[(&str, impl AsRef<str>)],
    ) -> Result<(), CliError> {
        match done {
            Some(done) => self.act_with(done, record, more),
            None => self.record_with(record, more),
        }
    }

    /// The same for what shows something this once: people are told these keys in any
    /// case.
    pub(crate) fn made(
        self,
        mark: Mark,
        done: &str,
        record: &impl Serialize,
        keys: &[&str],
        more: &[(&str, impl AsRef<str>)],
    ) -> Result<(), CliError> {
        match self.form {
            Form::Field(_) | Form::Json | Form::JsonLines => self.document(record),
            Form::Text { .. } => {
                self.paragraph(mark, done)?;
                if self.is_verbose {
                    return self.print_table(record, more, |_, _| true);
                }
                self.print_table(record, more, |key, value| {
                    keys.contains(&key) && !value.is_some_and(value::is_nothing)
                })
            }
        }
    }

    /// Prints a text with a mark before it, over as many lines as it takes.
    pub(crate) fn paragraph(self, mark: Mark, text: &str) -> Result<(), CliError> {
        print(&Paragraph {
            mark,
            text: &one_line(text),
            screen: self.screen(),
        })
    }

    /// Prints a document for programs, or the one value of it that is asked for.
    fn document(self, record: &impl Serialize) -> Result<(), CliError> {
        match self.form {
            Form::Field(key) => {
                let record = WipedValue(serde_json::to_value(record)?);
                print(&Field(record.0.get(key)))
            }
            Form::Json => print(&format_args!("{}\n", json::lines(record)?.as_str())),
            Form::JsonLines | Form::Text { .. } => self.line(record),
        }
    }

    /// Prints keys and values in two columns: those that are shown. What else is told
    /// has no value.
    fn print_table(
        self,
        record: &impl Serialize,
        more: &[(&str, impl AsRef<str>)],
        is_shown: impl Fn(&str, Option<&Value>) -> bool,
    ) -> Result<(), CliError> {
        let screen = self.screen();
        let times = if screen.is_terminal() {
            Times::Both(now())
        } else {
            Times::Exact
        };
        let record = WipedValue(serde_json::to_value(record)?);
        let is_said = |key: &str| more.iter().any(|(other, _)| *other == key);
        let mut lines: Vec<TableLine> = record
            .0
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, value)| is_shown(key, Some(value)) && !is_said(&key.replace('_', " ")))
            .map(|(key, value)| TableLine::of(key, value, times, screen))
            .collect();
        let mut last = "";
        for (key, value) in more.iter().filter(|(key, _)| is_shown(key, None)) {
            let shown = if *key == last { "" } else { key };
            last = key;
            lines.push(TableLine {
                key: shown.into(),
                value: wiped::display(&OneLine(value.as_ref())),
                style: Style::new(),
                is_whole: false,
            });
        }
        print(&Table {
            lines: &lines,
            screen,
        })
    }

    /// Warns of something that was done all the same. Standard output is for
    /// what was asked for, so this goes elsewhere.
    pub(crate) fn warn(self, warning: &impl fmt::Display) {
        remark(&format!("warning: {warning}"));
    }

    /// Tells, besides what was asked for, what else is to be done.
    pub(crate) fn notice(self, notice: &str) {
        remark(&format!("notice: {notice}"));
    }

    /// Prints one thing of a stream for programs, on a line of its own.
    pub(crate) fn line(self, record: &impl Serialize) -> Result<(), CliError> {
        match self.form {
            Form::Field(_) => self.document(record),
            Form::Json | Form::JsonLines | Form::Text { .. } => {
                print(&format_args!("{}\n", json::line(record)?.as_str()))
            }
        }
    }

    /// Begins to print many things of one kind. People at a terminal are told in these
    /// words where there are none.
    pub(crate) fn listing(self, columns: &'static [Column], none: &'static str) -> Listing {
        Listing::new(self.form, self.screen(), columns, none)
    }
}

/// Says something on standard error. If it is closed, nobody reads there.
pub(crate) fn remark(text: &str) {
    let _ = write!(
        io::stderr(),
        "{}",
        Paragraph {
            mark: Mark::Program,
            text: &one_line(text),
            screen: Screen::of_errors(),
        }
    );
}

/// Prints whole lines. All of them go to standard output at once: what waits there
/// is kept in memory that is not wiped.
pub(crate) fn print(lines: &impl fmt::Display) -> Result<(), CliError> {
    let text = wiped::display(lines);
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// One value: a text as it is, with what a terminal would obey as its number; another
/// as JSON; an empty line where there is none.
pub(crate) struct Field<'v>(pub(crate) Option<&'v Value>);

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None | Some(Value::Null) => writeln!(f),
            Some(Value::String(text)) => writeln!(f, "{}", OneLine(text)),
            Some(value) => {
                let text = json::line(value).map_err(|_| fmt::Error)?;
                writeln!(f, "{}", text.as_str())
            }
        }
    }
}

/// A key and its value.
struct TableLine {
    key: String,
    value: Zeroizing<String>,
    style: Style,
    /// Whether it is one word that is copied, and never cut.
    is_whole: bool,
}

impl TableLine {
    fn of(key: &str, value: &Value, times: Times, screen: Screen) -> Self {
        let text = value::text(key, value, times);
        Self {
            key: key.replace('_', " "),
            style: screen.style(value::style(key, &text)),
            value: text,
            is_whole: COPIED.contains(&key),
        }
    }
}

/// Keys and values in two columns.
struct Table<'t> {
    lines: &'t [TableLine],
    screen: Screen,
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.lines.iter().map(|line| columns::width(&line.key));
        let width = widths.max().unwrap_or(0);
        let indent = width.saturating_add(GAP);
        let room = self.screen.width();
        let room = room.map(|room| room.saturating_sub(indent).max(LEAST_ROOM));
        for TableLine {
            key,
            value,
            style,
            is_whole,
        } in self.lines
        {
            let room = room.filter(|_| !is_whole);
            let mut key = key.as_str();
            for line in columns::lines(value, room) {
                writeln!(f, "{key:indent$}{style}{line}{style:#}")?;
                key = "";
            }
        }
        Ok(())
    }
}

/// What is copied out of a terminal, and would be broken where it is cut into lines.
const COPIED: [&str; 3] = ["otpauth", "secret", "token"];
const GAP: usize = 2;
/// A column that would be narrower is written all the same.
const LEAST_ROOM: usize = 10;
