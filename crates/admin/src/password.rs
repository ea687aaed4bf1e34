//! Secrets that acts give out or take in.

use countersign_core::name::LoginName;
use countersign_core::scheme::{DraftError, DraftSecret, Scheme, Schemes};
use countersign_core::secret::{
    Argon2Params, PasswordHash, PasswordHashError, Secret, SecretDigest, Verifier,
};

pub use countersign_core::secret::LONGEST_PASSWORD;

use std::sync::OnceLock;

use crate::command::Tx;
use crate::context::{Context, RandomError, RandomSource};
use crate::error::{AdminError, ErrorKind, Noun, Subject};

/// A password that a person chose, of a shape that every client can present.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct ChosenPassword {
    password: Secret,
    /// What is kept of it, once the runner has hashed it.
    hash: OnceLock<PasswordHash>,
}

impl ChosenPassword {
    /// Takes over `bytes` as a password.
    ///
    /// Any bytes will do but NUL: a C broker hands passwords to its plugins as
    /// C strings, so what follows a NUL would count for nothing. How few there
    /// may be is for the scheme to say.
    ///
    /// # Errors
    ///
    /// Returns [`PasswordError`] when there are more than 1,024 bytes, or one
    /// of them is NUL.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, PasswordError> {
        let password = Secret::new(bytes);
        let bytes = password.expose();
        if bytes.len() > LONGEST_PASSWORD {
            return Err(PasswordError::TooLong);
        }
        if bytes.contains(&0) {
            return Err(PasswordError::Nul);
        }
        Ok(Self {
            password,
            hash: OnceLock::new(),
        })
    }

    /// Hashes it for the command that stores it. Slow, so no transaction may be
    /// open.
    ///
    /// # Errors
    ///
    /// Returns [`AdminError`] when there is no randomness or too little memory.
    pub(crate) fn hash(
        &self,
        random: &mut dyn RandomSource,
        params: Argon2Params,
    ) -> Result<(), AdminError> {
        if self.hash.get().is_none() {
            let hash = self.new_hash(random, params)?;
            self.hash.get_or_init(|| hash);
        }
        Ok(())
    }

    /// What is kept of it, if it was hashed.
    pub(crate) fn hashed(&self) -> Option<&PasswordHash> {
        self.hash.get()
    }

    /// A hash of it with a salt of its own.
    ///
    /// # Errors
    ///
    /// As [`ChosenPassword::hash`].
    pub(crate) fn new_hash(
        &self,
        random: &mut dyn RandomSource,
        params: Argon2Params,
    ) -> Result<PasswordHash, AdminError> {
        let mut salt = [0; 16];
        random.fill(&mut salt)?;
        PasswordHash::new(&self.password, salt, params).map_err(not_hashed)
    }
}

/// Where the secret of a credential comes from.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub enum NewSecret {
    /// A person chose it.
    Chosen(ChosenPassword),
    /// It is made from randomness, and shown once.
    Generated,
}

impl NewSecret {
    /// The password, if a person chose one.
    ///
    /// Where the scheme does not say how short it may be, it may not be empty.
    pub(crate) fn chosen(&self, scheme: &Scheme) -> Result<Option<&Secret>, PasswordError> {
        match self {
            Self::Chosen(ChosenPassword { password, .. }) => {
                let says_fewest = scheme
                    .chosen_secrets()
                    .is_some_and(|limits| limits.fewest.is_some());
                if password.expose().is_empty() && !says_fewest {
                    return Err(PasswordError::Empty);
                }
                Ok(Some(password))
            }
            Self::Generated => Ok(None),
        }
    }

    /// What is kept of the password that a person chose. Slow, so no
    /// transaction may be open.
    pub(crate) fn hash(
        &self,
        context: &mut Context<'_>,
        params: Argon2Params,
    ) -> Result<Option<Verifier>, PrepareError> {
        match self {
            Self::Chosen(chosen) => {
                let hash = PasswordHash::new(&chosen.password, context.random_bits()?, params)?;
                Ok(Some(Verifier::Password(hash)))
            }
            Self::Generated => Ok(None),
        }
    }

    /// Makes what is stored of another secret for `name`, as its scheme says.
    /// Slow where it was chosen, so no transaction may be open.
    pub(crate) fn prepare(
        &self,
        context: &mut Context<'_>,
        name: &LoginName,
        scheme: &Scheme,
        known: &Schemes,
        params: Argon2Params,
    ) -> Result<PreparedSecret, PrepareError> {
        let chosen = self.chosen(scheme)?;
        match scheme.draft_secret(name, chosen, known, context.random)? {
            DraftSecret::Chosen => match self.hash(context, params)? {
                Some(verifier) => Ok(PreparedSecret {
                    verifier,
                    shown_once: None,
                }),
                None => Err(PasswordError::Empty.into()),
            },
            DraftSecret::Generated(secret) => Ok(PreparedSecret::of(secret)),
        }
    }
}

impl NewSecret {
    /// The password that a person chose, for the runner to hash.
    pub(crate) fn password(&self) -> Option<&ChosenPassword> {
        match self {
            Self::Chosen(password) => Some(password),
            Self::Generated => None,
        }
    }

    /// Makes what is stored of this secret for `name`, as its scheme says.
    ///
    /// # Errors
    ///
    /// Returns [`AdminError`] when the scheme makes or takes no such secret, or
    /// when there is no randomness.
    pub(crate) fn drafted(
        &self,
        tx: &mut Tx<'_>,
        name: &LoginName,
        scheme: &Scheme,
        known: &Schemes,
    ) -> Result<PreparedSecret, AdminError> {
        let chosen = self.chosen(scheme)?;
        let draft = scheme.draft_secret(name, chosen, known, tx.random)?;
        self.stored(tx, draft)
    }

    /// Makes what is stored of a secret that a scheme has drafted.
    ///
    /// # Errors
    ///
    /// Returns [`AdminError`] when the scheme wants a password and none was
    /// chosen.
    pub(crate) fn stored(
        &self,
        tx: &mut Tx<'_>,
        draft: DraftSecret,
    ) -> Result<PreparedSecret, AdminError> {
        match (draft, self) {
            (DraftSecret::Generated(secret), _) => Ok(PreparedSecret::of(secret)),
            (DraftSecret::Chosen, Self::Chosen(password)) => Ok(PreparedSecret {
                verifier: Verifier::Password(tx.hash_of(password)?),
                shown_once: None,
            }),
            (DraftSecret::Chosen, Self::Generated) => Err(PasswordError::Empty.into()),
        }
    }
}

fn not_hashed(error: PasswordHashError) -> AdminError {
    let subject = Subject::nameless(Noun::Password);
    let message = "could not hash the password: not enough memory for its Argon2 parameters";
    AdminError::new(ErrorKind::Unavailable, subject, message).with_cause(error)
}

impl From<PasswordError> for AdminError {
    fn from(error: PasswordError) -> Self {
        Self::invalid(Noun::Password, "", error)
    }
}

impl From<RandomError> for AdminError {
    fn from(error: RandomError) -> Self {
        let subject = Subject::nameless(Noun::Random);
        Self::new(ErrorKind::Unavailable, subject, error.to_string())
    }
}

/// A secret that is about to be stored.
pub(crate) struct PreparedSecret {
    /// What is stored of it.
    pub(crate) verifier: Verifier,
    /// The secret itself, if the caller does not know it.
    pub(crate) shown_once: Option<Secret>,
}

impl PreparedSecret {
    /// Takes over a secret that was made from randomness.
    pub(crate) fn of(made: Secret) -> Self {
        Self {
            verifier: Verifier::Digest(SecretDigest::of(&made)),
            shown_once: Some(made),
        }
    }
}

/// Why bytes are not a valid password.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// There are none.
    #[error("a password can't be empty")]
    Empty,
    /// One of them is NUL.
    #[error("a password can't hold the character NUL: brokers would cut it there")]
    Nul,
    /// They are more than 1,024.
    #[error("a password can't be longer than 1024 bytes")]
    TooLong,
}

/// Why a secret could not be prepared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrepareError {
    /// The scheme makes or takes no such secret.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// Argon2 failed.
    #[error(transparent)]
    Hash(#[from] PasswordHashError),
    /// The password is none.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// There was no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<(), PasswordError> {
        ChosenPassword::parse(bytes.to_vec()).map(|_| ())
    }

    #[test]
    fn a_password_is_any_at_most_1024_bytes_but_nul() {
        assert_eq!(parse(b"x"), Ok(()));
        assert_eq!(parse(b"\xff\xfe \r"), Ok(()));
        assert_eq!(parse(&[b'x'; 1_024]), Ok(()));
        assert_eq!(parse(&[b'x'; 1_025]), Err(PasswordError::TooLong));
        assert_eq!(parse(b"a\0b"), Err(PasswordError::Nul));
    }
}
