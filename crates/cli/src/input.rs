//! What people type: times, attributes, passwords.

use core::time::Duration;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{IsTerminal as _, Read as _};
use std::os::fd::AsFd as _;

use clap::Args;
use countersign_admin::hook::KickLogin;
use countersign_admin::password::{ChosenPassword, LONGEST_PASSWORD, PasswordError};
use countersign_admin::rule::RuleChange;
use countersign_core::client_id::{ClientId, ClientIdError};
use countersign_core::credential::check_attribute;
use countersign_core::duration::parse_duration;
use countersign_core::jwt;
use countersign_core::name::{LoginName, LoginNameError};
use countersign_core::rule::{Action, Effect, Limits, Pattern, QoS, QosError, Rule};
use countersign_core::secret::Secret;
use countersign_core::time::{Timestamp, rfc3339};
use zeroize::Zeroizing;

use crate::error::CliError;
use crate::output::Output;

/// An instant, written as a date-time or relative to now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum When {
    /// So long ago.
    Ago(Duration),
    /// At this instant.
    At(Timestamp),
    /// So long from now.
    In(Duration),
}

impl When {
    /// Parses an RFC 3339 date-time, one without an offset (UTC), a date (its
    /// first instant), `+DUR` or `-DUR`.
    pub(crate) fn parse(text: &str) -> Result<Self, WhenError> {
        let error = || WhenError(text.into());
        if let Some(duration) = text.strip_prefix('+') {
            return parse_duration(duration).map(Self::In).map_err(|_| error());
        }
        if let Some(duration) = text.strip_prefix('-') {
            return parse_duration(duration).map(Self::Ago).map_err(|_| error());
        }
        let in_utc = |civil: jiff::civil::DateTime| civil.to_zoned(jiff::tz::TimeZone::UTC);
        let instant = match text.parse::<jiff::Timestamp>() {
            Ok(instant) => instant,
            Err(_) => {
                let civil = text.parse::<jiff::civil::DateTime>().map_err(|_| error())?;
                in_utc(civil).map_err(|_| error())?.timestamp()
            }
        };
        Ok(Self::At(Timestamp::from_millis(instant.as_millisecond())))
    }

    /// Parses an instant that lies in the past: `2h` and `-2h` are both two hours
    /// ago.
    pub(crate) fn parse_past(text: &str) -> Result<Self, PastError> {
        if let Ok(duration) = parse_duration(text) {
            return Ok(Self::Ago(duration));
        }
        Self::parse(text).map_err(|_| PastError(text.into()))
    }

    /// Parses an instant to come: `2h` and `+2h` are both two hours from now.
    pub(crate) fn parse_to_come(text: &str) -> Result<Self, WhenError> {
        match parse_duration(text) {
            Ok(duration) => Ok(Self::In(duration)),
            Err(_) => Self::parse(text),
        }
    }

    /// The instant, as seen from `now`.
    pub(crate) fn seen_from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(duration) => now.minus(duration),
            Self::At(instant) => instant,
            Self::In(duration) => now.plus(duration),
        }
    }
}

/// When something ends, if ever.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Expiry {
    /// Never.
    Never,
    /// Then.
    Then(When),
}

impl Expiry {
    /// Parses `never` or what [`When::parse`] does.
    pub(crate) fn parse(text: &str) -> Result<Self, WhenError> {
        match text {
            "never" => Ok(Self::Never),
            _ => When::parse(text).map(Self::Then),
        }
    }

    /// The instant, as seen from `now`.
    pub(crate) fn seen_from(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Never => None,
            Self::Then(when) => Some(when.seen_from(now)),
        }
    }
}

/// Checks that an end that was asked for is still to come: what has ended before
/// it began is a mistake.
pub(crate) fn check_to_come(end: Option<Timestamp>, now: Timestamp) -> Result<(), CliError> {
    match end {
        Some(end) if end <= now => Err(CliError::refused(format!(
            "--expires is {}, which is past; give a time to come, as `+30d`, or `credential revoke` it",
            rfc3339(end)
        ))),
        Some(_) | None => Ok(()),
    }
}

/// A text is not a valid instant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct WhenError(Box<str>);

impl core::fmt::Display for WhenError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self(text) = self;
        write!(
            f,
            "`{text}` is not a valid instant; write `2030-01-31T12:00:00Z`, or `+24h` for a day from now"
        )
    }
}

impl core::error::Error for WhenError {}

/// A text is not an instant, where the past is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct PastError(Box<str>);

impl core::fmt::Display for PastError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self(text) = self;
        write!(
            f,
            "`{text}` is not an instant; write `2030-01-31T12:00:00Z`, or `2h` for \
             two hours ago"
        )
    }
}

impl core::error::Error for PastError {}

/// How client ids begin; the empty text is anyhow.
#[derive(Clone, Debug)]
pub(crate) struct ClientIdPrefix(pub(crate) Option<ClientId>);

impl ClientIdPrefix {
    pub(crate) fn parse(text: &str) -> Result<Self, ClientIdError> {
        match text {
            "" => Ok(Self(None)),
            _ => ClientId::parse(text).map(|prefix| Self(Some(prefix))),
        }
    }
}

/// How names begin that are given in a tenant; none is not at all.
#[derive(Clone, Debug)]
pub(crate) struct NamePrefix(pub(crate) Option<LoginName>);

impl NamePrefix {
    pub(crate) fn parse(text: &str) -> Result<Self, LoginNameError> {
        match text {
            "" => Ok(Self(None)),
            _ => LoginName::parse(text).map(|prefix| Self(Some(prefix))),
        }
    }
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Attribute {
    key: String,
    value: String,
}

impl Attribute {
    /// Parses `K=V`.
    pub(crate) fn parse(text: &str) -> Result<Self, Box<dyn core::error::Error + Send + Sync>> {
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| format!("`{text}` is not a valid attribute; write `KEY=VALUE`"))?;
        check_attribute(key, value)?;
        Ok(Self {
            key: key.into(),
            value: value.into(),
        })
    }

    /// The attributes by key, which each may be given once.
    pub(crate) fn collect(attributes: Vec<Self>) -> Result<BTreeMap<String, String>, CliError> {
        let mut collected = BTreeMap::new();
        for Self { key, value } in attributes {
            if collected.contains_key(&key) {
                return Err(CliError::usage(format!("attribute `{key}` is given twice")));
            }
            collected.insert(key, value);
        }
        Ok(collected)
    }
}

/// The words that tell a rule: what it is about, which topics, and within which
/// limits.
#[derive(Args, Clone, Debug)]
pub(crate) struct RuleArguments {
    /// What the rule is about: `publish`, `subscribe` or `both`.
    #[arg(value_parser = Action::parse)]
    action: Action,
    /// Which topics: a filter that may hold `${username}`, `${client_id}`,
    /// `${tenant}`, `${group}` and `${attr.NAME}`.
    #[arg(value_parser = Pattern::parse)]
    pattern: Pattern,
    /// The highest QoS that is allowed: 0, 1 or 2.
    #[arg(long, value_name = "N", value_parser = parse_qos)]
    max_qos: Option<QoS>,
    /// No retained message is allowed.
    #[arg(long)]
    no_retain: bool,
    /// The very topic or filter as written, without variables: what is subscribed
    /// to must be this filter, and not a part of it.
    #[arg(long)]
    literal: bool,
}

impl RuleArguments {
    /// The change that adds such a rule.
    pub(crate) fn adding(self, effect: Effect) -> Result<RuleChange, CliError> {
        let limits = self.limits();
        let rule = Rule::new(effect, self.action, self.pattern, limits)
            .map_err(|error| CliError::usage(error.to_string()))?;
        if !self.literal {
            return Ok(RuleChange::Add(rule));
        }
        rule.into_literal()
            .map(RuleChange::Add)
            .map_err(|error| CliError::usage(error.to_string()))
    }

    /// The change that takes such rules away.
    pub(crate) fn removing(self) -> RuleChange {
        let limits = self.limits();
        RuleChange::Remove {
            action: self.action,
            pattern: self.pattern,
            limits,
            literal: self.literal,
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            max_qos: self.max_qos,
            no_retain: self.no_retain,
        }
    }
}

/// Parses a QoS.
pub(crate) fn parse_qos(text: &str) -> Result<QoS, QosError> {
    // What is no number of one byte is no QoS either.
    QoS::try_from(text.parse().unwrap_or(u8::MAX))
}

/// Reads a password that is to be stored.
pub(crate) fn read_password() -> Result<(ChosenPassword, PasswordWarnings), CliError> {
    chosen(read_first_line("Password: ", LONGEST_PASSWORD)?)
}

/// Reads a secret that was given out elsewhere.
pub(crate) fn read_secret() -> Result<ChosenPassword, CliError> {
    let read = read_first_line("Secret: ", LONGEST_PASSWORD)?;
    Ok(ChosenPassword::parse(read)?)
}

/// Reads name and password for a broker.
pub(crate) fn read_kick_login() -> Result<KickLogin, CliError> {
    let read = Zeroizing::new(read_first_line("NAME:PASSWORD: ", LONGEST_PASSWORD)?);
    KickLogin::parse(&read).map_err(|error| CliError::usage(error.to_string()))
}

/// What is odd about a password that is stored all the same. It is told once
/// the password is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PasswordWarnings {
    ends_in_carriage_return: bool,
    is_short: bool,
}

impl PasswordWarnings {
    /// Tells people.
    pub(crate) fn tell(self, output: Output) {
        if self.ends_in_carriage_return {
            output.warn(&CARRIAGE_RETURN);
        }
        if self.is_short {
            output.warn(&SHORT);
        }
    }
}

fn chosen(password: Vec<u8>) -> Result<(ChosenPassword, PasswordWarnings), CliError> {
    let oddities = PasswordWarnings {
        ends_in_carriage_return: password.ends_with(b"\r"),
        is_short: password.len() < SHORT_PASSWORD,
    };
    Ok((ChosenPassword::parse(password)?, oddities))
}

/// Reads a password that is to be stored: from standard input where that is
/// said, else twice from a terminal, which must be there.
pub(crate) fn read_new_password(
    is_piped: bool,
) -> Result<(ChosenPassword, PasswordWarnings), CliError> {
    if is_piped {
        return read_password();
    }
    require_terminal("--password-stdin")?;
    let password = Zeroizing::new(rpassword::prompt_password("Password: ")?);
    let again = Zeroizing::new(rpassword::prompt_password("Once more: ")?);
    if *password != *again {
        return Err(CliError::refused("both passwords differ"));
    }
    chosen(password.as_bytes().to_vec())
}

/// Reads the code of a second factor: from standard input where that is said,
/// else from a terminal, which must be there. Spaces in it count for nothing.
pub(crate) fn read_code(is_piped: bool) -> Result<Secret, CliError> {
    if !is_piped {
        require_terminal("--code-stdin")?;
    }
    let line = Zeroizing::new(read_first_line("Code: ", LONGEST_PASSWORD)?);
    let digits = line.iter().filter(|byte| !byte.is_ascii_whitespace());
    Ok(Secret::new(digits.copied().collect()))
}

/// Checks that somebody can be asked.
fn require_terminal(instead: &str) -> Result<(), CliError> {
    if std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(CliError::usage(format!(
        "there is no terminal to ask on; give {instead}"
    )))
}

/// Reads a password that is to be compared, whatever its shape.
pub(crate) fn read_presented() -> Result<Secret, CliError> {
    Ok(Secret::new(read_first_line(
        "Password: ",
        jwt::LONGEST_PRESENTED,
    )?))
}

/// Reads standard input up to its first newline, or asks on a terminal.
///
/// It reads past no buffer, so that the password stays in no other memory
/// than what the caller wipes.
fn read_first_line(prompt: &str, longest: usize) -> Result<Vec<u8>, CliError> {
    let input = std::io::stdin();
    if input.is_terminal() {
        return Ok(rpassword::prompt_password(prompt)?.into_bytes());
    }
    let mut input = File::from(input.as_fd().try_clone_to_owned()?);
    let most = longest.saturating_add(1);
    let mut line = Vec::with_capacity(most);
    let mut byte = [0];
    while input.read(&mut byte)? > 0 && byte != *b"\n" {
        if line.len() == most {
            return Err(PasswordError::TooLong.into());
        }
        line.extend(byte);
    }
    Ok(line)
}

/// Fewer bytes are guessed in no time.
const SHORT_PASSWORD: usize = 5;
const SHORT: &str = "the password has fewer than 5 bytes; whoever tries a few guesses it";
const CARRIAGE_RETURN: &str = "the password ends in a carriage return, as lines of a file from \
     Windows do, and a client has to present it too; \
     `tr -d '\\r'` in front of this takes it away";

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<i64> {
        let when = When::parse(text).ok()?;
        Some(
            when.seen_from(Timestamp::from_millis(1_000_000))
                .as_millis(),
        )
    }

    #[test]
    fn an_instant_is_a_date_time_or_relative_to_now() {
        assert_eq!(at("1970-01-01T00:00:01Z"), Some(1_000));
        assert_eq!(at("1970-01-01T01:00:01+01:00"), Some(1_000));
        assert_eq!(at("1970-01-01T00:00:01"), Some(1_000));
        assert_eq!(at("1970-01-02"), Some(86_400_000));
        assert_eq!(at("+15m"), Some(1_900_000));
        assert_eq!(at("-15m"), Some(100_000));
    }

    #[test]
    fn a_duration_alone_reaches_back_where_the_past_is_asked_for() {
        let now = Timestamp::from_millis(10_000_000);
        let past = |text| When::parse_past(text).map(|when| when.seen_from(now).as_millis());
        assert_eq!(past("2h"), Ok(2_800_000));
        assert_eq!(past("-2h"), Ok(2_800_000));
        assert_eq!(past("1970-01-01T00:00:01Z"), Ok(1_000));
        assert_eq!(past("+1s"), Ok(10_001_000));
        for text in ["2", "", "2x", "then"] {
            let error = past(text).unwrap_err().to_string();
            assert!(error.contains("`2h` for two hours ago"), "{error}");
        }
    }

    #[test]
    fn anything_else_is_no_instant() {
        for text in [
            "",
            "+",
            "-",
            "+1",
            "now",
            "never",
            "15m",
            "2030-13-01",
            "2030-02-30",
            "12:00",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn an_attribute_is_given_once() {
        let parse = |text| Attribute::parse(text).unwrap();
        let collected = Attribute::collect(vec![parse("a=1"), parse("b=x=y")]).unwrap();
        assert_eq!(collected.get("b").map(String::as_str), Some("x=y"));
        assert!(Attribute::collect(vec![parse("a=1"), parse("a=2")]).is_err());
        assert!(Attribute::parse("a").is_err());
        assert!(Attribute::parse("ü=1").is_err());
    }
}
