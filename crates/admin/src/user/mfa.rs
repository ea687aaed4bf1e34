//! Second factors: enrolled, confirmed, and taken away.

use countersign_core::name::LoginName;
use countersign_core::scheme::{RandomError, RandomSource};
use countersign_core::secret::{Secret, SecretDigest};
use countersign_core::totp::{Code, Seed};
use countersign_core::user::{SEED, SecondFactor};
use zeroize::Zeroizing;

use super::{ShownUser, about, change};
use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::sealed::{self, KeyFileError};

/// A second factor that was made just now. It is asked for once it is confirmed.
#[expect(missing_debug_implementations, reason = "it holds secrets")]
pub struct Enrolment {
    /// The user.
    pub described: ShownUser,
    /// What the user's authenticator is told, to be shown this once.
    pub seed: Seed,
    /// Codes that stand in for one of the second factor, once each; to be shown
    /// this once.
    pub recovery_codes: Vec<Secret>,
}

/// Makes a second factor for a user, in the place of one that was never
/// confirmed. It takes the key file, which seals the seed.
#[derive(Clone, Debug)]
pub struct EnrolSecondFactor(pub LoginName);

impl Command for EnrolSecondFactor {
    type Output = Enrolment;

    fn needs(&self) -> Permission {
        Permission::ManageUser(self.0.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Enrolment, AdminError> {
        enrol(tx, &self.0)
    }
}

/// See [`EnrolSecondFactor`].
pub(crate) fn enrol(tx: &mut Tx<'_>, email: &LoginName) -> Result<Enrolment, AdminError> {
    let mut random = Zeroizing::new([0; 20]);
    tx.random.fill(&mut *random)?;
    let seed = Seed::new(*random);
    let recovery_codes: Vec<_> = (0..RECOVERY_CODES)
        .map(|_| recovery_code(tx.random))
        .collect::<Result<_, _>>()?;
    let described = change(tx, "user.mfa.enrol", email, |tx, user| {
        let email = user.name.clone();
        let about = about(user)?;
        if about.required_factor().is_some() {
            return Err(confirmed_already(&email));
        }
        let key = tx.seal_key().ok_or(KeyFileError::NoKey)?;
        about.second_factor = Some(SecondFactor {
            seed: sealed::seal(&key, SEED, email.as_str(), seed.expose(), tx.random)?,
            is_confirmed: false,
            last_step: None,
            recovery: Vec::new(),
        });
        let digests: Vec<_> = recovery_codes.iter().map(SecretDigest::of).collect();
        Ok(tx.put_recovery_codes(user.id, &digests)?)
    })?;
    Ok(Enrolment {
        described,
        seed,
        recovery_codes,
    })
}

/// Confirms a second factor by one of its codes, which counts as used. From now
/// on a login needs one.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct ConfirmSecondFactor {
    /// The address.
    pub email: LoginName,
    /// The code.
    pub code: Secret,
}

impl Command for ConfirmSecondFactor {
    type Output = ShownUser;

    fn needs(&self) -> Permission {
        Permission::ManageUser(self.email.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownUser, AdminError> {
        confirm(tx, &self.email, &self.code)
    }
}

/// See [`ConfirmSecondFactor`]. Web sessions end, which began without a code.
pub(crate) fn confirm(
    tx: &mut Tx<'_>,
    email: &LoginName,
    code: &Secret,
) -> Result<ShownUser, AdminError> {
    change(tx, "user.mfa.confirm", email, |tx, user| {
        let (id, email) = (user.id, user.name.clone());
        let about = about(user)?;
        if about.required_factor().is_some() {
            return Err(confirmed_already(&email));
        }
        let Some(factor) = &mut about.second_factor else {
            return Err(no_factor(&email));
        };
        let key = tx.seal_key().ok_or(KeyFileError::NoKey)?;
        let opened = key.open(SEED, email.as_str().as_bytes(), &factor.seed);
        let opened = opened.map_err(|_| KeyFileError::OtherKey)?;
        let seed = Seed::from_bytes(&opened).ok_or(KeyFileError::OtherKey)?;
        let code = Code::parse(code.expose());
        let step = code.and_then(|code| seed.matches(&code, tx.now));
        let step = step.ok_or_else(|| wrong_code(&email))?;
        factor.is_confirmed = true;
        tx.remove_web_sessions_of(id)?;
        Ok(tx.put_last_step(id, step)?)
    })
}

/// Takes a second factor away, confirmed or not. It needs no key file: this is
/// the way out for a user who lost it.
#[derive(Clone, Debug)]
pub struct DisableSecondFactor(pub LoginName);

impl Command for DisableSecondFactor {
    type Output = ShownUser;

    fn needs(&self) -> Permission {
        Permission::ManageUser(self.0.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownUser, AdminError> {
        disable(tx, &self.0)
    }
}

/// See [`DisableSecondFactor`]. Web sessions end.
pub(crate) fn disable(tx: &mut Tx<'_>, email: &LoginName) -> Result<ShownUser, AdminError> {
    change(tx, "user.mfa.disable", email, |tx, user| {
        if about(user)?.second_factor.take().is_none() {
            return Err(no_factor(&user.name));
        }
        tx.remove_web_sessions_of(user.id)?;
        Ok(tx.put_recovery_codes(user.id, &[])?)
    })
}

fn confirmed_already(email: &LoginName) -> AdminError {
    let message = format!("`{email}` has a second factor already");
    refused(ErrorKind::Exists, email, message)
}

fn no_factor(email: &LoginName) -> AdminError {
    let message = format!("`{email}` has no second factor");
    refused(ErrorKind::NotFound, email, message)
}

fn wrong_code(email: &LoginName) -> AdminError {
    let message = format!(
        "this is not a code of `{email}` at this time; compare the clocks of both sides, or enrol \
         again"
    );
    refused(ErrorKind::Conflict, email, message)
}

fn refused(kind: ErrorKind, email: &LoginName, message: String) -> AdminError {
    AdminError::new(kind, Subject::new(Noun::SecondFactor, email), message)
}

/// Makes a code of 80 random bits that can be read aloud: `abcd-efgh-jkmn-pqrs`.
fn recovery_code(random: &mut dyn RandomSource) -> Result<Secret, RandomError> {
    let mut bits = Zeroizing::new([0; 16]);
    random.fill(&mut *bits)?;
    let mut code = Vec::with_capacity(19);
    for (place, byte) in bits.iter().enumerate() {
        if place > 0 && place.is_multiple_of(4) {
            code.push(b'-');
        }
        // 32 letters, so five of the eight bits tell one.
        let letter = LETTERS.get(usize::from(byte & 0x1f)).copied();
        code.push(letter.unwrap_or(b'x'));
    }
    Ok(Secret::new(code))
}

/// Without `i`, `l`, `o` and `u`, which look like others or make up words.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const RECOVERY_CODES: usize = 10;
