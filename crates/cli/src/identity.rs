//! Which user root acts as on files that another user could swap.
//!
//! In a directory that another user may write, a path names what that user
//! wants it to name: a link planted there leads root anywhere. So root takes
//! that user's identity before it opens or makes anything in such a place, and
//! the system refuses what that user could not do either. This concerns root
//! alone; every other caller acts as itself.

use std::collections::VecDeque;
use std::ffi::{CString, OsStr, OsString};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use nix::unistd::{
    Gid, Uid, getegid, getgroups, initgroups, setegid, seteuid, setgroups, setresgid, setresuid,
};

use crate::account::{self, Account};
use crate::error::CliError;

/// Who besides root can change what stands at a path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum PathOwner {
    /// More than one user: this directory is open to them.
    Anyone(PathBuf),
    /// Nobody.
    Root,
    /// This user.
    User(Account),
}

impl PathOwner {
    /// Finds out who keeps `path`, link by link from `/` on.
    ///
    /// The walk ends at the first user it meets. All that it looked at before
    /// can be changed by root alone, so that it can't be changed under it.
    pub(crate) fn of(path: &Path) -> Result<Self, CliError> {
        let absolute = std::path::absolute(path)?;
        walk(&absolute).map_err(|error| {
            CliError::Refused(
                anyhow::Error::new(error)
                    .context(format!("could not look at `{}`", absolute.display())),
            )
        })
    }

    /// The user to act as: none, where root may stay root.
    fn user(self) -> Result<Option<Account>, CliError> {
        match self {
            Self::Anyone(directory) => {
                let shown = directory.display();
                Err(CliError::refused(format!(
                    "more than one user may write in `{shown}`, so root uses no files there; \
                     `chmod go-w {shown}`, or name a directory that belongs to one user"
                )))
            }
            Self::Root => Ok(None),
            Self::User(account) => Ok(Some(account)),
        }
    }
}

/// For as long as this lives, root acts as another user.
///
/// A fault of SQLite's could still bring root's rights back. What needs them no more
/// gives them up for good: [`become_keeper_of`].
#[must_use = "the identity is given back as soon as this is dropped"]
#[derive(Debug)]
pub(crate) struct ActingAs(Option<SavedIdentity>);

/// What is given back.
#[derive(Debug)]
struct SavedIdentity {
    account: Account,
    group: Gid,
    groups: Vec<Gid>,
}

impl ActingAs {
    /// As whoever keeps `path`.
    pub(crate) fn for_keeper_of(path: &Path) -> Result<Self, CliError> {
        match user_to_be(path)? {
            Some(account) => Self::as_user(&account),
            None => Ok(Self(None)),
        }
    }

    /// As this user. Somebody else than root must be this user already.
    pub(crate) fn as_user(account: &Account) -> Result<Self, CliError> {
        if Uid::effective().as_raw() == account.uid {
            return Ok(Self(None));
        }
        let said = |error| refused(account, error);
        // Whoever runs this is asked for while it still can be told.
        let _ = account::actor();
        let before = SavedIdentity {
            account: account.clone(),
            group: getegid(),
            groups: getgroups().map_err(said)?,
        };
        take_groups(account).map_err(said)?;
        let acting = Self(Some(before));
        setegid(Gid::from_raw(account.gid)).map_err(said)?;
        seteuid(Uid::from_raw(account.uid)).map_err(said)?;
        Ok(acting)
    }

    /// The user that root acts as, if it is another.
    pub(crate) fn account(&self) -> Option<&Account> {
        self.0.as_ref().map(|before| &before.account)
    }
}

impl Drop for ActingAs {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // Where this fails, we are who has fewer rights.
            let _ = seteuid(Uid::from_raw(ROOT));
            let _ = setegid(before.group);
            let _ = setgroups(&before.groups);
        }
    }
}

/// Becomes whoever keeps `path`, for good: not even a fault of SQLite's, in
/// reading what that user wrote, brings root's rights back. Says who that is;
/// none, where nothing changed.
pub(crate) fn become_keeper_of(path: &Path) -> Result<Option<Account>, CliError> {
    let Some(account) = user_to_be(path)? else {
        return Ok(None);
    };
    let _ = account::actor();
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    take_groups(&account)
        .and_then(|()| setresgid(gid, gid, gid))
        .and_then(|()| setresuid(uid, uid, uid))
        .map_err(|error| refused(&account, error))?;
    Ok(Some(account))
}

fn user_to_be(path: &Path) -> Result<Option<Account>, CliError> {
    if Uid::effective().is_root() {
        PathOwner::of(path)?.user()
    } else {
        Ok(None)
    }
}

/// Has the groups of the account in place of root's.
fn take_groups(account: &Account) -> nix::Result<()> {
    let name = CString::new(account.name.as_str()).unwrap_or_default();
    initgroups(&name, Gid::from_raw(account.gid))
}

fn refused(account: &Account, error: nix::Error) -> CliError {
    CliError::Refused(anyhow::Error::new(error).context(format!(
        "could not act as `{name}`; run this as root, or as `{name}`",
        name = account.name
    )))
}

fn walk(path: &Path) -> io::Result<PathOwner> {
    let mut place = PathBuf::from("/");
    let mut left: VecDeque<OsString> = names_of(path).map(OsStr::to_os_string).collect();
    let mut open_to_more = None;
    let mut links: u32 = 0;
    while let Some(name) = left.pop_front() {
        if name == ".." {
            place.pop();
            continue;
        }
        let directory = place.symlink_metadata()?;
        if directory.uid() != ROOT {
            return Ok(user_of(&directory));
        }
        let next = place.join(&name);
        let entry = match next.symlink_metadata() {
            Ok(entry) => Some(entry),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        // In a sticky directory what is root's own stays where it is. Others may
        // put something beside it.
        let is_sticky = directory.mode() & STICKY != 0;
        let is_alone = !left.is_empty() || BESIDE.iter().all(|it| is_roots(&next, it));
        if is_open(&directory) && !(is_sticky && is_alone) {
            open_to_more.get_or_insert_with(|| place.clone());
        }
        let Some(entry) = entry else {
            break;
        };
        if entry.uid() != ROOT {
            return Ok(user_of(&entry));
        }
        if entry.file_type().is_symlink() {
            links = links.saturating_add(1);
            if links > MOST_LINKS {
                return Err(io::Error::from_raw_os_error(nix::libc::ELOOP));
            }
            let target = next.read_link()?;
            if target.is_absolute() {
                place = PathBuf::from("/");
            }
            for name in names_of(&target).collect::<Vec<_>>().into_iter().rev() {
                left.push_front(name.to_os_string());
            }
        } else {
            place = next;
        }
    }
    Ok(open_to_more.map_or(PathOwner::Root, PathOwner::Anyone))
}

/// The names in a path, `..` among them.
fn names_of(path: &Path) -> impl Iterator<Item = &OsStr> {
    path.components().filter_map(|component| match component {
        Component::Normal(_) | Component::ParentDir => Some(component.as_os_str()),
        Component::CurDir | Component::Prefix(_) | Component::RootDir => None,
    })
}

fn user_of(file: &Metadata) -> PathOwner {
    PathOwner::User(Account::of(file.uid(), file.gid()))
}

/// Whether what stands beside `path`, if anything does, is a file of root's.
fn is_roots(path: &Path, suffix: &str) -> bool {
    let mut beside = OsString::from(path);
    beside.push(suffix);
    match Path::new(&beside).symlink_metadata() {
        Ok(file) => file.uid() == ROOT && file.is_file() && file.nlink() == 1,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Whether others than the owner may make entries.
pub(crate) fn is_open(directory: &Metadata) -> bool {
    let mode = directory.mode();
    mode & 0o002 != 0 || (mode & 0o020 != 0 && directory.gid() != ROOT)
}

const ROOT: u32 = 0;
const STICKY: u32 = 0o1000;
/// What the program and SQLite use beside a store.
const BESIDE: [&str; 4] = ["-wal", "-shm", "-journal", ".key"];
/// As many as Linux follows.
const MOST_LINKS: u32 = 40;

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

    use super::*;

    const SOMEBODY: u32 = 4_321;

    fn kept_by(path: &Path) -> Option<u32> {
        match PathOwner::of(path).unwrap() {
            PathOwner::Anyone(_) => None,
            PathOwner::Root => Some(ROOT),
            PathOwner::User(account) => Some(account.uid),
        }
    }

    #[test]
    fn whoever_may_write_a_directory_on_the_way_keeps_what_lies_below() {
        let top = tempfile::tempdir().unwrap();
        if top.path().metadata().unwrap().uid() != ROOT {
            return;
        }
        let theirs = top.path().join("theirs");
        let deep = theirs.join("deep");
        fs::create_dir_all(&deep).unwrap();
        assert_eq!(kept_by(&deep.join("x.db")), Some(ROOT));
        assert_eq!(kept_by(&top.path().join("not/there/x.db")), Some(ROOT));
        chown(&theirs, Some(SOMEBODY), None).unwrap();
        for path in ["x.db", "deep/x.db", "deep/../x.db", "not/there/x.db"] {
            assert_eq!(kept_by(&theirs.join(path)), Some(SOMEBODY), "{path}");
        }
        // By a link, too, whoever made it.
        symlink("theirs/deep", top.path().join("link")).unwrap();
        assert_eq!(kept_by(&top.path().join("link/x.db")), Some(SOMEBODY));
        chown(&theirs, Some(ROOT), None).unwrap();
        assert_eq!(kept_by(&top.path().join("link/x.db")), Some(ROOT));
        // A file of theirs in a directory of root's.
        fs::write(deep.join("x.db"), "").unwrap();
        chown(deep.join("x.db"), Some(SOMEBODY), None).unwrap();
        assert_eq!(kept_by(&deep.join("x.db")), Some(SOMEBODY));
        symlink("a", top.path().join("b")).unwrap();
        symlink("b", top.path().join("a")).unwrap();
        assert!(PathOwner::of(&top.path().join("a/x.db")).is_err());
    }

    #[test]
    fn a_directory_that_is_open_to_more_than_one_has_no_keeper() {
        let top = tempfile::tempdir().unwrap();
        if top.path().metadata().unwrap().uid() != ROOT {
            return;
        }
        let open = top.path().join("open");
        let below = open.join("below");
        fs::create_dir_all(&below).unwrap();
        for (mode, group, inside, further) in [
            (0o755, ROOT, Some(ROOT), Some(ROOT)),
            (0o775, ROOT, Some(ROOT), Some(ROOT)),
            (0o775, SOMEBODY, None, None),
            (0o777, ROOT, None, None),
            (0o1777, ROOT, Some(ROOT), Some(ROOT)),
        ] {
            fs::set_permissions(&open, Permissions::from_mode(mode)).unwrap();
            chown(&open, None, Some(group)).unwrap();
            assert_eq!(kept_by(&open.join("x.db")), inside, "{mode:o}");
            assert_eq!(kept_by(&below.join("x.db")), further, "{mode:o}");
        }
        // Somebody waits beside it.
        let planted = open.join("x.db-journal");
        symlink("nowhere", &planted).unwrap();
        assert_eq!(kept_by(&open.join("x.db")), None);
        fs::remove_file(&planted).unwrap();
        fs::write(&planted, "").unwrap();
        assert_eq!(kept_by(&open.join("x.db")), Some(ROOT));
        chown(&planted, Some(SOMEBODY), None).unwrap();
        assert_eq!(kept_by(&open.join("x.db")), None);
        let error = user_to_be(&open.join("x.db")).unwrap_err();
        assert!(format!("{error:?}").contains("chmod go-w"), "{error:?}");
    }
}
