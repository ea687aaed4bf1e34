//! Starting and stopping: what stands behind the three functions that the
//! broker looks for in a plugin.

use core::error::Error;
use core::ffi::{c_int, c_void};
use core::fmt::Write as _;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use countersign::core::options::{OptionError, Options};
use countersign::core::store::StoreError;
use countersign::sqlite::SqliteStore;
use countersign::{Gate, GateConfig, GateError, LogLevel};
use countersign_config::OPTION_PREFIX;
use countersign_mosquitto_sys as sys;

use crate::boundary::{self, shielded};
use crate::events::DYNSEC;
use crate::host::symbols::{Symbols, log_without_table};
use crate::host::{Host, Identifier};
use crate::instances::{self, InstanceKey};
use crate::plugin::Plugin;
use crate::wake::{SignalsBlocked, Waker};
use crate::{clock, hostname};

/// `mosquitto_plugin_version`: 5 if the broker offers that, else -1.
///
/// # Safety
///
/// `versions` is null or points to `count` integers.
#[must_use]
pub unsafe fn version(count: c_int, versions: *const c_int) -> c_int {
    // SAFETY: by this function's contract.
    let offered = shielded(false, || unsafe {
        boundary::offers_version_5(versions, count)
    });
    if offered {
        sys::MOSQ_PLUGIN_VERSION
    } else {
        -1
    }
}

/// `mosquitto_plugin_init`: opens the gate and registers the callbacks.
///
/// Answers `MOSQ_ERR_SUCCESS`; else it has said why in one line of the log,
/// nothing is left behind, and the broker stops.
///
/// # Safety
///
/// Called by a broker, on the thread that it will make all further calls on,
/// with its own arguments: `identifier` is good until [`cleanup`], `userdata`
/// may be written to, `options` is null or points to `option_count` of them.
pub unsafe fn init(
    identifier: *mut sys::mosquitto_plugin_id_t,
    userdata: *mut *mut c_void,
    options: *const sys::mosquitto_opt,
    option_count: c_int,
) -> c_int {
    let started = shielded(None, || {
        let symbols = match Symbols::find() {
            Ok(symbols) => symbols,
            Err(missing) => {
                log_without_table(&format!("Countersign: {missing}"));
                return Some(Err(sys::MOSQ_ERR_UNKNOWN));
            }
        };
        symbols.introduce(identifier);
        // SAFETY: by this function's contract.
        let options = unsafe { boundary::options(options, option_count) };
        let started = start(Box::new(symbols), identifier, options);
        Some(started.map_err(|error| {
            symbols.log(LogLevel::Error, &format!("Countersign: {}", told(&error)));
            error.code()
        }))
    });
    match started {
        Some(Ok(plugin)) => {
            // SAFETY: it may be written to, by this function's contract.
            unsafe { userdata.write(plugin.cast()) };
            sys::MOSQ_ERR_SUCCESS
        }
        Some(Err(code)) => code,
        None => {
            log_without_table("Countersign: starting panicked, which is a bug");
            sys::MOSQ_ERR_UNKNOWN
        }
    }
}

/// `mosquitto_plugin_cleanup`: takes the callbacks back, writes down what is
/// left and ends the gate's threads.
///
/// # Safety
///
/// `userdata` is null or what [`init`] wrote there, and is not used again.
pub unsafe fn cleanup(userdata: *mut c_void) -> c_int {
    if userdata.is_null() {
        return sys::MOSQ_ERR_SUCCESS;
    }
    shielded(sys::MOSQ_ERR_UNKNOWN, || {
        // SAFETY: made by `start`, and not used again, by this function's contract.
        let plugin = unsafe { Rc::from_raw(userdata.cast::<Plugin>().cast_const()) };
        instances::leave(&plugin);
        plugin.unregister();
        if let Some(plugin) = Rc::into_inner(plugin) {
            plugin.close();
        }
        sys::MOSQ_ERR_SUCCESS
    })
}

/// Starts a plugin. The caller gives the pointer to [`cleanup`].
fn start(
    host: Box<dyn Host>,
    identifier: Identifier,
    options: Option<Vec<(&str, &str)>>,
) -> Result<*mut Plugin, StartError> {
    let options =
        Options::parse(options.ok_or(StartError::Unreadable)?).map_err(StartError::Option)?;
    if !options.store.is_absolute() {
        return Err(StartError::RelativeStore(options.store));
    }
    if options.needs_ports() && !host.tells_ports() {
        return Err(StartError::NoPorts);
    }
    let chain = options.chain;
    let takes_dynsec = options.dynsec_tenant.is_some();
    let key = InstanceKey {
        store: options.store.clone(),
        broker: options.broker.clone().unwrap_or_else(hostname::broker_name),
    };
    if instances::has(&key) {
        return Err(StartError::Twice(key.broker));
    }
    let waker = Waker::new();
    let mut config = GateConfig::new(options, hostname::broker_name(), clock::now, || ());
    if let Ok(waker) = &waker {
        config.wake = Arc::new(waker.wake());
    }
    config.machine = hostname::machine();
    config.version = Some(host.version().into());
    let introduction = introduction(&*host, &config);
    let gate = open(&*host, config)?;
    if let Err(error) = &waker {
        let line = format!(
            "Countersign: can't wake the broker ({error}); changes take up to 100 ms longer"
        );
        host.log(LogLevel::Warning, &line);
    }
    let plugin = Plugin::new(host, identifier, chain, Box::new(gate), waker.ok());
    let plugin = Rc::new(plugin);
    // SAFETY: it stays where it is until `cleanup` or the lines below.
    if let Err((event, code)) = unsafe { Plugin::register(&plugin, takes_dynsec) } {
        // The broker forgot it.
        if let Some(plugin) = Rc::into_inner(plugin) {
            plugin.close();
        }
        let is_taken = code == sys::MOSQ_ERR_ALREADY_EXISTS;
        return Err(if is_taken && event == DYNSEC {
            StartError::DynsecLoaded
        } else if is_taken {
            StartError::Twice(key.broker)
        } else {
            StartError::Unregistered { event, code }
        });
    }
    plugin.log(LogLevel::Notice, &introduction);
    instances::join(&plugin, key);
    Ok(Rc::into_raw(plugin).cast_mut())
}

/// Opens the gate, whose threads get none of the broker's signals. Tells
/// what became of a store of an older schema.
fn open(host: &dyn Host, config: GateConfig) -> Result<Gate<SqliteStore>, StartError> {
    let _blocked = SignalsBlocked::new();
    let store = SqliteStore::open(&config.options.store)?;
    if let Some(upgraded) = store.upgraded() {
        host.log(LogLevel::Notice, &format!("Countersign: {upgraded}"));
    }
    Ok(Gate::open(store, config)?)
}

/// The line that says what started.
fn introduction(host: &dyn Host, config: &GateConfig) -> String {
    let can = if host.delays_logins() { "can" } else { "can't" };
    format!(
        "version {} on Mosquitto {}, which {can} delay logins; store {}, broker `{}`",
        env!("CARGO_PKG_VERSION"),
        host.version(),
        config.options.store.display(),
        config.options.broker.as_ref().unwrap_or(&config.broker),
    )
}

/// Why a plugin can't start.
#[derive(Debug, thiserror::Error)]
enum StartError {
    /// Mosquitto's dynamic-security is there itself.
    #[error(
        "`plugin_opt_dynsec_tenant` can't be beside Mosquitto's dynamic-security plugin, which has \
         the topic: remove its `plugin` line, or the option"
    )]
    DynsecLoaded,
    /// The gate does not open.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// The broker does not tell what the options ask about.
    #[error(
        "`plugin_opt_listener_PORT` and `plugin_opt_tls_listeners` need Mosquitto 2.1; \
         this broker does not tell a plugin the port"
    )]
    NoPorts,
    /// The options make no sense.
    #[error("{}", .0.prefixed(OPTION_PREFIX))]
    Option(OptionError),
    /// The store is sought where the broker happens to be.
    #[error("`plugin_opt_store {}` is a relative path; write an absolute one", .0.display())]
    RelativeStore(PathBuf),
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An option can't be read at all.
    #[error("an option has no value or is not UTF-8")]
    Unreadable,
    /// A listener has it already.
    #[error(
        "the plugin is loaded twice (broker `{0}`): remove one of its `plugin` lines. It may be \
         loaded once for each listener, with `per_listener_settings true` and a \
         `plugin_opt_broker` of its own each time"
    )]
    Twice(String),
    /// The broker rejected a callback.
    #[error("the broker rejected the callback for {event} (code {code})")]
    Unregistered {
        /// The event.
        event: &'static str,
        /// What the broker answered.
        code: c_int,
    },
}

impl StartError {
    /// What the broker is told, besides the line.
    fn code(&self) -> c_int {
        match self {
            Self::NoPorts | Self::Option(_) | Self::RelativeStore(_) | Self::Unreadable => {
                sys::MOSQ_ERR_INVAL
            }
            Self::DynsecLoaded
            | Self::Gate(_)
            | Self::Store(_)
            | Self::Twice(_)
            | Self::Unregistered { .. } => sys::MOSQ_ERR_UNKNOWN,
        }
    }
}

/// An error and what it came from, on one line.
fn told(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        // Writing to a string can't fail.
        let _written = write!(line, ": {error}");
        source = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use core::ptr;
    use std::rc::Rc;

    use countersign::core::store::{GateStore as _, Settings};
    use tempfile::TempDir;

    use super::*;
    use crate::events::table::EVENTS;
    use crate::fixture::{FakeClient, FakeHost, acl_event, auth_event, call};
    use crate::wake::tests::alone;

    fn store() -> (TempDir, String) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("countersign.db");
        SqliteStore::create(&path, &Settings::default()).unwrap();
        let path = path.to_str().unwrap().to_owned();
        (folder, path)
    }

    fn failure(host: &Rc<FakeHost>, options: &[(&str, &str)]) -> (String, c_int) {
        let started = start(
            Box::new(Rc::clone(host)),
            ptr::null_mut(),
            Some(options.to_vec()),
        );
        let error = started.unwrap_err();
        assert!(host.registered.borrow().is_empty());
        (told(&error), error.code())
    }

    #[test]
    fn what_is_wrong_with_the_options_is_said_in_one_line() {
        let _alone = alone();
        let host = Rc::new(FakeHost::default());
        let (_folder, path) = store();
        let store = ("store", path.as_str());
        for (options, words) in [
            (&[][..], "`plugin_opt_store` is missing"),
            (
                &[store, ("stor", "x")],
                "`plugin_opt_stor` is unknown; known are `store`",
            ),
            (&[store, ("chain", "maybe")], "`plugin_opt_chain maybe`"),
            (
                &[("store", "countersign.db")],
                "`plugin_opt_store countersign.db` is a relative path",
            ),
            (&[store, ("listener_1884", "acme")], "need Mosquitto 2.1"),
            (&[store, ("tls_listeners", "8883")], "need Mosquitto 2.1"),
        ] {
            let (line, code) = failure(&host, options);
            assert!(line.contains(words), "{line}");
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(code, sys::MOSQ_ERR_INVAL);
        }
        let unreadable = start(Box::new(Rc::clone(&host)), ptr::null_mut(), None).unwrap_err();
        assert_eq!(unreadable.code(), sys::MOSQ_ERR_INVAL);
    }

    #[test]
    fn a_store_that_is_missing_is_named() {
        let _alone = alone();
        let host = Rc::new(FakeHost::default());
        let (line, code) = failure(&host, &[("store", "/nonexistent/countersign.db")]);
        assert!(line.contains("/nonexistent/countersign.db"), "{line}");
        assert_eq!(code, sys::MOSQ_ERR_UNKNOWN);
    }

    /// Puts a store of schema 3 in place of a store, and has it open as a broker does.
    fn write_schema_3(path: &str) -> rusqlite::Connection {
        for suffix in ["", "-wal", "-shm"] {
            // A store that is closed has nothing beside it.
            let _ = std::fs::remove_file(format!("{path}{suffix}"));
        }
        let connection = rusqlite::Connection::open(path).unwrap();
        for step in [
            "PRAGMA journal_mode = WAL;",
            include_str!("../../store-sqlite/migrations/0001.sql"),
            include_str!("../../store-sqlite/migrations/0002.sql"),
            include_str!("../../store-sqlite/migrations/0003.sql"),
            "PRAGMA application_id = 0x4353676e; PRAGMA user_version = 3;
             INSERT INTO setting VALUES ('argon2', 'm=8,t=1,p=1'), ('client_id_hold', '1500');",
        ] {
            connection.execute_batch(step).unwrap();
        }
        connection
    }

    #[test]
    fn a_plugin_does_not_start_beside_a_broker_of_an_older_schema() {
        let _alone = alone();
        let host = Rc::new(FakeHost::default());
        let (_folder, path) = store();
        let older = SqliteStore::open(&path).unwrap();
        let claim = older.lock_broker("old").unwrap();
        drop(older);
        let in_use = write_schema_3(&path);
        let options = [("store", path.as_str()), ("broker", "new")];
        let (line, code) = failure(&host, &options);
        assert!(
            line.contains("a broker of an older version uses it"),
            "{line}"
        );
        assert!(line.contains("has schema 3"), "{line}");
        assert_eq!(code, sys::MOSQ_ERR_UNKNOWN);

        drop((claim, in_use));
        let plugin = start(
            Box::new(Rc::clone(&host)),
            ptr::null_mut(),
            Some(options.to_vec()),
        );
        assert!(host.said("countersign.db.v3.bak` is a copy"));
        // SAFETY: made by `start`, and not used again.
        let stopped = unsafe { cleanup(plugin.unwrap().cast()) };
        assert_eq!(stopped, sys::MOSQ_ERR_SUCCESS);
    }

    #[test]
    fn a_broker_that_takes_no_callback_gets_no_plugin() {
        let _alone = alone();
        let host = Rc::new(FakeHost::default());
        let (_folder, path) = store();
        host.refuses_event.set(Some(("tick", sys::MOSQ_ERR_INVAL)));
        let (line, code) = failure(&host, &[("store", &path)]);
        assert!(line.contains("tick"), "{line}");
        assert_eq!(code, sys::MOSQ_ERR_UNKNOWN);
    }

    #[test]
    fn a_plugin_that_is_loaded_twice_says_how_to_go_on() {
        let _alone = alone();
        let host = Rc::new(FakeHost::default());
        let (_folder, path) = store();
        let options = vec![("store", path.as_str())];
        let first = start(Box::new(Rc::clone(&host)), ptr::null_mut(), Some(options)).unwrap();
        host.registered.take();
        let (line, _) = failure(&host, &[("store", &path)]);
        assert!(
            line.contains("remove one") && line.contains("plugin_opt_broker"),
            "{line}"
        );
        // For one listener there is one, whatever its broker is called.
        host.refuses_event
            .set(Some(("acl-check", sys::MOSQ_ERR_ALREADY_EXISTS)));
        let (line, _) = failure(&host, &[("store", &path), ("broker", "two")]);
        assert!(line.contains("remove one"), "{line}");
        // SAFETY: made by `start`, and not used again.
        assert_eq!(unsafe { cleanup(first.cast()) }, sys::MOSQ_ERR_SUCCESS);
        // Without another of ours, a topic that is taken is a stranger's.
        host.refuses_event
            .set(Some(("control", sys::MOSQ_ERR_ALREADY_EXISTS)));
        failure(&host, &[("store", &path), ("broker", "two")]);
    }

    /// 2.1 lets one plugin of a broker have the topic of commands.
    #[test]
    fn plugins_of_two_listeners_share_the_topic_of_commands() {
        let _alone = alone();
        let host = Rc::new(FakeHost::default());
        host.is_2_1.set(true);
        let (_folder, path) = store();
        let begin = |broker| {
            let options = vec![("store", path.as_str()), ("broker", broker)];
            start(Box::new(Rc::clone(&host)), ptr::null_mut(), Some(options))
        };
        let first = begin("one").unwrap();
        host.refuses_event
            .set(Some(("control", sys::MOSQ_ERR_ALREADY_EXISTS)));
        let second = begin("two").unwrap();
        for plugin in [first, second] {
            // SAFETY: made by `start`, and not used again.
            assert_eq!(unsafe { cleanup(plugin.cast()) }, sys::MOSQ_ERR_SUCCESS);
        }
    }

    #[test]
    fn a_plugin_starts_judges_and_stops() {
        let _alone = alone();
        let host = Rc::new(FakeHost::default());
        host.is_2_1.set(true);
        let (_folder, path) = store();
        let options = vec![
            ("store", path.as_str()),
            ("listener_1884", "acme"),
            ("broker", "edge"),
        ];
        let plugin = start(Box::new(Rc::clone(&host)), ptr::null_mut(), Some(options)).unwrap();
        assert_eq!(host.registered.borrow().len(), EVENTS.len());
        assert!(host.said("broker `edge`"));

        let mut client = FakeClient::new("c");
        let connect = auth_event(client.pointer(), None, None);
        assert_eq!(
            call("basic-auth", &connect, plugin.cast()),
            sys::MOSQ_ERR_AUTH
        );
        for topic in [c"a/b", c"", c"\xff\xfe", c"a/#"] {
            for access in [
                sys::MOSQ_ACL_READ,
                sys::MOSQ_ACL_WRITE,
                sys::MOSQ_ACL_SUBSCRIBE,
            ] {
                let check = acl_event(client.pointer(), topic, access);
                let code = call("acl-check", &check, plugin.cast());
                assert_eq!(code, sys::MOSQ_ERR_ACL_DENIED, "{topic:?}");
            }
        }
        assert_eq!(call("tick", &(), plugin.cast()), sys::MOSQ_ERR_SUCCESS);

        // SAFETY: made by `start`, and not used again.
        assert_eq!(unsafe { cleanup(plugin.cast()) }, sys::MOSQ_ERR_SUCCESS);
        assert!(host.registered.borrow().is_empty());
    }

    #[test]
    fn without_a_broker_nothing_starts() {
        let mut userdata = ptr::null_mut();
        // SAFETY: null and none, and a local to write to.
        let code = unsafe { init(ptr::null_mut(), &raw mut userdata, ptr::null(), 0) };
        assert_eq!(code, sys::MOSQ_ERR_UNKNOWN);
        assert!(userdata.is_null());
        // SAFETY: null is allowed.
        assert_eq!(unsafe { cleanup(userdata) }, sys::MOSQ_ERR_SUCCESS);
        // SAFETY: null is allowed.
        assert_eq!(unsafe { version(1, ptr::null()) }, -1);
    }
}
