//! Bans: client ids and networks whose clients are refused before anything is looked
//! up.

use core::fmt;
use core::net::IpAddr;
use std::collections::HashMap;

use crate::client_id::ClientIdTie;
use crate::name::TenantId;
use crate::network::Network;
use crate::time::Timestamp;

use self::steps::Steps;

pub use self::auto::{AutoBan, AutoBanError, AutoBanRule, FailureTimes};

mod auto;
mod steps;

/// The number of a ban.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BanId(pub i64);

impl BanId {
    /// Parses a number, as a list of bans shows it.
    ///
    /// # Errors
    ///
    /// Returns [`BanIdError`] for any other text.
    pub fn parse(text: &str) -> Result<Self, BanIdError> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_number);
        number.map(Self).ok_or(BanIdError)
    }
}

impl fmt::Display for BanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text is no number of a ban.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the id of a ban is a number, as `ban list` shows it")]
pub struct BanIdError;

/// Whose logins are refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum BanTarget {
    /// Those with this client id: of all, or of the principals of one tenant. A client
    /// id may be a secret, so a ban holds its hash alone.
    ClientId(ClientIdTie, Option<TenantId>),
    /// Those from these addresses.
    Network(Network),
}

/// A ban as it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ban {
    /// Its number.
    pub id: BanId,
    /// Whose logins it refuses.
    pub target: BanTarget,
    /// What people are shown of a client id; of a network, the network.
    pub shown: String,
    /// From when on it counts no more.
    pub until: Option<Timestamp>,
    /// Why it was made.
    pub reason: Option<String>,
    /// Who made it, as the audit calls them.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Ban {
    /// Says whether it counts.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// A client that wants to be let in, or is, as far as bans ask.
#[derive(Clone, Copy, Debug)]
pub struct BanSubject<'a> {
    /// Its address; none where that is not known, or its own word.
    pub address: Option<IpAddr>,
    /// Its client id.
    pub client_id: &'a ClientIdTie,
    /// The id of the tenant whose principal it is, or says it is.
    pub tenant: Option<&'a str>,
}

impl BanSubject<'_> {
    /// What bans that refuse it may be of.
    pub fn targets(&self) -> impl Iterator<Item = BanTarget> {
        let tie = *self.client_id;
        let of_tenant = self
            .tenant
            .and_then(|id| TenantId::parse(id).ok())
            .map(Some);
        let ids = [None].into_iter().chain(of_tenant);
        let ids = ids.map(move |tenant| BanTarget::ClientId(tie, tenant));
        let networks = self.address.into_iter().flat_map(Network::holding);
        ids.chain(networks.map(BanTarget::Network))
    }
}

/// All bans of a store, laid out to be asked for each CONNECT.
///
/// How long an answer takes depends on the logarithm of the number of bans, and
/// whatever a client presents.
#[derive(Debug, Default)]
pub struct BanSet {
    networks: Steps,
    client_ids: HashMap<ClientIdTie, Vec<(Option<TenantId>, Timestamp)>>,
}

impl BanSet {
    /// Lays out bans, by what they refuse and from when on they count no more.
    #[must_use]
    pub fn new<'a>(bans: impl IntoIterator<Item = (&'a BanTarget, Option<Timestamp>)>) -> Self {
        let mut networks = Vec::new();
        let mut client_ids: HashMap<_, Vec<_>> = HashMap::new();
        for (target, until) in bans {
            let until = until.unwrap_or(NEVER);
            match target {
                BanTarget::Network(network) => {
                    let (first, last) = network.ends();
                    networks.push((first, last, until));
                }
                BanTarget::ClientId(tie, tenant) => {
                    let of_id = client_ids.entry(*tie).or_default();
                    of_id.push((tenant.clone(), until));
                }
            }
        }
        Self {
            networks: Steps::new(networks),
            client_ids,
        }
    }

    /// Says whether nobody is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty() && self.client_ids.is_empty()
    }

    /// Says whether a client is refused.
    #[must_use]
    pub fn refuses(&self, subject: &BanSubject<'_>, now: Timestamp) -> bool {
        subject.address.is_some_and(|it| self.has_address(it, now))
            || self.has_client_id(subject.client_id, subject.tenant, now)
    }

    /// Says whether an address is banned.
    #[must_use]
    pub fn has_address(&self, address: IpAddr, now: Timestamp) -> bool {
        let (bits, _) = Network::of(address).ends();
        let until = self.networks.at(bits);
        until.is_some_and(|until| now < until)
    }

    fn has_client_id(&self, tie: &ClientIdTie, tenant: Option<&str>, now: Timestamp) -> bool {
        if self.client_ids.is_empty() {
            return false;
        }
        let bans = self.client_ids.get(tie).into_iter().flatten();
        bans.into_iter().any(|(of, until)| {
            now < *until && of.as_ref().is_none_or(|of| Some(of.as_str()) == tenant)
        })
    }
}

/// So many bans there are, those that ended lately among them.
pub const MOST_BANS: u64 = 131_072;

/// So many bans there are at most when one is made that nobody asked for: there is room
/// for those of people.
pub const MOST_BANS_BEFORE_AUTOMATIC: u64 = MOST_BANS / 2;

/// The end of a ban that has none.
const NEVER: Timestamp = Timestamp::from_millis(i64::MAX);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn network(text: &str) -> BanTarget {
        BanTarget::Network(text.parse().unwrap())
    }

    fn refuses(bans: &[(BanTarget, Option<i64>)], address: &str, now: i64) -> bool {
        let bans = bans.iter().map(|(target, until)| (target, until.map(at)));
        let subject = BanSubject {
            address: Some(address.parse().unwrap()),
            client_id: &ClientIdTie::of("c"),
            tenant: None,
        };
        BanSet::new(bans).refuses(&subject, at(now))
    }

    #[test]
    fn an_address_is_refused_while_any_of_its_networks_is() {
        let bans = [
            (network("192.0.2.0/24"), Some(50)),
            (network("192.0.2.64/26"), Some(20)),
            (network("192.0.2.65"), None),
            (network("2001:db8::/32"), Some(50)),
        ];
        for (address, now, is_refused) in [
            ("192.0.1.255", 10, false),
            ("192.0.2.0", 10, true),
            ("192.0.2.64", 30, true),
            ("192.0.2.64", 50, false),
            ("192.0.2.65", 60, true),
            ("192.0.2.66", 60, false),
            ("192.0.2.255", 49, true),
            ("192.0.3.0", 10, false),
            ("::ffff:192.0.2.65", 60, true),
            ("2001:db8:ffff::1", 10, true),
            ("2001:db9::", 10, false),
            ("::c000:241", 10, false),
        ] {
            assert_eq!(refuses(&bans, address, now), is_refused, "{address} {now}");
        }
    }

    #[test]
    fn networks_that_hold_all_addresses_have_an_end() {
        assert!(refuses(
            &[(network("0.0.0.0/0"), None)],
            "255.255.255.255",
            1
        ));
        assert!(!refuses(&[(network("0.0.0.0/0"), None)], "2001:db8::1", 1));
        assert!(refuses(&[(network("::/0"), None)], "192.0.2.1", 1));
        assert!(refuses(&[(network("0.0.0.0/0"), None)], "0.0.0.0", 1));
        let last = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        assert!(refuses(&[(network("::/0"), None)], last, 1));
        assert!(refuses(&[(network(last), None)], last, 1));
        assert!(!refuses(&[(network(last), None)], "::", 1));
    }

    /// Held against a look at each network in turn.
    #[test]
    fn of_many_networks_an_address_is_refused_by_those_that_hold_it() {
        let mut seed = 7_u64;
        let mut draw = |below: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for _ in 0..50 {
            let bans: Vec<_> = (0..200)
                .map(|_| {
                    let address = format!("10.0.{}.{}", draw(2), draw(256)).parse().unwrap();
                    let length = usize::try_from(draw(13)).unwrap();
                    let until = [None, Some(5), Some(9)][usize::try_from(draw(3)).unwrap()];
                    (Network::holding(address).nth(length).unwrap(), until)
                })
                .collect();
            let targets: Vec<_> = bans
                .iter()
                .map(|(network, until)| (BanTarget::Network(*network), *until))
                .collect();
            for _ in 0..100 {
                let address = format!("10.0.{}.{}", draw(3), draw(256));
                let now = [1, 5, 9][usize::try_from(draw(3)).unwrap()];
                let expected = bans.iter().any(|(network, until)| {
                    network.holds(address.parse().unwrap()) && until.is_none_or(|it| now < it)
                });
                assert_eq!(
                    refuses(&targets, &address, now),
                    expected,
                    "{address} {now}"
                );
            }
        }
    }

    #[test]
    fn a_ban_of_a_tenant_refuses_its_own_principals_alone() {
        let acme = TenantId::parse("acme").unwrap();
        let tie = ClientIdTie::of("pump");
        let of_acme = BanTarget::ClientId(tie, Some(acme));
        let of_all = BanTarget::ClientId(tie, None);
        let refuses = |ban: &BanTarget, client_id, tenant, now| {
            let set = BanSet::new([(ban, Some(at(5)))]);
            let subject = BanSubject {
                address: None,
                client_id: &ClientIdTie::of(client_id),
                tenant,
            };
            set.refuses(&subject, at(now))
        };
        assert!(refuses(&of_acme, "pump", Some("acme"), 1));
        assert!(!refuses(&of_acme, "pump", Some("acme"), 5));
        assert!(!refuses(&of_acme, "pump", Some("other"), 1));
        assert!(!refuses(&of_acme, "pump", None, 1));
        assert!(refuses(&of_all, "pump", Some("other"), 1));
        assert!(refuses(&of_all, "pump", None, 1));
        assert!(!refuses(&of_all, "Pump", None, 1));
    }

    #[test]
    fn the_id_of_a_ban_is_a_number() {
        assert_eq!(BanId::parse("17"), Ok(BanId(17)));
        for text in ["", "-1", "+1", "1x", "99999999999999999999"] {
            assert_eq!(BanId::parse(text), Err(BanIdError), "{text}");
        }
    }
}
