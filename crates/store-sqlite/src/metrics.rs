//! What brokers count, in a file of each beside the store.
//!
//! A broker writes its file while it holds its lock. So whoever reads believes the
//! file of a live broker alone; one that was killed leaves its file behind.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use countersign_core::metrics::{BrokerMetrics, MOST_BYTES};
use countersign_core::store::StoreError;

use crate::broker_lock::file_of;
use crate::error::of_io;
use crate::file::{beside, create_private, open_file};
use crate::store::SqliteStore;

impl SqliteStore {
    /// See
    /// [`GateStore::put_metrics`](countersign_core::store::GateStore::put_metrics).
    pub(crate) fn write_metrics(
        &self,
        broker: &str,
        metrics: &BrokerMetrics,
    ) -> Result<(), StoreError> {
        let path = metrics_file(&self.path, broker);
        let content = metrics.to_json(broker);
        replace(&path, &self.path, content.as_bytes())
            .map_err(|error| of_io(error, "write down what the broker counts", &path))
    }

    /// Removes what a broker wrote.
    pub(crate) fn discard_metrics(&self, broker: &str) {
        let path = metrics_file(&self.path, broker);
        for file in [draft_of(&path), path] {
            // Most often there is none; one that stays is of a broker that is gone.
            let _ = fs::remove_file(file);
        }
    }

    /// See
    /// [`AdminTransaction::broker_metrics`](countersign_core::store::AdminTransaction::broker_metrics).
    pub(crate) fn read_metrics(&self, broker: &str) -> Option<BrokerMetrics> {
        if !self.is_alive(broker) {
            return None;
        }
        let file = open_file(&metrics_file(&self.path, broker)).ok()?;
        let content = bounded(file).ok()?;
        BrokerMetrics::parse(&content, broker).ok()
    }
}

/// Reads no more of a file than tells that it is too long.
fn bounded(file: File) -> io::Result<Vec<u8>> {
    let most = u64::try_from(MOST_BYTES).unwrap_or(u64::MAX);
    let mut content = Vec::new();
    file.take(most.saturating_add(1))
        .read_to_end(&mut content)?;
    Ok(content)
}

/// Puts a file in the place of another at once, so that who reads sees either. It
/// may be read by whom the store may be read by.
fn replace(path: &Path, store: &Path, content: &[u8]) -> io::Result<()> {
    let draft = draft_of(path);
    let mut file = match create_private(&draft) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // What stands there is what a broker left that was killed.
            fs::remove_file(&draft)?;
            create_private(&draft)?
        }
        made => made?,
    };
    let written = write(&mut file, store, content).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // The error that brought us here says more than one of this.
        let _ = fs::remove_file(&draft);
    }
    written
}

fn write(file: &mut File, store: &Path, content: &[u8]) -> io::Result<()> {
    file.write_all(content)?;
    let mode = store.metadata()?.permissions().mode() & READ_AND_WRITE;
    if mode != PRIVATE {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    Ok(())
}

fn metrics_file(store: &Path, broker: &str) -> PathBuf {
    file_of(store, START, broker)
}

fn draft_of(path: &Path) -> PathBuf {
    beside(path, ".new")
}

const START: &str = "-metrics-";
const PRIVATE: u32 = 0o600;
const READ_AND_WRITE: u32 = 0o666;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use countersign_core::store::{GateStore as _, Settings};
    use tempfile::TempDir;

    use super::*;

    fn store() -> (TempDir, SqliteStore) {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("x.db");
        let store = SqliteStore::create(path, &Settings::default()).unwrap();
        (directory, store)
    }

    fn counting(sessions: u64) -> BrokerMetrics {
        BrokerMetrics {
            sessions,
            ..BrokerMetrics::default()
        }
    }

    fn names(directory: &TempDir) -> Vec<String> {
        let entries = directory.path().read_dir().unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains("metrics")).collect()
    }

    #[test]
    fn what_a_broker_counts_is_read_while_it_lives_and_goes_with_it() {
        let (directory, store) = store();
        let lock = store.lock_broker("b").unwrap();
        assert_eq!(store.read_metrics("b"), None);
        for sessions in [3, 4] {
            store.write_metrics("b", &counting(sessions)).unwrap();
            assert_eq!(store.read_metrics("b"), Some(counting(sessions)));
        }
        assert_eq!(names(&directory).len(), 1);
        assert_eq!(store.read_metrics("other"), None);
        drop(lock);
        // As after a kill: the file is there, and nobody holds the lock.
        assert_eq!(store.read_metrics("b"), None);
        store.discard_metrics("b");
        assert!(names(&directory).is_empty());
    }

    #[test]
    fn the_file_may_be_read_by_whom_the_store_may_be_and_nothing_it_finds_is_followed() {
        let (directory, store) = store();
        let _lock = store.lock_broker("b").unwrap();
        let path = metrics_file(&store.path, "b");
        let mode = || path.symlink_metadata().unwrap().permissions().mode() & 0o777;
        store.write_metrics("b", &counting(1)).unwrap();
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&store.path, Permissions::from_mode(0o640)).unwrap();
        let victim = directory.path().join("victim");
        fs::write(&victim, "mine").unwrap();
        for place in [path.clone(), draft_of(&path)] {
            let _ = fs::remove_file(&place);
            symlink(&victim, &place).unwrap();
            store.write_metrics("b", &counting(2)).unwrap();
            assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
            assert_eq!(mode(), 0o640);
            assert_eq!(store.read_metrics("b"), Some(counting(2)));
        }
    }

    #[test]
    fn whatever_stands_in_the_files_place_is_read_as_nothing() {
        let (_directory, store) = store();
        let _lock = store.lock_broker("b").unwrap();
        let path = metrics_file(&store.path, "b");
        fs::write(&path, vec![b' '; MOST_BYTES + 2]).unwrap();
        assert_eq!(store.read_metrics("b"), None);
        fs::write(&path, counting(1).to_json("another")).unwrap();
        assert_eq!(store.read_metrics("b"), None);
        fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(store.read_metrics("b"), None);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(store.read_metrics("b"), None);
        assert!(store.write_metrics("b", &counting(1)).is_err());
    }
}
