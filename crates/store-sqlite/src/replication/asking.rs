//! Whom the centre is asked to make, as a replica makes nobody.
//!
//! A row of `hand_back` asks for one. Where the centre makes nobody of it, the row stays for
//! a moment, so that a client which comes again and again is asked for once in that time.

use countersign_core::hand_back::{
    ASKED_AGAIN_AFTER, Asked, HandedAct, HandedItem, MOST_ASKED, Maker,
};
use countersign_core::name::LoginName;
use countersign_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::error::Fault;

/// Has the centre asked, if this is a replica.
pub(crate) fn ask(
    connection: &Connection,
    by: Maker,
    name: &LoginName,
    at: Timestamp,
) -> Result<Option<Asked>, Fault> {
    let is_replica = connection
        .prepare_cached("SELECT 1 FROM replica WHERE id = 1")?
        .exists([])?;
    if !is_replica {
        return Ok(None);
    }
    forget_refusals(connection, at)?;
    let is_asked = connection
        .prepare_cached("SELECT 1 FROM hand_back WHERE kind = ?1 AND name = ?2")?
        .exists([by.as_str(), name.as_str()])?;
    if is_asked {
        return Ok(Some(Asked::Before));
    }
    let asked: u32 = connection
        .prepare_cached(
            "SELECT count(*) FROM hand_back WHERE name IS NOT NULL AND kind IN
                 ('register-by-application', 'register-by-authority', 'register-by-issuer')",
        )?
        .query_row([], |row| row.get(0))?;
    if asked >= MOST_ASKED {
        return Ok(Some(Asked::Full));
    }
    connection
        .prepare_cached("UPDATE replica SET last_seq = last_seq + 1 WHERE id = 1")?
        .execute([])?;
    connection
        .prepare_cached(
            "INSERT INTO hand_back (seq, kind, number, name, at)
             VALUES ((SELECT last_seq FROM replica WHERE id = 1), ?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            by.as_str(),
            by.number(),
            name.as_str(),
            at.as_millis()
        ])?;
    Ok(Some(Asked::Now))
}

/// Takes note that the centre made nobody, if that is what it was asked for.
pub(super) fn keep_refusal(
    connection: &Connection,
    item: &HandedItem,
    now: Timestamp,
) -> Result<(), Fault> {
    if matches!(item.what, HandedAct::Register { .. }) {
        connection
            .prepare_cached(
                "UPDATE hand_back SET known_from = ?2, at = ?3
                 WHERE seq = ?1 AND known_from IS NULL",
            )?
            .execute(params![item.seq, REFUSED, now.as_millis()])?;
    }
    Ok(())
}

/// Forgets what the centre refused long enough ago. What lies ahead was before a clock was
/// set back.
pub(super) fn forget_refusals(connection: &Connection, now: Timestamp) -> Result<(), Fault> {
    let since = now.minus(ASKED_AGAIN_AFTER).as_millis();
    connection
        .prepare_cached("DELETE FROM hand_back WHERE known_from = ?1 AND at NOT BETWEEN ?2 AND ?3")?
        .execute([REFUSED, since, now.as_millis()])?;
    Ok(())
}

/// No place of a centre's log: it will never tell of that.
const REFUSED: i64 = i64::MAX;
