//! The file and line of a value.

use core::fmt;
use std::path::Path;
use std::sync::Arc;

/// A line of a file; shown as `FILE:LINE`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Source {
    /// The file.
    pub file: Arc<Path>,
    /// The line, the first one being 1.
    pub line: usize,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", shown(&self.file), self.line)
    }
}

/// A path on one line, with nothing in it that a terminal would obey.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string().escape_debug().collect()
}

/// A value, and the line that it stands in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sourced<T> {
    /// The line.
    pub at: Source,
    /// The value.
    pub value: T,
}

impl<T> Sourced<T> {
    /// A value that stands there.
    pub(crate) fn new(at: &Source, value: T) -> Self {
        Self {
            at: at.clone(),
            value,
        }
    }
}
