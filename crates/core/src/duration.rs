//! Durations as the command line writes them: `90s`, `15m`, `24h`, `30d`.

use core::fmt;
use core::time::Duration;

use crate::given::Given;

/// Parses a whole number followed by `s`, `m`, `h` or `d`.
///
/// # Errors
///
/// Returns [`DurationError`] for anything else, for zero, and for more than
/// a hundred years.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let error = || DurationError(text.into());
    let split = text.len().checked_sub(1).ok_or_else(error)?;
    let (number, unit) = text.split_at_checked(split).ok_or_else(error)?;
    let unit: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(error()),
    };
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(error());
    }
    let number: u64 = number.parse().map_err(|_| error())?;
    match number.checked_mul(unit) {
        Some(seconds) if seconds > 0 && seconds <= LONGEST_SECONDS => {
            Ok(Duration::from_secs(seconds))
        }
        Some(_) | None => Err(error()),
    }
}

/// Writes a duration of whole seconds as [`parse_duration`] reads it.
pub(crate) fn write_duration(f: &mut fmt::Formatter<'_>, duration: Duration) -> fmt::Result {
    let seconds = duration.as_secs();
    let (number, unit) = if seconds.is_multiple_of(3_600) {
        (seconds / 3_600, 'h')
    } else if seconds.is_multiple_of(60) {
        (seconds / 60, 'm')
    } else {
        (seconds, 's')
    };
    write!(f, "{number}{unit}")
}

/// A text is not a valid duration.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is not a valid duration; write a whole number above zero and a unit, like `90s`, `15m`, `24h` or `30d`"
)]
pub struct DurationError(Given);

const LONGEST_SECONDS: u64 = 100 * 365 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_reads() {
        for (text, seconds) in [
            ("90s", 90),
            ("15m", 900),
            ("24h", 86_400),
            ("30d", 2_592_000),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_secs(seconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "s",
            "15",
            "15 m",
            " 15m",
            "-1s",
            "+1s",
            "1.5h",
            "0s",
            "1w",
            "1mm",
            "5é",
            "é",
            "99999999999999999999s",
            "9999999999d",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
