//! Diagnostics: what keeps a broker from starting.

use core::fmt;
use std::path::PathBuf;

use crate::Source;
use crate::source::shown;

/// Something that keeps a broker from starting, and the line that does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Diagnostic {
    /// The line; none for the main file as a whole.
    pub at: Option<Source>,
    /// What is wrong there.
    pub kind: DiagnosticKind,
}

/// `FILE:LINE: ` and what is wrong there.
impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = &self.at {
            write!(formatter, "{at}: ")?;
        }
        write!(formatter, "{}", self.kind)
    }
}

/// What is wrong with a line. Texts of the configuration are cut.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DiagnosticKind {
    /// A line ends in the middle, at a NUL.
    BrokenLine,
    /// The word can't have this value.
    BadValue {
        /// The word.
        word: String,
        /// The value.
        value: String,
        /// What it can be.
        expected: &'static str,
    },
    /// A word has no value.
    Empty {
        /// The word.
        word: String,
    },
    /// A file includes others, and is itself included.
    NestedInclude,
    /// A word needs a listener above it.
    NoListener {
        /// The word.
        word: String,
    },
    /// A word needs a bridge above it.
    NoBridge {
        /// The word.
        word: String,
    },
    /// A plugin's option has no plugin above it in its own file.
    NoPlugin {
        /// The word.
        word: String,
    },
    /// `plugin_use` names a plugin that is not loaded.
    NotLoaded {
        /// The name.
        name: String,
    },
    /// `per_listener_settings` comes behind what it concerns.
    TooLate,
    /// There is more than is read: bytes of a file, or files.
    TooMuch {
        /// The file or folder.
        path: PathBuf,
    },
    /// A value that may stand once stands twice.
    Twice {
        /// The word.
        word: String,
        /// Where it stands first.
        first: Source,
    },
    /// There is no such word.
    Unknown {
        /// The word.
        word: String,
    },
    /// A file or folder can't be read.
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// White space belongs to a value that it spoils.
    WhiteSpace {
        /// The word.
        word: String,
        /// The value.
        value: String,
    },
}

impl DiagnosticKind {
    /// What to do about it.
    #[must_use]
    pub fn fix(&self) -> &'static str {
        match self {
            Self::BadValue { .. } | Self::Empty { .. } => "correct the value",
            Self::BrokenLine => "remove the NUL byte",
            Self::NestedInclude => "include the folder in the main file",
            Self::NoBridge { .. } => "write it below a `connection` line of the same file",
            Self::NoListener { .. } => "write it below a `listener` line of the same file",
            Self::NoPlugin { .. } => "write it below the plugin's line, in the same file",
            Self::NotLoaded { .. } => "load it above with `plugin_load NAME PATH`",
            Self::TooLate => "write it before everything else",
            Self::TooMuch { .. } => "include fewer and smaller files",
            Self::Twice { .. } => "keep one",
            Self::Unknown { .. } => {
                "correct the word; words and values are divided by a space, and comments stand on \
                 lines of their own"
            }
            Self::Unreadable { .. } => {
                "correct the path, or run this as a user who may read what it names"
            }
            Self::WhiteSpace { .. } => "remove the white space",
        }
    }
}

impl fmt::Display for DiagnosticKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadValue {
                word,
                value,
                expected,
            } => write!(formatter, "`{word} {}`: write {expected}", cut(value)),
            Self::BrokenLine => formatter.write_str("the line holds a NUL byte"),
            Self::Empty { word } => write!(formatter, "`{}` has no value", cut(word)),
            Self::NestedInclude => formatter
                .write_str("`include_dir` stands in an included file, where Mosquitto refuses it"),
            Self::NoBridge { word } => write!(formatter, "`{word}` belongs to no bridge"),
            Self::NoListener { word } => write!(formatter, "`{word}` belongs to no listener"),
            Self::NoPlugin { word } => write!(
                formatter,
                "`{}` belongs to no plugin: none is loaded above it in this file",
                cut(word)
            ),
            Self::NotLoaded { name } => write!(
                formatter,
                "`plugin_use {}` names a plugin that is not loaded",
                cut(name)
            ),
            Self::TooLate => {
                formatter.write_str("`per_listener_settings true` stands behind security settings")
            }
            Self::TooMuch { path } => {
                write!(formatter, "`{}` holds too much to be read", shown(path))
            }
            Self::Twice { word, first } => write!(
                formatter,
                "`{word}` is given twice, first at {first}; Mosquitto 2.0 refuses that, and 2.1 \
                 ignores one of them"
            ),
            Self::Unknown { word } => {
                write!(formatter, "Mosquitto knows no setting `{}`", cut(word))
            }
            Self::Unreadable { path, why } => {
                write!(formatter, "could not read `{}`: {}", shown(path), cut(why))
            }
            Self::WhiteSpace { word, value } => write!(
                formatter,
                "the white space around the value of `{word}` belongs to it: `{}`",
                cut(value)
            ),
        }
    }
}

/// A text of the configuration, printable and not too long.
fn cut(text: &str) -> String {
    let shown: String = text.escape_debug().take(LONGEST).collect();
    if text.escape_debug().nth(LONGEST).is_some() {
        format!("{shown}…")
    } else {
        shown
    }
}

const LONGEST: usize = 200;
