//! Beginning and ending: sockets, threads, signals.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use countersign_admin::OsRandom;
use countersign_admin::sign_in::SignInGuard;
use countersign_core::network::Network;
use countersign_core::secret::Secret;
use countersign_core::store::{GateStore as _, StoreError};
use countersign_store::AnyStore;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::app::{Answerer, App};
use crate::browser::Hosts;
use crate::console;
use crate::counts::ServiceCounts;
use crate::door::{Door, DoorError, Doors};
use crate::events::Events;
use crate::fetch::NAME_THREADS;
use crate::followers::Followers;
use crate::hook::Hooks;
use crate::key_fetcher::keep_keys_fresh;
use crate::listen::{Connections, Front, accept};
use crate::metrics;
use crate::network::TrustedProxies;
use crate::patience::Patience;
use crate::problem::Problem;
use crate::rate::Rates;
use crate::tls::{Tls, TlsError, TlsFiles};
use crate::who::now;
use crate::workers::{Workers, WorkersError};
use crate::{rest, systemd};

/// How the service is reached.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens, unless systemd hands it sockets.
    pub listen: SocketAddr,
    /// The names by which it is called.
    pub hosts: Vec<String>,
    /// What TLS is spoken with; none where it is not spoken.
    pub tls: Option<TlsFiles>,
    /// Whether it may be reached from elsewhere without TLS.
    pub allow_plain: bool,
    /// The proxies whose word about addresses counts.
    pub trusted_proxies: Vec<Network>,
    /// Where whoever asks is told what is counted, without a login.
    pub metrics_listen: Option<SocketAddr>,
    /// Whether what is counted is told by tenant.
    pub metrics_tenants: bool,
    /// Where hooks of other brokers are answered, if not beside all else.
    pub hooks_listen: Option<SocketAddr>,
    /// The doors that are open, each at most once.
    pub doors: Vec<Door>,
}

/// A service that has its sockets, and its certificate. Both may need rights that its
/// store needs not.
pub struct Bound {
    listeners: Vec<TcpListener>,
    pub(crate) metrics: Option<TcpListener>,
    hooks: Option<TcpListener>,
    tls: Option<Arc<Tls>>,
    doors: Doors,
    options: Options,
    pub(crate) patience: Patience,
}

impl core::fmt::Debug for Bound {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Bound")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Takes the sockets that systemd hands over, or listens where the options say.
///
/// # Errors
///
/// Returns [`ServeError`] when it can't listen there, when it may not without TLS, and
/// when the certificate can't be used.
pub fn bind(options: Options) -> Result<Bound, ServeError> {
    let doors = Doors::of(&options.doors)?;
    let tls = options.tls.clone().map(Tls::read).transpose()?;
    let mut listeners = Vec::new();
    let mut handed_over = listenfd::ListenFd::from_env();
    for index in 0..handed_over.len() {
        let listener = handed_over.take_tcp_listener(index);
        listeners.extend(listener.map_err(ServeError::HandedOver)?);
    }
    if listeners.is_empty() {
        listeners.push(listen(&options, options.listen)?);
    }
    let metrics = options.metrics_listen;
    let metrics = metrics
        .map(|address| listen(&options, address))
        .transpose()?;
    let hooks = options.hooks_listen;
    let hooks = hooks.map(|address| listen(&options, address)).transpose()?;
    for listener in listeners.iter().chain(&metrics).chain(&hooks) {
        let address = listener.local_addr().map_err(ServeError::HandedOver)?;
        check_plain(&options, address)?;
        let set = listener.set_nonblocking(true);
        set.map_err(|source| ServeError::Listen { address, source })?;
    }
    Ok(Bound {
        listeners,
        metrics,
        hooks,
        tls: tls.map(Arc::new),
        doors,
        options,
        patience: Patience::default(),
    })
}

fn listen(options: &Options, address: SocketAddr) -> Result<TcpListener, ServeError> {
    check_plain(options, address)?;
    TcpListener::bind(address).map_err(|source| ServeError::Listen { address, source })
}

/// Passwords and tokens go over the network in the clear only where that is said.
fn check_plain(options: &Options, address: SocketAddr) -> Result<(), ServeError> {
    let is_safe = address.ip().to_canonical().is_loopback();
    if is_safe || options.tls.is_some() || options.allow_plain {
        return Ok(());
    }
    Err(ServeError::Plain(address))
}

impl Bound {
    /// Where it listens.
    ///
    /// # Errors
    ///
    /// Returns an error when the system does not say.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(TcpListener::local_addr).collect()
    }

    /// Serves a store until it is told to end by SIGTERM or SIGINT. Requests that are
    /// being answered then are answered, for a bounded time.
    ///
    /// # Errors
    ///
    /// Returns [`ServeError`] when it can't begin.
    pub fn serve(self, store: AnyStore) -> Result<(), ServeError> {
        tracing_subscriber::fmt()
            .with_writer(io::stderr)
            .with_ansi(false)
            .with_target(false)
            .init();
        let (tell, told) = mpsc::channel(1);
        self.run(store, told, |_| {
            let signals = Signals::take()?;
            tokio::spawn(signals.hand_on(tell));
            Ok(())
        })
    }

    /// The same, without a log, until it is told to end in another way. `begin` is called
    /// once all is ready.
    pub(crate) fn run(
        self,
        mut store: AnyStore,
        told: mpsc::Receiver<Told>,
        begin: impl FnOnce(&Answerer) -> io::Result<()>,
    ) -> Result<(), ServeError> {
        let _lock = store.hold_for_service()?;
        let proxies = TrustedProxies(self.options.trusted_proxies);
        let beginning = Beginning {
            threads: (STORE_THREADS, HASH_THREADS),
            hosts: Hosts(self.options.hosts),
            proxies: proxies.clone(),
            is_by_tenant: self.options.metrics_tenants,
            patience: self.patience,
            is_ready: |store| Ok(store.log_position().map(drop)?),
        };
        let app = beginning.app(&store)?;
        self.doors.look_for_tenants(&mut store);
        let code = app.visitors.first.look_for_users(&mut store);
        let code = code.map_err(|_| ServeError::Random)?;
        app.hooks.start_all(&mut store);
        drop(store);
        let app = Arc::new(app);
        let (events, followers) = (Arc::clone(&app.events), Arc::clone(&app.followers));
        let answerer = Answerer::new(
            Arc::clone(&app),
            rest::routes(),
            self.doors,
            console::routes(),
        );
        let answerer = answerer
            .taking_hooks(self.hooks.is_none())
            .taking_followers();
        let of = |routes| Answerer::new(Arc::clone(&app), routes, Doors::default(), Vec::new());
        let on_metrics = of(metrics::open_routes()).taking_hooks(false);
        let on_hooks = of(Vec::new());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(RUNTIME_THREADS)
            .max_blocking_threads(NAME_THREADS)
            .thread_name("countersign-net")
            .enable_io()
            .enable_time()
            .build()
            .map_err(ServeError::Runtime)?;
        let connections = Arc::new(Connections::beside(proxies));
        let listeners = self.listeners.into_iter();
        let listeners = listeners.map(|listener| (listener, answerer.clone()));
        let metrics = self.metrics.map(|listener| (listener, on_metrics));
        let hooks = self.hooks.map(|listener| (listener, on_hooks));
        let listeners: Vec<_> = listeners.chain(metrics).chain(hooks).collect();
        let tls = self.tls;
        let done = runtime.block_on(async {
            begin(&answerer)?;
            tokio::spawn(look_each_minute(Arc::clone(answerer.app())));
            tokio::spawn(keep_keys_fresh(Arc::clone(answerer.app())));
            serve_all(
                listeners,
                tls,
                connections,
                (&events, &followers),
                told,
                code.as_ref(),
            )
            .await
        });
        app.hooks.end_all();
        runtime.shutdown_timeout(Duration::ZERO);
        done.map_err(ServeError::Runtime)
    }
}

/// What differs from one to another of those that answer requests.
pub(crate) struct Beginning {
    /// How many threads use the store, and hash passwords.
    pub(crate) threads: (usize, usize),
    pub(crate) hosts: Hosts,
    pub(crate) proxies: TrustedProxies,
    /// Whether what is counted is told by tenant.
    pub(crate) is_by_tenant: bool,
    pub(crate) patience: Patience,
    pub(crate) is_ready: fn(&mut AnyStore) -> Result<(), Problem>,
}

impl Beginning {
    /// What all requests share.
    pub(crate) fn app(self, store: &AnyStore) -> Result<App, ServeError> {
        let (threads, hashers) = self.threads;
        Ok(App {
            workers: Workers::start("countersign-http", threads, store)?,
            hashers: Workers::start("countersign-hash", hashers, store)?,
            guard: Arc::new(SignInGuard::new(&mut OsRandom).map_err(|_| ServeError::Random)?),
            counts: Arc::new(ServiceCounts::of(self.is_by_tenant)),
            events: Arc::new(Events::start(store)?),
            visitors: Arc::default(),
            stats: Arc::default(),
            hooks: Arc::new(Hooks::default()),
            followers: Arc::new(Followers::start(store)?),
            hosts: self.hosts,
            proxies: self.proxies,
            rates: Rates::default(),
            patience: self.patience,
            is_ready: self.is_ready,
            #[cfg(test)]
            everybody: std::sync::Mutex::default(),
        })
    }
}

/// Looks at what brokers count, for what is told of the last hour.
async fn look_each_minute(app: Arc<App>) {
    let mut minutes = tokio::time::interval(MINUTE);
    loop {
        minutes.tick().await;
        let stats = Arc::clone(&app.stats);
        let look = move |store: &mut _| metrics::observe(store, &stats, now());
        // What can't be looked at now is counted in the next minute.
        let _ = app.workers.run(look).await;
    }
}

/// Prints what lets the first administrator be made. Who does not listen gets no code, and
/// the service runs all the same.
fn print_first_code(code: &Secret) {
    let code = String::from_utf8_lossy(code.expose());
    let mut out = io::stderr().lock();
    let _ = writeln!(out, "first administrator: {code}").and_then(|()| out.flush());
}

/// Answers on listeners until it is told to end.
pub(crate) async fn serve_all(
    listeners: Vec<(TcpListener, Answerer)>,
    tls: Option<Arc<Tls>>,
    connections: Arc<Connections>,
    (events, followers): (&Events, &Followers),
    mut told: mpsc::Receiver<Told>,
    first_code: Option<&Secret>,
) -> io::Result<()> {
    let (end, is_ending) = watch::channel(false);
    let (alive, mut ended) = mpsc::channel(1);
    let scheme = if tls.is_some() { "https" } else { "http" };
    for (listener, answerer) in listeners {
        let address = listener.local_addr()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let front = Front {
            patience: answerer.app().patience,
            answerer,
            tls: tls.clone(),
            connections: Arc::clone(&connections),
            is_ending: is_ending.clone(),
            alive: alive.clone(),
        };
        tokio::spawn(accept(listener, front));
        tracing::info!("listening on {scheme}://{address}");
    }
    if let Some(code) = first_code {
        print_first_code(code);
    }
    drop(alive);
    systemd::notify("READY=1");
    while let Some(Told::ReadAgain) = told.recv().await {
        read_again(tls.as_deref());
    }
    systemd::notify("STOPPING=1");
    tracing::info!("ending");
    events.close();
    followers.close();
    let _ = end.send(true);
    let _ = timeout(LONGEST_END, ended.recv()).await;
    Ok(())
}

/// What a service is told while it runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Told {
    End,
    ReadAgain,
}

/// The system's signals that the service takes. What comes before they are taken ends the
/// process at once, so they are taken before anybody is told that the service listens.
struct Signals {
    terminated: Signal,
    interrupted: Signal,
    hung_up: Signal,
}

impl Signals {
    fn take() -> io::Result<Self> {
        Ok(Self {
            terminated: signal(SignalKind::terminate())?,
            interrupted: signal(SignalKind::interrupt())?,
            hung_up: signal(SignalKind::hangup())?,
        })
    }

    /// Hands on what they mean.
    async fn hand_on(mut self, tell: mpsc::Sender<Told>) {
        loop {
            let told = tokio::select! {
                _ = self.terminated.recv() => Told::End,
                _ = self.interrupted.recv() => Told::End,
                _ = self.hung_up.recv() => Told::ReadAgain,
            };
            if tell.send(told).await.is_err() || told == Told::End {
                return;
            }
        }
    }
}

/// Reads the certificate anew, where there is one.
fn read_again(tls: Option<&Tls>) {
    match tls.map(Tls::read_again) {
        None => {}
        Some(Ok(())) => tracing::info!("the certificate was read again"),
        Some(Err(error)) => {
            tracing::error!(%error, "the certificate stays as it was");
        }
    }
}

/// Why the service could not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The doors can't be opened as they are said.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// Nobody logs in there, so it is no address for others.
    #[error("{0} can be reached from elsewhere; write an address of this machine, as 127.0.0.1")]
    Elsewhere(SocketAddr),
    /// A socket that was handed over can't be used.
    #[error("a socket that systemd hands over can't be used: {0}")]
    HandedOver(#[source] io::Error),
    /// It can't listen there.
    #[error("could not listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// It may not be reached there without TLS.
    #[error(
        "{0} can be reached from elsewhere, and passwords would go there in the clear; give \
         --tls-cert and --tls-key, or --allow-plain"
    )]
    Plain(SocketAddr),
    /// There is no randomness.
    #[error("could not start: the system gives no randomness")]
    Random,
    /// There are no threads or signals.
    #[error("could not start: {0}")]
    Runtime(#[source] io::Error),
    /// The store can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The certificate can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl From<WorkersError> for ServeError {
    fn from(error: WorkersError) -> Self {
        match error {
            WorkersError::Store(error) => Self::Store(error),
            WorkersError::Thread(error) => Self::Runtime(error),
        }
    }
}

/// Threads that use the store.
const STORE_THREADS: usize = 4;
/// Threads that hash passwords.
const HASH_THREADS: usize = 2;
/// Threads that read requests and write answers.
const RUNTIME_THREADS: usize = 2;
/// Between two looks at what brokers count.
const MINUTE: Duration = Duration::from_secs(60);
/// A little longer than each connection is given.
const LONGEST_END: Duration = Duration::from_secs(11);
