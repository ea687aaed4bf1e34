//! Where the pointers that come with an event become references: its data, the
//! client that it is about, and the plugin that it was registered with.
//!
//! Nothing made here outlives the callback that it was made in.

use core::ffi::{c_int, c_void};

use countersign_mosquitto_sys as sys;

use super::ConnectEvent;
use crate::boundary::{BrokerClient, shielded};
use crate::plugin::Plugin;

/// The data of an event that is about a client.
pub(super) trait AboutClient {
    /// The client, as the broker passes it.
    fn client(&self) -> *mut sys::mosquitto;
}

macro_rules! about_client {
    ($($data:ty),* $(,)?) => {$(
        impl AboutClient for $data {
            fn client(&self) -> *mut sys::mosquitto {
                self.client
            }
        }
    )*};
}

about_client!(
    ConnectEvent,
    sys::mosquitto_evt_acl_check,
    sys::mosquitto_evt_basic_auth,
    sys::mosquitto_evt_control,
    sys::mosquitto_evt_disconnect,
    sys::mosquitto_evt_extended_auth,
    sys::mosquitto_evt_psk_key,
);

/// Answers an event about a client: `refusal` when a pointer is null, when
/// another thread asks than the plugin's own, or when `body` panics.
///
/// # Safety
///
/// `event_data` is null or points to an `E`, whose client is null or one that the
/// broker's functions take; `userdata` is null or points to a [`Plugin`]; and all
/// stay valid until this returns.
pub(super) unsafe fn answer<E: AboutClient>(
    event: &'static str,
    refusal: c_int,
    event_data: *mut c_void,
    userdata: *mut c_void,
    body: impl FnOnce(&Plugin, BrokerClient<'_>, &E) -> c_int,
) -> c_int {
    let with_client = |plugin: &Plugin| {
        // SAFETY: null or a live event of this type, by this function's contract.
        let Some(data) = (unsafe { event_data.cast::<E>().as_ref() }) else {
            return refusal;
        };
        // SAFETY: null or a client that lives as long, by this function's contract.
        let client = unsafe { BrokerClient::new(data.client()) };
        client.map_or(refusal, |client| body(plugin, client, data))
    };
    // SAFETY: null or a live plugin, by this function's contract.
    unsafe { answer_bare(event, refusal, userdata, with_client) }
}

/// Answers an event whose data takes an answer besides the code, as [`answer`]
/// does.
///
/// # Safety
///
/// As for [`answer`], and the `E` is not used elsewhere.
pub(super) unsafe fn answer_mut<E: AboutClient>(
    event: &'static str,
    refusal: c_int,
    event_data: *mut c_void,
    userdata: *mut c_void,
    body: impl FnOnce(&Plugin, BrokerClient<'_>, &mut E) -> c_int,
) -> c_int {
    let with_client = |plugin: &Plugin| {
        // SAFETY: null or a live event of this type, by this function's contract.
        let Some(data) = (unsafe { event_data.cast::<E>().as_mut() }) else {
            return refusal;
        };
        // SAFETY: null or a client that lives as long, by this function's contract.
        let client = unsafe { BrokerClient::new(data.client()) };
        client.map_or(refusal, |client| body(plugin, client, data))
    };
    // SAFETY: null or a live plugin, by this function's contract.
    unsafe { answer_bare(event, refusal, userdata, with_client) }
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
pub(super) unsafe fn answer_bare(
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
