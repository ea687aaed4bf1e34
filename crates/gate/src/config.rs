//! What a gate is opened with.

use std::sync::Arc;

use countersign_core::broker::{BrokerRecord, ListenerOptions};
use countersign_core::connect::{Admission, Listener};
use countersign_core::name::TenantId;
use countersign_core::options::Options;
use countersign_core::reason::Reason;
use countersign_core::store::StoreError;
use countersign_core::time::Timestamp;

use crate::background::{Background, Threads};

/// What a gate needs from its host to run.
///
/// More may come, so one is made by [`GateConfig::new`].
#[derive(Clone)]
#[non_exhaustive]
#[expect(
    missing_debug_implementations,
    reason = "functions have nothing to show"
)]
pub struct GateConfig {
    /// The options, as the host's configuration gives them.
    pub options: Options,
    /// This broker's name, where the options give none.
    pub broker: String,
    /// The machine that the host runs on, for people who ask which brokers there
    /// are.
    pub machine: Option<String>,
    /// The version of the host, for the same.
    pub version: Option<String>,
    /// Reads the clock. Called from any thread.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Makes the host call [`Gate::poll`](crate::Gate::poll) soon. Called from
    /// the gate's own threads, again and again until it does.
    pub wake: Arc<dyn Fn() + Send + Sync>,
    /// Whether the host says when a connection ends, by
    /// [`Gate::disconnected`](crate::Gate::disconnected); true unless the host is
    /// another program, which only asks.
    ///
    /// Without it nobody is written down as connected, no client id is anybody's because
    /// of a login here, and nobody is let in but who proved a credential by one of its
    /// secrets; see [`Gate::pinned`](crate::Gate::pinned).
    pub hears_of_ends: bool,
    /// The only tenant whose principals the host takes where no option says so for the
    /// listener.
    pub tenant: Option<TenantId>,
    /// Runs what is done beside the host's thread; [`Threads`] unless the host
    /// has something else.
    pub background: Arc<dyn Background>,
}

impl GateConfig {
    /// The setting of a broker that has this name, unless its options give it
    /// another.
    ///
    /// `clock` reads the time of day, and may be called from any thread.
    /// `wake` makes the host call [`Gate::poll`](crate::Gate::poll) soon: it
    /// writes to an eventfd, unparks a thread, sends to a channel, notifies a
    /// task. It is called from the gate's own threads, again and again until
    /// the host polls, so it must neither block nor call the gate.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use std::time::SystemTime;
    ///
    /// use countersign::GateConfig;
    /// use countersign::core::options::Options;
    ///
    /// let options = Options::parse([("store", "/var/lib/countersign/countersign.db")])?;
    /// let (sender, receiver) = mpsc::sync_channel(1);
    /// let wake = move || {
    ///     // A wake-up that is under way will do.
    ///     let _ = sender.try_send(());
    /// };
    /// let config = GateConfig::new(options, "edge-1", || SystemTime::now().into(), wake);
    /// # assert_eq!(config.broker, "edge-1");
    /// # drop(receiver);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(
        options: Options,
        broker: impl Into<String>,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self {
            options,
            broker: broker.into(),
            machine: None,
            version: None,
            clock: Arc::new(clock),
            wake: Arc::new(wake),
            hears_of_ends: true,
            tenant: None,
            background: Arc::new(Threads::default()),
        }
    }

    /// What the host was told about a listener. Of one whose port it can't
    /// tell nothing is known, so nothing is promised either.
    pub(crate) fn listener_at(&self, listener: Option<u16>) -> Listener {
        let of_port = |port| self.options.listeners.get(&port).cloned();
        Listener {
            listener_tenant: listener.and_then(of_port).or_else(|| self.tenant.clone()),
            default_tenant: self.options.default_tenant.clone(),
            is_tls: listener.is_some_and(|port| self.options.tls_listeners.contains(&port)),
        }
    }

    /// Whether the host's clients may give the commands of dynamic-security.
    pub(crate) fn takes_dynsec(&self) -> bool {
        self.options.dynsec_tenant.is_some()
    }

    /// What a login changes, if its client may be let in at this host.
    pub(crate) fn taken_from(&self, admission: Admission) -> Result<Admission, Reason> {
        if self.hears_of_ends {
            Ok(admission)
        } else {
            admission.without_client_id()
        }
    }

    /// This broker's name.
    pub(crate) fn broker(&self) -> &str {
        self.options.broker.as_deref().unwrap_or(&self.broker)
    }

    /// What the store is to remember of a broker that starts now.
    pub(crate) fn describe(&self, now: Timestamp) -> BrokerRecord {
        BrokerRecord {
            name: self.broker().into(),
            host: self.machine.clone(),
            version: self.version.clone(),
            plugin_version: Some(env!("CARGO_PKG_VERSION").into()),
            since: Some(now),
            last_seen: now,
            options: Some(ListenerOptions::of(&self.options)),
        }
    }

    /// Takes over other options.
    ///
    /// # Errors
    ///
    /// Returns [`OptionChangeError`] when one differs that a gate is opened with.
    pub(crate) fn change(&mut self, options: Options) -> Result<(), OptionChangeError> {
        let now = &self.options;
        let differs = [
            ("store", now.store != options.store),
            ("broker", now.broker != options.broker),
            ("hash_threads", now.hash_threads != options.hash_threads),
            ("hash_budget", now.hash_budget != options.hash_budget),
            ("hash_round", now.hash_round != options.hash_round),
        ];
        if let Some((option, _)) = differs.into_iter().find(|(_, differs)| *differs) {
            return Err(OptionChangeError { option });
        }
        self.options = options;
        Ok(())
    }
}

/// An option differs that holds for as long as a gate is open.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("option `{option}` can't change while the gate is open; close it and open it again")]
pub struct OptionChangeError {
    option: &'static str,
}

impl OptionChangeError {
    /// Which option it is.
    #[must_use]
    pub const fn option(&self) -> &'static str {
        self.option
    }
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
    NoThread(#[from] std::io::Error),
    /// The store can't be used, or not under this broker's name.
    #[error(transparent)]
    Store(#[from] StoreError),
}
