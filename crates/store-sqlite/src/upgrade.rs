//! Brings a store of an older schema up to date, unless a broker of an older
//! version still uses it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use countersign_core::store::{Intent, StoreError, StoreErrorKind};
use rusqlite::{Connection, OpenFlags};

use crate::backup;
use crate::broker_lock;
use crate::connect::connect;
use crate::error::{Fault, of_io};
use crate::file::{beside, remove_with_companions};
use crate::schema::{self, FileHeader};
use crate::transaction_guard::TransactionGuard;
use crate::upgraded::Upgrade;

/// Brings an older schema up to date, after a copy was made. Says so, unless
/// another process was faster.
///
/// A broker takes its lock before it writes to the store for the first time,
/// and goes on only if the schema is its own after that. The locks are looked
/// at in a transaction that writes, so that a broker that starts meanwhile is
/// either seen here, or sees what was done.
pub(crate) fn upgrade(
    connection: &Connection,
    path: &Path,
    migrations: &[&str],
) -> Result<Option<Upgrade>, StoreError> {
    let explain = |fault: Fault| fault.while_trying(ACTION, path);
    let newest = schema::newest(migrations);
    let mut locks = BrokerLocks::default();
    let scope = TransactionGuard::begin(connection, Intent::Write)
        .map_err(|error| explain(error.into()))?;
    // Another process may have been faster; the lock is ours from here on.
    let version = match schema::header(connection).map_err(explain)? {
        FileHeader::Ours(version) if version < newest => version,
        FileHeader::Ours(_) | FileHeader::Empty | FileHeader::Foreign => return Ok(None),
    };
    let held = locks.take_all(path)?;
    if !held.is_empty() {
        drop(scope);
        return Err(held_back(connection, path, version, newest, &held));
    }
    let source = connect(path, OpenFlags::empty()).map_err(explain)?;
    let copy = free_name(path, version);
    backup::copy(&source, &copy, ACTION)?;
    let migrated = schema::migrate(connection, version, migrations)
        .map_err(explain)
        // To copy a large store takes long enough for a broker of a new name.
        .and_then(|()| locks.take_all(path))
        .and_then(|held| {
            if held.is_empty() {
                Ok(())
            } else {
                Err(held_back(connection, path, version, newest, &held))
            }
        });
    if let Err(error) = migrated {
        remove_with_companions(&copy);
        return Err(error);
    }
    scope.commit().map_err(|error| explain(error.into()))?;
    Ok(Some(Upgrade {
        from: version,
        to: newest,
        copy,
        store: path.into(),
    }))
}

/// The locks of all brokers' names that were ever used on a store. As long as
/// they are held, none of these brokers starts.
#[derive(Default)]
struct BrokerLocks {
    taken: BTreeMap<PathBuf, File>,
}

impl BrokerLocks {
    /// Takes those that are not taken yet; gives the files of those that can't
    /// be had. What can't be told is taken for held by a live broker.
    fn take_all(&mut self, path: &Path) -> Result<Vec<PathBuf>, StoreError> {
        let files = broker_lock::lock_files(path).map_err(|error| of_io(error, ACTION, path))?;
        let mut held = Vec::new();
        for file in files {
            if self.taken.contains_key(&file) {
                continue;
            }
            match broker_lock::take(&file) {
                Some(lock) => {
                    self.taken.insert(file, lock);
                }
                None => held.push(file),
            }
        }
        Ok(held)
    }
}

/// The error while brokers of an older version use the store.
fn held_back(
    connection: &Connection,
    path: &Path,
    version: u32,
    newest: u32,
    held: &[PathBuf],
) -> StoreError {
    // Without names, the files of the locks have to do.
    let names = names(connection, path).unwrap_or_default();
    let mut shown: Vec<_> = held
        .iter()
        .take(SHOWN)
        .map(|file| match names.get(file) {
            Some(name) => format!("broker `{name}`"),
            None if broker_lock::is_of_service(path, file) => SERVICE.to_owned(),
            None => format!("the broker that holds `{}`", file.display()),
        })
        .collect();
    if held.len() > SHOWN {
        shown.push(format!("{} more", held.len().saturating_sub(SHOWN)));
    }
    let who = shown.join(" and ");
    let way_out = if who == SERVICE {
        format!("stop {who} first")
    } else if held.len() == 1 {
        format!(
            "restart {who} with this version's plugin first; it brings the store up to date when \
             it starts"
        )
    } else {
        format!(
            "stop {who}, then start them with this version's plugin; the first one brings the \
             store up to date when it starts"
        )
    };
    StoreError::new(ACTION, StoreErrorKind::Older).with_detail(format!(
        "`{}` has schema {version}, and this version needs {newest}; {way_out}",
        path.display()
    ))
}

/// The names of brokers that have or had sessions, by the files of their locks.
fn names(connection: &Connection, path: &Path) -> rusqlite::Result<BTreeMap<PathBuf, String>> {
    let mut statement = connection
        .prepare("SELECT broker FROM presence UNION SELECT broker FROM stored_session")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    names
        .map(|name| {
            let name = name?;
            let file = broker_lock::lock_file(path, &name);
            let shown = name.chars().filter(|character| !character.is_control());
            Ok((file, shown.take(LONGEST_NAME).collect()))
        })
        .collect()
}

/// A name for a copy of the store that nothing has yet.
fn free_name(path: &Path, version: u32) -> PathBuf {
    let first = beside(path, &format!(".v{version}.bak"));
    let more = (1..1_000_u32).map(|number| beside(&first, &format!(".{number}")));
    core::iter::once(first.clone())
        .chain(more)
        .find(|name| name.symlink_metadata().is_err())
        .unwrap_or(first)
}

const ACTION: &str = "bring the store up to date";
/// As many brokers are named in an error.
const SHOWN: usize = 3;
const LONGEST_NAME: usize = 64;
const SERVICE: &str = "`countersign serve`";

#[cfg(test)]
mod tests {
    use countersign_core::store::{GateStore as _, Settings};
    use tempfile::TempDir;

    use super::*;
    use crate::store::SqliteStore;

    #[test]
    fn a_broker_that_starts_during_an_upgrade_is_kept_out_or_seen() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("x.db");
        let store = SqliteStore::create(&path, &Settings::default()).unwrap();
        drop(store.lock_broker("known").unwrap());
        let mut locks = BrokerLocks::default();
        assert!(locks.take_all(&path).unwrap().is_empty());
        // One that was there before does not get its name.
        let error = store.lock_broker("known").unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Conflict);
        // A service is called what it is.
        let service = store.hold_for_service().unwrap();
        let another = store.hold_for_service().unwrap();
        let held = locks.take_all(&path).unwrap();
        let told = held_back(&store.connection, &path, 1, 2, &held[..1]).to_string();
        assert!(told.contains("stop `countersign serve` first"), "{told}");
        drop((service, another));
        // One of a new name is seen when the locks are looked at again.
        let claim = store.lock_broker("new").unwrap();
        let held = locks.take_all(&path).unwrap();
        assert_eq!(held, [broker_lock::lock_file(&path, "new")]);
        drop((claim, locks));
        store.lock_broker("known").unwrap();
    }
}
