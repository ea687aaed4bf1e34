//! Logins of users: lockout, password, tenant, second factor.

use std::sync::Arc;

use super::{
    Admission, ConnectContext, Decision, DummyVerified, FailedLogin, Identity, LoginRecord, Method,
    Request, SecretCheck, SecretVerdict, UserLogin, client_ids, record_of,
};
use crate::credential::Credential;
use crate::kind::Kind;
use crate::lockout::LockoutPolicy;
use crate::name::{LoginName, Suffix};
use crate::reason::Reason;
use crate::scheme::NameForm;
use crate::seal::SealKey;
use crate::secret::{Secret, SecretDigest};
use crate::store::{Directory, StoreError};
use crate::time::Timestamp;
use crate::totp::{Code, Seed, split_appended};
use crate::user::{Grant, SEED, SecondFactor, User, parse_email};

/// An e-mail address as users have it, where it differs from what was typed.
pub(super) fn folded(name: &LoginName) -> Option<LoginName> {
    if name.suffix() != Suffix::Email {
        return None;
    }
    parse_email(name.as_str())
        .ok()
        .filter(|folded| folded != name)
}

/// A login with the e-mail address of a user.
pub(super) fn decide(
    credential: Arc<Credential>,
    form: &dyn Fn() -> NameForm,
    request: &Request,
    at: &ConnectContext<'_>,
    directory: &mut dyn Directory,
    check: &mut dyn SecretCheck,
) -> Result<Decision, StoreError> {
    let Kind::User(user) = &credential.kind else {
        return Ok(Decision::Refuse(Reason::UnknownName));
    };
    // Before anything is compared: a locked user costs no hash, and a right
    // password does not tell itself from a wrong one.
    let lockout = directory.lockout(&credential.name)?;
    if lockout.is_locked(at.now) {
        return Ok(Decision::Refuse(Reason::Locked));
    }
    let Some(presented) = &request.secret else {
        return Ok(Decision::Refuse(Reason::BadSecret));
    };
    let factor = user.required_factor();
    let (password, code) = parts(presented, &request.method, factor.is_some());
    let password = password.as_ref().unwrap_or(presented);
    let failed = |reason, directory: &mut dyn Directory| {
        let policy = policy_of(user, at.lockout, directory)?;
        Ok(Decision::Fail(FailedLogin {
            reason,
            email: credential.name.clone(),
            policy,
        }))
    };
    let secret = match check.compare(&credential, password, form, at.now) {
        SecretVerdict::Match(secret) => secret,
        SecretVerdict::Mismatch => return failed(Reason::BadSecret, directory),
        SecretVerdict::OverBudget => return Ok(Decision::Refuse(Reason::OverBudget)),
        SecretVerdict::Waiting => return Ok(Decision::Wait),
    };
    if let Err(reason) = credential.admits(secret, &request.client_id, at.now) {
        return Ok(Decision::Refuse(reason));
    }
    let grant = match starting_grant(user, at) {
        Ok(grant) => grant,
        Err(reason) => return Ok(Decision::Refuse(reason)),
    };
    let claimant = client_ids::Claimant {
        credential: Some(credential.id),
        tenant: Some(&grant.tenant),
    };
    let session = match client_ids::own_client_id(&claimant, request, at, directory)? {
        Ok(owned) => owned.change,
        Err(reason) => return Ok(Decision::Refuse(reason)),
    };
    let mut login = UserLogin::default();
    if let Some(factor) = factor {
        login = match (
            judge_code(factor, &credential.name, code, at),
            &request.method,
        ) {
            (CodeVerdict::Right(login), _) => login,
            (CodeVerdict::Missing, Method::Enhanced { .. }) => return Ok(Decision::Challenge),
            (CodeVerdict::Missing | CodeVerdict::Unusable, _) => {
                return Ok(Decision::Refuse(Reason::MfaRequired));
            }
            (CodeVerdict::Wrong, _) => return failed(Reason::BadSecret, directory),
        };
    }
    let changes = login != UserLogin::default()
        || lockout.failures > 0
        || user.last_tenant.as_ref() != Some(&grant.tenant);
    let record = LoginRecord {
        session,
        user: changes.then_some(login),
        ..record_of(&credential, secret, &request.client_id)
    };
    let tenant = grant.tenant.clone();
    Ok(Decision::Admit(Admission {
        identity: Identity::User {
            credential,
            secret,
            tenant,
        },
        record,
    }))
}

/// A login with an e-mail address that no user has: it is answered, costs and
/// counts as one of a user.
pub(super) fn decide_unknown(
    name: &LoginName,
    form: NameForm,
    request: &Request,
    at: &ConnectContext<'_>,
    directory: &mut dyn Directory,
    check: &mut dyn SecretCheck,
) -> Result<Decision, StoreError> {
    let email = folded(name).unwrap_or_else(|| name.clone());
    if directory.lockout(&email)?.is_locked(at.now) {
        return Ok(Decision::Refuse(Reason::Locked));
    }
    let Some(presented) = &request.secret else {
        return Ok(Decision::Refuse(Reason::UnknownName));
    };
    Ok(match check.dummy_verify(presented, form) {
        DummyVerified::Done => Decision::Fail(FailedLogin {
            reason: Reason::UnknownName,
            email,
            policy: at.lockout,
        }),
        DummyVerified::OverBudget => Decision::Refuse(Reason::OverBudget),
        DummyVerified::Waiting => Decision::Wait,
    })
}

/// The password, where it is not all that was presented, and the code.
fn parts<'a>(
    presented: &'a Secret,
    method: &'a Method,
    needs_code: bool,
) -> (Option<Secret>, Option<PresentedCode<'a>>) {
    match method {
        Method::Enhanced { code } => (None, code.as_ref().map(PresentedCode::Answer)),
        Method::Plain if needs_code => match split_appended(presented.expose()) {
            Some((password, code)) => {
                let password = Secret::new(password.to_vec());
                (Some(password), Some(PresentedCode::Appended(code)))
            }
            None => (None, None),
        },
        Method::Plain => (None, None),
    }
}

/// A code, and how it came.
enum PresentedCode<'a> {
    /// Six digits behind the password.
    Appended(Code),
    /// What was sent when a code was asked for.
    Answer(&'a Secret),
}

/// What a code is worth.
enum CodeVerdict {
    /// There is none.
    Missing,
    /// It can't be checked, or was accepted before.
    Unusable,
    /// It is accepted, and this is to be recorded.
    Right(UserLogin),
    /// It is none of this user.
    Wrong,
}

fn judge_code(
    factor: &SecondFactor,
    name: &LoginName,
    code: Option<PresentedCode<'_>>,
    at: &ConnectContext<'_>,
) -> CodeVerdict {
    let digits = match code {
        None => return CodeVerdict::Missing,
        Some(PresentedCode::Appended(code)) => code,
        Some(PresentedCode::Answer(answer)) => match Code::parse(answer.expose()) {
            Some(code) => code,
            None => return judge_recovery_code(factor, answer),
        },
    };
    let Some(seed) = open_seed(factor, name, at.seal_key) else {
        return CodeVerdict::Unusable;
    };
    judge_digits(factor, &seed, &digits, at.now)
}

fn judge_digits(factor: &SecondFactor, seed: &Seed, code: &Code, now: Timestamp) -> CodeVerdict {
    match seed.matches(code, now) {
        Some(step) if factor.last_step.is_none_or(|last| last < step) => {
            CodeVerdict::Right(UserLogin {
                step: Some(step),
                recovery: None,
            })
        }
        Some(_) => CodeVerdict::Unusable,
        None => CodeVerdict::Wrong,
    }
}

fn judge_recovery_code(factor: &SecondFactor, answer: &Secret) -> CodeVerdict {
    let digest = SecretDigest::of(answer);
    let known = factor.recovery.iter().find(|code| code.digest == digest);
    known.map_or(CodeVerdict::Wrong, |code| {
        CodeVerdict::Right(UserLogin {
            step: None,
            recovery: Some(code.id),
        })
    })
}

fn open_seed(factor: &SecondFactor, name: &LoginName, seal_key: Option<&SealKey>) -> Option<Seed> {
    let opened = seal_key?
        .open(SEED, name.as_str().as_bytes(), &factor.seed)
        .ok()?;
    Seed::from_bytes(&opened)
}

/// Where a session starts: in the listener's tenant, else at home.
fn starting_grant<'a>(user: &'a User, at: &ConnectContext<'_>) -> Result<&'a Grant, Reason> {
    match &at.listener.listener_tenant {
        Some(tenant) => user.grant_in(tenant).ok_or(Reason::WrongListener),
        None => user.home().ok_or(Reason::UnknownTenant),
    }
}

/// When a user is locked out: as the strictest of the tenants says that grant
/// anything.
fn policy_of(
    user: &User,
    default: LockoutPolicy,
    directory: &mut dyn Directory,
) -> Result<LockoutPolicy, StoreError> {
    let mut strictest: Option<LockoutPolicy> = None;
    for grant in &user.grants {
        let tenant = directory.tenant(&grant.tenant)?;
        let policy = tenant.and_then(|tenant| tenant.lockout).unwrap_or(default);
        strictest = Some(strictest.map_or(policy, |other| other.stricter(policy)));
    }
    Ok(strictest.unwrap_or(default))
}
