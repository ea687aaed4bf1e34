//! A value as people read it: times as they are seen from now, states in colour.

use core::fmt;

use anstyle::{AnsiColor, Style};
use countersign_core::given::OneLine;
use countersign_core::time::Timestamp;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::wiped;

/// How times are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Times {
    /// As they are seen from this instant: `2 min ago`.
    Ago(Timestamp),
    /// Both ways.
    Both(Timestamp),
    /// As programs read them.
    Exact,
}

/// A value as people read it. It may be a secret.
pub(crate) fn text(key: &str, value: &Value, times: Times) -> Zeroizing<String> {
    wiped::display(&ForPeople { key, value, times })
}

/// How a value is drawn.
pub(crate) fn style(key: &str, value: &str) -> Style {
    if !matches!(key, "event" | "level" | "outcome" | "state" | "verdict") {
        return Style::new();
    }
    let colour = |colour: AnsiColor| colour.on_default();
    match value {
        "Active" | "allow" | "connected" | "done" | "ok" => GOOD,
        "Suspended" | "warn" => colour(AnsiColor::Yellow),
        "Revoked" | "deny" | "denied" | "fail" | "failed" | "refused" => BAD,
        "Inactive" | "disconnected" => Style::new().dimmed(),
        _ => Style::new(),
    }
}

/// Says whether a value is shown as nothing.
pub(crate) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(values) => values.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What is well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What may be meant so.
pub(crate) const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
/// What is not well.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();

struct ForPeople<'v> {
    key: &'v str,
    value: &'v Value,
    times: Times,
}

impl ForPeople<'_> {
    fn time(&self, text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (now, is_exact_too) = match self.times {
            Times::Exact => return write!(f, "{}", OneLine(text)),
            Times::Ago(now) => (now, false),
            Times::Both(now) => (now, true),
        };
        let Ok(instant) = text.parse::<jiff::Timestamp>() else {
            return write!(f, "{}", OneLine(text));
        };
        let then = Timestamp::from_millis(instant.as_millisecond());
        write!(f, "{}", Ago { then, now })?;
        if is_exact_too {
            write!(f, " ({})", OneLine(text))?;
        }
        Ok(())
    }
}

impl fmt::Display for ForPeople<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |key, value| ForPeople {
            key,
            value,
            times: self.times,
        };
        match self.value {
            Value::Null => f.write_str("-"),
            Value::Bool(true) => f.write_str("yes"),
            Value::Bool(false) => f.write_str("no"),
            Value::Number(number) => write!(f, "{number}"),
            Value::String(text) if is_time(self.key) => self.time(text, f),
            Value::String(text) => write!(f, "{}", OneLine(text)),
            Value::Array(values) if values.is_empty() => f.write_str("-"),
            Value::Array(values) => {
                for (index, value) in values.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{}", of(self.key, value))?;
                }
                Ok(())
            }
            Value::Object(values) if values.is_empty() => f.write_str("-"),
            Value::Object(values) => {
                for (index, (key, value)) in values.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{}={}", OneLine(key), of(key, value))?;
                }
                Ok(())
            }
        }
    }
}

/// Says whether what has this key is a time.
fn is_time(key: &str) -> bool {
    matches!(key, "last" | "last_seen" | "not_before" | "since" | "time")
        || ["_at", "_since", "_until"]
            .iter()
            .any(|end| key.ends_with(end))
}

/// An instant as it is seen from another.
struct Ago {
    then: Timestamp,
    now: Timestamp,
}

impl fmt::Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (then, now) = (self.then.as_millis(), self.now.as_millis());
        let seconds = then.abs_diff(now).checked_div(1_000).unwrap_or(0);
        let in_units = |unit| seconds.checked_div(unit).unwrap_or(0);
        let (count, unit) = match seconds {
            0 => return f.write_str("now"),
            1..60 => (seconds, "s"),
            60..3_600 => (in_units(60), "min"),
            3_600..172_800 => (in_units(3_600), "h"),
            172_800..31_536_000 => (in_units(86_400), "d"),
            _ => (in_units(31_536_000), "y"),
        };
        if then > now {
            write!(f, "in {count} {unit}")
        } else {
            write!(f, "{count} {unit} ago")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000_000_000);

    fn ago(seconds: i64) -> String {
        let then = Timestamp::from_millis(
            NOW.as_millis()
                .saturating_sub(seconds.saturating_mul(1_000)),
        );
        Ago { then, now: NOW }.to_string()
    }

    #[test]
    fn an_instant_is_told_as_it_is_seen_from_now() {
        for (seconds, told) in [
            (0, "now"),
            (1, "1 s ago"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (125, "2 min ago"),
            (3_600, "1 h ago"),
            (172_799, "47 h ago"),
            (172_800, "2 d ago"),
            (31_536_000, "1 y ago"),
            (-90, "in 1 min"),
            (-86_400 * 30, "in 30 d"),
        ] {
            assert_eq!(ago(seconds), told, "{seconds}");
        }
    }

    #[test]
    fn only_what_is_a_time_by_its_key_is_told_as_one() {
        let time = json!("2001-09-09T01:44:40.000Z");
        let told = |key, value, times| text(key, value, times).to_string();
        assert_eq!(told("created_at", &time, Times::Ago(NOW)), "2 min ago");
        assert_eq!(
            told("created_at", &time, Times::Both(NOW)),
            "2 min ago (2001-09-09T01:44:40.000Z)"
        );
        for (key, times) in [
            ("created_at", Times::Exact),
            ("description", Times::Ago(NOW)),
        ] {
            assert_eq!(told(key, &time, times), "2001-09-09T01:44:40.000Z", "{key}");
        }
        let soon = json!("soon");
        assert_eq!(told("created_at", &soon, Times::Ago(NOW)), "soon");
        let denied = json!([{ "last": time }]);
        assert_eq!(told("denied", &denied, Times::Ago(NOW)), "last=2 min ago");
    }
}
