//! Patterns: topic filters whose levels may hold variables.

use core::fmt;

use super::Effect;
use super::variable::{InGroup, Variable, Variables, is_usable};
use crate::topic::{FilterRef, TopicFilter};

pub use self::error::PatternError;

mod error;

/// A topic filter with variables such as `${username}` in its levels.
///
/// A variable fills part of one level, or all of it; a level may hold several.
/// `$` without `{` is an ordinary character.
///
/// # Examples
///
/// ```
/// use countersign_core::rule::{Pattern, Variable};
///
/// let pattern = Pattern::parse("plant/${attr.line}/x-${username}/#")?;
/// let variables: Vec<_> = pattern.variables().collect();
/// assert_eq!(variables, [Variable::Attribute("line"), Variable::Username]);
/// assert!(Pattern::parse("plant/${user}/#").is_err());
/// # Ok::<(), countersign_core::rule::PatternError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Pattern {
    text: Box<str>,
    levels: Box<[PatternLevel]>,
}

/// One level of a pattern.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum PatternLevel {
    /// `+`
    Any,
    /// `#`
    Rest,
    /// Texts and values, one behind the other; none is the empty level.
    Parts(Box<[PatternPart]>),
}

/// A part of one level.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum PatternPart {
    /// What stands there as it is.
    Text(Box<str>),
    /// The value of an attribute.
    Attribute(Box<str>),
    /// The client id of the session.
    ClientId,
    /// The group of the credential.
    Group,
    /// The id of the session's tenant.
    Tenant,
    /// The principal's own name.
    Username,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// Returns [`PatternError`] when the text is not a valid topic filter, when
    /// a `${` is not closed within its level or names no variable, when a first
    /// level beginning with `$` holds a variable, and when the first level is
    /// `$share`: rules are about topics, which shared subscriptions are not.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        FilterRef::parse(text)?;
        if text == "$share" || text.starts_with("$share/") {
            return Err(PatternError::Shared);
        }
        let levels: Box<[_]> = text
            .split('/')
            .map(PatternLevel::parse)
            .collect::<Result<_, _>>()?;
        let pattern = Self {
            text: text.into(),
            levels,
        };
        let first = pattern.levels.first();
        if pattern.is_reserved() && first.is_some_and(|level| level.variables().next().is_some()) {
            return Err(PatternError::VariableInReserved);
        }
        Ok(pattern)
    }

    /// Gives the text back.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Says whether the first level names a `$` topic, such as `$SYS`.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        match self.levels.first().map(PatternLevel::parts) {
            Some([PatternPart::Text(text), ..]) => text.starts_with('$'),
            Some(_) | None => false,
        }
    }

    /// Says whether the first level is `$SYS`.
    pub(crate) fn names_sys(&self) -> bool {
        match self.levels.first().map(PatternLevel::parts) {
            Some([PatternPart::Text(text)]) => &**text == "$SYS",
            Some(_) | None => false,
        }
    }

    /// Lists the variables from left to right, repetitions included.
    pub fn variables(&self) -> impl Iterator<Item = Variable<'_>> {
        self.levels.iter().flat_map(PatternLevel::variables)
    }

    /// Gives a filter that covers the pattern whatever the variables hold.
    ///
    /// Every level with a variable becomes `+`, which is never too narrow: a
    /// value can't lead an allow to a topic beginning with `$`.
    #[must_use]
    pub fn widest(&self) -> TopicFilter {
        let levels: Vec<_> = self
            .text
            .split('/')
            .zip(&self.levels)
            .map(|(text, level)| match level.variables().next() {
                Some(_) => "+",
                None => text,
            })
            .collect();
        TopicFilter::from_valid(levels.join("/").into())
    }

    /// The levels.
    pub(crate) fn levels(&self) -> &[PatternLevel] {
        &self.levels
    }

    /// The levels that hold neither a wildcard nor the client id, with values
    /// in the place of their variables.
    pub(crate) fn literal_levels(&self, variables: &impl Variables) -> Vec<String> {
        let levels = self.levels.iter().filter(|level| match level {
            PatternLevel::Parts(parts) => !parts.contains(&PatternPart::ClientId),
            PatternLevel::Any | PatternLevel::Rest => false,
        });
        let readings = self.readings(variables);
        levels
            .flat_map(|level| {
                let readings = readings.iter();
                readings.filter_map(|values| fill(level.parts(), false, values))
            })
            .collect()
    }

    /// The client ids with which some level is `literal`.
    pub(crate) fn client_ids_for(&self, literal: &str, variables: &impl Variables) -> Vec<String> {
        let mut ids = Vec::new();
        for values in self.readings(variables) {
            let levels = self.levels.iter().map(PatternLevel::parts);
            let found = levels.filter_map(|parts| client_id_for(parts, literal, &values));
            ids.extend(found.map(str::to_owned));
        }
        ids
    }

    /// What the variables hold, once for each group of the session where this holds
    /// `${group}`, and else once.
    fn readings<'v, V: Variables>(&self, variables: &'v V) -> Vec<InGroup<'v, V>> {
        let in_group = |group| InGroup { variables, group };
        if self.variables().any(|variable| variable == Variable::Group) {
            let readings: Vec<_> = variables.groups().map(Some).map(in_group).collect();
            if !readings.is_empty() {
                return readings;
            }
        }
        vec![in_group(None)]
    }

    /// Fills in the variables, once for each group of the session where this holds
    /// `${group}`; nothing is an allow that matches nothing.
    ///
    /// So much more than one pattern as `room` says may come of it, and what it
    /// takes is taken from `room`. Where that is not enough, `${group}` counts as
    /// missing: too little is allowed then, or too much denied.
    pub(crate) fn bind(
        &self,
        effect: Effect,
        variables: &impl Variables,
        room: &mut usize,
    ) -> Vec<BoundPattern> {
        let mut readings = self.readings(variables);
        match room.checked_sub(readings.len().saturating_sub(1)) {
            Some(left) => *room = left,
            None => {
                readings = vec![InGroup {
                    variables,
                    group: None,
                }];
            }
        }
        let bound = readings.iter().filter_map(|it| self.bind_once(effect, it));
        bound.collect()
    }

    /// Fills in the variables; `None` is an allow that matches nothing.
    ///
    /// A value is taken literally or not at all. It can't be used when it is
    /// missing or empty, holds `/`, `+`, `#` or NUL, or would make the first
    /// level begin with `$`. Then an allow matches nothing, and a deny takes
    /// the whole level for any level at all, a first one for any `$` topic
    /// too: a deny may take away too much, never too little.
    fn bind_once(&self, effect: Effect, variables: &impl Variables) -> Option<BoundPattern> {
        let mut text = String::with_capacity(self.text.len());
        let mut opens_with_any = false;
        for (index, level) in self.levels.iter().enumerate() {
            if index > 0 {
                text.push('/');
            }
            let parts = match level {
                PatternLevel::Any => {
                    text.push('+');
                    continue;
                }
                PatternLevel::Rest => {
                    text.push('#');
                    continue;
                }
                PatternLevel::Parts(parts) => parts,
            };
            match fill(parts, index == 0, variables) {
                Some(filled) => text.push_str(&filled),
                None => match effect {
                    Effect::Allow => return None,
                    Effect::Deny => {
                        text.push('+');
                        opens_with_any |= index == 0;
                    }
                },
            }
        }
        Some(BoundPattern {
            text: text.into(),
            opens_with_any,
        })
    }
}

impl PatternLevel {
    fn parse(text: &str) -> Result<Self, PatternError> {
        Ok(match text {
            "+" => Self::Any,
            "#" => Self::Rest,
            _ => Self::Parts(parts(text).collect::<Result<_, _>>()?),
        })
    }

    /// The parts; a wildcard has none.
    pub(crate) fn parts(&self) -> &[PatternPart] {
        match self {
            Self::Any | Self::Rest => &[],
            Self::Parts(parts) => parts,
        }
    }

    fn variables(&self) -> impl Iterator<Item = Variable<'_>> {
        self.parts().iter().filter_map(PatternPart::variable)
    }
}

impl PatternPart {
    /// The variable that this part is, if it is one.
    pub(crate) fn variable(&self) -> Option<Variable<'_>> {
        match self {
            Self::Text(_) => None,
            Self::Attribute(name) => Some(Variable::Attribute(name)),
            Self::ClientId => Some(Variable::ClientId),
            Self::Group => Some(Variable::Group),
            Self::Tenant => Some(Variable::Tenant),
            Self::Username => Some(Variable::Username),
        }
    }

    /// The text that this part is, if it is not a variable.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Attribute(_) | Self::ClientId | Self::Group | Self::Tenant | Self::Username => {
                None
            }
        }
    }

    /// What stands in the place of this part, if it is something usable.
    fn fill<'a>(&'a self, variables: &'a impl Variables) -> Option<&'a str> {
        match self.variable() {
            Some(variable) => variables.value(variable).filter(|value| is_usable(value)),
            None => self.text(),
        }
    }
}

impl From<Variable<'_>> for PatternPart {
    fn from(variable: Variable<'_>) -> Self {
        match variable {
            Variable::Attribute(name) => Self::Attribute(name.into()),
            Variable::ClientId => Self::ClientId,
            Variable::Group => Self::Group,
            Variable::Tenant => Self::Tenant,
            Variable::Username => Self::Username,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A pattern with its variables filled in.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct BoundPattern {
    /// A topic filter, save that it may be too long for MQTT and match nothing.
    pub(crate) text: Box<str>,
    /// The first level is a `+` that stands for `$` levels too.
    pub(crate) opens_with_any: bool,
}

/// Takes one level apart; nothing follows an error.
fn parts(level: &str) -> impl Iterator<Item = Result<PatternPart, PatternError>> {
    let mut rest = level;
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(variable) = rest.strip_prefix(OPENING) else {
            let at = rest.find(OPENING).unwrap_or(rest.len());
            let (text, next) = rest.split_at_checked(at).unwrap_or((rest, ""));
            rest = next;
            return Some(Ok(PatternPart::Text(text.into())));
        };
        let Some((name, next)) = variable.split_once('}') else {
            let text = core::mem::take(&mut rest).into();
            return Some(Err(PatternError::UnclosedVariable { text }));
        };
        rest = next;
        Some(match Variable::parse(name) {
            Some(variable) => Ok(variable.into()),
            None => {
                rest = "";
                Err(PatternError::UnknownVariable { name: name.into() })
            }
        })
    })
}

/// Fills in one level; `None` where a value can't be used.
fn fill(parts: &[PatternPart], is_first: bool, variables: &impl Variables) -> Option<String> {
    let filled: String = parts
        .iter()
        .map(|part| part.fill(variables))
        .collect::<Option<_>>()?;
    let opens_with_variable = parts.first().is_some_and(|part| part.variable().is_some());
    // INVARIANT: a `$` topic is reached only by a pattern that names it.
    let becomes_reserved = is_first && opens_with_variable && filled.starts_with('$');
    (!becomes_reserved).then_some(filled)
}

/// The client id with which the level is `literal`; none if it does not hold one.
fn client_id_for<'l>(
    parts: &[PatternPart],
    literal: &'l str,
    variables: &impl Variables,
) -> Option<&'l str> {
    // What stands before, between and behind the ids.
    let mut texts = vec![String::new()];
    for part in parts {
        if *part == PatternPart::ClientId {
            texts.push(String::new());
        } else {
            texts.last_mut()?.push_str(part.fill(variables)?);
        }
    }
    let fixed: usize = texts.iter().map(String::len).sum();
    let count = texts.len().checked_sub(1).filter(|count| *count > 0)?;
    let length = literal.len().checked_sub(fixed)?.checked_div(count)?;
    let start = texts.first()?.len();
    let id = literal.get(start..start.checked_add(length)?)?;
    (is_usable(id) && texts.join(id) == literal).then_some(id)
}

/// How a variable begins.
const OPENING: &str = "${";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic::TopicError;

    struct Session {
        username: &'static str,
        group: &'static str,
    }

    impl Variables for Session {
        fn value(&self, variable: Variable<'_>) -> Option<&str> {
            match variable {
                Variable::Attribute("line") => Some("line1"),
                Variable::Attribute(_) | Variable::ClientId => None,
                Variable::Group => Some(self.group),
                Variable::Tenant => Some("acme"),
                Variable::Username => Some(self.username),
            }
        }
    }

    fn bind(effect: Effect, pattern: &str, username: &'static str) -> Option<(String, bool)> {
        let session = Session {
            username,
            group: "DM.X",
        };
        Pattern::parse(pattern)
            .unwrap()
            .bind_once(effect, &session)
            .map(|bound| (bound.text.into(), bound.opens_with_any))
    }

    fn allow(pattern: &str, username: &'static str) -> Option<String> {
        bind(Effect::Allow, pattern, username).map(|(text, _)| text)
    }

    fn deny(pattern: &str, username: &'static str) -> (String, bool) {
        bind(Effect::Deny, pattern, username).unwrap()
    }

    #[test]
    fn a_value_fills_part_of_one_level() {
        assert_eq!(
            allow("a/x-${username}-y/#", "dev1").unwrap(),
            "a/x-dev1-y/#"
        );
        assert_eq!(
            allow("${tenant}/${attr.line}.${group}${username}/+", "d").unwrap(),
            "acme/line1.DM.Xd/+"
        );
    }

    #[test]
    fn a_value_is_not_expanded_again() {
        assert_eq!(allow("a/${username}", "${tenant}").unwrap(), "a/${tenant}");
        assert_eq!(allow("a/${username}{tenant}", "$").unwrap(), "a/${tenant}");
    }

    #[test]
    fn an_allow_with_an_unusable_value_matches_nothing() {
        for value in ["", "+", "#", "a+", "a#b", "a/b", "/", "a\0"] {
            assert_eq!(allow("d/${username}/#", value), None, "{value:?}");
        }
        assert_eq!(allow("d/${client_id}", "dev1"), None);
        assert_eq!(allow("d/${attr.other}", "dev1"), None);
    }

    #[test]
    fn a_deny_with_an_unusable_value_takes_the_whole_level_for_any() {
        for value in ["", "+", "#", "a+", "a#b", "a/b", "/", "a\0"] {
            assert_eq!(
                deny("d/x-${username}-y/e", value),
                ("d/+/e".into(), false),
                "{value:?}"
            );
        }
        assert_eq!(deny("${client_id}/#", "dev1"), ("+/#".into(), true));
    }

    #[test]
    fn a_value_never_opens_a_reserved_topic() {
        assert_eq!(allow("${username}/#", "$SYS"), None);
        assert_eq!(allow("${username}YS/#", "$S"), None);
        assert_eq!(deny("${username}/#", "$SYS"), ("+/#".into(), true));
        assert_eq!(allow("a/${username}", "$SYS").unwrap(), "a/$SYS");
        assert_eq!(allow("x${username}/#", "$SYS").unwrap(), "x$SYS/#");
    }

    #[test]
    fn a_reserved_first_level_is_written_out() {
        assert_eq!(
            Pattern::parse("$SYS/${username}/#").map(|pattern| pattern.is_reserved()),
            Ok(true)
        );
        for text in ["$${username}/x", "$SYS-${username}", "$CONTROL${group}/#"] {
            assert_eq!(
                Pattern::parse(text),
                Err(PatternError::VariableInReserved),
                "{text}"
            );
        }
        assert!(!Pattern::parse("${username}/x").unwrap().is_reserved());
    }

    #[test]
    fn what_is_no_variable_is_an_error() {
        for (text, name) in [
            ("a/${}", ""),
            ("a/${user}", "user"),
            ("a/${Username}", "Username"),
            ("a/${attr.}", "attr."),
            ("a/${attr.a b}", "attr.a b"),
            ("a/${username }", "username "),
            ("a/${${username}}", "${username"),
        ] {
            assert_eq!(
                Pattern::parse(text),
                Err(PatternError::UnknownVariable { name: name.into() }),
                "{text}"
            );
        }
        for (text, unclosed) in [
            ("a/${username", "${username"),
            ("${a/b}", "${a"),
            ("${", "${"),
        ] {
            assert_eq!(
                Pattern::parse(text),
                Err(PatternError::UnclosedVariable {
                    text: unclosed.into()
                }),
                "{text}"
            );
        }
    }

    #[test]
    fn a_wildcard_shares_no_level_with_a_variable() {
        for text in ["${username}+", "a/#${username}", "a/+${group}/b"] {
            assert!(matches!(
                Pattern::parse(text),
                Err(PatternError::Filter(TopicError::WildcardNotAlone { .. }))
            ));
        }
        assert!(Pattern::parse("").is_err());
    }

    #[test]
    fn a_shared_subscription_is_no_pattern() {
        for text in ["$share", "$share/g/a", "$share/+/a/#", "$share/#"] {
            assert_eq!(Pattern::parse(text), Err(PatternError::Shared), "{text}");
        }
        assert!(Pattern::parse("$shared/a").is_ok());
    }

    #[test]
    fn a_dollar_without_a_brace_is_an_ordinary_character() {
        assert_eq!(allow("a/$b/{c}/d}", "dev1").unwrap(), "a/$b/{c}/d}");
    }

    #[test]
    fn the_text_comes_back_as_it_was_written() {
        let text = "a/x-${username}-${attr.line}/+/#";
        let pattern = Pattern::parse(text).unwrap();
        assert_eq!(pattern.to_string(), text);
        let names: Vec<_> = pattern.variables().map(|it| it.to_string()).collect();
        assert_eq!(names, ["${username}", "${attr.line}"]);
    }

    #[test]
    fn the_widest_form_has_a_plus_for_each_level_with_a_variable() {
        for (text, widest) in [
            ("a/#", "a/#"),
            ("a/x${username}y/b", "a/+/b"),
            ("${username}/${group}/#", "+/+/#"),
            ("$SYS/${username}", "$SYS/+"),
        ] {
            assert_eq!(Pattern::parse(text).unwrap().widest().as_str(), widest);
        }
    }
}
