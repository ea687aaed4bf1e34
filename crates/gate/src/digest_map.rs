//! Tables by digests: by what is a hash already, of a text that a client chose.

use core::hash::{BuildHasher, Hasher};
use std::collections::HashMap;
use std::collections::hash_map::RandomState;

/// A table by digests.
pub(crate) type DigestMap<K, V> = HashMap<K, V, DigestState>;

/// What a table by digests is keyed with.
///
/// A client can try texts until their digests agree in some bits, so the place of
/// a digest depends on two numbers that are drawn for each table. It is
/// multiply-add-shift (Dietzfelbinger, STACS 1996): whichever two digests there are
/// that differ in their first 64 bits, they come to one place as seldom as by
/// chance.
#[derive(Clone, Debug)]
pub(crate) struct DigestState {
    factor: u128,
    summand: u128,
}

impl Default for DigestState {
    fn default() -> Self {
        // Of the operating system's randomness, as that of all tables.
        let random = RandomState::new();
        let draw = |which: u8| {
            let [high, low] = [0_u8, 1].map(|half| u128::from(random.hash_one([which, half])));
            (high << 64) | low
        };
        Self {
            factor: draw(0),
            summand: draw(1),
        }
    }
}

impl BuildHasher for DigestState {
    type Hasher = DigestHasher;

    fn build_hasher(&self) -> DigestHasher {
        DigestHasher {
            factor: self.factor,
            hash: self.summand,
        }
    }
}

/// Hashes the first 64 bits of a digest.
#[derive(Debug)]
pub(crate) struct DigestHasher {
    factor: u128,
    hash: u128,
}

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        // The upper half.
        let [.., a, b, c, d, e, f, g, h] = self.hash.to_le_bytes();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        let product = self.factor.wrapping_mul(u128::from(value));
        self.hash = self.hash.wrapping_add(product);
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::client_id::ClientIdTie;

    use super::*;

    #[test]
    fn each_table_has_places_of_its_own_and_keeps_to_them() {
        let tie = ClientIdTie::of("a");
        let (one, other) = (DigestState::default(), DigestState::default());
        assert_eq!(one.hash_one(tie), one.hash_one(tie));
        assert_ne!(one.hash_one(tie), other.hash_one(tie));
        assert_ne!(one.hash_one(tie), one.hash_one(ClientIdTie::of("b")));
    }

    #[test]
    fn digests_that_agree_in_most_bits_are_spread() {
        let state = DigestState::default();
        for low in [0, 57] {
            let places: std::collections::HashSet<u64> = (0_u64..1 << 12)
                .map(|number| (state.hash_one_u64(number << (64 - 12)) >> low) & 127)
                .collect();
            // By chance none of 128 places stays empty.
            assert!(places.len() > 120, "{}", places.len());
        }
    }

    impl DigestState {
        fn hash_one_u64(&self, value: u64) -> u64 {
            let mut hasher = self.build_hasher();
            hasher.write_u64(value);
            hasher.finish()
        }
    }
}
