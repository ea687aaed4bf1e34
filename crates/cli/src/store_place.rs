//! Where the store is: in a file, or in a PostgreSQL database.

use core::fmt;
use std::path::{Path, PathBuf};

use countersign_core::store::{Settings, StoreError};
use countersign_sqlite::SqliteStore;
use countersign_store::AnyStore;

use crate::error::CliError;
use crate::store_files::key_of;

/// Where the store is.
#[derive(Clone, Debug)]
pub(crate) enum StorePlace {
    /// In this file.
    File(PathBuf),
    /// In a database.
    Database(Database),
}

/// A database, and the key file of what is sealed in it, which lies on each machine.
#[derive(Clone)]
pub(crate) struct Database {
    url: String,
    key: Option<PathBuf>,
}

/// It may hold a password, for which it is refused.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl StorePlace {
    /// What `--store` says.
    pub(crate) fn named(store: PathBuf) -> Self {
        match store.to_str().filter(|text| is_address(text)) {
            Some(url) => Self::Database(Database {
                url: url.to_owned(),
                key: None,
            }),
            None => Self::File(store),
        }
    }

    /// What `--store` and `--key-file` say.
    pub(crate) fn of(store: PathBuf, key: Option<PathBuf>) -> Result<Self, CliError> {
        let mut place = Self::named(store);
        match &mut place {
            Self::Database(database) => database.key = key,
            Self::File(_) if key.is_none() => {}
            Self::File(_) => {
                return Err(CliError::usage(
                    "--key-file is for a store in a database; that of a file lies beside it",
                ));
            }
        }
        Ok(place)
    }

    /// The file, for what there is of files alone.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Database(_) => None,
        }
    }

    /// The file, which `what` needs.
    pub(crate) fn require_file(&self, what: &str) -> Result<&Path, CliError> {
        self.file().ok_or_else(|| {
            CliError::refused(format!(
                "{what} needs a store in a file, and --store names a database"
            ))
        })
    }

    /// The key file, where one is known.
    pub(crate) fn key(&self) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(key_of(path)),
            Self::Database(database) => database.key.clone(),
        }
    }

    /// The file that could be swapped, if there is one, by a user whom root has to be then.
    pub(crate) fn guarded(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Database(database) => database.key.as_deref(),
        }
    }

    /// Opens the store.
    pub(crate) fn open(&self) -> Result<AnyStore, StoreError> {
        match self {
            Self::File(path) => SqliteStore::open(path).map(AnyStore::File),
            Self::Database(database) => database.open(),
        }
    }

    /// Opens the store to read it.
    pub(crate) fn open_to_read(&self) -> Result<AnyStore, StoreError> {
        match self {
            Self::File(path) => SqliteStore::open_to_read(path).map(AnyStore::File),
            Self::Database(database) => database.open(),
        }
    }

    /// Opens the store to read it, and does not bring it up to date.
    pub(crate) fn open_as_it_is(&self) -> Result<AnyStore, StoreError> {
        match self {
            Self::File(path) => SqliteStore::open_as_it_is(path).map(AnyStore::File),
            Self::Database(database) => {
                AnyStore::open_database_as_it_is(&database.url, database.key())
            }
        }
    }
}

impl Database {
    /// The key file.
    pub(crate) fn key(&self) -> Option<&Path> {
        self.key.as_deref()
    }

    fn open(&self) -> Result<AnyStore, StoreError> {
        AnyStore::open_database(&self.url, self.key.as_deref())
    }

    /// Makes the store's tables in it.
    pub(crate) fn create(&self, settings: &Settings) -> Result<AnyStore, StoreError> {
        AnyStore::create_in_database(&self.url, self.key.as_deref(), settings)
    }
}

/// Whether a text is meant as the address of a database, be it a wrong one.
fn is_address(text: &str) -> bool {
    text.starts_with("postgres:") || text.starts_with("postgresql:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_as_an_address_is_never_taken_for_a_file_nor_shown() {
        for text in ["postgres://a:opensesame@b/c", "postgresql:a", "postgres:/x"] {
            let place = StorePlace::of(text.into(), None).unwrap();
            assert!(place.file().is_none(), "{text}");
            assert!(!format!("{place:?}").contains("opensesame"));
        }
        for text in ["postgres.db", "/x/postgres://y", "./postgres:x"] {
            let place = StorePlace::of(text.into(), None).unwrap();
            assert_eq!(place.file(), Some(Path::new(text)));
        }
        assert!(StorePlace::of("x.db".into(), Some("key".into())).is_err());
    }
}
