//! The key file beside a store.

use core::fmt;
use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use countersign_core::seal::SealKey;
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
    pub(crate) fn key(&self, path: &Path) -> Option<SealKey> {
        let mark = mark(path);
        let mut kept = self.0.borrow_mut();
        let kept = match &mut *kept {
            Some(kept) if kept.mark == mark => kept,
            slot => slot.insert(CachedKey {
                mark,
                content: read(&beside(path, KEY)),
            }),
        };
        SealKey::parse(kept.content.as_ref()?).ok()
    }
}

/// Another number each time that the key file of the store at `path` is another
/// one; 0 where there is none.
pub(crate) fn mark(path: &Path) -> u64 {
    let Ok(facts) = beside(path, KEY).metadata() else {
        return 0;
    };
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

fn read(path: &Path) -> Option<Zeroizing<Vec<u8>>> {
    // Of the right size from the start: a buffer that grows leaves copies.
    let mut content = Zeroizing::new(Vec::with_capacity(LONGEST));
    let file = open_file(path).ok()?;
    let longest = u64::try_from(LONGEST).unwrap_or(u64::MAX);
    file.take(longest).read_to_end(&mut content).ok()?;
    Some(content)
}

const KEY: &str = ".key";
/// More than a key file holds, so that a longer file is seen to be none.
const LONGEST: usize = 128;
