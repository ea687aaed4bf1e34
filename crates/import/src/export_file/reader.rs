//! Reads an export line by line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use countersign_core::store::{ExportHeader, TableRow};
use zeroize::Zeroizing;

use super::FORMAT;
use super::line::{FormatLine, HeaderLine};
use crate::content::check_regular;
use crate::error::SourceError;
use crate::place::{Place, SourceName};

/// The rows of an export that are not read yet. One line is in memory at a time.
#[expect(missing_debug_implementations, reason = "it holds hashes")]
pub struct ExportReader<R> {
    input: R,
    name: SourceName,
    line: Zeroizing<Vec<u8>>,
    number: usize,
}

/// Opens the export at `path` and reads its header.
///
/// # Errors
///
/// Returns [`SourceError`] where the file can't be read, is not a regular file,
/// or does not begin with the header of an export.
pub fn open_export(
    path: &Path,
) -> Result<(ExportHeader, ExportReader<BufReader<File>>), SourceError> {
    let name = SourceName::of(path);
    check_regular(path, &name)?;
    let file = File::open(path).map_err(|error| unreadable(name.whole(), &error))?;
    ExportReader::begin(BufReader::with_capacity(BUFFER, file), name)
}

impl<R: BufRead> ExportReader<R> {
    /// Reads the header of an export; `name` is what messages call it.
    ///
    /// # Errors
    ///
    /// Returns [`SourceError`] where `input` does not begin with the header of
    /// an export.
    pub fn begin(input: R, name: SourceName) -> Result<(ExportHeader, Self), SourceError> {
        let mut reader = Self {
            input,
            name,
            line: Zeroizing::new(Vec::new()),
            number: 0,
        };
        let not_ours = |reader: &Self| {
            SourceError::new(
                reader.place(),
                "it is not the header of an export of Countersign's",
            )
        };
        if !reader.advance()? {
            return Err(not_ours(&reader));
        }
        let format: Result<FormatLine, _> = serde_json::from_slice(&reader.line);
        match format {
            Ok(FormatLine { format }) if format != FORMAT => {
                return Err(SourceError::new(
                    reader.place(),
                    format!("the export has form {format}, and this program reads form {FORMAT}"),
                ));
            }
            Ok(_) | Err(_) => {}
        }
        let header: Result<HeaderLine, _> = serde_json::from_slice(&reader.line);
        let header = header.ok().filter(|header| header.format == FORMAT);
        match header.and_then(HeaderLine::into_header) {
            Some(header) => Ok((header, reader)),
            None => Err(not_ours(&reader)),
        }
    }

    /// Reads the next row; none at the end.
    ///
    /// # Errors
    ///
    /// Returns [`SourceError`] where a line can't be read, is too long, or is not
    /// a row.
    pub fn next_row(&mut self) -> Result<Option<TableRow>, SourceError> {
        if !self.advance()? {
            return Ok(None);
        }
        match serde_json::from_slice(&self.line) {
            Ok(row) => Ok(Some(row)),
            // Serde's words would repeat what stands there.
            Err(_) => Err(SourceError::new(
                self.place(),
                "the line is not a row of an export",
            )),
        }
    }

    /// Where the row stands that was read last.
    pub fn place(&self) -> Place {
        self.name.line(self.number)
    }

    /// Reads the next line; says whether there is one.
    fn advance(&mut self) -> Result<bool, SourceError> {
        self.number = self.number.saturating_add(1);
        self.line.clear();
        let most = u64::try_from(LONGEST_LINE).unwrap_or(u64::MAX);
        let read = self
            .input
            .by_ref()
            .take(most.saturating_add(1))
            .read_until(b'\n', &mut self.line)
            .map_err(|error| unreadable(self.place(), &error))?;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        }
        if self.line.len() > LONGEST_LINE {
            return Err(SourceError::new(self.place(), "the line is too long"));
        }
        Ok(read > 0)
    }
}

fn unreadable(place: Place, error: &std::io::Error) -> SourceError {
    SourceError::new(place, format!("the file can't be read: {error}"))
}

/// In bytes; far above the longest row.
const LONGEST_LINE: usize = 1_024 * 1_024;
/// What is read from the file at once.
const BUFFER: usize = 256 * 1_024;

#[cfg(test)]
mod tests {
    use countersign_core::store::{Cell, ExportScope};

    use super::super::header_line;
    use super::*;

    fn sample() -> (ExportHeader, TableRow) {
        let header = ExportHeader {
            schema: 6,
            scope: ExportScope::default(),
            key: Some("00".into()),
            sequences: [("credential".into(), 3)].into(),
            rows: [("tenant".into(), 1)].into(),
        };
        let row = TableRow {
            table: "tenant".into(),
            cells: vec![
                ("id".into(), Cell::Text("a\"ü\n".into())),
                ("n".into(), Cell::Integer(i64::MIN)),
                ("b".into(), Cell::Bytes(vec![0, 0xff])),
                ("x".into(), Cell::Null),
            ],
        };
        (header, row)
    }

    fn read(text: &str) -> Result<Vec<TableRow>, String> {
        let name = SourceName::of(Path::new("f"));
        let said = |error: SourceError| error.to_string();
        let (_, mut reader) = ExportReader::begin(text.as_bytes(), name).map_err(said)?;
        let mut rows = Vec::new();
        while let Some(row) = reader.next_row().map_err(said)? {
            rows.push(row);
        }
        Ok(rows)
    }

    fn lines() -> (String, String) {
        let (header, row) = sample();
        (
            serde_json::to_string(&header_line(&header)).unwrap(),
            serde_json::to_string(&row).unwrap(),
        )
    }

    #[test]
    fn what_is_written_is_read_again() {
        let (header, row) = sample();
        let (first, second) = lines();
        let text = format!("{first}\n{second}\n");
        let name = SourceName::of(Path::new("f"));
        let (read_header, mut reader) = ExportReader::begin(text.as_bytes(), name).unwrap();
        assert_eq!(read_header, header);
        assert!(reader.next_row().unwrap() == Some(row));
        assert_eq!(reader.place().to_string(), "f:2");
        assert!(reader.next_row().unwrap().is_none());
    }

    #[test]
    fn an_empty_file_is_not_an_export() {
        let not_ours = "f:1: it is not the header of an export of Countersign's";
        for text in ["", "\n", "{}\n", "[]", "{\"format\":1}", "\u{0}"] {
            assert_eq!(read(text).err().unwrap(), not_ours, "{text:?}");
        }
        let other = "f:1: the export has form 2, and this program reads form 1";
        assert_eq!(read("{\"format\":2,\"x\":[]}").err().unwrap(), other);
    }

    #[test]
    fn a_line_that_is_not_a_row_is_refused_at_its_place() {
        let (header, row) = lines();
        for wrong in [
            "",
            "{}",
            "{\"table\":\"t\"}",
            "{\"table\":\"t\",\"row\":{},\"more\":1}",
            "{\"table\":\"t\",\"row\":{\"a\":1,\"a\":2}}",
            "{\"table\":\"t\",\"row\":{\"a\":1.5}}",
            "{\"table\":\"t\",\"row\":{\"a\":true}}",
            "{\"table\":\"t\",\"row\":{\"a\":[]}}",
            "{\"table\":\"t\",\"row\":{\"a\":{}}}",
            "{\"table\":\"t\",\"row\":{\"a\":{\"hex\":\"0\"}}}",
            "{\"table\":\"t\",\"row\":{\"a\":{\"hex\":\"0G\"}}}",
            "{\"table\":\"t\",\"row\":{\"a\":{\"hex\":\"00\",\"hex\":\"01\"}}}",
            "{\"table\":\"t\",\"row\":{\"a\":18446744073709551615}}",
        ] {
            let error = read(&format!("{header}\n{row}\n{wrong}\n{row}\n"))
                .err()
                .unwrap();
            assert_eq!(error, "f:3: the line is not a row of an export", "{wrong}");
        }
        let long = format!("{header}\n{}\n", " ".repeat(LONGEST_LINE + 1));
        assert_eq!(read(&long).err().unwrap(), "f:2: the line is too long");
    }
}
