//! The key file beside a store.

use core::fmt;
use std::cell::RefCell;
use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use countersign_core::seal::SealKey;
use countersign_core::store::KeyReading;
use zeroize::Zeroizing;

use crate::file::{beside, open_file};

/// The content of the key file, once it was read.
#[derive(Default)]
pub(crate) struct KeyFile(RefCell<Option<CachedKey>>);

struct CachedKey {
    mark: u64,
    content: Option<Zeroizing<Vec<u8>>>,
}

impl KeyFile {
    /// The key of the store at `path`; none where the file is missing or is no
    /// key file. The file is read again when it is another.
    pub(crate) fn read(&self, path: &Path) -> KeyReading {
        let mark = mark(path);
        let mut kept = self.0.borrow_mut();
        let kept = match &mut *kept {
            Some(kept) if kept.mark == mark => kept,
            slot => slot.insert(CachedKey::read(&beside(path, KEY), mark)),
        };
        let content = kept.content.as_ref();
        KeyReading {
            key: content.and_then(|content| SealKey::parse(content).ok()),
            mark: kept.mark,
        }
    }
}

/// Another number each time that the key file of the store at `path` is another
/// one; 0 where there is none.
pub(crate) fn mark(path: &Path) -> u64 {
    let facts = beside(path, KEY).metadata();
    facts.map_or(MISSING, |facts| mark_of(&facts))
}

fn mark_of(facts: &Metadata) -> u64 {
    let mut hasher = DefaultHasher::new();
    [facts.dev(), facts.ino(), facts.len()].hash(&mut hasher);
    [facts.mtime(), facts.mtime_nsec()].hash(&mut hasher);
    hasher.finish().max(1)
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyFile(…)")
    }
}

impl CachedKey {
    /// Reads the file that is there; what can't be read has the mark that it is
    /// known by.
    fn read(path: &Path, known: u64) -> Self {
        let file = match open_file(path) {
            Ok(file) => file,
            Err(error) => {
                let is_missing = error.kind() == ErrorKind::NotFound;
                return Self {
                    mark: if is_missing { MISSING } else { known },
                    content: None,
                };
            }
        };
        // Of the file that is open: another one may have its name by now.
        let mark = file.metadata().map_or(known, |facts| mark_of(&facts));
        // Of the right size from the start: a buffer that grows leaves copies.
        let mut content = Zeroizing::new(Vec::with_capacity(LONGEST));
        let longest = u64::try_from(LONGEST).unwrap_or(u64::MAX);
        let read = file.take(longest).read_to_end(&mut content);
        Self {
            mark,
            content: read.is_ok().then_some(content),
        }
    }
}

/// The mark of a file that is not there.
const MISSING: u64 = 0;

const KEY: &str = ".key";
/// More than a key file holds, so that a longer file is seen to be none.
const LONGEST: usize = 128;
