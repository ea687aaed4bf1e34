//! A store moves from a file into a database, and back, by an export.

#![cfg(test)]

use countersign_core::name::TenantId;
use countersign_core::store::{
    AdminStore as _, AdminTransaction as _, ExportHeader, ExportPart, ExportScope, Intent,
    Settings, StoreError, StoreErrorKind, TableRow,
};
use countersign_sql::EXPORTED;
use countersign_sqlite::{SqliteStore, StagedTables};
use countersign_store::AnyStore;
use countersign_testkit::postgres::Postgres;
use tempfile::TempDir;

/// All of an export.
#[derive(Eq, PartialEq)]
struct Export {
    header: ExportHeader,
    rows: Vec<TableRow>,
}

impl Export {
    fn of(store: &mut AnyStore, scope: &ExportScope) -> Self {
        let (mut header, mut rows) = (None, Vec::new());
        let exported = store.export(scope, |part| {
            match part {
                ExportPart::Header(told) => header = Some(told),
                ExportPart::Row(row) => rows.push(row),
            }
            Ok::<_, StoreError>(())
        });
        exported.unwrap();
        Self {
            header: header.unwrap(),
            rows,
        }
    }

    /// Puts it into a store that holds nothing but settings.
    fn fill(&self, store: &mut AnyStore) {
        let mut staged = StagedTables::begin(self.header.clone()).unwrap();
        for row in &self.rows {
            staged.add(row).unwrap();
        }
        staged.complete().unwrap();
        let mut transaction = store.begin(Intent::Write).unwrap();
        assert_eq!(transaction.filled_table().unwrap(), None);
        let mut told = Vec::new();
        transaction.fill(&staged, || told.push(())).unwrap();
        assert!(transaction.filled_table().unwrap().is_some());
        transaction.commit(&[], &[]).unwrap();
        assert_eq!(told.len(), self.rows.len());
    }
}

fn in_file(folder: &TempDir, name: &str) -> AnyStore {
    let path = folder.path().join(name);
    SqliteStore::create(path, &Settings::default())
        .unwrap()
        .into()
}

/// A store in a file, with a row in each table that exports have.
fn sample(folder: &TempDir) -> AnyStore {
    let store = in_file(folder, "sample.db");
    let other = rusqlite::Connection::open(folder.path().join("sample.db")).unwrap();
    other
        .execute_batch(include_str!("../../store-sqlite/src/tables/sample.sql"))
        .unwrap();
    store
}

fn in_database(server: &Postgres) -> (AnyStore, String) {
    let database = server.database().unwrap();
    let url = server.url(&database);
    let store = AnyStore::create_in_database(&url, None, &Settings::default()).unwrap();
    (store, database)
}

/// Of the whole store and of a tenant, with and without what is sealed.
fn scopes() -> Vec<ExportScope> {
    let acme = Some(TenantId::parse("acme").unwrap());
    let scope = |(tenant, with_sealed)| ExportScope {
        tenant,
        with_sealed,
    };
    [
        (None, true),
        (None, false),
        (acme.clone(), true),
        (acme, false),
    ]
    .map(scope)
    .into()
}

#[test]
fn an_export_goes_into_a_database_and_comes_out_of_it_as_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = sample(&folder);
    let server = Postgres::start().unwrap();
    for (number, scope) in scopes().iter().enumerate() {
        let of_file = Export::of(&mut file, scope);
        let (mut one, _) = in_database(&server);
        of_file.fill(&mut one);
        let of_database = Export::of(&mut one, scope);
        assert!(of_database == of_file, "{scope:?}");
        let (mut other, _) = in_database(&server);
        of_database.fill(&mut other);
        assert!(Export::of(&mut other, scope) == of_file, "{scope:?}");
        let mut back = in_file(&folder, &format!("{number}.db"));
        of_database.fill(&mut back);
        assert!(Export::of(&mut back, scope) == of_file, "{scope:?}");
    }
}

#[test]
fn each_row_of_an_export_is_in_the_database_and_no_number_is_given_twice() {
    let folder = tempfile::tempdir().unwrap();
    let whole = scopes().remove(0);
    let export = Export::of(&mut sample(&folder), &whole);
    for table in EXPORTED {
        let rows = export.header.rows.get(table.name);
        assert!(rows > Some(&0), "the sample has no `{}`", table.name);
    }
    let server = Postgres::start().unwrap();
    let (mut store, database) = in_database(&server);
    export.fill(&mut store);
    for (table, rows) in &export.header.rows {
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

#[test]
fn an_export_of_a_database_is_of_one_moment_and_whole_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let whole = scopes().remove(0);
    let export = Export::of(&mut sample(&folder), &whole);
    let server = Postgres::start().unwrap();
    let (mut store, database) = in_database(&server);
    export.fill(&mut store);
    let mut rows = 0;
    let read = store.export(&whole, |part| {
        match part {
            // Others write meanwhile.
            ExportPart::Header(_) => {
                let sql = "DELETE FROM countersign.attribute; DELETE FROM countersign.ban";
                server.sql(&database, sql).unwrap();
            }
            ExportPart::Row(_) => rows += 1,
        }
        Ok::<_, StoreError>(())
    });
    read.unwrap();
    assert_eq!(rows, export.rows.len());
    let mut told = 0;
    let read = store.export(&whole, |_part| {
        told += 1;
        if told == 3 {
            return Err(StoreError::gone("write", "the reader"));
        }
        Ok(())
    });
    assert!(read.unwrap_err().to_string().contains("the reader"));
    assert_eq!(told, 3);
    // One that is cut fails, and is never taken for a short one.
    let read = store.export(&whole, |part| {
        if matches!(part, ExportPart::Header(_)) {
            let cut = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()";
            server.sql(&database, cut).unwrap();
        }
        Ok::<_, StoreError>(())
    });
    assert_eq!(read.unwrap_err().kind(), StoreErrorKind::Unavailable);
    // What was read of ends with the export.
    assert_eq!(Export::of(&mut store, &whole).rows.len(), rows - 2);
}
