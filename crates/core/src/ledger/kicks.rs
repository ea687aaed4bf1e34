//! Requests to end live sessions that were carried out.

use super::LedgerTransaction;
use crate::audit::{AuditChain, AuditEntry};
use crate::change::KickRequestId;
use crate::store::StoreError;

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
