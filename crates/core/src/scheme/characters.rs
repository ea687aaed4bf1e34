//! Sets of ASCII characters.

use core::ops::RangeInclusive;

/// A set of ASCII characters.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Characters(u128);

impl Characters {
    /// The set of one character.
    pub(super) fn only(byte: u8) -> Self {
        Self(bit(byte))
    }

    /// The set of all characters from one to another.
    pub(super) fn range(bytes: RangeInclusive<u8>) -> Self {
        Self(bytes.fold(0, |bits, byte| bits | bit(byte)))
    }

    /// The characters of both sets together.
    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Says whether `byte` is one of them.
    pub(super) fn contains(self, byte: u8) -> bool {
        self.0 & bit(byte) != 0
    }

    /// Says whether some character is in both sets.
    pub(super) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The one that is in it, if no other is.
    pub(super) fn only_one(self) -> Option<u8> {
        let byte = u8::try_from(self.0.trailing_zeros()).ok()?;
        (self.size() == 1).then_some(byte)
    }

    /// How many there are.
    pub(super) fn size(self) -> u32 {
        self.0.count_ones()
    }

    /// Deals the 256 bytes to the characters.
    pub(super) fn deal(self) -> Deal {
        let mut members = [0; Self::MOST];
        let all = (0..).take(Self::MOST).filter(|byte| self.contains(*byte));
        let dealt = members.iter_mut().zip(all);
        let count = dealt.map(|(member, byte)| *member = byte).count();
        Deal {
            of: self,
            members,
            count,
        }
    }

    /// How many ASCII characters there are.
    const MOST: usize = 128;
}

/// The characters of a set, in their order: what random bytes stand for.
#[derive(Debug)]
pub(super) struct Deal {
    of: Characters,
    members: [u8; Characters::MOST],
    count: usize,
}

impl Deal {
    /// The set.
    pub(super) fn of(&self) -> Characters {
        self.of
    }

    /// Picks the character that a random byte stands for.
    ///
    /// The 256 bytes are dealt to the characters in equal shares, so that none
    /// is likelier than another. The bytes that are left over stand for
    /// nothing: draw again.
    pub(super) fn pick(&self, random: u8) -> Option<u8> {
        let share = 256_usize.checked_div(self.count)?;
        let place = usize::from(random).checked_div(share)?;
        self.members.get(..self.count)?.get(place).copied()
    }
}

/// The bit of a character; none for a byte that is no ASCII.
fn bit(byte: u8) -> u128 {
    1_u128.checked_shl(byte.into()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_set_has_nothing_to_pick() {
        let none = Characters::default();
        let deal = none.deal();
        assert_eq!(none.size(), 0);
        assert!((0..=255).all(|byte| deal.pick(byte).is_none() && !none.contains(byte)));
    }

    #[test]
    fn each_member_is_picked_by_as_many_bytes_as_any_other() {
        for last in b'!'..=b'~' {
            let set = Characters::range(b'!'..=last);
            let deal = set.deal();
            let mut counts = [0_u32; 128];
            for byte in (0..=255).filter_map(|random| deal.pick(random)) {
                counts[usize::from(byte)] += 1;
            }
            let share = 256 / set.size();
            for byte in 0..128_u8 {
                let expected = if set.contains(byte) { share } else { 0 };
                assert_eq!(counts[usize::from(byte)], expected, "{last} {byte}");
            }
        }
    }

    #[test]
    fn a_byte_beyond_ascii_is_in_no_set() {
        let all = Characters::range(0..=255);
        assert_eq!(all.size(), 128);
        assert!(!all.contains(200));
    }
}
