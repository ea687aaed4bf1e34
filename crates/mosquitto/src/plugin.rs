//! The plugin between its callbacks: what it asks the gate and what it asks of
//! the broker, never both at once.

use core::cell::{Cell, RefCell};
use core::ffi::{c_int, c_void};
use std::rc::Rc;

use countersign::core::connect::Reservation;
use countersign::core::options::ChainMode;
use countersign::core::reason::Reason;
use countersign::{
    ClientOrigin, ClientRef, Completion, CompletionStatus, ConnectInfo, ConnectOutcome, Directive,
    Handle, LogLevel, RefusalCode, Ticket, TopicUse, Verdict,
};
use countersign_mosquitto_sys as sys;

use crate::boundary::BrokerClient;
use crate::clients::{AnsweredBy, Clients, Fingerprint, PasswordPrint};
use crate::events::{EVENTS, Event, MOSQ_EVT_CLIENT_OFFLINE, TICK};
use crate::host::{Host, Identifier, LoginCompletion};
use crate::instances;
use crate::plugin_gate::PluginGate;
use crate::thread::OwnThread;
use crate::tick_watchdog::{TickState, TickWatchdog};
use crate::wake::Waker;

pub(crate) use self::enhanced::EnhancedStep;
use self::external::{UnadmittedClients, answer_while_ending_unadmitted};
use self::kicks::PendingKicks;

mod enhanced;
mod external;
mod kicks;

/// One plugin: what the broker hands back to each callback.
pub(crate) struct Plugin {
    host: Box<dyn Host>,
    identifier: Identifier,
    registered: RefCell<Vec<&'static Event>>,
    chain: ChainMode,
    /// INVARIANT: never borrowed while the broker is called, for it calls back.
    gate: RefCell<Box<dyn PluginGate>>,
    clients: RefCell<Clients>,
    pending_kicks: RefCell<PendingKicks>,
    /// The client that went last since the last tick, or one that is away and that
    /// the broker is asked to end. The broker asks about its Will, or about what it
    /// had subscribed to.
    departed: Cell<Option<Handle>>,
    /// The client whose wait the broker is being asked to end.
    completing: Cell<Option<Handle>>,
    unadmitted: RefCell<UnadmittedClients>,
    thread: OwnThread,
    /// Whether the log says already that another thread asks.
    reported_foreign_calls: Cell<bool>,
    /// Whether the broker may be going through all its clients.
    reloading: Cell<bool>,
    watchdog: TickWatchdog,
    /// Ends after the gate that wakes by it.
    _waker: Option<Waker>,
}

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
    password: PasswordPrint,
    /// Of what the broker will have of the client, if it takes it.
    fingerprint: Fingerprint,
    protocol: u8,
}

/// Stands for what the broker will have of a client after this outcome.
fn fingerprint_after(
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

impl Plugin {
    /// A plugin that no callback knows yet.
    pub(crate) fn new(
        host: Box<dyn Host>,
        identifier: Identifier,
        chain: ChainMode,
        gate: Box<dyn PluginGate>,
        waker: Option<Waker>,
    ) -> Self {
        Self {
            host,
            identifier,
            registered: RefCell::default(),
            chain,
            gate: RefCell::new(gate),
            clients: RefCell::default(),
            pending_kicks: RefCell::default(),
            departed: Cell::new(None),
            completing: Cell::new(None),
            unadmitted: RefCell::default(),
            thread: OwnThread::new(),
            reported_foreign_calls: Cell::new(false),
            reloading: Cell::new(false),
            watchdog: TickWatchdog::default(),
            _waker: waker,
        }
    }

    /// Says whether the caller is on the plugin's own thread. The only function
    /// that any thread may call.
    pub(crate) fn is_on_its_thread(&self) -> bool {
        self.thread.is_current()
    }

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
        info.reservation = self.reservation(client, client_id);
        info.may_wait = !self.reloading.get() && self.host.delays_logins_of(protocol);
        let outcome = match self.gate.try_borrow_mut() {
            Ok(mut gate) => gate.connect(&info),
            Err(_) => return ConnectResult::Unasked,
        };
        let presented = PresentedLogin {
            fingerprint: fingerprint_after(&outcome, &clients, &info, password_print),
            password: password_print,
            protocol,
        };
        ConnectResult::Decided(outcome, presented)
    }

    /// Tells the broker what became of a CONNECT.
    pub(crate) fn conclude(&self, outcome: ConnectResult, client: &mut BrokerClient<'_>) -> c_int {
        let handle = client.handle();
        match outcome {
            ConnectResult::Nobody => return sys::MOSQ_ERR_SUCCESS,
            ConnectResult::Unasked => {}
            ConnectResult::Decided(ConnectOutcome::Admitted { username }, presented) => {
                if self.host.set_username(client, username.as_deref()) {
                    self.came(client, AnsweredBy::Gate, presented.fingerprint);
                    return sys::MOSQ_ERR_SUCCESS;
                }
                self.log(LogLevel::Error, NO_USERNAME);
                self.tell_gone(handle);
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
                    && self.host.set_username(client, username.as_deref())
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

    /// Forgets a client that is refused. After a reload the broker ends it and says
    /// so, and may keep its session: then it must be known as one that is away.
    fn forget_refused(&self, handle: Handle) {
        if !self.reloading.get() {
            self.clients.borrow_mut().forget(handle);
        }
    }

    /// Whether the broker keeps a client id for a client that no plugin of ours
    /// was asked about.
    fn reservation(&self, client: &BrokerClient<'_>, client_id: &[u8]) -> Reservation {
        let is_known = |handle| {
            let knows = |plugin: &Self| plugin.clients.borrow().knows(handle, client_id);
            knows(self) || instances::others(self).iter().any(|plugin| knows(plugin))
        };
        self.host.reservation(client, client_id, &is_known)
    }

    /// Takes note of a client, of which the broker now has this.
    fn came(&self, client: &BrokerClient<'_>, owner: AnsweredBy, fingerprint: Fingerprint) {
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

    /// Judges one use of a topic.
    pub(crate) fn check(
        &self,
        client: &BrokerClient<'_>,
        access: c_int,
        topic: &[u8],
        qos: u8,
        retain: bool,
    ) -> c_int {
        let handle = client.handle();
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
            Ok(mut gate) => gate.check_known(&self.known_peer(client), usage),
            Err(_) => return sys::MOSQ_ERR_ACL_DENIED,
        };
        let verdict = match known {
            Some(verdict) => verdict,
            None => self.check_unknown(client, usage),
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
    fn check_unknown(&self, client: &BrokerClient<'_>, usage: TopicUse<'_>) -> Verdict {
        let may_be_away = matches!(usage, TopicUse::Deliver { .. });
        let peer = self.peer(client, may_be_away);
        let has_departed = self.departed.get() == Some(client.handle());
        let verdict = match self.gate.try_borrow_mut() {
            Ok(mut gate) if has_departed => return gate.check_departed(&peer, usage),
            Ok(mut gate) => gate.check(&peer, usage),
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
    fn described<'c>(&self, client: &'c BrokerClient<'_>) -> ClientRef<'c> {
        ClientRef {
            connected: self.host.address_text(client).is_some(),
            origin: ClientOrigin {
                address: self.host.address(client),
                listener: self.host.listener(client),
                protocol: self.host.protocol(client),
                clean_start: self.host.clean_start(client),
            },
            ..self.known_peer(client)
        }
    }

    /// Takes note that a connection is gone, as this event says. A broker that
    /// tells of sessions that it keeps says of all others that they ended.
    pub(crate) fn disconnected(&self, client: &BrokerClient<'_>, event: c_int) {
        let handle = client.handle();
        self.departs(client);
        self.clients.borrow_mut().went(handle);
        let registered = self.registered.borrow();
        let is_told = registered
            .iter()
            .any(|event| event.id == MOSQ_EVT_CLIENT_OFFLINE);
        if let Ok(mut gate) = self.gate.try_borrow_mut() {
            if is_told {
                gate.ended(handle, event == MOSQ_EVT_CLIENT_OFFLINE);
            } else {
                gate.disconnected(handle);
            }
        }
        self.departed.set(Some(handle));
        let ended = self.pending_kicks.borrow_mut().remove(handle);
        if let Some(line) = ended {
            self.log(LogLevel::Notice, &line);
        }
    }

    /// Does what is due.
    pub(crate) fn tick(&self) {
        // The broker ticks once it has gone through its clients.
        self.reloading.set(false);
        let directives = match self.gate.try_borrow_mut() {
            Ok(mut gate) => gate.poll(),
            Err(_) => return,
        };
        for directive in directives {
            self.carry_out(&directive);
        }
        self.retry_kicks();
        self.end_unadmitted();
        self.departed.set(None);
        if self.thread.take_foreign_call() && !self.reported_foreign_calls.replace(true) {
            self.log(LogLevel::Warning, FOREIGN_CALLS);
        }
        self.watchdog.tick_completed();
    }

    /// Reads the settings again.
    pub(crate) fn reload(&self) {
        self.reloading.set(true);
        if let Ok(mut gate) = self.gate.try_borrow_mut() {
            gate.reload();
        }
    }

    /// Says that a callback panicked.
    pub(crate) fn report_panic(&self, event: &str) {
        self.reloading.set(false);
        if event == TICK {
            self.watchdog.tick_failed();
        }
        self.log(
            LogLevel::Error,
            &format!("the callback for {event} panicked, which is a bug; it answered no"),
        );
    }

    /// Writes a line to the broker's log.
    pub(crate) fn log(&self, level: LogLevel, line: &str) {
        self.host.log(level, &format!("Countersign: {line}"));
    }

    /// Registers all callbacks; says which one the broker refused, and how.
    ///
    /// # Errors
    ///
    /// Returns the event and the broker's code. Nothing is registered then.
    ///
    /// # Safety
    ///
    /// The plugin stays where it is, and is used through shared references alone,
    /// until [`Plugin::unregister`] has returned.
    pub(crate) unsafe fn register(this: &Rc<Self>) -> Result<(), (&'static str, c_int)> {
        let others = instances::others(this);
        for event in &EVENTS {
            let userdata = Rc::as_ptr(this).cast_mut().cast::<c_void>();
            // SAFETY: the callbacks take a pointer to a plugin, which stays valid
            // until they are unregistered, by this function's contract.
            let code = unsafe { this.host.register(this.identifier, event, userdata) };
            match code {
                sys::MOSQ_ERR_SUCCESS => this.registered.borrow_mut().push(event),
                sys::MOSQ_ERR_NOT_SUPPORTED if !event.is_needed => {}
                // 2.1 lets one plugin of a broker have a topic, which hands over
                // what is another's.
                sys::MOSQ_ERR_ALREADY_EXISTS
                    if event.about.is_some()
                        && others.iter().any(|other| other.has_registered(event)) => {}
                code => {
                    this.unregister();
                    return Err((event.name, code));
                }
            }
        }
        Ok(())
    }

    fn has_registered(&self, event: &'static Event) -> bool {
        let registered = self.registered.borrow();
        registered.iter().any(|it| it.id == event.id)
    }

    /// Takes back all callbacks.
    pub(crate) fn unregister(&self) {
        for event in self.registered.take() {
            self.host.unregister(self.identifier, event);
        }
    }

    /// Ends the plugin, once it is unregistered.
    pub(crate) fn close(self) {
        self.gate.into_inner().close();
    }

    fn carry_out(&self, directive: &Directive) {
        match directive {
            Directive::Kick {
                handle,
                client_id,
                line,
            } => self.end(*handle, client_id, line),
            Directive::Log { level, line } => self.log(*level, line),
            Directive::Reply {
                handle,
                client_id,
                topic,
                payload,
            } => self.reply(*handle, client_id, topic, payload),
            Directive::Complete {
                ticket,
                handle,
                client_id,
                completion,
            } => self.complete(*ticket, *handle, client_id, completion),
            // No client is let in by leaving it alone.
            _ => {}
        }
    }

    /// Ends the wait of a login.
    ///
    /// The broker knows it by its client id alone, and takes no notice if
    /// nobody waits. So it is looked at afterwards who has the id.
    fn complete(&self, ticket: Ticket, handle: Handle, client_id: &str, completion: &Completion) {
        let Completion::Admit { username } = completion else {
            if let Completion::Refuse { line: Some(line) } = completion {
                self.log(LogLevel::Notice, line);
            }
            self.clients.borrow_mut().forget(handle);
            self.host
                .complete_login(client_id, LoginCompletion::Refused);
            return;
        };
        let username = username.as_deref();
        // The broker may hold another listener's client by this id.
        let is_shared = instances::others(self)
            .iter()
            .any(|it| it.clients.borrow().holds_waiting(client_id.as_bytes()));
        let login = if is_shared {
            LoginCompletion::Refused
        } else {
            LoginCompletion::Admitted
        };
        self.completing.set(Some(handle));
        self.host.complete_login(client_id, login);
        self.completing.set(None);
        let waited = self.clients.borrow().is_waiting(handle);
        let (mut is_here, mut has_username) = (false, false);
        self.host.with_client(client_id, &mut |client| {
            let is_its = waited && client.handle() == handle;
            is_here = is_its && self.host.address_text(client).is_some();
            has_username = is_here
                && (self.host.username(client) == username.map(str::as_bytes)
                    || self.host.set_username(client, username));
        });
        let mut clients = self.clients.borrow_mut();
        let arrival = match clients.waited(handle) {
            Some(password) if has_username => {
                let name = username.map(str::as_bytes);
                let print = clients.fingerprint(client_id.as_bytes(), name, password);
                clients.came(handle, AnsweredBy::Gate, print);
                CompletionStatus::Here
            }
            Some(_) | None => {
                clients.forget(handle);
                CompletionStatus::Gone
            }
        };
        drop(clients);
        if let Ok(mut gate) = self.gate.try_borrow_mut() {
            gate.completed(ticket, arrival);
        }
        if is_here && arrival == CompletionStatus::Gone {
            self.log(LogLevel::Error, NO_USERNAME);
            let _gone = self.host.kick(client_id);
        }
    }

    fn tell_gone(&self, handle: Handle) {
        if let Ok(mut gate) = self.gate.try_borrow_mut() {
            gate.disconnected(handle);
        }
    }

    /// Says whether ticks don't get through, so that nobody could be
    /// disconnected any more and nothing may be granted.
    fn has_no_ticks(&self) -> bool {
        match self.watchdog.check() {
            TickState::Alive => false,
            TickState::Missing { is_news } => {
                if is_news {
                    self.log(LogLevel::Error, NO_TICKS);
                }
                true
            }
        }
    }
}

/// Says whether a refusal means that no credential has such a name.
fn is_nobody(reason: Reason) -> bool {
    matches!(reason, Reason::UnknownName | Reason::Unauthenticated)
}

/// From 2.1 on (`mosquitto/defs.h`).
const MOSQ_ERR_AUTH_DELAYED: c_int = -5;
/// MQTT 5.0's "server busy", from 2.1 on.
const MOSQ_ERR_SERVER_BUSY: c_int = 137;
/// Makes a broker close a connection without a CONNACK.
pub(crate) const CLOSED: c_int = sys::MOSQ_ERR_CONN_LOST;
/// MQTT 5.0's "banned", from 2.1 on.
const MOSQ_ERR_BANNED: c_int = 138;

const NO_USERNAME: &str = "the broker could not set a user name; refused";
const FOREIGN_CALLS: &str = "the broker asks about clients from a second thread, and is told no; \
                      Countersign can't decide about a listener with `protocol http_api`";
const NO_TICKS: &str = "the broker's ticks don't get through, so nobody could be disconnected; \
                        refusing everything. Mosquitto 2.0.11 does not tick where \
                        `per_listener_settings` is true: set it to false, or use 2.0.21 or newer";
