//! A use of a topic.

use core::ffi::c_int;

use countersign::core::connect::Reservation;
use countersign::core::options::ChainMode;
use countersign::core::reason::Reason;
use countersign::{ClientOrigin, ClientRef, TopicUse, Verdict};
use countersign_mosquitto_sys as sys;

use super::Plugin;
use super::external::answer_while_ending_unadmitted;
use crate::boundary::BrokerClient;
use crate::clients::AnsweredBy;

impl Plugin {
    /// Judges one use of a topic.
    pub(crate) fn check(
        &self,
        client: &BrokerClient<'_>,
        access: c_int,
        topic: &[u8],
        qos: u8,
        retain: bool,
        payload: u32,
    ) -> c_int {
        let handle = client.handle();
        let payload = usize::try_from(payload).unwrap_or(usize::MAX);
        let may_defer = self.chain == ChainMode::Defer;
        let owner = if may_defer {
            self.clients.borrow().owner(handle)
        } else {
            None
        };
        if owner == Some(AnsweredBy::Others) {
            return sys::MOSQ_ERR_PLUGIN_DEFER;
        }
        if self.is_ending_unadmitted(handle) {
            return answer_while_ending_unadmitted(access);
        }
        if self.has_no_ticks() || self.pending_kicks.borrow().holds(handle) {
            return sys::MOSQ_ERR_ACL_DENIED;
        }
        let usage = match access {
            sys::MOSQ_ACL_READ => TopicUse::Deliver { topic },
            sys::MOSQ_ACL_WRITE => TopicUse::Publish { topic, qos, retain },
            sys::MOSQ_ACL_SUBSCRIBE => TopicUse::Subscribe { filter: topic },
            sys::MOSQ_ACL_UNSUBSCRIBE => TopicUse::Unsubscribe,
            _ => return sys::MOSQ_ERR_ACL_DENIED,
        };
        let known = match self.gate.try_borrow_mut() {
            Ok(mut gate) => gate.check_known(&self.known_peer(client), usage, payload),
            Err(_) => return sys::MOSQ_ERR_ACL_DENIED,
        };
        let verdict = match known {
            Some(verdict) => verdict,
            None => self.check_unknown(client, usage, payload),
        };
        match verdict {
            Verdict::Allow => sys::MOSQ_ERR_SUCCESS,
            // A client that was here before the plugin, or is away.
            Verdict::Deny(Reason::Unauthenticated) if may_defer && owner.is_none() => {
                sys::MOSQ_ERR_PLUGIN_DEFER
            }
            Verdict::Deny(_) => sys::MOSQ_ERR_ACL_DENIED,
        }
    }

    /// Judges one use of a topic by a client that the gate knows nothing of.
    fn check_unknown(
        &self,
        client: &BrokerClient<'_>,
        usage: TopicUse<'_>,
        payload: usize,
    ) -> Verdict {
        let may_be_away = matches!(usage, TopicUse::Deliver { .. });
        let peer = self.peer(client, may_be_away);
        let has_departed = self.departed.get() == Some(client.handle());
        let verdict = match self.gate.try_borrow_mut() {
            Ok(mut gate) if has_departed => return gate.check_departed(&peer, usage),
            Ok(mut gate) => gate.check(&peer, usage, payload),
            Err(_) => return Verdict::Deny(Reason::StoreBusy),
        };
        self.check_unadmitted(client, &peer);
        verdict
    }

    /// A client as the gate is told of it that let it in.
    fn known_peer<'c>(&self, client: &'c BrokerClient<'_>) -> ClientRef<'c> {
        ClientRef {
            handle: client.handle(),
            client_id: self.host.client_id(client),
            username: self.host.username(client),
            ..ClientRef::default()
        }
    }

    /// A client as the broker knows it.
    pub(super) fn described<'c>(&self, client: &'c BrokerClient<'_>) -> ClientRef<'c> {
        let client_id = self.host.client_id(client);
        ClientRef {
            connected: self.host.address_text(client).is_some(),
            origin: ClientOrigin {
                address: self.host.address(client),
                listener: self.host.listener(client),
                protocol: self.host.protocol(client),
                clean_start: self.host.clean_start(client),
                // 2.1 has let it in under the id, so it keeps it for nobody else.
                reservation: if self.host.finds_clients() {
                    Reservation::Free
                } else {
                    Reservation::untold(client_id.unwrap_or_default())
                },
            },
            ..self.known_peer(client)
        }
    }
}
