//! How far something is that takes a while.

use std::io::{IsTerminal as _, Write as _, stderr};

/// A percentage on a terminal; elsewhere, nothing.
#[derive(Default)]
pub(crate) struct Progress {
    shown: Option<u64>,
}

impl Progress {
    /// Shows that so much is done.
    pub(crate) fn show(&mut self, done: u64, total: u64) {
        let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
        if self.shown != Some(percent) && stderr().is_terminal() {
            self.shown = Some(percent);
            // Progress that can't be shown is no reason to stop.
            let _ = write!(stderr(), "\r{percent:3} %");
        }
    }

    /// Takes away what was shown.
    pub(crate) fn clear(&self) {
        if self.shown.is_some() {
            // As above.
            let _ = write!(stderr(), "\r     \r");
        }
    }
}
