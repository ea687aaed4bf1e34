//! The audit.

use crate::audit::{AuditChain, AuditCheck, AuditEntry, AuditHead, AuditHeads, AuditKey, AuditRow};
use crate::store::{Listed, Page, StoreError};
use crate::time::Timestamp;

/// The audit's two chains.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait AuditRows {
    /// The newest rows of the audit, refusals that are still summed up included, in
    /// order of time.
    ///
    /// # Errors
    ///
    /// See [`AuditRows`].
    fn audit(&mut self, query: &AuditQuery) -> Result<Vec<AuditRow>, StoreError>;

    /// A page of them all, whatever the query's limit.
    ///
    /// # Errors
    ///
    /// See [`AuditRows`].
    fn audit_page(
        &mut self,
        query: &AuditQuery,
        page: &Page<AuditKey>,
    ) -> Result<Listed<AuditRow>, StoreError>;

    /// The row of the audit with this number.
    ///
    /// # Errors
    ///
    /// See [`AuditRows`].
    fn audit_row(&mut self, id: i64) -> Result<Option<AuditRow>, StoreError>;

    /// The heads of both chains, to be kept where what writes to the store does not
    /// write.
    ///
    /// # Errors
    ///
    /// See [`AuditRows`].
    fn audit_heads(&mut self) -> Result<AuditHeads, StoreError>;

    /// Walks along both chains, from the first row or from where it was cut, and
    /// looks for the rows that `expected` names.
    ///
    /// # Errors
    ///
    /// See [`AuditRows`].
    fn verify_audit(&mut self, expected: &[AuditHead]) -> Result<AuditCheck, StoreError>;

    /// The last act before the first that is not older than `before`; where the
    /// chain of acts was cut, if there is none.
    ///
    /// # Errors
    ///
    /// See [`AuditRows`].
    fn last_act_before(&mut self, before: Timestamp) -> Result<AuditHead, StoreError>;

    /// Adds entries to a chain of the audit; see [`AuditChain::rows_after`].
    ///
    /// # Errors
    ///
    /// See [`AuditRows`].
    fn append_audit(&mut self, chain: AuditChain, entries: &[AuditEntry])
    -> Result<(), StoreError>;

    /// How many rows the audit's chain of refusals has.
    ///
    /// # Errors
    ///
    /// See [`AuditRows`].
    fn count_audited_refusals(&mut self) -> Result<u64, StoreError>;

    /// Cuts up to `most` of the oldest rows off a chain of the audit, as long as they
    /// are old by their number and time; says how many they were. What is left still
    /// verifies.
    ///
    /// # Errors
    ///
    /// See [`AuditRows`].
    fn cut_audit(
        &mut self,
        chain: AuditChain,
        most: usize,
        is_old: &mut dyn FnMut(i64, Timestamp) -> bool,
    ) -> Result<usize, StoreError>;
}

/// Which rows of the audit to list.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Since then alone.
    pub since: Option<Timestamp>,
    /// About this subject alone.
    pub subject: Option<String>,
    /// The newest so many.
    pub limit: Option<u64>,
}
