//! The options that there are, for messages and documents.

/// An option.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KnownOption {
    /// Its name, without what a host's configuration puts before it.
    pub name: &'static str,
    /// What its value can be.
    pub value: &'static str,
    /// What holds where it is not given.
    pub without: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// All options, in the order in which they are told.
pub const OPTIONS: &[KnownOption] = &[
    KnownOption {
        name: "store",
        value: PATH,
        without: "the broker does not start",
        about: "where the store lies, by its whole path",
    },
    KnownOption {
        name: "broker",
        value: BROKER,
        without: "the host's name",
        about: "this broker's name, in `clients list` and the audit; each broker of a store has \
                another",
    },
    KnownOption {
        name: "chain",
        value: CHAIN,
        without: "`final`",
        about: "`final`: Countersign answers for all names; `defer`: about names that it does not \
                know others are asked",
    },
    KnownOption {
        name: "default_tenant",
        value: TENANT,
        without: "the tenant that owns the first topic they touch",
        about: "the tenant of clients without a login. Set it where a tenant is `optional` or \
                `off`, else a session works in none before its client speaks; who comes back for \
                a stored one works where it did before",
    },
    KnownOption {
        name: "dynsec_tenant",
        value: TENANT,
        without: "such commands are not taken",
        about: "the tenant that the commands of Mosquitto's dynamic-security are about, which its \
                tools publish on `$CONTROL/dynamic-security/v1`",
    },
    KnownOption {
        name: "listener_PORT",
        value: TENANT,
        without: "the port takes all tenants",
        about: "the only tenant that this port takes; Mosquitto 2.1",
    },
    KnownOption {
        name: "max_staleness",
        value: STALENESS,
        without: "a replica is never stale",
        about: "how long a replica of a fleet may not have heard from its centre, which it does \
                every 2 s, before it is stale",
    },
    KnownOption {
        name: "tls_listeners",
        value: PORTS,
        without: "logins of such schemes are refused",
        about: "the ports behind TLS, for schemes that want TLS; Mosquitto 2.1",
    },
    KnownOption {
        name: "when_stale",
        value: WHEN_STALE,
        without: "`serve`",
        about: "while a replica is stale, `refuse-new` refuses logins; sessions go on; `serve` \
                goes on, and the log says that it is stale",
    },
    KnownOption {
        name: "hash_threads",
        value: THREADS,
        without: "one less than there are cores, at least one",
        about: "how many threads check passwords",
    },
    KnownOption {
        name: "hash_budget",
        value: PERCENT,
        without: "25",
        about: "percent of the time that password checks may stop the broker",
    },
    KnownOption {
        name: "hash_round",
        value: MILLIS,
        without: "40",
        about: "milliseconds for which password checks may stop the broker at once",
    },
];

pub(super) const BROKER: &str = "a name of 1 to 255 bytes without control characters";
pub(super) const CHAIN: &str = "`final` or `defer`";
pub(super) const MILLIS: &str = "a whole number from 1 to 1000";
pub(super) const PATH: &str = "the path of the store";
pub(super) const PERCENT: &str = "a whole number from 1 to 100";
pub(super) const PORTS: &str = "port numbers joined by commas, like `8883,8884`";
pub(super) const STALENESS: &str = "a duration: `90s`, `15m`, `24h`, `30d`";
pub(super) const THREADS: &str = "a whole number from 1 to 256";
pub(super) const WHEN_STALE: &str = "`refuse-new` or `serve`";
const TENANT: &str = "the id of a tenant";
