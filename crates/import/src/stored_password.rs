//! What a source keeps of a password.

use core::fmt;

use countersign_core::secret::{
    LONGEST_PASSWORD, PasswordHash, PasswordHashError, SaltReading, Secret,
};

/// What a source keeps of a user's password.
pub enum StoredPassword {
    /// A hash that logins are verified against here as well.
    Hash(PasswordHash),
    /// Nothing: the user can't log in with a password.
    Missing,
    /// The password itself, or what can't be told from it.
    Plain(Secret),
    /// A hash that is not taken over, and why.
    Unusable(PasswordHashError),
}

impl StoredPassword {
    /// Reads what stands in a file for a password.
    ///
    /// What looks like a hash and is none that is known is never taken for the
    /// password itself: who knows such a hash could log in with it.
    pub(crate) fn read(text: &str, reading: SaltReading) -> Self {
        if text.is_empty() {
            return Self::Missing;
        }
        match PasswordHash::import(text, reading) {
            Ok(hash) => Self::Hash(hash),
            Err(PasswordHashError::Unknown)
                if !looks_like_hash(text) && text.len() <= LONGEST_PASSWORD =>
            {
                Self::Plain(Secret::new(text.as_bytes().to_vec()))
            }
            Err(error) => Self::Unusable(error),
        }
    }

    /// What is no hash that is known.
    pub(crate) const fn unknown() -> Self {
        Self::Unusable(PasswordHashError::Unknown)
    }

    /// Reads what can only be a hash.
    pub(crate) fn read_hash(text: &str, reading: SaltReading) -> Self {
        if text.is_empty() {
            return Self::Missing;
        }
        match PasswordHash::import(text, reading) {
            Ok(hash) => Self::Hash(hash),
            Err(error) => Self::Unusable(error),
        }
    }
}

impl fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash(_) => f.write_str("Hash(…)"),
            Self::Missing => f.write_str("Missing"),
            Self::Plain(_) => f.write_str("Plain(…)"),
            Self::Unusable(error) => write!(f, "Unusable({error:?})"),
        }
    }
}

/// Says whether a text has the shape of what programs make of a password:
/// crypt's `$1$…`, LDAP's `{SSHA}…`, a digest in hexadecimal.
fn looks_like_hash(text: &str) -> bool {
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_marked = ["$", "{", "pbkdf2"].iter().any(|prefix| {
        text.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    });
    is_marked || (is_hex && [32, 40, 56, 64, 96, 128].contains(&text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        format!("{:?}", StoredPassword::read(text, SaltReading::Either))
    }

    #[test]
    fn what_looks_like_a_hash_is_never_taken_for_the_password_itself() {
        assert_eq!(read(""), "Missing");
        assert_eq!(read("pa$$word"), "Plain(…)");
        assert_eq!(read(&"x".repeat(1_024)), "Plain(…)");
        for hash in [
            "$1$salt$digest",
            "$apr1$x$y",
            "{SSHA}abcd",
            "PBKDF2$md5$1$AAAA$AAAA",
            "pbkdf2:sha256:600000$salt$hex",
            "5f4dcc3b5aa765d61d8327deb882cf99",
            "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8",
        ] {
            assert_eq!(read(hash), "Unusable(Unknown)", "{hash}");
        }
        assert_eq!(read("$7$101$AAAA"), "Unusable(Malformed)");
        assert_eq!(read(&"x".repeat(1_025)), "Unusable(Unknown)");
    }
}
