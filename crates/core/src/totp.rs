//! One-time codes of a second factor: TOTP (RFC 6238) over HOTP (RFC 4226),
//! with SHA-1, steps of 30 seconds counted from the Unix epoch, and six digits.
//!
//! The caller makes sure that a code works only once: [`Seed::matches`] names
//! the [`Step`] of a code, and a step that is not newer than the last one
//! accepted is a replay (RFC 6238 §5.2).

use core::fmt::Write as _;

use hmac::{Hmac, Mac as _};
use sha1::Sha1;
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use zeroize::Zeroizing;

use crate::time::Timestamp;

/// The seed that a user's authenticator and we share: 160 bits.
///
/// Wiped on drop, and neither shown, copied nor compared by `==`.
#[expect(missing_debug_implementations, reason = "a secret is never shown")]
pub struct Seed(Zeroizing<[u8; 20]>);

impl Seed {
    /// Makes a seed from 160 random bits, as RFC 4226 §4 recommends.
    #[must_use]
    pub fn new(random: [u8; 20]) -> Self {
        Self(Zeroizing::new(random))
    }

    /// A seed read back from a store; `None` unless there are 20 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::new)
    }

    /// The bytes, for sealing.
    #[must_use]
    pub fn expose(&self) -> &[u8; 20] {
        &self.0
    }

    /// The seed as people type it: 32 characters of base 32 (RFC 4648 §6).
    ///
    /// 160 bits need no padding.
    #[must_use]
    pub fn to_base32(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(BASE32_DIGITS));
        // Five bytes are eight digits, so nothing is left over.
        for group in self.0.chunks_exact(5) {
            let bits = group
                .iter()
                .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
            for place in (0..8_u32).rev() {
                text.push(base32_digit(bits >> place.saturating_mul(5)));
            }
        }
        text
    }

    /// The `otpauth://totp/…` URI that authenticator programs read as QR code.
    ///
    /// All but the unreserved characters of RFC 3986 §2.3 is percent-encoded in
    /// `issuer` and `account`, a colon in either one too.
    #[must_use]
    pub fn otpauth_uri(&self, issuer: &str, account: &str) -> Zeroizing<String> {
        let issuer = percent_encoded(issuer);
        let account = percent_encoded(account);
        let seed = self.to_base32();
        let parts = [
            "otpauth://totp/",
            &issuer,
            ":",
            &account,
            "?secret=",
            &seed,
            "&issuer=",
            &issuer,
            "&algorithm=SHA1&digits=6&period=30",
        ];
        // Of the right size from the start: a text that grows leaves copies.
        let size = parts.iter().map(|part| part.len()).sum();
        let mut uri = Zeroizing::new(String::with_capacity(size));
        for part in parts {
            uri.push_str(part);
        }
        uri
    }

    /// Says which step `code` is of, if it is of the one at `now`, the one
    /// before or the one after it (RFC 6238 §5.2).
    ///
    /// Of steps that have the same code it is the newest one. Takes the same
    /// time whether a code matches or not.
    #[must_use]
    pub fn matches(&self, code: &Code, now: Timestamp) -> Option<Step> {
        let current = Step::at(now);
        let mut found = Choice::from(0);
        let mut newest = current.0;
        for distance in [-1, 0, 1] {
            let step = Step(current.0.saturating_add(distance));
            let expected = Zeroizing::new(self.code_at(step));
            let is_equal = expected.ct_eq(&*code.0);
            newest.conditional_assign(&step.0, is_equal);
            found |= is_equal;
        }
        bool::from(found).then_some(Step(newest))
    }

    /// The six digits of `step`, for tests and tools (RFC 4226 §5.3).
    #[must_use]
    pub fn code_at(&self, step: Step) -> [u8; 6] {
        // HMAC takes a key of any length, so the refusal can't happen.
        let mut mac = Hmac::<Sha1>::new_from_slice(&*self.0)
            .unwrap_or_else(|_| Hmac::<Sha1>::new(&Default::default()));
        mac.update(&step.0.to_be_bytes());
        let output: [u8; 20] = mac.finalize().into_bytes().into();
        let mut number = truncated(&output);
        let mut code = [b'0'; 6];
        for digit in code.iter_mut().rev() {
            *digit = u8::try_from(number % 10).map_or(b'0', |value| value | b'0');
            number /= 10;
        }
        code
    }
}

/// Six digits that a user presents.
///
/// Wiped on drop, and neither shown, copied nor compared by `==`.
#[expect(missing_debug_implementations, reason = "a secret is never shown")]
pub struct Code(Zeroizing<[u8; 6]>);

impl Code {
    /// Takes over a code; `None` for anything but six ASCII digits.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digits: [u8; 6] = text.try_into().ok()?;
        let digits = Zeroizing::new(digits);
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then_some(Self(digits))
    }
}

/// The number of a step of 30 seconds; the Unix epoch begins step 0.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Step(pub i64);

impl Step {
    /// The step that `now` is in.
    #[must_use]
    pub const fn at(now: Timestamp) -> Self {
        Self(now.as_millis().div_euclid(STEP_MILLIS))
    }

    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Splits a password that a code is appended to, where a protocol has one
/// field for both.
///
/// `None` unless the last six bytes are digits and something stands before
/// them.
#[must_use]
pub fn split_appended(password: &[u8]) -> Option<(&[u8], Code)> {
    let (password, code) = password.split_last_chunk::<6>()?;
    if password.is_empty() {
        return None;
    }
    Some((password, Code::parse(code)?))
}

/// The dynamic truncation of RFC 4226 §5.3: 31 bits, from where the last four
/// bits say.
fn truncated(output: &[u8; 20]) -> u32 {
    let [.., last] = *output;
    // INVARIANT: at most 15, and so 4 bytes follow.
    let offset = usize::from(last & 0x0f);
    let word = output
        .get(offset..)
        .and_then(<[u8]>::first_chunk::<4>)
        .map_or(0, |bytes| u32::from_be_bytes(*bytes));
    word & 0x7fff_ffff
}

/// The digit of the lowest five bits.
fn base32_digit(bits: u64) -> char {
    let value = u8::try_from(bits & 0x1f).unwrap_or(0);
    char::from(match value {
        0..=25 => b'A'.saturating_add(value),
        _ => b'2'.saturating_add(value.saturating_sub(26)),
    })
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a `String` can't fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

const STEP_MILLIS: i64 = 30_000;
const BASE32_DIGITS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    /// The seed of RFC 4226 appendix D and RFC 6238 appendix B.
    fn seed() -> Seed {
        Seed::new(*b"12345678901234567890")
    }

    fn code(text: &str) -> Code {
        Code::parse(text.as_bytes()).unwrap()
    }

    fn at_seconds(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds.saturating_mul(1_000))
    }

    /// RFC 4226 appendix D.
    #[test]
    fn the_vectors_of_hotp_hold() {
        let codes = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583",
            "399871", "520489",
        ];
        for (step, expected) in (0..).zip(codes) {
            assert_eq!(seed().code_at(Step(step)), expected.as_bytes(), "{step}");
        }
    }

    /// RFC 6238 appendix B; of eight digits the last six.
    #[test]
    fn the_vectors_of_totp_hold() {
        for (seconds, digits) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            let step = Step::at(at_seconds(seconds));
            let (_, digits) = digits.split_at(2);
            assert_eq!(seed().code_at(step), digits.as_bytes(), "{seconds}");
            let found = seed().matches(&code(digits), at_seconds(seconds));
            assert_eq!(found, Some(step), "{seconds}");
        }
    }

    #[test]
    fn a_code_holds_in_its_step_and_the_ones_beside_it() {
        // Step 100 begins at 3,000 s.
        let code = Code::parse(&seed().code_at(Step(100))).unwrap();
        for (millis, expected) in [
            (2_969_999, None),
            (2_970_000, Some(Step(100))),
            (3_000_000, Some(Step(100))),
            (3_029_999, Some(Step(100))),
            (3_059_999, Some(Step(100))),
            (3_060_000, None),
        ] {
            let now = Timestamp::from_millis(millis);
            assert_eq!(seed().matches(&code, now), expected, "{millis}");
        }
    }

    #[test]
    fn no_code_holds_under_another_seed() {
        let code = Code::parse(&seed().code_at(Step(100))).unwrap();
        let other = Seed::new([7; 20]);
        assert_eq!(other.matches(&code, at_seconds(3_000)), None);
    }

    #[test]
    fn of_steps_with_one_code_it_is_the_newest() {
        // The first two neighbours under this seed that share a code.
        let twin = Step(910_737);
        let newer = Step(twin.0 + 1);
        assert_eq!(seed().code_at(twin), seed().code_at(newer));
        let code = Code::parse(&seed().code_at(twin)).unwrap();
        for current in [twin, newer] {
            let now = at_seconds(current.0 * 30);
            assert_eq!(seed().matches(&code, now), Some(newer));
        }
    }

    #[test]
    fn time_without_end_and_before_the_epoch_has_steps_too() {
        assert_eq!(Step::at(Timestamp::from_millis(-1)), Step(-1));
        for millis in [i64::MIN, -1, 0, i64::MAX] {
            let now = Timestamp::from_millis(millis);
            let code = Code::parse(&seed().code_at(Step::at(now))).unwrap();
            assert!(seed().matches(&code, now).is_some(), "{millis}");
        }
    }

    #[test]
    fn a_code_is_six_ascii_digits() {
        for good in ["000000", "123456", "999999"] {
            assert!(Code::parse(good.as_bytes()).is_some(), "{good}");
        }
        for bad in ["", "12345", "1234567", "12345a", "+12345", " 12345", "١٢٣"] {
            assert!(Code::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_last_six_digits_are_split_off_if_something_stands_before_them() {
        for (password, rest, digits) in [
            ("pw123456", "pw", "123456"),
            ("1123456", "1", "123456"),
            ("pw 000000", "pw ", "000000"),
            ("ü123456", "ü", "123456"),
        ] {
            let (found, code) = split_appended(password.as_bytes()).unwrap();
            assert_eq!(found, rest.as_bytes(), "{password}");
            assert_eq!(*code.0, digits.as_bytes(), "{password}");
        }
        for password in [
            "",
            "123456",
            "12345",
            "pw12345",
            "pw12345a",
            "123456pw",
            "pw123456 ",
        ] {
            assert!(split_appended(password.as_bytes()).is_none(), "{password}");
        }
        assert!(split_appended(b"\xff123456").is_some());
    }

    #[test]
    fn a_seed_is_twenty_bytes() {
        assert_eq!(Seed::from_bytes(&[7; 20]).unwrap().expose(), &[7; 20]);
        for length in [0, 19, 21] {
            assert!(Seed::from_bytes(&vec![7; length]).is_none(), "{length}");
        }
    }

    #[test]
    fn base_32_is_the_one_of_the_rfc() {
        assert_eq!(*seed().to_base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(*Seed::new([0; 20]).to_base32(), "A".repeat(32));
        assert_eq!(*Seed::new([255; 20]).to_base32(), "7".repeat(32));
    }

    #[test]
    fn the_uri_says_all_and_encodes_what_could_be_misread() {
        assert_eq!(
            *seed().otpauth_uri("Countersign", "jane@mail.test"),
            "otpauth://totp/Countersign:jane%40mail.test\
             ?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Countersign&algorithm=SHA1&digits=6&period=30"
        );
        assert_eq!(
            *seed().otpauth_uri("A:c&m e/ü", "a?b#c%=+"),
            "otpauth://totp/A%3Ac%26m%20e%2F%C3%BC:a%3Fb%23c%25%3D%2B\
             ?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=A%3Ac%26m%20e%2F%C3%BC&algorithm=SHA1&digits=6&period=30"
        );
    }
}
