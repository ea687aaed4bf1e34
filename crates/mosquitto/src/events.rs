//! The events of a broker that the plugin answers.

use core::ffi::{CStr, c_int, c_void};

use countersign_mosquitto_sys as sys;

mod boundary;
mod callbacks;
pub(crate) mod table;

/// A callback of the broker (`mosquitto_broker.h`).
pub(crate) type Callback = unsafe extern "C" fn(c_int, *mut c_void, *mut c_void) -> c_int;

/// An event of the broker and what answers it.
#[derive(Debug)]
pub(crate) struct Event {
    /// Its number.
    pub(crate) id: c_int,
    /// Its name, for log lines.
    pub(crate) name: &'static str,
    /// What answers it.
    pub(crate) callback: Callback,
    /// Whether the plugin is any good on a broker without it.
    pub(crate) is_needed: bool,
    /// What of it is wanted, where there is a choice: a topic.
    pub(crate) about: Option<&'static CStr>,
}

// The names that the panic switch of the tests knows, too.
const ACL_CHECK: &str = "acl-check";
const BASIC_AUTH: &str = "basic-auth";
const CONNECT: &str = "connect";
const CONTROL: &str = "control";
const DISCONNECT: &str = "disconnect";
pub(crate) const DYNSEC: &str = "dynsec";
const EXT_AUTH_CONTINUE: &str = "ext-auth-continue";
const EXT_AUTH_START: &str = "ext-auth-start";
const PSK_KEY: &str = "psk-key";
const RELOAD: &str = "reload";
pub(crate) const TICK: &str = "tick";

/// From 2.1 on (`mosquitto/broker.h`), with the data of
/// `MOSQ_EVT_DISCONNECT`.
pub(crate) const MOSQ_EVT_CLIENT_OFFLINE: c_int = 28;
/// From 2.1 on (`mosquitto/broker.h`), with the data of [`ConnectEvent`].
const MOSQ_EVT_CONNECT: c_int = 11;

/// `mosquitto_evt_connect` (`mosquitto/broker_plugin.h`), which the headers of
/// 2.0 don't have.
#[repr(C)]
pub(crate) struct ConnectEvent {
    pub(crate) future: *mut c_void,
    pub(crate) client: *mut sys::mosquitto,
    pub(crate) future2: [*mut c_void; 4],
}

#[cfg(test)]
mod tests;
