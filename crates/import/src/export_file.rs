//! Our own form: an export of a store as JSON Lines, a header and then a line for
//! each row. `docs/store.md` describes it.

mod line;
mod reader;

pub use self::line::header_line;
pub use self::reader::{ExportReader, open_export};

/// The number of the form. What an older version can't read has another.
const FORMAT: u32 = 1;
