//! A store in a directory of its own.

use countersign_core::store::Settings;
use countersign_sqlite::SqliteStore;
use tempfile::TempDir;

/// An empty store, and the directory that goes when it is dropped.
pub fn fresh() -> (SqliteStore, TempDir) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("countersign.db");
    (SqliteStore::create(path, &Settings::default()).unwrap(), directory)
}
