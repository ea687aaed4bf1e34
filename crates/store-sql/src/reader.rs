//! How a store is asked in SQL.

use countersign_core::store::Cell;

use crate::kind::KeyPart;

/// One state of a store, whatever others do meanwhile.
pub trait SqlReader {
    /// Why something could not be read.
    type Fault;

    /// A value without bytes.
    const NO_BYTES: &'static str;

    /// The rows of a list, to stand behind `IN`: of the JSON that is bound in a place, which
    /// is an array of values where there is one part, and of arrays where there are more.
    fn list(place: usize, parts: &[KeyPart]) -> String;

    /// All rows that a query finds. What is bound in the first place is `?1`.
    ///
    /// # Errors
    ///
    /// Returns the store's fault when they can't be read.
    fn rows(&self, sql: &str, values: &[Cell]) -> Result<Vec<Vec<Cell>>, Self::Fault>;

    /// The fault of what is stored and makes no sense; says what.
    fn nonsense(what: String) -> Self::Fault;
}
