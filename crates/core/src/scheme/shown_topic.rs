//! Topics of a credential, as they may be shown: without its token.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Scheme, TOKEN};
use crate::rule::{PatternLevel, PatternPart, Variable};

impl Scheme {
    /// What may be shown of a topic or filter that a credential with these attributes
    /// used. Each level that holds its token is `${attr.token}`, and so is each that
    /// stands where the scheme's patterns have a token and looks like one.
    #[must_use]
    pub fn shown_topic<'t>(
        &self,
        topic: &'t str,
        attributes: &BTreeMap<String, String>,
    ) -> Cow<'t, str> {
        let own = attributes.get(TOKEN).map(String::as_str);
        // MQTT 5.0 §4.8.2: the filter of a shared subscription follows two levels.
        let shared = if topic.starts_with("$share/") { 2 } else { 0 };
        let is_token = |at: usize, level: &str| {
            own == Some(level)
                || at
                    .checked_sub(shared)
                    .is_some_and(|at| self.has_token_at(at, level))
        };
        let mut levels = topic.split('/').enumerate();
        if !levels.any(|(at, level)| is_token(at, level)) {
            return Cow::Borrowed(topic);
        }
        let hidden = Variable::Attribute(TOKEN).to_string();
        let levels = topic.split('/').enumerate();
        let levels = levels.map(|(at, level)| match is_token(at, level) {
            true => hidden.as_str(),
            false => level,
        });
        Cow::Owned(levels.collect::<Vec<_>>().join("/"))
    }

    /// Says whether a level stands where a pattern has a token and may be one.
    fn has_token_at(&self, at: usize, level: &str) -> bool {
        let Some(shape) = &self.token_shape else {
            return false;
        };
        let is_token = |part: &PatternPart| part.variable() == Some(Variable::Attribute(TOKEN));
        let levels = self
            .patterns()
            .filter_map(|pattern| pattern.levels().get(at));
        levels.map(PatternLevel::parts).any(|parts| match parts {
            // It fills the level.
            [part] => is_token(part) && shape.matches(level),
            parts => parts.iter().any(is_token),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheme::Schemes;

    fn shown(scheme: &str, topic: &str) -> String {
        let known = Schemes::built_in();
        let attributes = [(TOKEN.to_owned(), "depot".to_owned())].into();
        let scheme = known.find(scheme).unwrap();
        scheme.shown_topic(topic, &attributes).into_owned()
    }

    #[test]
    fn a_token_is_shown_nowhere_in_a_topic() {
        for (topic, expected) in [
            ("depot/line", "${attr.token}/line"),
            ("x/depot", "x/${attr.token}"),
            ("$share/g/depot/#", "$share/g/${attr.token}/#"),
            // Another's.
            ("1jylmg8lwa1c/line", "${attr.token}/line"),
            ("$share/g/1jylmg8lwa1c/#", "$share/g/${attr.token}/#"),
            ("us/1jylmg8lwa1c", "us/1jylmg8lwa1c"),
            ("acme/line", "acme/line"),
            ("", ""),
        ] {
            assert_eq!(shown("impact", topic), expected, "{topic}");
        }
        assert_eq!(shown("basic", "1jylmg8lwa1c/x"), "1jylmg8lwa1c/x");
    }
}
