//! The audit.

use core::time::Duration;

use crate::audit::{
    AuditChain, AuditCheck, AuditEntry, AuditHead, AuditHeads, AuditKey, AuditOutcome, AuditRow,
};
use crate::name::TenantId;
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

    /// The first `most` rows with a number above `after`, by their numbers, which
    /// grow and are given out once. Refusals that are still summed up have none.
    ///
    /// # Errors
    ///
    /// See [`AuditRows`].
    fn audit_after(&mut self, after: i64, most: usize) -> Result<Vec<AuditRow>, StoreError>;

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

/// Which rows of the audit to list: those that are all of what it says.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Since then alone.
    pub since: Option<Timestamp>,
    /// Until then alone.
    pub until: Option<Timestamp>,
    /// About this subject alone.
    pub subject: Option<String>,
    /// By this actor alone.
    pub actor: Option<String>,
    /// Of this act alone.
    pub act: Option<String>,
    /// That ended so alone.
    pub outcome: Option<AuditOutcome>,
    /// About this tenant, or what is in it, alone.
    pub tenant: Option<TenantId>,
    /// Of clients from this address alone.
    pub address: Option<String>,
    /// The newest so many.
    pub limit: Option<u64>,
}

impl AuditQuery {
    /// Says whether a row is asked for; `tenant_of` says which tenant the credential of
    /// a name is in, if there is such a one.
    ///
    /// # Errors
    ///
    /// Returns what `tenant_of` returns.
    pub fn admits<E>(
        &self,
        entry: &AuditEntry,
        tenant_of: impl FnOnce(&str) -> Result<Option<TenantId>, E>,
    ) -> Result<bool, E> {
        fn is(asked: Option<&String>, said: Option<&str>) -> bool {
            asked.is_none_or(|asked| said == Some(asked))
        }
        // A sum is dated at the start of its minute and reaches to its end.
        let reaches_to = if entry.is_sum() {
            entry.time.plus(MINUTE).minus(MILLISECOND)
        } else {
            entry.time
        };
        let is_admitted = self.since.is_none_or(|since| reaches_to >= since)
            && self.until.is_none_or(|until| entry.time <= until)
            && is(self.subject.as_ref(), Some(&entry.subject))
            && is(self.actor.as_ref(), Some(&entry.actor))
            && is(self.act.as_ref(), Some(&entry.act))
            && is(self.address.as_ref(), entry.address.as_deref())
            && self.outcome.is_none_or(|outcome| entry.outcome == outcome);
        match &self.tenant {
            Some(tenant) if is_admitted => concerns(entry, tenant, tenant_of),
            Some(_) | None => Ok(is_admitted),
        }
    }
}

/// Says whether a row is about a tenant, or about something in it: by what it says, else
/// by whose credential its subject is now, else by how the subject's name ends.
fn concerns<E>(
    entry: &AuditEntry,
    tenant: &TenantId,
    tenant_of: impl FnOnce(&str) -> Result<Option<TenantId>, E>,
) -> Result<bool, E> {
    if entry.subject == tenant.as_str()
        && ABOUT_TENANTS.iter().any(|act| entry.act.starts_with(act))
    {
        return Ok(true);
    }
    let said: Vec<_> = [&entry.before, &entry.after]
        .into_iter()
        .flatten()
        .collect();
    // No text holds this: there, a quote has a backslash before it.
    let key = r#""tenant":""#;
    let is_said = format!(r#"{key}{tenant}""#);
    if said.iter().any(|json| json.contains(&is_said)) {
        return Ok(true);
    }
    if said.iter().any(|json| json.contains(key)) {
        return Ok(false);
    }
    let own = tenant_of(&entry.subject)?;
    let suffix = || entry.subject.rsplit_once('@').map(|(_, suffix)| suffix);
    Ok(own.as_ref().map(TenantId::as_str).or_else(suffix) == Some(tenant.as_str()))
}

/// Acts whose subject is a tenant.
const ABOUT_TENANTS: [&str; 4] = ["tenant.", "jwt.rotate-key", "export", "import"];

const MINUTE: Duration = Duration::from_secs(60);
const MILLISECOND: Duration = Duration::from_millis(1);
