//! A text with a mark before it, over as many lines as it takes.

use core::fmt;

use anstyle::Style;

use super::{Screen, columns, value};

/// What stands before a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mark {
    /// Something is not well.
    Bad,
    /// Something was done, or is well.
    Done,
    /// Something may be meant so.
    Doubtful,
    /// It goes on with what is above.
    More,
    /// Nothing.
    None,
    /// The program's name, as it speaks on standard error.
    Program,
}

impl Mark {
    fn sign(self) -> (&'static str, Style) {
        match self {
            Self::Bad => ("✖ ", value::BAD),
            Self::Done => ("✔ ", value::GOOD),
            Self::Doubtful => ("⚠ ", value::DOUBTFUL),
            Self::More => ("  ", Style::new()),
            Self::None => ("", Style::new()),
            Self::Program => ("countersign: ", Style::new()),
        }
    }
}

/// A text with a mark before it; its further lines are indented.
pub(super) struct Paragraph<'t> {
    pub(super) mark: Mark,
    pub(super) text: &'t str,
    pub(super) screen: Screen,
}

impl fmt::Display for Paragraph<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, style) = self.mark.sign();
        let style = self.screen.style(style);
        let room = self.screen.width();
        let room = room.map(|width| width.saturating_sub(columns::width(sign)));
        // The further lines of what the program says stand under its name's end, too.
        let indent = if sign.is_empty() {
            0
        } else {
            columns::width(sign).min(INDENT)
        };
        for (index, line) in columns::lines(self.text, room).enumerate() {
            if index == 0 {
                writeln!(f, "{style}{sign}{style:#}{line}")?;
            } else {
                writeln!(f, "{:indent$}{line}", "")?;
            }
        }
        Ok(())
    }
}

const INDENT: usize = 2;
