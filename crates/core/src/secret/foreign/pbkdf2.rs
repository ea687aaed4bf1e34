//! PBKDF2 as several systems use it.

use pbkdf2::pbkdf2_hmac;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq as _;

use super::{is_salt, number};
use crate::secret::Secret;
use crate::secret::password::PasswordHashError;

/// PBKDF2-HMAC (RFC 8018 §5.2).
#[derive(Clone)]
pub(in crate::secret) struct Pbkdf2 {
    hash: HmacHash,
    rounds: u32,
    /// One salt, or two where it is not known which it is.
    salts: Vec<Box<[u8]>>,
    pub(super) key: Box<[u8]>,
}

/// The hash under its HMAC.
#[derive(Clone, Copy)]
pub(super) enum HmacHash {
    Sha256,
    Sha512,
}

impl Pbkdf2 {
    /// One of these parts, if they are sane and cost no more than they may.
    pub(super) fn checked(
        hash: HmacHash,
        rounds: &str,
        salts: Vec<Box<[u8]>>,
        key: Box<[u8]>,
    ) -> Result<Self, PasswordHashError> {
        let rounds = number(rounds).ok_or(PasswordHashError::Malformed)?;
        let sane = rounds > 0 && salts.iter().all(|salt| is_salt(salt));
        if !sane || !(16..=64).contains(&key.len()) {
            return Err(PasswordHashError::Malformed);
        }
        let read = Self {
            hash,
            rounds,
            salts,
            key,
        };
        if read.all_rounds() > MOST_ROUNDS {
            return Err(PasswordHashError::TooCostly);
        }
        Ok(read)
    }

    /// The rounds of a check, for all blocks of the key and all salts.
    pub(super) fn all_rounds(&self) -> u32 {
        let blocks = self.key.len().div_ceil(self.hash.output_len());
        let factor = blocks.saturating_mul(self.salts.len());
        let factor = u32::try_from(factor).unwrap_or(u32::MAX);
        self.rounds.saturating_mul(factor)
    }

    /// Says whether this is the password, by any of the salts.
    pub(super) fn verify(&self, presented: &[u8]) -> bool {
        let mut matches = subtle::Choice::from(0);
        // All salts, so that it takes the same time whichever is the right one.
        for salt in &self.salts {
            let mut output = vec![0; self.key.len()];
            match self.hash {
                HmacHash::Sha256 => {
                    pbkdf2_hmac::<Sha256>(presented, salt, self.rounds, &mut output);
                }
                HmacHash::Sha512 => {
                    pbkdf2_hmac::<Sha512>(presented, salt, self.rounds, &mut output);
                }
            }
            matches |= output.ct_eq(&self.key);
        }
        matches.into()
    }
}

impl HmacHash {
    const fn output_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// Spends what a check of a hash of so many rounds takes.
pub(in crate::secret) fn spend_rounds(presented: &Secret, rounds: u32) {
    let mut output = [0; 64];
    if rounds > 0 {
        pbkdf2_hmac::<Sha512>(presented.expose(), b"rounds", rounds, &mut output);
    }
    core::hint::black_box(output);
}

/// So many rounds of PBKDF2 in all, for each block of the key and each salt.
const MOST_ROUNDS: u32 = 200_000;
/// So many take about a third of a millisecond, at some 600 ns each.
pub(in crate::secret) const MOST_QUICK_ROUNDS: u32 = 500;
