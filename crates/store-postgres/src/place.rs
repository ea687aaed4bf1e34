//! Where a store lies, as errors may say it.

use core::fmt;

use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// The hosts and the name of a database; neither who uses it nor how they prove that.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place(String);

impl Place {
    /// The database that this leads to.
    pub(crate) fn of(config: &Config) -> Self {
        let ports = config.get_ports();
        let hosts = config.get_hosts().iter().enumerate().map(|(index, host)| {
            let port = ports.get(index).or_else(|| ports.first());
            let port = port.copied().unwrap_or(PORT);
            match host {
                Host::Tcp(name) if name.contains(':') => format!("[{name}]:{port}"),
                Host::Tcp(name) => format!("{name}:{port}"),
                Host::Unix(folder) => format!("{}/.s.PGSQL.{port}", folder.display()),
            }
        });
        let hosts: Vec<_> = hosts.collect();
        let database = config.get_dbname().unwrap_or("?");
        Self(format!("`{database}` at {}", hosts.join(",")))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The port of PostgreSQL.
pub(crate) const PORT: u16 = 5_432;
