//! How a replica takes what its centre tells.

use core::cmp::Ordering;

use countersign_core::change::{Change, KickRequestId};
use countersign_core::hand_back::tie_of;
use countersign_core::presence::SessionNumber;
use countersign_core::store::{
    KickTarget, KickedThere, ReplicaChanges, ReplicaKick, ReplicaPlace, ReplicaState, StoreError,
    StoreErrorKind,
};
use countersign_core::time::Timestamp;
use countersign_sql::{FOLLOWED, ObjectKind, quote, quoted};
use rusqlite::{Connection, params};

use super::asking::forget_refusals;
use super::difference::find_differences;
use super::hand_back::{begin_taking, end_taking, forget_known};
use super::news::News;
use super::snapshot::{StagedSnapshot, borrowed};
use super::taking::{FIRST_OWN, Taking};
use super::writer::{Replica, Work};
use crate::busy_timeout::{ADMIN_WAIT, BATCH_WAIT};
use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::schema::{self, MIGRATIONS};
use crate::store::SqliteStore;
use crate::tables::raise_sequence;
use crate::{brokers, changes, kicks};

impl SqliteStore {
    /// What this store follows; none if it is no replica.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn replica(&self) -> Result<Option<ReplicaState>, StoreError> {
        self.look_once("look up what the store follows", state)
    }

    /// Makes this store a replica of the centre at `source`, or says where its centre is
    /// by now.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when it has a content of its own.
    pub fn become_replica(&mut self, source: &str) -> Result<ReplicaState, StoreError> {
        let action = "make the store a replica";
        let is_full = self.act(action, ADMIN_WAIT, |connection| {
            let is_replica = state(connection)?.is_some();
            if !is_replica && has_content(connection)? {
                return Ok(true);
            }
            connection
                .prepare_cached(
                    "INSERT INTO replica (id, source) VALUES (1, ?1)
                     ON CONFLICT (id) DO UPDATE SET source = ?1",
                )?
                .execute([source])?;
            for table in Taking::displacing() {
                raise_sequence(connection, table, FIRST_OWN)?;
            }
            Ok(false)
        })?;
        let refused = |detail: &str| {
            let shown = self.path.display();
            StoreError::new(action, StoreErrorKind::Conflict)
                .with_detail(format!("`{shown}` {detail}"))
        };
        if is_full {
            return Err(refused(
                "has a content of its own, which a replica would lose; name another file",
            ));
        }
        self.replica()?
            .ok_or_else(|| refused("lost what it follows"))
    }

    /// Takes note that the centre answered, and that this store is what it was at `place`.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written.
    pub fn note_contact(&mut self, place: ReplicaPlace, now: Timestamp) -> Result<(), StoreError> {
        self.act(ACTION, BATCH_WAIT, |connection| {
            note(connection, place, now)
        })
    }

    /// Takes what changed at the centre, with the place up to which that is all.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] of kind `Damaged` when it is not what a centre tells, and of
    /// another kind when the store can't be written; nothing changed then.
    pub fn take_changes(
        &mut self,
        changes: &ReplicaChanges,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        check_schema(changes.schema)?;
        let kicks = self.kicks_here(&changes.kicks)?;
        let done = self.act(ACTION, ADMIN_WAIT, |connection| {
            begin_taking(connection)?;
            let replica = Replica::of(connection)?;
            let mut news = News::default();
            let mut work = Work::default();
            for told in &changes.objects {
                replica.compare(told, &mut work, &mut news)?;
            }
            replica.carry_out(&work.removed, |_, _| Ok(()))?;
            replica.put_all(&work.put)?;
            news.tell(connection, now)?;
            for (id, target) in &kicks {
                kicks::take(connection, *id, target, now)?;
                changes::append(connection, now, &Change::KickRequested(*id))?;
            }
            note(connection, changes.place, now)
        });
        if !changes.objects.is_empty() {
            self.sync(ACTION)?;
        }
        done
    }

    /// Takes a snapshot in the place of all that was followed before, in one transaction.
    ///
    /// # Errors
    ///
    /// As [`SqliteStore::take_changes`].
    pub fn take_snapshot(
        &mut self,
        snapshot: &StagedSnapshot,
        place: ReplicaPlace,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // What the broker writes meanwhile is none of what is compared, or stays.
        let found = self.look(ACTION, ADMIN_WAIT, |connection| {
            find_differences(connection, snapshot)
        })?;
        // Digests come in no order: each would have a page of their index read and written.
        self.keep_pages(KIB_FOR_SNAPSHOT)?;
        let done = self.act(ACTION, ADMIN_WAIT, |connection| {
            begin_taking(connection)?;
            let replica = Replica::of(connection)?;
            replica.carry_out(&found.removed, |place, put| {
                let Some(table) = snapshot.tables.get(place) else {
                    return Ok(());
                };
                let (shape, is_all_new) = (&table.shape, found.is_empty.get(place) == Some(&true));
                let new = if is_all_new { "true" } else { "is_new = 1" };
                let select = format!(
                    "SELECT {columns} FROM {name} WHERE {new} ORDER BY {key}",
                    columns = quoted(shape.columns.iter().map(|it| &it.name)),
                    name = shape.name,
                    key = quoted(shape.key.iter()),
                );
                let mut statement = snapshot.connection.prepare(&select)?;
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    put(&borrowed(shape, row)?)?;
                }
                Ok(())
            })?;
            changes::append(connection, now, &Change::Everything)?;
            note(connection, place, now)
        });
        self.keep_pages(USUAL_KIB)?;
        self.sync(ACTION)?;
        done
    }

    /// Has the connection keep so much of the file in memory.
    fn keep_pages(&self, kib: i32) -> Result<(), StoreError> {
        self.look_once(ACTION, |connection| {
            Ok(connection.pragma_update(None, "cache_size", kib.saturating_neg())?)
        })
    }
}

impl SqliteStore {
    /// What is to end here. A session whose broker is not named is one of the only broker
    /// that is alive and has it; otherwise it is none.
    fn kicks_here(
        &self,
        told: &[ReplicaKick],
    ) -> Result<Vec<(KickRequestId, KickTarget)>, StoreError> {
        let mut here = Vec::new();
        for ReplicaKick { id, what } in told {
            let target = match what {
                KickedThere::ClientId(digits) => tie_of(digits).map(KickTarget::ClientId),
                KickedThere::Session { broker, session } => {
                    let session = SessionNumber(*session);
                    let broker = match broker {
                        Some(broker) => Some(broker.clone()),
                        None => self.only_broker_with(session)?,
                    };
                    broker.map(|broker| KickTarget::Session { broker, session })
                }
            };
            here.extend(target.map(|target| (KickRequestId(*id), target)));
        }
        Ok(here)
    }

    fn only_broker_with(&self, session: SessionNumber) -> Result<Option<String>, StoreError> {
        let mut brokers = self.look_once(ACTION, |connection| {
            brokers::with_session(connection, session)
        })?;
        brokers.retain(|broker| self.is_alive(broker));
        let only = brokers.pop();
        Ok(only.filter(|_| brokers.is_empty()))
    }
}

/// Fails if this is a replica: what is written there its centre would not know.
pub(crate) fn check_is_none(store: &SqliteStore) -> Result<(), StoreError> {
    let Some(replica) = store.replica()? else {
        return Ok(());
    };
    // Sessions are told this as well, so there is no path in it.
    let detail = format!("it is a replica of {}; change it there", replica.source);
    Err(StoreError::new("change the store", StoreErrorKind::Replica).with_detail(detail))
}

fn state(connection: &Connection) -> Result<Option<ReplicaState>, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT source, place, contact_at FROM replica WHERE id = 1")?;
    let mut rows = statement.query([])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let columns = &mut RowReader::of(row);
    Ok(Some(ReplicaState {
        source: columns.text()?.into(),
        place: columns.maybe_parsed(str::parse)?,
        contact_at: columns.maybe_instant()?,
    }))
}

/// Whether there is something that `init` did not put there.
fn has_content(connection: &Connection) -> Result<bool, Fault> {
    for table in FOLLOWED.iter().filter(|it| it.kind != ObjectKind::Setting) {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {})", quote(table.name));
        if connection.query_row(&sql, [], |row| row.get(0))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn note(connection: &Connection, place: ReplicaPlace, now: Timestamp) -> Result<(), Fault> {
    connection
        .prepare_cached("UPDATE replica SET place = ?1, contact_at = ?2 WHERE id = 1")?
        .execute(params![place.to_string(), now.as_millis()])?;
    forget_known(connection, place.seq)?;
    forget_refusals(connection, now)?;
    end_taking(connection)
}

/// Fails unless what is told has the shape of what this program knows.
///
/// # Errors
///
/// Returns kind `Newer` or `Older`.
fn check_schema(told: u32) -> Result<(), StoreError> {
    let known = schema::newest(MIGRATIONS);
    let kind = match told.cmp(&known) {
        Ordering::Equal => return Ok(()),
        Ordering::Greater => StoreErrorKind::Newer,
        Ordering::Less => StoreErrorKind::Older,
    };
    let detail = format!(
        "the centre has schema {told} and this program knows {known}; install the same version"
    );
    Err(StoreError::new(ACTION, kind).with_detail(detail))
}

const ACTION: &str = "take what the centre tells";
const KIB_FOR_SNAPSHOT: i32 = 64 * 1_024;
/// What SQLite keeps by itself.
const USUAL_KIB: i32 = 2_000;
