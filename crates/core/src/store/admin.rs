//! What administrative acts are made of.

use super::StoreError;
use super::rows::{ControlNoteRows, HookRows, ImportRows, RoleRows};
use crate::audit::{AuditChain, AuditEntry};
use crate::change::Change;
use crate::client_id::ClientIdTie;
use crate::credential::CredentialId;
use crate::ledger::{Durability, LedgerTransaction, client_ids, credentials, presence};
use crate::metrics::BrokerMetrics;
use crate::name::TenantId;
use crate::seal::SealKey;
use crate::time::Timestamp;

/// What administrative acts are made of.
pub trait AdminStore {
    /// One act, or one look.
    type Transaction<'a>: AdminTransaction
    where
        Self: 'a;

    /// Begins a transaction that sees one state of the store and, with
    /// [`Intent::Write`], alone may change it. Waits a bounded time for the
    /// lock.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] of kind `Busy` when the lock was not to be had,
    /// and of another kind when the store can't be used.
    fn begin(&mut self, intent: Intent) -> Result<Self::Transaction<'_>, StoreError>;

    /// Makes all that was committed so far survive a power failure.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the disk did not take it; it stands all the same.
    fn sync_commits(&mut self) -> Result<(), StoreError>;
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Intent {
    /// To look.
    Read,
    /// To act.
    Write,
}

/// One transaction of an administrator, on all rows of a store. Dropped without
/// [`AdminTransaction::commit`], it never happened.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written. [`seal_key`](Self::seal_key) and
/// [`broker_metrics`](Self::broker_metrics) are all that a store has to write itself.
pub trait AdminTransaction:
    ControlNoteRows + HookRows + ImportRows + LedgerTransaction + RoleRows
{
    /// What seeds and private keys are sealed with, from the file beside the
    /// store; none where it is missing or no such file.
    fn seal_key(&self) -> Option<SealKey>;

    /// What a broker counted since it started; none of one that is not alive, or that
    /// has put nothing where it can be read.
    fn broker_metrics(&self, broker: &str) -> Option<BrokerMetrics>;

    /// Deletes a credential with all that belongs to it.
    ///
    /// # Errors
    ///
    /// See [`AdminTransaction`]; also when there is no such credential.
    fn delete_credential(&mut self, id: CredentialId) -> Result<(), StoreError> {
        credentials::delete(self, id)
    }

    /// Deletes up to `most` credentials of a tenant, things before their
    /// applications, and says which; what belongs to them goes with them.
    ///
    /// # Errors
    ///
    /// See [`AdminTransaction`].
    fn delete_some_credentials(
        &mut self,
        tenant: &TenantId,
        most: usize,
    ) -> Result<Vec<CredentialId>, StoreError> {
        // All things of an application go with it, which may be very many.
        let mut deleted = self.remove_things_of(tenant, most)?;
        let left = most.saturating_sub(deleted.len());
        deleted.append(&mut self.remove_credentials_of(tenant, left)?);
        Ok(deleted)
    }

    /// Deletes a tenant with all that belongs to it. If there is one of this name
    /// again, it does not inherit what unauthenticated clients left in this one.
    ///
    /// # Errors
    ///
    /// See [`AdminTransaction`]; also when there is no such tenant.
    fn delete_tenant(&mut self, id: &TenantId) -> Result<(), StoreError> {
        self.release_unauthenticated(id)?;
        self.remove_tenant(id)
    }

    /// Gives up a client id on behalf of its holder; it can be taken with a
    /// clean start from then on.
    ///
    /// # Errors
    ///
    /// See [`AdminTransaction`].
    fn release_client_id(&mut self, id: &ClientIdTie) -> Result<(), StoreError> {
        client_ids::release(self, id)
    }

    /// Clears a part of what a broker that is gone left behind as connected; says
    /// whether that was all. Stored sessions among it count as used until `now`.
    ///
    /// # Errors
    ///
    /// See [`AdminTransaction`].
    fn clear_some_presence(&mut self, broker: &str, now: Timestamp) -> Result<bool, StoreError> {
        presence::clear_some(self, broker, now)
    }

    /// Commits the act together with its audit row and its changes; synced to
    /// disk when it returns.
    ///
    /// # Errors
    ///
    /// See [`AdminTransaction`]; nothing was written then.
    fn commit(self, audit: &[AuditEntry], changes: &[Change]) -> Result<(), StoreError>
    where
        Self: Sized,
    {
        self.commit_act(audit, changes, Durability::PowerFailure)
    }

    /// Commits the act together with its audit row and its changes. Of many acts in
    /// a row, [`AdminStore::sync_commits`] syncs all at once.
    ///
    /// # Errors
    ///
    /// See [`AdminTransaction`]; nothing was written then.
    fn commit_act(
        mut self,
        audit: &[AuditEntry],
        changes: &[Change],
        durability: Durability,
    ) -> Result<(), StoreError>
    where
        Self: Sized,
    {
        if !audit.is_empty() {
            self.append_audit(AuditChain::Acts, audit)?;
        }
        if !changes.is_empty() {
            let at = match audit.last() {
                Some(entry) => entry.time,
                None => self.last_change_at()?,
            };
            for change in changes {
                self.append_change(at, change)?;
            }
        }
        self.commit_surviving(durability)
    }
}
