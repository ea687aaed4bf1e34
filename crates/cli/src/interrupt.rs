//! Ctrl-C in a long run, the end of its terminal, or the word to end: it ends behind the
//! transaction that it is in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::error::CliError;

/// Whether somebody wants a long run to end.
#[derive(Debug)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on the first of these signals is noted here, and the second ends the program
    /// as any does.
    pub(crate) fn watch() -> Result<Self, CliError> {
        let is_asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            // In this order: the first one sees a flag that is not set yet.
            flag::register_conditional_default(signal, Arc::clone(&is_asked))?;
            flag::register(signal, Arc::clone(&is_asked))?;
        }
        Ok(Self(is_asked))
    }

    /// Says whether it was asked for.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why something stopped then.
pub(crate) const INTERRUPTED: &str = "it was interrupted";
