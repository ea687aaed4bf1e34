//! What is moved into the audit or removed once it is old, a little at a time.

use core::time::Duration;

use super::{Durability, Ledger, LedgerTransaction, Pace, client_ids};
use crate::audit::{AuditChain, AuditEntry};
use crate::change::ChangeSeq;
use crate::store::StoreError;
use crate::time::Timestamp;

/// Rows that are removed once they are old.
pub trait UpkeepRows {
    /// Removes up to `most` sums of refusals of minutes that start no later than
    /// `last`, the oldest first, and says what the audit says of each
    /// ([`RefusalRow::entry`](super::RefusalRow::entry)).
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read or written. So do all
    /// below.
    fn take_refusals(
        &mut self,
        last: Timestamp,
        most: usize,
    ) -> Result<Vec<AuditEntry>, StoreError>;

    /// How many rows the audit's chain of refusals has.
    ///
    /// # Errors
    ///
    /// As [`UpkeepRows::take_refusals`].
    fn count_audited_refusals(&mut self) -> Result<u64, StoreError>;

    /// Cuts up to `most` of the oldest rows off the audit's chain of refusals, as
    /// long as they are old by their time; says how many they were.
    ///
    /// # Errors
    ///
    /// As [`UpkeepRows::take_refusals`].
    fn cut_refusals(
        &mut self,
        most: usize,
        is_old: impl FnMut(Timestamp) -> bool,
    ) -> Result<usize, StoreError>;

    /// The last entry of the change log.
    ///
    /// # Errors
    ///
    /// As [`UpkeepRows::take_refusals`].
    fn last_change(&mut self) -> Result<ChangeSeq, StoreError>;

    /// Cuts up to `most` of the oldest entries off the change log, as long as they
    /// are old by their place and their time; says how many they were.
    ///
    /// # Errors
    ///
    /// As [`UpkeepRows::take_refusals`].
    fn cut_changes(
        &mut self,
        most: usize,
        is_old: impl FnMut(ChangeSeq, Timestamp) -> bool,
    ) -> Result<usize, StoreError>;

    /// Removes up to `most` requests to kick that were made before `at`; says how
    /// many they were.
    ///
    /// # Errors
    ///
    /// As [`UpkeepRows::take_refusals`].
    fn remove_kick_requests(&mut self, at: Timestamp, most: usize) -> Result<usize, StoreError>;

    /// Removes up to `most` tokens that ended before `at`; says how many they were.
    ///
    /// # Errors
    ///
    /// As [`UpkeepRows::take_refusals`].
    fn remove_tokens(&mut self, at: Timestamp, most: usize) -> Result<usize, StoreError>;

    /// Removes what is counted against up to `most` addresses, if nothing was added
    /// since `at`; says how many they were.
    ///
    /// # Errors
    ///
    /// As [`UpkeepRows::take_refusals`].
    fn remove_lockouts(&mut self, at: Timestamp, most: usize) -> Result<usize, StoreError>;
}

/// See [`Ledger::tidy_up`].
pub(super) fn tidy_up(ledger: &mut impl Ledger, now: Timestamp) -> Result<(), StoreError> {
    repeat(ledger, |writing| take_refusals(writing, now))?;
    repeat(ledger, |writing| cut_refusals(writing, now))?;
    repeat(ledger, |writing| cut_changes(writing, now))?;
    repeat(ledger, |writing| {
        writing.remove_kick_requests(now.minus(KICKS_KEPT), AT_ONCE)
    })?;
    repeat(ledger, |writing| {
        writing.remove_tokens(now.minus(TOKENS_KEPT), AT_ONCE)
    })?;
    repeat(ledger, |writing| {
        writing.remove_lockouts(now.minus(LOCKOUTS_KEPT), AT_ONCE)
    })?;
    repeat(ledger, |writing| {
        client_ids::correct_uses(writing, now, AT_ONCE)
    })?;
    repeat(ledger, |writing| client_ids::prune(writing, now, AT_ONCE))
}

/// Takes a step in short transactions of its own, until it did less than it may.
fn repeat<L: Ledger>(
    ledger: &mut L,
    mut step: impl FnMut(&mut L::Writing<'_>) -> Result<usize, StoreError>,
) -> Result<(), StoreError> {
    loop {
        let mut writing = ledger.begin_writing("tidy the store up", Pace::Journal)?;
        let done = step(&mut writing)?;
        // A commit that changed nothing writes nothing and wakes nobody.
        writing.commit(Durability::Kill)?;
        if done < AT_ONCE {
            return Ok(());
        }
    }
}

/// Moves sums of minutes that ended before `now` into the audit.
fn take_refusals(
    writing: &mut impl LedgerTransaction,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let taken = writing.take_refusals(now.minus(MINUTE), AT_ONCE)?;
    let counts = taken.iter().map(|entry| entry.count);
    writing.count_staged_refusals(counts.fold(0, i64::saturating_sub))?;
    writing.append_audit(AuditChain::Refusals, &taken)?;
    Ok(taken.len())
}

/// Removes refusals that are older than they are kept, and the oldest where they
/// are too many.
fn cut_refusals(writing: &mut impl LedgerTransaction, now: Timestamp) -> Result<usize, StoreError> {
    // Settings that can't be read cut nothing off that they would keep.
    let kept = writing
        .settings()
        .map_or(Duration::MAX, |settings| settings.keep_refusals);
    let since = now.minus(kept);
    let mut too_many = writing
        .count_audited_refusals()?
        .saturating_sub(MOST_REFUSALS);
    writing.cut_refusals(AT_ONCE, |time| {
        let is_one_too_many = too_many > 0;
        too_many = too_many.saturating_sub(1);
        time < since || is_one_too_many
    })
}

/// Removes entries of the change log before the first that is young or among the
/// newest.
fn cut_changes(writing: &mut impl LedgerTransaction, now: Timestamp) -> Result<usize, StoreError> {
    let young = now.minus(CHANGES_KEPT);
    let last_to_cut = writing.last_change()?.0.saturating_sub(MOST_CHANGES);
    writing.cut_changes(AT_ONCE, |ChangeSeq(seq), at| {
        seq <= last_to_cut && at < young
    })
}

/// Rows a transaction.
const AT_ONCE: usize = 256;

const MINUTE: Duration = Duration::from_secs(60);

const DAY: Duration = Duration::from_secs(86_400);

/// So many refusals are kept at most, however young they are: some 100 MB.
const MOST_REFUSALS: u64 = 500_000;

/// Followers that were away for less than this, or for less than
/// [`MOST_CHANGES`], need not judge everything again.
const CHANGES_KEPT: Duration = DAY;

const MOST_CHANGES: i64 = 10_000;

/// No caller waits for longer.
const KICKS_KEPT: Duration = DAY;

/// How long a token that ended is still listed.
const TOKENS_KEPT: Duration = DAY.saturating_mul(7);

/// Longer than the longest lock of any policy. What was counted is kept that long
/// because the next lock is longer than the last one was.
const LOCKOUTS_KEPT: Duration = DAY.saturating_mul(30);
