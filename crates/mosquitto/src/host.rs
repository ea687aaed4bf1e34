//! What the plugin needs of a broker.

use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

use countersign::LogLevel;
use countersign_mosquitto_sys as sys;

use crate::boundary::Client;
use crate::events::Event;

/// What the broker knows a plugin by.
pub(crate) type Identifier = *mut sys::mosquitto_plugin_id_t;

/// The broker's functions, as the plugin sees them.
///
/// Every one of them may be called only on the broker's thread, and
/// [`Host::kick`], [`Host::kick_all_of`] and [`Host::complete_login`] call the
/// plugin back before they return.
pub(crate) trait Host {
    /// Writes a line to the broker's log.
    fn log(&self, level: LogLevel, line: &str);

    /// Ends the connection of the client with this id, sending its Will.
    fn kick(&self, client_id: &str) -> Kick;

    /// Ends all connections with this user name, sending their Wills.
    fn kick_all_of(&self, username: &str);

    /// Makes `username` the user name of a client; with `None` it has none
    /// from now on. Says whether that worked.
    #[must_use]
    fn set_username(&self, client: &mut Client<'_>, username: Option<&str>) -> bool;

    /// The id of a client. One that sent no CONNECT yet may have none.
    fn client_id<'c>(&self, client: &'c Client<'_>) -> Option<&'c [u8]>;

    /// The user name of a client.
    fn username<'c>(&self, client: &'c Client<'_>) -> Option<&'c [u8]>;

    /// Where a client connects from. Clients of which the broker knows only
    /// what it stored have none.
    fn address<'c>(&self, client: &'c Client<'_>) -> Option<&'c str>;

    /// Whether [`Host::address`] is known. Costs less.
    fn has_address(&self, client: &Client<'_>) -> bool {
        self.address(client).is_some()
    }

    /// The local port that a client came in by, where the broker tells it.
    fn listener(&self, client: &Client<'_>) -> Option<u16>;

    /// 3 for MQTT 3.1, 4 for 3.1.1, 5 for 5.0, and 0 if the broker knows none.
    fn protocol(&self, client: &Client<'_>) -> u8;

    /// Whether a client starts without a stored session.
    fn clean_start(&self, client: &Client<'_>) -> bool;

    /// Whether it tells a plugin the port that a client came in by.
    fn tells_ports(&self) -> bool;

    /// Whether it says which client has an id.
    fn finds_clients(&self) -> bool;

    /// Whether it lets a login wait for its verdict.
    fn delays_logins(&self) -> bool;

    /// Whether it does so for this version of the protocol, and safely.
    fn delays_logins_of(&self, protocol: u8) -> bool {
        // 2.1.2 frees an MQTT 5 client that goes away while it waits, and goes
        // on to use it if its Will has a delay. MQTT 3 has no such delay.
        self.delays_logins() && protocol < 5
    }

    /// Whether it takes other codes for a refusal than "not authorised".
    fn has_refusal_codes(&self) -> bool {
        self.delays_logins()
    }

    /// Ends the wait of the login with this client id, if there is one. Calls
    /// the plugin back.
    fn complete_login(&self, client_id: &str, login: Login);

    /// Does something with the client that has this id, if there is one that
    /// was let in. It may be away.
    fn with_client(&self, client_id: &str, act: &mut dyn FnMut(&mut Client<'_>));

    /// A copy of some bytes in the broker's own memory, for it to free. None if
    /// there is no memory.
    fn hand_over(&self, bytes: &[u8]) -> Option<NonNull<c_void>>;

    /// Sends a message to the client with this id and to nobody else, at QoS 1
    /// and not retained; says whether the broker took it. It is sent when the
    /// broker's loop goes round.
    fn send(&self, client_id: &str, topic: &str, payload: &[u8]) -> bool;

    /// The line of versions that it is of.
    fn version(&self) -> &'static str;

    /// Registers the callback of an event; answers the broker's code.
    ///
    /// # Safety
    ///
    /// `identifier` is the broker's own, and `userdata` is what the callback
    /// expects and stays valid until it is unregistered.
    unsafe fn register(
        &self,
        identifier: Identifier,
        event: &'static Event,
        userdata: *mut c_void,
    ) -> c_int;

    /// Takes the callback of an event back.
    fn unregister(&self, identifier: Identifier, event: &'static Event);
}

/// How the wait of a login ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Login {
    /// It is let in.
    Admitted,
    /// It is not.
    Refused,
}

/// What became of a kick.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kick {
    /// The connection is gone.
    Done,
    /// The broker knows no such client.
    NoSuchClient,
}
