//! Reading a row column by column, in the order of its SELECT.

use countersign_core::time::Timestamp;

use crate::error::Fault;
use crate::sql::{CellRef, Row};

/// The columns of a row that were not read yet.
pub(crate) struct RowReader<'row> {
    row: &'row Row,
    next: usize,
}

impl<'row> RowReader<'row> {
    /// All columns of `row`.
    pub(crate) fn of(row: &'row Row) -> Self {
        Self { row, next: 0 }
    }

    /// The next column, a whole number.
    pub(crate) fn number(&mut self) -> Result<i64, Fault> {
        self.maybe_number()?.ok_or_else(|| self.nonsense())
    }

    /// The next column, a whole number or nothing.
    pub(crate) fn maybe_number(&mut self) -> Result<Option<i64>, Fault> {
        match self.value()? {
            CellRef::Integer(number) => Ok(Some(number)),
            CellRef::Null => Ok(None),
            CellRef::Bytes(_) | CellRef::Text(_) => Err(self.nonsense()),
        }
    }

    /// The next column, a whole number that fits.
    pub(crate) fn small<T: TryFrom<i64>>(&mut self) -> Result<T, Fault> {
        let number = self.number()?;
        T::try_from(number).map_err(|_| self.nonsense())
    }

    /// The next column, a whole number that fits, or nothing.
    pub(crate) fn maybe_small<T: TryFrom<i64>>(&mut self) -> Result<Option<T>, Fault> {
        let number = self.maybe_number()?.map(T::try_from);
        number.transpose().map_err(|_| self.nonsense())
    }

    /// The next column, 0 or 1.
    pub(crate) fn flag(&mut self) -> Result<bool, Fault> {
        match self.number()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.nonsense()),
        }
    }

    /// The next column, an instant.
    pub(crate) fn instant(&mut self) -> Result<Timestamp, Fault> {
        self.number().map(Timestamp::from_millis)
    }

    /// The next column, an instant or nothing.
    pub(crate) fn maybe_instant(&mut self) -> Result<Option<Timestamp>, Fault> {
        Ok(self.maybe_number()?.map(Timestamp::from_millis))
    }

    /// The next column, a text.
    pub(crate) fn text(&mut self) -> Result<&'row str, Fault> {
        self.maybe_text()?.ok_or_else(|| self.nonsense())
    }

    /// The next column, a text or nothing.
    pub(crate) fn maybe_text(&mut self) -> Result<Option<&'row str>, Fault> {
        match self.value()? {
            CellRef::Text(text) => Ok(Some(text)),
            CellRef::Null => Ok(None),
            CellRef::Bytes(_) | CellRef::Integer(_) => Err(self.nonsense()),
        }
    }

    /// The next column, a text that `parse` understands.
    pub(crate) fn parsed<T, E>(
        &mut self,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Fault> {
        let text = self.text()?;
        parse(text).map_err(|_| self.nonsense())
    }

    /// The next column, a text that `parse` understands, or nothing.
    pub(crate) fn maybe_parsed<T, E>(
        &mut self,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Fault> {
        let text = self.maybe_text()?;
        text.map(parse).transpose().map_err(|_| self.nonsense())
    }

    /// The next column, bytes.
    pub(crate) fn bytes(&mut self) -> Result<&'row [u8], Fault> {
        self.maybe_bytes()?.ok_or_else(|| self.nonsense())
    }

    /// The next column, bytes or nothing.
    pub(crate) fn maybe_bytes(&mut self) -> Result<Option<&'row [u8]>, Fault> {
        match self.value()? {
            CellRef::Bytes(bytes) => Ok(Some(bytes)),
            CellRef::Null => Ok(None),
            CellRef::Integer(_) | CellRef::Text(_) => Err(self.nonsense()),
        }
    }

    /// The next column, 32 bytes.
    pub(crate) fn hash(&mut self) -> Result<[u8; 32], Fault> {
        self.maybe_hash()?.ok_or_else(|| self.nonsense())
    }

    /// The next column, 32 bytes or nothing.
    pub(crate) fn maybe_hash(&mut self) -> Result<Option<[u8; 32]>, Fault> {
        let hash = self.maybe_bytes()?.map(TryInto::try_into);
        hash.transpose().map_err(|_| self.nonsense())
    }

    /// The fault of the column read last. Names it and never its value.
    pub(crate) fn nonsense(&self) -> Fault {
        let column = self.next.saturating_sub(1);
        self.row.nonsense(column)
    }

    fn value(&mut self) -> Result<CellRef<'row>, Fault> {
        let column = self.next;
        self.next = column.saturating_add(1);
        self.row.cell(column)
    }
}
