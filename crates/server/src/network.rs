//! Addresses: whose word about them counts, and which client a request comes from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::{HeaderMap, HeaderName};
use countersign_core::network::Network;

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
