//! The rules as sentences.

use super::*;

/// One session, as its rules see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session<'a> {
    pub(super) name: &'a str,
    pub(super) line: Option<&'static str>,
    pub(super) groups: &'static [&'static str],
    pub(super) client_id: &'a str,
}

/// One level of a rule after its variables were filled in.
#[derive(Clone, PartialEq)]
pub(super) enum Level {
    /// Any level, `$` included: a deny that does not know better.
    Any,
    Literal(String),
    Plus,
    Rest,
}

/// The rules as sentences: nothing compiled, everything read again.
pub(super) struct Naive<'a> {
    pub(super) policy: PolicyCase,
    pub(super) rules: &'a [WrittenRule],
    /// The groups that hold the role.
    pub(super) holding: &'a [&'static str],
}

impl Naive<'_> {
    pub(super) fn verdict(&self, session: Session<'_>, usage: Usage<'_>) -> &'static str {
        let (is_publish, asked, qos, retained, covers) = match usage {
            Usage::Deliver { topic } => (false, topic, 0, false, false),
            Usage::Publish { topic, qos, retain } => (true, topic, qos, retain, false),
            Usage::Subscribe { filter } => (false, filter, 0, false, true),
        };
        // A member that may not read would swallow its turn.
        let shared = asked.strip_prefix("$share/g/");
        let asked = shared.unwrap_or(asked);
        // What nobody owned is the scheme's of the other tenant.
        let taken = self.policy.owns_rest.then_some("vwire/+/#");
        let mut foreign = ["other/#"].into_iter().chain(taken).map(levels);
        let is_foreign = |foreign: Vec<Level>| {
            if covers {
                meets(&foreign, asked)
            } else {
                matches(&foreign, asked)
            }
        };
        if foreign.any(is_foreign) {
            return "Deny(OtherTenant)";
        }
        let holds = |bound: &[Level]| {
            if covers {
                self::covers(bound, asked)
            } else {
                matches(bound, asked)
            }
        };
        let mut namespaces = self.policy.namespaces().iter();
        let is_owned = namespaces.any(|owned| holds(&levels(owned)));
        let concerns = |rule: &&WrittenRule| {
            let is_about_it = match rule.action {
                Action::Both => true,
                Action::Publish => is_publish,
                Action::Subscribe => !is_publish,
            };
            let is_within = !is_publish
                || rule.max_qos.is_none_or(|most| qos <= most) && !(rule.no_retain && retained);
            is_about_it && is_within && (session.is_below("DM") || !rule.is_of_group)
        };
        let has_role = match self.policy.held {
            Held::Own | Held::Given => true,
            Held::ByGroups => self.holding.iter().any(|group| session.is_below(group)),
        };
        let rules = || self.rules.iter().filter(concerns).filter(|_| has_role);
        let login = self.policy.login(session.name);
        let applies = |rule: &WrittenRule| {
            if rule.allows && covers && self.policy.no_wildcards && asked.contains(['+', '#']) {
                return false;
            }
            if rule.is_literal && (covers || is_publish) {
                let one = |text| if text == "+/#" { "#" } else { text };
                return one(rule.pattern) == one(asked);
            }
            if rule.is_literal && !rule.allows {
                return false;
            }
            let mut bound = bind(rule, session, &login).into_iter();
            bound.any(|bound| {
                if shared.is_some() && !rule.allows {
                    meets(&bound, asked)
                } else {
                    holds(&bound)
                }
            })
        };
        if rules().any(|rule| !rule.allows && applies(rule)) {
            "Deny(DeniedByRule)"
        } else if is_owned
            && (self.policy.gives_topics() || rules().any(|rule| rule.allows && applies(rule)))
        {
            "Allow"
        } else {
            "Deny(NoRule)"
        }
    }
}

fn levels(filter: &str) -> Vec<Level> {
    let read = |level| match level {
        "+" => Level::Plus,
        "#" => Level::Rest,
        text => Level::Literal(text.to_owned()),
    };
    filter.split('/').map(read).collect()
}

impl Session<'_> {
    /// Whether some group of it is this one or lies below it.
    fn is_below(self, group: &str) -> bool {
        let below = format!("{group}.");
        let mut groups = self.groups.iter();
        groups.any(|own| *own == group || own.starts_with(&below))
    }
}

/// What a rule is about, once for each group.
fn bind(rule: &WrittenRule, session: Session<'_>, login: &str) -> Vec<Vec<Level>> {
    let groups: Vec<_> = session.groups.iter().map(|group| Some(*group)).collect();
    let groups = if groups.is_empty() {
        vec![None]
    } else {
        groups
    };
    let bound = groups.into_iter();
    let bound = bound.filter_map(|group| bind_in(rule, session, login, group));
    bound.collect()
}

/// None is an allow that matches nothing.
fn bind_in(
    rule: &WrittenRule,
    session: Session<'_>,
    login: &str,
    group: Option<&str>,
) -> Option<Vec<Level>> {
    let mut bound = Vec::new();
    for (index, level) in rule.pattern.split('/').enumerate() {
        if !level.contains("${") {
            bound.extend(levels(level));
            continue;
        }
        let filled = fill(level, session, login, group)
            .filter(|filled| index > 0 || !level.starts_with("${") || !filled.starts_with('$'));
        match filled {
            Some(filled) => bound.push(Level::Literal(filled)),
            None if rule.allows => return None,
            None => bound.push(Level::Any),
        }
    }
    Some(bound)
}

fn fill(level: &str, session: Session<'_>, login: &str, group: Option<&str>) -> Option<String> {
    let mut filled = level.to_owned();
    for (variable, value) in [
        ("${username}", Some(login)),
        ("${client_id}", Some(session.client_id)),
        ("${attr.line}", session.line),
        ("${group}", group),
    ] {
        if !level.contains(variable) {
            continue;
        }
        let value = value.filter(|it| !it.is_empty() && !it.contains(['/', '+', '#', '\0']))?;
        filled = filled.replace(variable, value);
    }
    Some(filled)
}

fn opens_with_wildcard(bound: &[Level]) -> bool {
    matches!(bound.first(), Some(Level::Plus | Level::Rest))
}

fn matches(bound: &[Level], topic: &str) -> bool {
    fn below(bound: &[Level], topic: &[&str]) -> bool {
        match (bound, topic) {
            ([Level::Rest], _) | ([], []) => true,
            ([], _) | (_, []) => false,
            ([Level::Literal(text), bound @ ..], [level, topic @ ..]) => {
                text == level && below(bound, topic)
            }
            ([_, bound @ ..], [_, topic @ ..]) => below(bound, topic),
        }
    }
    let topic_levels: Vec<_> = topic.split('/').collect();
    !(topic.starts_with('$') && opens_with_wildcard(bound)) && below(bound, &topic_levels)
}

/// Whether every topic of the filter matches.
fn covers(bound: &[Level], filter: &str) -> bool {
    fn below(bound: &[Level], filter: &[&str]) -> bool {
        match (bound, filter) {
            ([Level::Rest], _) | ([], []) => true,
            ([], _) | (_, [] | ["#"]) => false,
            ([Level::Literal(text), bound @ ..], [level, filter @ ..]) => {
                text == level && below(bound, filter)
            }
            ([_, bound @ ..], [_, filter @ ..]) => below(bound, filter),
        }
    }
    // The empty text is not a topic.
    let filter = if filter == "#" { "+/#" } else { filter };
    let filter_levels: Vec<_> = filter.split('/').collect();
    !(filter.starts_with('$') && opens_with_wildcard(bound)) && below(bound, &filter_levels)
}

/// Whether some topic of the filter matches.
fn meets(bound: &[Level], filter: &str) -> bool {
    fn below(bound: &[Level], filter: &[&str]) -> bool {
        match (bound, filter) {
            ([Level::Rest], _) | (_, ["#"]) | ([], []) => true,
            ([], _) | (_, []) => false,
            ([Level::Literal(text), bound @ ..], [level, filter @ ..]) => {
                (*level == "+" || text == level) && below(bound, filter)
            }
            ([_, bound @ ..], [_, filter @ ..]) => below(bound, filter),
        }
    }
    below(bound, &filter.split('/').collect::<Vec<_>>())
}
