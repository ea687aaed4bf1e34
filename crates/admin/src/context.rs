//! What a command is told about the world: the time, its caller, and
//! randomness.

use core::fmt;

pub use countersign_core::scheme::{RandomError, RandomSource};
use countersign_core::time::Timestamp;
use serde::Serialize;

use crate::caller::Caller;

/// The circumstances of a command.
pub struct Context<'a> {
    /// The time.
    pub now: Timestamp,
    /// The caller.
    pub caller: Caller<'a>,
    /// Where secrets and salts come from.
    pub random: &'a mut dyn RandomSource,
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("now", &self.now)
            .field("caller", &self.caller)
            .finish_non_exhaustive()
    }
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl RandomSource for OsRandom {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), RandomError> {
        getrandom::fill(buffer).map_err(|_| RandomError)
    }
}

/// What views become in the audit. They are plain structures with text for
/// keys, which always can be written as JSON.
pub(crate) fn json(view: &impl Serialize) -> Option<String> {
    serde_json::to_string(view).ok()
}
