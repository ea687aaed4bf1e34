//! Files that their owner alone may read.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

/// Makes a new file that its owner alone may read and write.
///
/// It has its mode from the start, and nothing that stands at `path`, a
/// symbolic link included, is followed or replaced. Where root makes it in
/// another user's directory, it belongs to that user, as the broker that will
/// use it runs as them. The directory is held while that happens: another one
/// that takes its name changes nothing.
///
/// # Errors
///
/// Returns [`io::ErrorKind::AlreadyExists`] when there is something at `path`,
/// and other kinds when the file can't be made.
pub fn create_private(path: &Path) -> io::Result<File> {
    let directory = open_directory_of(path)?;
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let flags =
        OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = File::from(openat(
        &directory,
        name,
        flags,
        Mode::from_bits_truncate(PRIVATE),
    )?);
    match make_private(&file, &directory) {
        Ok(()) => Ok(file),
        Err(error) => {
            // The error that brought us here says more than one of this.
            let _ = unlinkat(&directory, name, UnlinkatFlags::NoRemoveDir);
            Err(error)
        }
    }
}

fn make_private(file: &File, directory: &File) -> io::Result<()> {
    // A strict umask may have taken the owner's rights away.
    file.set_permissions(Permissions::from_mode(PRIVATE))?;
    let made = file.metadata()?;
    let around = directory.metadata()?;
    if made.uid() == ROOT && around.uid() != ROOT {
        std::os::unix::fs::fchown(file, Some(around.uid()), Some(around.gid()))?;
    }
    Ok(())
}

/// Opens a file that was made before, to read it. What is no file, as a pipe
/// that somebody put there, is refused and not waited for.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::from(io::ErrorKind::InvalidInput))
    }
}

fn open_directory_of(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        // Its entries are of no interest, so that it need not be readable.
        .custom_flags((OFlag::O_PATH | OFlag::O_DIRECTORY).bits())
        .open(directory_of(path))
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
        path.metadata().map(|facts| Self::from(&facts))
    }
}

impl From<&Metadata> for FileId {
    fn from(facts: &Metadata) -> Self {
        Self {
            device: facts.dev(),
            number: facts.ino(),
        }
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
    for file in COMPANIONS.map(|suffix| beside(path, suffix)) {
        // Most of them do not exist; nobody is left to be told of the rest.
        let _ = std::fs::remove_file(file);
    }
    let _ = std::fs::remove_file(path);
}

/// What SQLite puts beside a file.
pub(crate) const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

const PRIVATE: u32 = 0o600;
const ROOT: u32 = 0;
