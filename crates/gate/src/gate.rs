//! The gate itself: the functions that a host calls.

use std::sync::Arc;

use countersign_core::client_id::is_made_up;
use countersign_core::connect::{Admission, Request, Reservation, SessionUse};
use countersign_core::credential::Credential;
use countersign_core::name::LoginName;
use countersign_core::presence::{Presence, PresenceEvent, SessionEnd, SessionNumber};
use countersign_core::reason::Reason;
use countersign_core::rights::TopicUse;
use countersign_core::rule::Verdict;
use countersign_core::secret::TagKey;
use countersign_core::store::{AdminStore, GateStore, StoreError, StoreMark};
use countersign_core::time::Timestamp;

use crate::backlog::Backlog;
use crate::command;
use crate::credential_cache::CredentialCache;
use crate::decision::{Decided, SyncPoint};
use crate::follower::Follower;
use crate::host::{ClientRef, ConnectInfo, ConnectOutcome, GateConfig, Handle};
use crate::journal::writer::{JournalEntry, Writer};
use crate::log_limit::RefusalLogLimit;
use crate::named_tenants::NamedTenants;
use crate::password_logins::PasswordLogins;
use crate::recent_uses::{EndedUse, RecentUses};
use crate::secret_verifier::{HashResult, SecretVerifier};
use crate::session::{Phase, Principal, Session, SessionExtension};
use crate::sessions::Sessions;
use crate::store_snapshot::StoreSnapshot;
use crate::unseen::UnseenClients;
use crate::users::{SessionGrant, Users};
use crate::wakeup::WakeSignal;

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
    pub(crate) store: S,
    pub(crate) config: GateConfig,
    pub(crate) secret_verifier: SecretVerifier,
    pub(crate) sessions: Sessions,
    pub(crate) recent_uses: RecentUses,
    pub(crate) snapshot: StoreSnapshot,
    pub(crate) credential_cache: CredentialCache,
    /// When the store was looked at last.
    pub(crate) mark: StoreMark,
    /// What `snapshot` and `credential_cache` know of.
    pub(crate) sync_point: Option<SyncPoint>,
    pub(crate) unseen: UnseenClients,
    pub(crate) follower: Follower,
    pub(crate) writer: Writer,
    pub(crate) wake_signal: Arc<WakeSignal>,
    pub(crate) password_logins: PasswordLogins,
    pub(crate) users: Users,
    /// Changes not yet worked off, so that no poll takes long.
    pub(crate) backlog: Backlog,
    /// Sessions whose time has come, until it is known whether they go on.
    pub(crate) overdue: Vec<(Handle, SessionNumber)>,
    /// How many lines of refusals the host's log got.
    pub(crate) log_limit: RefusalLogLimit,
    /// When the store was last said to be unavailable.
    pub(crate) complained: Option<Timestamp>,
    /// Tenants that the options name.
    pub(crate) named_tenants: NamedTenants,
    /// Keeps other brokers from using this one's name.
    _broker_lock: S::BrokerLock,
}

impl<S: GateStore + AdminStore> Gate<S> {
    /// Opens a gate on a store and starts to follow it.
    ///
    /// # Errors
    ///
    /// Returns [`GateError`] when the store can't be used, when a live broker
    /// uses it under the same name, or when no thread can be started.
    pub fn open(mut store: S, config: GateConfig) -> Result<Self, GateError> {
        let broker_lock = store.lock_broker(config.broker())?;
        store.clear_presence(config.broker(), (config.clock)())?;
        // Before anything that is kept in memory is read.
        let mark = store.mark()?;
        let last = store.last_change()?;
        let snapshot = StoreSnapshot::read(&mut store, None)?;
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|_| GateError::NoRandomness)?;
        let secret_verifier = SecretVerifier::new(TagKey::new(random), snapshot.settings.argon2);
        let background = &*config.background;
        let writer = Writer::start(
            store.reopen()?,
            config.broker().to_owned(),
            Arc::clone(&config.clock),
            background,
        )
        .map_err(GateError::NoThread)?;
        let wake_signal = Arc::new(WakeSignal::new(Arc::clone(&config.wake)));
        let follower = Follower::start(
            store.reopen()?,
            last,
            Arc::clone(&wake_signal),
            &config.background,
        )
        .map_err(GateError::NoThread)?;
        let password_logins = PasswordLogins::start(&config, &wake_signal, &writer.queue())
            .map_err(GateError::NoThread)?;
        let users = Users::start(&store, &config, &wake_signal, follower.read_key(&store))?;
        Ok(Self {
            store,
            config,
            secret_verifier,
            sessions: Sessions::default(),
            recent_uses: RecentUses::default(),
            snapshot,
            credential_cache: CredentialCache::new(last),
            mark,
            sync_point: None,
            unseen: UnseenClients::default(),
            follower,
            writer,
            wake_signal,
            password_logins,
            users,
            backlog: Backlog::default(),
            overdue: Vec::new(),
            log_limit: RefusalLogLimit::default(),
            complained: None,
            named_tenants: NamedTenants::new(),
            _broker_lock: broker_lock,
        })
    }
}

impl<S: GateStore> Gate<S> {
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
        let now = self.now();
        let session = SessionUse::of(info.protocol, info.clean_start);
        let parsed = Request::parse(info.client_id, info.username, info.password, session);
        let request = match parsed {
            Ok(request) => request,
            Err(reason) => {
                self.forget_attempts(info.handle, now);
                return self.refuse_malformed(info, reason, now);
            }
        };
        if let Some(username) = self.recognise(info.handle, &request) {
            return ConnectOutcome::Admitted { username };
        }
        let known = self.sessions.get(info.handle);
        // Asked again about a live connection, the host may hold another with
        // this client id; asked about a new one, it can't.
        if known.is_none_or(|session| session.phase != Phase::Live) {
            self.password_logins
                .supersede(request.client_id.as_str(), now);
        }
        self.forget_attempts(info.handle, now);
        self.attempt(info, request, None, now)
    }

    /// Decides about a CONNECT, with what is known of it by now.
    pub(crate) fn attempt(
        &mut self,
        info: &ConnectInfo<'_>,
        request: Request,
        hash_result: Option<HashResult>,
        now: Timestamp,
    ) -> ConnectOutcome {
        match self.decide(&info.source(), &request, hash_result.as_ref(), now) {
            Ok(Decided::NeedsHash(hash_request)) => {
                match self.retry_result(&request, &hash_request) {
                    Some(hash_result) => self.conclude_with(info, &request, hash_result, now),
                    None => self.connect_with_hash(info, request, hash_request, now),
                }
            }
            decided => self.conclude(info, &request, hash_result, decided, now),
        }
    }

    /// Drops what earlier connections with this handle left.
    pub(crate) fn forget_attempts(&mut self, handle: Handle, now: Timestamp) {
        self.forget(handle);
        self.password_logins.forget(handle, now);
        self.users.challenges.forget(handle);
    }

    /// Answers a CONNECT that is decided.
    pub(crate) fn conclude(
        &mut self,
        info: &ConnectInfo<'_>,
        request: &Request,
        hash_result: Option<HashResult>,
        decided: Result<Decided, StoreError>,
        now: Timestamp,
    ) -> ConnectOutcome {
        match decided {
            Ok(Decided::Admitted(admission, session_grant)) => {
                let (session, ends_at) =
                    self.session_of(request, &admission, session_grant, &info.source());
                let username = session.username.clone();
                self.set_deadline(info.handle, &session, ends_at);
                self.note_login(&session);
                self.begin(info.handle, session);
                ConnectOutcome::Admitted { username }
            }
            Ok(Decided::Refused(reason)) => self.refuse(request, info.address, reason, now),
            Ok(Decided::Challenged) => self.challenge(info, request, hash_result, now),
            // What is decided with an answer asks nothing more.
            Ok(Decided::NeedsHash(_)) => {
                self.refuse(request, info.address, Reason::OverBudget, now)
            }
            Err(error) => self.refuse_for_store(request, info.address, &error, now),
        }
    }

    /// Says whether there is a live session under this handle, so that
    /// [`ClientRef::origin`] is not asked for.
    #[must_use]
    pub fn knows(&self, handle: Handle) -> bool {
        let session = self.sessions.get(handle);
        session.is_some_and(|session| session.phase == Phase::Live)
    }

    /// Judges one use of a topic.
    ///
    /// It takes less than a microsecond, no lock, no allocation and no store
    /// where the gate knows the session. Of a connection that it never saw log
    /// in (a host may restore some from its own memory) it asks the store once.
    pub fn check(&mut self, client: &ClientRef<'_>, usage: TopicUse<'_>) -> Verdict {
        if let Some(verdict) = self.check_known(client, usage) {
            return verdict;
        }
        if self.password_logins.is_unauthenticated(client)
            || self.users.challenges.is_unauthenticated(client)
        {
            return Verdict::Deny(Reason::Unauthenticated);
        }
        self.check_unseen(client, usage)
    }

    /// Judges one use of a topic by a connection that the gate let in, of which
    /// it needs to be told nothing but its handle, client id and user name.
    /// None for any other: of that, [`Gate::check`] is to be asked.
    pub fn check_known(&mut self, client: &ClientRef<'_>, usage: TopicUse<'_>) -> Option<Verdict> {
        let session = self.sessions.get(client.handle)?;
        if !session.is(client) || session.is_past(usage) {
            return None;
        }
        if let Some(verdict) = command::verdict_on(session, usage) {
            return Some(verdict);
        }
        let verdict = session.judge(usage, &mut self.snapshot.verdict_cache);
        if verdict.is_allowed() || session.tenant.is_some() {
            if let (Phase::Gone { .. }, TopicUse::Publish { .. }) = (session.phase, usage) {
                self.will_was_sent(client.handle);
            }
            return Some(verdict);
        }
        Some(match session.principal {
            Principal::Unauthenticated => {
                self.join_on_touch(client.handle, usage).unwrap_or(verdict)
            }
            Principal::Bearer { .. }
            | Principal::Credential { .. }
            | Principal::External { .. }
            | Principal::User { .. } => verdict,
        })
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
        let now = self.now();
        self.password_logins.release(handle, now);
        self.users.challenges.release(handle);
        let Some(session) = self.sessions.get(handle) else {
            return;
        };
        if let Phase::Gone { .. } = session.phase {
            // The second word about it: now the host has let go of it.
            self.sessions.remove(handle);
            return;
        }
        self.note_end(handle, is_kept, now);
        self.sessions.mark_gone(handle);
    }

    /// Has it written down that a session ended, and remembers it until that is
    /// done.
    fn note_end(&mut self, handle: Handle, is_kept: Option<bool>, now: Timestamp) {
        let Some(session) = self.sessions.get(handle) else {
            return;
        };
        let tie = session.tie;
        let is_again = self
            .sessions
            .live(&session.client_id)
            .any(|other| other.number != session.number);
        self.writer.observe(PresenceEvent::Disconnected(SessionEnd {
            session: session.number,
            tie,
            credential: session.credential(),
            began: session.began,
            at: now,
            // What a host gives up of a connection that another one took over
            // from is not the session.
            is_kept: is_kept.filter(|_| !is_again),
        }));
        if !is_again && !is_made_up(&session.client_id) {
            let ended = EndedUse {
                credential: session.credential(),
                tenant: session.tenant.clone(),
                began: session.began,
                at: now,
                is_stored: match (is_kept, &session.principal) {
                    (Some(false), _) => Some(false),
                    // What its session says is about its handle alone.
                    (None, Principal::External { .. }) => None,
                    (Some(true), Principal::External { .. }) => Some(true),
                    (None | Some(true), _) => Some(session.stored),
                },
            };
            self.recent_uses.add(tie, ended);
        }
    }

    /// Writes down what is left, clears the presence of this broker, and ends
    /// the gate's threads. Logins that wait are dropped; a hash that is being
    /// computed is waited for.
    pub fn close(mut self) {
        self.password_logins.stop();
        self.users.stop();
        self.follower.stop();
        self.writer.stop();
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.config.clock)()
    }

    /// The user name of a live session that presents what it presented
    /// before.
    #[expect(
        clippy::option_option,
        reason = "recognised or not; with a user name or not"
    )]
    fn recognise(&self, handle: Handle, request: &Request) -> Option<Option<Arc<str>>> {
        let session = self.sessions.get(handle)?;
        let name = request.name.as_ref();
        let is_same_name = name.map(LoginName::as_str) == session.username.as_deref()
            || (name.is_some() && name == session.presented.as_ref());
        let tag = self
            .secret_verifier
            .session_tag(request.client_id.as_str(), request.secret.as_ref());
        // What enhanced authentication brought is not there to be shown again.
        let needs_no_tag = self.users.is_reloading && session.is_enhanced();
        let is_same = session.phase == Phase::Live
            && *session.client_id == *request.client_id.as_str()
            && is_same_name
            && (needs_no_tag || session.tag == tag);
        is_same.then(|| session.username.clone())
    }

    /// Drops what an earlier connection with this handle left.
    pub(crate) fn forget(&mut self, handle: Handle) {
        let session = self.sessions.get(handle);
        if session.is_some_and(|session| !matches!(session.phase, Phase::Gone { .. })) {
            self.note_end(handle, None, self.now());
        }
        self.sessions.remove(handle);
    }

    /// The session of a client that is let in, and when it ends by itself.
    pub(crate) fn session_of(
        &mut self,
        request: &Request,
        admission: &Admission,
        session_grant: SessionGrant,
        source: &ConnectSource<'_>,
    ) -> (Session, Option<Timestamp>) {
        let identity = &admission.identity;
        let name = |credential: &Arc<Credential>| credential.name.shared();
        let tag = self
            .secret_verifier
            .session_tag(request.client_id.as_str(), request.secret.as_ref());
        let username = identity.credential().map(name);
        let presented = request.name.as_ref();
        let is_another = |name: &&LoginName| Some(name.as_str()) != username.as_deref();
        let session = Session {
            number: self.sessions.next_number(),
            client_id: request.client_id.shared(),
            tie: request.tie,
            presented: presented.filter(is_another).cloned(),
            username,
            tag,
            principal: Principal::of(identity),
            tenant: identity.tenant().cloned(),
            began: self.now(),
            rights: session_grant.rights,
            stored: request.session.is_stored,
            protocol: source.protocol,
            address: source.address.map(Into::into),
            listener: source.listener,
            depends_on: session_grant.depends_on,
            phase: Phase::Live,
            extension: SessionExtension::of(&request.method),
        };
        (session, session_grant.ends_at)
    }

    /// Ends a session at this instant, if it lives so long.
    pub(crate) fn set_deadline(
        &mut self,
        handle: Handle,
        session: &Session,
        ends_at: Option<Timestamp>,
    ) {
        if let Some(at) = ends_at {
            self.sessions.set_deadline(at, handle, session.number);
        }
    }

    /// Takes note that the principal of a session has logged in.
    pub(crate) fn note_login(&mut self, session: &Session) {
        let Some(id) = session.credential() else {
            return;
        };
        if let Some(name) = session.presented_name()
            && self.secret_verifier.has_verified(id)
        {
            self.password_logins
                .logged_in(name, session.address.as_deref());
        }
    }

    /// Begins a session, and has it written down that it began and that its
    /// credential was used.
    pub(crate) fn begin(&mut self, handle: Handle, session: Session) {
        let presence = self.presence_of(&session);
        self.writer.observe(PresenceEvent::Connected(presence));
        self.sessions.insert(handle, session);
    }

    /// What is written down of a session that began.
    fn presence_of(&self, session: &Session) -> Presence {
        Presence {
            session: session.number,
            client_id: self.shown_client_id(session),
            tie: session.tie,
            username: session.username.clone(),
            credential: session.credential(),
            tenant: session.tenant.clone(),
            address: session.address.as_deref().map(str::to_owned),
            protocol: session.protocol,
            connected_at: session.began,
            authenticated: session.credential().is_some(),
            listener: session.listener,
            stored: session.stored,
        }
    }

    /// Has it written down anew who is connected: another store says what another
    /// one knew, or what this one knew before it lost its log.
    pub(crate) fn write_presence_anew(&self) {
        self.writer.append(JournalEntry::Reopened);
        for session in self.sessions.connected() {
            if !self.password_logins.is_arriving(session.number) {
                self.writer.observe_again(self.presence_of(session));
            }
        }
    }

    fn will_was_sent(&mut self, handle: Handle) {
        if let Some(session) = self.sessions.get_mut(handle) {
            session.will_was_sent();
        }
    }

    /// Lets an unauthenticated session without a tenant join the one whose
    /// topics it touches.
    fn join_on_touch(&mut self, handle: Handle, usage: TopicUse<'_>) -> Option<Verdict> {
        // A tenant may have opened a moment ago.
        self.snapshot.refresh(&mut self.store).ok()?;
        let session = self.sessions.get_mut(handle)?;
        let (tenant, rights) = self.snapshot.joined(usage, &session.client_id)?;
        session.tenant = Some(tenant.id.clone());
        session.rights = Arc::clone(rights);
        let joined = PresenceEvent::Joined(session.number, tenant.id.clone());
        let verdict = session.judge(usage, &mut self.snapshot.verdict_cache);
        self.writer.observe(joined);
        Some(verdict)
    }
}

/// Where a session comes from.
#[derive(Clone, Copy)]
pub(crate) struct ConnectSource<'a> {
    pub(crate) address: Option<&'a str>,
    pub(crate) listener: Option<u16>,
    pub(crate) protocol: u8,
    pub(crate) reservation: Reservation,
}

/// Why a gate can't open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// The operating system gives no random bytes.
    #[error("the operating system gives no random bytes")]
    NoRandomness,
    /// No thread can be started.
    #[error("could not start a thread")]
    NoThread(#[source] std::io::Error),
    /// The store can't be used, or not under this broker's name.
    #[error(transparent)]
    Store(#[from] StoreError),
}
