//! Passwords that people choose.

use std::sync::OnceLock;

use countersign_core::secret::{Argon2Params, PasswordHash, PasswordHashError, Secret};

pub use countersign_core::secret::LONGEST_PASSWORD;

use crate::context::{RandomError, RandomSource};
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

    /// The password itself.
    pub(crate) fn secret(&self) -> &Secret {
        &self.password
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

fn not_hashed(error: PasswordHashError) -> AdminError {
    let subject = Subject::nameless(Noun::Password);
    let message = "could not hash the password: not enough memory for the Argon2 parameters";
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
