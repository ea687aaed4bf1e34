//! The gate itself: the functions that a host calls.

use std::sync::Arc;

use countersign_core::client_id::ClientIdTie;
use countersign_core::options::Options;
use countersign_core::store::{AdminStore, GateStore};

use crate::cache::bans::BanTable;
use crate::cache::store_view::StoreView;
use crate::command::CommandQueue;
use crate::command::admin_worker::AdminWorker;
use crate::config::{GateConfig, GateError, OptionChangeError};
use crate::connection::external::{arrive, turn_away};
use crate::connection::kick_reason::KickReason;
use crate::connection::meter::Meters;
use crate::connection::sessions::Sessions;
use crate::connection::unseen::UnseenClients;
use crate::contact::Contact;
use crate::enforcer::Enforcer;
use crate::follower::{Followed, Follower, FollowerEvent};
use crate::host::{
    ClientRef, CompletionStatus, ConnectInfo, ConnectOutcome, Directive, Enhanced, Handle, Ticket,
};
use crate::journal::{Journal, begin_journal};
use crate::login::Logins;
use crate::login::refusal::TurnedAway;
use crate::login::secret_verifier::{SecretVerifier, SignatureChecks};
use crate::state::State;
use crate::wakeup::WakeSignal;

mod check;

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
    // INVARIANT: in the order in which their jobs end; what the others bring about
    // is written down.
    logins: Logins,
    commands: CommandQueue,
    follower: Follower,
    pub(crate) state: State<S>,
    unseen: UnseenClients,
    enforcer: Enforcer,
    wake_signal: Arc<WakeSignal>,
    /// Keeps other brokers from using this one's name.
    _broker_lock: S::BrokerLock,
}

impl<S: GateStore> Gate<S> {
    /// Opens a gate on a store and starts to follow it.
    ///
    /// # Errors
    ///
    /// Returns [`GateError`] when the store can't be used, when a live broker
    /// uses it under the same name, or when no thread can be started.
    pub fn open(mut store: S, config: GateConfig) -> Result<Self, GateError>
    where
        S: AdminStore,
    {
        let broker_lock = store.lock_broker(config.broker())?;
        let writer = begin_journal(&mut store, &config)?;
        let last = store.last_change()?;
        let counters = Arc::clone(&writer.counters);
        let wake_signal = Arc::new(WakeSignal::new(Arc::clone(&config.wake)));
        let mut following = store.reopen()?;
        let (ban_table, bans) = BanTable::read(&mut following, last, (config.clock)())?;
        let contact = Arc::new(Contact::new(following.replica()?.as_ref(), &config.options));
        let followed = Followed {
            store: following,
            last,
            ban_table,
            contact: Arc::clone(&contact),
        };
        let follower = Follower::start(followed, &wake_signal, &counters, &config)?;
        let admin_worker = AdminWorker::start(store.reopen()?, &wake_signal, &counters, &config)?;
        let logins = Logins::start(follower.read_key(&store), &wake_signal, &writer, &config)?;
        let view = StoreView::new(store, last)?;
        let verifier = SecretVerifier::new(view.snapshot.settings.argon2)?;
        Ok(Self {
            state: State {
                config,
                view,
                bans,
                contact,
                verifier,
                signature_checks: SignatureChecks::default(),
                sessions: Sessions::told_to(&counters.sessions),
                meters: Meters::default(),
                journal: Journal::new(writer),
            },
            logins,
            unseen: UnseenClients::default(),
            enforcer: Enforcer::new(),
            commands: CommandQueue::new(admin_worker),
            follower,
            wake_signal,
            _broker_lock: broker_lock,
        })
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
        let outcome = self.logins.connect(&mut self.state, info);
        self.forget_away(info.handle);
        outcome
    }

    /// Forgets what was found out about the client id of a session, which begins or
    /// ends: of a client that is away another is to be said by now.
    fn forget_away(&mut self, handle: Handle) {
        if let Some(session) = self.state.sessions.get(handle) {
            self.unseen.forget(&session.client_id);
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
            .logins
            .connect_enhanced(&mut self.state, info, enhanced);
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
        let outcome = self.logins.resume(&mut self.state, handle, client_id, data);
        self.forget_away(handle);
        outcome
    }

    /// Takes note of how a [`Directive::Complete`] was carried out: whether the
    /// client was still there. Until then its session counts for what the host
    /// asks, but nobody is told of it; if the client was gone there was none.
    pub fn completed(&mut self, ticket: Ticket, status: CompletionStatus) {
        self.logins.completed(&mut self.state, ticket, status);
    }

    /// Takes note that a connection was let in, of a host that says so each
    /// time. So a client that had its handle before is told from it, and
    /// whoever a certificate or a pre-shared key vouches for has a session at
    /// once.
    pub fn arrived(&mut self, client: &ClientRef<'_>) {
        if self.state.sessions.has_open(client) || self.logins.is_unauthenticated(client) {
            return;
        }
        self.state.forget(client.handle);
        arrive(&mut self.state, client);
        self.forget_away(client.handle);
    }

    /// Takes note that a client which its host let in, and vouches for, has no
    /// session, because it may have none. The host ends it. None for a client that
    /// has a session, or may be somebody else's.
    pub fn turn_away(&mut self, client: &ClientRef<'_>) -> Option<TurnedAway> {
        if self.state.sessions.has_open(client) || self.logins.is_unauthenticated(client) {
            return None;
        }
        turn_away(&mut self.state, client)
    }

    /// Says whether there is a live session under this handle, so that
    /// [`ClientRef::origin`] is not asked for.
    #[must_use]
    pub fn knows(&self, handle: Handle) -> bool {
        self.state.sessions.is_live(handle)
    }

    /// Says whether a connection that is open has this client id.
    #[must_use]
    pub fn is_live(&self, client_id: &str) -> bool {
        let client_id = ClientIdTie::of(client_id);
        self.state.sessions.has_live(&client_id)
    }

    /// The user name of a session, for a host that can't find it by client id.
    #[must_use]
    pub fn username_of(&self, handle: Handle) -> Option<Arc<str>> {
        self.state.sessions.get(handle)?.username.clone()
    }

    /// Says whether a client that came later was let in under the client id of a
    /// session: for a host that ends connections by client id, and does not end
    /// one at once when another takes its id.
    #[must_use]
    pub fn is_taken_over(&self, handle: Handle) -> bool {
        self.state.sessions.is_taken_over(handle)
    }

    /// Takes a message that a connection published on
    /// [`SESSION_TOPIC`](crate::SESSION_TOPIC). The answer comes as a
    /// [`Directive::Reply`].
    ///
    /// A client without an authenticated session gets no answer.
    pub fn command(&mut self, client: &ClientRef<'_>, payload: &[u8]) {
        self.commands.command(&mut self.state, client, payload);
    }

    /// Takes a message that a connection published on
    /// [`DYNSEC_TOPIC`](crate::DYNSEC_TOPIC), in the form of Mosquitto's
    /// dynamic-security. The answer comes as a [`Directive::Reply`], on
    /// [`DYNSEC_RESPONSE_TOPIC`](crate::DYNSEC_RESPONSE_TOPIC).
    ///
    /// There is none where the option `dynsec_tenant` is not given, or where the client
    /// may not publish there: it must be a user's, or an operator's whose rules say so.
    pub fn control(&mut self, client: &ClientRef<'_>, payload: &[u8]) {
        self.commands.control(&mut self.state, client, payload);
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
        let now = self.state.now();
        self.forget_away(handle);
        self.logins.release(handle, now);
        self.state.gone(handle, is_kept, now);
    }

    /// Works off what changed in the store and what time has ended.
    ///
    /// To be called whenever the host was woken, and at least every 100 ms.
    /// It costs next to nothing when there is nothing to do. The host carries
    /// the directives out once it has let go of the gate.
    #[must_use]
    pub fn poll(&mut self) -> Vec<Directive> {
        self.logins.round_completed();
        // Hosts poll once a packet, and even the time takes time to read.
        let is_idle = self.state.is_idle() && self.logins.is_idle();
        if is_idle && !self.wants_poll() {
            return Vec::new();
        }
        self.state.sessions.forget_gone();
        let mut directives = Vec::new();
        if self.wake_signal.acknowledge() {
            self.logins.take_answers();
            self.commands.take_results();
            for event in self.follower.take(self.enforcer.room()) {
                match event {
                    FollowerEvent::Bans => {
                        self.enforcer.take_bans(&mut self.state, &self.follower);
                    }
                    FollowerEvent::Changed(change) => self.enforcer.push(change),
                    FollowerEvent::KeyFile => {
                        let key = self.follower.read_key(&self.state.view.store);
                        directives.push(self.logins.take_key(key));
                    }
                    FollowerEvent::Log(level, line) => {
                        directives.push(Directive::Log { level, line });
                    }
                    // Lets go of files that are no more.
                    FollowerEvent::Lost => drop(self.state.view.store.log_position()),
                }
            }
        }
        let now = self.state.now();
        self.logins.tidy_challenges(now);
        self.enforcer.expire(&mut self.state, now);
        if self.enforcer.has_changes() {
            self.unseen.forget_all();
        }
        let state = &mut self.state;
        self.enforcer.work_off(state, now, &mut directives);
        directives.extend(state.complaints(now));
        for ((handle, number), reason) in self.logins.take_misbehaving() {
            let reason = KickReason::Refused(reason);
            directives.extend(state.kick_if(handle, number, reason));
        }
        directives.extend(state.journal.host_log.take_notices());
        self.commands.reply(state, &mut directives);
        // Last, for a host may end connections by client id: what ends an old
        // one must come before a new one is let in.
        self.logins.complete(state, now, &mut directives);
        if self.enforcer.has_changes() || self.logins.has_answers() {
            (self.state.config.wake)();
        }
        directives
    }

    /// Says whether [`Gate::poll`] has something to do at once.
    #[must_use]
    pub fn wants_poll(&self) -> bool {
        self.wake_signal.is_raised()
            || self.enforcer.wants_poll()
            || self.logins.wants_poll()
            || self.commands.has_something()
            || self.state.wants_poll()
    }

    /// Reads the settings, the tenants and the key again, as a host's reload asks
    /// for. Until the next poll a host may ask again about live connections.
    ///
    /// What the store says reaches live sessions without this; it mends what a
    /// damaged store may have kept from them.
    pub fn reload(&mut self) {
        // An open store keeps what it read.
        if let Ok(store) = self.state.view.store.reopen() {
            self.logins.set_key(self.follower.read_key(&store));
        }
        self.logins.is_reloading = true;
        self.commands.reload();
        self.enforcer.reload();
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
        self.state.config.change(options)?;
        self.state.contact.obey(&self.state.config.options);
        self.state.describe();
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
