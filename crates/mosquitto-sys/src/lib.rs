//! Types and constants of Mosquitto's plugin interface, version 5.
//!
//! Everything here is bindgen output over the headers of Debian bookworm's
//! `libmosquitto-dev` and `mosquitto-dev` (2.0.11), committed so that a build
//! needs neither the headers nor libclang. `cargo xtask codegen` writes it
//! anew and `cargo xtask codegen --check` says whether it is current. The
//! layouts are the same in 2.0.11, 2.0.21 and 2.1, and bindgen's assertions
//! hold them at compile time.
//!
//! No function is declared: a broker exports different ones from version to
//! version, so whoever calls them looks each up at run time.

#![no_std]

mod bindings;

pub use bindings::*;
