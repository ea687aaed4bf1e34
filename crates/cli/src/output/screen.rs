//! What reads the output: a terminal of some width, or a pipe.

use std::io;
use std::os::fd::AsFd;

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use anstyle::Style;
use terminal_size::{Width, terminal_size_of};

/// What one of our streams goes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Screen {
    is_terminal: bool,
    /// How many columns text is fitted to, if to any.
    width: Option<usize>,
    is_coloured: bool,
}

impl Screen {
    /// No terminal: every line is as long as what it says.
    const NONE: Self = Self {
        is_terminal: false,
        width: None,
        is_coloured: false,
    };

    /// What standard output goes to.
    pub(crate) fn of_output() -> Self {
        Self::of(&io::stdout())
    }

    /// What standard error goes to.
    pub(crate) fn of_errors() -> Self {
        Self::of(&io::stderr())
    }

    fn of(stream: &(impl AsFd + RawStream)) -> Self {
        if !stream.is_terminal() {
            return Self::NONE;
        }
        let width = terminal_size_of(stream).map(|(Width(width), _)| usize::from(width));
        // Some terminals say 0, as they do not know.
        let width = width.filter(|width| *width > 0).unwrap_or(USUAL);
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            is_terminal: true,
            width: Some(width.max(LEAST)),
            // It knows NO_COLOR and CLICOLOR, and asks for TERM unless CI is set.
            is_coloured: !is_dumb && AutoStream::choice(stream) != ColorChoice::Never,
        }
    }

    /// The same with lines as long as what they say.
    pub(crate) fn unlimited(self) -> Self {
        Self {
            width: None,
            ..self
        }
    }

    /// Says whether a person may sit there.
    pub(crate) fn is_terminal(self) -> bool {
        self.is_terminal
    }

    /// How many columns there are; none, where there is no limit.
    pub(crate) fn width(self) -> Option<usize> {
        self.width
    }

    /// The style, where there are colours.
    pub(crate) fn style(self, style: Style) -> Style {
        if self.is_coloured {
            style
        } else {
            Style::new()
        }
    }
}

/// Terminals that do not say how wide they are.
const USUAL: usize = 80;
/// Narrower ones wrap by themselves.
const LEAST: usize = 20;
