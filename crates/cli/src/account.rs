//! Accounts of the operating system: who runs this, and whom files belong to.

use std::sync::OnceLock;

use nix::unistd::{Uid, User};

use crate::error::CliError;

/// An account that files can be given to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Account {
    /// Its name.
    pub(crate) name: String,
    /// Its number.
    pub(crate) uid: u32,
    /// The number of its first group.
    pub(crate) gid: u32,
}

impl Account {
    /// The account called `name`; none if there is none.
    pub(crate) fn find(name: &str) -> Option<Self> {
        User::from_name(name).ok().flatten().map(Into::into)
    }

    /// The account with this number; where it has no name, called by it.
    pub(crate) fn of(uid: u32, gid: u32) -> Self {
        match User::from_uid(Uid::from_raw(uid)).ok().flatten() {
            Some(user) => user.into(),
            None => Self {
                name: uid.to_string(),
                uid,
                gid,
            },
        }
    }

    /// The account called `name`, which must be there.
    pub(crate) fn require(name: &str) -> Result<Self, CliError> {
        Self::find(name)
            .ok_or_else(|| CliError::refused(format!("there is no user `{name}` on this machine")))
    }

    /// Says whether the account is root, whom no mode holds back.
    pub(crate) fn is_root(&self) -> bool {
        self.uid == 0
    }
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        }
    }
}

/// Who acts, as the audit writes it. Behind `sudo` that is who called it.
///
/// It is who ran the program, whomever root acts as by then.
pub(crate) fn actor() -> String {
    static ACTOR: OnceLock<String> = OnceLock::new();
    ACTOR.get_or_init(find_actor).clone()
}

fn find_actor() -> String {
    let caller = Uid::current();
    let behind_sudo = if caller.is_root() {
        std::env::var("SUDO_USER")
            .ok()
            .and_then(|name| Account::find(&name))
    } else {
        None
    };
    let account = behind_sudo.unwrap_or_else(|| Account::of(caller.as_raw(), 0));
    format!("cli:{}", account.name)
}
