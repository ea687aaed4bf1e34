// Written by `cargo xtask codegen`. Do not edit.

pub const LIBMOSQUITTO_MAJOR: i32 = 2;
pub const LIBMOSQUITTO_MINOR: i32 = 0;
pub const LIBMOSQUITTO_REVISION: i32 = 11;
pub const LIBMOSQUITTO_VERSION_NUMBER: i32 = 2000011;
pub const MOSQ_LOG_NONE: i32 = 0;
pub const MOSQ_LOG_INFO: i32 = 1;
pub const MOSQ_LOG_NOTICE: i32 = 2;
pub const MOSQ_LOG_WARNING: i32 = 4;
pub const MOSQ_LOG_ERR: i32 = 8;
pub const MOSQ_LOG_DEBUG: i32 = 16;
pub const MOSQ_LOG_SUBSCRIBE: i32 = 32;
pub const MOSQ_LOG_UNSUBSCRIBE: i32 = 64;
pub const MOSQ_LOG_WEBSOCKETS: i32 = 128;
pub const MOSQ_MQTT_ID_MAX_LENGTH: i32 = 23;
pub const MOSQ_PLUGIN_VERSION: i32 = 5;
pub const MOSQ_AUTH_PLUGIN_VERSION: i32 = 4;
pub const MOSQ_ACL_NONE: i32 = 0;
pub const MOSQ_ACL_READ: i32 = 1;
pub const MOSQ_ACL_WRITE: i32 = 2;
pub const MOSQ_ACL_SUBSCRIBE: i32 = 4;
pub const MOSQ_ACL_UNSUBSCRIBE: i32 = 8;
pub type __time_t = ::core::ffi::c_long;
pub const MOSQ_ERR_AUTH_CONTINUE: mosq_err_t = -4;
pub const MOSQ_ERR_NO_SUBSCRIBERS: mosq_err_t = -3;
pub const MOSQ_ERR_SUB_EXISTS: mosq_err_t = -2;
pub const MOSQ_ERR_CONN_PENDING: mosq_err_t = -1;
pub const MOSQ_ERR_SUCCESS: mosq_err_t = 0;
pub const MOSQ_ERR_NOMEM: mosq_err_t = 1;
pub const MOSQ_ERR_PROTOCOL: mosq_err_t = 2;
pub const MOSQ_ERR_INVAL: mosq_err_t = 3;
pub const MOSQ_ERR_NO_CONN: mosq_err_t = 4;
pub const MOSQ_ERR_CONN_REFUSED: mosq_err_t = 5;
pub const MOSQ_ERR_NOT_FOUND: mosq_err_t = 6;
pub const MOSQ_ERR_CONN_LOST: mosq_err_t = 7;
pub const MOSQ_ERR_TLS: mosq_err_t = 8;
pub const MOSQ_ERR_PAYLOAD_SIZE: mosq_err_t = 9;
pub const MOSQ_ERR_NOT_SUPPORTED: mosq_err_t = 10;
pub const MOSQ_ERR_AUTH: mosq_err_t = 11;
pub const MOSQ_ERR_ACL_DENIED: mosq_err_t = 12;
pub const MOSQ_ERR_UNKNOWN: mosq_err_t = 13;
pub const MOSQ_ERR_ERRNO: mosq_err_t = 14;
pub const MOSQ_ERR_EAI: mosq_err_t = 15;
pub const MOSQ_ERR_PROXY: mosq_err_t = 16;
pub const MOSQ_ERR_PLUGIN_DEFER: mosq_err_t = 17;
pub const MOSQ_ERR_MALFORMED_UTF8: mosq_err_t = 18;
pub const MOSQ_ERR_KEEPALIVE: mosq_err_t = 19;
pub const MOSQ_ERR_LOOKUP: mosq_err_t = 20;
pub const MOSQ_ERR_MALFORMED_PACKET: mosq_err_t = 21;
pub const MOSQ_ERR_DUPLICATE_PROPERTY: mosq_err_t = 22;
pub const MOSQ_ERR_TLS_HANDSHAKE: mosq_err_t = 23;
pub const MOSQ_ERR_QOS_NOT_SUPPORTED: mosq_err_t = 24;
pub const MOSQ_ERR_OVERSIZE_PACKET: mosq_err_t = 25;
pub const MOSQ_ERR_OCSP: mosq_err_t = 26;
pub const MOSQ_ERR_TIMEOUT: mosq_err_t = 27;
pub const MOSQ_ERR_RETAIN_NOT_SUPPORTED: mosq_err_t = 28;
pub const MOSQ_ERR_TOPIC_ALIAS_INVALID: mosq_err_t = 29;
pub const MOSQ_ERR_ADMINISTRATIVE_ACTION: mosq_err_t = 30;
pub const MOSQ_ERR_ALREADY_EXISTS: mosq_err_t = 31;
pub type mosq_err_t = ::core::ffi::c_int;
#[repr(C)]
#[derive(Debug)]
pub struct mosquitto {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct mqtt5__property {
    _unused: [u8; 0],
}
pub type mosquitto_property = mqtt5__property;
pub type time_t = __time_t;
pub const mp_mqtt: mosquitto_protocol = 0;
pub const mp_mqttsn: mosquitto_protocol = 1;
pub const mp_websockets: mosquitto_protocol = 2;
pub type mosquitto_protocol = ::core::ffi::c_uint;
pub const MOSQ_EVT_RELOAD: mosquitto_plugin_event = 1;
pub const MOSQ_EVT_ACL_CHECK: mosquitto_plugin_event = 2;
pub const MOSQ_EVT_BASIC_AUTH: mosquitto_plugin_event = 3;
pub const MOSQ_EVT_EXT_AUTH_START: mosquitto_plugin_event = 4;
pub const MOSQ_EVT_EXT_AUTH_CONTINUE: mosquitto_plugin_event = 5;
pub const MOSQ_EVT_CONTROL: mosquitto_plugin_event = 6;
pub const MOSQ_EVT_MESSAGE: mosquitto_plugin_event = 7;
pub const MOSQ_EVT_PSK_KEY: mosquitto_plugin_event = 8;
pub const MOSQ_EVT_TICK: mosquitto_plugin_event = 9;
pub const MOSQ_EVT_DISCONNECT: mosquitto_plugin_event = 10;
pub type mosquitto_plugin_event = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct mosquitto_evt_reload {
    pub future: *mut ::core::ffi::c_void,
    pub options: *mut mosquitto_opt,
    pub option_count: ::core::ffi::c_int,
    pub future2: [*mut ::core::ffi::c_void; 4usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of mosquitto_evt_reload"][::core::mem::size_of::<mosquitto_evt_reload>() - 56usize];
    ["Alignment of mosquitto_evt_reload"][::core::mem::align_of::<mosquitto_evt_reload>() - 8usize];
    ["Offset of field: mosquitto_evt_reload::future"]
        [::core::mem::offset_of!(mosquitto_evt_reload, future) - 0usize];
    ["Offset of field: mosquitto_evt_reload::options"]
        [::core::mem::offset_of!(mosquitto_evt_reload, options) - 8usize];
    ["Offset of field: mosquitto_evt_reload::option_count"]
        [::core::mem::offset_of!(mosquitto_evt_reload, option_count) - 16usize];
    ["Offset of field: mosquitto_evt_reload::future2"]
        [::core::mem::offset_of!(mosquitto_evt_reload, future2) - 24usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct mosquitto_evt_acl_check {
    pub future: *mut ::core::ffi::c_void,
    pub client: *mut mosquitto,
    pub topic: *const ::core::ffi::c_char,
    pub payload: *const ::core::ffi::c_void,
    pub properties: *mut mosquitto_property,
    pub access: ::core::ffi::c_int,
    pub payloadlen: u32,
    pub qos: u8,
    pub retain: bool,
    pub future2: [*mut ::core::ffi::c_void; 4usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of mosquitto_evt_acl_check"]
        [::core::mem::size_of::<mosquitto_evt_acl_check>() - 88usize];
    ["Alignment of mosquitto_evt_acl_check"]
        [::core::mem::align_of::<mosquitto_evt_acl_check>() - 8usize];
    ["Offset of field: mosquitto_evt_acl_check::future"]
        [::core::mem::offset_of!(mosquitto_evt_acl_check, future) - 0usize];
    ["Offset of field: mosquitto_evt_acl_check::client"]
        [::core::mem::offset_of!(mosquitto_evt_acl_check, client) - 8usize];
    ["Offset of field: mosquitto_evt_acl_check::topic"]
        [::core::mem::offset_of!(mosquitto_evt_acl_check, topic) - 16usize];
    ["Offset of field: mosquitto_evt_acl_check::payload"]
        [::core::mem::offset_of!(mosquitto_evt_acl_check, payload) - 24usize];
    ["Offset of field: mosquitto_evt_acl_check::properties"]
        [::core::mem::offset_of!(mosquitto_evt_acl_check, properties) - 32usize];
    ["Offset of field: mosquitto_evt_acl_check::access"]
        [::core::mem::offset_of!(mosquitto_evt_acl_check, access) - 40usize];
    ["Offset of field: mosquitto_evt_acl_check::payloadlen"]
        [::core::mem::offset_of!(mosquitto_evt_acl_check, payloadlen) - 44usize];
    ["Offset of field: mosquitto_evt_acl_check::qos"]
        [::core::mem::offset_of!(mosquitto_evt_acl_check, qos) - 48usize];
    ["Offset of field: mosquitto_evt_acl_check::retain"]
        [::core::mem::offset_of!(mosquitto_evt_acl_check, retain) - 49usize];
    ["Offset of field: mosquitto_evt_acl_check::future2"]
        [::core::mem::offset_of!(mosquitto_evt_acl_check, future2) - 56usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct mosquitto_evt_basic_auth {
    pub future: *mut ::core::ffi::c_void,
    pub client: *mut mosquitto,
    pub username: *mut ::core::ffi::c_char,
    pub password: *mut ::core::ffi::c_char,
    pub future2: [*mut ::core::ffi::c_void; 4usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of mosquitto_evt_basic_auth"]
        [::core::mem::size_of::<mosquitto_evt_basic_auth>() - 64usize];
    ["Alignment of mosquitto_evt_basic_auth"]
        [::core::mem::align_of::<mosquitto_evt_basic_auth>() - 8usize];
    ["Offset of field: mosquitto_evt_basic_auth::future"]
        [::core::mem::offset_of!(mosquitto_evt_basic_auth, future) - 0usize];
    ["Offset of field: mosquitto_evt_basic_auth::client"]
        [::core::mem::offset_of!(mosquitto_evt_basic_auth, client) - 8usize];
    ["Offset of field: mosquitto_evt_basic_auth::username"]
        [::core::mem::offset_of!(mosquitto_evt_basic_auth, username) - 16usize];
    ["Offset of field: mosquitto_evt_basic_auth::password"]
        [::core::mem::offset_of!(mosquitto_evt_basic_auth, password) - 24usize];
    ["Offset of field: mosquitto_evt_basic_auth::future2"]
        [::core::mem::offset_of!(mosquitto_evt_basic_auth, future2) - 32usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct mosquitto_evt_psk_key {
    pub future: *mut ::core::ffi::c_void,
    pub client: *mut mosquitto,
    pub hint: *const ::core::ffi::c_char,
    pub identity: *const ::core::ffi::c_char,
    pub key: *mut ::core::ffi::c_char,
    pub max_key_len: ::core::ffi::c_int,
    pub future2: [*mut ::core::ffi::c_void; 4usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of mosquitto_evt_psk_key"][::core::mem::size_of::<mosquitto_evt_psk_key>() - 80usize];
    ["Alignment of mosquitto_evt_psk_key"]
        [::core::mem::align_of::<mosquitto_evt_psk_key>() - 8usize];
    ["Offset of field: mosquitto_evt_psk_key::future"]
        [::core::mem::offset_of!(mosquitto_evt_psk_key, future) - 0usize];
    ["Offset of field: mosquitto_evt_psk_key::client"]
        [::core::mem::offset_of!(mosquitto_evt_psk_key, client) - 8usize];
    ["Offset of field: mosquitto_evt_psk_key::hint"]
        [::core::mem::offset_of!(mosquitto_evt_psk_key, hint) - 16usize];
    ["Offset of field: mosquitto_evt_psk_key::identity"]
        [::core::mem::offset_of!(mosquitto_evt_psk_key, identity) - 24usize];
    ["Offset of field: mosquitto_evt_psk_key::key"]
        [::core::mem::offset_of!(mosquitto_evt_psk_key, key) - 32usize];
    ["Offset of field: mosquitto_evt_psk_key::max_key_len"]
        [::core::mem::offset_of!(mosquitto_evt_psk_key, max_key_len) - 40usize];
    ["Offset of field: mosquitto_evt_psk_key::future2"]
        [::core::mem::offset_of!(mosquitto_evt_psk_key, future2) - 48usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct mosquitto_evt_extended_auth {
    pub future: *mut ::core::ffi::c_void,
    pub client: *mut mosquitto,
    pub data_in: *const ::core::ffi::c_void,
    pub data_out: *mut ::core::ffi::c_void,
    pub data_in_len: u16,
    pub data_out_len: u16,
    pub auth_method: *const ::core::ffi::c_char,
    pub future2: [*mut ::core::ffi::c_void; 3usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of mosquitto_evt_extended_auth"]
        [::core::mem::size_of::<mosquitto_evt_extended_auth>() - 72usize];
    ["Alignment of mosquitto_evt_extended_auth"]
        [::core::mem::align_of::<mosquitto_evt_extended_auth>() - 8usize];
    ["Offset of field: mosquitto_evt_extended_auth::future"]
        [::core::mem::offset_of!(mosquitto_evt_extended_auth, future) - 0usize];
    ["Offset of field: mosquitto_evt_extended_auth::client"]
        [::core::mem::offset_of!(mosquitto_evt_extended_auth, client) - 8usize];
    ["Offset of field: mosquitto_evt_extended_auth::data_in"]
        [::core::mem::offset_of!(mosquitto_evt_extended_auth, data_in) - 16usize];
    ["Offset of field: mosquitto_evt_extended_auth::data_out"]
        [::core::mem::offset_of!(mosquitto_evt_extended_auth, data_out) - 24usize];
    ["Offset of field: mosquitto_evt_extended_auth::data_in_len"]
        [::core::mem::offset_of!(mosquitto_evt_extended_auth, data_in_len) - 32usize];
    ["Offset of field: mosquitto_evt_extended_auth::data_out_len"]
        [::core::mem::offset_of!(mosquitto_evt_extended_auth, data_out_len) - 34usize];
    ["Offset of field: mosquitto_evt_extended_auth::auth_method"]
        [::core::mem::offset_of!(mosquitto_evt_extended_auth, auth_method) - 40usize];
    ["Offset of field: mosquitto_evt_extended_auth::future2"]
        [::core::mem::offset_of!(mosquitto_evt_extended_auth, future2) - 48usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct mosquitto_evt_control {
    pub future: *mut ::core::ffi::c_void,
    pub client: *mut mosquitto,
    pub topic: *const ::core::ffi::c_char,
    pub payload: *const ::core::ffi::c_void,
    pub properties: *const mosquitto_property,
    pub reason_string: *mut ::core::ffi::c_char,
    pub payloadlen: u32,
    pub qos: u8,
    pub reason_code: u8,
    pub retain: bool,
    pub future2: [*mut ::core::ffi::c_void; 4usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of mosquitto_evt_control"][::core::mem::size_of::<mosquitto_evt_control>() - 88usize];
    ["Alignment of mosquitto_evt_control"]
        [::core::mem::align_of::<mosquitto_evt_control>() - 8usize];
    ["Offset of field: mosquitto_evt_control::future"]
        [::core::mem::offset_of!(mosquitto_evt_control, future) - 0usize];
    ["Offset of field: mosquitto_evt_control::client"]
        [::core::mem::offset_of!(mosquitto_evt_control, client) - 8usize];
    ["Offset of field: mosquitto_evt_control::topic"]
        [::core::mem::offset_of!(mosquitto_evt_control, topic) - 16usize];
    ["Offset of field: mosquitto_evt_control::payload"]
        [::core::mem::offset_of!(mosquitto_evt_control, payload) - 24usize];
    ["Offset of field: mosquitto_evt_control::properties"]
        [::core::mem::offset_of!(mosquitto_evt_control, properties) - 32usize];
    ["Offset of field: mosquitto_evt_control::reason_string"]
        [::core::mem::offset_of!(mosquitto_evt_control, reason_string) - 40usize];
    ["Offset of field: mosquitto_evt_control::payloadlen"]
        [::core::mem::offset_of!(mosquitto_evt_control, payloadlen) - 48usize];
    ["Offset of field: mosquitto_evt_control::qos"]
        [::core::mem::offset_of!(mosquitto_evt_control, qos) - 52usize];
    ["Offset of field: mosquitto_evt_control::reason_code"]
        [::core::mem::offset_of!(mosquitto_evt_control, reason_code) - 53usize];
    ["Offset of field: mosquitto_evt_control::retain"]
        [::core::mem::offset_of!(mosquitto_evt_control, retain) - 54usize];
    ["Offset of field: mosquitto_evt_control::future2"]
        [::core::mem::offset_of!(mosquitto_evt_control, future2) - 56usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct mosquitto_evt_message {
    pub future: *mut ::core::ffi::c_void,
    pub client: *mut mosquitto,
    pub topic: *mut ::core::ffi::c_char,
    pub payload: *mut ::core::ffi::c_void,
    pub properties: *mut mosquitto_property,
    pub reason_string: *mut ::core::ffi::c_char,
    pub payloadlen: u32,
    pub qos: u8,
    pub reason_code: u8,
    pub retain: bool,
    pub future2: [*mut ::core::ffi::c_void; 4usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of mosquitto_evt_message"][::core::mem::size_of::<mosquitto_evt_message>() - 88usize];
    ["Alignment of mosquitto_evt_message"]
        [::core::mem::align_of::<mosquitto_evt_message>() - 8usize];
    ["Offset of field: mosquitto_evt_message::future"]
        [::core::mem::offset_of!(mosquitto_evt_message, future) - 0usize];
    ["Offset of field: mosquitto_evt_message::client"]
        [::core::mem::offset_of!(mosquitto_evt_message, client) - 8usize];
    ["Offset of field: mosquitto_evt_message::topic"]
        [::core::mem::offset_of!(mosquitto_evt_message, topic) - 16usize];
    ["Offset of field: mosquitto_evt_message::payload"]
        [::core::mem::offset_of!(mosquitto_evt_message, payload) - 24usize];
    ["Offset of field: mosquitto_evt_message::properties"]
        [::core::mem::offset_of!(mosquitto_evt_message, properties) - 32usize];
    ["Offset of field: mosquitto_evt_message::reason_string"]
        [::core::mem::offset_of!(mosquitto_evt_message, reason_string) - 40usize];
    ["Offset of field: mosquitto_evt_message::payloadlen"]
        [::core::mem::offset_of!(mosquitto_evt_message, payloadlen) - 48usize];
    ["Offset of field: mosquitto_evt_message::qos"]
        [::core::mem::offset_of!(mosquitto_evt_message, qos) - 52usize];
    ["Offset of field: mosquitto_evt_message::reason_code"]
        [::core::mem::offset_of!(mosquitto_evt_message, reason_code) - 53usize];
    ["Offset of field: mosquitto_evt_message::retain"]
        [::core::mem::offset_of!(mosquitto_evt_message, retain) - 54usize];
    ["Offset of field: mosquitto_evt_message::future2"]
        [::core::mem::offset_of!(mosquitto_evt_message, future2) - 56usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct mosquitto_evt_tick {
    pub future: *mut ::core::ffi::c_void,
    pub now_ns: ::core::ffi::c_long,
    pub next_ns: ::core::ffi::c_long,
    pub now_s: time_t,
    pub next_s: time_t,
    pub future2: [*mut ::core::ffi::c_void; 4usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of mosquitto_evt_tick"][::core::mem::size_of::<mosquitto_evt_tick>() - 72usize];
    ["Alignment of mosquitto_evt_tick"][::core::mem::align_of::<mosquitto_evt_tick>() - 8usize];
    ["Offset of field: mosquitto_evt_tick::future"]
        [::core::mem::offset_of!(mosquitto_evt_tick, future) - 0usize];
    ["Offset of field: mosquitto_evt_tick::now_ns"]
        [::core::mem::offset_of!(mosquitto_evt_tick, now_ns) - 8usize];
    ["Offset of field: mosquitto_evt_tick::next_ns"]
        [::core::mem::offset_of!(mosquitto_evt_tick, next_ns) - 16usize];
    ["Offset of field: mosquitto_evt_tick::now_s"]
        [::core::mem::offset_of!(mosquitto_evt_tick, now_s) - 24usize];
    ["Offset of field: mosquitto_evt_tick::next_s"]
        [::core::mem::offset_of!(mosquitto_evt_tick, next_s) - 32usize];
    ["Offset of field: mosquitto_evt_tick::future2"]
        [::core::mem::offset_of!(mosquitto_evt_tick, future2) - 40usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct mosquitto_evt_disconnect {
    pub future: *mut ::core::ffi::c_void,
    pub client: *mut mosquitto,
    pub reason: ::core::ffi::c_int,
    pub future2: [*mut ::core::ffi::c_void; 4usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of mosquitto_evt_disconnect"]
        [::core::mem::size_of::<mosquitto_evt_disconnect>() - 56usize];
    ["Alignment of mosquitto_evt_disconnect"]
        [::core::mem::align_of::<mosquitto_evt_disconnect>() - 8usize];
    ["Offset of field: mosquitto_evt_disconnect::future"]
        [::core::mem::offset_of!(mosquitto_evt_disconnect, future) - 0usize];
    ["Offset of field: mosquitto_evt_disconnect::client"]
        [::core::mem::offset_of!(mosquitto_evt_disconnect, client) - 8usize];
    ["Offset of field: mosquitto_evt_disconnect::reason"]
        [::core::mem::offset_of!(mosquitto_evt_disconnect, reason) - 16usize];
    ["Offset of field: mosquitto_evt_disconnect::future2"]
        [::core::mem::offset_of!(mosquitto_evt_disconnect, future2) - 24usize];
};
pub type MOSQ_FUNC_generic_callback = ::core::option::Option<
    unsafe extern "C" fn(
        arg1: ::core::ffi::c_int,
        arg2: *mut ::core::ffi::c_void,
        arg3: *mut ::core::ffi::c_void,
    ) -> ::core::ffi::c_int,
>;
#[repr(C)]
#[derive(Debug)]
pub struct mosquitto_plugin_id_t {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct mosquitto_opt {
    pub key: *mut ::core::ffi::c_char,
    pub value: *mut ::core::ffi::c_char,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of mosquitto_opt"][::core::mem::size_of::<mosquitto_opt>() - 16usize];
    ["Alignment of mosquitto_opt"][::core::mem::align_of::<mosquitto_opt>() - 8usize];
    ["Offset of field: mosquitto_opt::key"][::core::mem::offset_of!(mosquitto_opt, key) - 0usize];
    ["Offset of field: mosquitto_opt::value"]
        [::core::mem::offset_of!(mosquitto_opt, value) - 8usize];
};
pub const MQTT_RC_SUCCESS: mqtt5_return_codes = 0;
pub const MQTT_RC_NORMAL_DISCONNECTION: mqtt5_return_codes = 0;
pub const MQTT_RC_GRANTED_QOS0: mqtt5_return_codes = 0;
pub const MQTT_RC_GRANTED_QOS1: mqtt5_return_codes = 1;
pub const MQTT_RC_GRANTED_QOS2: mqtt5_return_codes = 2;
pub const MQTT_RC_DISCONNECT_WITH_WILL_MSG: mqtt5_return_codes = 4;
pub const MQTT_RC_NO_MATCHING_SUBSCRIBERS: mqtt5_return_codes = 16;
pub const MQTT_RC_NO_SUBSCRIPTION_EXISTED: mqtt5_return_codes = 17;
pub const MQTT_RC_CONTINUE_AUTHENTICATION: mqtt5_return_codes = 24;
pub const MQTT_RC_REAUTHENTICATE: mqtt5_return_codes = 25;
pub const MQTT_RC_UNSPECIFIED: mqtt5_return_codes = 128;
pub const MQTT_RC_MALFORMED_PACKET: mqtt5_return_codes = 129;
pub const MQTT_RC_PROTOCOL_ERROR: mqtt5_return_codes = 130;
pub const MQTT_RC_IMPLEMENTATION_SPECIFIC: mqtt5_return_codes = 131;
pub const MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION: mqtt5_return_codes = 132;
pub const MQTT_RC_CLIENTID_NOT_VALID: mqtt5_return_codes = 133;
pub const MQTT_RC_BAD_USERNAME_OR_PASSWORD: mqtt5_return_codes = 134;
pub const MQTT_RC_NOT_AUTHORIZED: mqtt5_return_codes = 135;
pub const MQTT_RC_SERVER_UNAVAILABLE: mqtt5_return_codes = 136;
pub const MQTT_RC_SERVER_BUSY: mqtt5_return_codes = 137;
pub const MQTT_RC_BANNED: mqtt5_return_codes = 138;
pub const MQTT_RC_SERVER_SHUTTING_DOWN: mqtt5_return_codes = 139;
pub const MQTT_RC_BAD_AUTHENTICATION_METHOD: mqtt5_return_codes = 140;
pub const MQTT_RC_KEEP_ALIVE_TIMEOUT: mqtt5_return_codes = 141;
pub const MQTT_RC_SESSION_TAKEN_OVER: mqtt5_return_codes = 142;
pub const MQTT_RC_TOPIC_FILTER_INVALID: mqtt5_return_codes = 143;
pub const MQTT_RC_TOPIC_NAME_INVALID: mqtt5_return_codes = 144;
pub const MQTT_RC_PACKET_ID_IN_USE: mqtt5_return_codes = 145;
pub const MQTT_RC_PACKET_ID_NOT_FOUND: mqtt5_return_codes = 146;
pub const MQTT_RC_RECEIVE_MAXIMUM_EXCEEDED: mqtt5_return_codes = 147;
pub const MQTT_RC_TOPIC_ALIAS_INVALID: mqtt5_return_codes = 148;
pub const MQTT_RC_PACKET_TOO_LARGE: mqtt5_return_codes = 149;
pub const MQTT_RC_MESSAGE_RATE_TOO_HIGH: mqtt5_return_codes = 150;
pub const MQTT_RC_QUOTA_EXCEEDED: mqtt5_return_codes = 151;
pub const MQTT_RC_ADMINISTRATIVE_ACTION: mqtt5_return_codes = 152;
pub const MQTT_RC_PAYLOAD_FORMAT_INVALID: mqtt5_return_codes = 153;
pub const MQTT_RC_RETAIN_NOT_SUPPORTED: mqtt5_return_codes = 154;
pub const MQTT_RC_QOS_NOT_SUPPORTED: mqtt5_return_codes = 155;
pub const MQTT_RC_USE_ANOTHER_SERVER: mqtt5_return_codes = 156;
pub const MQTT_RC_SERVER_MOVED: mqtt5_return_codes = 157;
pub const MQTT_RC_SHARED_SUBS_NOT_SUPPORTED: mqtt5_return_codes = 158;
pub const MQTT_RC_CONNECTION_RATE_EXCEEDED: mqtt5_return_codes = 159;
pub const MQTT_RC_MAXIMUM_CONNECT_TIME: mqtt5_return_codes = 160;
pub const MQTT_RC_SUBSCRIPTION_IDS_NOT_SUPPORTED: mqtt5_return_codes = 161;
pub const MQTT_RC_WILDCARD_SUBS_NOT_SUPPORTED: mqtt5_return_codes = 162;
pub type mqtt5_return_codes = ::core::ffi::c_uint;
