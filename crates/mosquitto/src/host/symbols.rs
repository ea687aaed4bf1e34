//! The broker's functions, looked up at run time.
//!
//! Each version exports others, so a plugin that links against them loads into
//! one version alone.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::transmute;
use core::ptr::{self, NonNull};
use std::ffi::CString;

use countersign::LogLevel;
use countersign_mosquitto_sys as sys;

use super::certificate::{Certificate, Free, ToDer};
use super::{Host, Identifier, Kick, LoginCompletion};
use crate::boundary::BrokerClient;
use crate::events::Event;
use crate::log_line::one_line;

/// Declares the table: what every broker must have, and what newer ones have.
macro_rules! symbols {
    (
        mandatory { $($must:ident: $must_name:literal as $must_type:ty,)* }
        optional { $($may:ident: $may_name:literal as $may_type:ty,)* }
    ) => {
        /// The broker's functions.
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct Symbols {
            $(pub(crate) $must: $must_type,)*
            $(pub(crate) $may: Option<$may_type>,)*
        }

        impl Symbols {
            /// Looks all of them up.
            ///
            /// # Errors
            ///
            /// Returns [`MissingSymbols`] when the program has not what every
            /// broker has.
            pub(crate) fn find() -> Result<Self, MissingSymbols> {
                let mut missing = MissingSymbols { names: Vec::new() };
                $(
                    let $must = look_up($must_name).map(|found| {
                        // SAFETY: the broker's header declares this name with this type.
                        unsafe { transmute::<*mut c_void, $must_type>(found) }
                    });
                    if $must.is_none() {
                        missing.names.push($must_name);
                    }
                )*
                $(
                    let $may = look_up($may_name).map(|found| {
                        // SAFETY: the broker's header declares this name with this type.
                        unsafe { transmute::<*mut c_void, $may_type>(found) }
                    });
                )*
                let ($(Some($must),)*) = ($($must,)*) else {
                    return Err(missing);
                };
                Ok(Self { $($must,)* $($may,)* })
            }
        }
    };
}

type ClientPointer = *const sys::mosquitto;

symbols! {
    mandatory {
        broker_publish_copy: c"mosquitto_broker_publish_copy" as unsafe extern "C" fn(
            *const c_char, *const c_char, c_int, *const c_void, c_int, bool,
            *mut sys::mosquitto_property,
        ) -> c_int,
        callback_register: c"mosquitto_callback_register" as unsafe extern "C" fn(
            Identifier, c_int, sys::MOSQ_FUNC_generic_callback, *const c_void, *mut c_void,
        ) -> c_int,
        callback_unregister: c"mosquitto_callback_unregister" as unsafe extern "C" fn(
            Identifier, c_int, sys::MOSQ_FUNC_generic_callback, *const c_void,
        ) -> c_int,
        client_address: c"mosquitto_client_address"
            as unsafe extern "C" fn(ClientPointer) -> *const c_char,
        client_certificate: c"mosquitto_client_certificate"
            as unsafe extern "C" fn(ClientPointer) -> *mut c_void,
        client_clean_session: c"mosquitto_client_clean_session"
            as unsafe extern "C" fn(ClientPointer) -> bool,
        client_id: c"mosquitto_client_id"
            as unsafe extern "C" fn(ClientPointer) -> *const c_char,
        client_protocol: c"mosquitto_client_protocol"
            as unsafe extern "C" fn(ClientPointer) -> c_int,
        client_protocol_version: c"mosquitto_client_protocol_version"
            as unsafe extern "C" fn(ClientPointer) -> c_int,
        client_username: c"mosquitto_client_username"
            as unsafe extern "C" fn(ClientPointer) -> *const c_char,
        kick_client_by_clientid: c"mosquitto_kick_client_by_clientid"
            as unsafe extern "C" fn(*const c_char, bool) -> c_int,
        kick_client_by_username: c"mosquitto_kick_client_by_username"
            as unsafe extern "C" fn(*const c_char, bool) -> c_int,
        log_printf: c"mosquitto_log_printf"
            as unsafe extern "C" fn(c_int, *const c_char, ...),
        malloc: c"mosquitto_malloc" as unsafe extern "C" fn(usize) -> *mut c_void,
        set_username: c"mosquitto_set_username"
            as unsafe extern "C" fn(*mut sys::mosquitto, *const c_char) -> c_int,
    }
    // From 2.1 on (`mosquitto/broker.h`).
    optional {
        client: c"mosquitto_client"
            as unsafe extern "C" fn(*const c_char) -> *mut sys::mosquitto,
        client_port: c"mosquitto_client_port"
            as unsafe extern "C" fn(ClientPointer) -> c_int,
        complete_basic_auth: c"mosquitto_complete_basic_auth"
            as unsafe extern "C" fn(*const c_char, c_int),
        plugin_set_info: c"mosquitto_plugin_set_info"
            as unsafe extern "C" fn(Identifier, *const c_char, *const c_char) -> c_int,
        // Of the broker's OpenSSL, if it has one.
        certificate_free: c"X509_free" as Free,
        certificate_to_der: c"i2d_X509" as ToDer,
    }
}

impl Symbols {
    /// Tells the broker what the plugin is called, if it wants to know.
    pub(crate) fn introduce(&self, identifier: Identifier) {
        let Some(set_info) = self.plugin_set_info else {
            return;
        };
        let version = concat!(env!("CARGO_PKG_VERSION"), "\0");
        // Without it the broker's log lines name no plugin, and that is all.
        // SAFETY: the broker's own identifier and two terminated strings, which
        // it copies.
        let _code =
            unsafe { set_info(identifier, c"countersign".as_ptr(), version.as_ptr().cast()) };
    }
}

impl Symbols {
    fn certificate_of(&self, client: &BrokerClient<'_>) -> Option<Certificate> {
        // SAFETY: `client` is one.
        let certificate = unsafe { (self.client_certificate)(client.as_ptr()) };
        // SAFETY: null or a certificate of the broker's OpenSSL, counted for us.
        unsafe { Certificate::new(certificate, self.certificate_free) }
    }
}

impl Host for Symbols {
    fn log(&self, level: LogLevel, line: &str) {
        let level = match level {
            LogLevel::Notice => sys::MOSQ_LOG_NOTICE,
            LogLevel::Warning => sys::MOSQ_LOG_WARNING,
            LogLevel::Error | _ => sys::MOSQ_LOG_ERR,
        };
        let line = one_line(line);
        // SAFETY: `%s` takes one terminated string, and the broker copies it.
        unsafe { (self.log_printf)(level, c"%s".as_ptr(), line.as_ptr()) };
    }

    fn kick(&self, client_id: &str) -> Kick {
        // INVARIANT: never null, which would end every connection there is.
        let Ok(client_id) = CString::new(client_id) else {
            return Kick::NoSuchClient;
        };
        // SAFETY: not null and terminated; the broker only compares it.
        let code = unsafe { (self.kick_client_by_clientid)(client_id.as_ptr(), true) };
        if code == sys::MOSQ_ERR_NOT_FOUND {
            Kick::NoSuchClient
        } else {
            Kick::Done
        }
    }

    fn kick_all_of(&self, username: &str) {
        // INVARIANT: never null, which would end all connections without a name.
        if let Ok(username) = CString::new(username) {
            // SAFETY: not null and terminated; the broker only compares it.
            let _code = unsafe { (self.kick_client_by_username)(username.as_ptr(), true) };
        }
    }

    fn set_username(&self, client: &mut BrokerClient<'_>, username: Option<&str>) -> bool {
        let code = match username.map(CString::new) {
            Some(Ok(username)) => {
                // SAFETY: `client` is one, and the broker copies the name.
                unsafe { (self.set_username)(client.as_ptr(), username.as_ptr()) }
            }
            Some(Err(_)) => return false,
            None => {
                // SAFETY: `client` is one, and null is allowed.
                unsafe { (self.set_username)(client.as_ptr(), ptr::null()) }
            }
        };
        code == sys::MOSQ_ERR_SUCCESS
    }

    fn client_id<'c>(&self, client: &'c BrokerClient<'_>) -> Option<&'c [u8]> {
        // SAFETY: `client` is one.
        let text = unsafe { (self.client_id)(client.as_ptr()) };
        // SAFETY: the broker keeps it until the client changes.
        unsafe { client.bytes(text) }
    }

    fn username<'c>(&self, client: &'c BrokerClient<'_>) -> Option<&'c [u8]> {
        // SAFETY: `client` is one.
        let text = unsafe { (self.client_username)(client.as_ptr()) };
        // SAFETY: the broker keeps it until the client changes.
        unsafe { client.bytes(text) }
    }

    fn address_text<'c>(&self, client: &'c BrokerClient<'_>) -> Option<&'c [u8]> {
        // SAFETY: `client` is one.
        let text = unsafe { (self.client_address)(client.as_ptr()) };
        // SAFETY: the broker keeps it until the client changes.
        unsafe { client.bytes(text) }
    }

    fn certificate(&self, client: &BrokerClient<'_>) -> Option<Vec<u8>> {
        let certificate = self.certificate_of(client)?;
        // SAFETY: of the broker's OpenSSL, as the certificate is.
        let der = self
            .certificate_to_der
            .and_then(|to_der| unsafe { certificate.to_der(to_der) });
        Some(der.unwrap_or_default())
    }

    fn has_certificate(&self, client: &BrokerClient<'_>) -> bool {
        self.certificate_free.is_some() && self.certificate_of(client).is_some()
    }

    fn is_websocket(&self, client: &BrokerClient<'_>) -> bool {
        // SAFETY: `client` is one.
        let protocol = unsafe { (self.client_protocol)(client.as_ptr()) };
        u32::try_from(protocol).is_ok_and(|it| it == sys::mp_websockets)
    }

    fn listener(&self, client: &BrokerClient<'_>) -> Option<u16> {
        // SAFETY: `client` is one.
        let port = unsafe { (self.client_port?)(client.as_ptr()) };
        u16::try_from(port).ok().filter(|port| *port != 0)
    }

    fn protocol(&self, client: &BrokerClient<'_>) -> u8 {
        // SAFETY: `client` is one.
        let version = unsafe { (self.client_protocol_version)(client.as_ptr()) };
        u8::try_from(version).unwrap_or(0)
    }

    fn clean_start(&self, client: &BrokerClient<'_>) -> bool {
        // SAFETY: `client` is one.
        unsafe { (self.client_clean_session)(client.as_ptr()) }
    }

    fn tells_ports(&self) -> bool {
        self.client_port.is_some()
    }

    fn finds_clients(&self) -> bool {
        self.client.is_some()
    }

    fn delays_logins(&self) -> bool {
        self.complete_basic_auth.is_some() && self.client.is_some()
    }

    fn complete_login(&self, client_id: &str, login: LoginCompletion) {
        let (Some(complete), Ok(client_id)) = (self.complete_basic_auth, CString::new(client_id))
        else {
            return;
        };
        let code = match login {
            LoginCompletion::Admitted => sys::MOSQ_ERR_SUCCESS,
            LoginCompletion::Refused => sys::MOSQ_ERR_AUTH,
        };
        // SAFETY: terminated; the broker looks it up among those who wait.
        unsafe { complete(client_id.as_ptr(), code) };
    }

    fn with_client(&self, client_id: &str, act: &mut dyn FnMut(&mut BrokerClient<'_>)) {
        let (Some(find), Ok(client_id)) = (self.client, CString::new(client_id)) else {
            return;
        };
        // SAFETY: terminated; the broker only compares it.
        let found = unsafe { find(client_id.as_ptr()) };
        // SAFETY: null or a client, which nothing frees before this returns, for
        // `act` does nothing that ends one.
        if let Some(mut client) = unsafe { BrokerClient::new(found) } {
            act(&mut client);
        }
    }

    fn hand_over(&self, bytes: &[u8]) -> Option<NonNull<c_void>> {
        // SAFETY: any size is allowed.
        let memory = NonNull::new(unsafe { (self.malloc)(bytes.len().max(1)) })?;
        let to = memory.as_ptr().cast::<u8>();
        // SAFETY: so many bytes were made just now, for nobody else.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
        Some(memory)
    }

    fn send(&self, client_id: &str, topic: &str, payload: &[u8]) -> bool {
        // INVARIANT: the client id is never null, which would be everybody.
        let (Ok(client_id), Ok(topic), Ok(length)) = (
            CString::new(client_id),
            CString::new(topic),
            c_int::try_from(payload.len()),
        ) else {
            return false;
        };
        // SAFETY: two terminated strings and so many bytes, all of which the
        // broker copies; without properties.
        let code = unsafe {
            (self.broker_publish_copy)(
                client_id.as_ptr(),
                topic.as_ptr(),
                length,
                payload.as_ptr().cast(),
                1,
                false,
                ptr::null_mut(),
            )
        };
        code == sys::MOSQ_ERR_SUCCESS
    }

    /// No broker says its version, but each line exports other functions.
    fn version(&self) -> &'static str {
        if self.tells_ports() && self.delays_logins() {
            "2.1 or newer"
        } else {
            "2.0"
        }
    }

    unsafe fn register(
        &self,
        identifier: Identifier,
        event: &'static Event,
        userdata: *mut c_void,
    ) -> c_int {
        let callback = Some(event.callback as _);
        let about = about(event);
        // SAFETY: by this function's contract; null is allowed for what only
        // `MOSQ_EVT_CONTROL` needs, which is copied.
        unsafe { (self.callback_register)(identifier, event.id, callback, about, userdata) }
    }

    fn unregister(&self, identifier: Identifier, event: &'static Event) {
        let callback = Some(event.callback as _);
        // It fails for a callback that is not registered alone.
        let about = about(event);
        // SAFETY: the broker's own identifier, by the contract of `register`.
        let _code = unsafe { (self.callback_unregister)(identifier, event.id, callback, about) };
    }
}

fn about(event: &Event) -> *const c_void {
    event
        .about
        .map_or(ptr::null(), |about| about.as_ptr().cast())
}

/// The program that loaded the plugin lacks functions of a broker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct MissingSymbols {
    names: Vec<&'static CStr>,
}

impl core::fmt::Display for MissingSymbols {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("this broker lacks")?;
        for name in &self.names {
            write!(f, " `{}`", name.to_string_lossy())?;
        }
        f.write_str("; Countersign needs Mosquitto 2.0.11 or newer")
    }
}

impl core::error::Error for MissingSymbols {}

/// Writes a line to the log of a broker that may lack all else.
pub(crate) fn log_without_table(line: &str) {
    type Log = unsafe extern "C" fn(c_int, *const c_char, ...);
    let Some(found) = look_up(c"mosquitto_log_printf") else {
        return;
    };
    // SAFETY: the broker's header declares this name with this type.
    let log = unsafe { transmute::<*mut c_void, Log>(found) };
    let line = one_line(line);
    // SAFETY: `%s` takes one terminated string, and the broker copies it.
    unsafe { log(sys::MOSQ_LOG_ERR, c"%s".as_ptr(), line.as_ptr()) };
}

/// The address of a symbol of the program or of a library that it shows.
fn look_up(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: `name` is terminated; looking up changes nothing.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    if found.is_null() { None } else { Some(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_broker_all_that_is_mandatory_is_named() {
        let missing = Symbols::find().unwrap_err().to_string();
        assert!(missing.contains("`mosquitto_log_printf`"), "{missing}");
        assert!(missing.contains("`mosquitto_set_username`"), "{missing}");
        assert!(!missing.contains("mosquitto_client_port"), "{missing}");
    }

    #[test]
    fn without_a_broker_a_line_goes_nowhere() {
        log_without_table("nobody hears");
    }
}
