//! Listeners: where clients arrive.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{Security, Source, Sourced, is_on};

/// A port, or a socket in the file system, that clients arrive at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListenerConfig {
    /// The line that opens it.
    pub at: Source,
    /// The address that it is bound to, or the path of its socket; all
    /// addresses if there is none.
    pub bind: Option<String>,
    /// What opens it.
    pub opened: OpenedBy,
    /// Its port; 0 where it is a socket in the file system.
    pub port: u16,
    /// What it speaks, if that is said: `mqtt`, `websockets`, `http_api`.
    pub protocol: Option<Sourced<String>>,
    /// What is set for this listener alone.
    pub security: Security,
    /// Whether it has a certificate of its own, or a hint for shared keys.
    pub tls: Option<Source>,
    /// Whether clients must show a certificate.
    pub require_certificate: Option<Sourced<bool>>,
    /// Whether the name comes from the certificate's CN, or is the identity of
    /// the shared key.
    pub use_identity_as_username: Option<Sourced<bool>>,
    /// Whether the name is the certificate's subject.
    pub use_subject_as_username: Option<Sourced<bool>>,
    /// Whether the client id is the name.
    pub use_username_as_clientid: Option<Sourced<bool>>,
}

/// What opens a listener.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum OpenedBy {
    /// A `listener` line.
    ByListener,
    /// `port` or `bind_address`, the old way.
    ByPort,
    /// A listener's setting that stands above all listeners of its file: it
    /// opens the default listener besides.
    BySetting(String),
}

impl ListenerConfig {
    pub(crate) fn new(at: Source, port: u16, bind: Option<String>, opened: OpenedBy) -> Self {
        Self {
            at,
            bind,
            opened,
            port,
            protocol: None,
            security: Security::default(),
            tls: None,
            require_certificate: None,
            use_identity_as_username: None,
            use_subject_as_username: None,
            use_username_as_clientid: None,
        }
    }

    /// Says whether this is 2.1's door for HTTP.
    #[must_use]
    pub fn is_http_api(&self) -> bool {
        self.speaks("http_api")
    }

    /// Says whether clients arrive here over WebSockets.
    #[must_use]
    pub fn is_websockets(&self) -> bool {
        self.speaks("websockets")
    }

    /// Says whether a client's user name is what its certificate, or its pre-shared
    /// key, says.
    #[must_use]
    pub fn is_name_certified(&self) -> bool {
        let words = [
            &self.use_identity_as_username,
            &self.use_subject_as_username,
        ];
        words.iter().any(|word| is_on(word.as_ref()))
    }

    /// Says whether it speaks this protocol.
    #[must_use]
    pub fn speaks(&self, protocol: &str) -> bool {
        let said = self.protocol.as_ref();
        said.map_or("mqtt", |said| &said.value) == protocol
    }

    /// Says whether a broker can't have both, as one takes the other's port.
    #[must_use]
    pub fn collides(&self, other: &Self) -> bool {
        if self.port != other.port || self.port == 0 {
            return false;
        }
        let (mine, others) = (self.addresses(), other.addresses());
        match (&mine, &others) {
            (Addresses::Named(mine), Addresses::Named(others)) => mine == others,
            // What a name stands for is not looked up.
            (Addresses::Named(_), Addresses::These(these))
            | (Addresses::These(these), Addresses::Named(_)) => {
                these.iter().any(IpAddr::is_unspecified)
            }
            (Addresses::These(mine), Addresses::These(others)) => mine.iter().any(|one| {
                others.iter().any(|other| {
                    one.is_ipv4() == other.is_ipv4()
                        && (one == other || one.is_unspecified() || other.is_unspecified())
                })
            }),
        }
    }

    fn addresses(&self) -> Addresses<'_> {
        let Some(bind) = self.bind.as_deref() else {
            return Addresses::These(vec![
                Ipv4Addr::UNSPECIFIED.into(),
                Ipv6Addr::UNSPECIFIED.into(),
            ]);
        };
        if bind.eq_ignore_ascii_case("localhost") {
            return Addresses::These(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        match bind.parse() {
            Ok(address) => Addresses::These(vec![address]),
            Err(_) => Addresses::Named(bind),
        }
    }
}

/// What a listener is bound to.
enum Addresses<'a> {
    Named(&'a str),
    These(Vec<IpAddr>),
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn on(port: u16, bind: &str) -> ListenerConfig {
        let at = Source {
            file: Path::new("m.conf").into(),
            line: 1,
        };
        let bind = Some(bind).filter(|bind| !bind.is_empty()).map(Into::into);
        ListenerConfig::new(at, port, bind, OpenedBy::ByListener)
    }

    #[test]
    fn listeners_collide_where_their_addresses_meet() {
        for (one, other, collide) in [
            ("", "", true),
            ("", "127.0.0.1", true),
            ("0.0.0.0", "10.0.0.1", true),
            ("localhost", "127.0.0.1", true),
            ("::1", "localhost", true),
            ("broker.lan", "broker.lan", true),
            ("broker.lan", "", true),
            ("127.0.0.1", "10.0.0.1", false),
            ("127.0.0.1", "::1", false),
            ("0.0.0.0", "::", false),
            ("broker.lan", "127.0.0.1", false),
        ] {
            assert_eq!(
                on(1883, one).collides(&on(1883, other)),
                collide,
                "{one} {other}"
            );
            assert_eq!(
                on(1883, other).collides(&on(1883, one)),
                collide,
                "{one} {other}"
            );
            assert!(!on(1883, one).collides(&on(1884, other)));
        }
        assert!(!on(0, "/run/a.sock").collides(&on(0, "/run/a.sock")));
    }
}
