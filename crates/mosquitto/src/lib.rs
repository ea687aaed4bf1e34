//! Countersign behind the plugin interface of Mosquitto, version 5.
//!
//! One build serves Mosquitto 2.0 and 2.1: types come from the headers, every
//! function of the broker is looked up at run time. What this crate believes
//! about the broker, and where that is written, stands in `docs/SAFETY.md`.
//!
//! The broker calls [`init`], then the callbacks that it registered, then
//! [`cleanup`], all on one thread. A callback decodes its event, asks the
//! [`Gate`](countersign::Gate), lets go of it, and only then calls the broker,
//! which may call back.
//!
//! There is no global state but the handler of a signal and the list of the
//! plugins that a broker has loaded: each [`init`] makes one of its own.

#![expect(
    unsafe_code,
    reason = "this crate is the border to the broker, which is written in C"
)]

pub use self::start::{cleanup, init, version};

mod boundary;
mod clients;
mod clock;
mod events;
#[cfg(test)]
mod fixture;
mod host;
mod hostname;
mod instances;
mod log_line;
mod plugin;
mod plugin_gate;
mod start;
#[cfg(feature = "test-hooks")]
mod test_hooks;
mod thread;
mod tick_watchdog;
mod wake;
