//! The key file beside a store.

#[cfg(test)]
#[expect(dead_code, reason = "each test file uses some of it")]
mod common;

use std::path::PathBuf;

use countersign_core::store::{AdminStore as _, AdminTransaction as _, GateStore as _, Intent};
use countersign_sqlite::SqliteStore;

use self::common::fresh;

#[test]
fn the_vault_opens_with_the_key_file_beside_the_store() {
    let (mut store, _directory) = fresh();
    std::fs::write(key_file(&store), format!("{}\n", "0a".repeat(32))).unwrap();
    let sealed = store
        .read_key()
        .key
        .unwrap()
        .seal("purpose", b"subject", [7; 24], b"seed")
        .unwrap();
    let mark = store.key_file_mark();
    let kept = key_file(&store).with_extension("kept");
    // A file that goes is missed, and one that comes back is read again.
    std::fs::rename(key_file(&store), &kept).unwrap();
    assert!(store.begin(Intent::Read).unwrap().seal_key().is_none());
    assert_eq!(store.key_file_mark(), 0);
    std::fs::rename(&kept, key_file(&store)).unwrap();
    let transaction = store.begin(Intent::Read).unwrap();
    let opened = transaction
        .seal_key()
        .unwrap()
        .open("purpose", b"subject", &sealed);
    assert_eq!(opened.unwrap().as_slice(), b"seed");
    drop(transaction);
    assert_eq!(store.key_file_mark(), mark);
}

#[test]
fn there_is_no_vault_without_a_good_key_file() {
    let digits = "0a".repeat(32);
    for content in [
        String::new(),
        digits.clone(),
        format!("{digits}\n\n"),
        format!("{}\n", digits.to_uppercase()),
        "0a\n".repeat(100_000),
    ] {
        let (store, _directory) = fresh();
        assert!(store.reopen().unwrap().read_key().key.is_none());
        std::fs::write(key_file(&store), content).unwrap();
        assert!(store.read_key().key.is_none());
    }
}

#[test]
fn a_reading_says_which_file_it_is_of() {
    let (store, _directory) = fresh();
    let is_of = |mark: u64| {
        let reading = store.read_key();
        (reading.mark == mark, reading.key.is_some())
    };
    assert_eq!(is_of(0), (true, false));
    std::fs::write(key_file(&store), "no key\n").unwrap();
    assert_eq!(is_of(store.key_file_mark()), (true, false));
    std::fs::write(key_file(&store), format!("{}\n", "0a".repeat(32))).unwrap();
    assert_eq!(is_of(store.key_file_mark()), (true, true));
    // What can't be opened is the same for as long as it stands there.
    std::fs::remove_file(key_file(&store)).unwrap();
    std::fs::create_dir(key_file(&store)).unwrap();
    assert_eq!(is_of(store.key_file_mark()), (true, false));
}

fn key_file(store: &SqliteStore) -> PathBuf {
    let mut path = store.path().as_os_str().to_owned();
    path.push(".key");
    path.into()
}
