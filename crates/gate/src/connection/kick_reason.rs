//! Why a session is ended.

use countersign_core::reason::Reason;

/// Why a session is ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum KickReason {
    /// Its credential is no more.
    Deleted,
    /// Its tenant asks for a login now.
    LoginRequired,
    /// A CONNECT like its own would now be refused.
    Refused(Reason),
    /// What was given out before it must stop working.
    Replaced,
    /// An administrator asked for it.
    Requested,
    /// Its tenant grants the user nothing any more.
    Ungranted,
    /// What is stored about it can't be read.
    Unreadable,
}

impl KickReason {
    /// Says whether the credential is gone for good, so that nothing that was
    /// stored for it may be kept.
    pub(crate) fn is_final(self) -> bool {
        match self {
            Self::Deleted | Self::Refused(Reason::Revoked) | Self::Ungranted => true,
            Self::LoginRequired
            | Self::Refused(_)
            | Self::Replaced
            | Self::Requested
            | Self::Unreadable => false,
        }
    }

    /// What it says to who asks about the session.
    pub(crate) fn reason(self) -> Reason {
        match self {
            Self::Deleted => Reason::UnknownName,
            Self::LoginRequired | Self::Requested => Reason::Unauthenticated,
            Self::Refused(reason) => reason,
            Self::Replaced => Reason::BadSecret,
            Self::Ungranted => Reason::UnknownTenant,
            Self::Unreadable => Reason::StoreUnavailable,
        }
    }
}

impl core::fmt::Display for KickReason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Deleted => f.write_str("deleted"),
            Self::LoginRequired => f.write_str("a login is required now"),
            Self::Refused(reason) => reason.fmt(f),
            Self::Replaced => f.write_str("its secret was replaced or it was suspended meanwhile"),
            Self::Requested => f.write_str("asked for"),
            Self::Ungranted => f.write_str("its tenant grants it nothing any more"),
            Self::Unreadable => {
                f.write_str("its record can't be read; `countersign doctor` names what is damaged")
            }
        }
    }
}
