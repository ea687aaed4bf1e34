//! The change log: what changed in the store, in order. Brokers follow it.

use crate::credential::CredentialId;
use crate::name::TenantId;

/// The place of a change in the log; grows by one with each.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ChangeSeq(pub i64);

/// What changed. Where the log can't say, everything may have.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Change {
    /// A credential was made, changed or deleted.
    Credential(CredentialId),
    /// Anything may have changed: judge every session again.
    Everything,
    /// An administrator asked for a live session to be ended.
    KickRequested(KickRequestId),
    /// A tenant was made, changed or deleted.
    Tenant(TenantId),
}

/// The number of a request to end a live session.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KickRequestId(pub i64);
