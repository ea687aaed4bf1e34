//! Files that hold what nobody else may read.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Makes a new file that its owner alone may read and write.
///
/// It has its mode from the start, and nothing that stands at `path`, a
/// symbolic link included, is followed or replaced. Where root makes it in
/// another user's directory, it belongs to that user, as the broker that will
/// use it runs as them.
///
/// # Errors
///
/// Returns [`io::ErrorKind::AlreadyExists`] when there is something at `path`,
/// and other kinds when the file can't be made.
pub fn create_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(PRIVATE)
        .open(path)?;
    let finish = || -> io::Result<()> {
        // A strict umask may have taken the owner's rights away.
        file.set_permissions(std::fs::Permissions::from_mode(PRIVATE))?;
        let made = file.metadata()?;
        let around = directory_of(path).metadata()?;
        if made.uid() == ROOT && around.uid() != ROOT {
            std::os::unix::fs::fchown(&file, Some(around.uid()), Some(around.gid()))?;
        }
        Ok(())
    };
    match finish() {
        Ok(()) => Ok(file),
        Err(error) => {
            // The error that brought us here says more than one of this.
            let _ = std::fs::remove_file(path);
            Err(error)
        }
    }
}

/// What tells one file from another, whatever their names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FileId {
    device: u64,
    number: u64,
}

impl FileId {
    /// The file that `path` names now.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let facts = path.metadata()?;
        Ok(Self {
            device: facts.dev(),
            number: facts.ino(),
        })
    }
}

/// The directory that `path` lies in.
pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// The path that has `suffix` added to its file name: `x.db-wal`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Makes the name of a new file survive a power failure.
pub(crate) fn sync_directory_of(path: &Path) -> io::Result<()> {
    File::open(directory_of(path))?.sync_all()
}

/// Removes a file that was made here and the ones that SQLite put beside it.
pub(crate) fn remove_with_companions(path: &Path) {
    for suffix in ["-wal", "-shm", "-journal", ""] {
        // Most of them do not exist; nobody is left to be told of the rest.
        let _ = std::fs::remove_file(beside(path, suffix));
    }
}

const PRIVATE: u32 = 0o600;
const ROOT: u32 = 0;
