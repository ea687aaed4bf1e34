//! Requests to end live sessions.

use countersign_core::audit::AuditEntry;
use countersign_core::change::KickRequestId;
use countersign_core::ledger::AnsweredKick;
use countersign_core::store::KickTarget;

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
    /// Writes a request down, and what the audit says once it is done.
    pub(super) fn request_kick(
        &mut self,
        target: &KickTarget,
        entry: &AuditEntry,
    ) -> KickRequestId {
        let id = next(&mut self.last_numbers.kick);
        let row = KickRow {
            target: target.clone(),
            entry: entry.clone(),
            answer: KickAnswer::Awaited,
        };
        self.kicks.put(id, row);
        KickRequestId(id)
    }

    /// What a request asks for; none once it is answered.
    pub(super) fn kick_target(&self, id: KickRequestId) -> Option<KickTarget> {
        let row = self.kicks.get(&id.0);
        let awaited = row.filter(|row| row.answer == KickAnswer::Awaited);
        awaited.map(|row| row.target.clone())
    }

    /// Marks a request as answered; the first time, says what was asked for.
    pub(super) fn answer_kick(&mut self, id: KickRequestId) -> Option<AnsweredKick> {
        let row = self.kicks.row(&id.0);
        let row = row.filter(|row| row.answer != KickAnswer::Done)?;
        row.answer = KickAnswer::Done;
        let entry = row.entry.clone();
        Some(AnsweredKick {
            at: entry.time,
            actor: entry.actor,
            subject: entry.subject,
            about: entry.after,
        })
    }

    /// Takes a request back, unless it was answered; says whether it was not.
    pub(super) fn withdraw_kick(&mut self, id: KickRequestId) -> bool {
        let row = self.kicks.row(&id.0);
        let awaited = row.filter(|row| row.answer == KickAnswer::Awaited);
        let withdrawn = awaited.map(|row| row.answer = KickAnswer::Withdrawn);
        withdrawn.is_some()
    }

    /// Says whether a request was answered.
    pub(super) fn is_kick_answered(&self, id: KickRequestId) -> bool {
        let row = self.kicks.get(&id.0);
        row.is_some_and(|row| row.answer == KickAnswer::Done)
    }
}
