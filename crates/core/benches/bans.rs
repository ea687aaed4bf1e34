//! What bans cost a CONNECT: among 100,000 networks, for addresses that are banned and
//! for those that are not.

#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a benchmark may"
)]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use countersign_core::ban::{BanSet, BanSubject, BanTarget};
use countersign_core::client_id::ClientIdTie;
use countersign_core::network::Network;
use countersign_core::time::Timestamp;
use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (name, is_v4) in [("IPv4", true), ("IPv6", false)] {
        let bans: Vec<_> = (0..BANS)
            .map(|number| {
                // Some of each length that networks commonly have.
                let up = usize::try_from(number % 9).unwrap() * if is_v4 { 1 } else { 8 };
                let network = Network::holding(address(number, is_v4)).nth(up).unwrap();
                (BanTarget::Network(network), None)
            })
            .collect();
        let set = BanSet::new(bans.iter().map(|(target, until)| (target, *until)));
        let tie = ClientIdTie::of("pump-7");
        let mut number = 0;
        criterion.bench_function(
            &format!("a look among 100,000 networks of {name}"),
            |bencher| {
                bencher.iter(|| {
                    number += 7;
                    let subject = BanSubject {
                        // Half of them are banned.
                        address: Some(address(number % (2 * BANS), is_v4)),
                        client_id: &tie,
                        tenant: Some("acme"),
                    };
                    black_box(set.refuses(&subject, Timestamp::from_millis(0)))
                });
            },
        );
    }
    criterion.final_summary();
}

/// Addresses without order.
fn address(number: u64, is_v4: bool) -> IpAddr {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    if is_v4 {
        IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(mixed >> 32).unwrap()))
    } else {
        let bits = (u128::from(mixed) << 64) | u128::from(number);
        IpAddr::V6(Ipv6Addr::from_bits(bits))
    }
}

const BANS: u64 = 100_000;
