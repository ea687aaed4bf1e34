//! Proving who a user is: the lock, the password, and the second factor.

use super::second_factor::{CodeVerdict, PresentedCode, judge_code, parts};
use crate::connect::{
    Decision, DummyVerified, FailedLogin, Method, SecretCheck, SecretVerdict, UserLogin,
};
use crate::credential::Credential;
use crate::lockout::{Lockout, LockoutPolicy};
use crate::name::{LoginName, Suffix};
use crate::reason::Reason;
use crate::scheme::NameForm;
use crate::seal::SealKey;
use crate::secret::{Secret, SecretId};
use crate::store::{Directory, StoreError};
use crate::time::Timestamp;
use crate::user::User;

/// When a user logs in, and what holds for all users then.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "it holds a key")]
pub struct UserContext<'a> {
    /// See [`ConnectContext::seal_key`](crate::connect::ConnectContext::seal_key).
    pub seal_key: Option<&'a SealKey>,
    /// See [`ConnectContext::lockout`](crate::connect::ConnectContext::lockout).
    pub lockout: LockoutPolicy,
    /// What is counted against the user where they come from, if that is told apart
    /// from what the store counts.
    pub counted_here: Option<Lockout>,
    /// When.
    pub now: Timestamp,
}

/// Why a user is not let in, or not yet.
#[derive(Clone, Debug)]
pub enum Unproved {
    /// A code is to be asked for: name and password were right.
    Challenge,
    /// It is refused, and counted against the user.
    Fail(FailedLogin),
    /// It is refused.
    Refuse(Reason),
    /// Once the slow comparison is done, it is decided again.
    Wait,
}

impl From<Unproved> for Decision {
    fn from(unproved: Unproved) -> Self {
        match unproved {
            Unproved::Challenge => Self::Challenge,
            Unproved::Fail(failure) => Self::Fail(failure),
            Unproved::Refuse(reason) => Self::Refuse(reason),
            Unproved::Wait => Self::Wait,
        }
    }
}

/// What a user presents.
#[derive(Clone, Copy)]
pub(super) struct Presented<'a> {
    pub(super) secret: Option<&'a Secret>,
    pub(super) method: &'a Method,
}

/// That a password is right, and what is left to be proved.
pub(super) struct PasswordProof<'a> {
    pub(super) secret: SecretId,
    code: Option<PresentedCode<'a>>,
    method: &'a Method,
    pub(super) lockout: Lockout,
}

/// The lock and the password of a user.
pub(super) fn prove_password<'a>(
    credential: &Credential,
    user: &User,
    form: &dyn Fn() -> NameForm,
    presented: Presented<'a>,
    at: &UserContext<'_>,
    directory: &mut dyn Directory,
    check: &mut dyn SecretCheck,
) -> Result<Result<PasswordProof<'a>, Unproved>, StoreError> {
    // Before anything is compared: a locked user costs no hash, and a right
    // password does not tell itself from a wrong one.
    let lockout = directory.lockout(&credential.name)?;
    if at.counted_here.unwrap_or(lockout).is_locked(at.now) {
        return Ok(Err(locked(
            &credential.name,
            form(),
            presented.secret,
            check,
        )));
    }
    let Some(secret) = presented.secret else {
        return Ok(Err(Unproved::Refuse(Reason::BadSecret)));
    };
    let needs_code = user.required_factor().is_some();
    let (password, code) = parts(secret, presented.method, needs_code);
    let password = password.as_ref().unwrap_or(secret);
    Ok(match check.compare(credential, password, form, at.now) {
        SecretVerdict::Match(secret) => Ok(PasswordProof {
            secret,
            code,
            method: presented.method,
            lockout,
        }),
        SecretVerdict::Mismatch => Err(failed(credential, user, at, directory)?),
        SecretVerdict::OverBudget => Err(Unproved::Refuse(Reason::OverBudget)),
        SecretVerdict::Waiting => Err(Unproved::Wait),
    })
}

/// The second factor of a user, whose password is right.
pub(super) fn prove_code(
    credential: &Credential,
    user: &User,
    proof: PasswordProof<'_>,
    at: &UserContext<'_>,
    directory: &mut dyn Directory,
) -> Result<Result<UserLogin, Unproved>, StoreError> {
    let Some(factor) = user.required_factor() else {
        return Ok(Ok(UserLogin::default()));
    };
    let judged = judge_code(factor, &credential.name, proof.code, at);
    Ok(match (judged, proof.method) {
        (CodeVerdict::Right(login), _) => Ok(login),
        (CodeVerdict::Missing, Method::Enhanced { .. }) => Err(Unproved::Challenge),
        (CodeVerdict::Missing | CodeVerdict::Unusable, _) => {
            Err(Unproved::Refuse(Reason::MfaRequired))
        }
        (CodeVerdict::Wrong, _) => Err(failed(credential, user, at, directory)?),
    })
}

/// A wrong password or code of a user.
fn failed(
    credential: &Credential,
    user: &User,
    at: &UserContext<'_>,
    directory: &mut dyn Directory,
) -> Result<Unproved, StoreError> {
    Ok(Unproved::Fail(FailedLogin {
        reason: Reason::BadSecret,
        email: credential.name.clone(),
        policy: policy_of(user, at.lockout, directory)?,
    }))
}

/// A name that no user has.
pub(super) fn unknown(
    name: LoginName,
    form: NameForm,
    presented: Option<&Secret>,
    at: &UserContext<'_>,
    directory: &mut dyn Directory,
    check: &mut dyn SecretCheck,
) -> Result<Unproved, StoreError> {
    let lockout = directory.lockout(&name)?;
    if at.counted_here.unwrap_or(lockout).is_locked(at.now) {
        return Ok(locked(&name, form, presented, check));
    }
    let Some(presented) = presented else {
        return Ok(Unproved::Refuse(Reason::UnknownName));
    };
    Ok(match check.dummy_verify(presented, form) {
        DummyVerified::Done => Unproved::Fail(FailedLogin {
            reason: Reason::UnknownName,
            email: name,
            policy: at.lockout,
        }),
        DummyVerified::OverBudget => Unproved::Refuse(Reason::OverBudget),
        DummyVerified::Waiting => Unproved::Wait,
    })
}

/// A name that is locked. Among names without an address only those of users are ever
/// locked at a broker, so there a lock costs what a wrong password costs.
fn locked(
    name: &LoginName,
    form: NameForm,
    presented: Option<&Secret>,
    check: &mut dyn SecretCheck,
) -> Unproved {
    let is_told = name.suffix() == Suffix::Email;
    let Some(presented) = presented.filter(|_| !is_told) else {
        return Unproved::Refuse(Reason::Locked);
    };
    match check.dummy_verify(presented, form) {
        DummyVerified::Done => Unproved::Refuse(Reason::Locked),
        DummyVerified::OverBudget => Unproved::Refuse(Reason::OverBudget),
        DummyVerified::Waiting => Unproved::Wait,
    }
}

/// When a user is locked out: as the strictest of the tenants says that grant
/// anything.
fn policy_of(
    user: &User,
    default: LockoutPolicy,
    directory: &mut dyn Directory,
) -> Result<LockoutPolicy, StoreError> {
    let mut policies = Vec::new();
    for grant in &user.grants {
        let tenant = directory.tenant(&grant.tenant)?;
        policies.push(tenant.and_then(|tenant| tenant.lockout));
    }
    Ok(LockoutPolicy::of_tenants(policies, default))
}
