//! Where the pointers that come with an event become references: its data, and
//! the plugin that it was registered with.
//!
//! Nothing made here outlives the callback that it was made in.

use core::ffi::{c_int, c_void};

use crate::boundary::shielded;
use crate::plugin::Plugin;

/// Answers an event that comes with data: `refusal` when a pointer is null,
/// when another thread asks than the plugin's own, or when `body` panics.
///
/// # Safety
///
/// `event_data` is null or points to an `E`, `userdata` is null or points to a
/// [`Plugin`], and both stay valid until this returns.
pub(crate) unsafe fn answer<E>(
    event: &'static str,
    refusal: c_int,
    event_data: *mut c_void,
    userdata: *mut c_void,
    body: impl FnOnce(&Plugin, &E) -> c_int,
) -> c_int {
    let with_data = |plugin: &Plugin| {
        // SAFETY: null or a live event of this type, by this function's contract.
        match unsafe { event_data.cast::<E>().as_ref() } {
            Some(data) => body(plugin, data),
            None => refusal,
        }
    };
    // SAFETY: null or a live plugin, by this function's contract.
    unsafe { answer_bare(event, refusal, userdata, with_data) }
}

/// Answers an event whose data takes an answer besides the code, as [`answer`]
/// does.
///
/// # Safety
///
/// `event_data` is null or points to an `E` that is not used elsewhere,
/// `userdata` is null or points to a [`Plugin`], and both stay valid until this
/// returns.
pub(crate) unsafe fn answer_mut<E>(
    event: &'static str,
    refusal: c_int,
    event_data: *mut c_void,
    userdata: *mut c_void,
    body: impl FnOnce(&Plugin, &mut E) -> c_int,
) -> c_int {
    let with_data = |plugin: &Plugin| {
        // SAFETY: null or a live event of this type, by this function's contract.
        match unsafe { event_data.cast::<E>().as_mut() } {
            Some(data) => body(plugin, data),
            None => refusal,
        }
    };
    // SAFETY: null or a live plugin, by this function's contract.
    unsafe { answer_bare(event, refusal, userdata, with_data) }
}

/// Answers an event whose data is not needed: `refusal` when there is no
/// plugin, when another thread asks than the plugin's own, or when `body`
/// panics.
///
/// 2.1 asks from a second thread about what comes in by a listener with
/// `protocol http_api`. Nothing of a plugin may be used there but what
/// [`Plugin::is_on_its_thread`] uses.
///
/// # Safety
///
/// `userdata` is null or points to a [`Plugin`] that stays valid until this
/// returns.
pub(crate) unsafe fn answer_bare(
    event: &'static str,
    refusal: c_int,
    userdata: *mut c_void,
    body: impl FnOnce(&Plugin) -> c_int,
) -> c_int {
    // SAFETY: null or a live plugin, by this function's contract.
    let Some(plugin) = (unsafe { userdata.cast::<Plugin>().as_ref() }) else {
        return refusal;
    };
    if !plugin.is_on_its_thread() {
        return refusal;
    }
    let answered = shielded(None, || {
        #[cfg(feature = "test-hooks")]
        crate::test_hooks::panic_if_asked(event);
        Some(body(plugin))
    });
    answered.unwrap_or_else(|| {
        shielded((), || plugin.report_panic(event));
        refusal
    })
}
