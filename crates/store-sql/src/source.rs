//! What a centre tells its followers.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::follower::Follower;
use countersign_core::store::{
    Cell, ObjectName, ReplicaChanges, ReplicaObject, ReplicaPlace, SinceThen, SnapshotPage,
    TableRow,
};

use self::objects::{Objects, list_of, nameless, size};
use crate::columns::Columns;
use crate::followed::{FOLLOWED, ROWS_OF_SCHEMA};
use crate::kind::{KeyPart, ObjectKind};
use crate::log::last_object_change;
use crate::reader::SqlReader;
use crate::shape::TableShape;

mod kicks;
mod lockouts;
mod objects;

/// A part of what a follower may know: the objects after `after`. `shapes` are those of
/// [`FOLLOWED`](crate::FOLLOWED), in its order.
///
/// # Errors
///
/// Returns the store's fault when it can't be read.
pub fn snapshot_page<R: SqlReader>(
    reader: &R,
    shapes: &[TableShape],
    follower: &Follower,
    after: Option<&ObjectName>,
) -> Result<SnapshotPage, R::Fault> {
    Source::of(reader, shapes, follower)?.page(after)
}

/// What changed since a place in the log, as far as a follower may know.
///
/// # Errors
///
/// Returns the store's fault when it can't be read.
pub fn changes_since<R: SqlReader>(
    reader: &R,
    shapes: &[TableShape],
    follower: &Follower,
    after: ReplicaPlace,
) -> Result<SinceThen, R::Fault> {
    if after.era != follower.era {
        return Ok(SinceThen::Behind);
    }
    Source::of(reader, shapes, follower)?.since(after)
}

/// The store, as one follower may see it.
struct Source<'a, R> {
    reader: &'a R,
    follower: &'a Follower,
    /// The tenants that the follower is told of, as JSON; none is all.
    tenants: Option<String>,
    objects: Objects<'a>,
}

impl<'a, R: SqlReader> Source<'a, R> {
    fn of(
        reader: &'a R,
        shapes: &'a [TableShape],
        follower: &'a Follower,
    ) -> Result<Self, R::Fault> {
        // A table that is left out would be told as if it had no rows, and a deny with it.
        let told = shapes.iter().map(|it| it.name.as_str());
        if !told.eq(FOLLOWED.iter().map(|it| it.name)) {
            return Err(R::nonsense("the tables that followers have".into()));
        }
        let tenants = follower.tenants.as_ref().map(|tenants| {
            let ids = tenants.iter().map(|it| it.as_str().into());
            serde_json::Value::Array(ids.collect()).to_string()
        });
        Ok(Self {
            reader,
            follower,
            objects: Objects::of::<R>(shapes, tenants.is_some()),
            tenants,
        })
    }

    /// Asks with the follower's tenants bound behind `values` where the query has them.
    fn ask(&self, sql: &str, mut values: Vec<Cell>) -> Result<Vec<Vec<Cell>>, R::Fault> {
        if !sql.contains(TENANTS) {
            return self.reader.rows(sql, &values);
        }
        values.push(Cell::Text(self.tenants.clone().unwrap_or_default()));
        let list = R::list(values.len(), &[KeyPart::Name]);
        self.reader.rows(&sql.replace(TENANTS, &list), &values)
    }

    /// The objects after `after`, in the order of kinds and keys.
    fn page(&self, after: Option<&ObjectName>) -> Result<SnapshotPage, R::Fault> {
        let (seq, stamp) = last_object_change(self.reader)?;
        let mut page = SnapshotPage {
            schema: ROWS_OF_SCHEMA,
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
            for keys in keys.chunks(AT_ONCE) {
                let mut rows = self.rows_of(kind, keys)?;
                for key in keys {
                    let object = ReplicaObject {
                        rows: rows.remove(key).unwrap_or_default(),
                        object: key.clone(),
                    };
                    bytes = bytes.saturating_add(size(&object));
                    page.objects.push(object);
                    if bytes > PAGE_BYTES {
                        page.next = Some(key.clone());
                        return Ok(page);
                    }
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
    fn since(&self, after: ReplicaPlace) -> Result<SinceThen, R::Fault> {
        let known = self.reader.rows(
            "SELECT 1 FROM object_change WHERE seq = ?1 AND stamp = ?2",
            &[Cell::Integer(after.seq), Cell::Integer(after.stamp)],
        )?;
        if known.is_empty() {
            return Ok(SinceThen::Behind);
        }
        let (seq, stamp) = last_object_change(self.reader)?;
        let mut changes = ReplicaChanges {
            schema: ROWS_OF_SCHEMA,
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
        changed.retain(|_, tenant| self.may_hear_of(tenant.as_deref()));
        let mut bytes = 0_usize;
        for kind in ObjectKind::ALL {
            let of_kind: Vec<_> = changed.keys().filter(|(it, _)| *it == kind).collect();
            for keys in of_kind.chunks(AT_ONCE) {
                let names: Vec<_> = keys.iter().map(|(_, name)| name.clone()).collect();
                let seen = self.seen_of(kind, &names)?;
                let known: Vec<_> = seen.iter().cloned().collect();
                let mut rows = self.rows_of(kind, &known)?;
                for (key, object) in keys.iter().zip(names) {
                    let is_whose = changed.get(*key).is_some_and(Option::is_some);
                    if !seen.contains(&object) && !is_whose && !self.may_name(kind, &object)? {
                        continue;
                    }
                    let rows = rows.remove(&object).unwrap_or_default();
                    let object = ReplicaObject { object, rows };
                    bytes = bytes.saturating_add(size(&object));
                    if bytes > CHANGES_BYTES {
                        return Ok(SinceThen::Behind);
                    }
                    changes.objects.push(object);
                }
            }
        }
        Ok(SinceThen::Changes(changes))
    }

    /// The objects that changed after an entry, in the order of kinds and keys, and whose
    /// each is, as far as the log knows, and the requests to kick that were made since; none
    /// where they are too many.
    fn changed(&self, after: i64) -> Result<Option<(Changed, Vec<i64>)>, R::Fault> {
        let most = MOST_ENTRIES.saturating_add(1);
        let rows = self.reader.rows(
            "SELECT kind, number, tenant, name FROM object_change
             WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            &[
                Cell::Integer(after),
                Cell::Integer(i64::try_from(most).unwrap_or(i64::MAX)),
            ],
        )?;
        if rows.len() >= most {
            return Ok(None);
        }
        let (mut changed, mut requests) = (Changed::new(), Vec::new());
        let mut users = Vec::new();
        for mut row in rows.into_iter().map(Columns::of) {
            let (kind, number) = (row.text::<R>()?, row.maybe_number::<R>()?);
            let Some(kind) = ObjectKind::parse(&kind) else {
                requests.extend(number.filter(|_| kind == KICK));
                continue;
            };
            let (tenant, name) = (row.maybe_text::<R>()?, row.maybe_text::<R>()?);
            let (_, key) = kind.key();
            let is_named_in_tenant = key.iter().any(|(_, part)| *part == KeyPart::Tenant);
            let object = ObjectName {
                number,
                tenant: tenant.clone().filter(|_| is_named_in_tenant),
                name,
                ..nameless(kind)
            };
            if kind == ObjectKind::Credential && tenant.is_none() && self.tenants.is_some() {
                users.push(object.clone());
            }
            let whose: &mut Option<String> = changed.entry((kind, object)).or_default();
            *whose = whose.take().or(tenant);
        }
        // With a grant, tokens that a user signed begin to be seen or end to be.
        for token in self.tokens_of(&users)? {
            changed.entry((ObjectKind::Token, token)).or_default();
        }
        Ok(Some((changed, requests)))
    }

    /// The tokens that users signed in the follower's tenants.
    fn tokens_of(&self, users: &[ObjectName]) -> Result<Vec<ObjectName>, R::Fault> {
        let parts = [KeyPart::Number];
        let sql = format!(
            "SELECT id FROM token WHERE issuer IN {} AND tenant IN {TENANTS}",
            R::list(1, &parts)
        );
        let mut tokens = Vec::new();
        for users in users.chunks(AT_ONCE) {
            for row in self.ask(&sql, vec![list_of(&parts, users)])? {
                tokens.push(ObjectName {
                    name: Some(Columns::of(row).text::<R>()?),
                    ..nameless(ObjectKind::Token)
                });
            }
        }
        Ok(tokens)
    }

    /// Whether a change of what belongs to `tenant` is the follower's business; where that
    /// is not known, it is asked of the object.
    fn may_hear_of(&self, tenant: Option<&str>) -> bool {
        let Some((tenants, tenant)) = self.follower.tenants.as_ref().zip(tenant) else {
            return true;
        };
        tenants.iter().any(|it| it.as_str() == tenant)
    }

    /// Those of some objects that are there and that the follower may know.
    fn seen_of(
        &self,
        kind: ObjectKind,
        names: &[ObjectName],
    ) -> Result<BTreeSet<ObjectName>, R::Fault> {
        let (table, key) = kind.key();
        let parts: Vec<_> = key.iter().map(|(_, part)| *part).collect();
        let columns = columns(key);
        let sql = format!(
            "SELECT {columns} FROM {table} WHERE ({columns}) IN {list} AND {seen}",
            list = R::list(1, &parts),
            seen = self.condition(kind.seen()),
        );
        let rows = self.ask(&sql, vec![list_of(&parts, names)])?;
        rows.into_iter()
            .map(|row| name_of::<R>(kind, &mut Columns::of(row)))
            .collect()
    }

    /// The keys of the objects of a kind after one of them, as far as there is room.
    fn keys(
        &self,
        kind: ObjectKind,
        after: Option<&ObjectName>,
        room: usize,
    ) -> Result<Vec<ObjectName>, R::Fault> {
        let (table, key) = kind.key();
        let columns = columns(key);
        let seen = if kind == ObjectKind::Credential {
            Some(LISTED_CREDENTIALS)
        } else {
            kind.seen()
        };
        let mut values: Vec<Cell> = Vec::new();
        let behind = match after {
            Some(after) => {
                values.extend(key.iter().map(|(_, part)| part.of(after)));
                let marks: Vec<_> = (1..=key.len()).map(|place| format!("?{place}")).collect();
                format!("({columns}) > ({})", marks.join(", "))
            }
            None => "true".into(),
        };
        let distinct = if kind == ObjectKind::Scheme {
            "DISTINCT "
        } else {
            ""
        };
        values.push(Cell::Integer(i64::try_from(room).unwrap_or(i64::MAX)));
        let sql = format!(
            "SELECT {distinct}{columns} FROM {table} WHERE {behind} AND {seen}
             ORDER BY {columns} LIMIT ?{most}",
            seen = self.condition(seen),
            most = values.len(),
        );
        let rows = self.ask(&sql, values)?;
        rows.into_iter()
            .map(|row| name_of::<R>(kind, &mut Columns::of(row)))
            .collect()
    }

    /// All rows of some objects, as far as the follower may know them.
    fn rows_of(
        &self,
        kind: ObjectKind,
        names: &[ObjectName],
    ) -> Result<BTreeMap<ObjectName, Vec<TableRow>>, R::Fault> {
        let mut found: BTreeMap<ObjectName, Vec<TableRow>> = BTreeMap::new();
        for table in self.objects.tables(kind) {
            let list = list_of(&table.parts, names);
            for row in self.ask(&table.select, vec![list])? {
                let row = table.shape.row::<R>(row)?;
                let name = table.name_of(&row);
                found.entry(name).or_default().push(row);
            }
        }
        Ok(found)
    }

    /// What holds of the objects that a follower may know.
    fn condition(&self, seen: Option<&'static str>) -> &'static str {
        seen.filter(|_| self.tenants.is_some()).unwrap_or("true")
    }

    fn place(&self, seq: i64, stamp: i64) -> ReplicaPlace {
        ReplicaPlace {
            era: self.follower.era,
            seq,
            stamp,
        }
    }
}

/// The columns of a key.
fn columns(key: &[(&str, KeyPart)]) -> String {
    let columns: Vec<_> = key.iter().map(|(column, _)| *column).collect();
    columns.join(", ")
}

/// The name of an object of whose key these are the columns.
fn name_of<R: SqlReader>(kind: ObjectKind, row: &mut Columns) -> Result<ObjectName, R::Fault> {
    let mut object = nameless(kind);
    let (_, key) = kind.key();
    for (_, part) in key {
        match part {
            KeyPart::Number => object.number = Some(row.number::<R>()?),
            KeyPart::Tenant => object.tenant = Some(row.text::<R>()?),
            KeyPart::Name => object.name = Some(row.text::<R>()?),
        }
    }
    Ok(object)
}

/// Objects that changed, and whose each is, as far as the log knows.
type Changed = BTreeMap<(ObjectKind, ObjectName), Option<String>>;

/// In queries, the rows of the list of the follower's tenants.
const TENANTS: &str = "{tenants}";
/// As the condition on one credential, but found by its tenants.
const LISTED_CREDENTIALS: &str = "id IN (
    SELECT id FROM credential WHERE tenant IN {tenants}
    UNION SELECT credential FROM person_grant WHERE tenant IN {tenants})";
/// What the log calls a request to kick.
const KICK: &str = "kick";
/// So many objects are read at once.
const AT_ONCE: usize = 256;
/// So many objects a page has at most,
const MOST_OBJECTS: usize = 2_000;
/// and so many bytes, and what its last object has.
const PAGE_BYTES: usize = 2 * 1_024 * 1_024;
/// Behind so many changes a snapshot is less.
const MOST_ENTRIES: usize = 20_000;
const CHANGES_BYTES: usize = 16 * 1_024 * 1_024;

#[cfg(test)]
mod tests {
    use countersign_core::follower::FollowerName;
    use countersign_core::secret::{Secret, SecretDigest};
    use countersign_core::time::Timestamp;

    use super::*;

    /// A store in which nothing is.
    struct Empty;

    impl SqlReader for Empty {
        type Fault = String;

        const NO_BYTES: &'static str = "x''";

        fn list(place: usize, _parts: &[KeyPart]) -> String {
            format!("(?{place})")
        }

        fn rows(&self, _sql: &str, _values: &[Cell]) -> Result<Vec<Vec<Cell>>, String> {
            Ok(Vec::new())
        }

        fn nonsense(what: String) -> String {
            what
        }
    }

    #[test]
    fn nothing_is_told_where_the_shape_of_a_table_is_missing() {
        let follower = Follower {
            name: FollowerName::parse("edge").unwrap(),
            tenants: None,
            digest: SecretDigest::of(&Secret::new(b"s".to_vec())),
            era: 1,
            created_at: Timestamp::from_millis(1),
            rotated_at: Timestamp::from_millis(1),
            progress: None,
            lag: None,
            refused: 0,
            machine: None,
        };
        let shapes = FOLLOWED.iter().map(|it| TableShape {
            name: it.name.into(),
            columns: Vec::new(),
            key: Vec::new(),
        });
        let mut shapes: Vec<_> = shapes.collect();
        assert!(snapshot_page(&Empty, &shapes, &follower, None).is_ok());
        shapes.pop();
        assert!(snapshot_page(&Empty, &shapes, &follower, None).is_err());
    }
}
