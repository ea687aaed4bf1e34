//! What every store must do, done by this one.

mod common;

countersign_testkit::store_suite!(common::fresh());
