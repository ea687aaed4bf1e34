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

/// Who acts, as the audit writes it: the account that the program runs as, and who
/// logged in, as the kernel knows it, where that is another.
///
/// It is who ran the program, whomever root acts as by then.
pub(crate) fn actor() -> String {
    static ACTOR: OnceLock<String> = OnceLock::new();
    ACTOR.get_or_init(find_actor).clone()
}

fn find_actor() -> String {
    let account = Account::of(Uid::current().as_raw(), 0);
    let login = std::fs::read_to_string(LOGIN_UID).ok();
    let login = login.and_then(|text| login_uid(&text));
    let login = login.map(|uid| Account::of(uid, 0));
    let hint = std::env::var("SUDO_USER").ok();
    let hint = hint.and_then(|name| Account::find(&name));
    actor_of(&account, login.as_ref(), hint.as_ref())
}

/// Whoever runs a program sets its environment: what `SUDO_USER` says is no more than a
/// hint, and is told as one, where root acts and the kernel knows of no login.
fn actor_of(account: &Account, login: Option<&Account>, hint: Option<&Account>) -> String {
    let name = &account.name;
    match (login, hint) {
        (Some(login), _) if login.uid != account.uid => format!("cli:{} as {name}", login.name),
        (None, Some(hint)) if account.is_root() && hint.uid != account.uid => {
            format!("cli:{name} (SUDO_USER is {})", hint.name)
        }
        (Some(_) | None, _) => format!("cli:{name}"),
    }
}

/// The number of the account that logged in; none where the kernel knows of no login,
/// as in a service or a container.
fn login_uid(text: &str) -> Option<u32> {
    let uid = text.trim_end().parse().ok()?;
    (uid != u32::MAX).then_some(uid)
}

/// What the kernel says of the login that this process came from. It is set once, when
/// somebody logs in, and no program without that right changes it.
const LOGIN_UID: &str = "/proc/self/loginuid";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_logged_in_is_named_beside_who_they_act_as_and_a_hint_only_without_a_login() {
        let account = |name: &str, uid| Account {
            name: name.into(),
            uid,
            gid: uid,
        };
        let (root, jane, joe) = (account("root", 0), account("jane", 7), account("joe", 8));
        for (account, login, hint, actor) in [
            (&root, None, None, "cli:root"),
            (&jane, None, None, "cli:jane"),
            (&root, Some(&jane), None, "cli:jane as root"),
            (&root, Some(&jane), Some(&joe), "cli:jane as root"),
            (&jane, Some(&jane), Some(&joe), "cli:jane"),
            (&root, Some(&root), Some(&joe), "cli:root"),
            (&root, None, Some(&joe), "cli:root (SUDO_USER is joe)"),
            (&jane, None, Some(&joe), "cli:jane"),
            (&root, None, Some(&root), "cli:root"),
        ] {
            assert_eq!(actor_of(account, login, hint), actor);
        }
    }

    #[test]
    fn a_login_that_the_kernel_does_not_know_is_none() {
        for (text, uid) in [
            ("1000", Some(1_000)),
            ("0\n", Some(0)),
            ("4294967295", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(login_uid(text), uid, "{text}");
        }
    }
}
