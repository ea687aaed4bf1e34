//! The plugin between its callbacks: what it asks the gate and what it asks of
//! the broker, never both at once.

use core::cell::{Cell, RefCell};
use core::ffi::c_int;

use countersign::core::options::ChainMode;
use countersign::{Directive, Handle, LogLevel};

use self::pending_kicks::PendingKicks;
use self::unadmitted::UnadmittedClients;
use crate::boundary::BrokerClient;
use crate::clients::Clients;
use crate::events::{Event, MOSQ_EVT_CLIENT_OFFLINE, TICK};
use crate::host::{Host, Identifier};
use crate::plugin_gate::PluginGate;
use crate::thread::OwnThread;
use crate::tick_watchdog::{TickState, TickWatchdog};
use crate::wake::Waker;

mod check;
mod command;
mod completion;
pub(crate) mod connect;
pub(crate) mod enhanced;
mod external;
mod kicks;
mod pending_kicks;
mod registration;
mod unadmitted;

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

const FOREIGN_CALLS: &str = "the broker asks about clients from a second thread, and is told no; \
                      Countersign can't decide about a listener with `protocol http_api`";
const NO_TICKS: &str = "the broker's ticks don't get through, so nobody could be disconnected; \
                        refusing everything. Mosquitto 2.0.11 does not tick where \
                        `per_listener_settings` is true: set it to false, or use 2.0.21 or newer";
