//! A new file of secrets, each with its name: `name,secret` as a table (RFC 4180).

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

    /// Adds a secret. The file stays from then on.
    pub(crate) fn add(&mut self, name: &str, secret: &str) -> io::Result<()> {
        self.0.hold();
        let name = quoted(name);
        let line = wiped::display(&format_args!("{name},{secret}\n"));
        self.0.file().write_all(line.as_bytes())
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
fn quoted(text: &str) -> String {
    if text.contains(['"', ',']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into()
    }
}
