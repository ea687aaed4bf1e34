//! A store in a file moves into a database by an export.

#![cfg(test)]

use countersign_core::store::{
    AdminStore as _, AdminTransaction as _, ExportHeader, ExportPart, ExportScope, Intent,
    Settings, StoreError, TableRow,
};
use countersign_sqlite::{SqliteStore, StagedTables, exported_tables};
use countersign_store::AnyStore;
use countersign_testkit::postgres::Postgres;

#[test]
fn each_row_of_an_export_is_in_the_database_and_no_number_is_given_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let store = SqliteStore::create(&path, &Settings::default()).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch(include_str!("../../store-sqlite/src/tables/sample.sql"))
        .unwrap();
    let (header, rows) = export(&store);
    for table in exported_tables() {
        assert!(
            header.rows.contains_key(table),
            "the sample has no `{table}`"
        );
    }
    let mut staged = StagedTables::begin(header.clone()).unwrap();
    for row in &rows {
        staged.add(row).unwrap();
    }
    staged.complete().unwrap();

    let server = Postgres::start().unwrap();
    let database = server.database().unwrap();
    let url = server.url(&database);
    let mut store = AnyStore::create_in_database(&url, None, &Settings::default()).unwrap();
    let mut transaction = store.begin(Intent::Write).unwrap();
    assert_eq!(transaction.filled_table().unwrap(), None);
    let mut told = 0;
    transaction.fill(&staged, || told += 1).unwrap();
    assert!(transaction.filled_table().unwrap().is_some());
    transaction.commit(&[], &[]).unwrap();
    assert_eq!(told, rows.len());

    for (table, rows) in &header.rows {
        let found = server.sql(
            &database,
            &format!("SELECT count(*) FROM countersign.{table}"),
        );
        assert_eq!(found.unwrap(), rows.to_string(), "{table}");
    }
    let seed = "SELECT encode(seed, 'hex') FROM countersign.person";
    assert_eq!(server.sql(&database, seed).unwrap(), "0102");
    // A credential with the number 99 was there once.
    let next = "SELECT nextval(pg_get_serial_sequence('countersign.credential', 'id'))";
    assert_eq!(server.sql(&database, next).unwrap(), "100");
}

/// All of a store, as an export has it.
fn export(store: &SqliteStore) -> (ExportHeader, Vec<TableRow>) {
    let scope = ExportScope {
        tenant: None,
        with_sealed: true,
    };
    let (mut header, mut rows) = (None, Vec::new());
    let exported = store.export(&scope, |part| {
        match part {
            ExportPart::Header(told) => header = Some(told),
            ExportPart::Row(row) => rows.push(row),
        }
        Ok::<_, StoreError>(())
    });
    exported.unwrap();
    (header.unwrap(), rows)
}
