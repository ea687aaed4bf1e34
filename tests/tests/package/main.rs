//! What `cargo xtask package` made, on a Debian of its own: the way from its
//! installation to its removal, and what the files are.
//!
//! `cargo xtask test --only package` makes packages and Debian, and runs these.

mod files;
mod fixture;
mod life;
