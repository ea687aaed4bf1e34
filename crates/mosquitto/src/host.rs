//! What the plugin needs of a broker.

use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

use countersign::core::backoff::ip_of;
use countersign::core::connect::Reservation;
use countersign::{Handle, LogLevel};
use countersign_mosquitto_sys as sys;

use crate::boundary::BrokerClient;
use crate::events::Event;

mod certificate;
pub(crate) mod symbols;

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

    /// Ends the connection of the client with this id, sending its Will. 2.0
    /// ends one over WebSockets later.
    fn kick(&self, client_id: &str) -> Kick;

    /// Ends this client alone, as far as the broker tells whose a client id is.
    fn kick_only(&self, handle: Handle, client_id: &str) -> Kick {
        let mut is_its = !self.finds_clients();
        self.with_client(client_id, &mut |client| is_its = client.handle() == handle);
        if is_its {
            self.kick(client_id)
        } else {
            Kick::NoSuchClient
        }
    }

    /// Ends all connections with this user name, sending their Wills.
    fn kick_all_of(&self, username: &str);

    /// Makes `username` the user name of a client; with `None` it has none
    /// from now on. Says whether that worked.
    #[must_use]
    fn set_username(&self, client: &mut BrokerClient<'_>, username: Option<&str>) -> bool;

    /// Sees to it that `username` is the user name of a client; says whether it is.
    /// Most clients present what they are called, and are left alone.
    #[must_use]
    fn ensure_username(&self, client: &mut BrokerClient<'_>, username: Option<&str>) -> bool {
        self.username(client) == username.map(str::as_bytes) || self.set_username(client, username)
    }

    /// The id of a client. One that sent no CONNECT yet may have none.
    fn client_id<'c>(&self, client: &'c BrokerClient<'_>) -> Option<&'c [u8]>;

    /// The user name of a client.
    fn username<'c>(&self, client: &'c BrokerClient<'_>) -> Option<&'c [u8]>;

    /// What the broker has as a client's address, which may be any bytes. There
    /// is none for a client of which it knows only what it stored: every client
    /// that connected has one.
    fn address_text<'c>(&self, client: &'c BrokerClient<'_>) -> Option<&'c [u8]>;

    /// The certificate of a client that the broker verified, as it was sent (DER). No
    /// bytes where there is one that can't be had.
    fn certificate(&self, client: &BrokerClient<'_>) -> Option<Vec<u8>>;

    /// Whether a client presented a certificate that the broker verified.
    fn has_certificate(&self, client: &BrokerClient<'_>) -> bool;

    /// Whether a client is connected over WebSockets at this moment.
    fn is_websocket(&self, client: &BrokerClient<'_>) -> bool;

    /// Whether a client over WebSockets chooses its address itself: from 2.0.14
    /// on, 2.0 believes an `X-Forwarded-For`. Which 2.0 it is can't be told.
    fn believes_websockets(&self) -> bool {
        !self.finds_clients()
    }

    /// Where a client connects from, as far as it can't choose that: an IP
    /// address, the path of a unix socket, or one word for all clients over
    /// WebSockets that choose their address themselves.
    fn address<'c>(&self, client: &'c BrokerClient<'_>) -> Option<&'c str> {
        let text = self.address_text(client)?;
        if self.believes_websockets() && self.is_websocket(client) {
            return Some(OVER_WEBSOCKETS);
        }
        let text = core::str::from_utf8(text).ok();
        let is_shown = |text: &&str| ip_of(text).is_some() || text.starts_with('/');
        Some(text.filter(is_shown).unwrap_or(UNIX_SOCKET))
    }

    /// Whether a client that the broker asks about may be one that is away,
    /// and not one that sends its CONNECT at this moment. Nothing that a client
    /// sends has an influence on it.
    ///
    /// 2.1 finds by its id only what is connected or stored already. In 2.0 no
    /// CONNECT comes between a reload and the next tick but over WebSockets, and
    /// a client that is away has no such connection.
    fn may_be_away(&self, client: &BrokerClient<'_>, client_id: &[u8]) -> bool {
        if !self.finds_clients() {
            return !self.is_websocket(client);
        }
        let mut is_found = false;
        if let Ok(client_id) = core::str::from_utf8(client_id) {
            self.with_client(client_id, &mut |found| {
                is_found = found.handle() == client.handle();
            });
        }
        is_found
    }

    /// Whether the broker keeps a client id for a client that `is_known` does
    /// not know, and that it did not restore: a bridge, for one. 2.0 does not tell;
    /// there, what its bridges have unless they are told otherwise is kept.
    fn reservation(
        &self,
        client: &BrokerClient<'_>,
        client_id: &[u8],
        is_known: &dyn Fn(Handle) -> bool,
    ) -> Reservation {
        if !self.finds_clients() {
            return Reservation::untold(client_id);
        }
        let mut reservation = Reservation::Free;
        if let Ok(client_id) = core::str::from_utf8(client_id) {
            self.with_client(client_id, &mut |found| {
                let handle = found.handle();
                if handle != client.handle() && !is_known(handle) && !self.is_restored(found) {
                    reservation = Reservation::Taken;
                }
            });
        }
        reservation
    }

    /// The user name of the client whose restored session the broker would hand over to
    /// this one, where it tells and there is a name. A session of this run is judged by
    /// what the gate recorded: who took its client id meanwhile and was turned away has
    /// left the name and nothing else.
    fn left_by(&self, client: &BrokerClient<'_>, client_id: &[u8]) -> Option<Vec<u8>> {
        let client_id = core::str::from_utf8(client_id).ok()?;
        if !self.finds_clients() || self.clean_start(client) {
            return None;
        }
        let mut left_by = None;
        self.with_client(client_id, &mut |found| {
            if found.handle() != client.handle() && self.is_restored(found) {
                left_by = self.username(found).map(<[u8]>::to_vec);
            }
        });
        left_by
    }

    /// Whether the broker knows a client from its persistence alone. It has a
    /// version of the protocol and an address of everything that connected.
    fn is_restored(&self, client: &BrokerClient<'_>) -> bool {
        self.address_text(client).is_none() && self.protocol(client) == 0
    }

    /// The local port that a client came in by, where the broker tells it.
    fn listener(&self, client: &BrokerClient<'_>) -> Option<u16>;

    /// 3 for MQTT 3.1, 4 for 3.1.1, 5 for 5.0, and 0 if the broker knows none.
    fn protocol(&self, client: &BrokerClient<'_>) -> u8;

    /// Whether a client starts without a stored session.
    fn clean_start(&self, client: &BrokerClient<'_>) -> bool;

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
    fn complete_login(&self, client_id: &str, login: LoginCompletion);

    /// Does something with the client that has this id, if there is one that
    /// was let in. It may be away.
    fn with_client(&self, client_id: &str, act: &mut dyn FnMut(&mut BrokerClient<'_>));

    /// A copy of some bytes in the broker's own memory, for it to free. None if
    /// there is no memory.
    fn hand_over(&self, bytes: &[u8]) -> Option<NonNull<c_void>>;

    /// Sends a message to the client with this id and to no other, at QoS 1 and
    /// not retained; says whether the broker took it. It is sent when the
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

/// What stands for the address of a client over WebSockets that chooses it
/// itself.
const OVER_WEBSOCKETS: &str = "ws";
/// What stands for the address of a unix socket without a readable path.
const UNIX_SOCKET: &str = "unix";

/// How the wait of a login ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LoginCompletion {
    /// It is let in.
    Admitted,
    /// It is not.
    Refused,
}

/// What became of a kick.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kick {
    /// The connection is gone or, over WebSockets on 2.0, will be.
    Done,
    /// The broker knows no such client.
    NoSuchClient,
}
