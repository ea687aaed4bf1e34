//! Which callback answers which event.

use core::ffi::CStr;

use countersign_mosquitto_sys as sys;

use super::callbacks::{
    on_acl_check, on_basic_auth, on_connect, on_control, on_disconnect, on_dynsec,
    on_ext_auth_continue, on_ext_auth_start, on_psk_key, on_reload, on_tick,
};
use super::{
    ACL_CHECK, BASIC_AUTH, CONNECT, CONTROL, DISCONNECT, DYNSEC, EXT_AUTH_CONTINUE, EXT_AUTH_START,
    Event, MOSQ_EVT_CLIENT_OFFLINE, MOSQ_EVT_CONNECT, PSK_KEY, RELOAD, TICK,
};

/// All events that the plugin answers.
pub(crate) static EVENTS: [Event; 11] = [
    Event {
        id: sys::MOSQ_EVT_ACL_CHECK.cast_signed(),
        name: ACL_CHECK,
        callback: on_acl_check,
        is_needed: true,
        about: None,
    },
    Event {
        id: sys::MOSQ_EVT_BASIC_AUTH.cast_signed(),
        name: BASIC_AUTH,
        callback: on_basic_auth,
        is_needed: true,
        about: None,
    },
    Event {
        id: sys::MOSQ_EVT_DISCONNECT.cast_signed(),
        name: DISCONNECT,
        callback: on_disconnect,
        is_needed: true,
        about: None,
    },
    Event {
        id: MOSQ_EVT_CLIENT_OFFLINE,
        name: "offline",
        callback: on_disconnect,
        is_needed: false,
        about: None,
    },
    Event {
        id: MOSQ_EVT_CONNECT,
        name: CONNECT,
        callback: on_connect,
        is_needed: false,
        about: None,
    },
    Event {
        id: sys::MOSQ_EVT_CONTROL.cast_signed(),
        name: CONTROL,
        callback: on_control,
        is_needed: true,
        about: Some(COMMAND_TOPIC),
    },
    Event {
        id: sys::MOSQ_EVT_EXT_AUTH_START.cast_signed(),
        name: EXT_AUTH_START,
        callback: on_ext_auth_start,
        is_needed: true,
        about: None,
    },
    Event {
        id: sys::MOSQ_EVT_EXT_AUTH_CONTINUE.cast_signed(),
        name: EXT_AUTH_CONTINUE,
        callback: on_ext_auth_continue,
        is_needed: true,
        about: None,
    },
    Event {
        id: sys::MOSQ_EVT_PSK_KEY.cast_signed(),
        name: PSK_KEY,
        callback: on_psk_key,
        is_needed: false,
        about: None,
    },
    Event {
        id: sys::MOSQ_EVT_RELOAD.cast_signed(),
        name: RELOAD,
        callback: on_reload,
        is_needed: true,
        about: None,
    },
    Event {
        id: sys::MOSQ_EVT_TICK.cast_signed(),
        name: TICK,
        callback: on_tick,
        is_needed: true,
        about: None,
    },
];

/// What is answered besides, where the options say so: commands in the form of
/// Mosquitto's dynamic-security.
pub(crate) static DYNSEC_EVENT: Event = Event {
    id: sys::MOSQ_EVT_CONTROL.cast_signed(),
    name: DYNSEC,
    callback: on_dynsec,
    is_needed: true,
    about: Some(DYNSEC_TOPIC),
};

/// Where these are published: [`countersign::DYNSEC_TOPIC`].
const DYNSEC_TOPIC: &CStr = c"$CONTROL/dynamic-security/v1";

/// Where commands are published: [`countersign::SESSION_TOPIC`].
const COMMAND_TOPIC: &CStr = c"$CONTROL/countersign/v1/session";
