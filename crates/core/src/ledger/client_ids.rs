//! What logins and sessions make of the records of client ids.
//! [`ownership`](crate::ownership) says what they mean.

use core::time::Duration;

use super::LedgerTransaction;
use crate::client_id::ClientIdTie;
use crate::connect::SessionChange;
use crate::name::TenantId;
use crate::ownership::{ClientIdClaim, Holder, Kept, StoredSession};
use crate::presence::{ClientIdUse, SessionEnd};
use crate::store::rows::{ArrivalRow, ClientIdRecord, ClientIdRows, ClientIdsOf};
use crate::store::{LoginEffects, Recorded, StoreError};
use crate::time::Timestamp;

/// Writes what a login makes of the stored session of its client id; unless it
/// is done, nothing is written.
pub(super) fn change(
    writing: &mut impl LedgerTransaction,
    login: &LoginEffects<'_>,
    now: Timestamp,
) -> Result<Recorded, StoreError> {
    let record = &login.record;
    if record.ties.is_none() && record.session == SessionChange::Kept {
        return Ok(Recorded::Done);
    }
    let id = login.client_id.tie();
    let claimant = login.proved.map(|(credential, _)| credential.id);
    if writing.is_bound_to_another(&id, claimant)? {
        return Ok(Recorded::Outdated);
    }
    let before = writing.stored_session(&id)?;
    let settings = writing.settings()?;
    let claim = |it: &StoredSession| it.claim(claimant, login.tenant, settings.client_id_hold, now);
    if before.as_ref().map(claim) == Some(ClientIdClaim::Held) {
        return Ok(Recorded::Outdated);
    }
    let is_stored = match record.session {
        SessionChange::Kept => return Ok(Recorded::Done),
        SessionChange::Dropped => false,
        SessionChange::Stored | SessionChange::Taken => true,
    };
    if !is_stored && before.is_none() {
        return Ok(Recorded::Done);
    }
    let has_it = |it: &StoredSession| match claimant {
        Some(id) => it.kept == Kept::Own && it.holder == Holder::Credential(id),
        None => it.is_unproved(),
    };
    if is_stored && !before.as_ref().is_some_and(has_it) {
        let whose = claimant.map_or(
            ClientIdsOf::Unauthenticated(login.tenant),
            ClientIdsOf::StoredBy,
        );
        if !has_room(writing, whose, settings.client_id_limit, now)? {
            return Ok(Recorded::Full);
        }
    }
    let left = before.as_ref().filter(|it| it.is_stored());
    let is_own = |it: &StoredSession| {
        let holder = claimant.map(Holder::Credential);
        Some(it.holder) == holder && it.kept == Kept::Own
    };
    let recorded = match left {
        Some(left) if record.may_be_gone && !(is_stored && is_own(left)) => {
            let arrival = ArrivalRow {
                broker: login.broker.to_owned(),
                is_own: is_own(left),
            };
            writing.put_arrival(&id, &arrival)?;
            Recorded::Arriving
        }
        Some(_) | None => {
            writing.remove_arrival(&id)?;
            Recorded::Done
        }
    };
    writing.remove_pruned_client_id(&id)?;
    let Some(claimant) = claimant else {
        if is_stored {
            put_unproved(writing, login.broker, &id, login.tenant, now)?;
        } else {
            drop_unproved(writing, &id)?;
        }
        return Ok(recorded);
    };
    let in_use_since = before
        .filter(|it| {
            it.tenant.as_ref() == login.tenant && matches!(it.holder, Holder::Credential(_))
        })
        .map(|it| it.first_used_at.min(now))
        .filter(|since| *since > Timestamp::from_millis(i64::MIN));
    let session = StoredSession {
        holder: Holder::Credential(claimant),
        username: login.username.map(Into::into),
        tenant: login.tenant.cloned(),
        first_used_at: in_use_since.unwrap_or(now),
        last_used_at: now,
        kept: Kept::own_if(is_stored),
    };
    let record = ClientIdRecord {
        session,
        credential: Some(claimant),
        broker: login.broker.to_owned(),
    };
    writing.put_client_id_record(&id, &record)?;
    Ok(recorded)
}

/// Gives up a client id on behalf of its holder.
pub(crate) fn release<T: LedgerTransaction + ?Sized>(
    transaction: &mut T,
    id: &ClientIdTie,
) -> Result<(), StoreError> {
    if let Some(mut record) = transaction.client_id_record(id)? {
        record.session.holder = Holder::Former;
        record.credential = None;
        transaction.put_client_id_record(id, &record)?;
    }
    if transaction.pruned_client_id(id)?.is_some() {
        transaction.put_pruned_client_id(id, Holder::Former)?;
    }
    Ok(())
}

/// Takes note that an unauthenticated client started clean under a client id:
/// nothing is stored there any more, and who used it before is who did.
fn drop_unproved(writing: &mut impl LedgerTransaction, id: &ClientIdTie) -> Result<(), StoreError> {
    match writing.client_id_record(id)? {
        Some(record) if record.credential.is_some() => put_kept(writing, id, record, Kept::Nothing),
        Some(_) => writing.remove_client_id_record(id),
        None => Ok(()),
    }
}

/// Takes note of a use of a client id for which no session is stored, as far as
/// there is room.
pub(super) fn note_use(
    writing: &mut impl LedgerTransaction,
    broker: &str,
    noted: &ClientIdUse,
) -> Result<(), StoreError> {
    let (id, user) = (&noted.tie, noted.credential);
    if writing.touch_client_id(id, Some(user), broker, noted.ended)? {
        return Ok(());
    }
    let record = writing.client_id_record(id)?;
    let record = match record {
        // It was used later, or given up, or is another's by now.
        Some(record)
            if record.session.holder == Holder::Credential(user)
                || record.session.is_stored()
                || record.session.tenant != noted.tenant
                || !matches!(record.session.holder, Holder::Credential(_)) =>
        {
            return Ok(());
        }
        Some(mut record) => {
            record.session.holder = Holder::Credential(user);
            record.session.last_used_at = noted.ended;
            record.credential = Some(user);
            record
        }
        None => {
            let is_full = writing.count_client_ids()?.records >= MOST_CLIENT_IDS;
            let limit = writing.settings()?.client_id_limit;
            if writing.pruned_client_id(id)?.is_some()
                || is_full
                || !has_room(writing, ClientIdsOf::UsedBy(user), limit, noted.ended)?
            {
                return Ok(());
            }
            ClientIdRecord {
                session: StoredSession {
                    holder: Holder::Credential(user),
                    username: None,
                    tenant: noted.tenant.clone(),
                    first_used_at: noted.began,
                    last_used_at: noted.ended,
                    kept: Kept::Nothing,
                },
                credential: Some(user),
                broker: broker.to_owned(),
            }
        }
    };
    // It may be gone by now.
    if writing.has_credential(user)? {
        writing.put_client_id_record(id, &record)?;
    }
    Ok(())
}

/// Takes note that the host keeps nothing of a session that ended. A login that
/// was recorded when it ended, or since, has a session of its own.
pub(super) fn end(
    writing: &mut impl LedgerTransaction,
    ended: &SessionEnd,
) -> Result<(), StoreError> {
    let (id, credential) = (&ended.tie, ended.credential);
    let is_its = |used: Timestamp| used <= ended.began || used < ended.at;
    let record = writing.client_id_record(id)?;
    match (credential, record) {
        (Some(_), Some(record))
            if record.credential == credential
                && record.session.kept == Kept::Own
                && is_its(record.session.last_used_at) =>
        {
            put_kept(writing, id, record, Kept::Nothing)?;
        }
        (None, Some(record))
            if record.session.holder == Holder::Unauthenticated
                && is_its(record.session.last_used_at) =>
        {
            writing.remove_client_id_record(id)?;
        }
        (None, Some(record)) if record.session.kept == Kept::Unproved => {
            put_kept(writing, id, record, Kept::Nothing)?;
        }
        _ => {}
    }
    if credential.is_none() && writing.pruned_client_id(id)? == Some(Holder::Unauthenticated) {
        writing.remove_pruned_client_id(id)?;
    }
    Ok(())
}

/// Takes note of a session of an unauthenticated client, which the host may
/// keep. Where there is no room for a record, a number is left of the client
/// id, as of one that was pruned.
pub(super) fn leave_unproved(
    writing: &mut impl LedgerTransaction,
    broker: &str,
    id: &ClientIdTie,
    tenant: Option<&TenantId>,
    at: Timestamp,
) -> Result<(), StoreError> {
    match writing.stored_session(id)? {
        // It was in use again since, or its own record is there.
        Some(before) if before.last_used_at > at || before.is_unproved() => {
            writing.touch_client_id(id, None, broker, at)?;
            Ok(())
        }
        // The id is another's by now.
        Some(before) if before.is_stored() => Ok(()),
        Some(_) => put_unproved(writing, broker, id, tenant, at),
        None => {
            let limit = writing.settings()?.client_id_limit;
            if has_room(writing, ClientIdsOf::Unauthenticated(tenant), limit, at)? {
                return put_unproved(writing, broker, id, tenant, at);
            }
            if writing.count_client_ids()?.pruned >= MOST_PRUNED_UNPROVED {
                return Ok(());
            }
            writing.put_pruned_client_id(id, Holder::Unauthenticated)
        }
    }
}

/// Takes note of the tenant that an unauthenticated client has joined, if there
/// is room for its record in that.
pub(super) fn join(
    writing: &mut impl LedgerTransaction,
    id: &ClientIdTie,
    tenant: &TenantId,
    at: Timestamp,
) -> Result<(), StoreError> {
    let limit = writing.settings()?.client_id_limit;
    if !has_room(
        writing,
        ClientIdsOf::Unauthenticated(Some(tenant)),
        limit,
        at,
    )? {
        return Ok(());
    }
    match writing.client_id_record(id)? {
        Some(mut record) if record.session.holder == Holder::Unauthenticated => {
            record.session.tenant = Some(tenant.clone());
            writing.put_client_id_record(id, &record)
        }
        Some(_) | None => Ok(()),
    }
}

/// Records a session of an unauthenticated client. A credential of the same
/// tenant that used the id before stays recorded: its tenant's hold on the id
/// is not such a client's to end.
fn put_unproved(
    writing: &mut impl LedgerTransaction,
    broker: &str,
    id: &ClientIdTie,
    tenant: Option<&TenantId>,
    at: Timestamp,
) -> Result<(), StoreError> {
    match writing.client_id_record(id)? {
        Some(record) if record.credential.is_some() && record.session.tenant.as_ref() == tenant => {
            put_kept(writing, id, record, Kept::Unproved)
        }
        Some(_) | None => {
            let session = StoredSession {
                holder: Holder::Unauthenticated,
                username: None,
                tenant: tenant.cloned(),
                first_used_at: at,
                last_used_at: at,
                kept: Kept::Own,
            };
            let record = ClientIdRecord {
                session,
                credential: None,
                broker: broker.to_owned(),
            };
            writing.put_client_id_record(id, &record)
        }
    }
}

pub(super) fn put_kept(
    writing: &mut impl LedgerTransaction,
    id: &ClientIdTie,
    mut record: ClientIdRecord,
    kept: Kept,
) -> Result<(), StoreError> {
    record.session.kept = kept;
    writing.put_client_id_record(id, &record)
}

/// Says whether one more client id may be remembered: up to a limit in all and,
/// as long as the store has room for more, up to the same limit an hour.
fn has_room(
    writing: &mut impl LedgerTransaction,
    whose: ClientIdsOf<'_>,
    limit: u32,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let ever = Timestamp::from_millis(i64::MIN);
    if writing.count_client_ids_of(whose, ever, limit)? < limit {
        return Ok(true);
    }
    Ok(writing.count_client_ids()?.records < MOST_CLIENT_IDS
        && writing.count_client_ids_of(whose, now.minus(HOUR), limit)? < limit)
}

/// Says whether so many client ids are remembered that there is no room for more than a limit
/// of each credential, or that none are pruned any more.
///
/// # Errors
///
/// Returns [`StoreError`] when the store can't be read.
pub fn is_full_of_client_ids(rows: &mut impl ClientIdRows) -> Result<bool, StoreError> {
    let counts = rows.count_client_ids()?;
    Ok(counts.records >= MOST_CLIENT_IDS || counts.pruned >= MOST_PRUNED)
}

/// With so many records, uses without a stored session are not remembered, and
/// of stored ones no more than a credential's limit.
const MOST_CLIENT_IDS: u64 = 1_000_000;

/// So many are left of what was pruned: some 100 MB.
pub(super) const MOST_PRUNED: u64 = 4_000_000;

/// So many of them are there before unauthenticated clients add no more.
const MOST_PRUNED_UNPROVED: u64 = MOST_PRUNED / 2;

pub(super) const HOUR: Duration = Duration::from_secs(3_600);
