//! Hooks: what brokers of other makers ask of the service over HTTP.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use crate::given::Given;
use crate::name::TenantId;
use crate::network::Network;
use crate::seal::Sealed;
use crate::secret::SecretDigest;
use crate::time::Timestamp;
use crate::url;

/// A hook: one broker, or several that are configured alike, and what they are asked
/// for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hook {
    /// Its name, which is that of its broker too.
    pub name: HookName,
    /// Whose requests it takes.
    pub kind: HookKind,
    /// The only tenant whose principals it lets in; none is all.
    pub tenant: Option<TenantId>,
    /// Where its requests may come from; none is the machine of the service.
    pub from: Vec<Network>,
    /// What its secret is known by.
    pub digest: SecretDigest,
    /// Where its broker is asked to end sessions, if it is.
    pub kick: Option<Kick>,
    /// The virtual hosts that clients may use, where its broker has such.
    pub vhosts: Vec<Vhost>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was given its secret.
    pub rotated_at: Timestamp,
}

impl Hook {
    /// Says whether requests may come from an address.
    #[must_use]
    pub fn takes(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if self.from.is_empty() {
            return address.is_loopback();
        }
        self.from.iter().any(|network| network.holds(address))
    }
}

/// The name of a virtual host of RabbitMQ: 1 to 255 bytes without a control character.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Vhost(Box<str>);

impl Vhost {
    /// The one that there is unless RabbitMQ is told otherwise.
    #[must_use]
    pub fn usual() -> Self {
        Self("/".into())
    }

    /// Parses a name.
    ///
    /// # Errors
    ///
    /// Returns [`VhostError`] when `text` has another shape.
    pub fn parse(text: &str) -> Result<Self, VhostError> {
        let is_short = (1..=LONGEST_VHOST).contains(&text.len());
        if is_short && !text.chars().any(char::is_control) {
            Ok(Self(text.into()))
        } else {
            Err(VhostError(text.into()))
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const LONGEST_VHOST: usize = 255;

/// A text can't be the name of a virtual host.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is not the name of a virtual host; it is 1 to {LONGEST_VHOST} bytes without a \
     control character"
)]
pub struct VhostError(Given);

/// Where a broker is asked to end sessions.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kick {
    /// The beginning of its addresses.
    pub url: KickUrl,
    /// Name and password for it, sealed for [`KICK_LOGIN`] and the hook's name.
    pub login: Option<Sealed>,
}

/// What name and password for a broker are sealed for.
pub const KICK_LOGIN: &str = "kick-login";

/// Where a broker takes orders: `https://HOST[:PORT][/PATH]`, or `http` on this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KickUrl(Box<str>);

impl KickUrl {
    /// Parses an address.
    ///
    /// # Errors
    ///
    /// Returns [`KickUrlError`] for anything else: what would send a password over a
    /// network in the clear, too.
    pub fn parse(text: &str) -> Result<Self, KickUrlError> {
        let given = Self(text.trim_end_matches('/').into());
        let is_good = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/' | b':')
        };
        let is_safe = given.parts().is_some_and(|(scheme, authority, path)| {
            let is_path = path.bytes().all(is_good) && !path.contains("//");
            let host = url::host_and_port(authority).filter(|_| is_path);
            host.is_some_and(|(host, _)| {
                let address = host.parse::<IpAddr>();
                let is_here = host == "localhost" || address.is_ok_and(|it| it.is_loopback());
                scheme == "https" || is_here
            })
        });
        if is_safe && text.len() <= LONGEST_URL {
            Ok(given)
        } else {
            Err(KickUrlError(text.into()))
        }
    }

    /// The scheme, the host with its port, and the path, which begins with a slash or
    /// is empty.
    #[must_use]
    pub fn parts(&self) -> Option<(&str, &str, &str)> {
        url::parts(&self.0).filter(|(scheme, ..)| matches!(*scheme, "http" | "https"))
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const LONGEST_URL: usize = 255;

/// A text is not where a broker takes orders.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is not where a broker takes orders; write `https://HOST:PORT`, or `http://` with an \
     address of this machine, and no name or password in it"
)]
pub struct KickUrlError(Given);

/// So many hooks there are at most: each has threads of its own.
pub const MOST_HOOKS: usize = 32;

/// From so many ranges of addresses a hook takes requests at most.
pub const MOST_RANGES: usize = 32;

/// Clients of a hook use so many virtual hosts at most.
pub const MOST_VHOSTS: usize = 32;

/// The name of a hook: 1 to 64 of `a-z`, `0-9`, `-`, `_` and `.`, beginning with a letter
/// or a digit.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HookName(Box<str>);

impl HookName {
    /// Parses a name.
    ///
    /// # Errors
    ///
    /// Returns [`HookNameError`] when `text` has another shape.
    pub fn parse(text: &str) -> Result<Self, HookNameError> {
        if is_name_of_broker(text) {
            Ok(Self(text.into()))
        } else {
            Err(HookNameError(text.into()))
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HookName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says whether a broker that is named by an administrator may have this name.
pub(crate) fn is_name_of_broker(text: &str) -> bool {
    let is_first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_good = |byte: u8| is_first(byte) || matches!(byte, b'-' | b'_' | b'.');
    let begins = text.bytes().next().is_some_and(is_first);
    begins && text.len() <= LONGEST_NAME && text.bytes().all(is_good)
}

const LONGEST_NAME: usize = 64;

/// A text can't be the name of a hook.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is not a valid name of a hook; it is 1 to 64 of `a-z`, `0-9`, `-`, `_` and `.`, and \
     begins with a letter or a digit"
)]
pub struct HookNameError(Given);

/// Whose requests a hook takes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum HookKind {
    /// EMQX 5.8 and later.
    Emqx,
    /// mosquitto-go-auth, and amqtt.
    GoAuth,
    /// RabbitMQ with `rabbitmq_auth_backend_http`.
    RabbitMq,
    /// rmqtt with `rmqtt-auth-http`.
    Rmqtt,
}

impl HookKind {
    /// All kinds, by name.
    pub const ALL: [Self; 4] = [Self::Emqx, Self::GoAuth, Self::RabbitMq, Self::Rmqtt];

    /// The kind as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Emqx => "emqx",
            Self::GoAuth => "goauth",
            Self::RabbitMq => "rabbitmq",
            Self::Rmqtt => "rmqtt",
        }
    }

    /// The last parts of the paths that its broker asks.
    #[must_use]
    pub const fn questions(self) -> &'static [&'static str] {
        match self {
            Self::Emqx => &["authn", "authz"],
            Self::GoAuth => &["user", "superuser", "acl"],
            Self::RabbitMq => &["user", "vhost", "resource", "topic"],
            Self::Rmqtt => &["auth", "acl"],
        }
    }

    /// Says whether its broker hands back what it was told of a client.
    #[must_use]
    pub const fn hands_back(self) -> bool {
        matches!(self, Self::Emqx | Self::RabbitMq)
    }

    /// Says whether its broker has virtual hosts, of which a client chooses one.
    #[must_use]
    pub const fn has_vhosts(self) -> bool {
        matches!(self, Self::RabbitMq)
    }

    /// Says whether its broker asks about each message that it is about to deliver.
    #[must_use]
    pub const fn checks_deliveries(self) -> bool {
        matches!(self, Self::GoAuth)
    }
}

impl FromStr for HookKind {
    type Err = HookKindError;

    fn from_str(text: &str) -> Result<Self, HookKindError> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|kind| kind.as_str() == text);
        found.ok_or_else(|| HookKindError(text.into()))
    }
}

impl fmt::Display for HookKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text is not a kind of hook.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is not a kind of hook; it is `emqx`, `goauth`, `rabbitmq` or `rmqtt`")]
pub struct HookKindError(Given);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn a_name_is_short_and_has_a_place_in_a_path() {
        let long = "a".repeat(LONGEST_NAME);
        for good in ["a", "0", "edge-1", "emqx.eu_west", &long] {
            assert_eq!(HookName::parse(good).unwrap().as_str(), good);
        }
        for wrong in ["", ".", "-a", "A", "a/b", "a b", "ä", &format!("{long}a")] {
            assert!(HookName::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_virtual_host_is_short_and_one_line() {
        let long = "a".repeat(LONGEST_VHOST);
        for good in ["/", "plant 1", "größe", &long] {
            assert_eq!(Vhost::parse(good).unwrap().as_str(), good);
        }
        for wrong in ["", "a\nb", "a\0", &format!("{long}a")] {
            assert!(Vhost::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_kind_reads_back_as_it_is_written() {
        for kind in HookKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert!("EMQX".parse::<HookKind>().is_err());
    }

    #[test]
    fn a_broker_takes_orders_where_no_password_goes_in_the_clear() {
        for good in [
            "http://127.0.0.1:18083",
            "http://localhost:15672/",
            "http://[::1]:6060/broker",
            "https://emqx.example:18084",
            "https://emqx.example/a/b",
        ] {
            let url = KickUrl::parse(good).unwrap();
            assert_eq!(url.as_str(), good.trim_end_matches('/'));
            assert!(url.parts().is_some());
        }
        for wrong in [
            "",
            "127.0.0.1:18083",
            "http://emqx.example",
            "http://10.0.0.1:1",
            "ftp://127.0.0.1",
            "https://",
            "https://user:word@emqx.example",
            "https://emqx.example:0",
            "https://emqx.example:x",
            "https://emqx.example/?a=b",
            "https://emqx.example//x",
            "https://emqx.example/a b",
            "https://emqx.example/\r\nX: y",
            "http://[::1",
            "http://[::2]:1",
        ] {
            assert!(KickUrl::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn requests_come_from_this_machine_unless_it_is_said_where_from() {
        let mut hook = Hook {
            name: HookName::parse("edge").unwrap(),
            kind: HookKind::Emqx,
            tenant: None,
            from: Vec::new(),
            digest: SecretDigest::of(&Secret::new(b"x".to_vec())),
            kick: None,
            vhosts: Vec::new(),
            created_at: Timestamp::from_millis(0),
            rotated_at: Timestamp::from_millis(0),
        };
        let takes = |hook: &Hook, text: &str| hook.takes(text.parse().unwrap());
        for loopback in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert!(takes(&hook, loopback), "{loopback}");
        }
        assert!(!takes(&hook, "10.0.0.1"));
        hook.from = vec!["10.0.0.0/8".parse().unwrap()];
        assert!(takes(&hook, "10.0.0.1") && takes(&hook, "::ffff:10.0.0.1"));
        assert!(!takes(&hook, "127.0.0.1") && !takes(&hook, "192.0.2.1"));
    }
}
