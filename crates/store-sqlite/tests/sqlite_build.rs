//! What SQLite is built without in this repository (`.cargo/config.toml`).
//! Whoever builds the crate elsewhere sets `LIBSQLITE3_FLAGS` alike; what every
//! connection is limited to at run time does not depend on it.

use rusqlite::Connection;

#[test]
fn sqlite_is_built_without_what_a_store_has_no_use_for() {
    let connection = Connection::open_in_memory().unwrap();
    let mut statement = connection.prepare("PRAGMA compile_options").unwrap();
    let options: Vec<String> = statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap();
    for absent in [
        "ENABLE_DBSTAT_VTAB",
        "ENABLE_FTS",
        "ENABLE_LOAD_EXTENSION",
        "ENABLE_RTREE",
        "SOUNDEX",
    ] {
        assert!(
            !options.iter().any(|option| option.starts_with(absent)),
            "{absent}: {options:?}"
        );
    }
    for present in ["DQS=0", "OMIT_LOAD_EXTENSION"] {
        assert!(
            options.iter().any(|option| option == present),
            "{present}: {options:?}"
        );
    }
}
