//! Rules as Mosquitto's files and commands write them: an access, and a filter that may
//! hold `%u` and `%c`.

use countersign_core::rule::{Action, Effect, Limits, Pattern, Rule};
use countersign_core::topic::sendable;

/// What becomes of a line or object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It means something else here: what is different.
    Changed(Box<str>),
    /// It means here what it meant there.
    Kept,
    /// It is not taken over.
    Lost(Box<Lost>),
}

/// Why something is not taken over.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lost {
    /// Why.
    pub why: String,
    /// What can be done about it.
    pub fix: String,
}

impl Outcome {
    /// It is not taken over.
    pub fn lost(why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Lost(Box::new(Lost {
            why: why.into(),
            fix: fix.into(),
        }))
    }
}

/// What `%u` and `%c` are in a filter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Substitution {
    /// The user's name and the client id, where they fill a level.
    Levels,
    /// Text as any other.
    None,
    /// As `Levels`. But what wrote it fills in a part of a level, too: a deny takes any
    /// such level.
    Parts,
}

/// The rule that a filter comes to, and what becomes of it.
///
/// What can't be said here is lost. But a deny is never given up alone: in its place
/// stands one that takes away more.
#[must_use]
pub fn rule(
    effect: Effect,
    action: Action,
    topic: &str,
    substitution: Substitution,
) -> (Option<Rule>, Outcome) {
    let made = |pattern: Pattern| Rule::new(effect, action, pattern, Limits::NONE).ok();
    if let Err(why) = sendable(topic) {
        return (None, Outcome::lost(why.to_string(), WRITE_ANEW));
    }
    let is_wide = effect == Effect::Deny && substitution == Substitution::Parts;
    let filled = |topic: &str| match substitution {
        Substitution::Levels | Substitution::Parts => substituted(topic, is_wide),
        Substitution::None => (topic.to_owned(), false),
    };
    if topic.contains("${") {
        let wider = match effect {
            Effect::Allow => None,
            Effect::Deny => Pattern::parse(&filled(&wider(topic)).0).ok().and_then(made),
        };
        let why = match &wider {
            None => "`${` would begin a variable here".into(),
            Some(rule) => format!(
                "`${{` would begin a variable here; `{}` is denied in its place",
                rule.pattern()
            ),
        };
        return (wider, Outcome::lost(why, WRITE_ANEW));
    }
    let (text, is_partial) = filled(topic);
    match Pattern::parse(&text) {
        Ok(pattern) if is_partial => {
            let how = if is_wide {
                format!("`%u` and `%c` fill whole levels here; `{pattern}` is denied in its place")
            } else {
                "`%u` and `%c` fill whole levels here, and are text within one".into()
            };
            (made(pattern), Outcome::Changed(how.into()))
        }
        Ok(pattern) => (made(pattern), Outcome::Kept),
        Err(why) => (None, Outcome::lost(why.to_string(), WRITE_ANEW)),
    }
}

/// The filter with variables, and whether `%u` or `%c` are a part of a level, which is
/// any one then where it is to be wide.
fn substituted(topic: &str, is_wide: bool) -> (String, bool) {
    let mut is_partial = false;
    let levels: Vec<&str> = topic
        .split('/')
        .map(|level| match level {
            "%u" => "${username}",
            "%c" => "${client_id}",
            _ => {
                let is_part = level.contains("%u") || level.contains("%c");
                is_partial |= is_part;
                if is_part && is_wide { "+" } else { level }
            }
        })
        .collect();
    (levels.join("/"), is_partial)
}

/// A filter that covers this one without a level that would hold a variable.
fn wider(topic: &str) -> String {
    // `${` may be closed in a later level only, so such a level is one by itself.
    let levels = topic.split('/');
    let levels: Vec<&str> = levels
        .map(|level| if level.contains("${") { "+" } else { level })
        .collect();
    levels.join("/")
}

/// What is to be done about a rule that is not taken over.
pub const WRITE_ANEW: &str = "write the rule anew";

#[cfg(test)]
mod tests {
    use super::*;

    fn told(effect: Effect, topic: &str, substitution: Substitution) -> (String, Outcome) {
        let (rule, outcome) = rule(effect, Action::Both, topic, substitution);
        let rule = rule.map(|rule| rule.pattern().to_string());
        (rule.unwrap_or_default(), outcome)
    }

    #[test]
    fn what_fills_a_level_is_a_variable_and_what_does_not_is_text() {
        let both = |topic| told(Effect::Allow, topic, Substitution::Levels);
        assert_eq!(
            both("d/%u/%c/#"),
            ("d/${username}/${client_id}/#".into(), Outcome::Kept)
        );
        let (text, outcome) = both("d/x%u/%c");
        assert_eq!(text, "d/x%u/${client_id}");
        assert!(matches!(outcome, Outcome::Changed(_)));
        let (text, outcome) = told(Effect::Deny, "d/x%u/%c", Substitution::Parts);
        assert_eq!(text, "d/+/${client_id}");
        assert!(matches!(outcome, Outcome::Changed(_)));
        let plain = told(Effect::Allow, "d/%u", Substitution::None);
        assert_eq!(plain, ("d/%u".into(), Outcome::Kept));
    }

    #[test]
    fn what_would_be_a_variable_is_lost_and_denied_where_it_was_denied() {
        let of = |effect, topic| told(effect, topic, Substitution::Levels);
        let (text, outcome) = of(Effect::Allow, "a/${x}/b");
        assert_eq!(text, "");
        assert!(matches!(outcome, Outcome::Lost(_)));
        let (text, outcome) = of(Effect::Deny, "a/x${x/b}/#");
        assert_eq!(text, "a/+/b}/#");
        assert!(matches!(outcome, Outcome::Lost(_)));
        for topic in ["$share/g/a", "a\tb"] {
            assert!(matches!(of(Effect::Allow, topic).1, Outcome::Lost(_)));
        }
    }
}
