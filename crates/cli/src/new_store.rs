//! New files of a store: all of them or none, by whichever user is to have them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use countersign_admin::{OsRandom, RandomSource as _};
use countersign_core::hex;
use countersign_sqlite::create_private;
use nix::errno::Errno;
use nix::libc::{O_DIRECTORY, O_NOFOLLOW};
use nix::unistd::{AccessFlags, Uid, eaccess};

use crate::account::Account;
use crate::error::CliError;
use crate::identity::{ActingAs, PathOwner};
use crate::store_files::{beside, key_of};

/// What becomes of the key file beside a new store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum KeyFile {
    /// It is made, and must not be there yet.
    New,
    /// It is somebody else's matter.
    Untouched,
}

/// Makes a store at `store`, which `fill` fills: it makes the file that it is given
/// and leaves nothing beside it. All is `owner`'s or, without one, of whoever keeps
/// the folder. Nothing is left behind where it fails.
pub(crate) fn make(
    store: &Path,
    owner: Option<&Account>,
    key_file: KeyFile,
    fill: impl FnOnce(&Path) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let key = Some(key_of(store)).filter(|_| key_file == KeyFile::New);
    // What root made goes last, when it is root again.
    let mut above = CreatedStore::default();
    let _acting = match owner {
        Some(owner) => {
            if Uid::effective().is_root() && PathOwner::of(store)? == PathOwner::Root {
                above.first_directory_above(store, owner)?;
            }
            ActingAs::as_user(owner)?
        }
        None => ActingAs::for_keeper_of(store)?,
    };
    // A log that is left over from another store would spoil this one.
    let companions = COMPANIONS.map(|suffix| beside(store, suffix));
    let files = companions.iter().map(PathBuf::as_path);
    for path in [store].into_iter().chain(key.as_deref()).chain(files) {
        if path.symlink_metadata().is_ok() {
            return Err(exists(path));
        }
    }
    if let Some(owner) = owner {
        check_access(owner, store)?;
    }
    let mut made = CreatedStore::default();
    made.directories_above(store)?;
    let draft = made.draft_of(store);
    fill(&draft)?;
    // The store comes last: whoever sees it sees the key too.
    if let Some(key) = &key {
        let key_draft = made.draft_of(key);
        write_key(&key_draft)?;
        made.put(&key_draft, key)?;
    }
    made.put(&draft, store)?;
    made.keep();
    above.keep();
    Ok(())
}

/// Makes a key file, if there is none, and then what `fill` makes; both or neither.
pub(crate) fn make_key<T>(
    key: &Path,
    owner: Option<&Account>,
    fill: impl FnOnce() -> Result<T, CliError>,
) -> Result<T, CliError> {
    let _acting = match owner {
        Some(owner) => ActingAs::as_user(owner)?,
        None => ActingAs::for_keeper_of(key)?,
    };
    let mut made = CreatedStore::default();
    if key.symlink_metadata().is_err() {
        made.directories_above(key)?;
        let draft = made.draft_of(key);
        write_key(&draft)?;
        made.put(&draft, key)?;
    }
    let filled = fill()?;
    made.keep();
    Ok(filled)
}

/// What was made so far, and is removed again unless all of it was.
#[derive(Default)]
struct CreatedStore {
    directories: Vec<PathBuf>,
    files: Vec<PathBuf>,
    drafts: Vec<PathBuf>,
}

impl CreatedStore {
    /// Makes the topmost of the directories that `path` needs and that are
    /// missing, for this user. Root does, where nobody else can write.
    fn first_directory_above(&mut self, path: &Path, owner: &Account) -> Result<(), CliError> {
        let Some(directory) = missing_above(path).pop() else {
            return Ok(());
        };
        let made = self.directory(directory)?;
        fchown(made, Some(owner.uid), Some(owner.gid)).map_err(|error| about(directory, error))
    }

    /// Makes the directories that `path` needs and that are missing.
    fn directories_above(&mut self, path: &Path) -> Result<(), CliError> {
        for directory in missing_above(path).into_iter().rev() {
            self.directory(directory)?;
        }
        Ok(())
    }

    fn directory(&mut self, path: &Path) -> Result<File, CliError> {
        let said = |error| about(path, error);
        fs::DirBuilder::new()
            .mode(PRIVATE_DIRECTORY)
            .create(path)
            .map_err(said)?;
        self.directories.push(path.into());
        let made = fs::set_permissions(path, fs::Permissions::from_mode(PRIVATE_DIRECTORY));
        let open = || {
            OpenOptions::new()
                .read(true)
                .custom_flags(O_DIRECTORY | O_NOFOLLOW)
                .open(path)
        };
        made.and_then(|()| open()).map_err(said)
    }

    /// A name beside `path` that is this process's alone.
    fn draft_of(&mut self, path: &Path) -> PathBuf {
        let draft = beside(path, &format!(".{}.new", std::process::id()));
        self.drafts.push(draft.clone());
        draft
    }

    /// Gives a draft its name, unless something has it already.
    fn put(&mut self, draft: &Path, path: &Path) -> Result<(), CliError> {
        match fs::hard_link(draft, path) {
            Ok(()) => {
                self.files.push(path.into());
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(exists(path)),
            Err(error) => Err(about(path, error)),
        }
    }

    /// Leaves all but the drafts where it is.
    fn keep(&mut self) {
        self.directories.clear();
        self.files.clear();
    }
}

impl Drop for CreatedStore {
    fn drop(&mut self) {
        let beside_drafts = self
            .drafts
            .iter()
            .flat_map(|draft| COMPANIONS.map(|suffix| beside(draft, suffix)));
        // Most of them do not exist; what went wrong was said already.
        for file in beside_drafts
            .chain(self.drafts.clone())
            .chain(self.files.clone())
        {
            let _ = fs::remove_file(file);
        }
        for directory in self.directories.iter().rev() {
            let _ = fs::remove_dir(directory);
        }
    }
}

/// The directories that `path` needs and that are missing, the deepest first.
fn missing_above(path: &Path) -> Vec<&Path> {
    path.ancestors()
        .skip(1)
        .take_while(|directory| directory.symlink_metadata().is_err())
        .collect()
}

/// Checks that the owner can get to the store, and do beside it what SQLite
/// does there. We are the owner by now.
fn check_access(owner: &Account, store: &Path) -> Result<(), CliError> {
    let above: Vec<_> = store.ancestors().skip(1).collect();
    let name = &owner.name;
    for directory in above.iter().rev() {
        check(directory, AccessFlags::X_OK, || {
            let shown = directory.display();
            format!("`{name}` can't pass through `{shown}`; `chmod a+x {shown}`")
        })?;
    }
    let Some(directory) = above.first() else {
        return Ok(());
    };
    check(directory, AccessFlags::W_OK, || {
        let shown = directory.display();
        format!(
            "`{name}` can't make files in `{shown}`, as the broker has to; `chown {name}: {shown}`"
        )
    })
}

fn check(directory: &Path, access: AccessFlags, what: impl Fn() -> String) -> Result<(), CliError> {
    match eaccess(directory, access) {
        // What is not there yet is made.
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(Errno::EACCES) => Err(CliError::refused(format!(
            "{}, or let --store name another place",
            what()
        ))),
        Err(error) => Err(about(directory, error.into())),
    }
}

/// Writes 32 random bytes as hexadecimal digits.
fn write_key(draft: &Path) -> Result<(), CliError> {
    let mut key = [0; 32];
    OsRandom.fill(&mut key)?;
    let text = hex::encode(&key);
    let said = |error| about(draft, error);
    let mut file = create_private(draft).map_err(said)?;
    file.write_all(text.as_bytes()).map_err(said)?;
    file.write_all(b"\n").map_err(said)?;
    file.sync_all().map_err(said)
}

fn exists(path: &Path) -> CliError {
    CliError::refused(format!(
        "`{}` exists already; name another store with --store, or move it away",
        path.display()
    ))
}

fn about(path: &Path, error: io::Error) -> CliError {
    CliError::Refused(
        anyhow::Error::new(error).context(format!("could not make `{}`", path.display())),
    )
}

/// What SQLite puts beside a store.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

const PRIVATE_DIRECTORY: u32 = 0o750;
