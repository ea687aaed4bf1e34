//! How the program fails: with one line and a code.

use core::error::Error;

use countersign_admin::AdminError;
use countersign_core::store::{StoreError, StoreErrorKind};

use crate::hint::hint;

/// Why a command was not done.
#[derive(Debug)]
pub(crate) enum CliError {
    /// No command was given to one that has commands: its short help says which.
    Bare,
    /// It was refused, or what it is about was not found.
    Refused(anyhow::Error),
    /// The arguments make no sense together.
    Usage(String),
}

impl CliError {
    /// A refusal in these words.
    pub(crate) fn refused(text: impl Into<String>) -> Self {
        Self::Refused(anyhow::Error::msg(text.into()))
    }

    /// A refusal in the words of an error that is about another file than the store.
    pub(crate) fn elsewhere(error: impl Error + Send + Sync + 'static) -> Self {
        Self::refused(Self::from(error).text())
    }

    /// The refusal of a command, if it is one.
    pub(crate) fn refusal(&self) -> Option<&AdminError> {
        match self {
            Self::Refused(error) => error.downcast_ref(),
            Self::Bare | Self::Usage(_) => None,
        }
    }

    /// Which code the program ends with.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Refused(error) if error.chain().any(is_about_store) => UNUSABLE,
            Self::Refused(_) => REFUSED,
            Self::Bare | Self::Usage(_) => USAGE,
        }
    }

    /// What kind of failure it is, for programs.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Bare | Self::Usage(_) => "usage",
            Self::Refused(_) => match self.refusal() {
                Some(refusal) => refusal.kind().as_str(),
                None if self.code() == UNUSABLE => "unavailable",
                None => "refused",
            },
        }
    }

    /// What went wrong, in words.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Refused(error) => {
                let said: Vec<_> = error.chain().map(with_hint).collect();
                said.join(": ")
            }
            Self::Bare => "no command was given".into(),
            Self::Usage(text) => text.clone(),
        }
    }

    /// A misuse in these words.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }
}

/// An error, and the way out where it is the refusal of a command.
fn with_hint(error: &(dyn Error + 'static)) -> String {
    let hint = error.downcast_ref().and_then(hint);
    format!("{error}{}", hint.unwrap_or_default())
}

/// Says whether it is the store that can't be used.
fn is_about_store(error: &(dyn Error + 'static)) -> bool {
    let store = match error.downcast_ref::<AdminError>() {
        Some(refusal) => refusal.store(),
        None => error.downcast_ref::<StoreError>(),
    };
    store.is_some_and(|error| {
        !matches!(
            error.kind(),
            StoreErrorKind::Conflict | StoreErrorKind::Replica
        )
    })
}

/// All errors below are refusals. `CliError` is no error itself, so that this
/// can stand for every one.
impl<E: Error + Send + Sync + 'static> From<E> for CliError {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

/// What is wrong with the arguments, without the usage and the hints that
/// clap adds below.
pub(crate) fn usage_of(error: &clap::Error) -> String {
    let rendered = error.render().to_string();
    let said: Vec<_> = rendered
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty())
        .collect();
    let said = said.join(" ").replace(" tip: ", "; ");
    said.strip_prefix("error: ").unwrap_or(&said).into()
}

/// The code of a command that was refused, or did not find what it is about.
pub(crate) const REFUSED: u8 = 1;

/// The code of what is partly done, or of a report that stopped at a loss.
pub(crate) const STOPPED: u8 = 4;

/// The code where the store can't be used.
pub(crate) const UNUSABLE: u8 = 3;

/// The code for arguments that make no sense.
pub(crate) const USAGE: u8 = 2;
