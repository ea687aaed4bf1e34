//! Secrets that acts give out or take in.

use countersign_core::secret::{
    Argon2Params, PasswordHash, PasswordHashError, Secret, SecretDigest, Verifier,
};

use crate::context::{Context, RandomError};

/// A password that somebody chose, of a shape that every client can present.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct ChosenPassword(Secret);

impl ChosenPassword {
    /// Takes over `bytes` as a password.
    ///
    /// Any bytes will do but NUL: a C broker hands passwords to its plugins as
    /// C strings, so what follows a NUL would count for nothing.
    ///
    /// # Errors
    ///
    /// Returns [`PasswordError`] unless there are 1 to 1,024 bytes, none NUL.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, PasswordError> {
        let password = Secret::new(bytes);
        let bytes = password.expose();
        if bytes.is_empty() {
            return Err(PasswordError::Empty);
        }
        if bytes.len() > LONGEST_PASSWORD {
            return Err(PasswordError::TooLong);
        }
        if bytes.contains(&0) {
            return Err(PasswordError::Nul);
        }
        Ok(Self(password))
    }
}

/// Where the secret of a credential comes from.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub enum NewSecret {
    /// Somebody chose it.
    Chosen(ChosenPassword),
    /// It is made from randomness, and shown once.
    Generated,
}

impl NewSecret {
    /// Makes what is stored of the secret. Slow where it was chosen, so no
    /// transaction may be open.
    pub(crate) fn prepare(
        self,
        context: &mut Context<'_>,
        params: Argon2Params,
    ) -> Result<PreparedSecret, PrepareError> {
        match self {
            Self::Chosen(password) => {
                let hash = PasswordHash::new(&password.0, context.random_bits()?, params)?;
                Ok(PreparedSecret {
                    verifier: Verifier::Password(hash),
                    shown_once: None,
                })
            }
            Self::Generated => Ok(PreparedSecret::generate(context)?),
        }
    }
}

/// A secret that is about to be stored.
pub(crate) struct PreparedSecret {
    /// What is stored of it.
    pub(crate) verifier: Verifier,
    /// The secret itself, if whoever asked does not know it.
    pub(crate) shown_once: Option<Secret>,
}

impl PreparedSecret {
    /// Makes a new secret from randomness.
    pub(crate) fn generate(context: &mut Context<'_>) -> Result<Self, RandomError> {
        let secret = Secret::generate(context.random_bits()?);
        Ok(Self {
            verifier: Verifier::Digest(SecretDigest::of(&secret)),
            shown_once: Some(secret),
        })
    }
}

/// Why bytes are no password.
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
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum PrepareError {
    /// Argon2 failed.
    #[error(transparent)]
    Hash(#[from] PasswordHashError),
    /// There was no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// The longest chosen password, in bytes.
pub const LONGEST_PASSWORD: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<(), PasswordError> {
        ChosenPassword::parse(bytes.to_vec()).map(|_| ())
    }

    #[test]
    fn nothing_is_no_password() {
        assert_eq!(parse(b""), Err(PasswordError::Empty));
    }

    #[test]
    fn a_password_is_any_1_to_1024_bytes_but_nul() {
        assert_eq!(parse(b"x"), Ok(()));
        assert_eq!(parse(b"\xff\xfe \r"), Ok(()));
        assert_eq!(parse(&[b'x'; 1_024]), Ok(()));
        assert_eq!(parse(&[b'x'; 1_025]), Err(PasswordError::TooLong));
        assert_eq!(parse(b"a\0b"), Err(PasswordError::Nul));
    }
}
