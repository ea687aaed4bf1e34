//! The life of a credential: four states and the acts that lead from one to
//! the next.

use core::fmt;

use crate::given::Given;

/// Where a credential stands in its life.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum State {
    /// Made, and never used.
    Inactive,
    /// Used at least once.
    Active,
    /// Stopped for now; can be reactivated.
    Suspended,
    /// Stopped for good.
    Revoked,
}

impl State {
    /// All states, in the order of a life.
    pub const ALL: [Self; 4] = [Self::Inactive, Self::Active, Self::Suspended, Self::Revoked];

    /// Parses a state as it is written in listings: `Inactive`, `Active`,
    /// `Suspended`, `Revoked`.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, StateError> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| StateError(text.into()))
    }

    /// The state as it is written in listings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "Inactive",
            Self::Active => "Active",
            Self::Suspended => "Suspended",
            Self::Revoked => "Revoked",
        }
    }

    /// Applies `act` and returns the state that follows.
    ///
    /// # Errors
    ///
    /// Returns [`TransitionError`] when the act has no meaning in this state;
    /// the credential stays as it was.
    pub fn after(self, act: Act) -> Result<Self, TransitionError> {
        match (self, act) {
            (Self::Inactive | Self::Active, Act::Authenticate) => Ok(Self::Active),
            (Self::Inactive | Self::Active, Act::Suspend) => Ok(Self::Suspended),
            (Self::Suspended, Act::Reactivate { ever_used: true }) => Ok(Self::Active),
            (Self::Suspended, Act::Reactivate { ever_used: false }) => Ok(Self::Inactive),
            (Self::Inactive | Self::Active | Self::Suspended, Act::Revoke) => Ok(Self::Revoked),
            (Self::Inactive | Self::Active | Self::Suspended, Act::ResetPassword | Act::Rotate) => {
                Ok(self)
            }
            (Self::Inactive | Self::Active, Act::Reactivate { .. })
            | (Self::Suspended, Act::Authenticate | Act::Suspend)
            | (
                Self::Revoked,
                Act::Authenticate
                | Act::Reactivate { .. }
                | Act::ResetPassword
                | Act::Revoke
                | Act::Rotate
                | Act::Suspend,
            ) => Err(TransitionError { from: self, act }),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What can happen to a credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Act {
    /// A client proved that it knows the secret.
    Authenticate,
    /// An administrator lifts a suspension.
    Reactivate {
        /// Whether any client ever authenticated with it.
        ever_used: bool,
    },
    /// An administrator replaces the secret at once.
    ResetPassword,
    /// An administrator stops it for good.
    Revoke,
    /// An administrator adds a new secret, the old one going with or without
    /// an overlap.
    Rotate,
    /// An administrator stops it for now.
    Suspend,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authenticate => "authenticate",
            Self::Reactivate { .. } => "reactivate",
            Self::ResetPassword => "reset the password of",
            Self::Revoke => "revoke",
            Self::Rotate => "rotate",
            Self::Suspend => "suspend",
        })
    }
}

/// An act that has no meaning in a state.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("cannot {act} a credential that is {from}")]
pub struct TransitionError {
    /// The state it is in, and stays in.
    pub from: State,
    /// What was tried.
    pub act: Act,
}

/// A text is not a valid state.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is not a valid state; write `Inactive`, `Active`, `Suspended` or `Revoked`")]
pub struct StateError(Given);

#[cfg(test)]
mod tests {
    use super::*;

    /// The life cycle as a list, written apart from the `match` above.
    const LISTED: [(State, Act, State); 16] = {
        use Act::{Authenticate, Reactivate, ResetPassword, Revoke, Rotate, Suspend};
        use State::{Active, Inactive, Revoked, Suspended};
        [
            (Inactive, Authenticate, Active),
            (Active, Authenticate, Active),
            (Inactive, Suspend, Suspended),
            (Active, Suspend, Suspended),
            (Suspended, Reactivate { ever_used: true }, Active),
            (Suspended, Reactivate { ever_used: false }, Inactive),
            (Inactive, Revoke, Revoked),
            (Active, Revoke, Revoked),
            (Suspended, Revoke, Revoked),
            (Inactive, ResetPassword, Inactive),
            (Active, ResetPassword, Active),
            (Suspended, ResetPassword, Suspended),
            (Inactive, Rotate, Inactive),
            (Active, Rotate, Active),
            (Suspended, Rotate, Suspended),
            (Suspended, Revoke, Revoked),
        ]
    };

    #[test]
    fn the_listed_transitions_and_no_others_happen() {
        let acts = [
            Act::Authenticate,
            Act::Reactivate { ever_used: false },
            Act::Reactivate { ever_used: true },
            Act::ResetPassword,
            Act::Revoke,
            Act::Rotate,
            Act::Suspend,
        ];
        for from in State::ALL {
            for act in acts {
                let listed = LISTED
                    .iter()
                    .find(|(state, does, _)| (*state, *does) == (from, act));
                let expected = listed
                    .map(|(_, _, to)| *to)
                    .ok_or(TransitionError { from, act });
                assert_eq!(from.after(act), expected, "{from} {act}");
            }
        }
    }

    #[test]
    fn nothing_leaves_revoked() {
        for act in [
            Act::Authenticate,
            Act::Reactivate { ever_used: true },
            Act::Revoke,
            Act::Suspend,
        ] {
            assert!(State::Revoked.after(act).is_err());
        }
    }

    #[test]
    fn a_state_reads_back_as_it_was_written() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Ok(state));
        }
        assert!(State::parse("active").is_err());
    }
}
