//! What a centre tells its followers.

use std::collections::BTreeMap;

use countersign_core::follower::{Follower, FollowerName};
use countersign_core::secret::SecretDigest;
use countersign_core::store::{
    ExportScope, ObjectName, ReplicaChanges, ReplicaObject, ReplicaPlace, SinceThen, SnapshotPage,
    StoreError,
};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::followed::FOLLOWED;
use super::kind::{KeyPart, ObjectKind};
use super::object::{
    SourceTable, conditions, has_entry, json_list, last_entry, nameless, part_of, size,
};
use crate::busy_timeout::ADMIN_WAIT;
use crate::error::Fault;
use crate::followers;
use crate::row_reader::RowReader;
use crate::schema::{self, MIGRATIONS};
use crate::store::SqliteStore;
use crate::tables::export::read;

mod kicks;
mod lockouts;

impl SqliteStore {
    /// A part of what the follower with this secret may know: the objects after `after`.
    /// None where no follower has this secret.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn snapshot_page(
        &self,
        digest: &SecretDigest,
        after: Option<&ObjectName>,
    ) -> Result<Option<(Follower, SnapshotPage)>, StoreError> {
        self.look(ACTION, ADMIN_WAIT, |connection| {
            let Some(follower) = followers::by_digest(connection, digest)? else {
                return Ok(None);
            };
            let page = Source::of(connection, &follower)?.page(after)?;
            Ok(Some((follower, page)))
        })
    }

    /// What changed since a place in the log, as far as the follower with this secret may
    /// know. None where no follower has this secret.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn changes_for_follower(
        &self,
        digest: &SecretDigest,
        after: ReplicaPlace,
    ) -> Result<Option<(Follower, SinceThen)>, StoreError> {
        self.look(ACTION, ADMIN_WAIT, |connection| {
            let Some(follower) = followers::by_digest(connection, digest)? else {
                return Ok(None);
            };
            let told = if after.era == follower.era {
                Source::of(connection, &follower)?.since(after)?
            } else {
                SinceThen::Behind
            };
            Ok(Some((follower, told)))
        })
    }

    /// The number of the last change that followers are told of.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn last_object_change(&self) -> Result<i64, StoreError> {
        self.look_once(ACTION, |connection| Ok(last_entry(connection)?.0))
    }
}

/// The store, as one follower may see it.
struct Source<'a> {
    connection: &'a Connection,
    follower: &'a FollowerName,
    era: i64,
    /// The tenants that the follower is told of, as JSON; none is all.
    tenants: Option<String>,
    tables: Vec<SourceTable>,
}

impl<'a> Source<'a> {
    fn of(connection: &'a Connection, follower: &'a Follower) -> Result<Self, Fault> {
        let tenants = follower.tenants.as_deref();
        let scope = ExportScope {
            tenant: tenants.and_then(|tenants| tenants.first()).cloned(),
            with_sealed: false,
        };
        let mut tables = Vec::new();
        for followed in FOLLOWED {
            tables.push(SourceTable::of(
                connection,
                followed,
                &scope,
                tenants.is_some(),
            )?);
        }
        Ok(Self {
            connection,
            follower: &follower.name,
            era: follower.era,
            tenants: tenants.map(json_list),
            tables,
        })
    }

    /// The objects after `after`, in the order of kinds and keys.
    fn page(&self, after: Option<&ObjectName>) -> Result<SnapshotPage, Fault> {
        let (seq, stamp) = last_entry(self.connection)?;
        let mut page = SnapshotPage {
            schema: schema::newest(MIGRATIONS),
            place: self.place(seq, stamp),
            objects: Vec::new(),
            next: None,
        };
        let first = after.and_then(|it| ObjectKind::parse(&it.kind));
        let kinds = ObjectKind::ALL.into_iter();
        let mut bytes = 0_usize;
        for kind in kinds.filter(|kind| first.is_none_or(|first| *kind >= first)) {
            let after = after.filter(|_| first == Some(kind));
            let room = MOST_OBJECTS.saturating_sub(page.objects.len());
            let keys = self.keys(kind, after, room)?;
            let is_full = keys.len() >= room;
            for object in keys {
                let object = self.object(kind, object)?;
                bytes = bytes.saturating_add(size(&object));
                page.objects.push(object);
                if bytes > PAGE_BYTES {
                    page.next = page.objects.last().map(|it| it.object.clone());
                    return Ok(page);
                }
            }
            if is_full {
                page.next = page.objects.last().map(|it| it.object.clone());
                return Ok(page);
            }
        }
        Ok(page)
    }

    /// What changed since a place.
    fn since(&self, after: ReplicaPlace) -> Result<SinceThen, Fault> {
        if !has_entry(self.connection, after.seq, after.stamp)? {
            return Ok(SinceThen::Behind);
        }
        let (seq, stamp) = last_entry(self.connection)?;
        let mut changes = ReplicaChanges {
            schema: schema::newest(MIGRATIONS),
            place: self.place(seq, stamp),
            objects: Vec::new(),
            kicks: Vec::new(),
        };
        let Some((mut changed, requests)) = self.changed(after.seq)? else {
            return Ok(SinceThen::Behind);
        };
        for id in requests {
            changes.kicks.extend(self.kick(id)?);
        }
        if self.tenants.is_some() {
            self.add_lockouts(&mut changed)?;
        }
        let mut bytes = 0_usize;
        for ((kind, object), tenant) in changed {
            if !self.may_hear_of(tenant.as_deref()) {
                continue;
            }
            let object = if self.sees(kind, &object)? {
                self.object(kind, object)?
            } else if tenant.is_some() || self.may_name(kind, &object)? {
                ReplicaObject {
                    object,
                    rows: Vec::new(),
                }
            } else {
                continue;
            };
            bytes = bytes.saturating_add(size(&object));
            if bytes > CHANGES_BYTES {
                return Ok(SinceThen::Behind);
            }
            changes.objects.push(object);
        }
        Ok(SinceThen::Changes(changes))
    }

    /// The objects that changed after an entry, in the order of kinds and keys, and whose
    /// each is, as far as the log knows, and the requests to kick that were made since; none
    /// where they are too many.
    fn changed(&self, after: i64) -> Result<Option<(Changed, Vec<i64>)>, Fault> {
        let mut statement = self.connection.prepare_cached(
            "SELECT kind, number, tenant, name FROM object_change
             WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        )?;
        let mut rows = statement.query([after, MOST_ENTRIES.saturating_add(1)])?;
        let (mut changed, mut requests) = (BTreeMap::new(), Vec::new());
        let mut entries: i64 = 0;
        while let Some(row) = rows.next()? {
            entries = entries.saturating_add(1);
            if entries > MOST_ENTRIES {
                return Ok(None);
            }
            let columns = &mut RowReader::of(row);
            let (kind, number) = (columns.text()?.to_owned(), columns.maybe_number()?);
            let Some(kind) = ObjectKind::parse(&kind) else {
                requests.extend(number.filter(|_| kind == KICK));
                continue;
            };
            let tenant = columns.maybe_text()?.map(str::to_owned);
            let name = columns.maybe_text()?.map(str::to_owned);
            let (_, key) = kind.key();
            let is_named_in_tenant = key.iter().any(|(_, part)| *part == KeyPart::Tenant);
            let object = ObjectName {
                kind: kind.as_str().into(),
                number,
                tenant: tenant.clone().filter(|_| is_named_in_tenant),
                name,
            };
            if kind == ObjectKind::Credential && tenant.is_none() && self.tenants.is_some() {
                // With a grant, tokens that a user signed begin to be seen or end to be.
                for token in self.tokens_of(number)? {
                    changed.entry((ObjectKind::Token, token)).or_default();
                }
            }
            let whose: &mut Option<String> = changed.entry((kind, object)).or_default();
            *whose = whose.take().or(tenant);
        }
        Ok(Some((changed, requests)))
    }

    /// The tokens that a user signed in the follower's tenants.
    fn tokens_of(&self, user: Option<i64>) -> Result<Vec<ObjectName>, Fault> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM token
             WHERE issuer = ?2 AND tenant IN (SELECT value FROM json_each(?1))",
        )?;
        let mut rows = statement.query(rusqlite::params![self.tenants, user])?;
        let mut tokens = Vec::new();
        while let Some(row) = rows.next()? {
            tokens.push(ObjectName {
                kind: ObjectKind::Token.as_str().into(),
                number: None,
                tenant: None,
                name: Some(RowReader::of(row).text()?.to_owned()),
            });
        }
        Ok(tokens)
    }

    /// Whether a change of what belongs to `tenant` is the follower's business; where that
    /// is not known, it is asked of the object.
    fn may_hear_of(&self, tenant: Option<&str>) -> bool {
        match (&self.tenants, tenant) {
            // Ids of tenants have no quotes.
            (Some(tenants), Some(tenant)) => tenants.contains(&format!("\"{tenant}\"")),
            (None, _) | (_, None) => true,
        }
    }

    /// Whether the follower may know an object.
    fn sees(&self, kind: ObjectKind, object: &ObjectName) -> Result<bool, Fault> {
        let (table, key) = kind.key();
        let seen = self.tenants.as_ref().and_then(|_| kind.seen());
        let sql = format!(
            "SELECT 1 FROM {table} WHERE {key} AND {seen}",
            key = conditions(key),
            seen = seen.unwrap_or("true"),
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.exists(params_from_iter(self.bound(key, object)))?)
    }

    /// An object with its rows.
    fn object(&self, kind: ObjectKind, object: ObjectName) -> Result<ReplicaObject, Fault> {
        let mut rows = Vec::new();
        for (table, followed) in self.tables.iter().zip(FOLLOWED) {
            if table.kind != kind {
                continue;
            }
            let values = self.bound(followed.object, &object);
            let mut statement = self.connection.prepare_cached(&table.select)?;
            let mut found = statement.query(params_from_iter(values))?;
            while let Some(row) = found.next()? {
                rows.push(read(&table.shape, row)?);
            }
        }
        Ok(ReplicaObject { object, rows })
    }

    /// The keys of the objects of a kind after one of them, as far as there is room.
    fn keys(
        &self,
        kind: ObjectKind,
        after: Option<&ObjectName>,
        room: usize,
    ) -> Result<Vec<ObjectName>, Fault> {
        let (table, key) = kind.key();
        let columns: Vec<_> = key.iter().map(|(column, _)| *column).collect();
        let columns = columns.join(", ");
        let seen = match (&self.tenants, kind) {
            (None, _) => "true",
            (Some(_), ObjectKind::Credential) => LISTED_CREDENTIALS,
            (Some(_), _) => kind.seen().unwrap_or("true"),
        };
        let mut values = self.bound(key, &after.cloned().unwrap_or_else(|| nameless(kind)));
        let marks: Vec<_> = key
            .iter()
            .zip(2..)
            .map(|(_, place)| format!("?{place}"))
            .collect();
        let behind = match after {
            Some(_) => format!("({columns}) > ({})", marks.join(", ")),
            None => "true".into(),
        };
        let distinct = if kind == ObjectKind::Scheme {
            "DISTINCT "
        } else {
            ""
        };
        let sql = format!(
            "SELECT {distinct}{columns} FROM {table} WHERE {seen} AND {behind}
             ORDER BY {columns} LIMIT ?{}",
            key.len().saturating_add(2)
        );
        values.push(i64::try_from(room).unwrap_or(i64::MAX).into());
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let columns = &mut RowReader::of(row);
            let mut object = nameless(kind);
            for (_, part) in key {
                match part {
                    KeyPart::Number => object.number = Some(columns.number()?),
                    KeyPart::Tenant => object.tenant = Some(columns.text()?.to_owned()),
                    KeyPart::Name => object.name = Some(columns.text()?.to_owned()),
                }
            }
            found.push(object);
        }
        Ok(found)
    }

    /// The follower's tenants, and the parts of a key.
    fn bound(&self, key: &[(&str, KeyPart)], object: &ObjectName) -> Vec<Value> {
        let tenants = Value::from(self.tenants.clone());
        let parts = key.iter().map(|(_, part)| part_of(*part, object));
        core::iter::once(tenants).chain(parts).collect()
    }

    fn place(&self, seq: i64, stamp: i64) -> ReplicaPlace {
        ReplicaPlace {
            era: self.era,
            seq,
            stamp,
        }
    }
}

/// Objects that changed, and whose each is, as far as the log knows.
type Changed = BTreeMap<(ObjectKind, ObjectName), Option<String>>;

/// As the condition on one credential, but found by its tenants.
const LISTED_CREDENTIALS: &str = "id IN (
    SELECT id FROM credential WHERE tenant IN (SELECT value FROM json_each(?1))
    UNION SELECT credential FROM person_grant
        WHERE tenant IN (SELECT value FROM json_each(?1)))";
/// What the log calls a request to kick.
const KICK: &str = "kick";
const ACTION: &str = "read what a follower asks for";
/// So many objects a page has at most,
const MOST_OBJECTS: usize = 2_000;
/// and so many bytes, and what its last object has.
const PAGE_BYTES: usize = 2 * 1_024 * 1_024;
/// Behind so many changes a snapshot is less.
const MOST_ENTRIES: i64 = 20_000;
const CHANGES_BYTES: usize = 16 * 1_024 * 1_024;
