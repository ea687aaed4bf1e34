//! Switches for the tests alone, behind the feature `test-hooks`: a clock that
//! runs ahead or behind, and callbacks that panic. No release holds them.

use std::env;
use std::fs;

use countersign::core::time::Timestamp;

/// `now`, moved by as many milliseconds as stand in the file that
/// `COUNTERSIGN_TEST_CLOCK` names.
pub(crate) fn shifted(now: Timestamp) -> Timestamp {
    let offset = read("COUNTERSIGN_TEST_CLOCK").and_then(|text| text.trim().parse().ok());
    Timestamp::from_millis(now.as_millis().saturating_add(offset.unwrap_or(0)))
}

/// Panics if the file that `COUNTERSIGN_TEST_PANIC` names holds this event's
/// name.
#[expect(clippy::panic, reason = "that is what it is for")]
pub(crate) fn panic_if_asked(event: &str) {
    if read("COUNTERSIGN_TEST_PANIC").is_some_and(|text| text.trim() == event) {
        panic!("asked to, in {event}");
    }
}

fn read(variable: &str) -> Option<String> {
    fs::read_to_string(env::var_os(variable)?).ok()
}
