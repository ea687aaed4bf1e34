//! What every store must do, done by this one.

#[expect(dead_code, reason = "each test file uses some of it")]
#[cfg(test)]
mod common;

countersign_testkit::store_suite!(common::fresh());
