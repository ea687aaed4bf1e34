//! Countersign in other people's brokers: the C library as it is packaged, the
//! examples, and the page that leads a newcomer there.
//!
//! `cargo xtask test --only embed` packages it into a folder and runs these.

mod cases;
mod clang;
mod guide;
mod hosts;
mod misuse;
mod package;
