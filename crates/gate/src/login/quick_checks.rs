//! Checks of hashes that take next to no time, where there is no time for others.
//!
//! Hashes of other systems may be a thousand times cheaper than ours. A client
//! that presents a right secret of such a hash is let in, however busy its broker
//! is. All others hear that there is no time, and hear it as late.

use core::hint::black_box;

use countersign_core::secret::{HashMemory, PasswordHash};

use crate::login::hash_pool::{HashOutcome, found_among};
use crate::login::secret_verifier::HashRequest;

/// Checks quick hashes.
#[derive(Default)]
pub(crate) struct QuickChecks {
    memory: HashMemory,
    /// The last one that was checked. Names without a quick hash cost the same.
    last: Option<PasswordHash>,
}

impl QuickChecks {
    /// Says which secret it is, if all hashes are quick; else says nothing, and
    /// takes as long as the last check did.
    pub(crate) fn check(&mut self, request: &HashRequest) -> HashOutcome {
        let presented = &request.presented;
        if request.is_quick() {
            let found = found_among(&request.passwords, presented, &mut self.memory);
            self.last = request.passwords.last().map(|(_, hash)| hash.clone());
            return found.map_or(HashOutcome::Nothing, HashOutcome::QuickMatch);
        }
        if let Some(last) = &self.last {
            let _never = black_box(last.verify_in(presented, &mut self.memory));
        }
        HashOutcome::Failed
    }
}
