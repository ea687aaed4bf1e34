//! The key file, which lies on each machine that runs the service.

use core::fmt;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use countersign_core::seal::SealKey;
use countersign_core::store::KeyReading;
use zeroize::Zeroizing;

/// Where the key file is, if there is one, and its content once it was read.
#[derive(Default)]
pub(crate) struct KeyFile {
    path: Option<PathBuf>,
    read: Mutex<Option<(u64, Zeroizing<Vec<u8>>)>>,
}

impl KeyFile {
    /// The key file at this path.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self {
            path: Some(path),
            read: Mutex::default(),
        }
    }

    /// The key; none where the file is missing or is no key file. The file is read again
    /// when it is another.
    pub(crate) fn read(&self) -> KeyReading {
        let mark = self.mark();
        let mut kept = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_none_or(|(known, _)| *known != mark) {
            *kept = self.content().map(|content| (mark, content));
        }
        let content = kept.as_ref().map(|(_, content)| content);
        KeyReading {
            key: content.and_then(|content| SealKey::parse(content).ok()),
            mark,
        }
    }

    /// Another number each time that the file is another one; 0 where there is none.
    pub(crate) fn mark(&self) -> u64 {
        let facts = self.path.as_ref().and_then(|path| fs::metadata(path).ok());
        facts.map_or(0, |facts| {
            let mut hasher = DefaultHasher::new();
            [facts.dev(), facts.ino(), facts.len()].hash(&mut hasher);
            [facts.mtime(), facts.mtime_nsec()].hash(&mut hasher);
            hasher.finish().max(1)
        })
    }

    fn content(&self) -> Option<Zeroizing<Vec<u8>>> {
        let path = self.path.as_ref().filter(|path| path.is_file())?;
        // Of the right size from the start: a buffer that grows leaves copies.
        let mut content = Zeroizing::new(Vec::with_capacity(LONGEST));
        let most = u64::try_from(LONGEST).unwrap_or(u64::MAX);
        File::open(path)
            .ok()?
            .take(most)
            .read_to_end(&mut content)
            .ok()?;
        Some(content)
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyFile(…)")
    }
}

/// More than a key file holds, so that a longer file is seen to be none.
const LONGEST: usize = 128;
