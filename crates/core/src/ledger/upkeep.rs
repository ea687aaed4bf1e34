//! What is moved into the audit or removed once it is old, a little at a time.

use core::time::Duration;

use super::{Durability, Ledger, LedgerTransaction, Pace, pruning};
use crate::audit::{AuditChain, AuditHead};
use crate::change::ChangeSeq;
use crate::store::StoreError;
use crate::store::rows::{
    ApiTokenRows as _, AuditRows as _, BanRows as _, KickRows as _, LockoutRows as _,
    TokenRows as _, WebSessionRows as _,
};
use crate::time::Timestamp;
use crate::web_session::WebSession;

/// See [`Ledger::tidy_up`].
pub(super) fn tidy_up(ledger: &mut impl Ledger, now: Timestamp) -> Result<(), StoreError> {
    repeat(ledger, TIDY_UP, |writing| take_refusals(writing, now))?;
    repeat(ledger, TIDY_UP, |writing| cut_refusals(writing, now))?;
    repeat(ledger, TIDY_UP, |writing| cut_changes(writing, now))?;
    repeat(ledger, TIDY_UP, |writing| {
        writing.remove_kick_requests(now.minus(KICKS_KEPT), AT_ONCE)
    })?;
    repeat(ledger, TIDY_UP, |writing| {
        writing.remove_ended_bans(now, AT_ONCE)
    })?;
    repeat(ledger, TIDY_UP, |writing| {
        writing.remove_tokens(now.minus(TOKENS_KEPT), AT_ONCE)
    })?;
    repeat(ledger, TIDY_UP, |writing| {
        writing.remove_ended_api_tokens(now.minus(API_TOKENS_KEPT), AT_ONCE)
    })?;
    repeat(ledger, TIDY_UP, |writing| {
        writing.remove_idle_web_sessions(now.minus(WebSession::IDLE), AT_ONCE)
    })?;
    repeat(ledger, TIDY_UP, |writing| {
        writing.remove_lockouts(now.minus(LOCKOUTS_KEPT), AT_ONCE)
    })?;
    repeat(ledger, TIDY_UP, |writing| {
        pruning::correct_uses(writing, now, AT_ONCE)
    })?;
    repeat(ledger, TIDY_UP, |writing| {
        pruning::prune(writing, now, AT_ONCE)
    })
}

/// See [`Ledger::prune_audit`].
pub(super) fn prune_audit(
    ledger: &mut impl Ledger,
    last: AuditHead,
    before: Timestamp,
) -> Result<u64, StoreError> {
    let mut removed: u64 = 0;
    for chain in AuditChain::ALL {
        repeat(ledger, PRUNE, |writing| {
            let cut = writing.cut_audit(chain, AT_ONCE, &mut |id, time| match chain {
                AuditChain::Acts => id <= last.id,
                AuditChain::Refusals => time < before,
            })?;
            removed = removed.saturating_add(u64::try_from(cut).unwrap_or(u64::MAX));
            Ok(cut)
        })?;
    }
    let writing = ledger.begin_writing(PRUNE, Pace::Journal)?;
    writing.commit_surviving(Durability::PowerFailure)?;
    Ok(removed)
}

/// Takes a step in short transactions of its own, until it did less than it may.
fn repeat<L: Ledger>(
    ledger: &mut L,
    action: &'static str,
    mut step: impl FnMut(&mut L::Writing<'_>) -> Result<usize, StoreError>,
) -> Result<(), StoreError> {
    loop {
        let mut writing = ledger.begin_writing(action, Pace::Journal)?;
        let done = step(&mut writing)?;
        // A commit that changed nothing writes nothing and wakes nobody.
        writing.commit_surviving(Durability::Kill)?;
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
    writing.cut_audit(AuditChain::Refusals, AT_ONCE, &mut |_, time| {
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
    writing.cut_changes(AT_ONCE, &mut |ChangeSeq(seq), at| {
        seq <= last_to_cut && at < young
    })
}

const TIDY_UP: &str = "tidy the store up";
const PRUNE: &str = "prune the audit";

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

/// How long an API token that ended is still listed.
const API_TOKENS_KEPT: Duration = DAY.saturating_mul(7);

/// Longer than the longest lock of any policy. What was counted is kept that long
/// because the next lock is longer than the last one was.
const LOCKOUTS_KEPT: Duration = DAY.saturating_mul(30);
