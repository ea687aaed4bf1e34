//! Chosen passwords: Argon2id (RFC 9106) in PHC strings, and the hashes of other
//! systems until a login replaces them.

use core::fmt;

use argon2::Block;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::Secret;
use super::argon2_params::Argon2Params;
use super::foreign::{ForeignHash, MOST_QUICK_ROUNDS, SaltReading, spend_rounds};

/// What is kept of a chosen password: a text that says how it was hashed.
///
/// New ones are Argon2id PHC strings. Those that were taken over from another
/// system keep that system's form, and are replaced after a login.
#[derive(Clone)]
pub struct PasswordHash {
    text: Box<str>,
    algorithm: Algorithm,
}

/// How a password was hashed.
#[derive(Clone)]
enum Algorithm {
    /// What the text says of itself, for it is asked at each login.
    Argon2id(Argon2Params),
    Foreign(Box<ForeignHash>),
}

impl PasswordHash {
    /// Hashes `password` with Argon2id and a random salt of 16 bytes.
    ///
    /// # Errors
    ///
    /// Returns [`PasswordHashError::NotHashed`] when the password is longer
    /// than Argon2 takes.
    pub fn new(
        password: &Secret,
        salt: [u8; 16],
        params: Argon2Params,
    ) -> Result<Self, PasswordHashError> {
        let mut tag = [0; 32];
        argon2id(
            params,
            password,
            &salt,
            &mut tag,
            &mut HashMemory::default(),
        )
        .ok_or(PasswordHashError::NotHashed)?;
        let salt = STANDARD_NO_PAD.encode(salt);
        let tag = STANDARD_NO_PAD.encode(tag);
        Ok(Self {
            text: format!("{ARGON2ID}{params}${salt}${tag}").into(),
            algorithm: Algorithm::Argon2id(params),
        })
    }

    /// Reads back what [`PasswordHash::as_str`] gave to a store.
    ///
    /// # Errors
    ///
    /// Returns [`PasswordHashError`] for any other text, and for one that asks
    /// for more work than [`Argon2Params::parse`] or [`PasswordHash::import`]
    /// allows: a stored text must not be able to ask for all of the memory.
    pub fn parse(text: &str) -> Result<Self, PasswordHashError> {
        let algorithm = if text.starts_with(ARGON2ID) {
            let parts = Argon2idParts::parse(text).ok_or(PasswordHashError::Malformed)?;
            Algorithm::Argon2id(parts.params)
        } else {
            Algorithm::Foreign(Box::new(ForeignHash::parse(text)?))
        };
        Ok(Self {
            text: text.into(),
            algorithm,
        })
    }

    /// Takes over a hash that another system made.
    ///
    /// It reads `$argon2id$v=19$…`, bcrypt (`$2a$`, `$2b$`, `$2y$`), Mosquitto's
    /// `$6$` and `$7$`, `PBKDF2$sha256|sha512$…` of mosquitto-go-auth and
    /// mosquitto-auth-plug, and `pbkdf2-sha512$i=…,l=…$…` (also `-sha256`, also
    /// with a `$` before it). `reading` says how the salt of `PBKDF2$…` is
    /// meant; the reading becomes a part of [`PasswordHash::as_str`].
    ///
    /// # Errors
    ///
    /// Returns [`PasswordHashError`] for any other text, and for one that asks
    /// for more than 64 MiB or four passes (Argon2id), 200,000 rounds in all
    /// (PBKDF2), or a cost of 12 (bcrypt).
    pub fn import(text: &str, reading: SaltReading) -> Result<Self, PasswordHashError> {
        let hash = Self::parse(&reading.recorded_in(text))?;
        match &hash.algorithm {
            Algorithm::Argon2id(params) if !params.is_fit_for_import() => {
                Err(PasswordHashError::TooCostly)
            }
            Algorithm::Argon2id(_) | Algorithm::Foreign(_) => Ok(hash),
        }
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
            "{ARGON2ID}{params}$bm9ib2R5IGhhcyB0aGlzIQ$bm90IGFuIG91dHB1dCBvZiBBcmdvbjJpZCBhdCBhbGw"
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
        match &self.algorithm {
            Algorithm::Argon2id(_) => Argon2idParts::parse(&self.text)
                .is_some_and(|parts| parts.verify_in(presented, memory)),
            Algorithm::Foreign(hash) => hash.verify(presented),
        }
    }

    /// The parameters it was made with; none for a hash that is not Argon2id.
    ///
    /// A password whose parameters are not the wanted ones is hashed anew after
    /// its next login.
    #[must_use]
    pub const fn params(&self) -> Option<Argon2Params> {
        match &self.algorithm {
            Algorithm::Argon2id(params) => Some(*params),
            Algorithm::Foreign(_) => None,
        }
    }

    /// How many rounds of PBKDF2 a check takes, whatever it comes to, if that is at
    /// most [`MOST_QUICK`](Self::MOST_QUICK); some hashes of other systems are so
    /// cheap.
    #[must_use]
    pub fn quick_rounds(&self) -> Option<u32> {
        match &self.algorithm {
            Algorithm::Argon2id(_) => None,
            Algorithm::Foreign(hash) => hash.quick_rounds(),
        }
    }

    /// Spends what a check of a hash of so many rounds takes, and finds out nothing.
    pub fn spend_quick(presented: &Secret, rounds: u32) {
        spend_rounds(presented, rounds);
    }

    /// The rounds of PBKDF2 that a quick check takes at most; well below a
    /// millisecond.
    pub const MOST_QUICK: u32 = MOST_QUICK_ROUNDS;

    /// The text, for a store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// An Argon2id PHC string, read. Salt and tag are 8 to 64 and 16 to 64 bytes.
struct Argon2idParts {
    params: Argon2Params,
    salt: Vec<u8>,
    tag: Vec<u8>,
}

impl Argon2idParts {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(ARGON2ID)?.split('$');
        let params = Argon2Params::parse(parts.next()?).ok()?;
        let mut decoded = |shortest: usize| {
            let text = parts.next().filter(|text| text.len() <= LONGEST_ENCODED)?;
            let bytes = STANDARD_NO_PAD.decode(text).ok()?;
            (shortest..=64).contains(&bytes.len()).then_some(bytes)
        };
        let (salt, tag) = (decoded(8)?, decoded(16)?);
        parts.next().is_none().then_some(Self { params, salt, tag })
    }

    fn verify_in(&self, presented: &Secret, memory: &mut HashMemory) -> bool {
        let mut tag = vec![0; self.tag.len()];
        argon2id(self.params, presented, &self.salt, &mut tag, memory)
            .is_some_and(|()| tag.ct_eq(&self.tag).into())
    }
}

/// Fills `tag`; nothing where Argon2 does not take the parameters.
fn argon2id(
    params: Argon2Params,
    password: &Secret,
    salt: &[u8],
    tag: &mut [u8],
    memory: &mut HashMemory,
) -> Option<()> {
    let argon2 = params.argon2(tag.len())?;
    let blocks = memory.of(argon2.params().block_count())?;
    argon2
        .hash_password_into_with_memory(password.expose(), salt, tag, blocks)
        .ok()
}

/// The memory that hashes are computed in. Wiped before it is given back.
#[derive(Default)]
#[expect(missing_debug_implementations, reason = "it holds what secrets left")]
pub struct HashMemory(Zeroizing<Vec<Block>>);

impl HashMemory {
    /// So many blocks. None where there is not so much memory.
    ///
    /// A stored text can ask for a gibibyte, so what is more than twice as much as is
    /// needed is given back. Memory that does not fit is never made larger or smaller:
    /// an allocator may move it then, and leaves what it held where it was.
    fn of(&mut self, count: usize) -> Option<&mut [Block]> {
        if count > self.0.len() || count < self.0.len() / 2 {
            // Wiped, and given back before there is other memory.
            *self = Self::default();
            let mut blocks = Vec::new();
            blocks.try_reserve_exact(count).ok()?;
            blocks.resize(count, Block::default());
            self.0 = Zeroizing::new(blocks);
        }
        self.0.get_mut(..count)
    }
}

/// A password could not be hashed, or a text is not a usable password hash.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordHashError {
    /// The text begins like a known form and does not go on like it.
    #[error("the password hash is malformed")]
    Malformed,
    /// Hashing failed.
    #[error("the password could not be hashed")]
    NotHashed,
    /// A login would take more work than is allowed.
    #[error(
        "the password hash takes too much work (at most 200000 rounds of PBKDF2 in all, a bcrypt cost of 12, Argon2id with 64 MiB and 4 passes)"
    )]
    TooCostly,
    /// The text has none of the known forms.
    #[error("the text is not a password hash of a known form")]
    Unknown,
}

/// What an Argon2id PHC string of version 19 begins with.
const ARGON2ID: &str = "$argon2id$v=19$";
/// So many characters are 64 bytes in base64.
const LONGEST_ENCODED: usize = 86;

#[cfg(test)]
mod tests {
    use super::*;

    fn quick() -> Argon2Params {
        Argon2Params::parse("m=8,t=1,p=1").unwrap()
    }

    #[test]
    fn a_password_verifies_and_no_other_does() {
        let hash = PasswordHash::new(&Secret::new(b"s3cret".to_vec()), [7; 16], quick()).unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
        assert!(hash.verify(&Secret::new(b"s3cret".to_vec())));
        assert!(!hash.verify(&Secret::new(b"S3cret".to_vec())));
        assert!(!hash.verify(&Secret::new(Vec::new())));
        assert_eq!(format!("{hash:?}"), "PasswordHash(…)");
        assert_eq!(hash.params(), Some(quick()));
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
    fn memory_is_replaced_where_it_does_not_fit_and_never_moved() {
        let mut memory = HashMemory::default();
        let mut place = core::ptr::null();
        for (count, is_replaced) in [
            (64, true),
            (64, false),
            (32, false),
            (31, true),
            (32, true),
            (0, true),
        ] {
            let blocks = memory.of(count).unwrap();
            assert_eq!(blocks.len(), count);
            let blocks = memory.0.as_ptr();
            let is_filled = memory
                .0
                .iter()
                .any(|block| block.as_ref().iter().any(|it| *it != 0));
            assert!(!(is_replaced && is_filled), "{count}");
            assert!(is_replaced || blocks == place, "{count}");
            place = blocks;
            if let Some(block) = memory.0.first_mut() {
                block.as_mut().fill(7);
            }
        }
    }

    #[test]
    fn a_stored_text_cannot_ask_for_all_of_the_memory_or_another_algorithm() {
        let hash = PasswordHash::new(&Secret::new(b"x".to_vec()), [7; 16], quick()).unwrap();
        assert!(PasswordHash::parse(hash.as_str()).is_ok());
        for (from, to) in [
            ("m=8", "m=4294967295"),
            ("t=1", "t=4000000000"),
            ("p=1", "p=4000000000"),
            ("p=1", "p=1,p=4000000000"),
            ("argon2id", "argon2i"),
            ("v=19", "v=16"),
            ("m=8,t=1", "t=1,m=8"),
            ("p=1$", "p=1$$"),
            ("BwcHBwcHBwcHBwcHBwcHBw", "BwcHBwcHBw"),
            ("BwcHBwcHBwcHBwcHBwcHBw", "BwcHBwcHBwcHBwcHBwcHBw=="),
        ] {
            assert!(
                PasswordHash::parse(&hash.as_str().replace(from, to)).is_err(),
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
        assert_eq!(hash.params(), Some(quick()));
        assert!(!hash.verify(&Secret::new(b"nobody has this!".to_vec())));
    }
}
