//! Followers of this store.

use countersign_core::follower::{Follower, FollowerName, FollowerProgress, MachineKey};
use countersign_core::hand_back::{Asked, HandBackPlace, Maker};
use countersign_core::name::{LoginName, TenantId};
use countersign_core::secret::SecretDigest;
use countersign_core::store::rows::FollowerRows;
use countersign_core::store::{Listed, Page, StoreError};
use countersign_core::time::Timestamp;
use countersign_sql::{first_object_change, last_to_cut};

use crate::error::Fault;
use crate::page_query::{PageQuery, text};
use crate::row_reader::RowReader;
use crate::sql::{Connection, Params, params};
use crate::sql_reader::{State, last_entry};
use crate::transaction::PostgresTransaction;

impl FollowerRows for PostgresTransaction<'_> {
    fn follower(&mut self, name: &FollowerName) -> Result<Option<Follower>, StoreError> {
        self.run("look up a follower", |connection| {
            Ok(read(connection, BY_NAME, [name.as_str()])?.pop())
        })
    }

    fn follower_by_digest(
        &mut self,
        digest: &SecretDigest,
    ) -> Result<Option<Follower>, StoreError> {
        self.run("look up a follower", |connection| {
            by_digest(connection, digest)
        })
    }

    fn handed_back(&mut self, name: &FollowerName) -> Result<Option<HandBackPlace>, StoreError> {
        self.run("look up what a follower handed back", |connection| {
            let statement = connection.prepare(
                "SELECT handed_stamp, handed_seq, handed_audit FROM follower
                 WHERE name = $1 AND handed_seq IS NOT NULL",
            )?;
            let mut rows = statement.query([name.as_str()])?;
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            let columns = &mut RowReader::of(row);
            Ok(Some(HandBackPlace {
                stamp: columns.number()?,
                seq: columns.number()?,
                audit: columns.number()?,
            }))
        })
    }

    fn put_handed_back(
        &mut self,
        name: &FollowerName,
        place: HandBackPlace,
    ) -> Result<(), StoreError> {
        self.run("write down what a follower handed back", |connection| {
            let values = params![name.as_str(), place.stamp, place.seq, place.audit];
            connection
                .prepare(
                    "UPDATE follower SET handed_stamp = $2, handed_seq = $3, handed_audit = $4
                     WHERE name = $1",
                )?
                .execute(values)?;
            Ok(())
        })
    }

    fn last_told(&mut self) -> Result<i64, StoreError> {
        self.run("read what followers are told", |connection| {
            Ok(last_entry(connection)?.0)
        })
    }

    fn first_told(&mut self) -> Result<i64, StoreError> {
        self.run("read what followers are told", |connection| {
            first_object_change(&State(connection))
        })
    }

    fn cut_told(&mut self, before: Timestamp, most: usize) -> Result<usize, StoreError> {
        self.run(
            "shorten what followers are told",
            |connection| match last_to_cut(&State(connection), before, most)? {
                Some(last) => connection
                    .prepare("DELETE FROM object_change WHERE seq <= $1")?
                    .execute([last]),
                None => Ok(0),
            },
        )
    }

    fn followers(&mut self, page: &Page<FollowerName>) -> Result<Listed<Follower>, StoreError> {
        self.run("list the followers", |connection| {
            let query = PageQuery::of(concat!(follower_columns!(), " WHERE true"));
            let after = page.after.as_ref().map(|name| [text(name.as_str())]);
            let (sql, values) = query.page(["name"], after, page.sought());
            Ok(page.listed(read(connection, &sql, values)?))
        })
    }

    fn put_follower(&mut self, follower: &Follower) -> Result<(), StoreError> {
        self.run("write a follower", |connection| put(connection, follower))
    }

    fn note_follower(
        &mut self,
        name: &FollowerName,
        progress: FollowerProgress,
    ) -> Result<(), StoreError> {
        self.run("write down how far a follower is", |connection| {
            connection
                .prepare(
                    "UPDATE follower SET position = $2, last_seen = $3, schema = $4,
                         waiting = $5 WHERE name = $1",
                )?
                .execute(params![
                    name.as_str(),
                    progress.position,
                    progress.at.as_millis(),
                    progress.schema,
                    progress.waiting,
                ])?;
            Ok(())
        })
    }

    fn pin_machine(
        &mut self,
        name: &FollowerName,
        key: &MachineKey,
        is_begun: bool,
    ) -> Result<bool, StoreError> {
        self.run("write down the key of a machine", |connection| {
            let pinned = connection
                .prepare(
                    "UPDATE follower SET machine = $2,
                         era = era + $3
                     WHERE name = $1 AND machine IS NULL",
                )?
                .execute(params![name.as_str(), key.as_bytes(), i64::from(is_begun)])?;
            Ok(pinned > 0)
        })
    }

    fn note_refused(&mut self, name: &FollowerName, count: u64) -> Result<(), StoreError> {
        self.run("write down what was refused to a follower", |connection| {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            connection
                .prepare("UPDATE follower SET refused = refused + $2 WHERE name = $1")?
                .execute(params![name.as_str(), count])?;
            Ok(())
        })
    }

    /// A database is no replica.
    fn ask_to_register(
        &mut self,
        _by: Maker,
        _name: &LoginName,
        _at: Timestamp,
    ) -> Result<Option<Asked>, StoreError> {
        Ok(None)
    }

    fn remove_follower(&mut self, name: &FollowerName) -> Result<bool, StoreError> {
        self.run("remove a follower", |connection| {
            let removed = connection
                .prepare("DELETE FROM follower WHERE name = $1")?
                .execute([name.as_str()])?;
            Ok(removed > 0)
        })
    }
}

/// The follower with this secret, if there is one.
pub(crate) fn by_digest(
    connection: &Connection,
    digest: &SecretDigest,
) -> Result<Option<Follower>, Fault> {
    let found = read(connection, BY_DIGEST, [digest.as_bytes()])?.pop();
    Ok(found.filter(|it| it.digest == *digest))
}

fn put(connection: &Connection, follower: &Follower) -> Result<(), Fault> {
    // Before the rest: a trigger raises the era.
    connection
        .prepare("DELETE FROM follower_tenant WHERE follower = $1")?
        .execute([follower.name.as_str()])?;
    connection
        .prepare(
            "INSERT INTO follower (name, digest, is_whole, era, created_at, rotated_at, machine)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (name) DO UPDATE SET digest = $2, is_whole = $3, era = $4,
                 created_at = $5, rotated_at = $6, machine = $7,
                 handed_seq = CASE WHEN follower.digest = $2 THEN follower.handed_seq END",
        )?
        .execute(params![
            follower.name.as_str(),
            follower.digest.as_bytes(),
            follower.tenants.is_none(),
            follower.era,
            follower.created_at.as_millis(),
            follower.rotated_at.as_millis(),
            follower.machine.as_ref().map(MachineKey::as_bytes),
        ])?;
    let statement =
        connection.prepare("INSERT INTO follower_tenant (follower, tenant) VALUES ($1, $2)")?;
    for tenant in follower.tenants.iter().flatten() {
        statement.execute([follower.name.as_str(), tenant.as_str()])?;
    }
    Ok(())
}

fn read(connection: &Connection, sql: &str, values: impl Params) -> Result<Vec<Follower>, Fault> {
    let statement = connection.prepare(sql)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        let name = columns.parsed(FollowerName::parse)?;
        let digest = SecretDigest::from_bytes(columns.hash()?);
        let is_whole = columns.flag()?;
        found.push(Follower {
            digest,
            era: columns.number()?,
            created_at: columns.instant()?,
            rotated_at: columns.instant()?,
            progress: {
                let position = columns.maybe_number()?;
                let last_seen = columns.maybe_instant()?;
                let (schema, waiting) = (columns.maybe_small()?, columns.maybe_small()?);
                last_seen.map(|at| FollowerProgress {
                    position,
                    at,
                    schema,
                    waiting,
                })
            },
            lag: {
                let lag = columns.maybe_number()?;
                lag.map(|lag| u64::try_from(lag).unwrap_or(0))
            },
            refused: columns.small()?,
            machine: columns.maybe_hash()?.map(MachineKey::from_bytes),
            tenants: if is_whole {
                None
            } else {
                Some(tenants(connection, &name)?)
            },
            name,
        });
    }
    Ok(found)
}

fn tenants(connection: &Connection, name: &FollowerName) -> Result<Vec<TenantId>, Fault> {
    let statement = connection
        .prepare("SELECT tenant FROM follower_tenant WHERE follower = $1 ORDER BY tenant")?;
    let mut rows = statement.query([name.as_str()])?;
    let mut tenants = Vec::new();
    while let Some(row) = rows.next()? {
        tenants.push(RowReader::of(row).parsed(TenantId::parse)?);
    }
    Ok(tenants)
}

macro_rules! follower_columns {
    () => {
        "SELECT name, digest, is_whole, era, created_at, rotated_at, position, last_seen,
             schema, waiting, (SELECT max(seq) FROM object_change) - position, refused,
             machine
         FROM follower"
    };
}
use follower_columns;

const BY_NAME: &str = concat!(follower_columns!(), " WHERE name = $1");
const BY_DIGEST: &str = concat!(follower_columns!(), " WHERE digest = $1");
