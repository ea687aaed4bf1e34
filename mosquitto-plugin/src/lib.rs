//! `libmosquitto_countersign.so`: the three functions that Mosquitto looks for
//! in a plugin. Everything behind them is the crate `countersign-mosquitto`.

#![expect(
    unsafe_code,
    reason = "the broker, which is written in C, calls these functions"
)]

use core::ffi::{c_int, c_void};

use countersign_mosquitto_sys::{mosquitto_opt, mosquitto_plugin_id_t};

/// Says which version of the plugin interface this is: 5, or -1 if the broker
/// does not offer that (`mosquitto_plugin.h`).
///
/// # Safety
///
/// Called by Mosquitto: `supported_versions` points to
/// `supported_version_count` integers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mosquitto_plugin_version(
    supported_version_count: c_int,
    supported_versions: *const c_int,
) -> c_int {
    // SAFETY: by this function's contract.
    unsafe { countersign_mosquitto::version(supported_version_count, supported_versions) }
}

/// Starts the plugin; anything but 0 stops the broker (`mosquitto_plugin.h`).
///
/// # Safety
///
/// Called by Mosquitto on the thread of its loop, with its own arguments.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mosquitto_plugin_init(
    identifier: *mut mosquitto_plugin_id_t,
    userdata: *mut *mut c_void,
    options: *mut mosquitto_opt,
    option_count: c_int,
) -> c_int {
    // SAFETY: by this function's contract.
    unsafe { countersign_mosquitto::init(identifier, userdata, options, option_count) }
}

/// Stops the plugin (`mosquitto_plugin.h`).
///
/// # Safety
///
/// Called by Mosquitto on the thread of its loop: `userdata` is what
/// [`mosquitto_plugin_init`] wrote, or null, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mosquitto_plugin_cleanup(
    userdata: *mut c_void,
    _options: *mut mosquitto_opt,
    _option_count: c_int,
) -> c_int {
    // SAFETY: by this function's contract.
    unsafe { countersign_mosquitto::cleanup(userdata) }
}
