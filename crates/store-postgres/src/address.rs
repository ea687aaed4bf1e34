//! The address of a store: which database, and how it is reached.

use core::fmt;
use core::str::FromStr;
use std::env;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use countersign_core::store::{StoreError, StoreErrorKind};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::error::Fault;
use crate::password_file;
use crate::place::Place;
use crate::service_file::{PASSWORD, Service};
use crate::tls::Tls;
use crate::tls_words::TlsWords;

/// The address of a database, `postgres://USER@HOST/DATABASE`.
///
/// It holds no password: that comes from the file that `PGPASSFILE` names, or else
/// `~/.pgpass`. Other hosts than this one are reached by TLS, whose certificate must be
/// theirs: `sslrootcert=FILE` says who signs it. `service=NAME` takes what is missing from
/// the file of services.
#[derive(Clone)]
pub struct Address {
    /// As it was said.
    url: Arc<str>,
    pub(crate) config: Config,
    pub(crate) tls: Option<Tls>,
    pub(crate) place: Place,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// Returns kind `Unavailable`, with what is wrong with it.
    pub fn parse(url: &str) -> Result<Self, StoreError> {
        parse(url).map_err(|wrong| {
            StoreError::new("read the store's address", StoreErrorKind::Unavailable)
                .with_detail(wrong)
        })
    }

    /// Reads it anew, with the files that it names: passwords and certificates are renewed.
    pub(crate) fn read_again(&self) -> Result<Self, Fault> {
        parse(&self.url).map_err(Fault::Address)
    }
}

/// Without the password that it was given.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.place)
    }
}

fn parse(url: &str) -> Result<Address, String> {
    if !SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
        return Err(FORM.into());
    }
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let mut kept = Vec::new();
    let mut tls_words = TlsWords::default();
    let mut service = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or(FORM)?;
        let word = unescaped(value).ok_or(FORM)?;
        match key {
            PASSWORD => return Err(NO_PASSWORD.into()),
            "service" => service = Some(word),
            _ if TlsWords::are_of(key) => tls_words.put(key, &word),
            _ => kept.push(pair),
        }
    }
    let rest = if kept.is_empty() {
        base.to_owned()
    } else {
        format!("{base}?{}", kept.join("&"))
    };
    // What is wrong with it may be a password.
    let mut config = Config::from_str(&rest).map_err(|_| FORM)?;
    if config.get_password().is_some() {
        return Err(NO_PASSWORD.into());
    }
    let named = || env::var("PGSERVICE").ok().filter(|name| !name.is_empty());
    if let Some(name) = service.or_else(named) {
        add_service(&mut config, &mut tls_words, &name)?;
    }
    if config.get_hosts().is_empty() {
        return Err("it names no host; a socket is `?host=FOLDER`".into());
    }
    if config.get_dbname().is_none() {
        return Err("it names no database".into());
    }
    let mut addresses = config.get_hostaddrs().iter();
    let is_here =
        config.get_hosts().iter().all(is_this_machine) && addresses.all(IpAddr::is_loopback);
    let tls = tls_words.resolve(config.get_hosts(), is_here)?;
    config
        .ssl_mode(if tls.is_some() {
            SslMode::Require
        } else {
            SslMode::Disable
        })
        .application_name("countersign")
        .connect_timeout(CONNECT)
        .tcp_user_timeout(SILENCE)
        .keepalives_idle(SILENCE);
    if config.get_password().is_none()
        && let Some(password) = password_file::password_for(&config)
    {
        config.password(password.as_bytes());
    }
    let place = Place::of(&config);
    Ok(Address {
        url: url.into(),
        config,
        tls,
        place,
    })
}

/// Adds what the file of services says of one, as far as the address does not say it.
fn add_service(config: &mut Config, tls_words: &mut TlsWords, name: &str) -> Result<(), String> {
    let service = Service::find(name)?;
    let wrong = |key: &str| format!("`{key}` of the service `{name}` is not valid");
    // Host and port belong together.
    let has_host = !config.get_hosts().is_empty();
    let has_target = config.get_target_session_attrs() != TargetSessionAttrs::Any;
    for (key, value) in service.words() {
        match key {
            "host" | "hostaddr" | "port" if has_host => {}
            "host" => {
                for host in value.split(',') {
                    config.host(host);
                }
            }
            "hostaddr" => {
                for address in value.split(',') {
                    config.hostaddr(address.parse().map_err(|_| wrong(key))?);
                }
            }
            "port" => {
                for port in value.split(',') {
                    config.port(port.parse().map_err(|_| wrong(key))?);
                }
            }
            "user" if config.get_user().is_none() => {
                config.user(value);
            }
            "dbname" if config.get_dbname().is_none() => {
                config.dbname(value);
            }
            "user" | "dbname" => {}
            PASSWORD => {
                config.password(value);
            }
            "target_session_attrs" if has_target => {}
            "target_session_attrs" if value == "read-write" => {
                config.target_session_attrs(TargetSessionAttrs::ReadWrite);
            }
            "target_session_attrs" if value == "any" => {}
            _ if TlsWords::are_of(key) => tls_words.put(key, value),
            "application_name" | "connect_timeout" => {}
            _ => {
                return Err(format!(
                    "the service `{name}` says `{key}`, which is not taken; leave it out"
                ));
            }
        }
    }
    Ok(())
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            let ip: Option<IpAddr> = name.parse().ok();
            name == "localhost" || ip.is_some_and(|ip| ip.is_loopback())
        }
    }
}

/// The text without `%2F` and the like.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(core::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];
const FORM: &str = "it is `postgres://USER@HOST/DATABASE`";
const NO_PASSWORD: &str =
    "an address holds no password, which others would see; name a file of passwords by PGPASSFILE";

const CONNECT: Duration = Duration::from_secs(5);
/// As long as the other end may be silent.
const SILENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(url: &str) -> String {
        Address::parse(url).unwrap_err().to_string()
    }

    #[test]
    fn an_address_says_where_it_leads_and_never_who_goes_there() {
        let address = Address::parse("postgres://anna@localhost:5433/fleet").unwrap();
        assert_eq!(address.place.to_string(), "`fleet` at localhost:5433");
        assert!(address.tls.is_none());
        let address = Address::parse("postgresql:///fleet?host=/run/postgresql").unwrap();
        assert_eq!(
            format!("{address:?}"),
            "Address(`fleet` at /run/postgresql/.s.PGSQL.5432)"
        );
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated() {
        for url in [
            "postgres://anna:opensesame@localhost/fleet",
            "postgres://anna@localhost/fleet?password=opensesame",
            "postgres://anna:opensesame@local host:x/fleet?a",
        ] {
            let error = wrong(url);
            assert!(!error.contains("opensesame"), "{error}");
        }
        assert!(wrong("postgres://a:b@localhost/c").contains("PGPASSFILE"));
    }

    #[test]
    fn another_machine_is_reached_by_tls_alone() {
        for url in [
            "postgres://db.example/fleet?sslmode=disable",
            "postgres://db.example/fleet?sslmode=prefer",
            "postgres://localhost,db.example/fleet?sslmode=disable",
            "postgres://localhost/fleet?sslmode=require",
            "postgres://localhost/fleet?hostaddr=203.0.113.5&sslmode=disable",
        ] {
            assert!(wrong(url).contains("sslmode"), "{url}");
        }
        let roots = "/nowhere/roots.pem";
        let url = format!("postgres://db.example/fleet?sslrootcert={roots}");
        assert!(wrong(&url).contains(roots));
    }

    #[test]
    fn what_is_no_address_is_told_the_form_of_one() {
        for url in [
            "",
            "fleet.db",
            "postgres://",
            "postgres://localhost",
            "mysql://a/b",
        ] {
            assert!(Address::parse(url).is_err(), "{url}");
        }
    }
}
