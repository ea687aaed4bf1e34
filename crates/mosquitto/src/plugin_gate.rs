//! The functions of a gate that the plugin calls, as a trait, so that tests can
//! put another in its place.

use std::sync::Arc;

use countersign::sqlite::SqliteStore;
use countersign::{
    ClientRef, CompletionStatus, ConnectInfo, ConnectOutcome, Directive, Enhanced, Gate, Handle,
    Ticket, TopicUse, TurnedAway, Verdict,
};

/// What the plugin asks of a gate.
pub(crate) trait PluginGate {
    /// See [`Gate::connect`].
    fn connect(&mut self, info: &ConnectInfo<'_>) -> ConnectOutcome;
    /// See [`Gate::connect_enhanced`].
    fn connect_enhanced(
        &mut self,
        info: &ConnectInfo<'_>,
        enhanced: &Enhanced<'_>,
    ) -> ConnectOutcome;
    /// See [`Gate::resume`].
    fn resume(&mut self, handle: Handle, client_id: &[u8], data: Option<&[u8]>) -> ConnectOutcome;
    /// See [`Gate::command`].
    fn command(&mut self, peer: &ClientRef<'_>, payload: &[u8]);
    /// See [`Gate::control`].
    fn control(&mut self, peer: &ClientRef<'_>, payload: &[u8]);
    /// See [`Gate::arrived`].
    fn arrived(&mut self, peer: &ClientRef<'_>);
    /// See [`Gate::check_known_sized`].
    fn check_known(
        &mut self,
        peer: &ClientRef<'_>,
        usage: TopicUse<'_>,
        payload: usize,
    ) -> Option<Verdict>;
    /// See [`Gate::username_of`].
    fn username_of(&self, handle: Handle) -> Option<Arc<str>>;
    /// See [`Gate::is_taken_over`].
    fn is_taken_over(&self, handle: Handle) -> bool;
    /// See [`Gate::check_sized`].
    fn check(&mut self, peer: &ClientRef<'_>, usage: TopicUse<'_>, payload: usize) -> Verdict;
    /// See [`Gate::check_departed`].
    fn check_departed(&mut self, peer: &ClientRef<'_>, usage: TopicUse<'_>) -> Verdict;
    /// See [`Gate::knows`].
    fn knows(&self, handle: Handle) -> bool;
    /// See [`Gate::is_live`].
    fn is_live(&self, client_id: &str) -> bool;
    /// See [`Gate::turn_away`].
    fn turn_away(&mut self, peer: &ClientRef<'_>) -> Option<TurnedAway>;
    /// See [`Gate::disconnected`].
    fn disconnected(&mut self, handle: Handle);
    /// See [`Gate::ended`].
    fn ended(&mut self, handle: Handle, is_kept: bool);
    /// See [`Gate::poll`].
    fn poll(&mut self) -> Vec<Directive>;
    /// See [`Gate::completed`].
    fn completed(&mut self, ticket: Ticket, status: CompletionStatus);
    /// See [`Gate::reload`].
    fn reload(&mut self);
    /// See [`Gate::close`].
    fn close(self: Box<Self>);
}

impl PluginGate for Gate<SqliteStore> {
    fn connect(&mut self, info: &ConnectInfo<'_>) -> ConnectOutcome {
        self.connect(info)
    }

    fn connect_enhanced(
        &mut self,
        info: &ConnectInfo<'_>,
        enhanced: &Enhanced<'_>,
    ) -> ConnectOutcome {
        self.connect_enhanced(info, enhanced)
    }

    fn resume(&mut self, handle: Handle, client_id: &[u8], data: Option<&[u8]>) -> ConnectOutcome {
        self.resume(handle, client_id, data)
    }

    fn command(&mut self, peer: &ClientRef<'_>, payload: &[u8]) {
        self.command(peer, payload);
    }

    fn control(&mut self, peer: &ClientRef<'_>, payload: &[u8]) {
        self.control(peer, payload);
    }

    fn arrived(&mut self, peer: &ClientRef<'_>) {
        self.arrived(peer);
    }

    fn check_known(
        &mut self,
        peer: &ClientRef<'_>,
        usage: TopicUse<'_>,
        payload: usize,
    ) -> Option<Verdict> {
        self.check_known_sized(peer, usage, payload)
    }

    fn username_of(&self, handle: Handle) -> Option<Arc<str>> {
        self.username_of(handle)
    }

    fn is_taken_over(&self, handle: Handle) -> bool {
        self.is_taken_over(handle)
    }

    fn check(&mut self, peer: &ClientRef<'_>, usage: TopicUse<'_>, payload: usize) -> Verdict {
        self.check_sized(peer, usage, payload)
    }

    fn check_departed(&mut self, peer: &ClientRef<'_>, usage: TopicUse<'_>) -> Verdict {
        self.check_departed(peer, usage)
    }

    fn knows(&self, handle: Handle) -> bool {
        self.knows(handle)
    }

    fn is_live(&self, client_id: &str) -> bool {
        self.is_live(client_id)
    }

    fn turn_away(&mut self, peer: &ClientRef<'_>) -> Option<TurnedAway> {
        self.turn_away(peer)
    }

    fn ended(&mut self, handle: Handle, is_kept: bool) {
        self.ended(handle, is_kept);
    }

    fn disconnected(&mut self, handle: Handle) {
        self.disconnected(handle);
    }

    fn poll(&mut self) -> Vec<Directive> {
        self.poll()
    }

    fn completed(&mut self, ticket: Ticket, status: CompletionStatus) {
        self.completed(ticket, status);
    }

    fn reload(&mut self) {
        self.reload();
    }

    fn close(self: Box<Self>) {
        Gate::close(*self);
    }
}
