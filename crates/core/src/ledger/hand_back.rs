//! What followers hand back, judged item by item.
//!
//! A follower's machine may be taken over. So each item is something that the broker of
//! that follower might have written about a credential that the follower is told of, and
//! changes nothing else: it lets nobody in who was not let in before, but for clients that
//! an application, an authority or an issuer lets register themselves.

use core::time::Duration;

use super::{Durability, Ledger, LedgerTransaction, Pace, kicks};
use crate::audit::{AuditChain, AuditEntry, AuditOutcome};
use crate::change::KickRequestId;
use crate::credential::{Credential, CredentialId};
use crate::follower::Follower;
use crate::hand_back::{HandBack, HandBackPlace, HandedAct, HandedBack, HandedItem, tie_of};
use crate::name::{LoginName, TenantId};
use crate::reason::Reason;
use crate::scheme::Schemes;
use crate::secret::{SecretDigest, SecretId};
use crate::store::StoreError;
use crate::store::rows::{AuditRows as _, FollowerRows as _, KickTarget};
use crate::time::Timestamp;
use crate::totp::Step;

pub use self::refusals::JudgedRefusals;
pub use self::sessions::JudgedSessions;

mod failures;
pub(super) mod refusals;
mod registrations;
pub(super) mod sessions;
mod uses;

/// What became of what a follower handed back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HandBackOutcome {
    /// The follower.
    pub follower: Follower,
    /// What it is answered.
    pub answer: HandedBack,
    /// How many items were refused.
    pub refused: u64,
}

/// Says whether a refusal may be written into the audit by itself, and how many could
/// not be since the last one; none where it can't be either.
pub type MayAudit<'a> = dyn FnMut() -> Option<u64> + 'a;

/// See [`FollowerLedger::take_hand_back`](crate::ledger::FollowerLedger::take_hand_back).
pub(super) fn take(
    ledger: &mut impl Ledger,
    secret: &SecretDigest,
    handed: &HandBack,
    may_audit: &mut MayAudit<'_>,
    now: Timestamp,
) -> Result<Option<HandBackOutcome>, StoreError> {
    let mut writing = ledger.begin_writing("take what a follower hands back", Pace::Journal)?;
    let Some(follower) = writing.follower_by_digest(secret)? else {
        return Ok(None);
    };
    let before = writing.handed_back(&follower.name)?;
    let of_its = before.filter(|place| place.stamp == handed.stamp);
    let (mut seq, audit) = of_its.map_or((0, 0), |place| (place.seq, place.audit));
    let actor = format!("broker:{}", follower.name);
    let mut judge = Judge {
        follower: &follower,
        actor: &actor,
        now,
        schemes: None,
    };
    let (mut refused, mut undone) = (0_u64, Vec::new());
    for item in &handed.items {
        if item.seq > seq {
            seq = item.seq;
            if let Err(refusal) = judge.judge(&mut writing, item)? {
                refused = refused.saturating_add(1);
                if let Some(unsaid) = may_audit() {
                    let entry = refusal.entry(item.what.as_str(), &actor, unsaid, now);
                    writing.append_audit(AuditChain::Acts, &[entry])?;
                }
            }
        }
        if !judge.holds(&mut writing, item)? {
            undone.push(item.seq);
        }
    }
    let place = HandBackPlace {
        stamp: handed.stamp,
        seq,
        audit,
    };
    if before != Some(place) {
        writing.put_handed_back(&follower.name, place)?;
    }
    if refused > 0 {
        writing.note_refused(&follower.name, refused)?;
    }
    let told_from = writing.last_told()?;
    // Whoever handed it back forgets it.
    writing.commit_surviving(Durability::PowerFailure)?;
    Ok(Some(HandBackOutcome {
        answer: HandedBack {
            seq,
            told_from,
            undone,
        },
        refused,
        follower,
    }))
}

/// Judges what one follower hands back.
struct Judge<'a> {
    follower: &'a Follower,
    actor: &'a str,
    now: Timestamp,
    /// The schemes, once they were asked for.
    schemes: Option<Schemes>,
}

/// Why an item does not count.
struct Refusal {
    subject: String,
    cause: Reason,
}

impl Refusal {
    fn entry(&self, what: &str, actor: &str, unsaid: u64, now: Timestamp) -> AuditEntry {
        // Neither holds anything that JSON would write otherwise.
        let more = if unsaid > 0 {
            format!(r#","more":{unsaid}"#)
        } else {
            String::new()
        };
        AuditEntry {
            outcome: AuditOutcome::Refused,
            cause: Some(self.cause),
            after: Some(format!(r#"{{"what":"{what}"{more}}}"#)),
            ..AuditEntry::done(now, actor, HAND_BACK, &*self.subject)
        }
    }
}

type Verdict = Result<Result<(), Refusal>, StoreError>;

impl Judge<'_> {
    fn judge<W: LedgerTransaction>(&mut self, writing: &mut W, item: &HandedItem) -> Verdict {
        let at = Timestamp::from_millis(item.at);
        match &item.what {
            HandedAct::Activated { credential } => {
                self.used(writing, *credential, at, |it, writing, found, at| {
                    it.activated(writing, found, at)
                })
            }
            HandedAct::Cleared { name } => self.cleared(writing, name),
            HandedAct::CodeUsed { credential, step } => {
                self.used(writing, *credential, at, |it, writing, found, _| {
                    it.code_used(writing, found, Step(*step))
                })
            }
            HandedAct::Failed { name, count } => self.failed(writing, name, *count, at),
            HandedAct::Kicked { request } => self.kicked(writing, KickRequestId(*request)),
            HandedAct::Register { by, name } => self.asked(writing, *by, name),
            HandedAct::Retired { credential, secret } => {
                self.used(writing, *credential, at, |it, writing, found, _| {
                    it.retired(writing, found, SecretId(*secret))
                })
            }
            HandedAct::Tied {
                credential,
                generation,
                client_id,
            } => self.used(writing, *credential, at, |it, writing, found, at| {
                it.tied(writing, found, *generation, client_id, at)
            }),
            HandedAct::Used { credential } => {
                self.used(writing, *credential, at, |_, writing, found, at| {
                    writing.note_use(found.id, at)?;
                    Ok(Ok(()))
                })
            }
        }
    }

    /// Judges what a use of a credential did, if the follower is told of that credential and
    /// it was not in the future.
    fn used<W: LedgerTransaction>(
        &mut self,
        writing: &mut W,
        credential: i64,
        at: Timestamp,
        judge: impl FnOnce(&Self, &mut W, &Credential, Timestamp) -> Verdict,
    ) -> Verdict {
        let found = match self.told_of(writing, CredentialId(credential))? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if at > self.now.plus(CLOCKS_DIFFER) {
            return refuse(&found, Reason::NotYetValid);
        }
        judge(self, writing, &found, at.min(self.now))
    }

    /// Whether a tie is what the follower says, by now, and whether somebody is made. All
    /// else holds.
    fn holds(
        &mut self,
        writing: &mut impl LedgerTransaction,
        item: &HandedItem,
    ) -> Result<bool, StoreError> {
        match &item.what {
            HandedAct::Tied {
                credential,
                client_id,
                ..
            } => {
                let found = self.told_of(writing, CredentialId(*credential))?;
                let tie = found.ok().and_then(|found| found.client_id_tie);
                Ok(tie.is_some() && tie == tie_of(client_id))
            }
            HandedAct::Register { by, name } => self.is_made(writing, *by, name),
            HandedAct::Activated { .. }
            | HandedAct::Cleared { .. }
            | HandedAct::CodeUsed { .. }
            | HandedAct::Failed { .. }
            | HandedAct::Kicked { .. }
            | HandedAct::Retired { .. }
            | HandedAct::Used { .. } => Ok(true),
        }
    }

    /// The credential with this number, if the follower is told of it.
    fn told_of(
        &mut self,
        writing: &mut impl LedgerTransaction,
        id: CredentialId,
    ) -> Result<Result<Credential, Refusal>, StoreError> {
        let refused = |cause| {
            Ok(Err(Refusal {
                subject: format!("#{id}"),
                cause,
            }))
        };
        match writing.credential_by_id(id)? {
            None => refused(Reason::UnknownName),
            Some(found) if !self.knows(&found) => refused(Reason::OtherTenant),
            Some(found) => Ok(Ok(found)),
        }
    }

    /// Whether the follower is told of a tenant.
    fn is_told_of(&self, tenant: &TenantId) -> bool {
        let tenants = self.follower.tenants.as_ref();
        tenants.is_none_or(|tenants| tenants.contains(tenant))
    }

    /// Whether the follower is told of a credential.
    fn knows(&self, credential: &Credential) -> bool {
        let Some(tenants) = &self.follower.tenants else {
            return true;
        };
        let is_of = credential
            .tenant
            .as_ref()
            .is_some_and(|tenant| tenants.contains(tenant));
        let user = credential.kind.user();
        let mut grants = user.iter().flat_map(|user| &user.grants);
        is_of || grants.any(|grant| tenants.contains(&grant.tenant))
    }

    /// The end of a session that the follower was asked for.
    fn kicked(&self, writing: &mut impl LedgerTransaction, request: KickRequestId) -> Verdict {
        let is_asked = match writing.kick_target(request)? {
            Some(KickTarget::Behind { follower, .. }) => follower == self.follower.name,
            Some(KickTarget::ClientId(_)) => true,
            Some(KickTarget::Session { .. }) | None => false,
        };
        if !is_asked {
            let subject = format!("#{}", request.0);
            let cause = Reason::Malformed;
            return Ok(Err(Refusal { subject, cause }));
        }
        kicks::answer(writing, request)?;
        Ok(Ok(()))
    }

    fn done(&self, act: &str, found: &Credential) -> AuditEntry {
        AuditEntry::done(self.now, self.actor, act, found.name.as_str())
    }
}

fn refuse(found: &Credential, cause: Reason) -> Verdict {
    refuse_name(&found.name, cause)
}

fn refuse_name(name: &LoginName, cause: Reason) -> Verdict {
    let subject = name.to_string();
    Ok(Err(Refusal { subject, cause }))
}

/// What the audit calls it.
const HAND_BACK: &str = "follower.hand-back";
/// So far the clock of a follower may be ahead; what happened "then" happened now.
const CLOCKS_DIFFER: Duration = Duration::from_secs(300);
