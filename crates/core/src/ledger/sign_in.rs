//! What a sign-in at the service changes permanently, committed before the user is
//! answered.

use core::time::Duration;

use super::login::{ChangedUser, change_credential};
use super::{Durability, Ledger, LedgerTransaction as _, Pace};
use crate::audit::{AuditChain, AuditEntry};
use crate::connect::{LoginRecord, Proof, ProvedUser};
use crate::secret::SecretDigest;
use crate::store::StoreError;
use crate::store::rows::{AuditRows as _, WebSessionRows as _};
use crate::time::Timestamp;
use crate::web_session::{WebSession, WebSessionId};

/// A sign-in whose lasting effects are to be committed.
#[derive(Clone, Copy, Debug)]
pub struct SignInEffects<'a> {
    /// Who signs in.
    pub proved: &'a ProvedUser,
    /// The web session that begins, and what recognises it; none for one request with a
    /// password.
    pub session: Option<(&'a WebSession, &'a SecretDigest)>,
    /// Whether a lock does not count, because the user comes from where the last
    /// sign-in was; it stays then.
    pub passes_lock: bool,
    /// What the audit calls the user.
    pub actor: &'a str,
}

/// What became of a [`Ledger::record_sign_in`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum RecordedSignIn {
    /// It is committed; the web session has this number.
    Done(Option<WebSessionId>),
    /// There are as many web sessions as there may be; nothing was written.
    Full,
    /// The user changed since they were looked up; nothing was written.
    Outdated,
}

pub(super) fn record(
    ledger: &mut impl Ledger,
    effects: &SignInEffects<'_>,
    now: Timestamp,
) -> Result<RecordedSignIn, StoreError> {
    let proved = effects.proved;
    let user = &proved.credential;
    let last_use = user.last_used_at;
    let is_noted = last_use.is_some_and(|last| now.since(last) < USE_KEPT_EVERY);
    let changes = proved.changes || !user.ever_used || !is_noted;
    if !changes && effects.session.is_none() {
        return Ok(RecordedSignIn::Done(None));
    }
    let mut writing = ledger.begin_writing("record a sign-in", Pace::Journal)?;
    let record = LoginRecord {
        activates: !user.ever_used,
        user: (proved.changes || effects.session.is_some()).then_some(proved.login),
        ..LoginRecord::default()
    };
    let changed = ChangedUser {
        credential: user,
        proof: Proof::Secret(proved.secret),
        record: &record,
        tenant: None,
        passes_lock: effects.passes_lock,
    };
    if !change_credential(&mut writing, &changed, now)? {
        return Ok(RecordedSignIn::Outdated);
    }
    let mut entries = changed.entries(effects.actor, now);
    let mut begun = None;
    if let Some((session, digest)) = effects.session {
        let mut own = writing.web_sessions_of(user.id)?.into_iter();
        while own.len() >= MOST_OF_USER {
            // Whoever was signed in for longest.
            if let Some(oldest) = own.next() {
                writing.remove_web_session(oldest.id)?;
            }
        }
        if writing.count_web_sessions()? >= MOST_SESSIONS {
            writing.remove_idle_web_sessions(now.minus(WebSession::IDLE), AT_ONCE)?;
            if writing.count_web_sessions()? >= MOST_SESSIONS {
                return Ok(RecordedSignIn::Full);
            }
        }
        begun = Some(writing.add_web_session(session, digest)?);
        entries.push(AuditEntry {
            address: session.address.clone(),
            ..AuditEntry::done(now, effects.actor, "user.sign-in", user.name.as_str())
        });
    }
    if !entries.is_empty() {
        writing.append_audit(AuditChain::Acts, &entries)?;
    }
    writing.commit_surviving(if proved.changes {
        Durability::PowerFailure
    } else {
        Durability::Kill
    })?;
    Ok(RecordedSignIn::Done(begun))
}

/// How often the use of a password is written down at most where it begins no web
/// session.
const USE_KEPT_EVERY: Duration = Duration::from_secs(3_600);

/// As many web sessions as a user may have; one more ends the oldest.
pub const MOST_OF_USER: usize = 20;

/// As many web sessions as there may be of all users.
pub const MOST_SESSIONS: u64 = 10_000;

const AT_ONCE: usize = 256;
