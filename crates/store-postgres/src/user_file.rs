//! Small files of whoever runs the program, which may hold secrets.

use core::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use zeroize::Zeroizing;

/// A file that was read, and who else may read it.
pub(crate) struct UserFile {
    pub(crate) text: Zeroizing<String>,
    facts: Metadata,
}

impl UserFile {
    /// Reads a file of no more than 64 KiB.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        // A pipe would have whoever opens it wait.
        if !path.metadata()?.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let file = File::open(path)?;
        let facts = file.metadata()?;
        let mut text = Zeroizing::new(String::with_capacity(LONGEST));
        let most = u64::try_from(LONGEST).unwrap_or(u64::MAX);
        if facts.len() > most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        file.take(most).read_to_string(&mut text)?;
        Ok(Self { text, facts })
    }

    /// Says whether nobody but its owner may read it.
    pub(crate) fn is_private(&self) -> bool {
        self.facts.permissions().mode() & OTHERS == 0
    }

    /// The same, where root may let a group read what is root's own.
    pub(crate) fn is_private_or_of_root(&self) -> bool {
        let is_of_root = self.facts.uid() == 0;
        let mode = self.facts.permissions().mode();
        self.is_private() || (is_of_root && mode & OTHERS_THAN_READING_GROUP == 0)
    }
}

/// Without what is in it.
impl fmt::Debug for UserFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserFile").finish_non_exhaustive()
    }
}

/// All that is not the owner's.
const OTHERS: u32 = 0o077;
const OTHERS_THAN_READING_GROUP: u32 = 0o037;
const LONGEST: usize = 64 * 1024;
