//! What is read of rows.

use std::error::Error;

use tokio_postgres::types::{FromSql, Type};

use crate::error::Fault;

/// The value of a column.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CellRef<'row> {
    Null,
    Integer(i64),
    Text(&'row str),
    Bytes(&'row [u8]),
}

impl<'row> FromSql<'row> for CellRef<'row> {
    fn from_sql(kind: &Type, raw: &'row [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(match *kind {
            Type::INT8 => Self::Integer(i64::from_sql(kind, raw)?),
            Type::INT4 => Self::Integer(i32::from_sql(kind, raw)?.into()),
            Type::BOOL => Self::Integer(bool::from_sql(kind, raw)?.into()),
            Type::TEXT => Self::Text(<&str>::from_sql(kind, raw)?),
            Type::BYTEA => Self::Bytes(raw),
            _ => return Err(format!("a column is {kind}").into()),
        })
    }

    fn from_sql_null(_kind: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(_kind: &Type) -> bool {
        true
    }
}

/// A row that was found.
pub(crate) struct Row(pub(super) tokio_postgres::Row);

impl Row {
    /// How many columns it has.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The value of a column.
    pub(crate) fn cell(&self, column: usize) -> Result<CellRef<'_>, Fault> {
        self.0.try_get(column).map_err(|_| self.nonsense(column))
    }

    /// The value of a column, of a type that it must have.
    pub(crate) fn get<T: FromCell>(&self, column: usize) -> Result<T, Fault> {
        T::from_cell(self.cell(column)?).ok_or_else(|| self.nonsense(column))
    }

    /// The fault of a column. Names it and never its value.
    pub(crate) fn nonsense(&self, column: usize) -> Fault {
        let name = self.0.columns().get(column).map_or("?", |it| it.name());
        Fault::Content(format!("a stored `{name}`"))
    }
}

/// What a value may be read as.
pub(crate) trait FromCell: Sized {
    /// The same, if it is of that type.
    fn from_cell(cell: CellRef<'_>) -> Option<Self>;
}

macro_rules! numbers {
    ($($number:ty)*) => {
        $(impl FromCell for $number {
            fn from_cell(cell: CellRef<'_>) -> Option<Self> {
                match cell {
                    CellRef::Integer(number) => number.try_into().ok(),
                    CellRef::Null | CellRef::Text(_) | CellRef::Bytes(_) => None,
                }
            }
        })*
    };
}

numbers! { i64 u32 u64 usize }

impl FromCell for bool {
    fn from_cell(cell: CellRef<'_>) -> Option<Self> {
        match cell {
            CellRef::Integer(0) => Some(false),
            CellRef::Integer(1) => Some(true),
            CellRef::Integer(_) | CellRef::Null | CellRef::Text(_) | CellRef::Bytes(_) => None,
        }
    }
}

impl FromCell for String {
    fn from_cell(cell: CellRef<'_>) -> Option<Self> {
        match cell {
            CellRef::Text(text) => Some(text.into()),
            CellRef::Null | CellRef::Integer(_) | CellRef::Bytes(_) => None,
        }
    }
}

impl<T: FromCell> FromCell for Option<T> {
    fn from_cell(cell: CellRef<'_>) -> Option<Self> {
        match cell {
            CellRef::Null => Some(None),
            CellRef::Integer(_) | CellRef::Text(_) | CellRef::Bytes(_) => {
                T::from_cell(cell).map(Some)
            }
        }
    }
}
