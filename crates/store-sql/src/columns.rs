//! Reading a row column by column, in the order of its SELECT.

use countersign_core::store::Cell;

use crate::reader::SqlReader;

/// The columns of a row that were not read yet.
pub(crate) struct Columns(std::vec::IntoIter<Cell>);

impl Columns {
    /// All columns of a row.
    pub(crate) fn of(row: Vec<Cell>) -> Self {
        Self(row.into_iter())
    }

    /// The next column, a whole number.
    pub(crate) fn number<R: SqlReader>(&mut self) -> Result<i64, R::Fault> {
        self.maybe_number::<R>()?.ok_or_else(nonsense::<R>)
    }

    /// The next column, a whole number or nothing.
    pub(crate) fn maybe_number<R: SqlReader>(&mut self) -> Result<Option<i64>, R::Fault> {
        match self.0.next() {
            Some(Cell::Integer(number)) => Ok(Some(number)),
            Some(Cell::Null) => Ok(None),
            Some(Cell::Bytes(_) | Cell::Text(_)) | None => Err(nonsense::<R>()),
        }
    }

    /// The next column, a text.
    pub(crate) fn text<R: SqlReader>(&mut self) -> Result<String, R::Fault> {
        self.maybe_text::<R>()?.ok_or_else(nonsense::<R>)
    }

    /// The next column, a text or nothing.
    pub(crate) fn maybe_text<R: SqlReader>(&mut self) -> Result<Option<String>, R::Fault> {
        match self.0.next() {
            Some(Cell::Text(text)) => Ok(Some(text)),
            Some(Cell::Null) => Ok(None),
            Some(Cell::Bytes(_) | Cell::Integer(_)) | None => Err(nonsense::<R>()),
        }
    }
}

fn nonsense<R: SqlReader>() -> R::Fault {
    R::nonsense("a column that was read".into())
}
