//! Which tables there are, and that exports know each of them.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::name::TenantId;
use countersign_core::store::{
    AdminStore as _, Cell, ExportHeader, ExportPart, ExportScope, Intent, Settings, StoreError,
    TableRow,
};
use countersign_sql::{EXPORTED, LEFT_OUT, Withheld};
use tempfile::TempDir;

use super::staged::is_numbered;
use super::*;
use crate::store::SqliteStore;

fn fresh() -> (SqliteStore, TempDir) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("x.db");
    (
        SqliteStore::create(path, &Settings::default()).unwrap(),
        directory,
    )
}

fn names(connection: &Connection) -> BTreeSet<String> {
    let mut statement = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        .unwrap();
    let names = statement.query_map([], |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

#[test]
fn each_table_is_exported_or_left_out_and_docs_store_md_says_which() {
    let (store, _directory) = fresh();
    let exported = EXPORTED.iter().map(|table| (table.name.to_owned(), true));
    let left_out = LEFT_OUT.iter().map(|name| ((*name).to_owned(), false));
    let known: BTreeMap<String, bool> = exported.chain(left_out).collect();
    let is_known: BTreeSet<String> = known.keys().cloned().collect();
    assert_eq!(
        names(&store.connection),
        is_known,
        "name a new table in `EXPORTED` or `LEFT_OUT`"
    );
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/store.md");
    let page = std::fs::read_to_string(path).unwrap();
    let documented: BTreeMap<String, bool> = page
        .lines()
        .filter_map(|line| {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let [_, name, _, _, _, exported, _] = cells.as_slice() else {
                return None;
            };
            let name = name.strip_prefix('`')?.strip_suffix('`')?;
            Some((name.to_owned(), *exported == "yes"))
        })
        .collect();
    assert_eq!(documented, known, "a row of docs/store.md");
}

#[test]
fn each_exported_table_stands_after_those_that_it_refers_to() {
    let (store, _directory) = fresh();
    let mut before = BTreeSet::new();
    for table in EXPORTED {
        before.insert(table.name.to_owned());
        let mut statement = store
            .connection
            .prepare("SELECT \"table\" FROM pragma_foreign_key_list(?1)")
            .unwrap();
        let targets = statement
            .query_map([table.name], |row| row.get::<_, String>(0))
            .unwrap();
        for target in targets.map(Result::unwrap) {
            assert!(
                before.contains(&target),
                "{} refers to {target}",
                table.name
            );
        }
    }
}

#[test]
fn what_is_said_of_a_table_holds_of_the_schema() {
    let (store, _directory) = fresh();
    for table in EXPORTED {
        let shape = shape_of(&store.connection, table.name).unwrap().unwrap();
        assert!(!shape.key.is_empty(), "{}", table.name);
        let numbers = is_numbered(&store.connection, table.name).unwrap();
        assert_eq!(numbers, table.is_numbered, "{}", table.name);
        if let Withheld::Sealed(column) = table.withheld {
            let column = shape.columns.iter().find(|it| it.name == column).unwrap();
            assert_eq!(column.holds, ColumnType::Bytes);
        }
    }
}

/// All that an export has.
fn export(store: &SqliteStore, scope: &ExportScope) -> (ExportHeader, Vec<TableRow>) {
    let (mut header, mut rows) = (None, Vec::new());
    store
        .export::<StoreError>(scope, |part| {
            match part {
                ExportPart::Header(it) => header = Some(it),
                ExportPart::Row(row) => rows.push(row),
            }
            Ok(())
        })
        .unwrap();
    (header.unwrap(), rows)
}

fn staged(header: ExportHeader, rows: &[TableRow]) -> Result<StagedTables, StagingError> {
    let mut staged = StagedTables::begin(header)?;
    for row in rows {
        staged.add(row)?;
    }
    staged.complete()?;
    Ok(staged)
}

/// A store with a row in each table, as far as the schema says what may stand
/// there.
fn sample() -> (SqliteStore, TempDir) {
    let (store, directory) = fresh();
    store
        .connection
        .execute_batch(include_str!("sample.sql"))
        .unwrap();
    (store, directory)
}

#[test]
fn the_sample_has_a_row_in_each_table() {
    let (store, _directory) = sample();
    let scope = ExportScope {
        with_sealed: true,
        ..ExportScope::default()
    };
    let (header, _) = export(&store, &scope);
    let empty: Vec<_> = header.rows.iter().filter(|(_, rows)| **rows == 0).collect();
    assert!(empty.is_empty(), "{empty:?}");
    let of_acme = ExportScope {
        tenant: Some(TenantId::parse("acme").unwrap()),
        ..scope
    };
    let (header, _) = export(&store, &of_acme);
    let empty: Vec<_> = header.rows.iter().filter(|(_, rows)| **rows == 0).collect();
    assert!(empty.is_empty(), "{empty:?}");
    assert_eq!(header.rows.get("credential"), Some(&5));
}

#[test]
fn what_is_exported_and_imported_is_exported_again() {
    let (store, _directory) = sample();
    for with_sealed in [false, true] {
        for tenant in [None, Some(TenantId::parse("acme").unwrap())] {
            let scope = ExportScope {
                tenant,
                with_sealed,
            };
            let (header, rows) = export(&store, &scope);
            let staged = staged(header.clone(), &rows).unwrap();
            let (mut other, _other_directory) = fresh();
            let mut transaction = other.begin(Intent::Write).unwrap();
            assert_eq!(transaction.filled_table().unwrap(), None);
            transaction.fill(&staged, || {}).unwrap();
            assert_eq!(transaction.filled_table().unwrap(), Some("tenant"));
            countersign_core::store::AdminTransaction::commit(transaction, &[], &[]).unwrap();
            let (again, rows_again) = export(&other, &scope);
            assert_eq!(again, header);
            assert!(rows_again == rows);
        }
    }
}

#[test]
fn an_export_of_one_tenant_makes_nobody_an_administrator_of_another_store() {
    let (store, _directory) = sample();
    for (tenant, is_admin) in [(None, 1), (Some(TenantId::parse("acme").unwrap()), 0)] {
        let scope = ExportScope {
            tenant,
            with_sealed: false,
        };
        let (_, rows) = export(&store, &scope);
        let person = rows.iter().find(|row| row.table == "person").unwrap();
        let mut cells = person.cells.iter();
        let cell = cells.find(|(name, _)| name == "platform_admin");
        let is_right = matches!(cell, Some((_, Cell::Integer(found))) if *found == is_admin);
        assert!(is_right);
    }
}

#[test]
fn without_the_sealed_a_second_factor_stays_and_opens_under_no_key() {
    let (store, _directory) = sample();
    let (header, rows) = export(&store, &ExportScope::default());
    assert_eq!(header.key, None);
    assert!(!rows.iter().any(|row| row.table == "recovery_code"));
    let of = |row: &TableRow, column: &str| {
        let cell = row.cells.iter().find(|(name, _)| name == column);
        cell.map(|(_, cell)| cell.clone()).unwrap()
    };
    let person = rows.iter().find(|row| row.table == "person").unwrap();
    assert!(of(person, "seed") == Cell::Bytes(Vec::new()));
    assert!(of(person, "is_confirmed") == Cell::Integer(1));
    let key = rows.iter().find(|row| row.table == "token_key").unwrap();
    assert!(of(key, "private") == Cell::Bytes(Vec::new()));
    let mut staged = StagedTables::begin(header).unwrap();
    for row in &rows {
        staged.add(row).unwrap();
    }
    let summary = staged.complete().unwrap();
    assert_eq!(summary.without_seed, ["jane@example.com"]);
    assert_eq!(summary.without_private.len(), 1);
    assert_eq!((summary.tenants, summary.operators), (2, 1));
}

#[test]
fn an_export_that_was_cut_or_changed_is_refused() {
    let (store, _directory) = sample();
    let (header, rows) = export(&store, &ExportScope::default());
    let refused = |header: &ExportHeader, rows: &[TableRow]| {
        staged(header.clone(), rows).unwrap_err().to_string()
    };
    let (_, cut) = rows.split_last().unwrap();
    let why = refused(&header, cut);
    assert!(why.contains("was cut off or changed"), "{why}");
    let change = |table: &str, column: &str, cell: Cell| {
        let mut rows = rows.clone();
        let row = rows.iter_mut().find(|row| row.table == table).unwrap();
        let place = row.cells.iter_mut().find(|(name, _)| name == column);
        place.unwrap().1 = cell;
        refused(&header, &rows)
    };
    let text = |text: &str| Cell::Text(text.into());
    for (table, column, cell, expected) in [
        ("tenant", "authentication", text("maybe"), "makes no sense"),
        ("role_rule", "pattern", text("a/#/b"), "makes no sense"),
        ("group_role", "path", text("DM..X"), "makes no sense"),
        ("tenant_role", "holder", text("defualt"), "makes no sense"),
        ("credential_group", "path", text("DM..X"), "makes no sense"),
        ("credential", "state", text("Gone"), "makes no sense"),
        ("credential", "tenant", text("nobody"), "FOREIGN KEY"),
        ("credential", "id", Cell::Null, "another type"),
        ("credential", "id", text("1"), "`id` is of another type"),
        (
            "stored_session",
            "client_id",
            Cell::Bytes(vec![1]),
            "makes no sense",
        ),
        ("secret", "digest", Cell::Null, "a store can't hold it"),
    ] {
        let why = change(table, column, cell);
        assert!(
            why.contains(expected) || expected == "another type",
            "{table}.{column}: {why}"
        );
    }
    for (table, last, expected) in [
        ("credential", i64::MAX, "`credential` are used up"),
        ("tenant", 1, "numbers no rows"),
        ("sqlite_schema", 1, "numbers no rows"),
    ] {
        let mut other = header.clone();
        other.sequences.insert(table.into(), last);
        let why = refused(&other, &rows);
        assert!(why.contains(expected), "{table}: {why}");
    }
    let mut newer = header.clone();
    newer.schema = 9_999;
    assert!(refused(&newer, &rows).contains("install the version that made it"));
    let mut foreign = header.clone();
    foreign.rows.insert("sqlite_schema".into(), 0);
    assert!(refused(&foreign, &rows).contains("not known"));
    let mut left_out = header;
    left_out.rows.insert("audit".into(), 0);
    assert!(refused(&left_out, &rows).contains("not known"));
}

/// Columns that may hold anything of their type, by table: what people wrote, instants,
/// positions and numbers of rows, what is compared and never parsed, what is sealed, and
/// keys of others, which are refused where they are used.
const FREE: &[(&str, &str)] = &[
    (
        "api_token",
        "created_at created_by description digest expires_at id last_used_at parent",
    ),
    ("attribute", "key value"),
    ("auto_registration", "second"),
    ("ban", "created_at created_by id reason shown until"),
    ("certificate", "added_at not_after not_before until"),
    (
        "certificate_authority",
        "added_at id key key_digest not_after not_before subject",
    ),
    ("control_note", "name note"),
    (
        "credential",
        "created_at description expires_at generation last_used_at not_before revoked_reason updated_at",
    ),
    ("credential_group", "position"),
    ("credential_import", "parts secret source"),
    ("credential_rule", "position"),
    ("device_registration", "id second"),
    ("hook", "created_at kick_login rotated_at"),
    ("issuer", "added_at keys keys_at"),
    ("issuer_revocation", "revoked_at"),
    ("issuer_source", "fetched_at problem set_at tried_at"),
    ("lockout", "known locked_until updated_at"),
    ("namespace", "position"),
    ("person", "last_step seed"),
    ("pruned_session", "client_id credential"),
    ("role", "created_at description"),
    ("role_import", "parts source"),
    ("role_rule", "position"),
    ("scheme_field", "position"),
    ("secret", "ends_at hint id"),
    (
        "stored_session",
        "broker first_used_at last_used_at username",
    ),
    ("tenant", "created_at"),
    ("token", "expires_at issued_at revoked_at"),
    ("token_key", "created_at ends_at private"),
    ("token_thing", "position"),
];

#[test]
fn what_a_reader_of_the_store_could_not_read_is_refused() {
    let (store, _directory) = sample();
    let (header, rows) = export(&store, &ExportScope::default());
    let mut taken = BTreeSet::new();
    for table in EXPORTED {
        let shape = shape_of(&store.connection, table.name).unwrap().unwrap();
        for column in shape.columns {
            let damaged = match column.holds {
                ColumnType::Bytes => Cell::Bytes(vec![1]),
                ColumnType::Integer => Cell::Integer(-7),
                ColumnType::Text => Cell::Text("\u{1}999.1.1.1/3 #/".into()),
            };
            let mut rows = rows.clone();
            let row = rows.iter_mut().find(|row| row.table == table.name);
            let Some(row) = row else { continue };
            let cell = row.cells.iter_mut().find(|(name, _)| *name == column.name);
            cell.unwrap().1 = damaged;
            if staged(header.clone(), &rows).is_ok() {
                taken.insert(format!("{}.{}", table.name, column.name));
            }
        }
    }
    let free = FREE.iter().flat_map(|(table, columns)| {
        let columns = columns.split(' ');
        columns.map(move |column| format!("{table}.{column}"))
    });
    assert_eq!(taken, free.collect());
}
