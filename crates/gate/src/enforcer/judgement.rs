//! What becomes of one live session when something changed that concerns it.

use std::sync::Arc;

use countersign_core::change::Change;
use countersign_core::credential::Credential;
use countersign_core::reason::Reason;
use countersign_core::rights::Rights;
use countersign_core::store::{GateStore, StoreError};
use countersign_core::time::Timestamp;

use crate::connection::kick_reason::KickReason;
use crate::connection::session::Phase;
use crate::connection::session_grant::{judge_client_id, judge_dependencies, rights_of_session};
use crate::enforcer::backlog::Backlog;
use crate::enforcer::sweep::Sought;
use crate::host::{Directive, Handle};
use crate::journal::entry::JournalEntry;
use crate::state::State;

/// Looks at one session for what changes concern. What the store must be asked for is
/// worked off as a change of its own.
pub(super) fn look_at<S: GateStore>(
    state: &mut State<S>,
    handle: Handle,
    sought: &mut Sought,
    now: Timestamp,
    backlog: &mut Backlog,
    directives: &mut Vec<Directive>,
) {
    let Some(session) = state.sessions.get(handle) else {
        return;
    };
    if session.phase == Phase::Live
        && let Some(requests) = sought.take_kicks(session)
    {
        for id in requests {
            state.journal.writer.append(JournalEntry::Kicked(id));
        }
        directives.extend(state.kick(handle, KickReason::Requested));
        return;
    }
    if session.phase == Phase::Live
        && (sought.is_about_bans || sought.is_everything)
        && state.bans.refuse(&session.ban_subject(), now)
    {
        let banned = KickReason::Refused(Reason::Banned);
        directives.extend(state.kick(handle, banned));
        return;
    }
    let is_of_tenant = sought.is_of_tenant(session);
    let snapshot = &state.view.snapshot;
    let may_have_id = if sought.is_about_tenants() {
        judge_client_id(snapshot, session)
    } else {
        Ok(())
    };
    let tenant = session.tenant.as_ref();
    let judged = match (session.credential(), tenant) {
        (_, Some(id)) if is_of_tenant && snapshot.is_damaged(id) => Err(KickReason::Unreadable),
        (_, Some(id)) if is_of_tenant && !snapshot.has_tenant(id) => Err(KickReason::Deleted),
        (Some(credential), _) => {
            if is_of_tenant || may_have_id.is_err() || sought.has_group_of(session) {
                backlog.push(Change::Credential(credential));
            }
            return;
        }
        (None, Some(id)) if is_of_tenant && may_have_id.is_ok() => {
            session.judge_login_mode(snapshot.authentication(id))
        }
        (None, None) if sought.is_about_tenants() && snapshot.has_no_open_tenant() => {
            Err(KickReason::LoginRequired)
        }
        (None, _) => may_have_id.map_err(KickReason::Refused),
    };
    match judged {
        Err(reason) => directives.extend(state.kick(handle, reason)),
        Ok(()) if is_of_tenant && session.tenant.is_some() => {
            let tenant = session.tenant.as_ref();
            let rights = tenant.and_then(|id| snapshot.rights_in(id, Some(&session.client_id)));
            let rights = rights.unwrap_or_else(|| Arc::new(Rights::none()));
            state.give_rights(handle, rights, now);
        }
        Ok(()) => {}
    }
}

/// Ends a session that may not go on, and gives another what it may do
/// now.
pub(super) fn judge_again<S: GateStore>(
    state: &mut State<S>,
    handle: Handle,
    record: Option<&Credential>,
    now: Timestamp,
    directives: &mut Vec<Directive>,
) -> Result<(), StoreError> {
    let Some(session) = state.sessions.get(handle) else {
        return Ok(());
    };
    let judged = match (session.judge_again(record, now), record) {
        (Ok(()), Some(record)) => match judge_client_id(&state.view.snapshot, session) {
            Ok(()) => judge_dependencies(&mut state.view, session, record, now)?.map(|()| record),
            Err(reason) => Err(KickReason::Refused(reason)),
        },
        (Ok(()), None) => Err(KickReason::Deleted),
        (Err(reason), _) => Err(reason),
    };
    let record = match judged {
        Ok(record) => record,
        Err(reason) => {
            directives.extend(state.kick(handle, reason));
            return Ok(());
        }
    };
    let (rights, ends_at) =
        rights_of_session(&mut state.view, &mut state.sessions, handle, record, now)?;
    state.give_rights(handle, rights, now);
    let Some(session) = state.sessions.get_mut(handle) else {
        return Ok(());
    };
    session.resume();
    let number = session.number;
    if let Some(at) = ends_at {
        state.sessions.set_deadline(at, handle, number);
    }
    Ok(())
}
