//! What goes with a credential that is added or deleted.

use super::LedgerTransaction;
use crate::credential::{Credential, CredentialId};
use crate::kind::Kind;
use crate::store::StoreError;

/// Adds a credential. A thing needs an application of its tenant.
pub(super) fn add<T: LedgerTransaction + ?Sized>(
    transaction: &mut T,
    credential: &Credential,
) -> Result<CredentialId, StoreError> {
    match &credential.kind {
        Kind::Thing(thing) => {
            let is_there = match &credential.tenant {
                Some(tenant) => transaction.has_application(tenant, thing.application)?,
                None => false,
            };
            if !is_there {
                return Err(StoreError::gone("add a credential", "the application"));
            }
        }
        Kind::User(_) => transaction.mark_lockout(&credential.name, true)?,
        Kind::Application(_) | Kind::Bearer | Kind::Device | Kind::Operator => {}
    }
    transaction.insert_credential(credential)
}

/// Deletes a credential.
///
/// What was counted against a user's address stays: who watches from outside must
/// not learn from a lock that ends that the address got a user or lost one.
pub(crate) fn delete<T: LedgerTransaction + ?Sized>(
    transaction: &mut T,
    id: CredentialId,
) -> Result<(), StoreError> {
    if let Some(name) = transaction.name_of(id)? {
        transaction.mark_lockout(&name, false)?;
    }
    transaction.remove_credential(id)
}
