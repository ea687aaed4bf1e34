//! What a broker wrote to its replica, and what the centre says of it.
//!
//! Triggers write it down (`hand_back`), in the transaction of the broker; what the centre
//! tells is none of it.

use countersign_core::change::Change;
use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::CredentialId;
use countersign_core::follower::MOST_WAITING;
use countersign_core::hand_back::{
    HandBack, HandedAct, HandedBack, HandedItem, MOST_ITEMS, Maker, tie_of,
};
use countersign_core::hex;
use countersign_core::store::StoreError;
use countersign_core::time::Timestamp;
use rusqlite::{Connection, params};

use super::asking;
use crate::busy_timeout::BATCH_WAIT;
use crate::changes;
use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::schema::{self, MIGRATIONS};
use crate::store::SqliteStore;

impl SqliteStore {
    /// The oldest of what the broker wrote and the centre has not judged; none if that is
    /// nothing. Counts in it grow no more.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read or written.
    pub fn to_hand_back(&mut self) -> Result<Option<HandBack>, StoreError> {
        if !self.look_once(READ, has_some)? {
            return Ok(None);
        }
        self.act(READ, BATCH_WAIT, |connection| {
            let items = items(connection)?;
            let Some(last) = items.last() else {
                return Ok(None);
            };
            connection
                .prepare_cached(
                    "UPDATE hand_back SET is_sent = 1
                     WHERE seq <= ?1 AND known_from IS NULL AND is_sent = 0",
                )?
                .execute([last.seq])?;
            Ok(Some(HandBack {
                schema: schema::newest(MIGRATIONS),
                stamp: stamp(connection)?,
                items,
            }))
        })
    }

    /// How much of what the broker wrote the centre has not judged, counted up to
    /// [`MOST_WAITING`].
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn count_to_hand_back(&self) -> Result<u32, StoreError> {
        self.look_once(READ, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT count(*) FROM
                     (SELECT 1 FROM hand_back WHERE known_from IS NULL LIMIT ?1)",
            )?;
            Ok(statement.query_row([MOST_WAITING], |row| row.get(0))?)
        })
    }

    /// Takes note of what the centre answered about what was handed back.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written; nothing changed then.
    pub fn settle_hand_back(
        &mut self,
        handed: &HandBack,
        answer: &HandedBack,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.act(SETTLE, BATCH_WAIT, |connection| {
            begin_taking(connection)?;
            let last = handed.items.last().map_or(0, |item| item.seq);
            if answer.seq > last_given(connection)? {
                // The centre judged what this file does not know of: it is an older copy of
                // another one.
                connection.execute("UPDATE replica SET stamp = random() WHERE id = 1", [])?;
            } else {
                for item in &handed.items {
                    if answer.undone.contains(&item.seq) {
                        untie(connection, item, now)?;
                        asking::keep_refusal(connection, item, now)?;
                    }
                }
                connection
                    .prepare_cached(
                        "UPDATE hand_back SET known_from = ?2
                         WHERE seq <= ?1 AND known_from IS NULL",
                    )?
                    .execute([last.min(answer.seq), answer.told_from])?;
            }
            end_taking(connection)
        })
    }
}

/// What tells the numbers of this replica from those of another file.
pub(super) fn stamp(connection: &Connection) -> Result<i64, Fault> {
    let sql = "SELECT stamp FROM replica WHERE id = 1";
    Ok(connection
        .prepare_cached(sql)?
        .query_row([], |row| row.get(0))?)
}

/// What is written up to [`end_taking`] is what the centre tells, and nothing to hand back
/// to it.
pub(super) fn begin_taking(connection: &Connection) -> Result<(), Fault> {
    connection
        .prepare_cached("UPDATE replica SET is_taking = 1 WHERE id = 1")?
        .execute([])?;
    Ok(())
}

pub(super) fn end_taking(connection: &Connection) -> Result<(), Fault> {
    connection
        .prepare_cached("UPDATE replica SET is_taking = 0 WHERE id = 1")?
        .execute([])?;
    Ok(())
}

/// Forgets what the centre tells of by now.
pub(super) fn forget_known(connection: &Connection, place: i64) -> Result<(), Fault> {
    connection
        .prepare_cached("DELETE FROM hand_back WHERE known_from IS NOT NULL AND known_from <= ?1")?
        .execute([place])?;
    Ok(())
}

fn has_some(connection: &Connection) -> Result<bool, Fault> {
    let sql = "SELECT EXISTS (SELECT 1 FROM hand_back WHERE known_from IS NULL)";
    Ok(connection
        .prepare_cached(sql)?
        .query_row([], |row| row.get(0))?)
}

/// The largest number that was ever given out.
fn last_given(connection: &Connection) -> Result<i64, Fault> {
    let sql = "SELECT last_seq FROM replica WHERE id = 1";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

/// Undoes a tie of the broker's, if it is there still.
fn untie(connection: &Connection, item: &HandedItem, now: Timestamp) -> Result<(), Fault> {
    let HandedAct::Tied {
        credential,
        client_id,
        ..
    } = &item.what
    else {
        return Ok(());
    };
    let Some(ClientIdTie(tie)) = tie_of(client_id) else {
        return Ok(());
    };
    let undone = connection
        .prepare_cached(
            "UPDATE credential SET client_id_tie = NULL, bound_to = NULL
             WHERE id = ?1 AND client_id_tie = ?2",
        )?
        .execute(params![credential, tie])?;
    if undone > 0 {
        let change = Change::Credential(CredentialId(*credential));
        changes::append(connection, now, &change)?;
    }
    Ok(())
}

fn items(connection: &Connection) -> Result<Vec<HandedItem>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, at, kind, number, name, value, client_id FROM hand_back
         WHERE known_from IS NULL ORDER BY seq LIMIT ?1",
    )?;
    let mut rows = statement.query([MOST_ITEMS])?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        let (seq, at) = (columns.number()?, columns.number()?);
        let kind = columns.text()?.to_owned();
        let number = columns.maybe_number()?;
        let name = columns.maybe_text()?.map(str::to_owned);
        let value = columns.maybe_number()?;
        let tie = columns.maybe_hash()?;
        let what = act(&kind, number, name, value, tie);
        let what = what.ok_or_else(|| Fault::Content("a row of `hand_back`".into()))?;
        items.push(HandedItem { seq, at, what });
    }
    Ok(items)
}

fn act(
    kind: &str,
    number: Option<i64>,
    name: Option<String>,
    value: Option<i64>,
    tie: Option<[u8; 32]>,
) -> Option<HandedAct> {
    Some(match kind {
        "register-by-application" => HandedAct::Register {
            by: Maker::Application(number?),
            name: name?,
        },
        "register-by-authority" => HandedAct::Register {
            by: Maker::Authority(number?),
            name: name?,
        },
        "register-by-issuer" => HandedAct::Register {
            by: Maker::Issuer(number?),
            name: name?,
        },
        "activated" => HandedAct::Activated {
            credential: number?,
        },
        "cleared" => HandedAct::Cleared { name: name? },
        "code-used" => HandedAct::CodeUsed {
            credential: number?,
            step: value?,
        },
        "failed" => HandedAct::Failed {
            name: name?,
            count: u32::try_from(value?).ok()?,
        },
        "kicked" => HandedAct::Kicked { request: number? },
        "retired" => HandedAct::Retired {
            credential: value?,
            secret: number?,
        },
        "tied" => HandedAct::Tied {
            credential: number?,
            generation: value?,
            client_id: hex::encode(&tie?),
        },
        "used" => HandedAct::Used {
            credential: number?,
        },
        _ => return None,
    })
}

const READ: &str = "read what the broker wrote";
const SETTLE: &str = "take note of what the centre judged";
