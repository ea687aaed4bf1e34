//! Who logs in: names and secrets that follow from a number, so that none has
//! to be kept.

use anyhow::{Context, Result};
use countersign_core::secret::Secret;

use super::wire;

/// A name and what proves it.
pub struct Login {
    pub username: String,
    pub password: String,
}

/// The password that all share who have a chosen one.
pub const CHOSEN: &str = "correct horse battery staple";

/// The tenant of all.
pub const TENANT: &str = "bench";

/// The name that number `index` becomes before its tenant is added.
pub fn name(index: usize) -> String {
    format!("device{index:07}@{TENANT}")
}

/// The generated secret of number `index`.
pub fn generated(index: usize) -> Secret {
    // Odd, so that no two numbers share a secret.
    let bits = (index as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    Secret::generate(bits.to_be_bytes())
}

impl Login {
    /// Number `index` with its generated secret.
    pub fn generated(index: usize) -> Result<Self> {
        Ok(Self {
            username: name(index),
            password: String::from_utf8(generated(index).expose().to_vec())
                .context("a generated secret is text")?,
        })
    }

    /// Number `index` with the chosen password.
    pub fn chosen(index: usize) -> Self {
        Self {
            username: name(index),
            password: CHOSEN.to_owned(),
        }
    }

    /// The CONNECT of the one client of this login.
    pub fn connect(&self) -> Vec<u8> {
        wire::connect(&self.username.replace('@', "-"), self)
    }
}
