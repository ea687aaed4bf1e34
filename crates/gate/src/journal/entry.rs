//! What is written down besides presence.

use std::sync::Arc;

use countersign_core::audit::AuditEntry;
use countersign_core::ban::Ban;
use countersign_core::broker::ListenerOptions;
use countersign_core::change::KickRequestId;
use countersign_core::client_id::ClientId;
use countersign_core::credential::Credential;
use countersign_core::name::TenantId;
use countersign_core::reason::Reason;
use countersign_core::secret::{PasswordHash, SecretId};
use countersign_core::time::Timestamp;

use crate::cache::credential_cache::CredentialCache;
use crate::journal::undos::WaitingUndo;

/// Something to write down that is no observation.
pub(crate) enum JournalEntry {
    /// The gate did something that is no login.
    Acted(Box<AuditEntry>),
    /// So many logins failed somewhere that it is to be banned.
    Banned(Box<Ban>),
    /// The broker has other options now.
    Described(Box<ListenerOptions>),
    /// A request to kick was carried out.
    Kicked(KickRequestId),
    /// A user works in another tenant now.
    Moved(Box<Moved>),
    /// A login was refused.
    Refused(RefusedLogin),
    /// Much that is to be dropped, which takes a while.
    Discarded(Box<CredentialCache>),
    /// A password that was verified was hashed anew.
    Rehashed(Rehashed),
    /// The store is another; who is connected is told anew.
    Reopened,
    /// A login was not let in, and what it recorded could not be undone at once.
    Undone(Arc<WaitingUndo>),
}

/// A user who works in another tenant now.
pub(crate) struct Moved {
    pub(crate) user: Arc<Credential>,
    /// The secret that proved the session.
    pub(crate) secret: SecretId,
    pub(crate) tenant: TenantId,
    pub(crate) client_id: ClientId,
    /// Whether there is a stored session that works there from now on.
    pub(crate) is_stored: bool,
    pub(crate) at: Timestamp,
}

/// A new hash of a password.
pub(crate) struct Rehashed {
    pub(crate) secret: SecretId,
    pub(crate) old: PasswordHash,
    pub(crate) new: PasswordHash,
}

/// A refused login.
pub(crate) struct RefusedLogin {
    pub(crate) at: Timestamp,
    pub(crate) subject: String,
    pub(crate) address: Option<String>,
    /// The client id, as it may be shown.
    pub(crate) client_id: String,
    pub(crate) cause: Reason,
    /// The tenant of its name, if it is known; for counts alone.
    pub(crate) tenant: Option<TenantId>,
    /// What else there is to know about the cause, as JSON.
    pub(crate) about: Option<String>,
}
