//! The store's files: whose they are, and who else could touch them.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::access::{BrokerUser, NeededAccess};
use super::{Problem, Report};
use crate::account::Account;
use crate::store_files::{beside, key_of};

pub(super) fn check(report: &mut Report, store: &Path, user: Option<&Account>) {
    let Ok(file) = store.metadata() else {
        // That there is none is found where it is opened.
        return;
    };
    report.note("mode", only_for_its_owner(store, &file));
    if let Some(user) = user {
        report.note("owner", belongs_to(store, user));
        report.note("directory", has_room_beside(store, user));
    }
    report.note("key", key_is_safe(&key_of(store), user));
    report.note("disk", has_free_space(store));
}

/// Checks that the broker can use the store, and the files that SQLite keeps
/// beside it.
fn belongs_to(store: &Path, user: &Account) -> Result<(), Problem> {
    let visitor = BrokerUser::new(user);
    for path in ["", "-wal", "-shm"].map(|suffix| beside(store, suffix)) {
        if let Ok(file) = path.metadata()
            && !visitor.may(NeededAccess::Write, &file)
        {
            return Err(foreign(&path, &file, user));
        }
    }
    Ok(())
}

fn foreign(path: &Path, file: &Metadata, user: &Account) -> Problem {
    let owner = Account::of(file.uid(), file.gid()).name;
    let (path, name) = (path.display(), &user.name);
    Problem::new(
        format!(
            "`{path}` belongs to `{owner}`, and the broker, which runs as `{name}`, can't use it"
        ),
        format!("chown {name}: {path}"),
    )
}

fn only_for_its_owner(path: &Path, file: &Metadata) -> Result<(), Problem> {
    let mode = file.mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(Problem::new(
        format!("`{path}` is open to others: its mode is {mode:04o}"),
        format!("chmod 0600 {path}"),
    ))
}

/// Checks that the broker can make files beside the store, as SQLite does, and
/// that strangers can't replace it.
fn has_room_beside(store: &Path, user: &Account) -> Result<(), Problem> {
    let directory = directory_of(store);
    let visitor = BrokerUser::new(user);
    visitor.reach(store)?;
    let Ok(metadata) = directory.metadata() else {
        return Ok(());
    };
    let (shown, name) = (directory.display(), &user.name);
    if !visitor.may(NeededAccess::Make, &metadata) {
        return Err(Problem::new(
            format!("`{name}` can't write `{shown}`, where SQLite keeps files beside the store"),
            format!("chown {name}: {shown}"),
        ));
    }
    let (open_to_all, sticky) = (metadata.mode() & 0o002 != 0, metadata.mode() & 0o1000 != 0);
    if open_to_all && !sticky {
        return Err(Problem::new(
            format!("anybody can replace the store, as `{shown}` is open to all"),
            format!("chmod 0750 {shown}"),
        ));
    }
    Ok(())
}

fn key_is_safe(key: &Path, user: Option<&Account>) -> Result<(), Problem> {
    let Ok(file) = key.metadata() else {
        let key = key.display();
        return Err(Problem::new(
            format!(
                "the key file `{key}` is missing; second factors and tokens need what is sealed \
                 with it"
            ),
            "restore it from a backup",
        ));
    };
    if let Some(user) = user
        && !BrokerUser::new(user).may(NeededAccess::Read, &file)
    {
        return Err(foreign(key, &file, user));
    }
    only_for_its_owner(key, &file)
}

fn has_free_space(store: &Path) -> Result<(), Problem> {
    let Ok(disk) = nix::sys::statvfs::statvfs(directory_of(store)) else {
        return Ok(());
    };
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    let size = store.metadata().map_or(0, |file| file.len());
    is_enough_space(free, size)
}

/// Whether `free` bytes are enough under a store of `size` bytes. What part of the disk
/// that is tells nothing: a twentieth of a large disk holds any store.
fn is_enough_space(free: u64, size: u64) -> Result<(), Problem> {
    let problem = || {
        let megabytes = free.checked_div(MEGABYTE).unwrap_or(0);
        format!("only {megabytes} MB are free on the disk under the store")
    };
    if free < LEAST_FREE {
        return Err(Problem::new(
            problem(),
            "free some space; when the disk is full, logins that must be recorded are refused",
        ));
    }
    if free < LEAST_FREE.saturating_add(size) {
        return Err(Problem::warning(
            problem(),
            "free some space; an upgrade and `countersign backup` make a copy of the store",
        ));
    }
    Ok(())
}

fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

const MEGABYTE: u64 = 1_000_000;
const LEAST_FREE: u64 = 100 * MEGABYTE;

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_disk_is_short_of_space_by_what_a_store_needs_and_not_by_its_own_size() {
        for (free, size, expected) in [
            (12_000 * MEGABYTE, 2_000 * MEGABYTE, None),
            (101 * MEGABYTE, MEGABYTE, None),
            (101 * MEGABYTE, 2 * MEGABYTE, Some(Level::Warn)),
            (100 * MEGABYTE, MEGABYTE, Some(Level::Warn)),
            (99 * MEGABYTE, 0, Some(Level::Fail)),
            (0, u64::MAX, Some(Level::Fail)),
        ] {
            let found = is_enough_space(free, size).err().map(|found| found.level);
            assert_eq!(found, expected, "{free} free, a store of {size}");
        }
    }
}
