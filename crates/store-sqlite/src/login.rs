//! What a login changes permanently, committed before the client is answered.

use countersign_core::audit::{AuditChain, AuditEntry, AuditOutcome};
use countersign_core::change::Change;
use countersign_core::client_id::ClientIdTie;
use countersign_core::connect::{Proof, SessionChange};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::lifecycle::{Act, State};
use countersign_core::store::{Intent, LoginEffects, Recorded, StoreError};
use countersign_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::busy_timeout::{BusyTimeout, GATE_WAIT};
use crate::error::Fault;
use crate::open::SqliteStore;
use crate::transaction::TransactionGuard;
use crate::{audit, changes, lockouts, ownership, tokens, users};

impl SqliteStore {
    /// See [`GateStore::record_login`](countersign_core::store::GateStore::record_login).
    pub(crate) fn record(
        &mut self,
        login: &LoginEffects<'_>,
        now: Timestamp,
    ) -> Result<Recorded, StoreError> {
        let action = "record a login";
        self.check(action)?;
        let _patience = BusyTimeout::of(GATE_WAIT);
        let mut recording = || {
            self.checkpoint_on_commit(false)?;
            let scope = TransactionGuard::begin(&self.connection, Intent::Write)?;
            if !update(&self.connection, login, now)? {
                return Ok(Recorded::Outdated);
            }
            let changed = ownership::change_session(&self.connection, login, now)?;
            if changed != Recorded::Done {
                return Ok(changed);
            }
            append_traces(&self.connection, login, now)?;
            scope.commit()?;
            Ok(Recorded::Done)
        };
        // `act` is not for this: it may sleep to be fair to other writers.
        let recorded =
            recording().map_err(|fault: Fault| fault.while_trying(action, &self.path))?;
        if recorded == Recorded::Done && must_be_durable(login) {
            self.sync(action)?;
        }
        Ok(recorded)
    }
}

/// Says whether a power failure right after the CONNACK must not undo the
/// login: a client id that was given away is the principal's, and a code that
/// was accepted is used up.
fn must_be_durable(login: &LoginEffects<'_>) -> bool {
    let record = &login.record;
    let changes_for_good =
        record.ties.is_some() || record.session == SessionChange::Taken || record.user.is_some();
    login.proved.is_some() && changes_for_good
}

/// Writes what changes of the credential; says whether it still was what the
/// login was decided on.
fn update(
    connection: &Connection,
    login: &LoginEffects<'_>,
    now: Timestamp,
) -> Result<bool, Fault> {
    let Some((credential, proof)) = login.proved else {
        return Ok(true);
    };
    if !proves(connection, credential, proof, now)? {
        return Ok(false);
    }
    let state = credential.state;
    let Ok(used) = state.after(Act::Authenticate) else {
        return Ok(false);
    };
    let next = if login.record.activates { used } else { state };
    let ties = login.record.ties.map(|ClientIdTie(hash)| hash);
    let updated = connection
        .prepare_cached(
            "UPDATE credential
             SET state = ?1,
                 ever_used = max(ever_used, ?2),
                 client_id_tie = coalesce(?3, client_id_tie),
                 bound_to = coalesce(?3, bound_to),
                 last_used_at = max(coalesce(last_used_at, ?4), ?4)
             WHERE id = ?5 AND generation = ?6 AND state = ?7 AND updated_at = ?8
                 AND (?3 IS NULL OR client_id_tie IS NULL)",
        )?
        .execute(params![
            next.as_str(),
            login.record.activates,
            ties,
            now.as_millis(),
            credential.id.0,
            credential.generation.0,
            state.as_str(),
            credential.updated_at.as_millis(),
        ])?;
    if updated == 0 {
        return Ok(false);
    }
    if let (true, Proof::Secret(secret)) = (login.record.retires_older_secrets, proof) {
        connection
            .prepare_cached(
                "DELETE FROM secret WHERE credential = ?1 AND until_used = 1 AND id < ?2",
            )?
            .execute([owner_of_secrets(credential).0, secret.0])?;
    }
    update_user(connection, login, credential, now)
}

/// Writes what changes of a user; says whether it still may. Nobody logs in who
/// was locked out meanwhile.
fn update_user(
    connection: &Connection,
    login: &LoginEffects<'_>,
    credential: &Credential,
    now: Timestamp,
) -> Result<bool, Fault> {
    let Some(change) = login.record.user else {
        return Ok(true);
    };
    if lockouts::lockout(connection, &credential.name)?.is_locked(now)
        || !users::record_login(connection, credential.id, change, login.tenant)?
    {
        return Ok(false);
    }
    lockouts::clear(connection, &credential.name)?;
    Ok(true)
}

/// Says whether what proved a credential still does.
fn proves(
    connection: &Connection,
    credential: &Credential,
    proof: Proof<'_>,
    now: Timestamp,
) -> Result<bool, Fault> {
    match proof {
        Proof::Secret(secret) => Ok(connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM secret WHERE id = ?1 AND credential = ?2)",
            )?
            .query_row([secret.0, owner_of_secrets(credential).0], |row| row.get(0))?),
        Proof::Token(token) => tokens::proves(connection, token, credential.id, now),
    }
}

/// Whose a credential's secrets are.
fn owner_of_secrets(credential: &Credential) -> CredentialId {
    credential.parent().unwrap_or(credential.id)
}

/// Writes the audit rows and, where other sessions of the credential may have
/// to end, the change.
fn append_traces(
    connection: &Connection,
    login: &LoginEffects<'_>,
    now: Timestamp,
) -> Result<(), Fault> {
    let Some((credential, _)) = login.proved else {
        return Ok(());
    };
    let row = |act: &str, states: Option<(State, State)>| AuditEntry {
        time: now,
        actor: format!("broker:{}", login.broker),
        act: act.into(),
        subject: credential.name.to_string(),
        outcome: AuditOutcome::Done,
        cause: None,
        address: None,
        client_id: None,
        count: 1,
        before: states.map(|(before, _)| state_as_json(before)),
        after: states.map(|(_, after)| state_as_json(after)),
    };
    let record = &login.record;
    let mut rows = Vec::new();
    if record.activates {
        let states = (credential.state, State::Active);
        rows.push(row("credential.activate", Some(states)));
    }
    if record.ties.is_some() {
        rows.push(row("credential.tie", None));
    }
    if record.retires_older_secrets {
        rows.push(row("credential.retire-secret", None));
    }
    if record.user.is_some_and(|user| user.recovery.is_some()) {
        rows.push(row("user.use-recovery-code", None));
    }
    audit::append(connection, AuditChain::Acts, &rows)?;
    if record.ties.is_some() {
        changes::append(connection, now, &Change::Credential(credential.id))?;
    }
    let owner = owner_of_secrets(credential);
    if record.retires_older_secrets && (record.ties.is_none() || owner != credential.id) {
        changes::append(connection, now, &Change::Credential(owner))?;
    }
    Ok(())
}

fn state_as_json(state: State) -> String {
    format!(r#"{{"state":"{state}"}}"#)
}

#[cfg(test)]
mod tests {
    use countersign_core::client_id::ClientId;
    use countersign_core::connect::LoginRecord;
    use countersign_core::name::LoginName;
    use countersign_core::secret::SecretId;
    use countersign_core::store::{Directory as _, Settings};

    use super::*;

    #[test]
    fn what_a_power_failure_must_not_undo_is_synced_and_nothing_else() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("x.db");
        let mut store = SqliteStore::create(path, &Settings::default()).unwrap();
        store
            .connection
            .execute_batch(
                "INSERT INTO credential
                     (name, scheme, state, ever_used, generation, client_id_rule,
                      external_identity, created_at, updated_at)
                 VALUES ('root', 'basic', 'Active', 1, 1, 'any', 0, 1, 1)",
            )
            .unwrap();
        let name = LoginName::parse("root").unwrap();
        let credential = store.credential(&name).unwrap().unwrap();
        let client_id = ClientId::parse("c").unwrap();
        let nothing = LoginRecord::default();
        let taken = LoginRecord {
            session: SessionChange::Taken,
            ..nothing
        };
        let dropped = LoginRecord {
            session: SessionChange::Dropped,
            ..nothing
        };
        let tied = LoginRecord {
            ties: Some(client_id.tie()),
            ..nothing
        };
        let proof = Proof::Secret(SecretId(1));
        let proved = Some((&*credential, proof));
        for (proved, record, is_durable) in [
            (None, taken, false),
            (None, dropped, false),
            (proved, nothing, false),
            (proved, taken, true),
            (proved, dropped, false),
            (proved, tied, true),
        ] {
            let login = LoginEffects {
                broker: "b1",
                client_id: &client_id,
                username: None,
                tenant: None,
                proved,
                record,
            };
            assert_eq!(must_be_durable(&login), is_durable, "{record:?}");
        }
    }
}
