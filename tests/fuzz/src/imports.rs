//! Files of users and rules of other systems.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use countersign_import::export_file::ExportReader;
use countersign_import::source::Dialect;
use countersign_import::source::acl_file::AclFile;
use countersign_import::source::csv::Table;
use countersign_import::source::dynamic_security::DynamicSecurity;
use countersign_import::source::go_auth::{Database, Queries};
use countersign_import::source::passwords::PasswordFile;
use countersign_import::{Place, SourceContent, SourceError, SourceName};
use countersign_sqlite::StagedTables;
use rusqlite::Connection;

const DIALECTS: [Dialect; 2] = [Dialect::GoAuth, Dialect::Mosquitto];

fn content(data: &[u8]) -> SourceContent {
    SourceContent::new(SourceName::of(Path::new("f")), data.to_vec())
}

/// An error has its place, and is one line that does not grow with the file.
fn check<T>(read: Result<T, SourceError>) -> Option<T> {
    match read {
        Ok(read) => Some(read),
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with('f') && text.lines().count() == 1, "{text}");
            assert!(error.reason().len() < 300, "{text}");
            None
        }
    }
}

/// Places of which no two are the same, as many as there are items.
fn check_places<'a>(places: impl Iterator<Item = &'a Place>, items: usize) {
    let places: Vec<String> = places.map(Place::to_string).collect();
    assert_eq!(places.len(), items);
    assert_eq!(places.iter().collect::<HashSet<_>>().len(), items);
}

/// Users and hashes.
pub fn passwords(data: &[u8]) {
    for dialect in DIALECTS {
        let Some(file) = check(PasswordFile::parse(&content(data), dialect)) else {
            continue;
        };
        let names: HashSet<&str> = file.users.iter().map(|user| &*user.name).collect();
        assert_eq!(names.len(), file.users.len());
        let users = file.users.iter().map(|user| &user.place);
        let passed_over = file.passed_over.iter().map(|it| &it.place);
        check_places(users.chain(passed_over), file.items());
    }
}

/// Rules.
pub fn acl_file(data: &[u8]) {
    for dialect in DIALECTS {
        if let Some(file) = check(AclFile::parse(&content(data), dialect)) {
            check_places(file.lines.iter().map(|line| &line.place), file.items());
        }
    }
}

/// The JSON of dynamic-security.
pub fn dynamic_security(data: &[u8]) {
    let Some(read) = check(DynamicSecurity::parse(&content(data))) else {
        return;
    };
    let mut places: Vec<&Place> = Vec::new();
    places.extend(read.default_access.iter().map(|it| &it.place));
    for client in &read.clients {
        assert!(!client.username.is_empty());
        places.push(&client.place);
        places.extend(client.roles.iter().map(|it| &it.place));
    }
    for group in &read.groups {
        places.push(&group.place);
        places.extend(group.roles.iter().chain(&group.clients).map(|it| &it.place));
    }
    for role in &read.roles {
        places.push(&role.place);
        places.extend(role.acls.iter().map(|it| &it.place));
    }
    places.extend(read.anonymous_group.iter().map(|it| &it.place));
    places.extend(read.passed_over.iter().map(|it| &it.place));
    check_places(places.into_iter(), read.items());
}

/// A table of credentials.
pub fn csv(data: &[u8]) {
    if let Some(table) = check(Table::parse(&content(data))) {
        assert!(table.rows.iter().all(|row| !row.name.is_empty()));
        check_places(table.rows.iter().map(|row| &row.place), table.items());
    }
}

/// A database, where the first byte is 0; else four queries, one a line.
pub fn go_auth(data: &[u8]) {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap().keep();
        let connection = Connection::open(folder.join("f.db")).unwrap();
        let tables = "
            CREATE TABLE test_user (id, username, password_hash, is_admin);
            CREATE TABLE test_acl (test_user_id, topic, rw);
            INSERT INTO test_user VALUES (1, 'alice', 'x', 1), (2, 'bob', NULL, 0);
            INSERT INTO test_acl VALUES (1, 'a/%u', 1), (2, 'b', 3);";
        connection.execute_batch(tables).unwrap();
        folder
    });
    let mut queries = Queries {
        time_limit: Duration::from_millis(20),
        ..Queries::default()
    };
    let mut file = folder.join("f.db");
    match data {
        [0, bytes @ ..] => {
            file = folder.join("given.db");
            std::fs::write(&file, bytes).unwrap();
        }
        _ => {
            let Ok(text) = std::str::from_utf8(data) else {
                return;
            };
            let mut lines = text.lines().map(str::to_owned);
            queries.users = lines.next().unwrap_or(queries.users);
            queries.user = lines.next().unwrap_or(queries.user);
            queries.superuser = lines.next();
            queries.acl = lines.next();
        }
    }
    if let Ok(read) = Database::read(&file, &queries) {
        let users = read.users.iter();
        let places = users.flat_map(|user| {
            let topics = user.topics.iter().map(|topic| &topic.place);
            [&user.place].into_iter().chain(topics)
        });
        check_places(places, read.items() - read.passed_over.len());
    }
    if data.first() != Some(&0) {
        let connection = Connection::open(&file).unwrap();
        let users = connection.query_row("SELECT count(*) FROM test_user", [], |row| row.get(0));
        assert_eq!(users, Ok(2), "a query wrote");
    }
}

/// The lines of an export of ours.
pub fn export(data: &[u8]) {
    let name = SourceName::of(Path::new("f"));
    let Some((header, mut reader)) = check(ExportReader::begin(data, name)) else {
        return;
    };
    let staged = StagedTables::begin(header);
    let mut staged = staged.ok();
    while let Some(Some(row)) = check(reader.next_row()) {
        let line = serde_json::to_vec(&row).unwrap();
        let written = [FIRST, &b"\n"[..], &line[..]].concat();
        let name = SourceName::of(Path::new("f"));
        let (_, mut again) = ExportReader::begin(&written[..], name).unwrap();
        assert!(again.next_row().unwrap() == Some(row.clone()));
        if let Some(tables) = &mut staged {
            // What a store can't hold is refused, and nothing else happens.
            let _ = tables.add(&row);
        }
    }
    if let Some(mut tables) = staged {
        let _ = tables.complete();
    }
}

/// The header of an export of nothing.
const FIRST: &[u8] = br#"{"format":1,"schema":7,"tenant":null,"with_sealed":false,"key":null,"sequences":{},"rows":{}}"#;
