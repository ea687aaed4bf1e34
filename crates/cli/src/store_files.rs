//! What lies beside a store.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The key file of a store.
pub(crate) fn key_of(store: &Path) -> PathBuf {
    beside(store, ".key")
}

/// The file that is called like another one and this suffix.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Where the store lies, unless somebody says otherwise.
pub(crate) const DEFAULT_STORE: &str = "/var/lib/countersign/countersign.db";
