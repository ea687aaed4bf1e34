//! Clients that the broker lets in without asking a plugin: those that a
//! certificate or a pre-shared key vouches for, where the listener takes their
//! names from that.
//!
//! A client without a credential that may be used is ended. On 2.1 that happens
//! when it connects. 2.0 does not say that a client connects, so there it
//! happens when the client first uses a topic, or when it takes the id of a
//! session.

use core::ffi::c_int;

use countersign::{ClientRef, Handle, LogLevel, TurnedAway};
use countersign_mosquitto_sys as sys;

use super::Plugin;
use super::unadmitted::UnadmittedClient;
use crate::boundary::BrokerClient;
use crate::clients::{AnsweredBy, Fingerprint};
use crate::instances;

/// Whether something besides a login vouches for the name of a client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum IdentityProof {
    /// A certificate or a pre-shared key does.
    Proven,
    /// A pre-shared key may: 2.0 does not tell.
    Possible,
    /// Nothing does; another plugin let it in, perhaps.
    None,
}

impl Plugin {
    /// A client as the gate is told of it, with how it came. What nothing vouches
    /// for has no name.
    ///
    /// What is delivered may be for a client that is away, of which the broker has
    /// no certificate any more.
    pub(super) fn peer<'c>(
        &self,
        client: &'c BrokerClient<'_>,
        may_be_away: bool,
    ) -> ClientRef<'c> {
        let mut peer = self.described(client);
        let clients = self.clients.borrow();
        let is_known = if may_be_away {
            clients.is_ours(client.handle())
        } else {
            clients.is_here(client.handle())
        };
        drop(clients);
        if peer.connected && !is_known && self.identity_proof(client) == IdentityProof::None {
            peer.username = None;
        }
        peer
    }

    /// Takes note that a client was let in, on a broker that says so.
    pub(crate) fn arrived(&self, client: &BrokerClient<'_>) {
        let is_known = |plugin: &Self| plugin.clients.borrow().is_here(client.handle());
        let is_others = self.clients.borrow().owner(client.handle()) == Some(AnsweredBy::Others);
        if is_others || instances::others(self).iter().any(|it| is_known(it)) {
            return;
        }
        // A client that had its handle before is another.
        self.departed.set(None);
        self.forget_waiting(client.handle());
        let peer = self.peer(client, false);
        if let Ok(mut gate) = self.gate.try_borrow_mut() {
            gate.arrived(&peer);
        }
        self.check_unadmitted(client, &peer);
        let mut clients = self.clients.borrow_mut();
        if !clients.is_here(client.handle()) && !clients.is_waiting(client.handle()) {
            // Whoever had its handle before is another.
            clients.forget(client.handle());
        }
    }

    /// Forgets a client that waited, now that one is let in with its handle whose
    /// wait is not being ended: the broker does not say that one left while it
    /// waited, and the verdict is not about whoever came in its place.
    fn forget_waiting(&self, handle: Handle) {
        if self.completing.get() != Some(handle) && self.clients.borrow().is_waiting(handle) {
            self.clients.borrow_mut().forget(handle);
            self.tell_gone(handle);
        }
    }

    /// Takes note of a client that the gate has just been asked about and knew
    /// nothing of: it has a session now, or is to be ended.
    pub(super) fn check_unadmitted(&self, client: &BrokerClient<'_>, peer: &ClientRef<'_>) {
        let handle = client.handle();
        let is_known = {
            let clients = self.clients.borrow();
            clients.is_here(handle) || clients.is_waiting(handle)
        };
        if is_known || !peer.connected {
            return;
        }
        let client_id = peer.client_id.unwrap_or_default();
        let print = self.fingerprint_of_proven(client);
        if self.gate.try_borrow().is_ok_and(|gate| gate.knows(handle)) {
            self.came(client, AnsweredBy::Gate, print);
            self.clients.borrow_mut().vouched_for(handle);
            return;
        }
        if self.identity_proof(client) != IdentityProof::Proven {
            return;
        }
        let turned_away = match self.gate.try_borrow_mut() {
            Ok(mut gate) => gate.turn_away(peer),
            Err(_) => return,
        };
        if let (Some(TurnedAway { line }), Ok(client_id)) =
            (turned_away, core::str::from_utf8(client_id))
        {
            self.came(client, AnsweredBy::Nobody, print);
            self.unadmitted.borrow_mut().found.push(UnadmittedClient {
                handle,
                client_id: client_id.to_owned(),
                line,
            });
        }
    }

    /// Takes note that a connection goes, before anything is forgotten of it.
    pub(super) fn departs(&self, client: &BrokerClient<'_>) {
        let handle = client.handle();
        if self.unadmitted.borrow().is_evicting {
            if !self.clients.borrow().is_here(handle) {
                let turned_away = match self.gate.try_borrow_mut() {
                    Ok(mut gate) => gate.turn_away(&self.described(client)),
                    Err(_) => None,
                };
                self.unadmitted.borrow_mut().evicted = match turned_away {
                    Some(TurnedAway { line }) => line,
                    None => Some(TAKER.to_owned()),
                };
            }
            self.remember_departed(client);
            return;
        }
        self.remember_departed(client);
        // 2.1 says when a client connects.
        let is_clean = self.host.clean_start(client);
        if !self.host.finds_clients()
            && !self.pending_kicks.borrow().is_open(handle)
            && self.clients.borrow().may_be_taken_over(handle, is_clean)
            && let Some(Ok(id)) = self.host.client_id(client).map(core::str::from_utf8)
        {
            self.unadmitted.borrow_mut().taken.push(id.to_owned());
        }
    }

    /// Takes note of what a client leaves that a certificate or a pre-shared key
    /// vouches for, or may, and that did nothing: 2.0 keeps its session, and asks
    /// about it after a reload.
    fn remember_departed(&self, client: &BrokerClient<'_>) {
        let handle = client.handle();
        if self.host.finds_clients() || self.clients.borrow().is_here(handle) {
            return;
        }
        let client_id = self.host.client_id(client).unwrap_or_default();
        if self.identity_proof(client) != IdentityProof::Proven
            && self.clients.borrow().has_left(handle, client_id)
        {
            return;
        }
        let print = self.fingerprint_of_proven(client);
        self.came(client, AnsweredBy::Nobody, print);
    }

    /// Stands for what the broker has of a client that has no password.
    fn fingerprint_of_proven(&self, client: &BrokerClient<'_>) -> Fingerprint {
        let client_id = self.host.client_id(client).unwrap_or_default();
        let username = self.host.username(client);
        let clients = self.clients.borrow();
        clients.fingerprint(client_id, username, clients.password_print(None))
    }

    /// Says whether a check comes about only because an unadmitted client is
    /// being ended.
    pub(super) fn is_ending_unadmitted(&self, handle: Handle) -> bool {
        let is_admitted = || {
            let owner = self.clients.borrow().owner(handle);
            matches!(owner, Some(AnsweredBy::Gate | AnsweredBy::Others))
        };
        self.unadmitted.borrow().is_evicting && !is_admitted()
    }

    /// Ends the unadmitted clients that were found, and those that took an id.
    pub(super) fn end_unadmitted(&self) {
        let found = core::mem::take(&mut self.unadmitted.borrow_mut().found);
        for client in found {
            if let Some(line) = &client.line {
                self.log(LogLevel::Notice, line);
            }
            let is_here = self.clients.borrow().is_here(client.handle);
            if is_here && !self.is_live(&client.client_id) {
                self.evict(|| {
                    let _kick = self.host.kick_only(client.handle, &client.client_id);
                });
            }
        }
        let taken = core::mem::take(&mut self.unadmitted.borrow_mut().taken);
        for client_id in taken {
            if self.is_live(&client_id) {
                continue;
            }
            self.evict(|| {
                let _kick = self.host.kick(&client_id);
            });
            let evicted = self.unadmitted.borrow_mut().evicted.take();
            if let Some(line) = evicted {
                let line = format!("a client took the id `{client_id}` and was ended: {line}");
                self.log(LogLevel::Notice, &line);
            }
        }
    }

    fn evict(&self, kick: impl FnOnce()) {
        self.unadmitted.borrow_mut().is_evicting = true;
        kick();
        self.unadmitted.borrow_mut().is_evicting = false;
    }

    /// Says whether a session that a plugin of ours let in has this id.
    fn is_live(&self, client_id: &str) -> bool {
        let has = |plugin: &Self| {
            let gate = plugin.gate.try_borrow();
            gate.is_ok_and(|gate| gate.is_live(client_id))
        };
        has(self) || instances::others(self).iter().any(|plugin| has(plugin))
    }

    /// Takes note of the identity that a client proved by a pre-shared key.
    pub(crate) fn proved(&self, client: &BrokerClient<'_>, identity: &[u8]) {
        self.clients.borrow_mut().proved(client.handle(), identity);
    }

    fn identity_proof(&self, client: &BrokerClient<'_>) -> IdentityProof {
        let username = self.host.username(client);
        let is_proven = self.host.has_certificate(client)
            || username.is_some_and(|name| self.clients.borrow().has_proved(client.handle(), name));
        if is_proven {
            IdentityProof::Proven
        } else if self.host.finds_clients() {
            IdentityProof::None
        } else {
            IdentityProof::Possible
        }
    }
}

/// The answer when the broker asks about an unadmitted client that it is
/// ending.
///
/// It asks which subscriptions of the session to keep. Such a client was never
/// granted one, so they are those of the device whose id it took; nothing is
/// delivered by them to such a client.
pub(super) fn answer_while_ending_unadmitted(access: c_int) -> c_int {
    if access == sys::MOSQ_ACL_SUBSCRIBE {
        sys::MOSQ_ERR_SUCCESS
    } else {
        sys::MOSQ_ERR_ACL_DENIED
    }
}

/// What is said of a client that took an id and of which nothing else is known.
const TAKER: &str = "it never logged in";

#[cfg(test)]
mod tests;
