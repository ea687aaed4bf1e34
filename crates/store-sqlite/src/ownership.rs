//! Who holds which client id: bindings of credentials, prefixes of tenants, and
//! stored sessions.

use core::time::Duration;

use countersign_core::client_id::{ClientId, ClientIdRule, ClientIdTie};
use countersign_core::connect::SessionChange;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::lifecycle::State;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::ownership::{
    ClientIdClaim, DEFAULT_HOLD, Holder, Holding, Kept, StoredSession,
};
use countersign_core::presence::ClientIdUse;
use countersign_core::store::{LoginEffects, Recorded, SessionUndo};
use countersign_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::error::Fault;
use crate::read_rows;
use crate::row_reader::RowReader;

/// The one client id that a credential called `name` admits, as far as its
/// rule or its tie says so. A revoked one holds none any more.
pub(crate) fn binding(name: &LoginName, credential: &Credential) -> Option<ClientIdTie> {
    if credential.state == State::Revoked {
        return None;
    }
    match &credential.client_id_rule {
        ClientIdRule::Exact(id) => Some(id.tie()),
        ClientIdRule::FirstUse => credential.client_id_tie,
        ClientIdRule::SameAsUsername => ClientId::parse(name.as_str()).ok().map(|id| id.tie()),
        ClientIdRule::Any | ClientIdRule::Prefix(_) | ClientIdRule::SameAsSecret => None,
    }
}

/// The credential that is bound to this client id.
pub(crate) fn bound_to(
    connection: &Connection,
    client_id: &ClientIdTie,
) -> Result<Option<CredentialId>, Fault> {
    let mut statement = connection.prepare_cached(BOUND_TO)?;
    let mut rows = statement.query([client_id.0])?;
    Ok(match rows.next()? {
        Some(row) => Some(CredentialId(RowReader::of(row).number()?)),
        None => None,
    })
}

/// The client id that this credential is bound to.
pub(crate) fn client_id_of(
    connection: &Connection,
    credential: CredentialId,
) -> Result<Option<ClientIdTie>, Fault> {
    let mut statement = connection.prepare_cached(CLIENT_ID_OF)?;
    let mut rows = statement.query([credential.0])?;
    Ok(match rows.next()? {
        Some(row) => RowReader::of(row).maybe_hash()?.map(ClientIdTie),
        None => None,
    })
}

/// The tenant whose prefix this client id begins with.
///
/// No prefix is one of another. So if the id begins with one, that is the last
/// of those that don't sort after the id.
pub(crate) fn tenant_by_client_id(
    connection: &Connection,
    client_id: &ClientId,
) -> Result<Option<TenantId>, Fault> {
    let mut statement = connection.prepare_cached(LAST_PREFIX)?;
    let mut rows = statement.query([client_id.as_str()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let columns = &mut RowReader::of(row);
    let begins_so = client_id.as_str().starts_with(columns.text()?);
    let tenant = columns.parsed(TenantId::parse)?;
    Ok(begins_so.then_some(tenant))
}

/// What is recorded about the stored session of this client id.
pub(crate) fn stored_session(
    connection: &Connection,
    client_id: &ClientIdTie,
) -> Result<Option<StoredSession>, Fault> {
    let mut statement = connection.prepare_cached(STORED_SESSION)?;
    let mut rows = statement.query([client_id.0])?;
    match rows.next()? {
        Some(row) => read_session(&mut RowReader::of(row)),
        None => pruned(connection, client_id),
    }
}

/// Who holds this client id, in one statement.
pub(crate) fn holding(connection: &Connection, client_id: &ClientIdTie) -> Result<Holding, Fault> {
    let mut statement = connection.prepare_cached(HOLDING)?;
    let mut rows = statement.query([client_id.0])?;
    let Some(row) = rows.next()? else {
        return Err(Fault::Content("a row that is always there".into()));
    };
    let columns = &mut RowReader::of(row);
    let bound_to = columns.maybe_number()?.map(CredentialId);
    let stored_session = match read_session(columns)? {
        Some(stored) => Some(stored),
        None => pruned(connection, client_id)?,
    };
    Ok(Holding {
        bound_to,
        stored_session,
    })
}

/// What is left of the record of a session that was not used for long.
fn pruned(
    connection: &Connection,
    client_id: &ClientIdTie,
) -> Result<Option<StoredSession>, Fault> {
    let mut statement = connection.prepare_cached(PRUNED)?;
    let mut rows = statement.query([short(client_id)])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let long_ago = Timestamp::from_millis(i64::MIN);
    Ok(Some(StoredSession {
        holder: match RowReader::of(row).maybe_number()? {
            None => Holder::Former,
            Some(UNAUTHENTICATED_HOLDER) => Holder::Unauthenticated,
            Some(id) => Holder::Credential(CredentialId(id)),
        },
        username: None,
        tenant: None,
        first_used_at: long_ago,
        last_used_at: long_ago,
        kept: Kept::Own,
    }))
}

/// What a client id is called once its record is pruned. Two of the same name
/// are both kept from a client that does not start clean.
fn short(ClientIdTie(hash): &ClientIdTie) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    i64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// Reads [`session_columns`]; where a join found no session, the word for its
/// holder is missing.
fn read_session(columns: &mut RowReader<'_>) -> Result<Option<StoredSession>, Fault> {
    let credential = columns.maybe_number()?.map(CredentialId);
    let state = columns.maybe_parsed(State::parse)?;
    let Some(holder) = columns.maybe_text()? else {
        return Ok(None);
    };
    let holder = match (holder, credential, state) {
        (UNAUTHENTICATED, ..) => Holder::Unauthenticated,
        (CREDENTIAL, Some(id), Some(State::Inactive | State::Active | State::Suspended)) => {
            Holder::Credential(id)
        }
        (CREDENTIAL | FORMER, ..) => Holder::Former,
        _ => return Err(columns.nonsense()),
    };
    Ok(Some(StoredSession {
        holder,
        username: columns.maybe_text()?.map(Into::into),
        tenant: columns.maybe_parsed(TenantId::parse)?,
        first_used_at: columns.instant()?,
        last_used_at: columns.instant()?,
        kept: match columns.number()? {
            0 => Kept::Nothing,
            1 => Kept::Own,
            UNPROVED => Kept::Unproved,
            _ => return Err(columns.nonsense()),
        },
    }))
}

/// Writes what a login makes of the stored session of its client id; unless it
/// is done, nothing is written.
pub(crate) fn change_session(
    connection: &Connection,
    login: &LoginEffects<'_>,
    now: Timestamp,
) -> Result<Recorded, Fault> {
    let record = &login.record;
    if record.ties.is_none() && record.session == SessionChange::Kept {
        return Ok(Recorded::Done);
    }
    let client_id = login.client_id.tie();
    let claimant = login.proved.map(|(credential, _)| credential.id);
    // The claimant's own tie is written already, so that `bound_to` could find
    // that and not the other's.
    if is_bound_to_another(connection, &client_id, claimant)? {
        return Ok(Recorded::Outdated);
    }
    let before = stored_session(connection, &client_id)?;
    let settings = read_rows::settings(connection)?;
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
        let limit = settings.client_id_limit;
        if !has_room(connection, claimant, login.tenant, true, limit, now)? {
            return Ok(Recorded::Full);
        }
    }
    connection
        .prepare_cached("DELETE FROM pruned_session WHERE client_id = ?1")?
        .execute([short(&client_id)])?;
    if claimant.is_none() {
        if is_stored {
            put_unproved(connection, login.broker, &client_id, login.tenant, now)?;
        } else {
            end_without_holder(connection, &client_id)?;
        }
        return Ok(Recorded::Done);
    }
    let in_use_since = before
        .filter(|it| {
            it.tenant.as_ref() == login.tenant && matches!(it.holder, Holder::Credential(_))
        })
        .map_or(now, |it| it.first_used_at.min(now));
    let is_known = in_use_since > Timestamp::from_millis(i64::MIN);
    connection
        .prepare_cached(
            "INSERT INTO stored_session (client_id, holder, credential, username, tenant,
                 first_used_at, last_used_at, broker, is_stored)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (client_id) DO UPDATE
             SET holder = excluded.holder, credential = excluded.credential,
                 username = excluded.username, tenant = excluded.tenant,
                 first_used_at = excluded.first_used_at, last_used_at = excluded.last_used_at,
                 broker = excluded.broker, is_stored = excluded.is_stored",
        )?
        .execute(params![
            client_id.0,
            CREDENTIAL,
            claimant.map(|id| id.0),
            login.username,
            login.tenant.map(TenantId::as_str),
            if is_known { in_use_since } else { now }.as_millis(),
            now.as_millis(),
            login.broker,
            is_stored,
        ])?;
    Ok(Recorded::Done)
}

/// See [`GateStore::undo_session`](countersign_core::store::GateStore::undo_session).
pub(crate) fn undo(connection: &Connection, undo: &SessionUndo) -> Result<(), Fault> {
    let client_id = &undo.client_id;
    if stored_session(connection, client_id)?.is_some_and(|it| !undo.is_of(&it)) {
        return Ok(());
    }
    let Some(before) = &undo.before else {
        connection
            .prepare_cached("DELETE FROM stored_session WHERE client_id = ?1")?
            .execute([client_id.0])?;
        return Ok(());
    };
    let (holder, credential) = match before.holder {
        Holder::Former => (FORMER, None),
        Holder::Unauthenticated => (UNAUTHENTICATED, None),
        Holder::Credential(id) => (CREDENTIAL, Some(id.0)),
    };
    // Of one that was pruned nothing is known but whose it is.
    let first_used_at = before.first_used_at.as_millis().max(0);
    connection
        .prepare_cached(
            "INSERT INTO stored_session (client_id, holder, credential, username, tenant,
                 first_used_at, last_used_at, broker, is_stored)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, '', ?8)
             ON CONFLICT (client_id) DO UPDATE
             SET holder = excluded.holder, credential = excluded.credential,
                 username = excluded.username, tenant = excluded.tenant,
                 first_used_at = excluded.first_used_at, last_used_at = excluded.last_used_at,
                 is_stored = excluded.is_stored",
        )?
        .execute(params![
            client_id.0,
            holder,
            credential,
            before.username,
            before.tenant.as_ref().map(TenantId::as_str),
            first_used_at,
            before.last_used_at.as_millis().max(0),
            match before.kept {
                Kept::Nothing => 0,
                Kept::Own => 1,
                Kept::Unproved => UNPROVED,
            },
        ])?;
    Ok(())
}

/// Takes note that an unauthenticated client started clean under a client id:
/// nothing is stored there any more, and who used it before is who did.
fn end_without_holder(connection: &Connection, client_id: &ClientIdTie) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "DELETE FROM stored_session WHERE client_id = ?1 AND holder <> 'credential'",
        )?
        .execute([client_id.0])?;
    connection
        .prepare_cached("UPDATE stored_session SET is_stored = 0 WHERE client_id = ?1")?
        .execute([client_id.0])?;
    Ok(())
}

/// Says whether one more client id may be remembered for a credential, or for
/// clients of a tenant that prove nothing: up to a limit in all and, as long as
/// the store has room for more, up to the same limit an hour.
fn has_room(
    connection: &Connection,
    credential: Option<CredentialId>,
    tenant: Option<&TenantId>,
    is_stored: bool,
    limit: u32,
    now: Timestamp,
) -> Result<bool, Fault> {
    let hour_ago = now.minus(HOUR).as_millis();
    for since in [i64::MIN, hour_ago] {
        if since == hour_ago && counts(connection)?.rows >= MOST_ROWS {
            break;
        }
        let count: u32 = match credential {
            Some(id) => {
                let kept = if is_stored { [1, 1] } else { [0, UNPROVED] };
                connection
                    .prepare_cached(COUNT_OF_CREDENTIAL)?
                    .query_row(params![id.0, kept[0], kept[1], since, limit], |row| {
                        row.get(0)
                    })?
            }
            None => connection
                .prepare_cached(COUNT_UNAUTHENTICATED)?
                .query_row(params![tenant.map(TenantId::as_str), since, limit], |row| {
                    row.get(0)
                })?,
        };
        if count < limit {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Takes note of a use of a client id for which no session is stored, as far as
/// there is room.
pub(crate) fn visit(
    connection: &Connection,
    broker: &str,
    visit: &ClientIdUse,
) -> Result<(), Fault> {
    let tenant = visit.tenant.as_ref();
    let credential = Some(visit.credential);
    if touch(connection, broker, &visit.tie, credential, visit.ended)? {
        return Ok(());
    }
    let before = stored_session(connection, &visit.tie)?;
    match before {
        Some(before) if before.holder == Holder::Credential(visit.credential) => return Ok(()),
        // It was given up, or is another's by now.
        Some(before)
            if before.is_stored()
                || before.tenant.as_ref() != tenant
                || !matches!(before.holder, Holder::Credential(_)) =>
        {
            return Ok(());
        }
        Some(_) => {}
        None => {
            let rows = counts(connection)?.rows;
            let limit = read_rows::settings(connection)?.client_id_limit;
            let at = visit.ended;
            if rows >= MOST_ROWS || !has_room(connection, credential, tenant, false, limit, at)? {
                return Ok(());
            }
        }
    }
    connection
        .prepare_cached(
            "INSERT INTO stored_session (client_id, holder, credential, username, tenant,
                 first_used_at, last_used_at, broker, is_stored)
             SELECT ?1, 'credential', id, NULL, ?3, ?4, ?5, ?6, 0 FROM credential WHERE id = ?2
             ON CONFLICT (client_id) DO UPDATE
             SET credential = excluded.credential, last_used_at = excluded.last_used_at",
        )?
        .execute(params![
            visit.tie.0,
            visit.credential.0,
            tenant.map(TenantId::as_str),
            visit.began.as_millis(),
            visit.ended.as_millis(),
            broker,
        ])?;
    Ok(())
}

/// Takes note that the holder of a client id used it at `at`; says whether it is the
/// holder and that was not known.
pub(crate) fn touch(
    connection: &Connection,
    broker: &str,
    client_id: &ClientIdTie,
    credential: Option<CredentialId>,
    at: Timestamp,
) -> Result<bool, Fault> {
    let updated = connection
        .prepare_cached(
            "UPDATE stored_session SET last_used_at = ?2, broker = ?3
             WHERE client_id = ?1 AND credential IS ?4 AND last_used_at < ?2",
        )?
        .execute(params![
            client_id.0,
            at.as_millis(),
            broker,
            credential.map(|id| id.0)
        ])?;
    Ok(updated > 0)
}

/// Takes note that the host keeps nothing of a session that ended.
pub(crate) fn end(
    connection: &Connection,
    client_id: &ClientIdTie,
    credential: Option<CredentialId>,
) -> Result<(), Fault> {
    if let Some(id) = credential {
        connection
            .prepare_cached(
                "UPDATE stored_session SET is_stored = 0
                 WHERE client_id = ?1 AND credential = ?2 AND is_stored = 1",
            )?
            .execute(params![client_id.0, id.0])?;
        return Ok(());
    }
    connection
        .prepare_cached(
            "DELETE FROM stored_session WHERE client_id = ?1 AND holder = 'unauthenticated'",
        )?
        .execute([client_id.0])?;
    connection
        .prepare_cached(
            "UPDATE stored_session SET is_stored = 0 WHERE client_id = ?1 AND is_stored = ?2",
        )?
        .execute(params![client_id.0, UNPROVED])?;
    connection
        .prepare_cached("DELETE FROM pruned_session WHERE client_id = ?1 AND credential = ?2")?
        .execute([short(client_id), UNAUTHENTICATED_HOLDER])?;
    Ok(())
}

/// Takes note of a session of an unauthenticated client, which the host may
/// keep. Where there is no room for a record, a number is left of the client
/// id, as of one that was pruned.
pub(crate) fn leave_unproved(
    connection: &Connection,
    broker: &str,
    client_id: &ClientIdTie,
    tenant: Option<&TenantId>,
    at: Timestamp,
) -> Result<(), Fault> {
    match stored_session(connection, client_id)? {
        // It was in use again since, or its own record is there.
        Some(before) if before.last_used_at > at || before.is_unproved() => {
            touch(connection, broker, client_id, None, at)?;
            Ok(())
        }
        // The id is another's by now.
        Some(before) if before.is_stored() => Ok(()),
        Some(_) => put_unproved(connection, broker, client_id, tenant, at),
        None => {
            let limit = read_rows::settings(connection)?.client_id_limit;
            if has_room(connection, None, tenant, true, limit, at)? {
                return put_unproved(connection, broker, client_id, tenant, at);
            }
            if counts(connection)?.pruned >= MOST_PRUNED_UNPROVED {
                return Ok(());
            }
            connection
                .prepare_cached("INSERT INTO pruned_session VALUES (?1, ?2)")?
                .execute([short(client_id), UNAUTHENTICATED_HOLDER])?;
            Ok(())
        }
    }
}

/// Records a session of an unauthenticated client. A credential of the same
/// tenant that used the id before stays recorded: its tenant's hold on the id
/// is not such a client's to end.
fn put_unproved(
    connection: &Connection,
    broker: &str,
    client_id: &ClientIdTie,
    tenant: Option<&TenantId>,
    at: Timestamp,
) -> Result<(), Fault> {
    let tenant = tenant.map(TenantId::as_str);
    let marked = connection
        .prepare_cached(
            "UPDATE stored_session SET is_stored = ?3
             WHERE client_id = ?1 AND tenant IS ?2 AND credential IS NOT NULL",
        )?
        .execute(params![client_id.0, tenant, UNPROVED])?;
    if marked > 0 {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO stored_session (client_id, holder, credential, username, tenant,
                 first_used_at, last_used_at, broker, is_stored)
             VALUES (?1, 'unauthenticated', NULL, NULL, ?2, ?3, ?3, ?4, 1)
             ON CONFLICT (client_id) DO UPDATE
             SET holder = excluded.holder, credential = NULL, username = NULL,
                 tenant = excluded.tenant, first_used_at = excluded.first_used_at,
                 last_used_at = excluded.last_used_at, broker = excluded.broker, is_stored = 1",
        )?
        .execute(params![client_id.0, tenant, at.as_millis(), broker])?;
    Ok(())
}

/// Takes note of the tenant that an unauthenticated client has joined, if there
/// is room for its record in that.
pub(crate) fn join(
    connection: &Connection,
    client_id: &ClientIdTie,
    tenant: &TenantId,
    at: Timestamp,
) -> Result<(), Fault> {
    let limit = read_rows::settings(connection)?.client_id_limit;
    if has_room(connection, None, Some(tenant), true, limit, at)? {
        connection
            .prepare_cached(
                "UPDATE stored_session SET tenant = ?2
                 WHERE client_id = ?1 AND holder = 'unauthenticated'",
            )?
            .execute(params![client_id.0, tenant.as_str()])?;
    }
    Ok(())
}

/// How many rows there are.
struct RowCounts {
    /// Uses of client ids.
    rows: i64,
    /// What is left of those that were pruned.
    pruned: i64,
}

fn counts(connection: &Connection) -> Result<RowCounts, Fault> {
    let mut statement = connection.prepare_cached(COUNTS)?;
    Ok(statement.query_row([], |row| {
        Ok(RowCounts {
            rows: row.get(0)?,
            pruned: row.get(1)?,
        })
    })?)
}

/// Says whether so many client ids are remembered that there is no room for all
/// that brokers are presented.
pub(crate) fn is_full(connection: &Connection) -> Result<bool, Fault> {
    let RowCounts { rows, pruned } = counts(connection)?;
    Ok(rows >= MOST_ROWS || pruned >= MOST_PRUNED)
}

/// Removes up to `limit` records that were not used for long, but remembers of
/// whom the host may have a session still; says how many they were. What is in
/// use is used now, and so is what was used while a clock was ahead.
///
/// Where so much is remembered that there is no room, nothing is removed: a client
/// id of which nothing is known is anybody's.
pub(crate) fn prune(connection: &Connection, now: Timestamp, limit: usize) -> Result<usize, Fault> {
    let ahead = connection
        .prepare_cached(
            "UPDATE stored_session
             SET last_used_at = ?1, first_used_at = min(first_used_at, ?1)
             WHERE client_id IN (SELECT client_id FROM stored_session
                 WHERE last_used_at > ?2 ORDER BY last_used_at LIMIT ?3)",
        )?
        .execute(params![now.as_millis(), now.plus(HOUR).as_millis(), limit])?;
    if ahead > 0 {
        return Ok(ahead);
    }
    let Ok(settings) = read_rows::settings(connection) else {
        // How long they are held can't be told.
        return Ok(0);
    };
    if counts(connection)?.pruned >= MOST_PRUNED {
        return Ok(0);
    }
    let hold = settings.client_id_hold.max(DEFAULT_HOLD);
    let mut statement = connection.prepare_cached(OUT_OF_USE)?;
    let mut rows = statement.query(params![now.minus(hold).as_millis(), limit])?;
    let mut found: usize = 0;
    while let Some(row) = rows.next()? {
        found = found.saturating_add(1);
        let columns = &mut RowReader::of(row);
        let client_id = ClientIdTie(columns.hash()?);
        let (is_stored, credential) = (columns.flag()?, columns.maybe_number()?);
        if columns.flag()? {
            connection
                .prepare_cached("UPDATE stored_session SET last_used_at = ?2 WHERE client_id = ?1")?
                .execute(params![client_id.0, now.as_millis()])?;
            continue;
        }
        if is_stored {
            connection
                .prepare_cached(
                    "INSERT INTO pruned_session VALUES (?1, ?2)
                     ON CONFLICT (client_id) DO UPDATE SET credential = excluded.credential",
                )?
                .execute(params![short(&client_id), credential])?;
        }
        connection
            .prepare_cached("DELETE FROM stored_session WHERE client_id = ?1")?
            .execute([client_id.0])?;
    }
    Ok(found)
}

/// Gives up a client id on behalf of its holder.
pub(crate) fn release(connection: &Connection, client_id: &ClientIdTie) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "UPDATE stored_session SET holder = 'former', credential = NULL WHERE client_id = ?1",
        )?
        .execute([client_id.0])?;
    connection
        .prepare_cached("UPDATE pruned_session SET credential = NULL WHERE client_id = ?1")?
        .execute([short(client_id)])?;
    Ok(())
}

/// Gives up what unauthenticated clients left in a tenant that goes: if there
/// is one of this name again, it does not inherit that.
pub(crate) fn release_all_of_nobody(
    connection: &Connection,
    tenant: &TenantId,
) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "UPDATE stored_session SET holder = 'former'
             WHERE holder = 'unauthenticated' AND tenant = ?1",
        )?
        .execute([tenant.as_str()])?;
    Ok(())
}

/// Says whether another credential is bound to the client id.
fn is_bound_to_another(
    connection: &Connection,
    client_id: &ClientIdTie,
    claimant: Option<CredentialId>,
) -> Result<bool, Fault> {
    let parameters = params![client_id.0, claimant.map(|id| id.0)];
    Ok(connection
        .prepare_cached(BOUND_TO_ANOTHER)?
        .query_row(parameters, |row| row.get(0))?)
}

/// The credential that is bound to the client id `?1`.
macro_rules! select_bound {
    () => {
        "SELECT id FROM credential WHERE bound_to = ?1 ORDER BY id LIMIT 1"
    };
}

/// The columns of a stored session, in the order they are read.
macro_rules! session_columns {
    () => {
        "stored_session.credential, credential.state, holder, username,
             stored_session.tenant, stored_session.first_used_at, stored_session.last_used_at,
             is_stored"
    };
}

const BOUND_TO: &str = select_bound!();

const BOUND_TO_ANOTHER: &str =
    "SELECT EXISTS (SELECT 1 FROM credential WHERE bound_to = ?1 AND id IS NOT ?2)";

const CLIENT_ID_OF: &str = "SELECT bound_to FROM credential WHERE id = ?1";

const LAST_PREFIX: &str = "SELECT client_id_prefix, id FROM tenant
     WHERE client_id_prefix <= ?1 ORDER BY client_id_prefix DESC LIMIT 1";

const STORED_SESSION: &str = concat!(
    "SELECT ",
    session_columns!(),
    " FROM stored_session LEFT JOIN credential ON credential.id = stored_session.credential
     WHERE stored_session.client_id = ?1"
);

/// One row, whatever is stored.
const HOLDING: &str = concat!(
    "SELECT (",
    select_bound!(),
    "), ",
    session_columns!(),
    " FROM (SELECT 1)
         LEFT JOIN stored_session ON stored_session.client_id = ?1
         LEFT JOIN credential ON credential.id = stored_session.credential"
);

const COUNTS: &str = "SELECT rows, pruned FROM session_change WHERE id = 1";

const PRUNED: &str = "SELECT credential FROM pruned_session WHERE client_id = ?1";

const COUNT_OF_CREDENTIAL: &str = "SELECT count(*) FROM (SELECT 1 FROM stored_session
     WHERE credential = ?1 AND is_stored IN (?2, ?3) AND first_used_at > ?4 LIMIT ?5)";

const COUNT_UNAUTHENTICATED: &str = "SELECT count(*) FROM (SELECT 1 FROM stored_session
     WHERE holder = 'unauthenticated' AND tenant IS ?1 AND first_used_at > ?2 LIMIT ?3)";

/// The oldest, and whether they are in use.
const OUT_OF_USE: &str = "SELECT client_id, is_stored <> 0,
         CASE WHEN holder = 'unauthenticated' OR is_stored = 2 THEN 0 ELSE credential END,
         EXISTS (SELECT 1 FROM presence WHERE tie = stored_session.client_id)
     FROM stored_session WHERE last_used_at < ?1 ORDER BY last_used_at LIMIT ?2";

const HOUR: Duration = Duration::from_secs(3_600);

/// The holder of pruned sessions of unauthenticated clients.
const UNAUTHENTICATED_HOLDER: i64 = 0;

/// What stands for [`Kept::Unproved`].
const UNPROVED: i64 = 2;

/// With so many rows, uses without a stored session are not remembered, and of
/// stored ones no more than a credential's limit.
const MOST_ROWS: i64 = 1_000_000;

/// So many numbers are left of what was pruned: some 100 MB.
const MOST_PRUNED: i64 = 4_000_000;

/// So many of these numbers are there before unauthenticated clients add no
/// more.
const MOST_PRUNED_UNPROVED: i64 = MOST_PRUNED / 2;

/// Words for the holders of stored sessions.
const CREDENTIAL: &str = "credential";
const FORMER: &str = "former";
const UNAUTHENTICATED: &str = "unauthenticated";

#[cfg(test)]
mod tests {
    use countersign_core::store::Settings;
    use tempfile::TempDir;

    use super::*;
    use crate::open::SqliteStore;
    use crate::{
        changes, credential_kind, lockouts, log_position, presence, tenants, tokens, users,
    };

    #[test]
    fn as_many_rows_are_counted_as_there_are() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("x.db");
        let store = SqliteStore::create(path, &Settings::default()).unwrap();
        let connection = &store.connection;
        let id = ClientIdTie::of("c");
        let (one, other) = (TenantId::parse("one"), TenantId::parse("other"));
        for tenant in [None, one.as_ref().ok(), other.as_ref().ok(), None] {
            put_unproved(connection, "b", &id, tenant, Timestamp::from_millis(5)).unwrap();
            let found = stored_session(connection, &id).unwrap().unwrap();
            assert_eq!(found.tenant.as_ref(), tenant);
            assert_eq!(counts(connection).unwrap().rows, 1);
        }
        end(connection, &id, None).unwrap();
        assert_eq!(counts(connection).unwrap().rows, 0);
    }

    #[test]
    fn what_a_connect_looks_up_and_what_goes_with_a_tenant_is_never_searched_for_row_by_row() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("x.db");
        let store = SqliteStore::create(path, &Settings::default()).unwrap();
        for sql in [
            BOUND_TO,
            CLIENT_ID_OF,
            LAST_PREFIX,
            STORED_SESSION,
            HOLDING,
            COUNTS,
            PRUNED,
            COUNT_OF_CREDENTIAL,
            COUNT_UNAUTHENTICATED,
            OUT_OF_USE,
            presence::WITH_CLIENT_ID,
            presence::SESSION,
            log_position::STANDING,
            read_rows::BY_NAME,
            read_rows::BY_DIGEST,
            read_rows::BY_ID,
            credential_kind::APPLICATION,
            users::PERSON,
            users::GRANTS,
            users::RECOVERY_CODES,
            lockouts::LOCKOUT,
            tokens::KEY,
            tokens::TOKEN,
            tokens::THINGS,
            tokens::PROVES,
            changes::LAST_OF_POLICY,
            tenants::DELETE_SOME_THINGS,
            tenants::DELETE_SOME_CREDENTIALS,
        ] {
            let mut plan = store
                .connection
                .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
                .unwrap();
            let parameters = vec![None::<i64>; plan.parameter_count()];
            let steps: Vec<String> = plan
                .query_map(rusqlite::params_from_iter(parameters), |row| row.get(3))
                .unwrap()
                .collect::<rusqlite::Result<_>>()
                .unwrap();
            // The one row that all else is joined to.
            let is_row = |step: &String| {
                step.contains("CONSTANT ROW")
                    || step.starts_with("SCAN (subquery")
                    || step.starts_with("CO-ROUTINE")
            };
            let is_good = |step: &String| {
                step.starts_with("SEARCH")
                    || step.contains("SUBQUERY")
                    || step == "CREATE BLOOM FILTER"
                    || is_row(step)
            };
            assert!(
                !steps.is_empty() && steps.iter().all(is_good),
                "{sql}: {steps:?}"
            );
        }
    }
}
