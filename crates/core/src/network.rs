//! Ranges of addresses.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use crate::given::Given;

/// A range of addresses: `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Network {
    first: u128,
    length: u8,
}

impl Network {
    /// The network of one address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self {
            first: bits(address),
            length: 128,
        }
    }

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

    /// The networks that an address lies in, from the address alone to all addresses.
    pub fn holding(address: IpAddr) -> impl Iterator<Item = Self> {
        let bits = bits(address);
        (0..=128).rev().map(move |length| Self {
            first: first_of(bits, length),
            length,
        })
    }

    /// Its first and its last address; those of IPv4 are where IPv6 has room for them.
    #[must_use]
    pub fn ends(self) -> (u128, u128) {
        let others = u128::MAX.checked_shr(self.length.into()).unwrap_or(0);
        (self.first, self.first | others)
    }

    /// Says whether a loopback address lies in it.
    #[must_use]
    pub fn holds_loopback(self) -> bool {
        let loopback = Self {
            first: bits(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0))),
            length: 104,
        };
        self.meets(loopback) || self.holds(Ipv6Addr::LOCALHOST.into())
    }

    /// Says whether some address lies in both.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        let (first, last) = self.ends();
        let (first_of_it, last_of_it) = other.ends();
        first <= last_of_it && first_of_it <= last
    }

    /// What tells it from others of the same length.
    #[must_use]
    pub const fn key(self) -> u128 {
        self.first
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = Ipv6Addr::from_bits(self.first);
        let address = IpAddr::V6(address).to_canonical();
        let (bits, length) = match address {
            IpAddr::V4(_) if self.length >= 96 => (32, self.length.saturating_sub(96)),
            IpAddr::V4(_) | IpAddr::V6(_) => (128, self.length),
        };
        // `::ffff:0:0/95` and the like are no ranges of IPv4.
        let address = if bits == 32 {
            address
        } else {
            Ipv6Addr::from_bits(self.first).into()
        };
        if length == bits {
            write!(f, "{address}")
        } else {
            write!(f, "{address}/{length}")
        }
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
pub struct NetworkError(Given);

/// Says whether an address may be anybody's on the Internet: it is not of this machine, of
/// a network of one's own, or kept for something else (the registries of IANA for RFC 6890).
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.segments() {
            // An address of IPv4 behind NAT64.
            [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
                let [.., first, second, third, fourth] = address.octets();
                is_public_v4(Ipv4Addr::new(first, second, third, fourth))
            }
            [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
            [0x2000..=0x3fff, ..] => true,
            _ => false,
        },
    }
}

const fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        [0 | 10 | 127 | 224..=255, ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 168, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
    )
}

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
    fn what_is_nobodys_alone_is_public() {
        for public in [
            "8.8.8.8",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "2606:4700::1",
            "2001:200::1",
            "64:ff9b::808:808",
        ] {
            assert!(is_public(address(public)), "{public}");
        }
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1::808:808",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "fc00::1",
            "fd00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(address(private)), "{private}");
        }
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
    fn a_range_holds_loopback_where_the_two_meet() {
        for (range, has_it) in [
            ("127.0.0.1", true),
            ("127.0.0.0/8", true),
            ("0.0.0.0/0", true),
            ("::ffff:127.0.0.1", true),
            ("126.0.0.0/8", false),
            ("128.0.0.0/8", false),
            ("::1", true),
            ("::/0", true),
            ("::2", false),
            ("2001:db8::/32", false),
        ] {
            assert_eq!(network(range).holds_loopback(), has_it, "{range}");
        }
    }

    #[test]
    fn an_address_lies_in_a_range_of_each_length() {
        for text in ["192.0.2.7", "2001:db8::7"] {
            let address = address(text);
            let ranges: Vec<_> = Network::holding(address).collect();
            assert_eq!(ranges.len(), 129);
            assert!(ranges.iter().all(|range| range.holds(address)));
            assert_eq!(ranges[0], network(text));
            assert_eq!(ranges[128], network("::/0"));
        }
        assert!(Network::holding(address("192.0.2.7")).any(|it| it == network("192.0.2.0/24")));
    }

    #[test]
    fn a_range_is_written_as_it_is_read() {
        for text in [
            "10.0.0.0/8",
            "192.0.2.7",
            "0.0.0.0/0",
            "2001:db8::/32",
            "::1",
            "::/0",
            "::fffe:0:0/95",
        ] {
            assert_eq!(network(text).to_string(), text);
        }
    }
}
