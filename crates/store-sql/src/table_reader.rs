//! How whole tables of a store are read.

use countersign_core::store::Cell;

use crate::reader::SqlReader;
use crate::shape::TableShape;

/// One state of a store, whose tables are read from end to end.
pub trait TableReader: SqlReader {
    /// The shape of a table; none where there is no such table.
    ///
    /// # Errors
    ///
    /// Returns the store's fault when it can't be read.
    fn shape(&self, table: &'static str) -> Result<Option<TableShape>, Self::Fault>;

    /// The last number that a table gave to a row; none where it gave none.
    ///
    /// # Errors
    ///
    /// Returns the store's fault when it can't be read.
    fn last_number(&self, table: &'static str) -> Result<Option<i64>, Self::Fault>;

    /// Hands over the rows that a query finds, some at a time, until `each` fails.
    ///
    /// # Errors
    ///
    /// Returns the store's fault when they can't be read, and inside of it what `each` fails
    /// with.
    fn walk<E>(
        &self,
        sql: &str,
        values: &[Cell],
        each: impl FnMut(Vec<Cell>) -> Result<(), E>,
    ) -> Result<Result<(), E>, Self::Fault>;
}
