//! What a centre takes of what its followers say.

use super::Ledger;
use super::hand_back::{self, HandBackOutcome, JudgedRefusals, JudgedSessions, MayAudit};
use crate::hand_back::HandBack;
use crate::secret::SecretDigest;
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::told_refusals::ToldRefusals;
use crate::told_sessions::ToldSessions;

/// What a centre takes of what its followers say. No store writes these methods.
pub trait FollowerLedger: Ledger + Sized {
    /// Judges, item by item, what the follower with this secret hands back, and writes
    /// down what it may say. What was judged before is not judged again. None where no
    /// follower has this secret.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written; nothing of it counts then.
    fn take_hand_back(
        &mut self,
        secret: &SecretDigest,
        handed: &HandBack,
        may_audit: &mut MayAudit<'_>,
        now: Timestamp,
    ) -> Result<Option<HandBackOutcome>, StoreError> {
        hand_back::take(self, secret, handed, may_audit, now)
    }

    /// Takes a part of what the follower with this secret says of who is connected at its
    /// broker. None where no follower has this secret.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written; of this part nothing counts
    /// then.
    fn take_sessions(
        &mut self,
        secret: &SecretDigest,
        told: &ToldSessions,
        may_audit: &mut MayAudit<'_>,
        now: Timestamp,
    ) -> Result<Option<JudgedSessions>, StoreError> {
        hand_back::sessions::take(self, secret, told, may_audit, now)
    }

    /// Takes what the follower with this secret says of who was refused at its broker, if
    /// it begins where the centre was told last. None where no follower has this secret.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written; nothing of it counts then.
    fn hear_refusals(
        &mut self,
        secret: &SecretDigest,
        told: &ToldRefusals,
        may_audit: &mut MayAudit<'_>,
        now: Timestamp,
    ) -> Result<Option<JudgedRefusals>, StoreError> {
        hand_back::refusals::take(self, secret, told, may_audit, now)
    }
}

impl<L: Ledger> FollowerLedger for L {}
