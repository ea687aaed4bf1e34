//! Requests to end live sessions.

use countersign_core::audit::AuditEntry;
use countersign_core::change::KickRequestId;
use countersign_core::store::rows::{AnsweredKick, KickRows};
use countersign_core::store::{KickTarget, StoreError};
use countersign_core::time::Timestamp;

use super::MemoryTransaction;
use super::tables::{Tables, next};

/// A request to end live sessions.
#[derive(Clone, Debug)]
pub(super) struct KickRow {
    target: KickTarget,
    /// What the audit says once it is done.
    pub(super) entry: AuditEntry,
    answer: KickAnswer,
}

/// What became of a request to end live sessions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum KickAnswer {
    Awaited,
    Done,
    Withdrawn,
}

impl Tables {
    /// What a request asks for; none once it is answered.
    pub(super) fn kick_target(&self, id: KickRequestId) -> Option<KickTarget> {
        let row = self.kicks.get(&id.0);
        let awaited = row.filter(|row| row.answer == KickAnswer::Awaited);
        let target = awaited.map(|row| row.target.clone());
        target.filter(|target| !matches!(target, KickTarget::Behind { .. }))
    }
}

impl KickRows for MemoryTransaction<'_> {
    fn request_kick(
        &mut self,
        target: &KickTarget,
        entry: &AuditEntry,
    ) -> Result<KickRequestId, StoreError> {
        let id = next(&mut self.tables.last_numbers.kick);
        let row = KickRow {
            target: target.clone(),
            entry: entry.clone(),
            answer: KickAnswer::Awaited,
        };
        self.tables.kicks.put(id, row);
        Ok(KickRequestId(id))
    }

    fn kick_target(&mut self, id: KickRequestId) -> Result<Option<KickTarget>, StoreError> {
        let row = self.tables.kicks.get(&id.0);
        Ok(row.map(|row| row.target.clone()))
    }

    fn answer_kick(&mut self, id: KickRequestId) -> Result<Option<AnsweredKick>, StoreError> {
        let row = self.tables.kicks.row(&id.0);
        let unanswered = row.filter(|row| row.answer != KickAnswer::Done);
        Ok(unanswered.map(|row| {
            row.answer = KickAnswer::Done;
            let entry = row.entry.clone();
            AnsweredKick {
                at: entry.time,
                actor: entry.actor,
                subject: entry.subject,
                about: entry.after,
            }
        }))
    }

    fn withdraw_kick(&mut self, id: KickRequestId) -> Result<bool, StoreError> {
        let row = self.tables.kicks.row(&id.0);
        let awaited = row.filter(|row| row.answer == KickAnswer::Awaited);
        let withdrawn = awaited.map(|row| row.answer = KickAnswer::Withdrawn);
        Ok(withdrawn.is_some())
    }

    fn is_kick_answered(&mut self, id: KickRequestId) -> Result<bool, StoreError> {
        let row = self.tables.kicks.get(&id.0);
        Ok(row.is_some_and(|row| row.answer == KickAnswer::Done))
    }

    fn kick_actor(&mut self, id: KickRequestId) -> Result<Option<String>, StoreError> {
        let row = self.tables.kicks.get(&id.0);
        Ok(row.map(|row| row.entry.actor.clone()))
    }

    fn remove_kick_requests(&mut self, at: Timestamp, most: usize) -> Result<usize, StoreError> {
        let kicks = &mut self.tables.kicks;
        Ok(kicks.remove_some(most, |_, kick| kick.entry.time < at))
    }
}
