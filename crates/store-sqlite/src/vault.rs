//! The key file beside a store.

use core::fmt;
use std::cell::OnceCell;
use std::io::Read as _;
use std::path::Path;

use countersign_core::seal::SealKey;
use zeroize::Zeroizing;

use crate::file::{beside, open_file};

/// What stands in the key file, once somebody asked for it.
#[derive(Default)]
pub(crate) struct KeyFile(OnceCell<Option<Zeroizing<Vec<u8>>>>);

impl KeyFile {
    /// The key of the store at `path`; none where the file is missing or is no
    /// key file. The file is read once.
    pub(crate) fn key(&self, path: &Path) -> Option<SealKey> {
        let content = self.0.get_or_init(|| read(&beside(path, ".key")));
        SealKey::parse(content.as_ref()?).ok()
    }
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

/// More than a key file holds, so that a longer file is seen to be none.
const LONGEST: usize = 128;
