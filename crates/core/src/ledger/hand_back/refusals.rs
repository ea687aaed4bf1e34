//! Refused logins and denied uses at the broker of a follower, as it says.
//!
//! They stand in the audit under the follower's name, and decide nothing.

use super::{CLOCKS_DIFFER, HandBackPlace, Judge, MayAudit, Refusal};
use crate::audit::{AuditChain, AuditEntry, RefusedAct};
use crate::follower::Follower;
use crate::ledger::{Durability, Ledger, LedgerTransaction, Pace};
use crate::name::{LoginName, Suffix};
use crate::reason::Reason;
use crate::secret::SecretDigest;
use crate::store::StoreError;
use crate::store::rows::{AuditRows as _, FollowerRows as _, RefusalRow};
use crate::time::Timestamp;
use crate::told_refusals::{RefusalSums, TakenRefusals, ToldRefusal, ToldRefusals};

/// What became of what a follower told of who was refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JudgedRefusals {
    /// The follower.
    pub follower: Follower,
    /// What it is answered.
    pub answer: TakenRefusals,
    /// How many rows were refused.
    pub refused: u64,
}

/// See [`FollowerLedger::hear_refusals`](crate::ledger::FollowerLedger::hear_refusals).
pub(in crate::ledger) fn take(
    ledger: &mut impl Ledger,
    secret: &SecretDigest,
    told: &ToldRefusals,
    may_audit: &mut MayAudit<'_>,
    now: Timestamp,
) -> Result<Option<JudgedRefusals>, StoreError> {
    let action = "take what a follower says of who was refused";
    let mut writing = ledger.begin_writing(action, Pace::Journal)?;
    let Some(follower) = writing.follower_by_digest(secret)? else {
        return Ok(None);
    };
    let before = writing.handed_back(&follower.name)?;
    let before = before.filter(|place| place.stamp == told.stamp);
    let place = before.unwrap_or(HandBackPlace {
        stamp: told.stamp,
        seq: 0,
        audit: 0,
    });
    if told.after != place.audit || told.last <= place.audit {
        return Ok(Some(JudgedRefusals {
            answer: TakenRefusals { last: place.audit },
            refused: 0,
            follower,
        }));
    }
    let actor = format!("broker:{}", follower.name);
    let judge = Judge {
        follower: &follower,
        actor: &actor,
        now,
        schemes: None,
    };
    let (mut entries, mut others) = (Vec::new(), RefusalSums::default());
    let mut refused = 0_u64;
    for row in &told.rows {
        let Some((act, cause)) = row.sort().filter(|_| judge.is_plausible(row)) else {
            refused = refused.saturating_add(1);
            if let Some(unsaid) = may_audit() {
                let (subject, cause) = ("#".to_owned(), Reason::Malformed);
                let refusal = Refusal { subject, cause };
                let entry = refusal.entry(REFUSAL, &actor, unsaid, now);
                writing.append_audit(AuditChain::Acts, &[entry])?;
            }
            continue;
        };
        if judge.may_name(&mut writing, &row.subject)? {
            entries.push(judge.entry(row, act, cause));
        } else {
            others.add(act, cause, judge.minute(row), row.count);
        }
    }
    let name = follower.name.as_str();
    entries.extend(others.rows(name).map(|row| row.entry()));
    writing.append_audit(AuditChain::Refusals, &entries)?;
    let place = HandBackPlace {
        audit: told.last,
        ..place
    };
    writing.put_handed_back(&follower.name, place)?;
    if refused > 0 {
        writing.note_refused(&follower.name, refused)?;
    }
    writing.commit_surviving(Durability::Kill)?;
    Ok(Some(JudgedRefusals {
        answer: TakenRefusals { last: told.last },
        refused,
        follower,
    }))
}

impl Judge<'_> {
    /// Whether a row is one that a broker may have.
    fn is_plausible(&self, row: &ToldRefusal) -> bool {
        let minute = Timestamp::from_millis(row.minute);
        row.count > 0 && row.is_plain() && minute <= self.now.plus(CLOCKS_DIFFER)
    }

    /// Whether the follower may name somebody: whom it is told of, or who is nobody.
    fn may_name(
        &self,
        writing: &mut impl LedgerTransaction,
        subject: &str,
    ) -> Result<bool, StoreError> {
        if self.follower.tenants.is_none() {
            return Ok(true);
        }
        let Ok(name) = LoginName::parse(subject) else {
            return Ok(true);
        };
        if let Some(found) = writing.credential(&name)? {
            return Ok(self.knows(&found));
        }
        Ok(match name.suffix() {
            Suffix::Tenant(tenant) => {
                self.is_told_of(&tenant) || writing.tenant(&tenant)?.is_none()
            }
            Suffix::Email | Suffix::None | Suffix::Unknown => true,
        })
    }

    fn minute(&self, row: &ToldRefusal) -> Timestamp {
        Timestamp::from_millis(row.minute).min(self.now)
    }

    fn entry(&self, row: &ToldRefusal, act: RefusedAct, cause: Reason) -> AuditEntry {
        let row = RefusalRow {
            minute: self.minute(row),
            broker: self.follower.name.as_str(),
            act,
            subject: &row.subject,
            address: row.address.as_deref().unwrap_or(""),
            cause,
            client_id: row.client_id.as_deref().unwrap_or(""),
            topic: row.topic.as_deref().unwrap_or(""),
            about: None,
            count: row.count,
        };
        row.entry()
    }
}

/// What the audit calls a row that is refused.
const REFUSAL: &str = "refusal";
