//! Addresses: ranges of them, whose word about addresses counts, and which client a
//! request comes from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName};

/// A range of addresses: `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Network {
    first: u128,
    length: u8,
}

impl Network {
    /// Says whether an address lies in it.
    #[must_use]
    pub fn holds(self, address: IpAddr) -> bool {
        first_of(bits(address), self.length) == self.first
    }

    /// The network that one client may be taken to have for itself: an address of
    /// IPv4, 64 bits of IPv6.
    #[must_use]
    pub fn of_client(address: IpAddr) -> Self {
        let length = match address.to_canonical() {
            IpAddr::V4(_) => 128,
            IpAddr::V6(_) => 64,
        };
        Self {
            first: first_of(bits(address), length),
            length,
        }
    }

    /// What tells it from others of the same length.
    pub(crate) fn key(self) -> u128 {
        self.first
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let error = || NetworkError(text.into());
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let most: u8 = match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        let length = match length {
            None => most,
            Some(length) => {
                let is_number = !length.is_empty() && length.bytes().all(|it| it.is_ascii_digit());
                let length = length.parse().ok().filter(|length| *length <= most);
                length.filter(|_| is_number).ok_or_else(error)?
            }
        };
        let length = length.saturating_add(128_u8.saturating_sub(most));
        let first = bits(address);
        // What is not the first address of its range was meant otherwise.
        if first_of(first, length) != first {
            return Err(error());
        }
        Ok(Self { first, length })
    }
}

/// A text is not a range of addresses.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is not an address or a range of them, such as `10.0.0.0/8`")]
pub struct NetworkError(Box<str>);

/// The bits of an address; those of IPv4 are where IPv6 has room for them.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The first address of the range that these bits lie in.
fn first_of(bits: u128, length: u8) -> u128 {
    let others = 128_u32.saturating_sub(length.into());
    u128::MAX.checked_shl(others).unwrap_or(0) & bits
}

/// The proxies whose word about addresses counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustedProxies(pub(crate) Vec<Network>);

impl TrustedProxies {
    /// Says whether a peer is one of them.
    pub(crate) fn are(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.holds(address))
    }

    /// Where a request comes from that `peer` handed over: the last address, read from
    /// the right, that is not one of the proxies. What a client claimed stands further
    /// to the left.
    ///
    /// A proxy writes one of the two headers and may hand on the other as a client sent
    /// it. Where both are there, neither is believed.
    pub(crate) fn client_of(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.are(peer) {
            return peer;
        }
        let listed = match (headers.get(&FORWARDED), headers.get(&X_FORWARDED_FOR)) {
            (None, Some(_)) => elements(headers, &X_FORWARDED_FOR)
                .map(|text| plain_address(&text))
                .collect(),
            (Some(_), None) => elements(headers, &FORWARDED)
                .map(|text| forwarded_address(&text))
                .collect(),
            (None, None) | (Some(_), Some(_)) => Vec::new(),
        };
        let mut nearest = peer;
        for address in listed.into_iter().rev() {
            // Whatever stands left of what is no address was not told by a proxy.
            let Some(address) = address else {
                return nearest;
            };
            nearest = address.to_canonical();
            if !self.are(nearest) {
                return nearest;
            }
        }
        nearest
    }
}

/// The elements of a header that is a list, from left to right.
fn elements(headers: &HeaderMap, name: &HeaderName) -> impl Iterator<Item = String> {
    let values = headers.get_all(name).iter();
    let texts = values.map(|value| value.to_str().unwrap_or_default().to_owned());
    texts
        .flat_map(|text| {
            let elements: Vec<_> = text.split(',').map(|it| it.trim().to_owned()).collect();
            elements
        })
        .collect::<Vec<_>>()
        .into_iter()
}

/// An address as `X-Forwarded-For` has it, perhaps with a port.
fn plain_address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    if let Some((address, port)) = text.rsplit_once(':')
        && port.parse::<u16>().is_ok()
        && let Ok(address) = address.parse::<Ipv4Addr>()
    {
        return Some(address.into());
    }
    let (address, after) = text.strip_prefix('[')?.split_once(']')?;
    let is_port = |after: &str| after.strip_prefix(':')?.parse::<u16>().ok();
    if !after.is_empty() {
        is_port(after)?;
    }
    address.parse::<Ipv6Addr>().ok().map(Into::into)
}

/// The address that an element of `Forwarded` names (RFC 7239 §5.2).
fn forwarded_address(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    let value = value.trim();
    let unquoted = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    plain_address(unquoted.unwrap_or(value))
}

static FORWARDED: HeaderName = HeaderName::from_static("forwarded");
static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_holds_what_begins_as_it_does() {
        for (range, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "255.255.255.255", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::1", "::1", "::2"),
        ] {
            assert!(network(range).holds(address(inside)), "{range} {inside}");
            assert!(!network(range).holds(address(outside)), "{range} {outside}");
        }
        assert!(network("10.0.0.0/8").holds(address("::ffff:10.1.2.3")));
        for wrong in [
            "",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "a/8",
        ] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_tells_addresses_and_the_nearest_unknown_one_counts() {
        let proxies = TrustedProxies(vec![network("10.0.0.0/8"), network("fd00::/8")]);
        for (peer, header, value, client) in [
            // Nobody's word counts who is not trusted.
            ("192.0.2.1", "x-forwarded-for", "198.51.100.7", "192.0.2.1"),
            (
                "10.0.0.1",
                "x-forwarded-for",
                "198.51.100.7",
                "198.51.100.7",
            ),
            // What the client claimed stands left.
            (
                "10.0.0.1",
                "x-forwarded-for",
                "127.0.0.1, 198.51.100.7",
                "198.51.100.7",
            ),
            (
                "10.0.0.1",
                "x-forwarded-for",
                "198.51.100.7, 10.0.0.2",
                "198.51.100.7",
            ),
            (
                "10.0.0.1",
                "x-forwarded-for",
                "198.51.100.7:4711",
                "198.51.100.7",
            ),
            (
                "10.0.0.1",
                "x-forwarded-for",
                "[2001:db8::1]:80",
                "2001:db8::1",
            ),
            (
                "10.0.0.1",
                "x-forwarded-for",
                "198.51.100.7, nonsense",
                "10.0.0.1",
            ),
            ("10.0.0.1", "x-forwarded-for", "", "10.0.0.1"),
            (
                "10.0.0.1",
                "x-forwarded-for",
                "10.0.0.3, 10.0.0.2",
                "10.0.0.3",
            ),
            (
                "10.0.0.1",
                "forwarded",
                "for=198.51.100.7;proto=https",
                "198.51.100.7",
            ),
            (
                "10.0.0.1",
                "forwarded",
                "by=x; For=\"[2001:db8::1]:8080\"",
                "2001:db8::1",
            ),
            (
                "10.0.0.1",
                "forwarded",
                "for=127.0.0.1, for=198.51.100.7",
                "198.51.100.7",
            ),
            ("10.0.0.1", "forwarded", "for=unknown", "10.0.0.1"),
            ("fd00::1", "forwarded", "for=_hidden", "fd00::1"),
            (
                "::ffff:10.0.0.1",
                "x-forwarded-for",
                "::ffff:198.51.100.7",
                "198.51.100.7",
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header, value.parse().unwrap());
            let found = proxies.client_of(address(peer), &headers);
            assert_eq!(found, address(client), "{peer} {header}: {value}");
        }
        let mut both = HeaderMap::new();
        both.insert("forwarded", "for=127.0.0.1".parse().unwrap());
        both.insert("x-forwarded-for", "198.51.100.7".parse().unwrap());
        assert_eq!(
            proxies.client_of(address("10.0.0.1"), &both),
            address("10.0.0.1")
        );
    }
}
