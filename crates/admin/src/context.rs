//! What an act is told about the world: the time, who acts, and randomness.

use core::fmt;

use countersign_core::audit::AuditEntry;
pub use countersign_core::scheme::{RandomError, RandomSource};
use countersign_core::time::Timestamp;
use serde::Serialize;

/// The circumstances of an act.
pub struct Context<'a> {
    /// The time.
    pub now: Timestamp,
    /// Who acts, as the audit writes it: `cli:OSUSER`.
    pub actor: &'a str,
    /// Where secrets and salts come from.
    pub random: &'a mut dyn RandomSource,
}

impl Context<'_> {
    /// 128 random bits.
    pub(crate) fn random_bits(&mut self) -> Result<[u8; 16], RandomError> {
        let mut bits = [0; 16];
        self.random.fill(&mut bits)?;
        Ok(bits)
    }

    /// The audit's row of an act that was done, with what its subject was
    /// before and is after it.
    pub(crate) fn audit(
        &self,
        act: &'static str,
        subject: &str,
        before: Option<&impl Serialize>,
        after: Option<&impl Serialize>,
    ) -> AuditEntry {
        AuditEntry {
            before: before.and_then(json),
            after: after.and_then(json),
            ..AuditEntry::done(self.now, self.actor, act, subject)
        }
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("now", &self.now)
            .field("actor", &self.actor)
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
fn json(view: &impl Serialize) -> Option<String> {
    serde_json::to_string(view).ok()
}
