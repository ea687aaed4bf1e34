//! A file that a command makes: readable by its owner alone, and gone again if
//! the command fails.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use countersign_sqlite::create_private;

use crate::error::CliError;
use crate::identity::ActingAs;

/// A new file, held open. Root makes and removes it as whoever keeps the place.
#[derive(Debug)]
pub(crate) struct NewFile {
    path: PathBuf,
    file: File,
    is_kept: bool,
}

impl NewFile {
    /// Makes the file at `path`, where nothing may stand.
    pub(crate) fn create(path: &Path) -> Result<Self, CliError> {
        let path = std::path::absolute(path)?;
        let _there = ActingAs::for_keeper_of(&path)?;
        let file = create_private(&path).map_err(|error| about(&path, error))?;
        Ok(Self {
            path,
            file,
            is_kept: false,
        })
    }

    /// Checks that nothing stands at `path`.
    pub(crate) fn check_is_free(path: &Path) -> Result<(), CliError> {
        match fs::symlink_metadata(path) {
            Ok(_) => Err(about(path, io::ErrorKind::AlreadyExists.into())),
            // Where it can't be made, it is not there.
            Err(_) => Ok(()),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What is written to, and named where that fails.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Keeps the file whatever fails from now on: what is in it is nowhere else.
    pub(crate) fn hold(&mut self) {
        self.is_kept = true;
    }

    /// Keeps the file, once the disk has it.
    pub(crate) fn keep(mut self) -> Result<(), CliError> {
        self.file
            .sync_all()
            .map_err(|error| about(&self.path, error))?;
        self.is_kept = true;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        if let Ok(_there) = ActingAs::for_keeper_of(&self.path) {
            // What went wrong before was said already.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn about(path: &Path, error: io::Error) -> CliError {
    let shown = path.display();
    let said = if error.kind() == io::ErrorKind::AlreadyExists {
        format!("`{shown}` exists already; name another file, or move it away")
    } else {
        format!("could not make `{shown}`")
    };
    CliError::Refused(anyhow::Error::new(error).context(said))
}
