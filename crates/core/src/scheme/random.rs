//! Where random bytes come from: from outside, since the core has none.

use zeroize::Zeroizing;

/// A source of unpredictable bytes.
pub trait RandomSource {
    /// Fills `buffer`.
    ///
    /// # Errors
    ///
    /// Returns [`RandomError`] when there is no randomness to be had; what is
    /// in `buffer` must not be used then.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), RandomError>;
}

/// There is no randomness to be had, or what there is never changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there are no random bytes to be had; try again")]
pub struct RandomError;

/// Hands out the bytes of a source one by one.
pub(super) struct RandomBytes<'a> {
    source: &'a mut dyn RandomSource,
    drawn: Zeroizing<[u8; AT_ONCE]>,
    used: usize,
}

impl<'a> RandomBytes<'a> {
    pub(super) fn new(source: &'a mut dyn RandomSource) -> Self {
        Self {
            source,
            drawn: Zeroizing::new([0; AT_ONCE]),
            used: AT_ONCE,
        }
    }

    pub(super) fn next(&mut self) -> Result<u8, RandomError> {
        if self.used >= AT_ONCE {
            self.source.fill(&mut *self.drawn)?;
            self.used = 0;
        }
        let byte = self.drawn.get(self.used).copied().ok_or(RandomError)?;
        self.used = self.used.saturating_add(1);
        Ok(byte)
    }
}

const AT_ONCE: usize = 64;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// SplitMix64: the same bytes on every run, and even enough to count.
    pub(in crate::scheme) struct Pseudo(pub(in crate::scheme) u64);

    impl RandomSource for Pseudo {
        fn fill(&mut self, buffer: &mut [u8]) -> Result<(), RandomError> {
            for chunk in buffer.chunks_mut(8) {
                self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut mixed = self.0;
                mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                mixed ^= mixed >> 31;
                for (byte, made) in chunk.iter_mut().zip(mixed.to_le_bytes()) {
                    *byte = made;
                }
            }
            Ok(())
        }
    }

    /// A source that gives the same byte for ever.
    pub(in crate::scheme) struct Stuck(pub(in crate::scheme) u8);

    impl RandomSource for Stuck {
        fn fill(&mut self, buffer: &mut [u8]) -> Result<(), RandomError> {
            buffer.fill(self.0);
            Ok(())
        }
    }

    /// A source that has nothing to give.
    pub(in crate::scheme) struct Dry;

    impl RandomSource for Dry {
        fn fill(&mut self, _buffer: &mut [u8]) -> Result<(), RandomError> {
            Err(RandomError)
        }
    }

    #[test]
    fn a_dry_source_gives_no_byte() {
        assert_eq!(RandomBytes::new(&mut Dry).next(), Err(RandomError));
    }

    #[test]
    fn every_byte_of_the_source_is_handed_out_once() {
        let mut expected = [0; 3 * AT_ONCE];
        Pseudo(1).fill(&mut expected).unwrap();
        let mut source = Pseudo(1);
        let mut bytes = RandomBytes::new(&mut source);
        let given: Vec<_> = expected.iter().map(|_| bytes.next().unwrap()).collect();
        assert_eq!(given, expected);
    }
}
