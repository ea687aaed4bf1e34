//! Ending sessions that an administrator wants ended, or that may not go on without
//! a login.

use countersign_core::change::KickRequestId;
use countersign_core::reason::Reason;
use countersign_core::store::{GateStore, KickTarget, StoreError};

use crate::connection::kick_reason::KickReason;
use crate::connection::session::{Phase, Session};
use crate::host::Directive;
use crate::journal::entry::JournalEntry;
use crate::state::State;

/// Ends the sessions that an administrator wants ended.
pub(super) fn follow_request<S: GateStore>(
    state: &mut State<S>,
    id: KickRequestId,
    directives: &mut Vec<Directive>,
) -> Result<usize, StoreError> {
    let Some(target) = state.view.store.kick_request(id)? else {
        return Ok(1);
    };
    let handles = match &target {
        KickTarget::ClientId(client_id) => state
            .sessions
            .matching(|session| session.phase == Phase::Live && session.tie == *client_id),
        KickTarget::Session {
            broker,
            session: number,
        } => {
            if broker != state.config.broker() {
                return Ok(1);
            }
            state
                .sessions
                .matching(|session| session.phase == Phase::Live && session.number == *number)
        }
    };
    if handles.is_empty() {
        return Ok(1);
    }
    for handle in handles {
        directives.extend(state.kick(handle, KickReason::Requested));
    }
    state.journal.writer.append(JournalEntry::Kicked(id));
    Ok(1)
}

/// Ends the sessions that wait for an open tenant when there is none, and those
/// whose client id is a tenant's by now.
pub(super) fn kick_orphans<S: GateStore>(state: &mut State<S>, directives: &mut Vec<Directive>) {
    let snapshot = &state.view.snapshot;
    let is_closed = snapshot.has_no_open_tenant();
    let is_stray = |session: &Session| session.tenant.is_none() && session.credential().is_none();
    let keeps_prefixes = |session: &Session| snapshot.keeps_prefixes(&session.client_id, None);
    let reason = if is_closed {
        KickReason::LoginRequired
    } else {
        KickReason::Refused(Reason::ClientIdMismatch)
    };
    let orphans = state
        .sessions
        .matching(|session| is_stray(session) && (is_closed || !keeps_prefixes(session)));
    for handle in orphans {
        directives.extend(state.kick(handle, reason));
    }
}
