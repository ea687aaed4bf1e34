//! What each command prints, by the keys of it.

use super::Command;
use crate::keys::{DOCTOR, PATH, SETTINGS, Shows, WHY};

impl Command {
    /// What is printed.
    pub(super) fn shows(&self) -> Shows {
        match self {
            Self::Application { command } => command.shows(),
            Self::Audit { command } => command.shows(),
            Self::Backup(_) | Self::Init(_) | Self::Man(_) | Self::Restore(_) => {
                Shows::all_of(&[PATH])
            }
            Self::Ban { command } => command.shows(),
            Self::Broker { command } => command.shows(),
            Self::Ca { command } => command.shows(),
            Self::Certificate { command } => command.shows(),
            Self::Check(check) => check.shows(),
            Self::Clients { command } => command.shows(),
            Self::Completions(_) => Shows::NOTHING,
            #[cfg(feature = "serve")]
            Self::Follow(_) | Self::Serve(_) => Shows::NOTHING,
            Self::Credential { command } => command.shows(),
            Self::Doctor(_) => Shows::all_of(&[DOCTOR]),
            Self::Export(export) => export.shows(),
            Self::Fleet { command } => command.shows(),
            Self::Follower(command) => command.shows(),
            Self::Hook { command } => command.shows(),
            Self::Import { command } => command.shows(),
            Self::Issuer { command } => command.shows(),
            Self::Jwt { command } => command.shows(),
            Self::Limit { command } => command.shows(),
            Self::Operator { command } => command.shows(),
            Self::Role { command } => command.shows(),
            Self::Scheme { command } => command.shows(),
            Self::Settings { .. } => Shows::all_of(&[SETTINGS]),
            Self::Tenant { command } => command.shows(),
            Self::Thing { command } => command.shows(),
            Self::Token { command } => command.shows(),
            Self::User { command } => command.shows(),
            Self::Why(_) => Shows::all_of(&[WHY]),
        }
    }
}
