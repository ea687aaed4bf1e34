//! The brokers that use a store, as far as it remembers them.

use super::{Durability, Ledger, LedgerTransaction as _, Pace};
use crate::audit::{AuditChain, AuditEntry};
use crate::broker::BrokerRecord;
use crate::follower::{Follower, FollowerName, FollowerProgress, MachineKey};
use crate::secret::SecretDigest;
use crate::store::rows::{AuditRows as _, BrokerRows, FollowerRows as _};
use crate::store::{StoreError, all_rows};
use crate::time::Timestamp;

/// Of brokers that are not alive, those that were seen last are remembered.
pub(super) fn introduce(ledger: &mut impl Ledger, broker: &BrokerRecord) -> Result<(), StoreError> {
    let mut writing = ledger.begin_writing("write down who the broker is", Pace::Journal)?;
    writing.put_broker(broker)?;
    if writing.count_brokers()? > MOST_BROKERS {
        forget_one(&mut writing)?;
    }
    writing.commit_surviving(Durability::Kill)
}

fn forget_one(writing: &mut impl BrokerRows) -> Result<(), StoreError> {
    let known = all_rows(|page| writing.brokers(page))?;
    let gone = known.into_iter().filter(|broker| !broker.is_alive);
    let oldest = gone.min_by_key(|broker| broker.record.last_seen);
    if let Some(oldest) = oldest {
        writing.remove_broker(&oldest.record.name)?;
    }
    Ok(())
}

pub(super) fn note(
    ledger: &mut impl Ledger,
    broker: &BrokerRecord,
    at: Timestamp,
) -> Result<(), StoreError> {
    let mut writing = ledger.begin_writing("write down that the broker runs", Pace::Journal)?;
    if !writing.note_broker(&broker.name, at)? {
        writing.put_broker(&BrokerRecord {
            last_seen: at,
            ..broker.clone()
        })?;
    }
    writing.commit_surviving(Durability::Kill)
}

pub(super) fn note_follower(
    ledger: &mut impl Ledger,
    name: &FollowerName,
    progress: FollowerProgress,
) -> Result<(), StoreError> {
    let action = "write down how far a follower is";
    let mut writing = ledger.begin_writing(action, Pace::Journal)?;
    writing.note_follower(name, progress)?;
    writing.commit_surviving(Durability::Kill)
}

pub(super) fn pin_machine(
    ledger: &mut impl Ledger,
    secret: &SecretDigest,
    key: &MachineKey,
    is_begun: bool,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let action = "write down the key of a follower's machine";
    let mut writing = ledger.begin_writing(action, Pace::Journal)?;
    // By its secret: whoever had one that was given up meanwhile pins nothing.
    let Some(Follower { name, machine, .. }) = writing.follower_by_digest(secret)? else {
        return Ok(false);
    };
    if let Some(known) = machine {
        return Ok(known == *key);
    }
    writing.pin_machine(&name, key, is_begun)?;
    let entry = AuditEntry {
        after: Some(format!(r#"{{"machine":"{key}"}}"#)),
        ..AuditEntry::done(now, format!("broker:{name}"), PIN, name.as_str())
    };
    writing.append_audit(AuditChain::Acts, &[entry])?;
    // What is sealed for this key is told from now on.
    writing.commit_surviving(Durability::PowerFailure)?;
    Ok(true)
}

/// What the audit calls it.
const PIN: &str = "follower.pin-machine";
/// So many brokers are remembered. Who starts them is who administers them.
pub const MOST_BROKERS: u64 = 1_000;
