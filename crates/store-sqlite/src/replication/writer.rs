//! Rows of a replica, as they are compared and written.

use countersign_core::store::{Cell, ObjectName, ReplicaObject};
use countersign_sql::{FOLLOWED, FollowedTable, ObjectKind, TableShape, quote, quoted};
use rusqlite::types::{ToSqlOutput, Value};
use rusqlite::{Connection, ToSql, params_from_iter};

use super::difference::{Removed, by_key};
use super::misfit;
use super::news::News;
use super::object::{RowKey, conditions, part_of, value_of};
use super::snapshot::{shapes, values_of};
use super::taking::{FIRST_OWN, Taking};
use crate::cell::Bound;
use crate::error::Fault;

/// What is to be done so that a replica is what its centre is: for each table the keys of
/// rows that go, and rows that come or change.
#[derive(Default)]
pub(super) struct Work<'a> {
    pub(super) removed: Removed,
    pub(super) put: Vec<(usize, Vec<&'a Cell>)>,
}

/// The tables of a replica, in the transaction that changes them.
pub(super) struct Replica<'a> {
    connection: &'a Connection,
    tables: Vec<ReplicaTable>,
}

struct ReplicaTable {
    shape: TableShape,
    followed: &'static FollowedTable,
    remove: String,
    free: Option<String>,
    displace: Option<String>,
    put: String,
}

impl<'a> Replica<'a> {
    pub(super) fn of(connection: &'a Connection) -> Result<Self, Fault> {
        // What an object refers to may come behind it.
        connection.execute_batch("PRAGMA defer_foreign_keys = ON")?;
        let tables = shapes(connection)?.into_iter().zip(FOLLOWED);
        let tables = tables.map(|(shape, followed)| ReplicaTable::of(shape, followed));
        Ok(Self {
            connection,
            tables: tables.collect(),
        })
    }

    /// Compares an object with what is here of it.
    pub(super) fn compare<'t>(
        &self,
        told: &'t ReplicaObject,
        work: &mut Work<'t>,
        news: &mut News,
    ) -> Result<(), Fault> {
        let name = &told.object;
        let kind = ObjectKind::parse(&name.kind).ok_or_else(|| misfit("a kind"))?;
        let mut is_new = false;
        let mut rows_left = told.rows.len();
        for (place, table) in self.tables.iter().enumerate() {
            if table.followed.kind != kind {
                continue;
            }
            let shape = &table.shape;
            let mut here = self.rows_of(table, name)?;
            for row in told.rows.iter().filter(|row| row.table == shape.name) {
                rows_left = rows_left.saturating_sub(1);
                let cells = values_of(shape, row)?;
                check_owner(table, &cells, name)?;
                let values: Vec<Value> = cells.iter().map(|cell| value_of(cell)).collect();
                let key = key_in(shape, &values)?;
                let same = here.iter().position(|(it, _)| *it == key);
                let before = same.map(|place| here.swap_remove(place));
                if before.is_none_or(|(_, before)| before != values) {
                    is_new = true;
                    work.put.push((place, cells));
                }
            }
            is_new |= !here.is_empty();
            work.removed
                .extend(here.into_iter().map(|(key, _)| (place, key)));
        }
        if rows_left > 0 {
            return Err(misfit("a table"));
        }
        if kind == ObjectKind::Credential && told.rows.is_empty() {
            self.remove_lockout(name, work)?;
        }
        if is_new {
            news.add(self.connection, kind, told)?;
        }
        Ok(())
    }

    /// Removes what is counted against a user of whom nothing more is told. If the centre
    /// keeps it, it tells so.
    fn remove_lockout(&self, user: &ObjectName, work: &mut Work<'_>) -> Result<(), Fault> {
        let mut statement = self.connection.prepare_cached(
            "SELECT lockout.name FROM credential JOIN lockout ON lockout.name = credential.name
             WHERE credential.id = ?1",
        )?;
        let mut rows = statement.query([user.number])?;
        let mut tables = self.tables.iter();
        let place = tables.position(|it| it.followed.kind == ObjectKind::Lockout);
        if let (Some(row), Some(place)) = (rows.next()?, place) {
            work.removed.push((place, RowKey(vec![row.get(0)?])));
        }
        Ok(())
    }

    /// The rows that are here of an object, with their keys.
    fn rows_of(
        &self,
        table: &ReplicaTable,
        name: &ObjectName,
    ) -> Result<Vec<(RowKey, Vec<Value>)>, Fault> {
        let object = table.followed.object;
        let sql = format!(
            "SELECT {columns} FROM {table} WHERE {of}",
            columns = quoted(table.shape.columns.iter().map(|it| &it.name)),
            table = quote(&table.shape.name),
            of = conditions(object),
        );
        let mut values = vec![Value::Null];
        values.extend(object.iter().map(|(_, part)| part_of(*part, name)));
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let mut values = Vec::with_capacity(table.shape.columns.len());
            for place in 0..table.shape.columns.len() {
                values.push(row.get(place)?);
            }
            found.push((key_in(&table.shape, &values)?, values));
        }
        Ok(found)
    }

    /// Removes rows, tables that refer to others first, and has `rows` tell of those that
    /// come into each table.
    pub(super) fn carry_out(
        &self,
        removed: &Removed,
        rows: impl Fn(
            usize,
            &mut dyn FnMut(&[ToSqlOutput<'_>]) -> Result<(), Fault>,
        ) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        for (place, table) in self.tables.iter().enumerate().rev() {
            let mut remove = self.connection.prepare_cached(&table.remove)?;
            for (_, RowKey(key)) in removed.iter().filter(|(of, _)| *of == place) {
                remove.execute(params_from_iter(key))?;
            }
        }
        for (place, table) in self.tables.iter().enumerate() {
            if let Some(free) = &table.free {
                let mut free = self.connection.prepare_cached(free)?;
                rows(place, &mut |values| {
                    free.execute(params_from_iter(table.key_of(values)?))?;
                    Ok(())
                })?;
            }
            let displace = table.displace.as_ref();
            let displace = displace.map(|sql| self.connection.prepare_cached(sql));
            let mut displace = displace.transpose()?;
            let mut put = self.connection.prepare_cached(&table.put)?;
            rows(place, &mut |values| {
                if let Some(displace) = &mut displace {
                    displace.execute(params_from_iter(values))?;
                }
                put.execute(params_from_iter(values))?;
                Ok(())
            })?;
        }
        Ok(())
    }

    pub(super) fn put_all(&self, put: &[(usize, Vec<&Cell>)]) -> Result<(), Fault> {
        self.carry_out(&Vec::new(), |place, each| {
            for (_, cells) in put.iter().filter(|(of, _)| *of == place) {
                let bound: Vec<_> = cells.iter().map(|cell| Bound(cell)).collect();
                let values: Result<Vec<_>, _> = bound.iter().map(ToSql::to_sql).collect();
                each(&values?)?;
            }
            Ok(())
        })
    }
}

impl ReplicaTable {
    fn of(shape: TableShape, followed: &'static FollowedTable) -> Self {
        let name = quote(&shape.name);
        let taking = Taking::of(followed.name);
        let columns: Vec<_> = shape.columns.iter().map(|it| it.name.as_str()).collect();
        let incoming: Vec<_> = columns
            .iter()
            .zip(1..)
            .map(|(column, place)| format!("?{place} AS {}", quote(column)))
            .collect();
        let key = quoted(shape.key.iter());
        let set: Vec<_> = columns
            .iter()
            .filter(|column| !shape.key.iter().any(|key| key == *column))
            .map(|column| {
                let mut kept = taking.kept.iter();
                let kept = kept.find(|(it, _)| it == column).map(|(_, kept)| *kept);
                let plain = format!("excluded.{}", quote(column));
                format!("{} = {}", quote(column), kept.unwrap_or(&plain))
            })
            .collect();
        let on_conflict = if set.is_empty() {
            "NOTHING".into()
        } else {
            format!("UPDATE SET {}", set.join(", "))
        };
        let put = format!(
            "INSERT INTO {name} ({all}) SELECT * FROM (SELECT {incoming}) AS incoming
             WHERE {taken} ON CONFLICT ({key}) DO {on_conflict}",
            all = quoted(shape.columns.iter().map(|it| &it.name)),
            incoming = incoming.join(", "),
            taken = taking.taken,
        );
        let freed: Vec<_> = taking
            .freed
            .iter()
            .map(|column| format!("{} = NULL", quote(column)))
            .collect();
        let free = (!freed.is_empty()).then(|| {
            format!(
                "UPDATE {name} SET {} WHERE {}",
                freed.join(", "),
                by_key(&shape)
            )
        });
        Self {
            remove: format!(
                "DELETE FROM {name} WHERE {} AND NOT {}",
                by_key(&shape),
                taking.stays,
            ),
            displace: taking.displaced.map(|displaced| {
                format!(
                    "DELETE FROM {name} WHERE id >= {FIRST_OWN} AND EXISTS (
                         SELECT 1 FROM (SELECT {incoming}) AS incoming WHERE {displaced})",
                    incoming = incoming.join(", "),
                )
            }),
            free,
            put,
            shape,
            followed,
        }
    }

    fn key_of<'v>(&self, values: &'v [ToSqlOutput<'v>]) -> Result<Vec<&'v ToSqlOutput<'v>>, Fault> {
        let places = self.shape.key.iter().map(|key| {
            let place = self.shape.columns.iter().position(|it| it.name == *key);
            place
                .and_then(|place| values.get(place))
                .ok_or_else(|| misfit("a key"))
        });
        places.collect()
    }
}

/// Fails unless a row is a part of the object that it is told with.
fn check_owner(table: &ReplicaTable, cells: &[&Cell], name: &ObjectName) -> Result<(), Fault> {
    for (column, part) in table.followed.object {
        let place = table.shape.columns.iter().position(|it| it.name == *column);
        let cell = place.and_then(|place| cells.get(place));
        if cell.map(|cell| value_of(cell)) != Some(part_of(*part, name)) {
            return Err(misfit("the object of a row"));
        }
    }
    Ok(())
}

fn key_in(shape: &TableShape, values: &[Value]) -> Result<RowKey, Fault> {
    let places = shape.key.iter().map(|key| {
        let place = shape.columns.iter().position(|it| it.name == *key);
        let value = place.and_then(|place| values.get(place));
        value.cloned().ok_or_else(|| misfit("a key"))
    });
    places.collect::<Result<_, _>>().map(RowKey)
}
