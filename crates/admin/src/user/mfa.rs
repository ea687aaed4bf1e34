//! Second factors: enrolled, confirmed, and taken away.

use countersign_core::name::LoginName;
use countersign_core::scheme::RandomSource;
use countersign_core::secret::{Secret, SecretDigest};
use countersign_core::store::AdminStore;
use countersign_core::store::rows::UserRows as _;
use countersign_core::totp::{Code, Seed};
use countersign_core::user::{SEED, SecondFactor};
use zeroize::Zeroizing;

use super::{ShownUser, UserError, about, act_on};
use crate::context::{Context, RandomError};
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
/// confirmed.
///
/// # Errors
///
/// Returns [`UserError`] when there is no such user, when a second factor is
/// confirmed, when there is no key file to seal the seed with, or when the
/// store can't be written; nothing changed then.
pub fn enrol<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    email: &LoginName,
) -> Result<Enrolment, UserError> {
    let mut random = Zeroizing::new([0; 20]);
    context
        .random
        .fill(&mut *random)
        .map_err(KeyFileError::from)?;
    let seed = Seed::new(*random);
    let recovery_codes: Vec<_> = (0..RECOVERY_CODES)
        .map(|_| recovery_code(context.random))
        .collect::<Result<_, _>>()
        .map_err(KeyFileError::from)?;
    let digests: Vec<_> = recovery_codes.iter().map(SecretDigest::of).collect();
    let mut nonce = [0; 24];
    context
        .random
        .fill(&mut nonce)
        .map_err(KeyFileError::from)?;
    let described = act_on(
        store,
        context,
        email,
        "user.mfa.enrol",
        |transaction, user| {
            let email = user.name.clone();
            let about = about(user)?;
            if about.required_factor().is_some() {
                return Err(UserError::AlreadyConfirmed { email });
            }
            let key = sealed::require(transaction)?;
            let sealed = key
                .seal(SEED, email.as_str().as_bytes(), nonce, seed.expose())
                .map_err(KeyFileError::from)?;
            about.second_factor = Some(SecondFactor {
                seed: sealed,
                is_confirmed: false,
                last_step: None,
                recovery: Vec::new(),
            });
            Ok(transaction.put_recovery_codes(user.id, &digests)?)
        },
    )?;
    Ok(Enrolment {
        described,
        seed,
        recovery_codes,
    })
}

/// Confirms a second factor by one of its codes, which counts as used. From now
/// on a login needs one.
///
/// # Errors
///
/// Returns [`UserError`] when there is no such user or second factor, when it
/// is confirmed already, when the code is wrong or can't be checked without the
/// key file, or when the store can't be written; nothing changed then.
pub fn confirm<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    email: &LoginName,
    code: &Secret,
) -> Result<ShownUser, UserError> {
    let act = "user.mfa.confirm";
    act_on(store, context, email, act, |transaction, user| {
        let email = user.name.clone();
        let about = about(user)?;
        if about.required_factor().is_some() {
            return Err(UserError::AlreadyConfirmed { email });
        }
        let Some(factor) = &mut about.second_factor else {
            return Err(UserError::NoSecondFactor { email });
        };
        let key = sealed::require(transaction)?;
        let opened = key.open(SEED, email.as_str().as_bytes(), &factor.seed);
        let opened = opened.map_err(|_| KeyFileError::OtherKey)?;
        let seed = Seed::from_bytes(&opened).ok_or(KeyFileError::OtherKey)?;
        let step = Code::parse(code.expose()).and_then(|code| seed.matches(&code, context.now));
        let step = step.ok_or(UserError::WrongCode { email })?;
        factor.is_confirmed = true;
        Ok(transaction.put_last_step(user.id, step)?)
    })
}

/// Takes a second factor away, confirmed or not. It needs no key file: this is
/// the way out for a user who lost it.
///
/// # Errors
///
/// Returns [`UserError`] when there is no such user or second factor, or when
/// the store can't be written; nothing changed then.
pub fn disable<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    email: &LoginName,
) -> Result<ShownUser, UserError> {
    let act = "user.mfa.disable";
    act_on(store, context, email, act, |transaction, user| {
        let email = user.name.clone();
        if about(user)?.second_factor.take().is_none() {
            return Err(UserError::NoSecondFactor { email });
        }
        Ok(transaction.put_recovery_codes(user.id, &[])?)
    })
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
