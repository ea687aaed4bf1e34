//! A new file of secrets, each with its name: `name,secret` as a table (RFC 4180).

use std::borrow::Cow;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use crate::error::CliError;
use crate::new_file::NewFile;
use crate::wiped;

/// A file that takes secrets, readable by its owner alone. It is gone again where no
/// secret was written to it and it was not kept.
#[derive(Debug)]
pub(crate) struct SecretFile {
    file: NewFile,
    /// How long it was before secrets were added last.
    length_before: u64,
}

impl SecretFile {
    /// Makes the file at `path`, where nothing may stand.
    pub(crate) fn create(path: &Path) -> Result<Self, CliError> {
        let file = NewFile::create(path)?;
        file.file().write_all(b"name,secret\n")?;
        Ok(Self {
            file,
            length_before: 0,
        })
    }

    /// Checks that nothing stands at `path`.
    pub(crate) fn check_is_free(path: &Path) -> Result<(), CliError> {
        NewFile::check_is_free(path)
    }

    /// Adds secrets, each with its name, at once: all of them, or it fails and has none.
    /// The file stays from then on.
    pub(crate) fn add<'a>(
        &mut self,
        secrets: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    ) -> io::Result<()> {
        let lines = wiped::text(|out| {
            let mut secrets = secrets.clone();
            secrets.try_for_each(|(name, secret)| writeln!(out, "{},{secret}", quoted(name)))
        });
        let lines = lines.map_err(io::Error::other)?;
        self.length_before = self.file.file().stream_position()?;
        match self.file.file().write_all(lines.as_bytes()) {
            Ok(()) => {
                self.file.hold();
                Ok(())
            }
            Err(error) => {
                // Else it would end with a part of a secret.
                self.take_back()?;
                Err(error)
            }
        }
    }

    /// Takes back what was added last: it never counted.
    pub(crate) fn take_back(&mut self) -> io::Result<()> {
        let mut file = self.file.file();
        file.set_len(self.length_before)?;
        file.seek(SeekFrom::Start(self.length_before)).map(drop)
    }

    /// Returns once the disk has all of it.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.file().sync_data()
    }

    /// Keeps the file, once the disk has it.
    pub(crate) fn keep(self) -> Result<(), CliError> {
        self.file.keep()
    }
}

/// A field of a table.
fn quoted(text: &str) -> Cow<'_, str> {
    if text.contains(['"', ',']) {
        format!("\"{}\"", text.replace('"', "\"\"")).into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_back_is_gone_and_what_stood_before_it_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets");
        let mut file = SecretFile::create(&path).unwrap();
        file.add([("a", "1")].into_iter()).unwrap();
        file.add([("b", "2"), ("c,d", "3")].into_iter()).unwrap();
        file.take_back().unwrap();
        file.add([("e", "4")].into_iter()).unwrap();
        file.keep().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "name,secret\na,1\ne,4\n");
    }
}
