//! Topics, filters and rules, held against a naive reading.

use countersign::core::rule::{
    Action, Pattern, QoS, Rule, RuleSet, RuleSource, Variable, Variables,
};
use countersign::core::topic::{FilterRef, Subscription, TopicName};

use crate::{naive, texts};

/// Any texts as topics, filters and subscriptions.
pub fn filter(data: &[u8]) {
    let mut given = texts(data);
    let (one, other) = (
        given.next().unwrap_or_default(),
        given.next().unwrap_or_default(),
    );
    if let (Ok(one), Ok(other)) = (FilterRef::parse(one), FilterRef::parse(other)) {
        let (a, b) = (one.as_str(), other.as_str());
        assert_eq!(one.covers(other), naive::covers(a, b), "`{a}` covers `{b}`");
        assert_eq!(
            one.intersects(other),
            naive::intersects(a, b),
            "`{a}` meets `{b}`"
        );
        assert_eq!(one.intersects(other), other.intersects(one));
    }
    if let (Ok(filter), Ok(topic)) = (FilterRef::parse(one), TopicName::parse(other)) {
        let expected = naive::matches(filter.as_str(), topic.as_str());
        assert_eq!(filter.matches(topic), expected, "`{one}` matches `{other}`");
    }
    if let Ok(subscription) = Subscription::parse(one) {
        assert!(FilterRef::parse(subscription.filter().as_str()).is_ok());
        assert!(one.ends_with(subscription.filter().as_str()));
    }
}

/// `PATTERN topic username client-id attribute`: what a rule with these values
/// allows and denies.
pub fn pattern(data: &[u8]) {
    let mut fields = texts(data);
    let Ok(pattern) = Pattern::parse(fields.next().unwrap_or_default()) else {
        return;
    };
    assert!(pattern.widest().as_str().split('/').count() >= 1);
    let Ok(topic) = TopicName::parse(fields.next().unwrap_or_default()) else {
        return;
    };
    let values = Values(fields.collect());
    let source = RuleSource::Operator;
    let judge = |rules: &[Rule]| {
        let rules = rules.iter().map(|rule| (&source, rule));
        let set = RuleSet::compile_unwalled(rules, &values);
        set.publish(topic, QoS::AtMostOnce, false).is_allowed()
    };
    let allow = Rule::allow(Action::Both, pattern.clone());
    let allowed = judge(std::slice::from_ref(&allow));
    let filled = fill(pattern.as_str(), &values);
    let expected = filled.is_some_and(|filter| naive::matches(&filter, topic.as_str()));
    assert_eq!(
        allowed,
        expected,
        "`{}` on `{}`",
        pattern.as_str(),
        topic.as_str()
    );
    // What an allow reaches, the same text as a deny takes away.
    let all = Rule::allow(Action::Both, Pattern::parse("#").unwrap());
    let deny = Rule::deny(Action::Both, pattern);
    assert!(!allowed || !judge(&[allow, deny.clone()]));
    assert!(!allowed || !judge(&[all, deny]));
}

struct Values<'a>(Vec<&'a str>);

impl Variables for Values<'_> {
    fn value(&self, variable: Variable<'_>) -> Option<&str> {
        let index = match variable {
            Variable::Username => 0,
            Variable::ClientId => 1,
            Variable::Attribute(_) => 2,
            _ => return None,
        };
        self.0.get(index).copied()
    }
}

/// Fills in what an allow may take; none if it may take nothing.
fn fill(pattern: &str, values: &Values<'_>) -> Option<String> {
    let mut filled = Vec::new();
    for (index, level) in pattern.split('/').enumerate() {
        let (mut text, mut rest) = (String::new(), level);
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}')?;
            let variable = match name {
                "username" => Variable::Username,
                "client_id" => Variable::ClientId,
                name => Variable::Attribute(name.strip_prefix("attr.")?),
            };
            let value = values.value(variable)?;
            if value.is_empty() || value.contains(['/', '+', '#', '\0']) {
                return None;
            }
            text.push_str(before);
            text.push_str(value);
            rest = after;
        }
        text.push_str(rest);
        if index == 0 && level.contains("${") && text.starts_with('$') {
            return None;
        }
        filled.push(text);
    }
    Some(filled.join("/"))
}
