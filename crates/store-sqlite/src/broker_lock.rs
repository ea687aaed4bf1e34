//! A broker's name, held by one live process at a time.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use countersign_core::broker::service_names;
use countersign_core::hex;
use countersign_core::store::{StoreError, StoreErrorKind};
use sha2::{Digest as _, Sha256};

use crate::busy_timeout::ADMIN_WAIT;
use crate::connect::unusable;
use crate::error::of_io;
use crate::file::{beside, create_private, directory_of, open_file};
use crate::store::SqliteStore;

/// Holds a broker's name on a store until it is dropped.
///
/// It is a lock on an empty file beside the store, so that the system lets go
/// of it however the process ends.
#[derive(Debug)]
pub struct BrokerLock {
    _locked: File,
}

impl SqliteStore {
    /// See
    /// [`GateStore::is_broker_alive`](countersign_core::store::GateStore::is_broker_alive).
    pub(crate) fn is_alive(&self, broker: &str) -> bool {
        match is_locked(&lock_file(&self.path, broker)) {
            Ok(is_locked) => is_locked,
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }

    /// See
    /// [`GateStore::lock_broker`](countersign_core::store::GateStore::lock_broker).
    pub(crate) fn claim(&self, broker: &str) -> Result<BrokerLock, StoreError> {
        let action = "take the broker's name";
        let path = lock_file(&self.path, broker);
        let file = open_or_create(&path).map_err(|error| of_io(error, action, &path))?;
        match lock(&file) {
            Ok(()) => Ok(BrokerLock { _locked: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::new(action, StoreErrorKind::Conflict)
                .with_detail(format!(
                    "a live broker called `{broker}` uses `{}`; give this one another name \
                     with `plugin_opt_broker`",
                    self.path.display()
                ))),
            Err(TryLockError::Error(error)) => Err(of_io(error, action, &path)),
        }
    }
}

/// Says whether this is what a service holds.
pub(crate) fn is_of_service(path: &Path, file: &Path) -> bool {
    service_names().any(|name| lock_file(path, &name) == file)
}

/// Takes the lock. A process that looks whether a broker is alive has it for a
/// moment, too.
fn lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            answer => return answer,
        }
    }
    file.try_lock()
}

/// The file is never removed: another process could hold a lock on what then
/// is no file any more.
fn open_or_create(path: &Path) -> io::Result<File> {
    match create_private(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open_file(path),
        made => made,
    }
}

/// Takes the lock on a file of [`lock_files`], unless a live broker has it. What
/// can't be told is taken for a live broker.
pub(crate) fn take(path: &Path) -> Option<File> {
    let file = open_file(path).ok()?;
    lock(&file).ok()?;
    Some(file)
}

/// Says whether a live broker is known to use the store at `path`.
pub(crate) fn is_any_alive(path: &Path) -> bool {
    let is_held = |file: &PathBuf| matches!(is_locked(file), Ok(true));
    lock_files(path).is_ok_and(|files| files.iter().any(is_held))
}

/// Waits until the log is there that a live broker has. Where somebody removed it
/// under the broker, the broker writes back what it has of it, and makes a new
/// one; what a connection put into one that it made itself would be based on what
/// was there before.
pub(crate) fn wait_for_log(path: &Path, action: &'static str) -> Result<(), StoreError> {
    let is_there = |suffix| beside(path, suffix).exists();
    let start = Instant::now();
    while !(is_there("-wal") && is_there("-shm")) {
        if !is_any_alive(path) {
            return Ok(());
        }
        if start.elapsed() >= ADMIN_WAIT {
            let why = "lost its `-wal` or its `-shm` under the broker that uses it, which has \
                       not made new ones; restart that broker";
            return Err(unusable(path, why, action));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

fn is_locked(path: &Path) -> io::Result<bool> {
    match open_file(path)?.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The files beside the store at `path` that brokers lock, live or not.
pub(crate) fn lock_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let start = beside(path, START);
    let start = start.file_name().unwrap_or_default().as_encoded_bytes();
    let mut files = Vec::new();
    for entry in directory_of(path).read_dir()? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(start) {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// The file that a broker locks.
pub(crate) fn lock_file(path: &Path, broker: &str) -> PathBuf {
    file_of(path, START, broker)
}

/// A broker's file beside the store at `path`. A name may hold anything, `/` say, so
/// its hash names the file.
pub(crate) fn file_of(path: &Path, start: &str, broker: &str) -> PathBuf {
    let digest = Sha256::digest(broker.as_bytes());
    let (first, _) = digest.split_at(8);
    beside(path, &format!("{start}{}", hex::encode(first)))
}

const START: &str = "-broker-";
const LOOK_EVERY: Duration = Duration::from_millis(10);
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(10);
