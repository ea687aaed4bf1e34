//! How the program fails: with one line and a code.

use core::error::Error;

use countersign_admin::AdminError;

use crate::hint::hint;

/// Why a command was not done.
#[derive(Debug)]
pub(crate) enum CliError {
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

    /// The refusal of a command, if it is one.
    pub(crate) fn refusal(&self) -> Option<&AdminError> {
        match self {
            Self::Refused(error) => error.downcast_ref(),
            Self::Usage(_) => None,
        }
    }

    /// What went wrong, in words.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Refused(error) => {
                let said: Vec<_> = error.chain().map(with_hint).collect();
                said.join(": ")
            }
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

/// The code for arguments that make no sense.
pub(crate) const USAGE: u8 = 2;
