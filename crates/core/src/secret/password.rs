//! Chosen passwords: Argon2id (RFC 9106) in PHC strings.

use core::fmt;

use crate::given::Given;

use argon2::password_hash::{PasswordHash as Phc, PasswordHasher as _, Salt, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq as _;

use super::Secret;

/// What is kept of a chosen password: an Argon2id PHC string.
#[derive(Clone)]
pub struct PasswordHash {
    phc: Box<str>,
    /// What it says of itself, for it is asked at each login.
    params: Argon2Params,
}

impl PasswordHash {
    /// Hashes `password` with a random salt of 16 bytes.
    ///
    /// # Errors
    ///
    /// Returns [`PasswordHashError`] when the parameters ask for more memory
    /// than there is, or the password is longer than Argon2 takes.
    pub fn new(
        password: &Secret,
        salt: [u8; 16],
        params: Argon2Params,
    ) -> Result<Self, PasswordHashError> {
        let salt = SaltString::encode_b64(&salt).map_err(|_| PasswordHashError)?;
        let hash = params
            .argon2()?
            .hash_password(password.expose(), Salt::from(&salt))
            .map_err(|_| PasswordHashError)?;
        Ok(Self {
            phc: hash.to_string().into(),
            params,
        })
    }

    /// Takes over a PHC string of Argon2id, version 19.
    ///
    /// # Errors
    ///
    /// Returns [`PasswordHashError`] for any other text, and for parameters
    /// outside of what [`Argon2Params::parse`] allows: a stored text must not
    /// be able to ask for all of the memory.
    pub fn parse(text: &str) -> Result<Self, PasswordHashError> {
        let hash = Phc::new(text).map_err(|_| PasswordHashError)?;
        let of_argon2id = hash.algorithm == Algorithm::Argon2id.ident() && hash.version == Some(19);
        if !of_argon2id || hash.salt.is_none() || hash.hash.is_none() {
            return Err(PasswordHashError);
        }
        let cost = |name| hash.params.get_decimal(name);
        let (Some(memory), Some(passes), Some(lanes), 3) =
            (cost("m"), cost("t"), cost("p"), hash.params.iter().count())
        else {
            return Err(PasswordHashError);
        };
        let params = Argon2Params::checked(memory, passes, lanes).ok_or(PasswordHashError)?;
        // Multiplies the lanes before it looks at them, so they must be few.
        Params::try_from(&hash).map_err(|_| PasswordHashError)?;
        Ok(Self {
            phc: text.into(),
            params,
        })
    }

    /// A hash that no password has, but that takes as long to refuse as one
    /// made with `params`.
    ///
    /// # Errors
    ///
    /// Returns [`PasswordHashError`] when the parameters are out of bounds.
    pub fn unmatchable(params: Argon2Params) -> Result<Self, PasswordHashError> {
        // 32 bytes that are no output of Argon2id for this salt but by a
        // chance of one in 2^256.
        Self::parse(&format!(
            "$argon2id$v=19${params}$bm9ib2R5IGhhcyB0aGlzIQ$bm90IGFuIG91dHB1dCBvZiBBcmdvbjJpZCBhdCBhbGw"
        ))
    }

    /// Says whether `presented` is the password. Slow, on purpose.
    #[must_use]
    pub fn verify(&self, presented: &Secret) -> bool {
        self.verify_in(presented, &mut HashMemory::default())
    }

    /// The same in memory that is used again. A caller that verifies often
    /// should use it: megabytes that are asked for and given back each time
    /// leave an allocator in pieces.
    #[must_use]
    pub fn verify_in(&self, presented: &Secret, memory: &mut HashMemory) -> bool {
        let Ok(hash) = Phc::new(&self.phc) else {
            return false;
        };
        let mut salt = [0; Salt::MAX_LENGTH];
        let decoded = hash.salt.map(|text| text.decode_b64(&mut salt));
        let (Some(Ok(salt)), Some(expected)) = (decoded, hash.hash) else {
            return false;
        };
        // The parameters of the text, not ours, decide; it was parsed above.
        let Ok(params) = Params::try_from(&hash) else {
            return false;
        };
        memory.0.resize(params.block_count(), Block::default());
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut output = vec![0; expected.len()];
        let presented = presented.expose();
        argon2
            .hash_password_into_with_memory(presented, salt, &mut output, &mut memory.0)
            .is_ok_and(|()| output.ct_eq(expected.as_bytes()).into())
    }

    /// The parameters it was made with.
    #[must_use]
    pub const fn params(&self) -> Argon2Params {
        self.params
    }

    /// The PHC string, for a store.
    #[must_use]
    pub fn as_phc(&self) -> &str {
        &self.phc
    }
}

/// The memory that hashes are computed in.
#[derive(Default)]
#[expect(missing_debug_implementations, reason = "it holds what secrets left")]
pub struct HashMemory(Vec<Block>);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// A password could not be hashed, or a text is no Argon2id PHC string.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no usable Argon2id hash")]
pub struct PasswordHashError;

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

    fn checked(memory_kib: u32, passes: u32, lanes: u32) -> Option<Self> {
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

    fn argon2(self) -> Result<Argon2<'static>, PasswordHashError> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, None)
            .map_err(|_| PasswordHashError)?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
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

    fn quick() -> Argon2Params {
        Argon2Params::parse("m=8,t=1,p=1").unwrap()
    }

    #[test]
    fn a_password_verifies_and_no_other_does() {
        let hash = PasswordHash::new(&Secret::new(b"s3cret".to_vec()), [7; 16], quick()).unwrap();
        assert!(hash.as_phc().starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
        assert!(hash.verify(&Secret::new(b"s3cret".to_vec())));
        assert!(!hash.verify(&Secret::new(b"S3cret".to_vec())));
        assert!(!hash.verify(&Secret::new(Vec::new())));
        assert_eq!(format!("{hash:?}"), "PasswordHash(…)");
        assert_eq!(hash.params(), quick());
    }

    #[test]
    fn memory_that_was_used_gives_the_same_answers() {
        let larger = Argon2Params::parse("m=64,t=3,p=2").unwrap();
        let mut memory = HashMemory::default();
        for params in [larger, quick(), larger] {
            let hash = PasswordHash::new(&Secret::new(b"one".to_vec()), [7; 16], params).unwrap();
            for _ in 0..2 {
                assert!(hash.verify_in(&Secret::new(b"one".to_vec()), &mut memory));
                assert!(!hash.verify_in(&Secret::new(b"two".to_vec()), &mut memory));
            }
        }
    }

    #[test]
    fn a_stored_text_cannot_ask_for_all_of_the_memory_or_another_algorithm() {
        let hash = PasswordHash::new(&Secret::new(b"x".to_vec()), [7; 16], quick()).unwrap();
        assert!(PasswordHash::parse(hash.as_phc()).is_ok());
        for (from, to) in [
            ("m=8", "m=4294967295"),
            ("t=1", "t=4000000000"),
            ("p=1", "p=4000000000"),
            ("p=1", "p=1,p=4000000000"),
            ("argon2id", "argon2i"),
            ("v=19", "v=16"),
        ] {
            assert!(
                PasswordHash::parse(&hash.as_phc().replace(from, to)).is_err(),
                "{to}"
            );
        }
        for bad in ["", "$argon2id$", "plain", "$argon2id$v=19$m=8,t=1,p=1"] {
            assert!(PasswordHash::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_unmatchable_hash_has_its_parameters_and_matches_nothing() {
        let hash = PasswordHash::unmatchable(quick()).unwrap();
        assert_eq!(hash.params(), quick());
        assert!(!hash.verify(&Secret::new(b"nobody has this!".to_vec())));
    }

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
        assert!(!quick().meets_owasp_minimum());
    }
}
