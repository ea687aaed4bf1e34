//! How much work an Argon2id hash is.

use core::fmt;

use argon2::{Algorithm, Argon2, Params, Version};

use crate::given::Given;

/// How much work an Argon2id hash is (RFC 9106 §3.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Argon2Params {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Argon2Params {
    /// The least that Argon2 takes, for a hash that is thrown away.
    pub const CHEAPEST: Self = Self {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };

    /// Parses `m=19456,t=2,p=1`: memory in KiB, passes, lanes, in this order.
    ///
    /// # Errors
    ///
    /// Returns [`Argon2ParamsError`] for another shape, and for values outside
    /// of 8·p to 1,048,576 KiB, 1 to 64 passes and 1 to 16 lanes.
    pub fn parse(text: &str) -> Result<Self, Argon2ParamsError> {
        let number = |part: Option<&str>, prefix: &str| -> Option<u32> {
            let digits = part?.strip_prefix(prefix)?;
            let only_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
            if only_digits {
                digits.parse().ok()
            } else {
                None
            }
        };
        let mut parts = text.split(',');
        let memory = number(parts.next(), "m=");
        let passes = number(parts.next(), "t=");
        let lanes = number(parts.next(), "p=");
        match (memory, passes, lanes, parts.next()) {
            (Some(memory), Some(passes), Some(lanes), None) => {
                Self::checked(memory, passes, lanes).ok_or_else(|| Argon2ParamsError(text.into()))
            }
            _ => Err(Argon2ParamsError(text.into())),
        }
    }

    /// Says whether this is at least one of the minimum settings that the
    /// OWASP Password Storage Cheat Sheet lists.
    #[must_use]
    pub fn meets_owasp_minimum(self) -> bool {
        [
            (47_104, 1),
            (19_456, 2),
            (12_288, 3),
            (9_216, 4),
            (7_168, 5),
        ]
        .into_iter()
        .any(|(memory, passes)| self.memory_kib >= memory && self.passes >= passes)
    }

    pub(super) fn checked(memory_kib: u32, passes: u32, lanes: u32) -> Option<Self> {
        let sane = (1..=16).contains(&lanes)
            && (1..=64).contains(&passes)
            && memory_kib >= lanes.saturating_mul(8)
            && memory_kib <= 1_048_576;
        sane.then_some(Self {
            memory_kib,
            passes,
            lanes,
        })
    }

    /// Says whether a hash with these parameters is taken over from elsewhere:
    /// at most 64 MiB and four passes.
    pub(super) const fn is_fit_for_import(self) -> bool {
        self.memory_kib <= 65_536 && self.passes <= 4
    }

    /// Argon2id with these parameters, for an output of so many bytes.
    pub(super) fn argon2(self, output: usize) -> Option<Argon2<'static>> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(output)).ok()?;
        Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }
}

/// The second of OWASP's minimum settings: m=19456, t=2, p=1.
impl Default for Argon2Params {
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            passes: 2,
            lanes: 1,
        }
    }
}

impl fmt::Display for Argon2Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "m={},t={},p={}",
            self.memory_kib, self.passes, self.lanes
        )
    }
}

/// A text does not hold valid Argon2 parameters.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` are not valid Argon2 parameters; write `m=19456,t=2,p=1` (m in KiB from 8·p to 1048576, t from 1 to 64, p from 1 to 16)"
)]
pub struct Argon2ParamsError(Given);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_read_back_and_bad_ones_are_refused() {
        for good in ["m=19456,t=2,p=1", "m=8,t=1,p=1", "m=1048576,t=64,p=16"] {
            assert_eq!(Argon2Params::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            "m=7,t=1,p=1",
            "m=8,t=0,p=1",
            "m=8,t=1,p=0",
            "t=1,m=8,p=1",
            "m=8,t=1,p=1,x=1",
            "m=+8,t=1,p=1",
            "m=1048577,t=1,p=1",
        ] {
            assert!(Argon2Params::parse(bad).is_err(), "{bad}");
        }
        assert!(Argon2Params::default().meets_owasp_minimum());
        assert!(!Argon2Params::CHEAPEST.meets_owasp_minimum());
    }
}
