//! Who logs in: names and secrets that follow from a number, so that none has
//! to be kept.

use countersign_core::secret::Secret;
use countersign_testkit::Connect;

/// A name and what proves it.
pub struct Login {
    pub username: String,
    pub password: String,
}

/// The password that all share who have a chosen one.
pub const CHOSEN: &str = "correct horse battery staple";

/// The tenant of all.
pub const TENANT: &str = "bench";

/// The name of number `index`.
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
    pub fn generated(index: usize) -> Self {
        Self {
            username: name(index),
            password: String::from_utf8_lossy(generated(index).expose()).into_owned(),
        }
    }

    /// Number `index` with the chosen password.
    pub fn chosen(index: usize) -> Self {
        Self {
            username: name(index),
            password: CHOSEN.to_owned(),
        }
    }

    /// The CONNECT of the one client of this login.
    pub fn connect(&self) -> Connect {
        self.connect_as(&self.username.replace('@', "-"))
    }

    /// The CONNECT of a client with this id.
    pub fn connect_as(&self, client_id: &str) -> Connect {
        Connect::v311(client_id).login(&self.username, &self.password)
    }
}
