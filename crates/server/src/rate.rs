//! How many requests a client may make: a bucket for each network that one client may
//! have for itself, in a table of fixed size.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use countersign_core::network::Network;
use countersign_core::secret::SecretDigest;

/// The requests that clients made lately.
#[derive(Debug)]
pub(crate) struct Rates {
    table: Mutex<Table>,
    pace: Pace,
}

/// How often a client may ask.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// For a long time, once in so long,
    each: Duration,
    /// and at once as often as in so long.
    burst: Duration,
}

impl Default for Rates {
    fn default() -> Self {
        Self::of(EACH, BURST)
    }
}

#[derive(Debug, Default)]
struct Table {
    buckets: HashMap<u128, Bucket>,
    /// What those share for whom there was no room.
    shared: Option<Bucket>,
    /// When those were last sought who have been silent.
    swept_at: Option<Instant>,
}

impl Rates {
    /// The same, where a client may ask once in `each`, and at once as often as in
    /// `burst`.
    pub(crate) fn of(each: Duration, burst: Duration) -> Self {
        Self {
            table: Mutex::default(),
            pace: Pace { each, burst },
        }
    }

    /// Takes one request of a client into account; fails with the seconds after which
    /// it is worth another try.
    pub(crate) fn take(&self, client: IpAddr, now: Instant) -> Result<(), u64> {
        self.take_key(Network::of_client(client).key(), now)
    }

    /// The same, of whoever shows a secret.
    pub(crate) fn take_of(&self, secret: &SecretDigest, now: Instant) -> Result<(), u64> {
        let mut key = [0; 16];
        for (byte, of_secret) in key.iter_mut().zip(secret.as_bytes()) {
            *byte = *of_secret;
        }
        self.take_key(u128::from_le_bytes(key), now)
    }

    fn take_key(&self, key: u128, now: Instant) -> Result<(), u64> {
        let pace = self.pace;
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let Table {
            buckets,
            shared,
            swept_at,
        } = &mut *table;
        let was_swept = swept_at.is_some_and(|at| now.saturating_duration_since(at) < pace.burst);
        if buckets.len() >= MOST_CLIENTS && !buckets.contains_key(&key) && !was_swept {
            buckets.retain(|_, bucket| !bucket.is_full(now));
            *swept_at = Some(now);
        }
        let bucket = if buckets.len() < MOST_CLIENTS || buckets.contains_key(&key) {
            buckets.entry(key).or_insert_with(|| Bucket::full(now))
        } else {
            shared.get_or_insert_with(|| Bucket::full(now))
        };
        bucket.take(now, pace)
    }
}

/// A bucket that fills up with time.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// When it will be, or was, full.
    full_at: Instant,
}

impl Bucket {
    fn full(now: Instant) -> Self {
        Self { full_at: now }
    }

    fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }

    fn take(&mut self, now: Instant, pace: Pace) -> Result<(), u64> {
        let full_at = self.full_at.max(now);
        let after = full_at.checked_add(pace.each).unwrap_or(full_at);
        let lacks = after.saturating_duration_since(now);
        if lacks > pace.burst {
            let wait = lacks.saturating_sub(pace.burst);
            return Err(wait.as_secs().saturating_add(1));
        }
        self.full_at = after;
        Ok(())
    }
}

/// A client may make 500 requests a second for a long time,
const EACH: Duration = Duration::from_millis(2);
/// and 1,000 at once.
const BURST: Duration = Duration::from_secs(2);
/// So many clients are told apart.
const MOST_CLIENTS: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_asks_too_often_waits_and_no_other_does() {
        let (rates, now) = (Rates::default(), Instant::now());
        let [one, other]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|it| it.parse().unwrap());
        let taken = (0..2_000).filter(|_| rates.take(one, now).is_ok()).count();
        assert_eq!(taken, 1_000);
        assert_eq!(rates.take(one, now), Err(1));
        assert_eq!(rates.take(other, now), Ok(()));
        let later = now + EACH * 10;
        let taken = (0..20).filter(|_| rates.take(one, later).is_ok()).count();
        assert_eq!(taken, 10);
    }

    #[test]
    fn addresses_of_one_network_count_as_one_client_and_the_table_ends() {
        let (rates, now) = (Rates::default(), Instant::now());
        for host in 0..1_000_u128 {
            let address = IpAddr::V6((0x2001_0db8_u128 << 96 | host).into());
            rates.take(address, now).unwrap();
        }
        assert_eq!(rates.table.lock().unwrap().buckets.len(), 1);
        for network in 1..50_000_u128 {
            let address = IpAddr::V6((0x2001_0db8_u128 << 96 | network << 64).into());
            let _ = rates.take(address, now);
        }
        assert_eq!(rates.table.lock().unwrap().buckets.len(), MOST_CLIENTS);
        // Once they have been silent, their place is another's.
        let later = now + BURST;
        rates.take("192.0.2.1".parse().unwrap(), later).unwrap();
        assert_eq!(rates.table.lock().unwrap().buckets.len(), 1);
    }
}
