//! Commands of sessions, and the answers to them.

use countersign::{ClientRef, Handle, LogLevel, Payload};

use super::Plugin;
use crate::boundary::BrokerClient;
use crate::instances;
use crate::plugin_gate::PluginGate;

impl Plugin {
    /// Has the commands of a session carried out, by the plugin that let it in.
    pub(crate) fn command(&self, client: &BrokerClient<'_>, payload: &[u8]) {
        self.hand_over(client, |gate, peer| gate.command(peer, payload));
    }

    /// Has the commands of dynamic-security carried out that a session published, by the
    /// plugin that let it in.
    pub(crate) fn control(&self, client: &BrokerClient<'_>, payload: &[u8]) {
        self.hand_over(client, |gate, peer| gate.control(peer, payload));
    }

    fn hand_over(
        &self,
        client: &BrokerClient<'_>,
        take: impl FnOnce(&mut dyn PluginGate, &ClientRef<'_>),
    ) {
        let lets_in = |plugin: &Self| plugin.clients.borrow().is_here(client.handle());
        if !lets_in(self)
            && let Some(other) = instances::others(self).iter().find(|it| lets_in(it))
        {
            other.hand_to_gate(client, take);
            return;
        }
        self.hand_to_gate(client, take);
    }

    fn hand_to_gate(
        &self,
        client: &BrokerClient<'_>,
        take: impl FnOnce(&mut dyn PluginGate, &ClientRef<'_>),
    ) {
        if self.has_no_ticks() || self.pending_kicks.borrow().holds(client.handle()) {
            return;
        }
        let peer = self.described(client);
        if let Ok(mut gate) = self.gate.try_borrow_mut() {
            take(&mut **gate, &peer);
        }
    }

    /// Sends the answer to a command to the client that gave it.
    ///
    /// The broker sends by client id, before it looks at the next packet. Where
    /// it tells whose that is, it is looked at once more.
    pub(super) fn reply(&self, handle: Handle, client_id: &str, topic: &str, payload: &Payload) {
        let mut is_its = !self.host.finds_clients();
        self.host.with_client(client_id, &mut |client| {
            is_its = client.handle() == handle;
        });
        if is_its && !self.host.send(client_id, topic, payload.expose()) {
            self.log(
                LogLevel::Warning,
                "the broker did not take an answer to a command",
            );
        }
    }
}
