//! Who is connected at the broker of a follower, as it says.
//!
//! It is listed at the centre and can be asked to be ended, and decides nothing there.

use super::{CLOCKS_DIFFER, Judge, MayAudit, Refusal};
use crate::audit::AuditChain;
use crate::follower::{Follower, FollowerName};
use crate::ledger::{Durability, Ledger, LedgerTransaction, Pace};
use crate::presence::{Presence, SessionNumber};
use crate::reason::Reason;
use crate::secret::SecretDigest;
use crate::store::StoreError;
use crate::store::rows::{AuditRows as _, BrokerRows as _, FollowerRows as _, PresenceRows as _};
use crate::time::Timestamp;
use crate::told_sessions::{MOST_BEHIND, TakenSessions, ToldSession, ToldSessions};

/// What became of a part of what a follower tells of who is connected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JudgedSessions {
    /// The follower.
    pub follower: Follower,
    /// What it is answered.
    pub answer: TakenSessions,
    /// How many sessions were refused.
    pub refused: u64,
}

/// See [`FollowerLedger::take_sessions`](crate::ledger::FollowerLedger::take_sessions).
pub(in crate::ledger) fn take(
    ledger: &mut impl Ledger,
    secret: &SecretDigest,
    told: &ToldSessions,
    may_audit: &mut MayAudit<'_>,
    now: Timestamp,
) -> Result<Option<JudgedSessions>, StoreError> {
    if told.part == 0 {
        while forget_some(ledger, secret)? {}
    }
    let action = "take what a follower says of who is connected";
    let mut writing = ledger.begin_writing(action, Pace::Journal)?;
    let Some(follower) = writing.follower_by_digest(secret)? else {
        return Ok(None);
    };
    let actor = format!("broker:{}", follower.name);
    let mut judge = Judge {
        follower: &follower,
        actor: &actor,
        now,
        schemes: None,
    };
    let name = &follower.name;
    for gone in &told.gone {
        let broker = called(&mut writing, name, &gone.broker, told.is_only)?;
        let session = SessionNumber(gone.session);
        if is_of(&mut writing, name, &broker, session)? {
            writing.remove_presence(&broker, session)?;
        }
    }
    let (mut refused, mut left_out) = (0_u64, 0_u64);
    let mut count = writing.count_presence_behind(name)?;
    for session in &told.here {
        let presence = match judge.session(&mut writing, session)? {
            Ok(presence) => presence,
            Err(refusal) => {
                refused = refused.saturating_add(1);
                if let Some(unsaid) = may_audit() {
                    let entry = refusal.entry(SESSION, &actor, unsaid, now);
                    writing.append_audit(AuditChain::Acts, &[entry])?;
                }
                continue;
            }
        };
        let broker = called(&mut writing, name, &session.broker, told.is_only)?;
        let is_known = is_of(&mut writing, name, &broker, presence.session)?;
        if !is_known && (count >= MOST_BEHIND || writing.broker(&broker)?.is_some()) {
            left_out = left_out.saturating_add(1);
            continue;
        }
        writing.put_presence_behind(name, &broker, &presence)?;
        count = count.saturating_add(u64::from(!is_known));
    }
    if refused > 0 {
        writing.note_refused(name, refused)?;
    }
    writing.commit_surviving(Durability::Kill)?;
    Ok(Some(JudgedSessions {
        answer: TakenSessions { left_out },
        refused,
        follower,
    }))
}

/// Forgets a part of what a follower said before; says whether there was one.
fn forget_some(ledger: &mut impl Ledger, secret: &SecretDigest) -> Result<bool, StoreError> {
    let action = "forget what a follower said of who is connected";
    let mut writing = ledger.begin_writing(action, Pace::Journal)?;
    let Some(follower) = writing.follower_by_digest(secret)? else {
        return Ok(false);
    };
    let taken = writing.take_presence_behind(&follower.name, FORGOTTEN_AT_ONCE)?;
    writing.commit_surviving(Durability::Kill)?;
    Ok(taken >= FORGOTTEN_AT_ONCE)
}

/// What the broker of a follower is called at the centre: as the follower, where it is
/// its only one and the centre has no broker of that name.
fn called(
    writing: &mut impl LedgerTransaction,
    follower: &FollowerName,
    broker: &str,
    is_only: bool,
) -> Result<String, StoreError> {
    let name = follower.as_str();
    Ok(if is_only && writing.broker(name)?.is_none() {
        name.to_owned()
    } else {
        format!("{name}:{broker}")
    })
}

/// Whether a session is one that this follower told.
fn is_of(
    writing: &mut impl LedgerTransaction,
    follower: &FollowerName,
    broker: &str,
    session: SessionNumber,
) -> Result<bool, StoreError> {
    let known = writing.presence_of(broker, session)?;
    let behind = known.and_then(|known| known.behind);
    Ok(behind.is_some_and(|behind| behind.follower == *follower))
}

impl Judge<'_> {
    /// A session that may be at the broker of the follower: of a credential that it is
    /// told of, in one of its tenants.
    fn session(
        &mut self,
        writing: &mut impl LedgerTransaction,
        told: &ToldSession,
    ) -> Result<Result<Presence, Refusal>, StoreError> {
        let refused = |cause| {
            let subject = "#".to_owned();
            Ok(Err(Refusal { subject, cause }))
        };
        let Some(mut presence) = told.presence() else {
            return refused(Reason::Malformed);
        };
        if presence.connected_at > self.now.plus(CLOCKS_DIFFER) {
            return refused(Reason::NotYetValid);
        }
        if let Some(tenant) = &presence.tenant {
            if !self.is_told_of(tenant) {
                return refused(Reason::OtherTenant);
            }
            if writing.tenant(tenant)?.is_none() {
                return refused(Reason::UnknownTenant);
            }
        }
        let Some(credential) = presence.credential else {
            return Ok(Ok(presence));
        };
        let found = match self.told_of(writing, credential)? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if found.tenant.is_some() && found.tenant != presence.tenant {
            return refused(Reason::OtherTenant);
        }
        presence.username = Some(found.name.as_str().into());
        Ok(Ok(presence))
    }
}

/// What the audit calls it.
const SESSION: &str = "session";
/// Sessions a transaction.
const FORGOTTEN_AT_ONCE: usize = 256;
