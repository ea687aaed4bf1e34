//! Who holds which client id (design §7): bindings of credentials, prefixes of
//! tenants, and stored sessions.

use countersign_core::client_id::{ClientId, ClientIdRule, ClientIdTie};
use countersign_core::connect::SessionChange;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::lifecycle::State;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::ownership::{Claim, Holder, Holding, StoredSession};
use countersign_core::store::Login;
use countersign_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::columns::Columns;
use crate::error::Fault;
use crate::rows;

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
        Some(row) => Some(CredentialId(Columns::of(row).number()?)),
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
    let columns = &mut Columns::of(row);
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
        Some(row) => read_session(&mut Columns::of(row)),
        None => Ok(None),
    }
}

/// Who holds this client id, in one statement.
pub(crate) fn holding(connection: &Connection, client_id: &ClientIdTie) -> Result<Holding, Fault> {
    let mut statement = connection.prepare_cached(HOLDING)?;
    let mut rows = statement.query([client_id.0])?;
    let Some(row) = rows.next()? else {
        return Err(Fault::Content("a row that is always there".into()));
    };
    let columns = &mut Columns::of(row);
    Ok(Holding {
        bound_to: columns.maybe_number()?.map(CredentialId),
        stored_session: read_session(columns)?,
    })
}

/// Reads [`session_columns`]; where a join found no session, the word for its
/// holder is missing.
fn read_session(columns: &mut Columns<'_>) -> Result<Option<StoredSession>, Fault> {
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
        last_used_at: columns.instant()?,
    }))
}

/// Writes what a login makes of the stored session of its client id; says
/// whether it still may, and if not, writes nothing.
pub(crate) fn change_session(
    connection: &Connection,
    login: &Login<'_>,
    now: Timestamp,
) -> Result<bool, Fault> {
    let record = &login.record;
    if record.ties.is_none() && record.session == SessionChange::Kept {
        return Ok(true);
    }
    let client_id = login.client_id.tie();
    let claimant = login.proved.map(|(credential, _)| credential.id);
    if is_anothers(connection, &client_id, claimant, now)? {
        return Ok(false);
    }
    match record.session {
        SessionChange::Kept => {}
        SessionChange::Dropped => {
            connection
                .prepare_cached("DELETE FROM stored_session WHERE client_id = ?1")?
                .execute([client_id.0])?;
        }
        SessionChange::Taken => {
            let holder = match claimant {
                Some(_) => CREDENTIAL,
                None => UNAUTHENTICATED,
            };
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO stored_session
                         (client_id, holder, credential, username, tenant, last_used_at, broker)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![
                    client_id.0,
                    holder,
                    claimant.map(|id| id.0),
                    login.username,
                    login.tenant.map(TenantId::as_str),
                    now.as_millis(),
                    login.broker,
                ])?;
        }
    }
    Ok(true)
}

/// Takes note that a stored session was in use at `at`.
pub(crate) fn touch(
    connection: &Connection,
    broker: &str,
    client_id: &str,
    at: Timestamp,
) -> Result<(), Fault> {
    // What is no client id has no stored session either.
    if let Ok(client_id) = ClientId::parse(client_id) {
        connection
            .prepare_cached(
                "UPDATE stored_session SET last_used_at = ?2, broker = ?3
                 WHERE client_id = ?1 AND last_used_at < ?2",
            )?
            .execute(params![client_id.tie().0, at.as_millis(), broker])?;
    }
    Ok(())
}

/// Takes note of the tenant that a client that proved nothing has joined.
pub(crate) fn join(
    connection: &Connection,
    client_id: &str,
    tenant: &TenantId,
) -> Result<(), Fault> {
    if let Ok(client_id) = ClientId::parse(client_id) {
        connection
            .prepare_cached(
                "UPDATE stored_session SET tenant = ?2
                 WHERE client_id = ?1 AND holder = 'unauthenticated'",
            )?
            .execute(params![client_id.tie().0, tenant.as_str()])?;
    }
    Ok(())
}

/// Gives up a client id on behalf of its holder.
pub(crate) fn release(connection: &Connection, client_id: &ClientIdTie) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "UPDATE stored_session SET holder = 'former', credential = NULL WHERE client_id = ?1",
        )?
        .execute([client_id.0])?;
    Ok(())
}

/// Gives up what clients that proved nothing left in a tenant that goes: if
/// there is one of this name again, it does not inherit that.
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

/// Says whether somebody else has got the client id since the login was
/// decided on, at another broker say.
fn is_anothers(
    connection: &Connection,
    client_id: &ClientIdTie,
    claimant: Option<CredentialId>,
    now: Timestamp,
) -> Result<bool, Fault> {
    // The claimant's own tie is written already, so that `bound_to` could find
    // that and not the other's.
    let is_bound: bool = connection
        .prepare_cached(BOUND_TO_ANOTHER)?
        .query_row(params![client_id.0, claimant.map(|id| id.0)], |row| {
            row.get(0)
        })?;
    if is_bound {
        return Ok(true);
    }
    let Some(stored) = stored_session(connection, client_id)? else {
        return Ok(false);
    };
    let hold = rows::settings(connection)?.client_id_hold;
    Ok(stored.claim(claimant, hold, now) == Claim::Held)
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
             stored_session.tenant, stored_session.last_used_at"
    };
}

const BOUND_TO: &str = select_bound!();

const BOUND_TO_ANOTHER: &str =
    "SELECT EXISTS (SELECT 1 FROM credential WHERE bound_to = ?1 AND id IS NOT ?2)";

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
    use crate::{changes, kinds, lockouts, people, standing, tenants, tokens};

    #[test]
    fn what_a_connect_looks_up_and_what_goes_with_a_tenant_is_never_searched_for_row_by_row() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("x.db");
        let store = SqliteStore::create(path, &Settings::default()).unwrap();
        for sql in [
            BOUND_TO,
            LAST_PREFIX,
            STORED_SESSION,
            HOLDING,
            standing::STANDING,
            rows::BY_NAME,
            rows::BY_DIGEST,
            rows::BY_ID,
            kinds::APPLICATION,
            people::PERSON,
            people::GRANTS,
            people::RECOVERY_CODES,
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
