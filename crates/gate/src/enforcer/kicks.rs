//! Ending sessions that an administrator wants ended.

use countersign_core::change::KickRequestId;
use countersign_core::store::{GateStore, KickTarget, StoreError};

use crate::connection::kick_reason::KickReason;
use crate::connection::session::Phase;
use crate::enforcer::sweep::Sought;
use crate::host::Directive;
use crate::journal::entry::JournalEntry;
use crate::state::State;

/// Ends the session that an administrator wants ended. Those of a client id are to be
/// looked for.
pub(super) fn follow_request<S: GateStore>(
    state: &mut State<S>,
    id: KickRequestId,
    sought: &mut Sought,
    directives: &mut Vec<Directive>,
) -> Result<(), StoreError> {
    match state.view.store.kick_request(id)? {
        // Followers are told of what is theirs.
        None | Some(KickTarget::Behind { .. }) => {}
        Some(KickTarget::ClientId(client_id)) => sought.add_kick(client_id, id),
        Some(KickTarget::Session { broker, session }) => {
            let number = session;
            let sessions = &state.sessions;
            let found = sessions.numbered(number).filter(|handle| {
                let session = sessions.get(*handle);
                session.is_some_and(|session| session.phase == Phase::Live)
            });
            if let Some(handle) = found
                && broker == state.config.broker()
            {
                directives.extend(state.kick(handle, KickReason::Requested));
                state.journal.writer.append(JournalEntry::Kicked(id));
            }
        }
    }
    Ok(())
}
