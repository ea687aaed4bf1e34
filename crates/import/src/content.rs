//! The bytes of a source.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::SourceError;
use crate::place::SourceName;

/// What a file of a source holds, under the name that messages show.
///
/// Wiped on drop: it may hold secrets.
#[expect(missing_debug_implementations, reason = "it may hold secrets")]
pub struct SourceContent {
    pub(crate) name: SourceName,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

impl SourceContent {
    /// Takes `bytes` as what the file of this name holds.
    #[must_use]
    pub fn new(name: SourceName, bytes: Vec<u8>) -> Self {
        Self {
            name,
            bytes: Zeroizing::new(bytes),
        }
    }
}

/// Reads the file at `path`.
///
/// # Errors
///
/// Returns [`SourceError`] where it can't be read, is not a regular file, or is
/// longer than 256 MiB.
pub fn read_source(path: &Path) -> Result<SourceContent, SourceError> {
    let name = SourceName::of(path);
    let unreadable = |error: std::io::Error| {
        SourceError::new(name.whole(), format!("the file can't be read: {error}"))
    };
    let length = check_file(path, &name)?;
    let file = File::open(path).map_err(unreadable)?;
    // Room for one byte more, so that nothing of it is copied and left behind.
    let room = usize::try_from(length.saturating_add(1)).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(LONGEST_FILE.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LONGEST_FILE {
        return Err(SourceError::new(name.whole(), TOO_LONG));
    }
    Ok(SourceContent { name, bytes })
}

/// The length of the file at `path`, if it is a regular one and not too long.
///
/// Asked before it is opened: opening a named pipe would wait for a writer.
pub(crate) fn check_file(path: &Path, name: &SourceName) -> Result<u64, SourceError> {
    let length = check_regular(path, name)?;
    if length > LONGEST_FILE {
        return Err(SourceError::new(name.whole(), TOO_LONG));
    }
    Ok(length)
}

/// The length of the file at `path`, if it is a regular one.
pub(crate) fn check_regular(path: &Path, name: &SourceName) -> Result<u64, SourceError> {
    let found = std::fs::metadata(path).map_err(|error| {
        SourceError::new(name.whole(), format!("the file can't be read: {error}"))
    })?;
    if !found.is_file() {
        return Err(SourceError::new(name.whole(), "it is not a regular file"));
    }
    Ok(found.len())
}

/// In bytes.
const LONGEST_FILE: u64 = 256 * 1_024 * 1_024;
const TOO_LONG: &str = "the file is longer than 256 MiB";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwords");
        std::fs::write(&path, b"a:b\r\n\0\xff").unwrap();
        assert_eq!(
            read_source(&path).unwrap().bytes.as_slice(),
            b"a:b\r\n\0\xff"
        );
    }

    #[test]
    fn what_is_not_a_regular_file_of_at_most_256_mib_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |path: &Path| read_source(path).err().unwrap().reason().to_owned();
        assert_eq!(refused(folder.path()), "it is not a regular file");
        assert_eq!(refused(Path::new("/dev/zero")), "it is not a regular file");
        let missing = refused(&folder.path().join("missing"));
        assert!(missing.starts_with("the file can't be read: "), "{missing}");
        let long = folder.path().join("long");
        let file = File::create(&long).unwrap();
        file.set_len(LONGEST_FILE + 1).unwrap();
        assert_eq!(refused(&long), TOO_LONG);
    }
}
