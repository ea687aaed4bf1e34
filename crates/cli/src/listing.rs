//! Lists: JSON, one value a line, or a table for people. None is held in memory as a
//! whole.

use core::fmt;
use std::io::{self, BufWriter, Stdout, Write as _};

use anstyle::Style;
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::clock::now;
use crate::error::CliError;
use crate::json;
use crate::output::columns::{Cut, width};
use crate::output::value::{self, Times};
use crate::output::{Field, Form, Screen};

/// A column of a table: the key it shows and its heading.
pub(crate) type Column = (&'static str, &'static str);

/// The key, heading and width of a column that is shown.
type LaidOut = (String, String, usize);

/// A list that is being printed.
///
/// The columns of a table are as wide as their first rows need, as far as a terminal has
/// room.
#[derive(Debug)]
pub(crate) struct Listing {
    form: Form,
    screen: Screen,
    columns: &'static [Column],
    /// What is said where there are no rows.
    none: &'static str,
    writer: BufWriter<Stdout>,
    begun: bool,
    layout: Vec<LaidOut>,
    waiting: Vec<Value>,
}

impl Listing {
    pub(crate) fn new(
        form: Form,
        screen: Screen,
        columns: &'static [Column],
        none: &'static str,
    ) -> Self {
        Self {
            form,
            screen,
            columns,
            none,
            writer: BufWriter::new(io::stdout()),
            begun: false,
            layout: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// Adds one thing.
    pub(crate) fn push(&mut self, record: &impl Serialize) -> Result<(), CliError> {
        match self.form {
            Form::Field(key) => {
                let record = serde_json::to_value(record)?;
                write!(self.writer, "{}", Field(record.get(key)))?;
            }
            Form::Json => {
                self.writer
                    .write_all(if self.begun { b",\n  " } else { b"[\n  " })?;
                json::write_line(&mut self.writer, record)?;
                self.begun = true;
            }
            Form::JsonLines => {
                json::write_line(&mut self.writer, record)?;
                self.writer.write_all(b"\n")?;
            }
            Form::Text { .. } => {
                self.waiting.push(serde_json::to_value(record)?);
                if self.begun || self.waiting.len() >= MEASURED {
                    self.write_waiting(Rest::Unused)?;
                }
            }
        }
        Ok(())
    }

    /// Prints what was added so far. More is to come, however wide it may be.
    pub(crate) fn flush(&mut self) -> Result<(), CliError> {
        if let Form::Text { .. } = self.form {
            self.write_waiting(Rest::Shared)?;
        }
        Ok(self.writer.flush()?)
    }

    /// Ends the list.
    pub(crate) fn finish(mut self) -> Result<(), CliError> {
        let is_empty = !self.begun && self.waiting.is_empty();
        match self.form {
            Form::Field(_) | Form::JsonLines => {}
            Form::Json if self.begun => self.writer.write_all(b"\n]\n")?,
            Form::Json => self.writer.write_all(b"[]\n")?,
            Form::Text { .. } if is_empty && self.is_on_terminal() => {
                writeln!(self.writer, "{}", self.none)?;
            }
            Form::Text { .. } => self.write_waiting(Rest::Unused)?,
        }
        Ok(self.writer.flush()?)
    }

    fn is_on_terminal(&self) -> bool {
        self.screen.is_terminal()
    }

    fn write_waiting(&mut self, rest: Rest) -> Result<(), CliError> {
        let times = if self.is_on_terminal() {
            Times::Ago(now())
        } else {
            Times::Exact
        };
        let rows = core::mem::take(&mut self.waiting);
        if !self.begun {
            self.begun = true;
            self.lay_out(&rows, times, rest);
            let headings = self.layout.iter().map(|(_, heading, width)| Cell {
                text: Zeroizing::new(heading.clone()),
                style: Style::new(),
                room: *width,
            });
            let headings = Line {
                cells: headings.collect(),
                is_cut: self.screen.width().is_some(),
            };
            write!(self.writer, "{headings}")?;
        }
        for row in rows {
            let cells = self.layout.iter().map(|(key, _, width)| {
                let value = row.get(key);
                let text = value.map(|value| value::text(key, value, times));
                let text = text.unwrap_or_default();
                Cell {
                    style: self.screen.style(value::style(key, &text)),
                    text,
                    room: *width,
                }
            });
            let line = Line {
                cells: cells.collect(),
                is_cut: self.screen.width().is_some(),
            };
            write!(self.writer, "{line}")?;
        }
        Ok(())
    }

    /// Decides which columns there are, and how wide each is.
    fn lay_out(&mut self, rows: &[Value], times: Times, rest: Rest) {
        let mut columns: Vec<(String, String)> = Vec::new();
        for (key, heading) in self.columns {
            columns.push(((*key).into(), (*heading).into()));
        }
        if let (Form::Text { is_wide: true }, false) = (self.form, columns.is_empty()) {
            let keys = rows.iter().filter_map(Value::as_object);
            for key in keys.flat_map(serde_json::Map::keys) {
                if !columns.iter().any(|(known, _)| known == key) {
                    columns.push((key.clone(), key.replace('_', " ").to_uppercase()));
                }
            }
        }
        let laid_out = columns.into_iter().map(|(key, heading)| {
            let cells = rows.iter().filter_map(|row| row.get(&key));
            let cells = cells.map(|value| width(&value::text(&key, value, times)));
            let width = cells.max().unwrap_or(0).max(width(&heading));
            (key, heading, width)
        });
        let mut laid_out: Vec<_> = laid_out.collect();
        if let Some(room) = self.screen.width() {
            let has_room = |layout: &[LaidOut]| {
                let widths: Vec<_> = layout.iter().map(|(_, _, width)| *width).collect();
                whole(&widths) <= room
            };
            let says_nothing = |key: &str| {
                let mut values = rows.iter().map(|row| row.get(key));
                values.all(|value| value.is_none_or(value::is_nothing))
            };
            // Of what is still to come nothing is known.
            let is_whole = matches!(rest, Rest::Unused);
            while let Some(index) = laid_out
                .iter()
                .rposition(|(key, _, _)| says_nothing(key))
                .filter(|index| is_whole && *index > 0 && !has_room(&laid_out))
            {
                laid_out.remove(index);
            }
            let natural = laid_out.iter().map(|(_, _, width)| *width).collect();
            let widths = rest.use_up(fitted(natural, room), room);
            laid_out.truncate(widths.len());
            for ((_, _, width), fitted) in laid_out.iter_mut().zip(widths) {
                *width = fitted;
            }
        }
        self.layout = laid_out;
    }
}

/// What becomes of the columns of a terminal that no row needs so far.
#[derive(Clone, Copy)]
enum Rest {
    /// All columns of the table get their share.
    Shared,
    Unused,
}

impl Rest {
    fn use_up(self, mut widths: Vec<usize>, room: usize) -> Vec<usize> {
        if let Self::Shared = self {
            let left = room.saturating_sub(whole(&widths));
            let share = left.checked_div(widths.len()).unwrap_or(0);
            for width in &mut widths {
                *width = width.saturating_add(share);
            }
        }
        widths
    }
}

/// The widths by which a row has room. The first column tells what it is about, and
/// loses last. Columns that would be too narrow are left out from behind.
fn fitted(mut widths: Vec<usize>, room: usize) -> Vec<usize> {
    let least = |widths: &[usize]| {
        let narrow: Vec<_> = widths.iter().map(|width| (*width).min(LEAST)).collect();
        whole(&narrow)
    };
    while widths.len() > 1 && least(&widths) > room {
        widths.pop();
    }
    while whole(&widths) > room {
        let weighed = widths.iter_mut().enumerate().map(|(index, width)| {
            let weight = if index == 0 {
                width.checked_div(FIRST).unwrap_or(0)
            } else {
                *width
            };
            (weight, width)
        });
        let widest = weighed.filter(|(_, width)| **width > LEAST);
        let Some((_, width)) = widest.max_by_key(|(weight, _)| *weight) else {
            break;
        };
        *width = width.saturating_sub(1);
    }
    if let [only] = widths.as_mut_slice() {
        *only = (*only).min(room);
    }
    widths
}

/// How long a row is.
fn whole(widths: &[usize]) -> usize {
    let gaps = widths.len().saturating_sub(1).saturating_mul(GAP);
    widths.iter().sum::<usize>().saturating_add(gaps)
}

/// A value in its column.
struct Cell {
    text: Zeroizing<String>,
    style: Style,
    room: usize,
}

/// A row, as it is printed.
struct Line {
    cells: Vec<Cell>,
    is_cut: bool,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing is written behind the last one.
        let mut before = 0_usize;
        for Cell { text, style, room } in &self.cells {
            let limit = if self.is_cut { *room } else { usize::MAX };
            let text = Cut { text, room: limit }.to_string();
            let taken = width(&text);
            if taken > 0 {
                write!(f, "{:before$}{style}{text}{style:#}", "")?;
            }
            let left = room.saturating_sub(taken).saturating_add(GAP);
            before = if taken > 0 {
                left
            } else {
                before.saturating_add(left)
            };
        }
        writeln!(f)
    }
}

const GAP: usize = 2;
/// No column is narrower, unless all that it holds is.
const LEAST: usize = 12;
/// The first column keeps so many times what the others do.
const FIRST: usize = 2;
/// How many rows are measured before the first one is printed.
const MEASURED: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_have_room_are_as_wide_as_what_they_hold() {
        assert_eq!(fitted(vec![9, 5, 7], 80), [9, 5, 7]);
        assert_eq!(fitted(vec![9, 5, 7], 25), [9, 5, 7]);
    }

    #[test]
    fn the_first_column_loses_last_and_the_last_go_first() {
        assert_eq!(fitted(vec![20, 20, 20], 54), [20, 15, 15]);
        assert_eq!(fitted(vec![255, 10, 10], 80), [56, 10, 10]);
        assert_eq!(fitted(vec![255, 255, 10], 80), [45, 21, 10]);
        assert_eq!(fitted(vec![30, 30, 30], 40), [12, 12, 12]);
        assert_eq!(fitted(vec![30, 30, 30], 39).len(), 2);
        assert_eq!(fitted(vec![255], 20), [20]);
        assert_eq!(fitted(Vec::new(), 20), [] as [usize; 0]);
    }

    #[test]
    fn no_row_is_longer_than_its_room() {
        for room in 20..120 {
            for count in 1..12 {
                for natural in [4, 8, 9, 40, 255] {
                    let widths = fitted(vec![natural; count], room);
                    assert!(whole(&widths) <= room, "{natural} × {count} in {room}");
                    assert!(!widths.is_empty());
                    let all = Rest::Shared.use_up(widths, room);
                    assert!(whole(&all) <= room);
                }
            }
        }
    }

    #[test]
    fn a_row_is_drawn_in_its_columns_however_wide_its_signs_are() {
        let cell = |text: &str, room| Cell {
            text: Zeroizing::new(text.into()),
            style: Style::new(),
            room,
        };
        let line = |cells, is_cut| Line { cells, is_cut }.to_string();
        let cells = || vec![cell("設備", 6), cell("abcdefghij", 7), cell("z", 3)];
        assert_eq!(line(cells(), true), "設備    abcd…ij  z\n");
        assert_eq!(line(cells(), false), "設備    abcdefghij  z\n");
        assert_eq!(line(vec![cell("a", 3), cell("", 3)], true), "a\n");
    }
}
