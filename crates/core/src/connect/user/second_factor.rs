//! The second factor of a user: where its code stands, and what that is worth.

use super::proof::UserContext;
use crate::connect::{Method, UserLogin};
use crate::name::LoginName;
use crate::seal::SealKey;
use crate::secret::{Secret, SecretDigest};
use crate::time::Timestamp;
use crate::totp::{Code, Seed, split_appended};
use crate::user::{SEED, SecondFactor};

/// The password, where it is not all that was presented, and the code.
pub(super) fn parts<'a>(
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
        Method::Plain | Method::Token => (None, None),
    }
}

/// A code, and how it came.
pub(super) enum PresentedCode<'a> {
    /// Six digits behind the password.
    Appended(Code),
    /// What was sent when a code was asked for.
    Answer(&'a Secret),
}

/// What a code is worth.
pub(super) enum CodeVerdict {
    /// There is none.
    Missing,
    /// It can't be checked, or was accepted before.
    Unusable,
    /// It is accepted, and this is to be recorded.
    Right(UserLogin),
    /// It is none of this user.
    Wrong,
}

pub(super) fn judge_code(
    factor: &SecondFactor,
    name: &LoginName,
    code: Option<PresentedCode<'_>>,
    at: &UserContext<'_>,
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
