//! The callbacks: decode, ask, encode.
//!
//! They return only what no version of the broker misunderstands: any other
//! code from BASIC_AUTH closes the socket without a CONNACK, any other from
//! ACL_CHECK ends a connection, and not always that of the client in question.

use core::ffi::{c_int, c_void};

use countersign_mosquitto_sys as sys;

use super::boundary::{answer, answer_bare, answer_mut};
use super::{
    ACL_CHECK, BASIC_AUTH, CONNECT, CONTROL, ConnectEvent, DISCONNECT, DYNSEC, EXT_AUTH_CONTINUE,
    EXT_AUTH_START, PSK_KEY, RELOAD, TICK,
};
use crate::boundary::BrokerClient;
use crate::plugin::Plugin;
use crate::plugin::enhanced::EnhancedStep;

/// `MOSQ_EVT_BASIC_AUTH`: may this client connect?
///
/// Answers `MOSQ_ERR_SUCCESS` or `MOSQ_ERR_AUTH`, the latter also when
/// anything is missing and after a panic. Only with `plugin_opt_chain defer`,
/// and only for a name that nobody here has, it answers
/// `MOSQ_ERR_PLUGIN_DEFER`.
///
/// # Safety
///
/// `event_data` is null or points to a `mosquitto_evt_basic_auth` and
/// `userdata` is null or points to the [`Plugin`] registered with this
/// callback; both stay valid until the function returns.
pub(super) unsafe extern "C" fn on_basic_auth(
    _event: c_int,
    event_data: *mut c_void,
    userdata: *mut c_void,
) -> c_int {
    let body =
        |plugin: &Plugin, mut client: BrokerClient<'_>, event: &sys::mosquitto_evt_basic_auth| {
            // SAFETY: the broker keeps it, null or terminated, until the name is set.
            let username = unsafe { client.bytes(event.username) };
            // SAFETY: the broker keeps it, null or terminated, during the callback.
            let password = unsafe { client.bytes(event.password) };
            let outcome = plugin.connect(&client, username, password);
            plugin.conclude(outcome, &mut client)
        };
    // SAFETY: by this function's contract; the broker passes null or a client that
    // lives as long as the event.
    unsafe { answer(BASIC_AUTH, sys::MOSQ_ERR_AUTH, event_data, userdata, body) }
}

/// `MOSQ_EVT_ACL_CHECK`: may this client use this topic?
///
/// Answers `MOSQ_ERR_SUCCESS` or `MOSQ_ERR_ACL_DENIED`, the latter also for a
/// null or malformed topic, an unknown kind of access and after a panic. Only
/// with `plugin_opt_chain defer`, and only for a client of somebody else, it
/// answers `MOSQ_ERR_PLUGIN_DEFER`.
///
/// # Safety
///
/// `event_data` is null or points to a `mosquitto_evt_acl_check` and
/// `userdata` is null or points to the [`Plugin`] registered with this
/// callback; both stay valid until the function returns.
pub(super) unsafe extern "C" fn on_acl_check(
    _event: c_int,
    event_data: *mut c_void,
    userdata: *mut c_void,
) -> c_int {
    let body = |plugin: &Plugin, client: BrokerClient<'_>, event: &sys::mosquitto_evt_acl_check| {
        // SAFETY: the broker keeps it, null or terminated, during the callback.
        let Some(topic) = (unsafe { client.bytes(event.topic) }) else {
            return sys::MOSQ_ERR_ACL_DENIED;
        };
        plugin.check(
            &client,
            event.access,
            topic,
            event.qos,
            event.retain,
            event.payloadlen,
        )
    };
    // SAFETY: by this function's contract; the broker passes null or a client that
    // lives as long as the event.
    unsafe {
        answer(
            ACL_CHECK,
            sys::MOSQ_ERR_ACL_DENIED,
            event_data,
            userdata,
            body,
        )
    }
}

/// `MOSQ_EVT_DISCONNECT` and `MOSQ_EVT_CLIENT_OFFLINE`: a connection is gone.
///
/// The broker takes no answer. It also says so of clients that were refused,
/// that never sent a CONNECT, and twice of the same.
///
/// # Safety
///
/// `event_data` is null or points to a `mosquitto_evt_disconnect` and
/// `userdata` is null or points to the [`Plugin`] registered with this
/// callback; both stay valid until the function returns.
pub(super) unsafe extern "C" fn on_disconnect(
    id: c_int,
    event_data: *mut c_void,
    userdata: *mut c_void,
) -> c_int {
    let body =
        |plugin: &Plugin, client: BrokerClient<'_>, _event: &sys::mosquitto_evt_disconnect| {
            plugin.disconnected(&client, id);
            sys::MOSQ_ERR_SUCCESS
        };
    // SAFETY: by this function's contract; the broker passes null or a client that
    // lives as long as the event.
    unsafe {
        answer(
            DISCONNECT,
            sys::MOSQ_ERR_SUCCESS,
            event_data,
            userdata,
            body,
        )
    }
}

/// `MOSQ_EVT_CONNECT`: a client was let in and has its CONNACK.
///
/// The broker takes no answer.
///
/// # Safety
///
/// `event_data` is null or points to a `mosquitto_evt_connect` and `userdata`
/// is null or points to the [`Plugin`] registered with this callback; both stay
/// valid until the function returns.
pub(super) unsafe extern "C" fn on_connect(
    _event: c_int,
    event_data: *mut c_void,
    userdata: *mut c_void,
) -> c_int {
    let body = |plugin: &Plugin, client: BrokerClient<'_>, _event: &ConnectEvent| {
        plugin.arrived(&client);
        sys::MOSQ_ERR_SUCCESS
    };
    // SAFETY: by this function's contract; the broker passes null or a client that
    // lives as long as the event.
    unsafe { answer(CONNECT, sys::MOSQ_ERR_SUCCESS, event_data, userdata, body) }
}

/// `MOSQ_EVT_CONTROL`: a client published commands.
///
/// Answers `MOSQ_ERR_SUCCESS`, whatever they are: any other code ends the
/// connection. What they come to is published from a tick.
///
/// # Safety
///
/// `event_data` is null or points to a `mosquitto_evt_control` and `userdata`
/// is null or points to the [`Plugin`] registered with this callback; both stay
/// valid until the function returns.
pub(super) unsafe extern "C" fn on_control(
    _event: c_int,
    event_data: *mut c_void,
    userdata: *mut c_void,
) -> c_int {
    let take = |plugin: &Plugin, client: &BrokerClient<'_>, payload: &[u8]| {
        plugin.command(client, payload);
    };
    // SAFETY: by this function's contract.
    unsafe { on_message(CONTROL, event_data, userdata, take) }
}

/// `MOSQ_EVT_CONTROL`: a client published commands in the form of dynamic-security.
///
/// Answers as [`on_control`] does.
///
/// # Safety
///
/// As of [`on_control`].
pub(super) unsafe extern "C" fn on_dynsec(
    _event: c_int,
    event_data: *mut c_void,
    userdata: *mut c_void,
) -> c_int {
    let take = |plugin: &Plugin, client: &BrokerClient<'_>, payload: &[u8]| {
        plugin.control(client, payload);
    };
    // SAFETY: by this function's contract.
    unsafe { on_message(DYNSEC, event_data, userdata, take) }
}

/// Hands the payload of a message over.
///
/// # Safety
///
/// As of [`on_control`].
unsafe fn on_message(
    name: &'static str,
    event_data: *mut c_void,
    userdata: *mut c_void,
    take: impl Fn(&Plugin, &BrokerClient<'_>, &[u8]),
) -> c_int {
    let body = |plugin: &Plugin, client: BrokerClient<'_>, event: &sys::mosquitto_evt_control| {
        let length = usize::try_from(event.payloadlen).unwrap_or(0);
        // SAFETY: the broker keeps so many bytes, or null, during the callback.
        let payload = unsafe { client.data(event.payload, length) };
        take(plugin, &client, payload.unwrap_or_default());
        sys::MOSQ_ERR_SUCCESS
    };
    // SAFETY: by this function's contract; the broker passes null or a client that
    // lives as long as the event.
    unsafe { answer(name, sys::MOSQ_ERR_SUCCESS, event_data, userdata, body) }
}

/// `MOSQ_EVT_EXT_AUTH_START`: may this client connect, or authenticate again,
/// by enhanced authentication?
///
/// Answers `MOSQ_ERR_SUCCESS`, `MOSQ_ERR_AUTH_CONTINUE` with data for the
/// client, `MOSQ_ERR_NOT_SUPPORTED` for a method that there is not, or
/// `MOSQ_ERR_AUTH`. When anything is missing and after a panic it answers
/// `MOSQ_ERR_AUTH_CONTINUE` without data, which admits no client: the broker
/// frees the id of whoever is refused, and of a live session needs it still.
/// Only with `plugin_opt_chain defer`, and only for a method or a name of
/// somebody else, it answers `MOSQ_ERR_PLUGIN_DEFER`.
///
/// # Safety
///
/// `event_data` is null or points to a `mosquitto_evt_extended_auth` that may be
/// written to and `userdata` is null or points to the [`Plugin`] registered with
/// this callback; both stay valid until the function returns.
pub(super) unsafe extern "C" fn on_ext_auth_start(
    _event: c_int,
    event_data: *mut c_void,
    userdata: *mut c_void,
) -> c_int {
    let body = |plugin: &Plugin,
                mut client: BrokerClient<'_>,
                event: &mut sys::mosquitto_evt_extended_auth| {
        // SAFETY: the broker keeps it, null or terminated, during the callback.
        let method = unsafe { client.bytes(event.auth_method) };
        // SAFETY: the broker keeps so many bytes, or null, during the callback.
        let data = unsafe { client.data(event.data_in, event.data_in_len.into()) };
        let outcome = plugin.connect_enhanced(&client, method.unwrap_or_default(), data);
        plugin.conclude_enhanced(EnhancedStep::Start, outcome, &mut client, event)
    };
    // SAFETY: by this function's contract; the broker passes null or a client that
    // lives as long as the event.
    unsafe {
        answer_mut(
            EXT_AUTH_START,
            sys::MOSQ_ERR_AUTH_CONTINUE,
            event_data,
            userdata,
            body,
        )
    }
}

/// `MOSQ_EVT_EXT_AUTH_CONTINUE`: a client answered what it was asked.
///
/// Answers as [`on_ext_auth_start`] does.
///
/// # Safety
///
/// As for [`on_ext_auth_start`].
pub(super) unsafe extern "C" fn on_ext_auth_continue(
    _event: c_int,
    event_data: *mut c_void,
    userdata: *mut c_void,
) -> c_int {
    let body = |plugin: &Plugin,
                mut client: BrokerClient<'_>,
                event: &mut sys::mosquitto_evt_extended_auth| {
        // SAFETY: the broker keeps so many bytes, or null, during the callback.
        let data = unsafe { client.data(event.data_in, event.data_in_len.into()) };
        let outcome = plugin.resume(&client, data);
        plugin.conclude_enhanced(EnhancedStep::Continue, outcome, &mut client, event)
    };
    // SAFETY: by this function's contract; the broker passes null or a client that
    // lives as long as the event.
    unsafe {
        answer_mut(
            EXT_AUTH_CONTINUE,
            sys::MOSQ_ERR_AUTH_CONTINUE,
            event_data,
            userdata,
            body,
        )
    }
}

/// `MOSQ_EVT_PSK_KEY`: a client wants to prove an identity by a pre-shared key.
///
/// Answers `MOSQ_ERR_PLUGIN_DEFER`, always: the plugin has no keys. It takes note
/// of the identity, for whoever has not its key gets no further. 2.0 asks only if
/// it has no keys itself.
///
/// # Safety
///
/// `event_data` is null or points to a `mosquitto_evt_psk_key` and `userdata` is
/// null or points to the [`Plugin`] registered with this callback; both stay
/// valid until the function returns.
pub(super) unsafe extern "C" fn on_psk_key(
    _event: c_int,
    event_data: *mut c_void,
    userdata: *mut c_void,
) -> c_int {
    let body = |plugin: &Plugin, client: BrokerClient<'_>, event: &sys::mosquitto_evt_psk_key| {
        // SAFETY: the broker keeps it, null or terminated, during the callback.
        if let Some(identity) = unsafe { client.bytes(event.identity) } {
            plugin.proved(&client, identity);
        }
        sys::MOSQ_ERR_PLUGIN_DEFER
    };
    // SAFETY: by this function's contract; the broker passes null or a client that
    // lives as long as the event.
    unsafe {
        answer(
            PSK_KEY,
            sys::MOSQ_ERR_PLUGIN_DEFER,
            event_data,
            userdata,
            body,
        )
    }
}

/// `MOSQ_EVT_TICK`: the broker's loop went round.
///
/// # Safety
///
/// `userdata` is null or points to the [`Plugin`] registered with this
/// callback, which stays valid until the function returns.
pub(super) unsafe extern "C" fn on_tick(
    _event: c_int,
    _event_data: *mut c_void,
    userdata: *mut c_void,
) -> c_int {
    let body = |plugin: &Plugin| {
        plugin.tick();
        sys::MOSQ_ERR_SUCCESS
    };
    // SAFETY: by this function's contract.
    unsafe { answer_bare(TICK, sys::MOSQ_ERR_SUCCESS, userdata, body) }
}

/// `MOSQ_EVT_RELOAD`: the broker was sent SIGHUP.
///
/// # Safety
///
/// `userdata` is null or points to the [`Plugin`] registered with this
/// callback, which stays valid until the function returns.
pub(super) unsafe extern "C" fn on_reload(
    _event: c_int,
    _event_data: *mut c_void,
    userdata: *mut c_void,
) -> c_int {
    let body = |plugin: &Plugin| {
        plugin.reload();
        sys::MOSQ_ERR_SUCCESS
    };
    // SAFETY: by this function's contract.
    unsafe { answer_bare(RELOAD, sys::MOSQ_ERR_SUCCESS, userdata, body) }
}
