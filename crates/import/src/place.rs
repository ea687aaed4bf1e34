//! Where something stands in a source.

use core::fmt;
use std::path::Path;
use std::sync::Arc;

use countersign_core::given::one_line;

/// The name of a source's file, as messages show it: on one line.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SourceName(Arc<str>);

impl SourceName {
    /// The name of the file at `path`.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        Self(one_line(&path.to_string_lossy()).into())
    }

    /// The file as a whole.
    #[must_use]
    pub fn whole(&self) -> Place {
        self.at(Position::Whole)
    }

    /// A line, the first one being 1.
    #[must_use]
    pub fn line(&self, number: usize) -> Place {
        self.at(Position::Line(number))
    }

    /// What a JSON pointer (RFC 6901) points to, such as `/clients/0`.
    #[must_use]
    pub fn pointer(&self, pointer: &str) -> Place {
        self.at(Position::Pointer(pointer.into()))
    }

    fn at(&self, position: Position) -> Place {
        Place {
            file: self.clone(),
            position,
        }
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where an item stands: `FILE:LINE`, or `FILE` and a JSON pointer.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Place {
    file: SourceName,
    position: Position,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Position {
    Line(usize),
    Pointer(Box<str>),
    Whole,
}

impl Place {
    /// The file that it stands in.
    pub(crate) fn whole(&self) -> Self {
        self.file.whole()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, position } = self;
        match position {
            Position::Line(number) => write!(f, "{file}:{number}"),
            Position::Pointer(pointer) => write!(f, "{file}{}", one_line(pointer)),
            Position::Whole => write!(f, "{file}"),
        }
    }
}

/// One step of a JSON pointer, escaped (RFC 6901 §3).
pub(crate) fn pointer_step(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_shown_as_reports_have_it() {
        let file = SourceName::of(Path::new("etc/pass\nwords"));
        assert_eq!(file.line(3).to_string(), "etc/pass\\nwords:3");
        assert_eq!(file.whole().to_string(), "etc/pass\\nwords");
        let place = file.pointer("/clients/0");
        assert_eq!(place.to_string(), "etc/pass\\nwords/clients/0");
        assert_eq!(pointer_step("a/b~c"), "a~1b~0c");
    }
}
