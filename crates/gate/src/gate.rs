//! The gate itself: the functions that a host calls.

use std::sync::Arc;

use countersign_core::client_id::ClientIdTie;
use countersign_core::options::Options;
use countersign_core::reason::Reason;
use countersign_core::rights::TopicUse;
use countersign_core::rule::Verdict;
use countersign_core::store::{AdminStore, GateStore};

use crate::config::{GateConfig, GateError, OptionChangeError};
use crate::connection::external::{arrive, judge_departed, turn_away};
use crate::host::{
    ClientRef, CompletionStatus, ConnectInfo, ConnectOutcome, Directive, Enhanced, Handle, Ticket,
};
use crate::login::refusal::TurnedAway;
use crate::pinned::{self, Pinned, PinnedClient, PinnedUse};

use self::parts::GateParts;

mod parts;

/// The gate of one broker.
///
/// It belongs to one thread at a time: it is [`Send`], so that it may be opened
/// on one thread and moved to another, and not [`Sync`], so that no two threads
/// can ask it at once.
///
/// # Examples
///
/// The [crate's page](crate) has a whole host.
///
/// ```compile_fail
/// fn shared<T: Sync>() {}
/// shared::<countersign::Gate<countersign::sqlite::SqliteStore>>();
/// ```
#[expect(missing_debug_implementations, reason = "it holds keys")]
pub struct Gate<S: GateStore> {
    parts: GateParts<S>,
}

impl<S: GateStore> Gate<S> {
    /// Opens a gate on a store and starts to follow it.
    ///
    /// # Errors
    ///
    /// Returns [`GateError`] when the store can't be used, when a live broker
    /// uses it under the same name, or when no thread can be started.
    pub fn open(store: S, config: GateConfig) -> Result<Self, GateError>
    where
        S: AdminStore,
    {
        let parts = GateParts::open(store, config)?;
        Ok(Self { parts })
    }

    /// Decides about a CONNECT.
    ///
    /// A session lives under the handle from the answer
    /// [`ConnectOutcome::Admitted`] on, until
    /// [`Gate::disconnected`] says that it is gone. There is no error: what
    /// can't be judged is refused, and the outcome says why.
    ///
    /// It takes a point query of the store, some 20 µs, and where something
    /// must be on disk before the client hears of it (first use, a tie to a
    /// client id) a short transaction, at most 20 ms.
    ///
    /// A host that asks again for a live connection (Mosquitto does on
    /// SIGHUP) is answered at once if it presents the same as before.
    pub fn connect(&mut self, info: &ConnectInfo<'_>) -> ConnectOutcome {
        let outcome = self.parts.logins.connect(&mut self.parts.state, info);
        self.forget_away(info.handle);
        outcome
    }

    /// Forgets what was found out about the client id of a session, which begins or
    /// ends: of a client that is away another is to be said by now.
    fn forget_away(&mut self, handle: Handle) {
        if let Some(session) = self.parts.state.sessions.get(handle) {
            self.parts.unseen.forget(&session.client_id);
        }
    }

    /// Decides about a CONNECT that asks for enhanced authentication. Its
    /// password field is not looked at.
    ///
    /// A live session that authenticates again goes on with the token that it presents,
    /// if a token of that principal proved it, by one of
    /// [`TOKEN_METHODS`](crate::TOKEN_METHODS). If not, it is asked for nothing, and ended
    /// by the next poll: some hosts can't refuse it.
    pub fn connect_enhanced(
        &mut self,
        info: &ConnectInfo<'_>,
        enhanced: &Enhanced<'_>,
    ) -> ConnectOutcome {
        let outcome = self
            .parts
            .logins
            .connect_enhanced(&mut self.parts.state, info, enhanced);
        self.forget_away(info.handle);
        outcome
    }

    /// Goes on with a CONNECT that was answered [`ConnectOutcome::Challenge`],
    /// now that its client sent this.
    ///
    /// A live session that was asked nothing is asked for nothing again, and
    /// ended by the next poll: some hosts can't refuse it.
    pub fn resume(
        &mut self,
        handle: Handle,
        client_id: &[u8],
        data: Option<&[u8]>,
    ) -> ConnectOutcome {
        let outcome = self
            .parts
            .logins
            .resume(&mut self.parts.state, handle, client_id, data);
        self.forget_away(handle);
        outcome
    }

    /// Takes note of how a [`Directive::Complete`] was carried out: whether the
    /// client was still there. Until then its session counts for what the host
    /// asks, but nobody is told of it; if the client was gone there was none.
    pub fn completed(&mut self, ticket: Ticket, status: CompletionStatus) {
        self.parts
            .logins
            .completed(&mut self.parts.state, ticket, status);
    }

    /// Takes note that a connection was let in, of a host that says so each
    /// time. So a client that had its handle before is told from it, and
    /// whoever a certificate or a pre-shared key vouches for has a session at
    /// once.
    pub fn arrived(&mut self, client: &ClientRef<'_>) {
        if self.parts.state.sessions.has_open(client)
            || self.parts.logins.is_unauthenticated(client)
        {
            return;
        }
        self.parts.state.forget(client.handle);
        arrive(&mut self.parts.state, client);
        self.forget_away(client.handle);
    }

    /// Takes note that a client which its host let in, and vouches for, has no
    /// session, because it may have none. The host ends it. None for a client that
    /// has a session, or may be somebody else's.
    pub fn turn_away(&mut self, client: &ClientRef<'_>) -> Option<TurnedAway> {
        if self.parts.state.sessions.has_open(client)
            || self.parts.logins.is_unauthenticated(client)
        {
            return None;
        }
        turn_away(&mut self.parts.state, client)
    }

    /// Says whether there is a live session under this handle, so that
    /// [`ClientRef::origin`] is not asked for.
    #[must_use]
    pub fn knows(&self, handle: Handle) -> bool {
        self.parts.state.sessions.is_live(handle)
    }

    /// Says whether a connection that is open has this client id.
    #[must_use]
    pub fn is_live(&self, client_id: &str) -> bool {
        let client_id = ClientIdTie::of(client_id);
        self.parts.state.sessions.has_live(&client_id)
    }

    /// The user name of a session, for a host that can't find it by client id.
    #[must_use]
    pub fn username_of(&self, handle: Handle) -> Option<Arc<str>> {
        self.parts.state.sessions.get(handle)?.username.clone()
    }

    /// Says whether a client that came later was let in under the client id of a
    /// session: for a host that ends connections by client id, and does not end
    /// one at once when another takes its id.
    #[must_use]
    pub fn is_taken_over(&self, handle: Handle) -> bool {
        self.parts.state.sessions.is_taken_over(handle)
    }

    /// Judges one use of a topic.
    ///
    /// It takes less than a microsecond, no lock, no allocation and no store
    /// where the gate knows the session. Of a connection that it never saw log
    /// in (a host may restore some from its own memory) it asks the store once.
    pub fn check(&mut self, client: &ClientRef<'_>, usage: TopicUse<'_>) -> Verdict {
        self.check_sized(client, usage, 0)
    }

    /// Judges one use of a topic as [`Gate::check`] does; of a PUBLISH, one with so many
    /// bytes of payload. A host that does not say how many keeps no limits of bytes.
    pub fn check_sized(
        &mut self,
        client: &ClientRef<'_>,
        usage: TopicUse<'_>,
        payload: usize,
    ) -> Verdict {
        if let Some(verdict) = self.check_known_sized(client, usage, payload) {
            return verdict;
        }
        if self.parts.logins.is_unauthenticated(client) {
            return Verdict::Deny(Reason::Unauthenticated);
        }
        let state = &mut self.parts.state;
        self.parts.unseen.check(state, client, usage, payload)
    }

    /// Judges one use of a topic by a connection that the gate let in, of which
    /// it needs to be told nothing but its handle, client id and user name.
    /// None for any other: of that, [`Gate::check`] is to be asked.
    pub fn check_known(&mut self, client: &ClientRef<'_>, usage: TopicUse<'_>) -> Option<Verdict> {
        self.check_known_sized(client, usage, 0)
    }

    /// Judges one use of a topic as [`Gate::check_known`] does; of a PUBLISH, one with so
    /// many bytes of payload.
    pub fn check_known_sized(
        &mut self,
        client: &ClientRef<'_>,
        usage: TopicUse<'_>,
        payload: usize,
    ) -> Option<Verdict> {
        self.parts.state.check(client, usage, payload)
    }

    /// Judges what a host asks about a client whose connection is over and that has
    /// no session, such as its Will. [`Gate::check`] would begin a session.
    pub fn check_departed(&mut self, client: &ClientRef<'_>, usage: TopicUse<'_>) -> Verdict {
        if self.parts.logins.is_unauthenticated(client) {
            return Verdict::Deny(Reason::Unauthenticated);
        }
        judge_departed(&mut self.parts.state, client, usage)
    }

    /// Who was let in under a handle, for a host that does not
    /// [say when connections end](crate::GateConfig::hears_of_ends): what it is to remember of
    /// the client, and to show with each question about it. None where nobody was let
    /// in.
    pub fn pinned(&mut self, handle: Handle) -> Option<Pinned> {
        pinned::pinned(&mut self.parts.state, handle)
    }

    /// Judges what a client wants that such a host let in, by what the store holds now.
    /// It need not be in a session of this gate, nor have come in while it ran.
    pub fn check_pinned(&mut self, client: &PinnedClient<'_>, usage: PinnedUse<'_>) -> Verdict {
        pinned::check(&mut self.parts.state, client, usage)
    }

    /// Takes a message that a connection published on
    /// [`SESSION_TOPIC`](crate::SESSION_TOPIC). The answer comes as a
    /// [`Directive::Reply`].
    ///
    /// A client without an authenticated session gets no answer.
    pub fn command(&mut self, client: &ClientRef<'_>, payload: &[u8]) {
        self.parts
            .commands
            .command(&mut self.parts.state, client, payload);
    }

    /// Takes a message that a connection published on
    /// [`DYNSEC_TOPIC`](crate::DYNSEC_TOPIC), in the form of Mosquitto's
    /// dynamic-security. The answer comes as a [`Directive::Reply`], on
    /// [`DYNSEC_RESPONSE_TOPIC`](crate::DYNSEC_RESPONSE_TOPIC).
    ///
    /// There is none where the option `dynsec_tenant` is not given, or where the client
    /// may not publish there: it must be a user's, or an operator's whose rules say so.
    pub fn control(&mut self, client: &ClientRef<'_>, payload: &[u8]) {
        self.parts
            .commands
            .control(&mut self.parts.state, client, payload);
    }

    /// Takes note that a connection is gone. Unknown ones don't matter.
    ///
    /// The session still answers [`Gate::check`] for its Will, and for what is
    /// queued for it, until the host says this a second time or uses the
    /// handle again. A host that knows whether it keeps the session says
    /// [`Gate::ended`] instead.
    pub fn disconnected(&mut self, handle: Handle) {
        self.gone(handle, None);
    }

    /// Takes note that a connection is gone, and whether the host keeps its
    /// session: its subscriptions, and a queue. Else as [`Gate::disconnected`].
    ///
    /// The client id of a session that is not kept is free for others of its
    /// tenant at once.
    pub fn ended(&mut self, handle: Handle, is_kept: bool) {
        self.gone(handle, Some(is_kept));
    }

    fn gone(&mut self, handle: Handle, is_kept: Option<bool>) {
        let now = self.parts.state.now();
        self.forget_away(handle);
        self.parts.logins.release(handle, now);
        self.parts.state.gone(handle, is_kept, now);
    }

    /// Works off what changed in the store and what time has ended.
    ///
    /// To be called whenever the host was woken, and at least every 100 ms.
    /// It costs next to nothing when there is nothing to do. The host carries
    /// the directives out once it has let go of the gate.
    #[must_use]
    pub fn poll(&mut self) -> Vec<Directive> {
        self.parts.poll()
    }

    /// Says whether [`Gate::poll`] has something to do at once.
    #[must_use]
    pub fn wants_poll(&self) -> bool {
        self.parts.wants_poll()
    }

    /// Reads the settings, the tenants and the key again, as a host's reload asks
    /// for. Until the next poll a host may ask again about live connections.
    ///
    /// What the store says reaches live sessions without this; it mends what a
    /// damaged store may have kept from them.
    pub fn reload(&mut self) {
        // An open store keeps what it read.
        if let Ok(store) = self.parts.state.view.store.reopen() {
            self.parts
                .logins
                .set_key(self.parts.follower.read_key(&store));
        }
        self.parts.logins.is_reloading = true;
        self.parts.commands.reload();
        self.parts.enforcer.reload();
    }

    /// Takes over other options, and [reloads](Self::reload).
    ///
    /// The tenants of listeners, the default tenant, the listeners with TLS, the chain
    /// and what becomes of logins while a replica is stale hold for every login from now
    /// on; sessions that are live already stay.
    ///
    /// # Errors
    ///
    /// Returns [`OptionChangeError`] when an option differs that a gate is
    /// opened with: `store`, `broker`, `hash_threads`, `hash_budget` or
    /// `hash_round`. Nothing changed then.
    pub fn change_options(&mut self, options: Options) -> Result<(), OptionChangeError> {
        self.parts.state.config.change(options)?;
        self.parts
            .state
            .contact
            .obey(&self.parts.state.config.options);
        self.parts.state.describe();
        self.reload();
        Ok(())
    }

    /// Writes down what is left, clears the presence of this broker, and ends
    /// the gate's threads. Logins that wait are dropped; a hash that is being
    /// computed is waited for.
    pub fn close(self) {
        drop(self);
    }
}
