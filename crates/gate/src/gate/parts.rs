//! What a gate is made of: how its parts begin, and how they work off what each other
//! and their threads found.

use std::sync::Arc;

use countersign_core::store::{AdminStore, GateStore};

use crate::cache::bans::BanTable;
use crate::cache::store_view::StoreView;
use crate::command::CommandQueue;
use crate::command::admin_worker::AdminWorker;
use crate::config::{GateConfig, GateError};
use crate::connection::kick_reason::KickReason;
use crate::connection::meter::Meters;
use crate::connection::sessions::Sessions;
use crate::connection::unseen::UnseenClients;
use crate::contact::Contact;
use crate::enforcer::Enforcer;
use crate::follower::{Followed, Follower, FollowerEvent};
use crate::host::Directive;
use crate::journal::{Journal, begin_journal};
use crate::login::Logins;
use crate::login::secret_verifier::{SecretVerifier, SignatureChecks};
use crate::state::State;
use crate::wakeup::WakeSignal;

/// The parts of a gate. What hosts call is [`Gate`](crate::Gate), which asks them.
pub(super) struct GateParts<S: GateStore> {
    // INVARIANT: in the order in which their jobs end; what the others bring about
    // is written down.
    pub(super) logins: Logins,
    pub(super) commands: CommandQueue,
    pub(super) follower: Follower,
    pub(super) state: State<S>,
    pub(super) unseen: UnseenClients,
    pub(super) enforcer: Enforcer,
    wake_signal: Arc<WakeSignal>,
    /// Keeps other brokers from using this one's name.
    _broker_lock: S::BrokerLock,
}

impl<S: GateStore> GateParts<S> {
    /// Begins on a store, and to follow it.
    pub(super) fn open(mut store: S, config: GateConfig) -> Result<Self, GateError>
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

    /// Works off what changed in the store and what time has ended.
    pub(super) fn poll(&mut self) -> Vec<Directive> {
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

    /// Whether a poll has something to do at once.
    pub(super) fn wants_poll(&self) -> bool {
        self.wake_signal.is_raised()
            || self.enforcer.wants_poll()
            || self.logins.wants_poll()
            || self.commands.has_something()
            || self.state.wants_poll()
    }
}
