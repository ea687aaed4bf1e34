//! A CONNECT by name and password: what the gate is asked, and what the broker
//! is told of its answer.

use core::ffi::c_int;

use countersign::core::connect::Reservation;
use countersign::core::options::ChainMode;
use countersign::core::reason::Reason;
use countersign::{ConnectInfo, ConnectOutcome, Handle, LogLevel, RefusalCode};
use countersign_certificate::presented;
use countersign_mosquitto_sys as sys;

use super::Plugin;
use crate::boundary::BrokerClient;
use crate::clients::{AnsweredBy, Clients, Fingerprint, PasswordPrint};
use crate::instances;

/// What became of a CONNECT, before the broker hears of it.
pub(crate) enum ConnectResult {
    /// The gate decided, or will.
    Decided(ConnectOutcome, PresentedLogin),
    /// There is no client at the other end, so there is nothing to decide.
    Nobody,
    /// It could not even be asked.
    Unasked,
}

/// What stays known of a CONNECT.
pub(crate) struct PresentedLogin {
    pub(super) password: PasswordPrint,
    /// Of what the broker will have of the client, if it takes it.
    pub(super) fingerprint: Fingerprint,
    pub(super) protocol: u8,
}

impl Plugin {
    /// Asks the gate about a CONNECT.
    ///
    /// After a reload the broker asks again about all clients, also about those
    /// that are away and left a session behind. These are not judged before
    /// they come back: no client is let in by that, whereas a refusal would
    /// make the broker free their session twice.
    pub(crate) fn connect(
        &self,
        client: &BrokerClient<'_>,
        username: Option<&[u8]>,
        password: Option<&[u8]>,
    ) -> ConnectResult {
        let Some(client_id) = self.host.client_id(client) else {
            return ConnectResult::Unasked;
        };
        let handle = client.handle();
        let clients = self.clients.borrow();
        let password_print = clients.password_print(password);
        if self.reloading.get() && self.pending_kicks.borrow().holds(handle) {
            return ConnectResult::Unasked;
        }
        // Else it is another connection with this handle.
        self.pending_kicks.borrow_mut().remove(handle);
        if self.reloading.get() && !clients.is_here(handle) {
            let presented = clients.fingerprint(client_id, username, password_print);
            let enhanced = clients.fingerprint(client_id, username, clients.enhanced_print());
            let is_away = self.host.is_restored(client)
                || clients.is_away(handle, presented)
                || clients.is_away(handle, enhanced);
            if is_away && self.host.may_be_away(client, client_id) {
                return ConnectResult::Nobody;
            }
        }
        if self.has_no_ticks() {
            return ConnectResult::Unasked;
        }
        let protocol = self.host.protocol(client);
        let mut info = ConnectInfo::new(handle, client_id);
        info.username = username;
        info.password = password;
        let certificate = match password {
            Some(_) => None,
            None => self.host.certificate(client),
        };
        let certificate = certificate.map(|der| presented(&der));
        info.certificate = certificate.as_ref();
        // What is away may have come over WebSockets, with an address of its own
        // choice, and can't be told from others any more.
        let may_be_claimed = self.reloading.get() && !clients.is_here(handle);
        info.address = if may_be_claimed && self.host.believes_websockets() {
            None
        } else {
            self.host.address(client)
        };
        info.listener = self.host.listener(client);
        info.protocol = protocol;
        info.clean_start = self.host.clean_start(client);
        // After a reload the broker ends every client that is not let in
        // at once.
        let left_by = self.host.left_by(client, client_id);
        info.left_by = left_by.as_deref();
        info.reservation = self.reservation(client, client_id);
        info.may_wait = !self.reloading.get() && self.host.delays_logins_of(protocol);
        let outcome = match self.gate.try_borrow_mut() {
            Ok(mut gate) => gate.connect(&info),
            Err(_) => return ConnectResult::Unasked,
        };
        let login = PresentedLogin {
            fingerprint: fingerprint_after(&outcome, &clients, &info, password_print),
            password: password_print,
            protocol,
        };
        ConnectResult::Decided(outcome, login)
    }

    /// Tells the broker what became of a CONNECT.
    pub(crate) fn conclude(&self, outcome: ConnectResult, client: &mut BrokerClient<'_>) -> c_int {
        let handle = client.handle();
        match outcome {
            ConnectResult::Nobody => return sys::MOSQ_ERR_SUCCESS,
            ConnectResult::Unasked => {}
            ConnectResult::Decided(ConnectOutcome::Admitted { username }, presented) => {
                if self.let_in(client, username.as_deref(), presented.fingerprint) {
                    return sys::MOSQ_ERR_SUCCESS;
                }
            }
            ConnectResult::Decided(ConnectOutcome::Refused { reason, code, line }, presented) => {
                if self.chain == ChainMode::Defer && is_nobody(reason) {
                    self.came(client, AnsweredBy::Others, presented.fingerprint);
                    return sys::MOSQ_ERR_PLUGIN_DEFER;
                }
                self.forget_refused(handle);
                if let Some(line) = line {
                    self.log(LogLevel::Notice, &line);
                }
                return self.refusal(code, presented.protocol);
            }
            // Only enhanced authentication asks.
            ConnectResult::Decided(ConnectOutcome::Challenge { .. }, _) => self.tell_gone(handle),
            ConnectResult::Decided(ConnectOutcome::Pending { username, .. }, presented) => {
                if self.host.delays_logins_of(presented.protocol)
                    && self.host.ensure_username(client, username.as_deref())
                {
                    let client_id = self.host.client_id(client).unwrap_or_default();
                    let mut clients = self.clients.borrow_mut();
                    clients.waits(handle, client_id, presented.password);
                    return MOSQ_ERR_AUTH_DELAYED;
                }
                self.log(LogLevel::Error, NO_USERNAME);
                self.tell_gone(handle);
            }
            // What this plugin does not know yet admits no client.
            ConnectResult::Decided(_, _) => {}
        }
        self.forget_refused(handle);
        sys::MOSQ_ERR_AUTH
    }

    /// Lets a client in under the name that the gate gives it; says whether the broker
    /// took the name. If it did not, the gate is told that the client is gone.
    pub(super) fn let_in(
        &self,
        client: &mut BrokerClient<'_>,
        username: Option<&str>,
        fingerprint: Fingerprint,
    ) -> bool {
        if self.host.ensure_username(client, username) {
            self.came(client, AnsweredBy::Gate, fingerprint);
            return true;
        }
        self.log(LogLevel::Error, NO_USERNAME);
        self.tell_gone(client.handle());
        false
    }

    /// Forgets a client that is refused. After a reload the broker ends it and says
    /// so, and may keep its session: then it must be known as one that is away.
    fn forget_refused(&self, handle: Handle) {
        if !self.reloading.get() {
            self.clients.borrow_mut().forget(handle);
        }
    }

    /// Whether the broker keeps a client id for a client that no plugin of ours
    /// was asked about.
    pub(super) fn reservation(&self, client: &BrokerClient<'_>, client_id: &[u8]) -> Reservation {
        let is_known = |handle| {
            let knows = |plugin: &Self| plugin.clients.borrow().knows(handle, client_id);
            knows(self) || instances::others(self).iter().any(|plugin| knows(plugin))
        };
        self.host.reservation(client, client_id, &is_known)
    }

    /// Takes note of a client, of which the broker now has this.
    pub(super) fn came(
        &self,
        client: &BrokerClient<'_>,
        owner: AnsweredBy,
        fingerprint: Fingerprint,
    ) {
        let closes_late = self.host.believes_websockets() && self.host.is_websocket(client);
        let starts_clean = self.host.clean_start(client);
        let mut clients = self.clients.borrow_mut();
        clients.came(client.handle(), owner, fingerprint);
        clients.describe(client.handle(), starts_clean, closes_late);
    }

    /// What the broker is answered for a client that is refused. Only 2.1 has
    /// words for more than that, and only for clients of MQTT 5. Whoever is to
    /// try again is told nothing where there is no word for it: it takes a
    /// closed connection for a fault of the network.
    fn refusal(&self, code: RefusalCode, protocol: u8) -> c_int {
        let has_words = protocol >= 5 && self.host.has_refusal_codes();
        match code {
            RefusalCode::Banned if has_words => MOSQ_ERR_BANNED,
            RefusalCode::Busy if has_words => MOSQ_ERR_SERVER_BUSY,
            RefusalCode::Busy => CLOSED,
            RefusalCode::NotAuthorized | _ => sys::MOSQ_ERR_AUTH,
        }
    }
}

/// Stands for what the broker will have of a client after this outcome.
pub(super) fn fingerprint_after(
    outcome: &ConnectOutcome,
    clients: &Clients,
    info: &ConnectInfo<'_>,
    password: PasswordPrint,
) -> Fingerprint {
    let username = match outcome {
        ConnectOutcome::Admitted { username } => username.as_deref().map(str::as_bytes),
        ConnectOutcome::Challenge { .. }
        | ConnectOutcome::Refused { .. }
        | ConnectOutcome::Pending { .. }
        | _ => info.username,
    };
    clients.fingerprint(info.client_id, username, password)
}

/// Says whether a refusal means that no credential has such a name.
pub(super) fn is_nobody(reason: Reason) -> bool {
    matches!(reason, Reason::UnknownName | Reason::Unauthenticated)
}

/// From 2.1 on (`mosquitto/defs.h`).
const MOSQ_ERR_AUTH_DELAYED: c_int = -5;
/// MQTT 5.0's "server busy", from 2.1 on.
const MOSQ_ERR_SERVER_BUSY: c_int = 137;
/// Makes a broker close a connection without a CONNACK.
pub(super) const CLOSED: c_int = sys::MOSQ_ERR_CONN_LOST;
/// MQTT 5.0's "banned", from 2.1 on.
const MOSQ_ERR_BANNED: c_int = 138;

pub(super) const NO_USERNAME: &str = "the broker could not set a user name; refused";
