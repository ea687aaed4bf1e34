//! Requests to end live sessions that were carried out.

use super::LedgerTransaction;
use crate::audit::{AuditChain, AuditEntry};
use crate::change::KickRequestId;
use crate::store::StoreError;
use crate::time::Timestamp;

/// What was asked for, and by whom.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AnsweredKick {
    /// When it was asked for.
    pub at: Timestamp,
    /// Who asked.
    pub actor: String,
    /// Whose session it is.
    pub subject: String,
    /// What else there is to know about it, as JSON.
    pub about: Option<String>,
}

/// Takes note that a session was ended as asked; the first time, so does the
/// audit.
pub(super) fn answer(
    writing: &mut impl LedgerTransaction,
    id: KickRequestId,
) -> Result<(), StoreError> {
    let Some(kick) = writing.answer_kick(id)? else {
        return Ok(());
    };
    let entry = AuditEntry {
        after: kick.about,
        ..AuditEntry::done(kick.at, kick.actor, KICK, kick.subject)
    };
    writing.append_audit(AuditChain::Acts, &[entry])
}

/// The act, as the audit calls it.
const KICK: &str = "client.kick";
