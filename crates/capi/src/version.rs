//! Which library this is.

use core::ffi::{CStr, c_char};

use gate::core::reason::Reason;

use crate::status::countersign_reason;

/// The version of the library that is loaded, such as "0.1.0". Compare it with
/// COUNTERSIGN_VERSION, the version of the header.
///
/// Any thread. Never NULL; NUL-terminated; never freed.
#[unsafe(no_mangle)]
pub extern "C" fn countersign_version() -> *const c_char {
    VERSION.as_ptr()
}

/// The word that the audit and the program `countersign` use for a reason, such
/// as "bad-secret"; "" for COUNTERSIGN_REASON_NONE, for
/// COUNTERSIGN_REASON_CALL_FAILED and for a number that is none.
///
/// Any thread. Never NULL; NUL-terminated; never freed.
#[unsafe(no_mangle)]
pub extern "C" fn countersign_reason_text(reason: u32) -> *const c_char {
    let found = Reason::ALL.iter().zip(WORDS).find(|(it, _)| {
        u32::from_ne_bytes((countersign_reason::from(**it) as i32).to_ne_bytes()) == reason
    });
    found.map_or(c"", |(_, word)| *word).as_ptr()
}

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };

/// The words of all reasons, in the order of [`Reason::ALL`].
const WORDS: &[&CStr] = &[
    c"bad-secret",
    c"banned",
    c"certificate-expired",
    c"certificate-unknown",
    c"client-id-limit",
    c"client-id-mismatch",
    c"client-id-owned",
    c"denied-by-rule",
    c"expired",
    c"keys-outdated",
    c"locked",
    c"malformed",
    c"mfa-required",
    c"no-rule",
    c"not-yet-valid",
    c"other-tenant",
    c"over-budget",
    c"over-limit",
    c"registering",
    c"revoked",
    c"stale",
    c"store-busy",
    c"store-unavailable",
    c"suspended",
    c"tls-required",
    c"too-many-failures",
    c"unauthenticated",
    c"unknown-name",
    c"unknown-tenant",
    c"wrong-listener",
];
// One too few would shift those behind it.
const _: () = assert!(WORDS.len() == Reason::ALL.len());

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_has_its_word_and_a_number_of_its_own() {
        let mut numbers = BTreeSet::new();
        for reason in Reason::ALL {
            let number = countersign_reason::from(*reason) as u32;
            assert!(number > 0 && numbers.insert(number), "{reason}");
            let text = countersign_reason_text(number);
            // SAFETY: never NULL, terminated.
            let text = unsafe { CStr::from_ptr(text) };
            assert_eq!(text.to_str(), Ok(reason.as_str()));
        }
        // SAFETY: never NULL, terminated.
        let text = unsafe { CStr::from_ptr(countersign_reason_text(9_999)) };
        assert_eq!(text, c"");
    }
}
