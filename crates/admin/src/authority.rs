//! The authority of a caller over a tenant.

use countersign_core::credential::CredentialId;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::store::{AdminTransaction, StoreError};
use countersign_core::time::Timestamp;

/// The authority of a caller over a tenant.
///
/// A caller that may open the store may do everything. A caller that acts
/// through a session must administer the tenant, which is looked up in the
/// act's own transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Authority {
    /// By that of the store's owner.
    CommandLine,
    /// By that of the principal whose session it is.
    Session(CredentialId),
}

impl Authority {
    /// Checks the right to administer `tenant` at `now`.
    pub(crate) fn check<T: AdminTransaction>(
        self,
        transaction: &mut T,
        tenant: &TenantId,
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        match self {
            Self::CommandLine => Ok(()),
            Self::Session(id) => check_admin(transaction, id, tenant, now),
        }
    }
}

/// Checks that a principal administers `tenant` at `now`.
pub(crate) fn check_admin<T: AdminTransaction>(
    transaction: &mut T,
    principal: CredentialId,
    tenant: &TenantId,
    now: Timestamp,
) -> Result<(), AuthorityError> {
    let Some(credential) = transaction.credential_by_id(principal)? else {
        return Err(AuthorityError::Gone);
    };
    if credential.is_org_admin_of(tenant) && credential.is_in_force(now).is_ok() {
        return Ok(());
    }
    Err(AuthorityError::NotAdmin {
        name: credential.name,
        tenant: tenant.clone(),
    })
}

/// Why a caller may not act on a tenant.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// The caller no longer exists.
    #[error("whoever asks for it was deleted")]
    Gone,
    /// They do not administer it.
    #[error("`{name}` does not administer tenant `{tenant}`")]
    NotAdmin {
        /// Who.
        name: LoginName,
        /// The tenant.
        tenant: TenantId,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
