//! A new file of secrets, each with its name: `name,secret` as a table (RFC 4180).

use std::borrow::Cow;
use std::io::{self, Write as _};
use std::path::Path;

use crate::error::CliError;
use crate::new_file::NewFile;
use crate::wiped;

/// A file that takes secrets, readable by its owner alone. It is gone again where no
/// secret was written to it and it was not kept.
#[derive(Debug)]
pub(crate) struct SecretFile(NewFile);

impl SecretFile {
    /// Makes the file at `path`, where nothing may stand.
    pub(crate) fn create(path: &Path) -> Result<Self, CliError> {
        let file = NewFile::create(path)?;
        file.file().write_all(b"name,secret\n")?;
        Ok(Self(file))
    }

    /// Adds secrets, each with its name, at once: all of them, or it fails. The file
    /// stays from then on.
    pub(crate) fn add<'a>(
        &mut self,
        secrets: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    ) -> io::Result<()> {
        self.0.hold();
        let lines = wiped::text(|out| {
            let mut secrets = secrets.clone();
            secrets.try_for_each(|(name, secret)| writeln!(out, "{},{secret}", quoted(name)))
        });
        self.0
            .file()
            .write_all(lines.map_err(io::Error::other)?.as_bytes())
    }

    /// Returns once the disk has all of it.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.0.file().sync_data()
    }

    /// Keeps the file, once the disk has it.
    pub(crate) fn keep(self) -> Result<(), CliError> {
        self.0.keep()
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
