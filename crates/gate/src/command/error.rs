//! Why a command was not carried out, and the numbers that clients know it by.

use std::borrow::Cow;

/// Why a command was not carried out.
///
/// | number | meaning |
/// |---|---|
/// | -90041 | a code of the second factor is asked for (in enhanced authentication alone, as its source has it) |
/// | -91001 | the message is not JSON of the right form, or too long, or holds too many commands |
/// | -91002 | there is no such command |
/// | -91003 | a parameter is missing or wrong |
/// | -91004 | such a session does not give this command |
/// | -91005 | the session does not administer its tenant |
/// | -91006 | there is no such tenant, role or thing, or not for this session |
/// | -91007 | something stands in the way of it as things are now |
/// | -91008 | too many commands in a second, or too many without an answer |
/// | -91009 | the store can't be used now; try again, or at the centre that is named |
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum CommandError {
    /// The message can't be read.
    Malformed(&'static str),
    /// There is no such command.
    Unknown,
    /// A parameter is missing or wrong.
    Parameter(Cow<'static, str>),
    /// Such a session does not give this command.
    WrongSession(&'static str),
    /// The session does not administer its tenant.
    NotAdmin,
    /// What is named is not there for this session.
    NotFound(&'static str),
    /// As things are now, it can't be done.
    Conflict(Cow<'static, str>),
    /// Too much at once.
    LimitExceeded,
    /// The store can't be used now.
    Unavailable,
    /// It is done at the centre, which this names.
    AtCentre(String),
}

impl CommandError {
    /// The number.
    pub(crate) const fn code(&self) -> i32 {
        match self {
            Self::Malformed(_) => -91_001,
            Self::Unknown => -91_002,
            Self::Parameter(_) => -91_003,
            Self::WrongSession(_) => -91_004,
            Self::NotAdmin => -91_005,
            Self::NotFound(_) => -91_006,
            Self::Conflict(_) => -91_007,
            Self::LimitExceeded => -91_008,
            Self::Unavailable | Self::AtCentre(_) => -91_009,
        }
    }

    /// The words, for people.
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Malformed(why) | Self::WrongSession(why) | Self::NotFound(why) => why,
            Self::Parameter(why) | Self::Conflict(why) => why,
            Self::AtCentre(why) => why,
            Self::Unknown => "there is no such command",
            Self::NotAdmin => "the session does not administer its tenant",
            Self::LimitExceeded => "too many commands at once; wait for the answers",
            Self::Unavailable => "the store can't be used now; try again",
        }
    }
}
