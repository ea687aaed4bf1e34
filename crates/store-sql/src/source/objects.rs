//! Objects: how they are named, and how their rows are read.

use countersign_core::store::{Cell, ObjectName, ReplicaObject, TableRow};
use serde_json::Value;

use crate::followed::{FOLLOWED, FollowedTable, Mask};
use crate::kind::{KeyPart, ObjectKind};
use crate::reader::SqlReader;
use crate::shape::{TableShape, empty_if_set, quote};

/// How the rows of all objects are read out of their tables.
pub(super) struct Objects<'a>(Vec<SourceTable<'a>>);

/// How the rows of some objects are read out of a table.
pub(super) struct SourceTable<'a> {
    followed: &'static FollowedTable,
    pub(super) shape: &'a TableShape,
    pub(super) parts: Vec<KeyPart>,
    pub(super) select: String,
}

impl<'a> Objects<'a> {
    /// How a follower of some tenants alone reads them (`is_partial`), or one of all.
    pub(super) fn of<R: SqlReader>(shapes: &'a [TableShape], is_partial: bool) -> Self {
        let tables = shapes.iter().zip(FOLLOWED);
        Self(
            tables
                .map(|(shape, followed)| SourceTable::of::<R>(shape, followed, is_partial))
                .collect(),
        )
    }

    /// The tables that have rows of objects of a kind.
    pub(super) fn tables(&self, kind: ObjectKind) -> impl Iterator<Item = &SourceTable<'a>> {
        self.0.iter().filter(move |it| it.followed.kind == kind)
    }
}

impl<'a> SourceTable<'a> {
    fn of<R: SqlReader>(
        shape: &'a TableShape,
        followed: &'static FollowedTable,
        is_partial: bool,
    ) -> Self {
        let seen = followed.seen.filter(|_| is_partial).unwrap_or("true");
        let parts: Vec<_> = followed.object.iter().map(|(_, part)| *part).collect();
        let object: Vec<_> = followed.object.iter().map(|(it, _)| quote(it)).collect();
        let condition = format!(
            "({}) IN {} AND {seen}",
            object.join(", "),
            R::list(1, &parts)
        );
        let shown = |column: &str| {
            let mut masked = followed.masked.iter();
            match masked.find(|(masked, _)| *masked == column) {
                Some((_, Mask::Value(instead))) => (*instead).to_owned(),
                Some((_, Mask::OfStore)) if is_partial => "0".to_owned(),
                Some((_, Mask::Sealed)) => empty_if_set::<R>(&quote(column)),
                Some((_, Mask::OfStore)) | None => quote(column),
            }
        };
        Self {
            followed,
            select: shape.select(shown, &condition),
            shape,
            parts,
        }
    }

    /// The object that a row is a part of.
    pub(super) fn name_of(&self, row: &TableRow) -> ObjectName {
        let mut object = nameless(self.followed.kind);
        for (column, part) in self.followed.object {
            let mut cells = row.cells.iter();
            match (part, cells.find(|(name, _)| name == column)) {
                (KeyPart::Number, Some((_, Cell::Integer(it)))) => object.number = Some(*it),
                (KeyPart::Tenant, Some((_, Cell::Text(it)))) => object.tenant = Some(it.clone()),
                (KeyPart::Name, Some((_, Cell::Text(it)))) => object.name = Some(it.clone()),
                _ => {}
            }
        }
        object
    }
}

impl KeyPart {
    /// This part of an object's name, to be bound.
    pub(super) fn of(self, object: &ObjectName) -> Cell {
        let text = |text: &Option<String>| text.clone().map_or(Cell::Null, Cell::Text);
        match self {
            Self::Number => object.number.map_or(Cell::Null, Cell::Integer),
            Self::Tenant => text(&object.tenant),
            Self::Name => text(&object.name),
        }
    }
}

/// A list of objects, as [`SqlReader::list`] reads it.
pub(super) fn list_of(parts: &[KeyPart], objects: &[ObjectName]) -> Cell {
    let value = |part: &KeyPart, object: &ObjectName| match part {
        KeyPart::Number => object.number.into(),
        KeyPart::Tenant => object.tenant.clone().into(),
        KeyPart::Name => object.name.clone().into(),
    };
    let values = objects.iter().map(|object| match parts {
        [part] => value(part, object),
        parts => parts.iter().map(|part| value(part, object)).collect(),
    });
    Cell::Text(Value::Array(values.collect()).to_string())
}

pub(super) fn nameless(kind: ObjectKind) -> ObjectName {
    ObjectName {
        kind: kind.as_str().into(),
        number: None,
        tenant: None,
        name: None,
    }
}

/// How much room an object takes, roughly.
pub(super) fn size(object: &ReplicaObject) -> usize {
    let of_row = |row: &TableRow| {
        let cells = row.cells.iter().map(|(name, cell)| {
            let value = match cell {
                Cell::Bytes(bytes) => bytes.len().saturating_mul(2),
                Cell::Integer(_) | Cell::Null => 8,
                Cell::Text(text) => text.len(),
            };
            name.len().saturating_add(value)
        });
        cells.fold(64, usize::saturating_add)
    };
    object
        .rows
        .iter()
        .map(of_row)
        .fold(128, usize::saturating_add)
}
