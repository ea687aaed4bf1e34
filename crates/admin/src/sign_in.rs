//! Signing in at the service: who presents a name and a password, a web session, or an
//! API token.
//!
//! Whether a user is who they say is decided as at a broker
//! ([`decide_sign_in`]): the same lock, the same second factor, the same causes in the
//! audit, and the same cost whether there is such a user or not. Passwords are hashed on
//! the thread that calls, while no transaction is open; a host lets so many threads do
//! that at once as it can spare.

use core::fmt;
use core::time::Duration;

use countersign_core::api_token::ApiToken;
use countersign_core::audit::RefusedAct;
use countersign_core::connect::{
    Method, ProvedUser, SignInRequest, Unproved, UserContext, decide_sign_in,
};
use countersign_core::credential::{Credential, CredentialId, Generation};
use countersign_core::ledger::{
    Durability, Ledger, LedgerTransaction as _, Pace, RecordedSignIn, SignInEffects,
};
use countersign_core::name::LoginName;
use countersign_core::reason::Reason;
use countersign_core::secret::{PasswordHash, Secret, SecretDigest};
use countersign_core::store::rows::{
    ApiTokenRows as _, CredentialRows as _, RefusalRow, WebSessionRows as _,
};
use countersign_core::store::{
    AdminStore, Batch, GateStore, Intent, Refusal, StoreError, StoreErrorKind,
};
use countersign_core::time::Timestamp;
use countersign_core::user::parse_user_name;
use countersign_core::web_session::{WebSession, WebSessionId};

use crate::caller::{Authority, SignedInUser};
use crate::context::{RandomError, RandomSource};
use crate::error::AdminError;
use crate::secret::random_secret;

use self::guard::Place;
pub use self::guard::SignInGuard;
use self::verifier::Verifier;

mod guard;
#[cfg(test)]
mod tests;
mod verifier;

/// What somebody presents to sign in.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct SignIn<'a> {
    /// The name, as it was typed.
    pub name: &'a str,
    /// The password.
    pub password: Secret,
    /// The code of the second factor.
    pub code: PresentedCode,
    /// Where it comes from.
    pub address: Option<&'a str>,
    /// What [`SignedIn::known`] was when the same browser signed in before.
    pub known: Option<&'a Secret>,
}

/// How the code of a second factor comes.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub enum PresentedCode {
    /// Behind the password, where it is needed: for HTTP Basic.
    Appended,
    /// By itself, or not yet: it is asked for.
    Apart(Option<Secret>),
}

/// Who was found behind what a request presents.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// What their word counts for.
    pub authority: Authority,
    /// What they are called: a user's name, or `token:ID`.
    pub name: String,
}

impl Authenticated {
    /// What the audit calls them.
    #[must_use]
    pub fn actor(&self) -> String {
        format!("http:{}", self.name)
    }

    fn user(user: &Credential, session: Option<WebSessionId>) -> Self {
        Self {
            authority: Authority::User(SignedInUser {
                id: user.id,
                generation: user.generation,
                session,
            }),
            name: user.name.to_string(),
        }
    }
}

/// A web session that began just now.
#[expect(missing_debug_implementations, reason = "it holds secrets")]
pub struct SignedIn {
    /// Whose it is.
    pub caller: Authenticated,
    /// What the browser presents from now on.
    pub secret: Secret,
    /// By this the same browser is known when it signs in again, for as long as this
    /// process lives; none where it is known already.
    pub known: Option<Secret>,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
}

/// Somebody proved just now that they know a user's password, and have the second
/// factor where there is one.
#[derive(Clone, Copy, Debug)]
pub struct FreshProof {
    pub(crate) user: CredentialId,
    pub(crate) generation: Generation,
}

/// Why nobody is signed in. Which part was wrong is told to nobody but the audit.
#[derive(Debug)]
pub enum SignInRefusal {
    /// The code of a second factor is missing. Name and password were right.
    CodeNeeded,
    /// Too many failed from this address.
    TooMany,
    /// It could not be looked into, or not be written down.
    Unavailable(AdminError),
    /// Something is not right.
    Wrong,
}

impl fmt::Display for SignInRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CodeNeeded => f.write_str("the code of the second factor is missing"),
            Self::TooMany => f.write_str("too many logins failed from this address; try later"),
            Self::Unavailable(error) => error.fmt(f),
            Self::Wrong => f.write_str("the name, the password or the code is not right"),
        }
    }
}

impl core::error::Error for SignInRefusal {}

impl From<AdminError> for SignInRefusal {
    fn from(error: AdminError) -> Self {
        Self::Unavailable(error)
    }
}

impl From<StoreError> for SignInRefusal {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<RandomError> for SignInRefusal {
    fn from(error: RandomError) -> Self {
        Self::Unavailable(error.into())
    }
}

/// Signs a user in: a web session begins.
///
/// # Errors
///
/// Returns [`SignInRefusal`] when it does not.
pub fn sign_in<S: AdminStore + GateStore>(
    store: &mut S,
    guard: &SignInGuard,
    presented: SignIn<'_>,
    random: &mut dyn RandomSource,
    now: Timestamp,
) -> Result<SignedIn, SignInRefusal> {
    let secret = random_secret(random)?;
    let known = random_secret(random)?;
    let (address, was_known) = (presented.address, presented.known);
    let digest = SecretDigest::of(&secret);
    let admitted = admit(store, guard, presented, Some((&digest, address)), now)?;
    let known = guard.make_known(&admitted.place, was_known, known);
    Ok(SignedIn {
        caller: Authenticated::user(&admitted.proved.credential, admitted.session),
        secret,
        known,
        ends_at: now.plus(WebSession::LONGEST),
    })
}

/// Finds the user of one request that presents a name and a password.
///
/// # Errors
///
/// As [`sign_in`].
pub fn check_password<S: AdminStore + GateStore>(
    store: &mut S,
    guard: &SignInGuard,
    presented: SignIn<'_>,
    now: Timestamp,
) -> Result<Authenticated, SignInRefusal> {
    let admitted = admit(store, guard, presented, None, now)?;
    Ok(Authenticated::user(&admitted.proved.credential, None))
}

/// Has the user who signed in prove once more who they are, before they change a
/// password or a second factor of their own.
///
/// # Errors
///
/// As [`sign_in`].
pub fn prove_again<S: AdminStore + GateStore>(
    store: &mut S,
    guard: &SignInGuard,
    presented: SignIn<'_>,
    now: Timestamp,
) -> Result<FreshProof, SignInRefusal> {
    let user = admit(store, guard, presented, None, now)?.proved.credential;
    Ok(FreshProof {
        user: user.id,
        generation: user.generation,
    })
}

/// Finds whose web session this is the secret of, if there is one that is not over, and
/// has its use written down.
///
/// # Errors
///
/// Returns [`AdminError`] when the store can't be read.
pub fn find_web_session<S: AdminStore + Ledger>(
    store: &mut S,
    presented: &Secret,
    now: Timestamp,
) -> Result<Option<Authenticated>, AdminError> {
    let digest = SecretDigest::of(presented);
    let mut looking = store.begin(Intent::Read)?;
    let Some(session) = looking.web_session_by_digest(&digest)? else {
        return Ok(None);
    };
    let user = looking.credential_by_id(session.user)?;
    drop(looking);
    let is_alive = |user: &Credential| {
        let is_same = user.generation == session.generation && user.kind.user().is_some();
        is_same && user.is_in_force(now).is_ok() && session.is_alive(now)
    };
    let Some(user) = user.filter(is_alive) else {
        return Ok(None);
    };
    if session.keeps_use(now) {
        note(store, |writing| writing.use_web_session(session.id, now))?;
    }
    Ok(Some(Authenticated::user(&user, Some(session.id))))
}

/// Finds the API token that this is, if there is one that has not ended, and has its use
/// written down. What it may do is found out with each command.
///
/// # Errors
///
/// Returns [`AdminError`] when the store can't be read.
pub fn find_api_token<S: AdminStore + Ledger>(
    store: &mut S,
    presented: &Secret,
    now: Timestamp,
) -> Result<Option<Authenticated>, AdminError> {
    let digest = SecretDigest::of(presented);
    let mut looking = store.begin(Intent::Read)?;
    let token = looking.api_token_by_digest(&digest)?;
    let Some(token) = token.filter(|token: &ApiToken| token.is_usable(now)) else {
        return Ok(None);
    };
    if let Some(owner) = token.owner {
        let owner = looking.credential_by_id(owner)?;
        if owner.is_none_or(|owner| owner.is_in_force(now).is_err()) {
            return Ok(None);
        }
    }
    drop(looking);
    if token.keeps_use(now) {
        note(store, |writing| writing.use_api_token(token.id, now))?;
    }
    Ok(Some(Authenticated {
        authority: Authority::Token(token.id),
        name: format!("token:{}", token.id),
    }))
}

/// Writes down that something was used. A store that is busy, or that can only be read,
/// is no reason to refuse.
fn note<L: Ledger>(
    store: &mut L,
    write: impl FnOnce(&mut L::Writing<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut writing = match store.begin_writing("write down a use", Pace::Journal) {
        Ok(writing) => writing,
        Err(error) => {
            let is_busy = error.kind() == StoreErrorKind::Busy;
            let is_read_only = error.kind() == StoreErrorKind::ReadOnly;
            return if is_busy || is_read_only {
                Ok(())
            } else {
                Err(error)
            };
        }
    };
    write(&mut writing)?;
    writing.commit_surviving(Durability::Kill)
}

/// A user who is let in.
struct Admitted {
    proved: ProvedUser,
    session: Option<WebSessionId>,
    place: Place,
}

/// Decides about a user, and commits what that changes.
fn admit<S: AdminStore + GateStore>(
    store: &mut S,
    guard: &SignInGuard,
    presented: SignIn<'_>,
    begins: Option<(&SecretDigest, Option<&str>)>,
    now: Timestamp,
) -> Result<Admitted, SignInRefusal> {
    let address = presented.address;
    let Ok(name) = LoginName::parse(presented.name) else {
        refused(store, None, address, Reason::Malformed, now)?;
        return Err(SignInRefusal::Wrong);
    };
    let called = parse_user_name(name.as_str()).unwrap_or_else(|_| name.clone());
    let place = guard.place_of(&called, address, presented.known);
    if let Err(refusal) = guard.check_allowed(&place, now) {
        refused(store, Some(&called), address, Reason::TooManyFailures, now)?;
        return Err(refusal);
    }
    let request = SignInRequest {
        name: called.clone(),
        password: presented.password,
        method: match presented.code {
            PresentedCode::Appended => Method::Plain,
            PresentedCode::Apart(code) => Method::Enhanced { code },
        },
    };
    for _ in 0..MOST_TRIES {
        let settings = GateStore::settings(store)?;
        let seal_key = store.read_key().key;
        let at = UserContext {
            seal_key: seal_key.as_ref(),
            lockout: settings.lockout,
            counted_here: guard.counted(&place),
            now,
        };
        let dummy = PasswordHash::unmatchable(settings.argon2).ok();
        let mut verifier = Verifier::new(guard, dummy.as_ref());
        let decided = decide_sign_in(&request, &at, store, &mut verifier);
        let proved = match decided {
            Ok(Ok(proved)) => proved,
            Ok(Err(unproved)) => {
                verifier.spend_owed(&request.password);
                return Err(turn_away(store, guard, &place, unproved, address, now)?);
            }
            Err(error) => {
                verifier.spend_owed(&request.password);
                return Err(error.into());
            }
        };
        let actor = format!("http:{}", proved.credential.name);
        let session = begins.map(|(digest, address)| {
            let session = WebSession {
                id: WebSessionId(0),
                user: proved.credential.id,
                generation: proved.credential.generation,
                created_at: now,
                last_used_at: now,
                address: address.map(Into::into),
                tenant: None,
            };
            (session, digest)
        });
        let effects = SignInEffects {
            proved: &proved,
            session: session.as_ref().map(|(session, digest)| (session, *digest)),
            passes_lock: place.is_known,
            actor: &actor,
        };
        match store.record_sign_in(&effects, now)? {
            RecordedSignIn::Done(session) => {
                verifier.remember(&proved);
                guard.succeeded(&place);
                return Ok(Admitted {
                    proved,
                    session,
                    place,
                });
            }
            RecordedSignIn::Full => return Err(guard::full().into()),
            // Something changed meanwhile.
            RecordedSignIn::Outdated => {}
        }
    }
    refused(store, Some(&called), address, Reason::StoreBusy, now)?;
    Err(SignInRefusal::Wrong)
}

/// Counts that a user was not let in, and has it written down.
fn turn_away<S: AdminStore + GateStore>(
    store: &mut S,
    guard: &SignInGuard,
    place: &Place,
    unproved: Unproved,
    address: Option<&str>,
    now: Timestamp,
) -> Result<SignInRefusal, SignInRefusal> {
    let reason = match unproved {
        Unproved::Challenge => return Ok(SignInRefusal::CodeNeeded),
        Unproved::Fail(failure) => {
            guard.failed(place, Some(&failure.policy), now);
            store.record_failure(&failure, now)?;
            failure.reason
        }
        Unproved::Refuse(reason) => {
            guard.failed(place, None, now);
            reason
        }
        Unproved::Wait => Reason::OverBudget,
    };
    refused(store, Some(&place.name), address, reason, now)?;
    Ok(SignInRefusal::Wrong)
}

/// Has a refused sign-in written into the audit, summed up as those of brokers are.
fn refused<S: GateStore>(
    store: &mut S,
    name: Option<&LoginName>,
    address: Option<&str>,
    cause: Reason,
    now: Timestamp,
) -> Result<(), StoreError> {
    let subject = match name {
        Some(name) => shown(store, name)?,
        None => MALFORMED.to_owned(),
    };
    let into_minute = u64::try_from(now.as_millis().rem_euclid(MINUTE)).unwrap_or(0);
    let refusal = Refusal {
        minute: now.minus(Duration::from_millis(into_minute)),
        act: RefusedAct::Login,
        subject,
        address: address.map(Into::into),
        client_id: None,
        topic: None,
        cause,
        about: None,
        count: 1,
    };
    let batch = Batch {
        refusals: vec![refusal],
        ..Batch::default()
    };
    store.write_batch(RefusalRow::SERVICE, &batch)
}

/// A name as the audit may show it: whole if somebody has it, so that it is not a secret
/// in the wrong place.
fn shown<S: GateStore>(store: &mut S, name: &LoginName) -> Result<String, StoreError> {
    let schemes = store.schemes()?.readable;
    let tame = schemes.shown_unknown(name.as_str());
    if tame != name.as_str() && store.credential(name)?.is_some() {
        return Ok(crate::view::shown_name(&schemes, name.as_str()));
    }
    Ok(tame)
}

const MALFORMED: &str = "(malformed)";
const MINUTE: i64 = 60_000;
/// How often it is decided again where something changed meanwhile.
const MOST_TRIES: usize = 3;
