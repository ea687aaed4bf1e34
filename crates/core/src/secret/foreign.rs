//! Password hashes that other systems made, and that verify here until a login
//! replaces them by Argon2id.
//!
//! | text | system | hash |
//! |---|---|---|
//! | `$6$SALT$DIGEST` | Mosquitto up to 1.6, VerneMQ | SHA-512 of password and salt, once (not crypt's) |
//! | `$7$ROUNDS$SALT$KEY` | Mosquitto 2 | PBKDF2-HMAC-SHA512 |
//! | `PBKDF2$sha256\|sha512$ROUNDS$SALT$KEY` | mosquitto-go-auth, mosquitto-auth-plug | PBKDF2-HMAC; see [`SaltReading`] |
//! | `pbkdf2-sha256\|sha512$i=ROUNDS,l=LENGTH$SALT$KEY` | ChirpStack and others | PBKDF2-HMAC |
//! | `$2a$`, `$2b$`, `$2y$` | all that use bcrypt | bcrypt |

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha2::{Digest as _, Sha512};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use self::pbkdf2::{HmacHash, Pbkdf2};
pub(super) use self::pbkdf2::{MOST_QUICK_ROUNDS, spend_rounds};
use super::Secret;
use super::password::PasswordHashError;

mod pbkdf2;

/// How the salt of a `PBKDF2$…` text is meant.
///
/// mosquitto-go-auth decodes it from base64, unless `hasher_salt_encoding` is
/// `utf-8`; mosquitto-auth-plug hashes with the text itself, unless it was built
/// with `RAW_SALT`. The text does not say which.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SaltReading {
    /// The salt is what the base64 text decodes to. Recorded as `PBKDF2$…`.
    Decoded,
    /// It is not known which; both are tried, and cost twice the rounds.
    /// Recorded as `PBKDF2-either$…`.
    Either,
    /// The salt is the text itself. Recorded as `PBKDF2-text$…`.
    Text,
}

impl SaltReading {
    /// `text` with this reading recorded in it, if it is one that leaves the
    /// reading open.
    pub(super) fn recorded_in(self, text: &str) -> Cow<'_, str> {
        match text.strip_prefix(Self::Decoded.prefix()) {
            Some(rest) => format!("{}{rest}", self.prefix()).into(),
            None => text.into(),
        }
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::Decoded => "PBKDF2$",
            Self::Either => "PBKDF2-either$",
            Self::Text => "PBKDF2-text$",
        }
    }
}

/// A hash that another system made, read.
#[derive(Clone)]
pub(super) enum ForeignHash {
    Bcrypt {
        cost: u32,
        salt: [u8; 16],
        digest: [u8; 23],
    },
    Pbkdf2(Pbkdf2),
    SaltedSha512 {
        salt: Box<[u8]>,
        digest: [u8; 64],
    },
}

impl ForeignHash {
    /// Reads a text of one of the forms above.
    pub(super) fn parse(text: &str) -> Result<Self, PasswordHashError> {
        if text.len() > LONGEST_TEXT {
            return Err(PasswordHashError::Unknown);
        }
        let readings = [SaltReading::Decoded, SaltReading::Either, SaltReading::Text];
        let with_reading = readings
            .into_iter()
            .find_map(|reading| Some((reading, text.strip_prefix(reading.prefix())?)));
        if let Some((reading, rest)) = with_reading {
            return Self::go_auth(reading, rest);
        }
        let known = ["$2a$", "$2b$", "$2y$"];
        if let Some(rest) = known.iter().find_map(|prefix| text.strip_prefix(prefix)) {
            return Self::bcrypt(rest);
        }
        if let Some(rest) = text.strip_prefix("$6$") {
            return Self::salted_sha512(rest).ok_or(PasswordHashError::Malformed);
        }
        if let Some(rest) = text.strip_prefix("$7$") {
            return Self::mosquitto_pbkdf2(rest);
        }
        let phc = text.strip_prefix('$').unwrap_or(text);
        let named = [
            ("pbkdf2-sha256$", HmacHash::Sha256),
            ("pbkdf2-sha512$", HmacHash::Sha512),
        ];
        for (prefix, hash) in named {
            if let Some(rest) = phc.strip_prefix(prefix) {
                return Self::phc_pbkdf2(hash, rest);
            }
        }
        Err(PasswordHashError::Unknown)
    }

    /// `ROUNDS$SALT$KEY` with a key of 64 bytes.
    fn mosquitto_pbkdf2(rest: &str) -> Result<Self, PasswordHashError> {
        let [rounds, salt, key] = fields(rest)?;
        let salts = vec![decoded(salt)?];
        let hash = Pbkdf2::checked(HmacHash::Sha512, rounds, salts, decoded(key)?)?;
        if hash.key.len() != 64 {
            return Err(PasswordHashError::Malformed);
        }
        Ok(Self::Pbkdf2(hash))
    }

    /// `sha256|sha512$ROUNDS$SALT$KEY`.
    fn go_auth(reading: SaltReading, rest: &str) -> Result<Self, PasswordHashError> {
        let [name, rounds, salt, key] = fields(rest)?;
        let hash = match name {
            "sha256" => HmacHash::Sha256,
            "sha512" => HmacHash::Sha512,
            _ => return Err(PasswordHashError::Unknown),
        };
        let text: Box<[u8]> = salt.as_bytes().into();
        let salts = match reading {
            SaltReading::Decoded => vec![decoded(salt)?],
            // What is not base64 can only be meant as it stands.
            SaltReading::Either => decoded(salt).into_iter().chain([text]).collect(),
            SaltReading::Text => vec![text],
        };
        Pbkdf2::checked(hash, rounds, salts, decoded(key)?).map(Self::Pbkdf2)
    }

    /// `i=ROUNDS,l=LENGTH$SALT$KEY`.
    fn phc_pbkdf2(hash: HmacHash, rest: &str) -> Result<Self, PasswordHashError> {
        let [params, salt, key] = fields(rest)?;
        let (rounds, length) = params
            .strip_prefix("i=")
            .and_then(|params| params.split_once(",l="))
            .ok_or(PasswordHashError::Malformed)?;
        let salts = vec![decoded(salt)?];
        let hash = Pbkdf2::checked(hash, rounds, salts, decoded(key)?)?;
        if length != hash.key.len().to_string() {
            return Err(PasswordHashError::Malformed);
        }
        Ok(Self::Pbkdf2(hash))
    }

    /// `SALT$DIGEST`.
    fn salted_sha512(rest: &str) -> Option<Self> {
        let [salt, digest] = fields(rest).ok()?;
        let salt = decoded(salt).ok()?;
        let digest = <[u8; 64]>::try_from(&*decoded(digest).ok()?).ok()?;
        is_salt(&salt).then_some(Self::SaltedSha512 { salt, digest })
    }

    /// `COST$` and 22 characters of salt and 31 of digest, in bcrypt's base64.
    fn bcrypt(rest: &str) -> Result<Self, PasswordHashError> {
        let [cost, body] = fields(rest)?;
        let (salt, digest) = body
            .split_at_checked(22)
            .ok_or(PasswordHashError::Malformed)?;
        let read = || {
            let salt = <[u8; 16]>::try_from(BCRYPT.decode(salt).ok()?).ok()?;
            let digest = <[u8; 23]>::try_from(BCRYPT.decode(digest).ok()?).ok()?;
            let cost =
                number(cost).filter(|number| cost.len() == 2 && (4..=31).contains(number))?;
            Some((cost, salt, digest))
        };
        let (cost, salt, digest) = read().ok_or(PasswordHashError::Malformed)?;
        if cost > MOST_BCRYPT_COST {
            return Err(PasswordHashError::TooCostly);
        }
        Ok(Self::Bcrypt { cost, salt, digest })
    }

    /// How many rounds of PBKDF2 a check takes, if that is less than a millisecond.
    pub(super) fn quick_rounds(&self) -> Option<u32> {
        let rounds = match self {
            Self::Bcrypt { .. } => return None,
            Self::Pbkdf2(hash) => hash.all_rounds(),
            Self::SaltedSha512 { .. } => 1,
        };
        (rounds <= MOST_QUICK_ROUNDS).then_some(rounds)
    }

    /// Says whether `presented` is the password.
    ///
    /// A secret with a NUL is never: HMAC and bcrypt take some of them for the
    /// same secret without, and those systems handle passwords as C strings.
    pub(super) fn verify(&self, presented: &Secret) -> bool {
        let presented = presented.expose();
        if presented.contains(&0) {
            return false;
        }
        match self {
            Self::Bcrypt { cost, salt, digest } => {
                // More is cut off by bcrypt, so another password would match.
                if presented.len() > LONGEST_BCRYPT {
                    return false;
                }
                let mut terminated = Zeroizing::new([presented, &[0]].concat());
                terminated.truncate(LONGEST_BCRYPT);
                let output = bcrypt::bcrypt(*cost, *salt, &terminated);
                output
                    .first_chunk::<23>()
                    .is_some_and(|output| output.ct_eq(digest).into())
            }
            Self::Pbkdf2(hash) => hash.verify(presented),
            Self::SaltedSha512 { salt, digest } => {
                let mut hasher = Sha512::new();
                hasher.update(presented);
                hasher.update(salt);
                <[u8; 64]>::from(hasher.finalize()).ct_eq(digest).into()
            }
        }
    }
}

/// The fields between `$`, which must be so many.
fn fields<const N: usize>(text: &str) -> Result<[&str; N], PasswordHashError> {
    let fields: Vec<&str> = text.split('$').collect();
    fields.try_into().map_err(|_| PasswordHashError::Malformed)
}

/// Digits alone; no sign.
fn number(text: &str) -> Option<u32> {
    let only_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| only_digits)
}

/// Base64, with or without padding.
fn decoded(text: &str) -> Result<Box<[u8]>, PasswordHashError> {
    let bytes = BASE64.decode(text);
    bytes
        .map(Vec::into)
        .map_err(|_| PasswordHashError::Malformed)
}

fn is_salt(bytes: &[u8]) -> bool {
    (1..=LONGEST_SALT).contains(&bytes.len())
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// The last character of a salt holds two bits of it; some programs fill the
/// rest with anything.
const BCRYPT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::BCRYPT,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);
/// A longer text is no hash of any of these forms.
const LONGEST_TEXT: usize = 512;
/// In bytes.
const LONGEST_SALT: usize = 128;
/// 2^12 rounds.
const MOST_BCRYPT_COST: u32 = 12;
/// bcrypt looks at so many bytes of a password.
const LONGEST_BCRYPT: usize = 72;

#[cfg(test)]
mod tests {
    use super::super::PasswordHash;
    use super::*;

    const DECODED: SaltReading = SaltReading::Decoded;

    fn import(text: &str, reading: SaltReading) -> Result<PasswordHash, PasswordHashError> {
        PasswordHash::import(text, reading)
    }

    fn is_password(text: &str, reading: SaltReading, password: &[u8]) -> bool {
        let hash = import(text, reading).unwrap();
        hash.verify(&Secret::new(password.to_vec()))
    }

    /// The hash, and its password. Made by `mosquitto_passwd` (12 bytes of
    /// salt: 2.0.11, 64: 2.1.2), Python's `hashlib` and `bcrypt`, and from the
    /// test vectors of jBCrypt.
    const VECTORS: &[(&str, &str)] = &[
        (
            "$7$101$VveIWYd3HRd1S8CE$Dh76qGviw0nfTTxWcvi4bxGWkfxYVAQTOts+1xz08ZP2+bAnYe30ZPlogr29q86jxJ5c5bzu8NTFGJdsYfSkIA==",
            "s3cret pässword",
        ),
        (
            "$6$9JJEGo3xLj8ECkf9$9nB03rYkpDqlK50FmHN+93aaxYdPzoxpR1zLkIaoxsa4MTNuX71KHMt6KeowRzchcCUT6kCWS9loTgEWS3Xs9g==",
            "pw",
        ),
        (
            "$6$AAECAwQFBgcICQoL$5W8GCQ9GLgmhmQvoa8jmRaPnsh82mRigdSv6mQsK0sMIII/WznlQb1g+RWddfoAKTMzBJP1deJU+Rp/1QZ0zZg==",
            "correct horse",
        ),
        (
            "PBKDF2$sha256$901$AAECAwQFBgcICQoLDA0ODw==$mri4s3gSqO5FrRl4dNSrj3E76pJ//OzJ",
            "correct horse",
        ),
        (
            "PBKDF2$sha512$1000$AAECAwQFBgcICQoLDA0ODw==$Xpx07WjVx4vCIvrmBRj8uOoVVtGqJqtUv2J5bhizSQs7osCteF7W4A61dZDqSIqQjO+dxO6p5FT/Uy7QRBXSXA==",
            "correct horse",
        ),
        (
            "PBKDF2$sha256$1000$AAECAwQFBgcICQoLDA0ODw==$yRTMTwbMbo9G0VfjobWqerzuuxe7BETNTErBbKKumGQVykgYqFUkGA==",
            "correct horse",
        ),
        (
            "$pbkdf2-sha512$i=1000,l=64$AAECAwQFBgcICQoLDA0ODw$Xpx07WjVx4vCIvrmBRj8uOoVVtGqJqtUv2J5bhizSQs7osCteF7W4A61dZDqSIqQjO+dxO6p5FT/Uy7QRBXSXA",
            "correct horse",
        ),
        (
            "pbkdf2-sha512$i=1000,l=64$AAECAwQFBgcICQoLDA0ODw==$Xpx07WjVx4vCIvrmBRj8uOoVVtGqJqtUv2J5bhizSQs7osCteF7W4A61dZDqSIqQjO+dxO6p5FT/Uy7QRBXSXA==",
            "correct horse",
        ),
        (
            "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.",
            "",
        ),
        (
            "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe",
            "a",
        ),
        (
            "$2a$08$aTsUwsyowQuzRrDqFflhgekJ8d9/7Z3GV3UcgvzQW3J5zMyrTvlz.",
            "abcdefghijklmnopqrstuvwxyz",
        ),
        (
            "$2b$04$JZ95.zHALtwsoHtE2G1XtuC299sRuMYqyOOQcGAia.hOw2IeCTl6i",
            "päss",
        ),
        (
            "$7$1000$WEjd0v7jtouHYl4l5KkFmzOdmJrHL2IrNtfOd25jS0qRRSgrAu8OGIuMmtbOCay0TqozSnSG5F2jbsWCjy15UQ==$G6wiNC480ZreaNcM3nOOwp4bbKaVgaF5lLyY+wFlM626OSRFuEmEnoAB/vj2Bqh03GzH+mSmmqRw77fIl9HYrQ==",
            "tr0ub4dor",
        ),
        (
            "$6$uW78hIEbA1xsRxzj7dDYDjOieqRv0OFAOpFGibMtBwj+xW7wmnXb88J6nzNqDFAwnWaTecd9lJ9BmI9vB0UYTQ==$/LmhmdycioTvRhIXE5PNpr5obpambTCg2qv62BYrBbLJzoK/A0MZpdJoUNuKXhHN4B0oZcF4sh+rKnpjPlrcgg==",
            "tr0ub4dor",
        ),
        (
            "$2y$06$fPIsBO8qRqkjj273rfaOI.HtSV9jLDpTbZn782DC6/t7qT67P6FfO",
            "~!@#$%^&*()      ~!@#$%^&*()PNBFRD",
        ),
    ];

    /// The same salt and password in the other reading.
    const OF_TEXT_SALT: &str =
        "PBKDF2$sha256$901$AAECAwQFBgcICQoLDA0ODw==$ymdDZXoI8tCsExlIKSaCej1C7y62NICz";

    #[test]
    fn each_form_verifies_its_password_and_no_other() {
        for (text, password) in VECTORS {
            let password = password.as_bytes();
            assert!(is_password(text, DECODED, password), "{text}");
            assert!(!is_password(text, DECODED, b"wrong"), "{text}");
            let longer = [password, b"x"].concat();
            assert!(!is_password(text, DECODED, &longer), "{text}");
            assert!(!is_password(text, DECODED, &[password, b"\0"].concat()));
        }
    }

    #[test]
    fn each_form_is_stored_as_it_came_and_is_to_be_hashed_anew() {
        for (text, _) in VECTORS {
            let hash = import(text, DECODED).unwrap();
            assert_eq!(hash.as_str(), *text);
            assert_eq!(hash.params(), None);
            assert_eq!(format!("{hash:?}"), "PasswordHash(…)");
        }
    }

    #[test]
    fn the_reading_of_a_salt_decides_and_is_stored() {
        let decoded = "PBKDF2$sha256$901$AAECAwQFBgcICQoLDA0ODw==$mri4s3gSqO5FrRl4dNSrj3E76pJ//OzJ";
        let cases = [
            (SaltReading::Decoded, "PBKDF2$sha256$901", [true, false]),
            (SaltReading::Text, "PBKDF2-text$sha256$901", [false, true]),
            (SaltReading::Either, "PBKDF2-either$sha256$901", [true; 2]),
        ];
        for (reading, stored, expected) in cases {
            for (text, is_match) in [decoded, OF_TEXT_SALT].into_iter().zip(expected) {
                let imported = import(text, reading).unwrap();
                assert!(imported.as_str().starts_with(stored));
                let read_back = PasswordHash::parse(imported.as_str()).unwrap();
                let presented = Secret::new(b"correct horse".to_vec());
                assert_eq!(read_back.verify(&presented), is_match, "{reading:?} {text}");
                assert!(!read_back.verify(&Secret::new(b"wrong".to_vec())));
            }
        }
    }

    #[test]
    fn a_salt_that_is_not_base64_can_only_be_meant_as_it_stands() {
        let text = "PBKDF2$sha256$1000$not base64!$MskfQCtbQV1X+O3iD8EN/IorWwizbvWemarj/p62oVU=";
        assert!(import(text, SaltReading::Decoded).is_err());
        for reading in [SaltReading::Text, SaltReading::Either] {
            assert!(is_password(text, reading, b"correct horse"));
        }
    }

    #[test]
    fn what_takes_too_much_work_is_refused_when_it_is_read() {
        let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";
        let salt = "AAECAwQFBgcICQoL";
        let argon2 = |params: &str| {
            format!(
                "$argon2id$v=19${params}${}$AAECAwQFBgcICQoLDA0ODw",
                "AAECAwQFBgcICQoLDA0ODw"
            )
        };
        let bcrypt = |cost: &str| {
            format!("$2b${cost}$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.")
        };
        let cases = [
            (format!("$7$200000${salt}${key}"), DECODED, true),
            (format!("$7$200001${salt}${key}"), DECODED, false),
            (format!("$7$4294967295${salt}${key}"), DECODED, false),
            (format!("PBKDF2$sha512$200000${salt}${key}"), DECODED, true),
            // Two blocks of a key, or two salts, are twice the work.
            (format!("PBKDF2$sha256$100001${salt}${key}"), DECODED, false),
            (
                format!("PBKDF2$sha512$100000${salt}${key}"),
                SaltReading::Either,
                true,
            ),
            (
                format!("PBKDF2$sha512$100001${salt}${key}"),
                SaltReading::Either,
                false,
            ),
            (bcrypt("12"), DECODED, true),
            (bcrypt("13"), DECODED, false),
            (bcrypt("31"), DECODED, false),
            (argon2("m=65536,t=4,p=1"), DECODED, true),
            (argon2("m=65537,t=4,p=1"), DECODED, false),
            (argon2("m=65536,t=5,p=1"), DECODED, false),
        ];
        for (text, reading, is_taken) in cases {
            let expected = if is_taken {
                None
            } else {
                Some(PasswordHashError::TooCostly)
            };
            assert_eq!(import(&text, reading).err(), expected, "{text}");
        }
        // What a store's own settings asked for is read back all the same.
        assert!(PasswordHash::parse(&argon2("m=65537,t=5,p=1")).is_ok());
    }

    #[test]
    fn what_is_malformed_is_refused_and_so_is_what_is_unknown() {
        use PasswordHashError::{Malformed, Unknown};
        let digest = "A".repeat(86);
        let cases = [
            ("".to_owned(), Unknown),
            ("secret".to_owned(), Unknown),
            ("$1$abc$def".to_owned(), Unknown),
            ("$5$AAECAwQFBgcICQoL$AAAA".to_owned(), Unknown),
            (
                "$2x$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.".to_owned(),
                Unknown,
            ),
            (format!("PBKDF2$md5$1000$AAAA${digest}"), Unknown),
            ("$6$".to_owned(), Malformed),
            (format!("$6$AAAA${digest}$"), Malformed),
            (format!("$6$${digest}"), Malformed),
            (format!("$6$AAAA$A{digest}"), Malformed),
            ("$6$AAAA$AAAA".to_owned(), Malformed),
            (format!("$7$0$AAAA${digest}"), Malformed),
            (format!("$7$+1$AAAA${digest}"), Malformed),
            (format!("$7$-1$AAAA${digest}"), Malformed),
            (format!("$7$1$!AAA${digest}"), Malformed),
            ("$7$1$AAAA$AAAAAAAAAAAAAAAAAAAAAAAA".to_owned(), Malformed),
            ("PBKDF2$sha512$1$AAAA$AAAA".to_owned(), Malformed),
            (
                "pbkdf2-sha512$i=1,l=65$AAAA$".to_owned() + &digest,
                Malformed,
            ),
            ("pbkdf2-sha512$i=1$AAAA$".to_owned() + &digest, Malformed),
            (
                "$2b$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s".to_owned(),
                Malformed,
            ),
            (
                "$2b$6$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.".to_owned(),
                Malformed,
            ),
            (
                "$2b$03$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.".to_owned(),
                Malformed,
            ),
            (
                "$2b$06$ääääääääääääääääääääääääääääääää".to_owned(),
                Malformed,
            ),
            ("$argon2id$v=19$".to_owned(), Malformed),
            ("$7$1$AAAA$".to_owned() + &"A".repeat(600), Unknown),
        ];
        for (text, expected) in cases {
            assert_eq!(import(&text, DECODED).err(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_password_that_bcrypt_would_cut_matches_nothing() {
        let text = "$2b$04$uETHeD0pCLqJEOXruJit1uTEMx0i95zKBFMns7vKk/8t/7R.CQgj2";
        assert!(is_password(text, DECODED, &[b'x'; 72]));
        assert!(!is_password(text, DECODED, &[b'x'; 71]));
        assert!(!is_password(text, DECODED, &[b'x'; 73]));
        assert!(!is_password(text, DECODED, &[b'x'; 1_030]));
    }

    #[test]
    fn an_argon2id_hash_of_another_system_may_have_a_longer_salt_and_tag() {
        let hash = import(ARGON2ID_OF_MOSQUITTO, DECODED).unwrap();
        assert_eq!(hash.as_str(), ARGON2ID_OF_MOSQUITTO);
        assert_eq!(hash.params().unwrap().to_string(), "m=47104,t=1,p=1");
        assert!(is_password(ARGON2ID_OF_MOSQUITTO, DECODED, b"tr0ub4dor"));
        assert!(!is_password(ARGON2ID_OF_MOSQUITTO, DECODED, b"troubador"));
        let of_go_auth = "$argon2id$v=19$m=4096,t=3,p=2$AAECAwQFBgcICQoLDA0ODw$xzTvYRtklzGGF+A6zq7vJjXK2PgRrLc9IW/Wy7Bk9XA";
        assert!(is_password(of_go_auth, DECODED, b"correct horse"));
    }

    /// With the parameters of `mosquitto_passwd -H argon2id`, by the reference
    /// implementation.
    const ARGON2ID_OF_MOSQUITTO: &str = "$argon2id$v=19$m=47104,t=1,p=1$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw$uPvK6I/pxXMhpmgy76f5ztrkWfZgZWglaAIrah1sQqftaLSLoVOIpcnmnRYg8IwPyaDkELsrqbtROWGgH50l7w";
}
