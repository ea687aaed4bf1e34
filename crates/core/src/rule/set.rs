//! The rules of one session, compiled.

use super::compiled::{ActionRules, CompiledRule, Reach, SideBuilder};
use super::namespace::{Namespaces, is_rest};
use super::query::{Moment, TopicQuery, broken_limit};
use super::table::{Entry, Relation, Table};
use super::variable::Variables;
use super::{Action, Effect, Explanation, QoS, Rule, RuleOutcome, RuleSource, Verdict};
use crate::reason::Reason;
use crate::topic::{Subscription, TopicFilter, TopicName};

/// All rules that hold for one session, ready to be asked.
///
/// A question takes no lock and allocates nothing. The empty set denies
/// everything.
///
/// # Examples
///
/// ```
/// use countersign_core::rule::{Action, NoVariables, Pattern, QoS, Rule, RuleSet, RuleSource};
/// use countersign_core::topic::{Subscription, TopicName};
///
/// let source = RuleSource::Operator;
/// let rules = [
///     Rule::allow(Action::Both, Pattern::parse("plant/#")?),
///     Rule::deny(Action::Both, Pattern::parse("plant/secret")?),
/// ];
/// let rules = rules.iter().map(|rule| (&source, rule));
/// let set = RuleSet::compile_unwalled(rules, &NoVariables);
///
/// let topic = TopicName::parse("plant/line1")?;
/// assert!(set.publish(topic, QoS::AtMostOnce, false).is_allowed());
/// assert!(set.subscribe(Subscription::parse("plant/#")?).is_allowed());
/// assert!(!set.deliver(TopicName::parse("plant/secret")?).is_allowed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct RuleSet {
    pub(super) publish: ActionRules,
    subscribe: ActionRules,
    /// Where tenants' own rules end; `None` is a session outside all tenants.
    pub(super) namespaces: Option<Namespaces>,
    rule_count: usize,
    /// How many rules it was compiled from.
    given: usize,
}

impl RuleSet {
    /// How many rules it was compiled from, one with `${group}` counted for each group
    /// that it holds for.
    #[must_use]
    pub const fn rule_count(&self) -> usize {
        self.rule_count
    }

    /// Compiles the rules of a session inside a tenant.
    ///
    /// A rule with `${group}` holds for each group of the session, as long as that
    /// makes no more than [`MOST_PATTERNS_BY_GROUPS`] patterns of all such rules
    /// together; for rules beyond that, `${group}` counts as missing.
    ///
    /// An allow rule whose source does not
    /// [reach unowned topics](RuleSource::reaches_unowned_topics) allows only
    /// what `namespaces` own, and under `sys_read` to subscribe to what it names
    /// below `$SYS`. That other tenants own theirs is not known here:
    /// ask [`TopicOwners`](super::TopicOwners) first.
    pub fn compile<'r>(
        rules: impl IntoIterator<Item = (&'r RuleSource, &'r Rule)>,
        variables: &impl Variables,
        namespaces: &Namespaces,
        sys_read: bool,
    ) -> Self {
        Self::build(rules, variables, Some(namespaces.clone()), sys_read)
    }

    /// Compiles the rules of a session outside all tenants, an operator's.
    pub fn compile_unwalled<'r>(
        rules: impl IntoIterator<Item = (&'r RuleSource, &'r Rule)>,
        variables: &impl Variables,
    ) -> Self {
        Self::build(rules, variables, None, false)
    }

    /// May a message be published on `topic`, with this QoS and RETAIN?
    ///
    /// A retained message without a payload, which clears what is retained,
    /// counts as retained.
    pub fn publish(&self, topic: TopicName<'_>, qos: QoS, retain: bool) -> Verdict {
        self.decide(&TopicQuery::publish(topic, qos, retain))
    }

    /// Explains what [`publish`](Self::publish) answers.
    pub fn explain_publish(&self, topic: TopicName<'_>, qos: QoS, retain: bool) -> Explanation {
        self.explain(&TopicQuery::publish(topic, qos, retain))
    }

    /// May this be subscribed to, every topic of it?
    ///
    /// One allow rule must cover the whole filter and no deny rule may. Where
    /// a deny takes away a part, the rest is granted and
    /// [`deliver`](Self::deliver) withholds the part; a shared subscription is
    /// refused then, since a member that may not read would swallow its turn.
    pub fn subscribe(&self, subscription: Subscription<'_>) -> Verdict {
        self.decide(&TopicQuery::subscribe(subscription))
    }

    /// Explains what [`subscribe`](Self::subscribe) answers.
    pub fn explain_subscribe(&self, subscription: Subscription<'_>) -> Explanation {
        self.explain(&TopicQuery::subscribe(subscription))
    }

    /// May this be subscribed to, some topic of it?
    ///
    /// For hosts that ask [`deliver`](Self::deliver) about every message. A
    /// shared subscription is judged as by [`subscribe`](Self::subscribe).
    pub fn subscribe_filtered(&self, subscription: Subscription<'_>) -> Verdict {
        self.decide(&TopicQuery::subscribe_filtered(subscription))
    }

    /// Explains what [`subscribe_filtered`](Self::subscribe_filtered) answers.
    pub fn explain_subscribe_filtered(&self, subscription: Subscription<'_>) -> Explanation {
        self.explain(&TopicQuery::subscribe_filtered(subscription))
    }

    /// May a message on `topic` be delivered to this session?
    pub fn deliver(&self, topic: TopicName<'_>) -> Verdict {
        self.decide(&TopicQuery::deliver(topic))
    }

    /// Explains what [`deliver`](Self::deliver) answers.
    pub fn explain_deliver(&self, topic: TopicName<'_>) -> Explanation {
        self.explain(&TopicQuery::deliver(topic))
    }

    fn build<'r>(
        rules: impl IntoIterator<Item = (&'r RuleSource, &'r Rule)>,
        variables: &impl Variables,
        namespaces: Option<Namespaces>,
        sys_read: bool,
    ) -> Self {
        let mut publish = SideBuilder::default();
        let mut subscribe = SideBuilder::default();
        let mut rule_count: usize = 0;
        let mut given: usize = 0;
        let mut room = MOST_PATTERNS_BY_GROUPS;
        for (index, (source, rule)) in rules.into_iter().enumerate() {
            let mut bound = rule.pattern().bind(rule.effect(), variables, &mut room);
            rule_count = rule_count.saturating_add(bound.len().max(1));
            for bound in &mut bound {
                if rule.is_literal() && &*bound.text == "+/#" {
                    // They are one filter, and the table finds both under this one.
                    bound.text = "#".into();
                }
            }
            let grant = CompiledRule {
                rule: index,
                limits: rule.limits(),
                reach: Reach::of(rule),
                // A deny refuses them whatever its role grants.
                grants_wildcards: match rule.effect() {
                    Effect::Allow => rule.grants_wildcards(),
                    Effect::Deny => true,
                },
                is_confined: match rule.effect() {
                    Effect::Allow => !source.reaches_unowned_topics(),
                    Effect::Deny => false,
                },
            };
            match rule.action() {
                Action::Both => {
                    publish.add(rule.effect(), bound.clone(), grant);
                    subscribe.add(rule.effect(), bound, grant);
                }
                Action::Publish => publish.add(rule.effect(), bound, grant),
                Action::Subscribe if sys_read && rule.reads_sys() => {
                    let grant = CompiledRule {
                        is_confined: false,
                        ..grant
                    };
                    subscribe.add(rule.effect(), bound, grant);
                }
                Action::Subscribe => subscribe.add(rule.effect(), bound, grant),
            }
            given = given.saturating_add(1);
        }
        Self {
            publish: publish.into(),
            subscribe: subscribe.into(),
            namespaces,
            rule_count,
            given,
        }
    }

    /// Answers a question.
    pub(crate) fn decide(&self, query: &TopicQuery<'_>) -> Verdict {
        let side = self.side(query);
        let matches = |table: &Table<CompiledRule>, relation| {
            let is_match = |entry: &_| self.outcome(entry, relation, query) == RuleOutcome::Matched;
            table.find(relation, query.filter, is_match).is_some()
        };
        if matches(&side.deny, query.deny_by) {
            Verdict::Deny(Reason::DeniedByRule)
        } else if matches(&side.allow, query.allow_by) {
            Verdict::Allow
        } else {
            Verdict::Deny(Reason::NoRule)
        }
    }

    /// Explains what [`decide`](Self::decide) answers.
    pub(crate) fn explain(&self, query: &TopicQuery<'_>) -> Explanation {
        let side = self.side(query);
        let mut outcomes = vec![RuleOutcome::OtherAction; self.given];
        let mut record = |rule: usize, outcome: RuleOutcome| {
            if let Some(slot) = outcomes.get_mut(rule) {
                *slot = slot.or_closer(outcome);
            }
        };
        for rule in &side.unbound {
            record(*rule, RuleOutcome::Unbound);
        }
        let mut first_match = |table: &Table<CompiledRule>, relation| {
            let mut first = None;
            table.for_each(&mut |entry| {
                let outcome = self.outcome(entry, relation, query);
                let rule = entry.value.rule;
                record(rule, outcome);
                if outcome == RuleOutcome::Matched && first.is_none_or(|first| rule < first) {
                    first = Some(rule);
                }
            });
            first
        };
        let denied_by = first_match(&side.deny, query.deny_by);
        let allowed_by = first_match(&side.allow, query.allow_by);
        Explanation {
            verdict: self.decide(query),
            decided_by: denied_by.or(allowed_by),
            outcomes,
        }
    }

    /// The one place where a rule meets a question.
    fn outcome(
        &self,
        entry: &Entry<CompiledRule>,
        relation: Relation,
        query: &TopicQuery<'_>,
    ) -> RuleOutcome {
        let CompiledRule {
            limits,
            is_confined,
            reach,
            grants_wildcards,
            ..
        } = entry.value;
        let meets = match (reach, query.moment) {
            (Reach::Topics, _) | (Reach::LiteralAllow, Moment::Deliver) => {
                entry.meets(relation, query.filter)
            }
            (Reach::LiteralDeny, Moment::Deliver) => false,
            (Reach::LiteralAllow | Reach::LiteralDeny, Moment::Publish | Moment::Subscribe) => {
                entry.is_filter(query.filter)
            }
        };
        if !meets {
            return RuleOutcome::OutsidePattern;
        }
        if !grants_wildcards && query.has_wildcards {
            return RuleOutcome::WildcardRefused;
        }
        if let Some(outcome) = broken_limit(limits, query.message.as_ref()) {
            return outcome;
        }
        let owns = |namespace: &TopicFilter| match relation {
            Relation::Covers => namespace.covers(query.filter),
            // Something must be left to be delivered.
            Relation::Intersects => {
                namespace.intersects(query.filter) && entry.meets(relation, namespace.borrowed())
            }
        };
        let is_owned = |namespaces: &Namespaces| {
            let mut namespaces = namespaces.iter();
            namespaces.any(|it| owns(it) && !(query.is_out_of_rest && is_rest(it)))
        };
        match &self.namespaces {
            Some(namespaces) if is_confined && !is_owned(namespaces) => {
                RuleOutcome::OutsideNamespaces
            }
            Some(_) | None => RuleOutcome::Matched,
        }
    }

    fn side(&self, query: &TopicQuery<'_>) -> &ActionRules {
        match query.message {
            Some(_) => &self.publish,
            None => &self.subscribe,
        }
    }

    /// The rules about publishing, or those about subscribing.
    pub(super) fn side_of(&self, action: Action) -> &ActionRules {
        match action {
            Action::Publish => &self.publish,
            Action::Both | Action::Subscribe => &self.subscribe,
        }
    }
}

impl Default for RuleSet {
    fn default() -> Self {
        Self::build([], &super::NoVariables, None, false)
    }
}

/// How many more patterns than rules a set holds because a session is in several
/// groups.
pub const MOST_PATTERNS_BY_GROUPS: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Limits, NoVariables, Pattern, Variable};

    const ROLE: RuleSource = RuleSource::Credential;

    fn parse(text: &str) -> Rule {
        let mut words = text.split(' ');
        let mut word = || words.next().unwrap();
        let effect = Effect::parse(word()).unwrap();
        let action = Action::parse(word()).unwrap();
        let pattern = Pattern::parse(word()).unwrap();
        Rule::new(effect, action, pattern, Limits::NONE).unwrap()
    }

    fn set(texts: &[&str]) -> RuleSet {
        let rules: Vec<_> = texts.iter().map(|text| parse(text)).collect();
        RuleSet::compile_unwalled(rules.iter().map(|rule| (&ROLE, rule)), &NoVariables)
    }

    fn topic(text: &str) -> TopicName<'_> {
        TopicName::parse(text).unwrap()
    }

    fn subscription(text: &str) -> Subscription<'_> {
        Subscription::parse(text).unwrap()
    }

    #[test]
    fn the_empty_set_denies_everything() {
        let none = RuleSet::default();
        let denied = Verdict::Deny(Reason::NoRule);
        assert_eq!(none.publish(topic("a"), QoS::AtMostOnce, false), denied);
        assert_eq!(none.subscribe(subscription("a")), denied);
        assert_eq!(none.subscribe_filtered(subscription("a")), denied);
        assert_eq!(none.deliver(topic("a")), denied);
        assert_eq!(none.explain_deliver(topic("a")).decided_by, None);
    }

    #[test]
    fn an_action_is_granted_by_its_own_rules_alone() {
        let publisher = set(&["allow publish a"]);
        assert_eq!(
            publisher.publish(topic("a"), QoS::ExactlyOnce, true),
            Verdict::Allow
        );
        assert!(!publisher.deliver(topic("a")).is_allowed());
        assert!(!publisher.subscribe(subscription("a")).is_allowed());
        let subscriber = set(&["allow subscribe a"]);
        assert!(subscriber.deliver(topic("a")).is_allowed());
        assert!(
            !subscriber
                .publish(topic("a"), QoS::AtMostOnce, false)
                .is_allowed()
        );
    }

    #[test]
    fn an_explanation_names_the_first_rule_that_decided() {
        let set = set(&[
            "allow subscribe b/#",
            "allow both a/#",
            "deny publish a/x",
            "allow subscribe a/+",
            "allow subscribe a/${username}",
        ]);
        let explanation = set.explain_deliver(topic("a/x"));
        assert_eq!(explanation.verdict, Verdict::Allow);
        assert_eq!(explanation.decided_by, Some(1));
        assert_eq!(
            explanation.outcomes,
            [
                RuleOutcome::OutsidePattern,
                RuleOutcome::Matched,
                RuleOutcome::OtherAction,
                RuleOutcome::Matched,
                RuleOutcome::Unbound,
            ]
        );
        let explanation = set.explain_publish(topic("a/x"), QoS::AtMostOnce, false);
        assert_eq!(explanation.verdict, Verdict::Deny(Reason::DeniedByRule));
        assert_eq!(explanation.decided_by, Some(2));
        let explanation = set.explain_publish(topic("c"), QoS::AtMostOnce, false);
        assert_eq!(explanation.verdict, Verdict::Deny(Reason::NoRule));
        assert_eq!(explanation.decided_by, None);
    }

    struct Groups(Vec<String>);

    impl Variables for Groups {
        fn value(&self, _variable: Variable<'_>) -> Option<&str> {
            self.groups().next()
        }

        fn groups(&self) -> impl Iterator<Item = &str> {
            self.0.iter().map(String::as_str)
        }
    }

    fn in_groups(rules: &[Rule], groups: &[&str]) -> RuleSet {
        let groups = Groups(groups.iter().map(|&group| group.into()).collect());
        RuleSet::compile_unwalled(rules.iter().map(|rule| (&ROLE, rule)), &groups)
    }

    #[test]
    fn a_rule_with_a_group_holds_for_each_group_and_is_explained_once() {
        let rules = [
            parse("allow both a/${group}/#"),
            parse("deny both a/+/${group}"),
            parse("allow both b/${group}/${group}"),
        ];
        let set = in_groups(&rules, &["X", "Y.Z"]);
        assert_eq!(set.rule_count(), 6);
        for (text, is_allowed) in [
            ("a/X/1", true),
            ("a/Y.Z/1", true),
            ("a/Y/1", false),
            ("a/X/X", false),
            ("a/X/Y.Z", false),
            ("b/X/X", true),
            ("b/Y.Z/Y.Z", true),
            // A variable has one value at a time.
            ("b/X/Y.Z", false),
        ] {
            assert_eq!(set.deliver(topic(text)).is_allowed(), is_allowed, "{text}");
        }
        let explanation = set.explain_deliver(topic("a/X/1"));
        assert_eq!(explanation.decided_by, Some(0));
        assert_eq!(
            explanation.outcomes,
            [
                RuleOutcome::Matched,
                RuleOutcome::OutsidePattern,
                RuleOutcome::OutsidePattern,
            ]
        );
        let nowhere = in_groups(&rules, &[]);
        assert!(!nowhere.deliver(topic("a/X/1")).is_allowed());
        let explanation = nowhere.explain_deliver(topic("a/X/1"));
        assert_eq!(explanation.decided_by, Some(1));
        assert_eq!(explanation.outcomes[0], RuleOutcome::Unbound);
    }

    #[test]
    fn beyond_the_most_patterns_an_allow_gives_nothing_and_a_deny_takes_all() {
        let groups: Vec<_> = (0..=MOST_PATTERNS_BY_GROUPS / 2)
            .map(|number| format!("G{number}"))
            .collect();
        let groups: Vec<_> = groups.iter().map(String::as_str).collect();
        let rules = [
            parse("allow both #"),
            parse("deny both a/${group}"),
            parse("deny both b/${group}"),
            parse("deny both c/${group}"),
        ];
        let set = in_groups(&rules, &groups);
        assert_eq!(set.rule_count(), MOST_PATTERNS_BY_GROUPS + 4,);
        for (text, is_allowed) in [
            ("a/x", true),
            ("b/x", true),
            ("c/x", false),
            ("c/G1", false),
        ] {
            assert_eq!(set.deliver(topic(text)).is_allowed(), is_allowed, "{text}");
        }
        let allows = [
            parse("allow both a/${group}"),
            parse("allow both b/${group}"),
            parse("allow both c/${group}"),
        ];
        let set = in_groups(&allows, &groups);
        for (text, is_allowed) in [("a/G1", true), ("b/G1", true), ("c/G1", false)] {
            assert_eq!(set.deliver(topic(text)).is_allowed(), is_allowed, "{text}");
        }
    }

    #[test]
    fn an_explanation_says_which_limit_a_message_broke() {
        let limits = Limits {
            max_qos: Some(QoS::AtLeastOnce),
            no_retain: true,
        };
        let pattern = Pattern::parse("a").unwrap();
        let rule = Rule::new(Effect::Allow, Action::Publish, pattern, limits).unwrap();
        let set = RuleSet::compile_unwalled([(&ROLE, &rule)], &NoVariables);
        for (qos, retain, outcome) in [
            (QoS::AtLeastOnce, false, RuleOutcome::Matched),
            (QoS::ExactlyOnce, false, RuleOutcome::QosTooHigh),
            (QoS::AtLeastOnce, true, RuleOutcome::RetainRefused),
        ] {
            let explanation = set.explain_publish(topic("a"), qos, retain);
            assert_eq!(explanation.outcomes, [outcome]);
            assert_eq!(
                explanation.verdict.is_allowed(),
                outcome == RuleOutcome::Matched
            );
        }
    }

    #[test]
    fn what_a_tenant_writes_allows_nothing_outside_its_namespaces() {
        let scheme = RuleSource::Scheme("vwire".into());
        let namespaces = Namespaces::new([TopicFilter::parse("acme/#").unwrap()]).unwrap();
        let wide = parse("allow both #");
        let own = RuleSet::compile([(&ROLE, &wide)], &NoVariables, &namespaces, false);
        assert!(own.deliver(topic("acme/x")).is_allowed());
        assert!(own.subscribe(subscription("acme/+")).is_allowed());
        assert!(own.subscribe_filtered(subscription("#")).is_allowed());
        assert!(!own.subscribe(subscription("#")).is_allowed());
        assert!(!own.deliver(topic("nobody/x")).is_allowed());
        assert!(
            !own.publish(topic("nobody/x"), QoS::AtMostOnce, false)
                .is_allowed()
        );
        assert_eq!(
            own.explain_deliver(topic("nobody/x")).outcomes,
            [RuleOutcome::OutsideNamespaces]
        );
        let default = RuleSet::compile([(&scheme, &wide)], &NoVariables, &namespaces, false);
        assert!(default.deliver(topic("nobody/x")).is_allowed());
    }

    fn literal(text: &str) -> Rule {
        parse(text).into_literal().unwrap()
    }

    fn compiled(rules: &[Rule]) -> RuleSet {
        RuleSet::compile_unwalled(rules.iter().map(|rule| (&ROLE, rule)), &NoVariables)
    }

    #[test]
    fn a_literal_allow_grants_its_own_filter_and_delivers_what_that_matches() {
        let set = compiled(&[literal("allow subscribe a/#"), literal("allow publish b/c")]);
        for (filter, is_granted) in [("a/#", true), ("a/b", false), ("a/+", false), ("a", false)] {
            let verdict = set.subscribe(subscription(filter));
            assert_eq!(verdict.is_allowed(), is_granted, "{filter}");
        }
        assert!(!set.subscribe_filtered(subscription("#")).is_allowed());
        assert!(!set.subscribe_filtered(subscription("a/+")).is_allowed());
        assert!(set.subscribe_filtered(subscription("a/#")).is_allowed());
        assert!(set.subscribe(subscription("$share/g/a/#")).is_allowed());
        assert!(set.deliver(topic("a/b/c")).is_allowed());
        assert!(
            set.publish(topic("b/c"), QoS::AtMostOnce, false)
                .is_allowed()
        );
        let everything = compiled(&[literal("allow subscribe #")]);
        for filter in ["#", "+/#"] {
            assert!(
                everything.subscribe(subscription(filter)).is_allowed(),
                "{filter}"
            );
        }
    }

    #[test]
    fn a_literal_deny_refuses_its_own_filter_and_touches_no_delivery() {
        let set = compiled(&[
            parse("allow both #"),
            literal("deny subscribe a/#"),
            literal("deny publish b/c"),
        ]);
        for (filter, is_granted) in [("a/#", false), ("a/b", true), ("#", true), ("a/+/#", true)] {
            let filter = subscription(filter);
            assert_eq!(set.subscribe(filter).is_allowed(), is_granted);
            assert_eq!(set.subscribe_filtered(filter).is_allowed(), is_granted);
        }
        assert!(!set.subscribe(subscription("$share/g/a/#")).is_allowed());
        assert!(set.subscribe(subscription("$share/g/#")).is_allowed());
        assert!(set.deliver(topic("a/b")).is_allowed());
        assert!(
            !set.publish(topic("b/c"), QoS::AtMostOnce, false)
                .is_allowed()
        );
        assert!(
            set.publish(topic("b/d"), QoS::AtMostOnce, false)
                .is_allowed()
        );
    }

    #[test]
    fn a_role_without_wildcards_grants_no_subscribe_with_one() {
        let set = compiled(&[
            parse("allow both a/#").without_wildcards(),
            literal("allow subscribe b/#").without_wildcards(),
        ]);
        for (filter, is_granted) in [
            ("a/b", true),
            ("a/#", false),
            ("a/+", false),
            ("b/#", false),
        ] {
            let filter = subscription(filter);
            assert_eq!(set.subscribe(filter).is_allowed(), is_granted);
            assert_eq!(set.subscribe_filtered(filter).is_allowed(), is_granted);
        }
        assert!(set.deliver(topic("a/b")).is_allowed());
        assert!(
            set.publish(topic("a/b"), QoS::AtMostOnce, false)
                .is_allowed()
        );
        assert_eq!(
            set.explain_subscribe(subscription("a/#")).outcomes,
            [RuleOutcome::WildcardRefused, RuleOutcome::OutsidePattern]
        );
    }

    #[test]
    fn a_tenant_that_may_read_sys_subscribes_below_it_and_publishes_nothing_there() {
        let namespaces = Namespaces::new([TopicFilter::parse("acme/#").unwrap()]).unwrap();
        let rules = [
            parse("allow subscribe $SYS/#"),
            parse("allow subscribe $CONTROL/#"),
            parse("allow both $SYS/both"),
            parse("allow subscribe #"),
        ];
        let compiled = |sys_read| {
            let rules = rules.iter().map(|rule| (&ROLE, rule));
            RuleSet::compile(rules, &NoVariables, &namespaces, sys_read)
        };
        for sys_read in [false, true] {
            let set = compiled(sys_read);
            let reads = |text| set.deliver(topic(text)).is_allowed();
            assert_eq!(reads("$SYS/broker/load"), sys_read);
            assert_eq!(set.subscribe(subscription("$SYS/#")).is_allowed(), sys_read);
            assert!(!reads("$CONTROL/x") && !reads("other/x") && reads("acme/x"));
            let sent = set.publish(topic("$SYS/both"), QoS::AtMostOnce, false);
            assert!(!sent.is_allowed());
        }
    }

    #[test]
    fn a_deny_reaches_outside_the_namespaces_too() {
        let scheme = RuleSource::Scheme("vwire".into());
        let namespaces = Namespaces::default();
        let (allow, deny) = (parse("allow both #"), parse("deny both a/#"));
        let set = RuleSet::compile(
            [(&scheme, &allow), (&ROLE, &deny)],
            &NoVariables,
            &namespaces,
            false,
        );
        assert_eq!(
            set.deliver(topic("a/x")),
            Verdict::Deny(Reason::DeniedByRule)
        );
        assert!(set.deliver(topic("b")).is_allowed());
    }
}
