//! The options of a gate, read in one place for its hosts, which obey them, and
//! for `countersign doctor`, which finds mistakes before a broker does.

use core::error::Error;
use core::fmt;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use self::known::{BROKER, CHAIN, MILLIS, PATH, PERCENT, PORTS, STALENESS, THREADS, WHEN_STALE};
use crate::duration::parse_duration;
use crate::given::Given;
use crate::name::{TenantId, TenantIdError};

mod known;

pub use self::known::{KnownOption, OPTIONS};

/// What a gate is opened with, as its host's configuration says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Options {
    /// Where the store lies.
    pub store: PathBuf,
    /// The name of this broker; if none, the host's.
    pub broker: Option<String>,
    /// Whether others may grant what was refused.
    pub chain: ChainMode,
    /// The tenant of clients that name none.
    pub default_tenant: Option<TenantId>,
    /// The tenant that the commands of Mosquitto's dynamic-security are about; if none,
    /// they are not taken.
    pub dynsec_tenant: Option<TenantId>,
    /// How much of each second slow hashes may take on the broker's thread.
    pub hash_budget: Percent,
    /// How long slow hashes may take on the broker's thread before it serves
    /// everybody else again.
    pub hash_round: Millis,
    /// How many threads hash; if none, one less than there are cores.
    pub hash_threads: Option<u16>,
    /// The only tenant that each of these ports takes.
    pub listeners: BTreeMap<u16, TenantId>,
    /// How long a replica may not have heard from its centre before it is stale; if
    /// none, it never is.
    pub max_staleness: Option<Duration>,
    /// The ports whose clients came through TLS.
    pub tls_listeners: Vec<u16>,
    /// What becomes of logins while the replica is stale.
    pub when_stale: WhenStale,
}

impl Options {
    /// Reads options, given by name and value.
    ///
    /// # Errors
    ///
    /// Returns the first [`OptionError`]: an option that is unknown, given
    /// twice, or of a value it can't have, or a store that is missing.
    pub fn parse<'a>(
        options: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, OptionError> {
        let mut given = BTreeSet::new();
        let mut listeners = BTreeMap::new();
        let mut tls_listeners = Vec::new();
        let mut rest = OptionValues::default();
        for (key, value) in options {
            if !given.insert(key) {
                return Err(OptionError::Twice { key: key.into() });
            }
            let bad = |expected| OptionError::Value {
                key: key.into(),
                value: value.into(),
                expected,
            };
            match key {
                "broker" => rest.broker = Some(broker_name(value).ok_or_else(|| bad(BROKER))?),
                "chain" => rest.chain = ChainMode::parse(value).ok_or_else(|| bad(CHAIN))?,
                "default_tenant" => rest.default_tenant = Some(tenant(key, value)?),
                "dynsec_tenant" => rest.dynsec_tenant = Some(tenant(key, value)?),
                "hash_budget" => {
                    rest.hash_budget = Percent::parse(value).ok_or_else(|| bad(PERCENT))?;
                }
                "hash_round" => {
                    rest.hash_round = Millis::parse(value).ok_or_else(|| bad(MILLIS))?;
                }
                "hash_threads" => {
                    rest.hash_threads = Some(threads(value).ok_or_else(|| bad(THREADS))?);
                }
                "max_staleness" => {
                    let most = parse_duration(value).map_err(|_| bad(STALENESS))?;
                    rest.max_staleness = Some(most);
                }
                "store" => {
                    let path = Some(value).filter(|path| !path.is_empty());
                    rest.store = Some(path.ok_or_else(|| bad(PATH))?.into());
                }
                "tls_listeners" => {
                    tls_listeners = ports(value).ok_or_else(|| bad(PORTS))?;
                }
                "when_stale" => {
                    rest.when_stale = WhenStale::parse(value).ok_or_else(|| bad(WHEN_STALE))?;
                }
                _ => {
                    let listener = key.strip_prefix("listener_").and_then(port);
                    let unknown = || OptionError::Unknown { key: key.into() };
                    let listener = listener.ok_or_else(unknown)?;
                    listeners.insert(listener, tenant(key, value)?);
                }
            }
        }
        if rest.when_stale == WhenStale::RefuseNew && rest.max_staleness.is_none() {
            return Err(OptionError::NoStaleness);
        }
        Ok(Self {
            store: rest.store.ok_or(OptionError::NoStore)?,
            broker: rest.broker,
            chain: rest.chain,
            default_tenant: rest.default_tenant,
            dynsec_tenant: rest.dynsec_tenant,
            hash_budget: rest.hash_budget,
            hash_round: rest.hash_round,
            hash_threads: rest.hash_threads,
            listeners,
            max_staleness: rest.max_staleness,
            tls_listeners,
            when_stale: rest.when_stale,
        })
    }

    /// Says whether any option needs a host that tells the port a client came in
    /// by.
    #[must_use]
    pub fn needs_ports(&self) -> bool {
        !self.listeners.is_empty() || !self.tls_listeners.is_empty()
    }
}

/// Whether others may grant what Countersign refused.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ChainMode {
    /// They may.
    Defer,
    /// They may not.
    #[default]
    Final,
}

impl ChainMode {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "defer" => Some(Self::Defer),
            "final" => Some(Self::Final),
            _ => None,
        }
    }
}

/// What becomes of logins while a replica is stale.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum WhenStale {
    /// They are refused; sessions go on.
    RefuseNew,
    /// They go on as before.
    #[default]
    Serve,
}

impl WhenStale {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "refuse-new" => Some(Self::RefuseNew),
            "serve" => Some(Self::Serve),
            _ => None,
        }
    }
}

/// A whole number from 1 to 100.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Percent(u8);

impl Percent {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        whole_number(text)
            .filter(|percent| (1..=100).contains(percent))
            .and_then(|percent| u8::try_from(percent).ok())
            .map(Self)
    }
}

/// A quarter of each second.
impl Default for Percent {
    fn default() -> Self {
        Self(25)
    }
}

/// A time of 1 to 1,000 milliseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Millis(u16);

impl Millis {
    /// The time.
    #[must_use]
    pub fn get(self) -> Duration {
        Duration::from_millis(self.0.into())
    }

    fn parse(text: &str) -> Option<Self> {
        whole_number(text)
            .filter(|millis| (1..=1_000).contains(millis))
            .map(Self)
    }
}

/// Forty, of which people notice nothing.
impl Default for Millis {
    fn default() -> Self {
        Self(40)
    }
}

/// Why options make no sense. Shown with the names of options as [`Options::parse`]
/// is given them; [`prefixed`](Self::prefixed) shows them as they are configured.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum OptionError {
    /// Logins are to be refused by a replica that is stale, and nothing says when it is.
    NoStaleness,
    /// There is no store.
    NoStore,
    /// A tenant's id has no good shape.
    Tenant {
        /// The option.
        key: Given,
        /// Why it is none.
        why: TenantIdError,
    },
    /// An option is given twice.
    Twice {
        /// The option.
        key: Given,
    },
    /// There is no such option.
    Unknown {
        /// What was given.
        key: Given,
    },
    /// An option can't have this value.
    Value {
        /// The option.
        key: Given,
        /// What was given.
        value: Given,
        /// What it can be.
        expected: &'static str,
    },
}

impl OptionError {
    /// The error as text, with what a host's configuration puts before the names
    /// of options.
    #[must_use]
    pub fn prefixed(&self, prefix: &'static str) -> impl fmt::Display {
        Prefixed {
            error: self,
            prefix,
        }
    }
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.prefixed("").fmt(f)
    }
}

impl Error for OptionError {}

struct Prefixed<'e> {
    error: &'e OptionError,
    prefix: &'static str,
}

impl fmt::Display for Prefixed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.prefix;
        match self.error {
            OptionError::NoStaleness => write!(
                f,
                "`{prefix}when_stale refuse-new` needs `{prefix}max_staleness`; write \
                 `{prefix}max_staleness 1h`, say"
            ),
            OptionError::NoStore => write!(
                f,
                "`{prefix}store` is missing; write `{prefix}store /var/lib/countersign/countersign.db`"
            ),
            OptionError::Tenant { key, why } => write!(f, "`{prefix}{key}`: {why}"),
            OptionError::Twice { key } => write!(f, "`{prefix}{key}` is given twice; keep one"),
            OptionError::Unknown { key } => {
                write!(f, "`{prefix}{key}` is unknown; known are ")?;
                known(f)
            }
            OptionError::Value {
                key,
                value,
                expected,
            } => write!(f, "`{prefix}{key} {value}`: write {expected}"),
        }
    }
}

/// The options that are single values.
#[derive(Default)]
struct OptionValues {
    store: Option<PathBuf>,
    broker: Option<String>,
    chain: ChainMode,
    default_tenant: Option<TenantId>,
    dynsec_tenant: Option<TenantId>,
    hash_budget: Percent,
    hash_round: Millis,
    hash_threads: Option<u16>,
    max_staleness: Option<Duration>,
    when_stale: WhenStale,
}

/// The names of all options, as a sentence lists them.
fn known(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let last = OPTIONS.len().saturating_sub(1);
    for (number, option) in OPTIONS.iter().enumerate() {
        let before = match number {
            0 => "",
            _ if number == last => " and ",
            _ => ", ",
        };
        write!(f, "{before}`{}`", option.name)?;
    }
    Ok(())
}

fn tenant(key: &str, value: &str) -> Result<TenantId, OptionError> {
    TenantId::parse(value).map_err(|why| OptionError::Tenant {
        key: key.into(),
        why,
    })
}

fn broker_name(text: &str) -> Option<String> {
    let good = (1..=LONGEST_BROKER).contains(&text.len()) && !text.chars().any(char::is_control);
    good.then(|| text.into())
}

fn threads(text: &str) -> Option<u16> {
    whole_number(text).filter(|threads| (1..=MOST_THREADS).contains(threads))
}

fn ports(text: &str) -> Option<Vec<u16>> {
    text.split(',').map(|text| port(text.trim())).collect()
}

fn port(text: &str) -> Option<u16> {
    whole_number(text).filter(|port| *port > 0)
}

/// Reads digits alone, where `parse` would also take a sign.
fn whole_number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

const LONGEST_BROKER: usize = 255;
const MOST_THREADS: u16 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_store_there_are_no_options() {
        assert_eq!(Options::parse([]), Err(OptionError::NoStore));
    }

    #[test]
    fn a_store_is_enough() {
        let options = Options::parse([("store", "/s.db")]).unwrap();
        assert_eq!(options.store, PathBuf::from("/s.db"));
        assert_eq!(options.chain, ChainMode::Final);
        assert_eq!(options.hash_budget.get(), 25);
        assert_eq!(options.hash_round.get(), Duration::from_millis(40));
        assert!(!options.needs_ports());
    }

    #[test]
    fn every_option_is_read() {
        let options = Options::parse([
            ("store", "/s.db"),
            ("broker", "b1"),
            ("chain", "defer"),
            ("default_tenant", "acme"),
            ("hash_budget", "50"),
            ("hash_round", "100"),
            ("hash_threads", "3"),
            ("listener_1884", "acme"),
            ("listener_1885", "other"),
            ("max_staleness", "90s"),
            ("tls_listeners", "8883, 8884"),
            ("when_stale", "refuse-new"),
        ])
        .unwrap();
        assert_eq!(options.broker.as_deref(), Some("b1"));
        assert_eq!(options.chain, ChainMode::Defer);
        assert_eq!(options.default_tenant, TenantId::parse("acme").ok());
        assert_eq!(options.hash_budget.get(), 50);
        assert_eq!(options.hash_round.get(), Duration::from_millis(100));
        assert_eq!(options.hash_threads, Some(3));
        assert_eq!(
            options.listeners.keys().copied().collect::<Vec<_>>(),
            [1884, 1885]
        );
        assert_eq!(options.max_staleness, Some(Duration::from_secs(90)));
        assert_eq!(options.tls_listeners, [8883, 8884]);
        assert_eq!(options.when_stale, WhenStale::RefuseNew);
        assert!(options.needs_ports());
    }

    #[test]
    fn who_refuses_when_stale_says_when_that_is() {
        let options = [("store", "/s.db"), ("when_stale", "refuse-new")];
        assert_eq!(Options::parse(options), Err(OptionError::NoStaleness));
    }

    #[test]
    fn a_bad_value_is_one_line_that_names_the_option() {
        for (key, value) in [
            ("store", ""),
            ("broker", ""),
            ("broker", "a\nb"),
            ("chain", "Final"),
            ("default_tenant", "ACME"),
            ("hash_budget", "0"),
            ("hash_budget", "101"),
            ("hash_budget", "+5"),
            ("hash_round", "0"),
            ("hash_round", "1001"),
            ("hash_round", "40ms"),
            ("hash_threads", "0"),
            ("hash_threads", "257"),
            ("hash_threads", ""),
            ("listener_1884", "a.b"),
            ("max_staleness", "0s"),
            ("max_staleness", "10"),
            ("tls_listeners", ""),
            ("tls_listeners", "8883,"),
            ("tls_listeners", "0"),
            ("tls_listeners", "65536"),
            ("when_stale", "refuse"),
        ] {
            let error = Options::parse([(key, value)]).unwrap_err();
            for (shown, prefix) in [
                (error.to_string(), ""),
                (error.prefixed("p_").to_string(), "p_"),
            ] {
                assert!(shown.starts_with(&format!("`{prefix}{key}")), "{shown}");
                assert!(!shown.contains('\n'), "{shown}");
            }
        }
    }

    #[test]
    fn an_unknown_option_lists_the_known_ones() {
        for key in [
            "stor",
            "listener_",
            "listener_x",
            "listener_0",
            "listener_+1",
            "STORE",
            "",
        ] {
            let error = Options::parse([("store", "/s.db"), (key, "x")]).unwrap_err();
            assert_eq!(error, OptionError::Unknown { key: key.into() });
            assert!(error.to_string().contains("`hash_budget`"), "{error}");
        }
    }

    #[test]
    fn every_option_that_is_listed_is_known() {
        for option in OPTIONS {
            let name = option.name.replace("PORT", "1884");
            let parsed = Options::parse([("store", "/s.db"), (&name, "")]);
            let unknown = matches!(parsed, Err(OptionError::Unknown { .. }));
            assert!(!unknown, "{name}");
        }
    }

    #[test]
    fn an_option_is_given_once() {
        let error = Options::parse([("store", "/a"), ("store", "/b")]).unwrap_err();
        assert_eq!(
            error,
            OptionError::Twice {
                key: "store".into()
            }
        );
    }
}
