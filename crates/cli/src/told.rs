//! What acts are told as: the sessions that end by them, the rules that they change.

use countersign_admin::password::ChosenPassword;
use countersign_admin::rule::RuleChange;
use countersign_admin::{AdminError, Command, Permission, Tx};
use countersign_core::name::LoginName;

/// An act by which all live sessions of a name end. It says how many.
pub(crate) struct Ending<C> {
    pub(crate) name: LoginName,
    pub(crate) act: C,
}

impl<C: Command> Command for Ending<C> {
    type Output = (C::Output, u64);

    fn needs(&self) -> Permission {
        self.act.needs()
    }

    fn passwords(&self) -> Vec<&ChosenPassword> {
        self.act.passwords()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Self::Output, AdminError> {
        let ended = match tx.credential(&self.name)? {
            Some(found) => {
                let sessions = tx.presence_of_credential(found.id)?;
                sessions.iter().filter(|session| session.is_alive).count()
            }
            None => 0,
        };
        let done = tx.run(&self.act)?;
        Ok((done, u64::try_from(ended).unwrap_or(u64::MAX)))
    }
}

/// What was done, and how many sessions it ended, if any.
pub(crate) fn told(done: &str, ended: u64) -> String {
    match ended {
        0 => done.into(),
        1 => format!("{done} · 1 session ended"),
        _ => format!("{done} · {ended} sessions ended"),
    }
}

/// What a change of rules does, as it is told behind a name.
pub(crate) fn change_in_words(change: &RuleChange) -> String {
    match change {
        RuleChange::Add(rule) => format!("has a rule more: {rule}"),
        RuleChange::Remove {
            action, pattern, ..
        } => format!("has no rule any more for {action} {pattern}"),
    }
}
