//! Compares compiled rules with a naive reading of the rules as written.

use countersign_core::reason::Reason;
use countersign_core::rule::{
    Action, Effect, Limits, Namespaces, Pattern, QoS, Rule, RuleOutcome, RuleSet, RuleSource,
    TopicOwners, Variable, Variables, Verdict,
};
use countersign_core::topic::{FilterRef, Subscription, TopicFilter, TopicName};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

#[derive(Clone, Debug)]
struct Session {
    username: Option<String>,
    client_id: Option<String>,
}

impl Variables for Session {
    fn value(&self, variable: Variable<'_>) -> Option<&str> {
        match variable {
            Variable::Username => self.username.as_deref(),
            Variable::ClientId => self.client_id.as_deref(),
            Variable::Attribute(_) | Variable::Group | Variable::Tenant => None,
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_compiled_set_agrees_with_the_naive_reading(
        rules in prop::collection::vec(sourced_rule(), 0..24),
        session in session(),
        namespaces in prop::collection::vec("[ab](/([ab]|\\+)){0,1}(/#)?", 0..3),
        topic in "(\\$?[ab]|)(/[ab]?){0,3}",
        filter in "(\\$share/g/)?(#|(\\$?[ab]|\\+)(/([ab]?|\\+)){0,3}(/#)?)",
        qos in 0u8..3,
        retain: bool,
    ) {
        prop_assume!(!topic.is_empty());
        let owned = Namespaces::new(namespaces.iter().map(|it| TopicFilter::parse(it).unwrap()));
        let owned = owned.unwrap();
        let set = RuleSet::compile(rules.iter().map(|(source, rule)| (source, rule)), &session, &owned, false);
        let naive = Naive { rules: &rules, session: &session, namespaces: &namespaces };

        let name = TopicName::parse(&topic).unwrap();
        let qos = QoS::try_from(qos).unwrap();
        let covers = Relation::Covers;
        prop_assert_eq!(
            set.publish(name, qos, retain),
            naive.judge(Moment::Publish(qos, retain), &topic, covers, covers)
        );
        let delivered = naive.judge(Moment::Deliver, &topic, covers, covers);
        prop_assert_eq!(set.deliver(name), delivered);

        let subscription = Subscription::parse(&filter).unwrap();
        let plain = subscription.filter().as_str();
        let strict_deny = if subscription.is_shared() { Relation::Intersects } else { covers };
        let filtered_allow = if subscription.is_shared() { covers } else { Relation::Intersects };
        prop_assert_eq!(
            set.subscribe(subscription),
            naive.judge(Moment::Subscribe, plain, covers, strict_deny)
        );
        prop_assert_eq!(
            set.subscribe_filtered(subscription),
            naive.judge(Moment::Subscribe, plain, filtered_allow, strict_deny)
        );

        // An explanation answers what the check answers, and its outcomes
        // alone lead to that answer.
        for (verdict, explanation) in [
            (set.publish(name, qos, retain), set.explain_publish(name, qos, retain)),
            (set.deliver(name), set.explain_deliver(name)),
            (set.subscribe(subscription), set.explain_subscribe(subscription)),
            (set.subscribe_filtered(subscription), set.explain_subscribe_filtered(subscription)),
        ] {
            prop_assert_eq!(explanation.verdict, verdict);
            prop_assert_eq!(explanation.outcomes.len(), rules.len());
            let first = |effect| {
                let mut matched = explanation.outcomes.iter().zip(&rules);
                matched.position(|(outcome, (_, rule))| {
                    *outcome == RuleOutcome::Matched && rule.effect() == effect
                })
            };
            let (decided_by, expected) = match (first(Effect::Deny), first(Effect::Allow)) {
                (Some(deny), _) => (Some(deny), Verdict::Deny(Reason::DeniedByRule)),
                (None, Some(allow)) => (Some(allow), Verdict::Allow),
                (None, None) => (None, Verdict::Deny(Reason::NoRule)),
            };
            prop_assert_eq!(verdict, expected);
            prop_assert_eq!(explanation.decided_by, decided_by);
        }
    }

    #[test]
    fn no_value_lets_an_allow_reach_beyond_the_pattern(
        value in "\\PC{0,4}|[+#/\0$a]{0,4}",
        topic in "(\\$?[ab]|[+#$]?)(/[ab]?){0,3}",
    ) {
        // Without wildcards in the pattern, a value grants at most one topic,
        // and the pattern's widest form matches it.
        let Ok(topic) = TopicName::parse(&topic) else { return Ok(()) };
        for text in ["${username}", "x/${username}/y", "x${username}/y", "${username}/${username}"] {
            let pattern = Pattern::parse(text).unwrap();
            let session = Session { username: Some(value.clone()), client_id: None };
            let rule = Rule::allow(Action::Both, pattern.clone());
            let set = RuleSet::compile_unwalled([(&RuleSource::Operator, &rule)], &session);
            if set.deliver(topic).is_allowed() {
                prop_assert_eq!(topic.as_str(), text.replace("${username}", &value));
                prop_assert!(pattern.widest().matches(topic));
                prop_assert!(!topic.is_reserved());
            }
            for filter in ["#", "+", "+/#", "x/#", "x/+/y", "+/+", "$SYS/#"] {
                let filter = Subscription::parse(filter).unwrap();
                prop_assert!(!set.subscribe(filter).is_allowed());
            }
        }
    }

    #[test]
    fn the_territories_agree_with_each_tenant_asked_alone(
        acme in prop::collection::vec("[ab](/([ab]|\\+)){0,2}(/#)?", 0..4),
        other in prop::collection::vec("[bc](/([ab]|\\+)){0,2}(/#)?", 0..4),
        topic in "[a-c](/[ab]){0,3}",
        filter in "([a-c]|\\+)(/([ab]|\\+)){0,2}(/#)?",
    ) {
        let parse = |texts: &[String]| {
            Namespaces::new(texts.iter().map(|it| TopicFilter::parse(it).unwrap())).unwrap()
        };
        let (acme, other) = (parse(&acme), parse(&other));
        let topic_owners = TopicOwners::new([("acme", &acme), ("other", &other)], []);
        let topic = TopicName::parse(&topic).unwrap();
        let filter = FilterRef::parse(&filter).unwrap();
        prop_assert_eq!(topic_owners.is_foreign(topic, Some("acme")), other.owns_topic(topic));
        prop_assert_eq!(topic_owners.reaches_foreign(filter, Some("acme")), other.could_reach(filter));
        prop_assert_eq!(topic_owners.reaches_foreign(filter, Some("other")), acme.could_reach(filter));
        prop_assert_eq!(
            topic_owners.owner_of(topic).is_some(),
            acme.owns_topic(topic) || other.owns_topic(topic)
        );
        if acme.overlap(&other).is_none() {
            prop_assert!(!(acme.owns_topic(topic) && other.owns_topic(topic)));
        }
    }

    #[test]
    fn the_rest_is_what_no_other_tenant_owns_or_reaches(
        acme in prop::collection::vec("a(/([ab]|\\+)){0,2}(/#)?", 0..3),
        home in prop::collection::vec("#|b(/([ab]|\\+)){0,2}(/#)?", 0..3),
        reached in prop::collection::vec(
            (prop::sample::select(vec!["acme", "home", "third"]), "(c|\\+)(/([ab]|\\+)){0,2}(/#)?"),
            0..3,
        ),
        is_known in prop::bool::weighted(0.8),
        own in prop::sample::select(vec![Some("acme"), Some("home"), Some("third"), None]),
        filter in "(\\$?[a-d]|\\+)(/([ab]|\\+)){0,2}(/#)?|#",
    ) {
        let parse = |texts: &[String]| {
            Namespaces::new(texts.iter().map(|it| TopicFilter::parse(it).unwrap())).unwrap()
        };
        let naive_owners = NaiveOwners { acme: &acme, home: &home, reached: &reached, is_known };
        let (acme, home) = (parse(&acme), parse(&home));
        let uses = reached.iter().map(|(user, text)| (*user, TopicFilter::parse(text).unwrap()));
        let mut owners = TopicOwners::new([("acme", &acme), ("home", &home)], uses);
        if !is_known {
            owners = owners.without_owner_of_rest();
        }
        let asked = FilterRef::parse(&filter).unwrap();
        let levels = plain(&filter);
        let mut filters: Vec<_> = naive_owners.filters().collect();
        filters.push(levels.clone());
        let filters: Vec<&[Level]> = filters.iter().map(Vec::as_slice).collect();
        let universe = universe(&filters);
        let topics: Vec<String> = universe
            .iter()
            .filter(|topic| falls_under(&levels, topic))
            .map(|topic| topic.join("/"))
            .collect();
        let parsed = topics.iter().filter_map(|topic| TopicName::parse(topic).ok());
        for topic in parsed {
            let naive = naive_owners.is_foreign(topic.as_str(), own);
            prop_assert_eq!(owners.is_foreign(topic, own), naive, "{}", topic);
            let is_own = own.is_some_and(|own| owners.owner_of(topic) == Some(own));
            prop_assert!(!(is_own && naive), "{}", topic);
            if naive {
                prop_assert!(owners.reaches_foreign(asked, own), "{}", topic);
            } else {
                prop_assert!(!owners.is_all_foreign(asked, own), "{}", topic);
            }
            if let Some(owner) = owners.owner_of(asked) {
                prop_assert_eq!(owners.owner_of(topic), Some(owner), "{}", topic);
            }
        }
        if !owners.reaches_foreign(asked, own) {
            prop_assert_eq!(owners.other_reached(asked, own), None);
        }
    }
}

/// Failures are kept with the crate, to be run again and committed.
fn config() -> ProptestConfig {
    let regressions = "proptest-regressions/rule_properties.txt";
    ProptestConfig {
        cases: 3_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(regressions))),
        ..ProptestConfig::default()
    }
}

/// Who owns which topics, as sentences.
struct NaiveOwners<'a> {
    acme: &'a [String],
    home: &'a [String],
    reached: &'a [(&'static str, String)],
    /// Whether all is known that is taken from `#`.
    is_known: bool,
}

impl NaiveOwners<'_> {
    /// Whether the topic is another tenant's.
    fn is_foreign(&self, topic: &str, own: Option<&str>) -> bool {
        let levels: Vec<String> = topic.split('/').map(str::to_owned).collect();
        let holds = |filter: &String| falls_under(&plain(filter), &levels);
        let named = |filters: &[String]| filters.iter().any(|it| it != "#" && holds(it));
        // No namespaces overlap here, so there is one such tenant at most.
        for (tenant, filters) in [("acme", self.acme), ("home", self.home)] {
            if named(filters) {
                return own != Some(tenant);
            }
        }
        if topic.starts_with('$') || !self.home.iter().any(|it| it == "#") {
            return false;
        }
        let mut users = self.reached.iter().filter(|(_, filter)| holds(filter));
        if users.clone().any(|(user, _)| own == Some(*user)) {
            return false;
        }
        let owns_rest = self.is_known && own == Some("home");
        !owns_rest || users.next().is_some()
    }

    /// The filters that it speaks of.
    fn filters(&self) -> impl Iterator<Item = Vec<Level>> {
        let reached = self.reached.iter().map(|(_, filter)| filter);
        self.acme
            .iter()
            .chain(self.home)
            .chain(reached)
            .map(|it| plain(it))
    }
}

/// Rules as sentences: nothing compiled, nothing sorted, everything rescanned.
struct Naive<'a> {
    rules: &'a [(RuleSource, Rule)],
    session: &'a Session,
    namespaces: &'a [String],
}

#[derive(Clone, Copy)]
enum Moment {
    Deliver,
    Publish(QoS, bool),
    Subscribe,
}

#[derive(Clone, Copy, PartialEq)]
enum Relation {
    Covers,
    Intersects,
}

/// One level of a rule after its variables were filled in.
#[derive(Clone, PartialEq)]
enum Level {
    /// Any level, `$` included: a deny that does not know better.
    Any,
    Literal(String),
    Plus,
    Rest,
}

impl Naive<'_> {
    fn judge(&self, moment: Moment, asked: &str, allow_by: Relation, deny_by: Relation) -> Verdict {
        let mut verdict = Verdict::Deny(Reason::NoRule);
        for (source, rule) in self.rules {
            let is_about_it = match rule.action() {
                Action::Both => true,
                Action::Publish => matches!(moment, Moment::Publish(..)),
                Action::Subscribe => !matches!(moment, Moment::Publish(..)),
            };
            let Some(levels) = self.bind(rule).filter(|_| is_about_it) else {
                continue;
            };
            let one = |text| if text == "+/#" { "#" } else { text };
            let is_same = one(rule.pattern().as_str()) == one(asked);
            if rule.effect() == Effect::Deny {
                let denies = match (rule.is_literal(), moment) {
                    (false, _) => relates(&levels, asked, deny_by),
                    (true, Moment::Deliver) => false,
                    (true, Moment::Publish(..) | Moment::Subscribe) => is_same,
                };
                if denies {
                    return Verdict::Deny(Reason::DeniedByRule);
                }
                continue;
            }
            let keeps_limits = match moment {
                Moment::Publish(qos, retain) => {
                    rule.limits().max_qos.is_none_or(|max| qos <= max)
                        && !(retain && rule.limits().no_retain)
                }
                Moment::Subscribe => rule.grants_wildcards() || !asked.contains(['+', '#']),
                Moment::Deliver => true,
            };
            let allows = match (rule.is_literal(), moment) {
                (false, _) | (true, Moment::Deliver) => relates(&levels, asked, allow_by),
                (true, Moment::Publish(..) | Moment::Subscribe) => is_same,
            };
            let is_owned = matches!(source, RuleSource::Scheme(_))
                || self.namespaces.iter().any(|namespace| match allow_by {
                    Relation::Covers => relates(&plain(namespace), asked, allow_by),
                    // Something that both give must be left.
                    Relation::Intersects => meet(&[&levels, &plain(namespace), &plain(asked)]),
                });
            if keeps_limits && is_owned && allows {
                verdict = Verdict::Allow;
            }
        }
        verdict
    }

    fn bind(&self, rule: &Rule) -> Option<Vec<Level>> {
        let mut levels = plain(rule.pattern().as_str());
        for (index, level) in levels.iter_mut().enumerate() {
            let Level::Literal(text) = level else {
                continue;
            };
            if !text.contains("${") {
                continue;
            }
            let mut filled = Some(text.clone());
            for (name, value) in [
                ("${username}", &self.session.username),
                ("${client_id}", &self.session.client_id),
            ] {
                if text.contains(name) {
                    filled = filled
                        .zip(value.as_ref().filter(|value| {
                            !value.is_empty() && !value.chars().any(|it| "/+#\0".contains(it))
                        }))
                        .map(|(text, value)| text.replace(name, value));
                }
            }
            filled = filled.filter(|filled| !(index == 0 && filled.starts_with('$')));
            *level = match (filled, rule.effect()) {
                (Some(filled), _) => Level::Literal(filled),
                (None, Effect::Deny) => Level::Any,
                (None, Effect::Allow) => return None,
            };
        }
        Some(levels)
    }
}

fn plain(filter: &str) -> Vec<Level> {
    filter
        .split('/')
        .map(|level| match level {
            "+" => Level::Plus,
            "#" => Level::Rest,
            literal => Level::Literal(literal.into()),
        })
        .collect()
}

/// Decides by looking at topics one by one; see `topic_properties.rs` for why
/// these topics are enough.
fn relates(rule: &[Level], asked: &str, relation: Relation) -> bool {
    let asked = plain(asked);
    let universe = universe(&[rule, &asked]);
    let mut common = universe.iter().filter(|topic| falls_under(&asked, topic));
    match relation {
        Relation::Covers => common.all(|topic| falls_under(rule, topic)),
        Relation::Intersects => common.any(|topic| falls_under(rule, topic)),
    }
}

/// Says whether some topic falls under all of them.
fn meet(filters: &[&[Level]]) -> bool {
    let universe = universe(filters);
    let mut topics = universe.iter();
    topics.any(|topic| filters.iter().all(|filter| falls_under(filter, topic)))
}

fn falls_under(levels: &[Level], topic: &[String]) -> bool {
    let opens_with_wildcard = matches!(levels.first(), Some(Level::Plus | Level::Rest));
    if opens_with_wildcard && topic.first().is_some_and(|level| level.starts_with('$')) {
        return false;
    }
    let mut topic = topic.iter();
    for level in levels {
        let fits = match (level, topic.next()) {
            (Level::Rest, _) => return true,
            (Level::Any | Level::Plus, Some(_)) => true,
            (Level::Literal(literal), Some(name)) => literal == name,
            (Level::Any | Level::Literal(_) | Level::Plus, None) => false,
        };
        if !fits {
            return false;
        }
    }
    topic.next().is_none()
}

/// All topics of up to one level more than the filters name before a `#`, over
/// the literals that stand at each level, a fresh level, and a fresh `$` level
/// in front.
fn universe(filters: &[&[Level]]) -> Vec<Vec<String>> {
    let named = |levels: &&[Level]| levels.iter().filter(|it| **it != Level::Rest).count();
    let depth = filters
        .iter()
        .map(named)
        .max()
        .unwrap_or(0)
        .saturating_add(1);
    let mut last: Vec<Vec<String>> = vec![Vec::new()];
    let mut all = Vec::new();
    for index in 0..depth {
        let mut names = vec!["fresh".to_owned()];
        if index == 0 {
            names.push("$fresh".to_owned());
        }
        // The empty level tells a topic from no topic, so it is always there.
        names.push(String::new());
        for level in filters.iter().filter_map(|levels| levels.get(index)) {
            if let Level::Literal(literal) = level {
                names.push(literal.clone());
            }
        }
        names.sort_unstable();
        names.dedup();
        last = last
            .iter()
            .flat_map(|topic| {
                names.iter().map(move |name| {
                    let mut topic = topic.clone();
                    topic.push(name.clone());
                    topic
                })
            })
            .collect();
        all.extend(last.iter().cloned());
    }
    all.retain(|topic| topic.as_slice() != [String::new()]);
    all
}

fn session() -> impl Strategy<Value = Session> {
    let value = || {
        prop_oneof![
            4 => prop::sample::select(vec!["a", "b", "ab"]).prop_map(|it| Some(it.to_owned())),
            3 => prop::sample::select(vec!["", "+", "#", "a+", "a/b", "$a", "$", "${username}"])
                .prop_map(|it| Some(it.to_owned())),
            1 => Just(None),
        ]
    };
    (value(), value()).prop_map(|(username, client_id)| Session {
        username,
        client_id,
    })
}

#[expect(clippy::unwrap_used, reason = "the strategy writes patterns only")]
fn sourced_rule() -> impl Strategy<Value = (RuleSource, Rule)> {
    let pattern = "(#|(\\$?[ab]|\\+|\\$\\{username\\}|\\$\\{client_id\\}b?)(/([ab]?|\\+|a?\\$\\{username\\}|\\$\\{client_id\\})){0,3}(/#)?)";
    let source = prop_oneof![
        Just(RuleSource::Scheme("s".into())),
        Just(RuleSource::Credential)
    ];
    (
        source,
        any::<bool>(),
        0u8..3,
        pattern,
        0u8..6,
        any::<bool>(),
        (0u8..4, 0u8..4),
    )
        .prop_map(
            |(source, is_deny, action, pattern, max_qos, no_retain, more)| {
                let pattern = Pattern::parse(&pattern).unwrap();
                let action = match action {
                    0 => Action::Both,
                    1 => Action::Publish,
                    _ => Action::Subscribe,
                };
                let limits = Limits {
                    max_qos: QoS::try_from(max_qos).ok(),
                    no_retain,
                };
                let rule = if is_deny {
                    Rule::deny(action, pattern)
                } else {
                    Rule::new(Effect::Allow, action, pattern.clone(), limits)
                        .unwrap_or_else(|_| Rule::allow(action, pattern))
                };
                let rule = match more {
                    (0, _) => rule.clone().into_literal().unwrap_or(rule),
                    _ => rule,
                };
                let rule = match more {
                    (_, 0) => rule.without_wildcards(),
                    _ => rule,
                };
                (source, rule)
            },
        )
}
