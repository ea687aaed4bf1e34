//! State that only some sessions need.

use countersign_core::connect::Method;
use countersign_core::credential::CredentialId;
use countersign_core::name::{GroupPath, LoginName};
use countersign_core::time::Timestamp;

/// State that only some sessions need.
#[derive(Debug, Default)]
pub(crate) struct SessionExtension {
    /// Whether it began by enhanced authentication, so that it has no password
    /// to show again.
    pub(crate) is_enhanced: bool,
    /// When it ends by itself, as far as that was said since it began.
    pub(crate) ends_at: Option<Timestamp>,
    /// The things that are bound to it.
    pub(crate) children: Vec<Child>,
    /// The groups whose roles it has besides its own.
    pub(crate) groups: Box<[GroupPath]>,
    /// What it asked for by commands.
    pub(crate) command_rate: CommandRate,
}

/// A thing that is bound to the session of another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Child {
    pub(crate) id: CredentialId,
    pub(crate) key: LoginName,
}

/// How much a session asked for by commands.
#[derive(Debug, Default)]
pub(crate) struct CommandRate {
    /// Messages whose answer is not sent yet.
    pub(crate) open: usize,
    /// The second that `now` is in.
    since: Option<Timestamp>,
    /// Commands in it.
    commands: usize,
}

impl CommandRate {
    /// Takes note of so many commands at `now`; says whether there may be so
    /// many.
    pub(crate) fn admits(&mut self, commands: usize, now: Timestamp) -> bool {
        let is_over = self
            .since
            .is_none_or(|since| now < since || now.since(since) >= WINDOW);
        if is_over {
            self.since = Some(now);
            self.commands = 0;
        }
        self.commands = self.commands.saturating_add(commands);
        self.commands <= MOST_COMMANDS && self.open < MOST_OPEN
    }
}

impl SessionExtension {
    /// What a session has from its beginning.
    pub(crate) fn of(method: &Method, groups: Box<[GroupPath]>) -> Option<Box<Self>> {
        let is_enhanced = match method {
            Method::Enhanced { .. } | Method::Token => true,
            Method::Plain => false,
        };
        (is_enhanced || !groups.is_empty()).then(|| {
            Box::new(Self {
                is_enhanced,
                groups,
                ..Self::default()
            })
        })
    }
}

/// So long a session's commands are counted together.
const WINDOW: core::time::Duration = core::time::Duration::from_secs(1);
const MOST_COMMANDS: usize = 64;
const MOST_OPEN: usize = 16;

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn a_session_asks_for_so_much_in_a_second_and_not_more() {
        let mut command_rate = CommandRate::default();
        assert!(command_rate.admits(32, NOW) && command_rate.admits(32, NOW));
        assert!(!command_rate.admits(1, NOW.plus(Duration::from_millis(999))));
        assert!(command_rate.admits(64, NOW.plus(Duration::from_secs(1))));
        // A clock that was set back is no punishment.
        assert!(command_rate.admits(1, NOW));
    }

    #[test]
    fn whoever_has_many_answers_to_come_waits_for_them() {
        let mut command_rate = CommandRate {
            open: MOST_OPEN,
            ..CommandRate::default()
        };
        assert!(!command_rate.admits(1, NOW));
        command_rate.open = MOST_OPEN.saturating_sub(1);
        assert!(command_rate.admits(1, NOW));
    }
}
