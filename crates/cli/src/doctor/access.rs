//! Whether an account may use a file, going by its owner, group and mode.

use std::ffi::CString;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::unistd::{Gid, getgrouplist};

use super::Problem;
use crate::account::Account;

/// What somebody wants of a file or directory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NeededAccess {
    /// To pass through a directory.
    Pass,
    /// To read a file.
    Read,
    /// To read and write a file.
    Write,
    /// To make files in a directory.
    Make,
}

impl NeededAccess {
    fn bits(self) -> u32 {
        match self {
            Self::Pass => 0o1,
            Self::Read => 0o4,
            Self::Write => 0o6,
            Self::Make => 0o3,
        }
    }
}

/// An account and its groups.
pub(super) struct BrokerUser<'a> {
    account: &'a Account,
    groups: Vec<u32>,
}

impl<'a> BrokerUser<'a> {
    pub(super) fn new(account: &'a Account) -> Self {
        let groups = CString::new(account.name.as_str())
            .ok()
            .and_then(|name| getgrouplist(&name, Gid::from_raw(account.gid)).ok())
            .map(|groups| groups.into_iter().map(Gid::as_raw).collect());
        Self {
            account,
            groups: groups.unwrap_or_else(|| vec![account.gid]),
        }
    }

    /// The account's name.
    pub(super) fn name(&self) -> &str {
        &self.account.name
    }

    /// Says whether the account may do that with this file.
    pub(super) fn may(&self, want: NeededAccess, file: &Metadata) -> bool {
        if self.account.is_root() {
            return true;
        }
        let mode = file.mode();
        let granted = if file.uid() == self.account.uid {
            mode >> 6
        } else if self.groups.contains(&file.gid()) {
            mode >> 3
        } else {
            mode
        };
        granted & want.bits() == want.bits()
    }

    /// Checks that the account can get to `path` through what is above it.
    pub(super) fn reach(&self, path: &Path) -> Result<(), Problem> {
        for directory in path.ancestors().skip(1) {
            let Ok(metadata) = directory.metadata() else {
                continue;
            };
            if !self.may(NeededAccess::Pass, &metadata) {
                let (directory, name) = (directory.display(), &self.account.name);
                return Err(Problem::new(
                    format!("`{name}` can't pass through `{directory}`"),
                    format!("chmod a+x {directory}, or keep the store elsewhere"),
                ));
            }
        }
        Ok(())
    }
}
