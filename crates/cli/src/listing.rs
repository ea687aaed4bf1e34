//! Lists: a JSON array, or a table for people. Neither is held in memory as
//! a whole.

use std::io::{self, BufWriter, Stdout, Write as _};

use serde::Serialize;
use zeroize::Zeroizing;

use crate::error::CliError;
use crate::json;
use crate::output::{Output, for_people};

/// A column of a table: the key it shows and its heading.
pub(crate) type Column = (&'static str, &'static str);

/// A list that is being printed.
///
/// The widths of a table are those of its first rows.
#[derive(Debug)]
pub(crate) struct Listing {
    output: Output,
    columns: &'static [Column],
    writer: BufWriter<Stdout>,
    begun: bool,
    widths: Vec<usize>,
    waiting: Vec<Vec<Zeroizing<String>>>,
}

impl Listing {
    pub(crate) fn new(output: Output, columns: &'static [Column]) -> Self {
        Self {
            output,
            columns,
            writer: BufWriter::new(io::stdout()),
            begun: false,
            widths: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// Adds one thing.
    pub(crate) fn push(&mut self, record: &impl Serialize) -> Result<(), CliError> {
        match self.output {
            Output::Json => {
                self.writer
                    .write_all(if self.begun { b",\n  " } else { b"[\n  " })?;
                json::write_line(&mut self.writer, record)?;
                self.begun = true;
            }
            Output::Text => {
                let record = serde_json::to_value(record)?;
                let row = self
                    .columns
                    .iter()
                    .map(|(key, _)| record.get(key).map(for_people).unwrap_or_default())
                    .collect();
                self.waiting.push(row);
                if self.begun || self.waiting.len() >= MEASURED {
                    self.write_waiting()?;
                }
            }
        }
        Ok(())
    }

    /// Prints what was added so far.
    pub(crate) fn flush(&mut self) -> Result<(), CliError> {
        match self.output {
            Output::Json => {}
            Output::Text => self.write_waiting()?,
        }
        Ok(self.writer.flush()?)
    }

    /// Ends the list.
    pub(crate) fn finish(mut self) -> Result<(), CliError> {
        match self.output {
            Output::Json if self.begun => self.writer.write_all(b"\n]\n")?,
            Output::Json => self.writer.write_all(b"[]\n")?,
            Output::Text => self.write_waiting()?,
        }
        Ok(self.writer.flush()?)
    }

    fn write_waiting(&mut self) -> Result<(), CliError> {
        let mut rows = core::mem::take(&mut self.waiting);
        if !self.begun {
            self.begun = true;
            rows.insert(
                0,
                self.columns
                    .iter()
                    .map(|(_, heading)| Zeroizing::new((*heading).into()))
                    .collect(),
            );
            self.widths = (0..self.columns.len())
                .map(|column| {
                    let cells = rows.iter().filter_map(|row| row.get(column));
                    cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
                })
                .collect();
        }
        for row in rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&self.widths) {
                line.push_str(&format!("{:width$}  ", cell.as_str()));
            }
            writeln!(self.writer, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// How many rows are measured before the first one is printed.
const MEASURED: usize = 500;
