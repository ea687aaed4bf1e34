//! How a store fails.

use core::error::Error;
use core::fmt;

use crate::given::one_line;

/// A store could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("could not {action}: {kind}{}", .detail.as_deref().map(|text| format!(": {text}")).unwrap_or_default())]
pub struct StoreError {
    action: &'static str,
    kind: StoreErrorKind,
    detail: Option<String>,
    is_about_pages: bool,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// An error of `kind` while trying to `action`.
    #[must_use]
    pub fn new(action: &'static str, kind: StoreErrorKind) -> Self {
        Self {
            action,
            kind,
            detail: None,
            is_about_pages: false,
            source: None,
        }
    }

    /// What `action` needed is not there any more.
    #[must_use]
    pub fn gone(action: &'static str, what: &str) -> Self {
        Self::new(action, StoreErrorKind::Unavailable)
            .with_detail(format!("{what} is not there any more; look again"))
    }

    /// Adds what helps the reader: a path, a version, a way out. It is shown on
    /// one line.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(one_line(&detail.into())),
            ..self
        }
    }

    /// Another error that says the same, without what caused it.
    #[must_use]
    pub fn of_the_same(&self) -> Self {
        Self {
            action: self.action,
            kind: self.kind,
            detail: self.detail.clone(),
            is_about_pages: self.is_about_pages,
            source: None,
        }
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn with_source(self, source: impl Error + Send + Sync + 'static) -> Self {
        Self {
            source: Some(Box::new(source)),
            ..self
        }
    }

    /// Says that pages of the store's file make no sense, whatever is in them.
    #[must_use]
    pub fn about_pages(self) -> Self {
        Self {
            is_about_pages: true,
            ..self
        }
    }

    /// Says whether pages of the store's file make no sense, so that more than
    /// what was asked for is damaged.
    #[must_use]
    pub fn is_about_pages(&self) -> bool {
        self.is_about_pages
    }

    /// Says whether it is about what was asked for alone: a record that can't
    /// be read, in a store that can. To ask again is of no use then.
    #[must_use]
    pub fn is_of_one_record(&self) -> bool {
        self.kind == StoreErrorKind::Damaged
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

/// The kinds of failures of a store, by what can be done about them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Another process holds its lock: try again.
    Busy,
    /// What was to be written is there already.
    Conflict,
    /// Its content makes no sense: restore a backup.
    Damaged,
    /// There is no room left.
    Full,
    /// There is none: `init` makes one.
    Missing,
    /// A newer version of this program made it.
    Newer,
    /// A broker of an older version uses it: restart that broker first.
    Older,
    /// It may not be written.
    ReadOnly,
    /// It follows another store: change that one.
    Replica,
    /// It can't be opened or read.
    Unavailable,
}

impl fmt::Display for StoreErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "another process is using the store",
            Self::Conflict => "it exists already",
            Self::Damaged => "the store is damaged",
            Self::Full => "the disk is full",
            Self::Missing => "there is no store",
            Self::Newer => "the store was made by a newer version",
            Self::Older => "a broker of an older version uses it",
            Self::ReadOnly => "the store can't be written",
            Self::Replica => "the store follows another one",
            Self::Unavailable => "the store can't be used",
        })
    }
}
