//! A tree of files that is put together for others to install.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{read, run};

/// A folder, and what was put into it.
pub struct Tree {
    folder: PathBuf,
}

impl Tree {
    /// A tree in `folder`, with whatever is there.
    pub fn at(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where `name` lies.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Copies a file that anybody may read, by way of a rename: a program may
    /// hold the old one mapped.
    pub fn copy(&self, from: &Path, to: &str) -> Result<()> {
        self.fill(to, 0o644, |part| {
            fs::copy(from, part)
                .map(drop)
                .with_context(|| format!("cannot copy {}", from.display()))
        })
    }

    /// Copies a file that anybody may run.
    pub fn copy_program(&self, from: &Path, to: &str) -> Result<()> {
        self.copy(from, to)?;
        self.make_executable(to)
    }

    /// Copies every file of a folder, and of those in it.
    pub fn copy_folder(&self, from: &Path, to: &str) -> Result<()> {
        for entry in fs::read_dir(from).with_context(|| format!("no {}", from.display()))? {
            let entry = entry?;
            let name = entry.file_name();
            let to = format!("{to}/{}", name.to_str().context("a name is no UTF-8")?);
            if entry.file_type()?.is_dir() {
                self.copy_folder(&entry.path(), &to)?;
            } else {
                self.copy(&entry.path(), &to)?;
            }
        }
        Ok(())
    }

    /// Writes a file that anybody may read.
    pub fn write(&self, to: &str, text: impl AsRef<[u8]>) -> Result<()> {
        self.fill(to, 0o644, |part| Ok(fs::write(part, text)?))
    }

    /// Lets anybody run a file.
    pub fn make_executable(&self, name: &str) -> Result<()> {
        let mode = fs::Permissions::from_mode(0o755);
        Ok(fs::set_permissions(self.path(name), mode)?)
    }

    /// Makes a link at `at`, in place of the one that is there.
    pub fn link(&self, to: &str, at: &str) -> Result<()> {
        let at = self.path(at);
        make_parent(&at)?;
        if at.symlink_metadata().is_ok() {
            fs::remove_file(&at)?;
        }
        Ok(symlink(to, at)?)
    }

    /// Compresses a file, which is called `NAME.gz` then.
    pub fn compress(&self, name: &str) -> Result<()> {
        run(Command::new("gzip")
            .args(["--best", "--no-name", "--force"])
            .arg(self.path(name)))
    }

    /// Every file, by its path below the folder, in order.
    pub fn files(&self) -> Result<Vec<String>> {
        let listed = read(
            Command::new("find")
                .args(["-type", "f", "-printf", "%P\\n"])
                .current_dir(&self.folder),
        )?;
        let mut files: Vec<_> = listed.lines().map(str::to_owned).collect();
        files.sort_unstable();
        Ok(files)
    }

    fn fill(&self, to: &str, mode: u32, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let to = self.path(to);
        make_parent(&to)?;
        let mut part = to.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        fill(&part)?;
        fs::set_permissions(&part, fs::Permissions::from_mode(mode))?;
        Ok(fs::rename(part, to)?)
    }
}

fn make_parent(path: &Path) -> Result<()> {
    let parent = path.parent().context("no parent")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))
}
