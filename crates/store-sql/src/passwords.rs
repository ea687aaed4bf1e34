//! Where a store keeps of which schemes some names have passwords: one row of `setting` for
//! each, which goes with the scheme.

use countersign_core::scheme::SchemeName;

/// The key of the row that says so of a scheme.
#[must_use]
pub fn expecting_key(scheme: &SchemeName) -> String {
    format!("{PREFIX}{scheme}")
}

/// The scheme that a row of `setting` says so of; none where it says something else, and
/// where no scheme has such a name.
#[must_use]
pub fn expecting_scheme(key: &str) -> Option<SchemeName> {
    SchemeName::parse(key.strip_prefix(PREFIX)?).ok()
}

/// Between these are all such keys.
pub const EXPECTING_KEYS: [&str; 2] = [PREFIX, "expects_passwords/"];

const PREFIX: &str = "expects_passwords.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_scheme_names_it_and_no_other_key_does() {
        let scheme = SchemeName::parse("generated").unwrap();
        let key = expecting_key(&scheme);
        assert_eq!(key, "expects_passwords.generated");
        assert_eq!(expecting_scheme(&key), Some(scheme));
        let [first, last] = EXPECTING_KEYS;
        assert!(first < key.as_str() && key.as_str() < last);
        for other in [
            "rehash",
            "expects_passwords",
            "expects_passwords.",
            "expects_passwords.A b",
        ] {
            assert_eq!(expecting_scheme(other), None, "{other}");
        }
    }
}
