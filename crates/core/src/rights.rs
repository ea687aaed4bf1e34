//! Rights: what one principal may do with topics.
//!
//! [`Rights`] are the rules that hold for a principal, compiled for one session.
//! The rights of a tenant's principal also refuse every topic that another
//! tenant owns. The module `access` finds the rules.

use crate::name::{LoginName, TenantId};
use crate::reason::Reason;
use crate::rule::{
    Explanation, NoVariables, QoS, Rule, RuleSet, RuleSource, TopicOwners, Variable, Variables,
    Verdict,
};
use crate::tenant::{SubscribeMode, Tenant};
use crate::topic::{Subscription, TopicName};

use self::things::ThingLimit;

mod difference;
pub(crate) mod things;

pub use self::difference::TopicUses;

/// What a client wants to do with a topic; all bytes as it sent them.
#[derive(Clone, Copy, Debug)]
pub enum TopicUse<'a> {
    /// Receive a message that was published on this topic.
    Deliver {
        /// The topic's name.
        topic: &'a [u8],
    },
    /// Publish a message, a Will included.
    Publish {
        /// The topic's name.
        topic: &'a [u8],
        /// 0, 1 or 2.
        qos: u8,
        /// Whether it is to be retained, or clears what is.
        retain: bool,
    },
    /// Subscribe to this filter, `$share/…` included.
    Subscribe {
        /// The topic filter.
        filter: &'a [u8],
    },
    /// Give up a subscription.
    Unsubscribe,
}

/// What one session may do with topics.
#[derive(Clone, Debug)]
pub struct Rights {
    rules: RuleSet,
    tenant: Option<TenantId>,
    subscribe: SubscribeMode,
    things: Option<ThingLimit>,
    /// Whether a rule holds `${client_id}`.
    names_client_id: bool,
}

impl Rights {
    /// Compiles the rules of a principal of `tenant`, or of one outside of all
    /// tenants. Where it is limited to things, it owns their topics as well.
    pub(crate) fn compile<'r>(
        rules: impl Iterator<Item = (&'r RuleSource, &'r Rule)> + Clone,
        variables: &impl Variables,
        tenant: Option<&Tenant>,
        things: &[LoginName],
    ) -> Self {
        let mut all = rules
            .clone()
            .flat_map(|(_, rule)| rule.pattern().variables());
        let names_client_id = all.any(|variable| variable == Variable::ClientId);
        match tenant {
            Some(tenant) => {
                let owned = match things {
                    [] => &tenant.namespaces,
                    things => &things::with_things(&tenant.namespaces, things),
                };
                Self {
                    rules: RuleSet::compile(rules, variables, owned, tenant.sys_read),
                    tenant: Some(tenant.id.clone()),
                    subscribe: tenant.subscribe,
                    things: ThingLimit::new(things),
                    names_client_id,
                }
            }
            None => Self {
                rules: RuleSet::compile_unwalled(rules, variables),
                tenant: None,
                subscribe: SubscribeMode::Strict,
                things: None,
                names_client_id,
            },
        }
    }

    /// The right to nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::compile(core::iter::empty(), &NoVariables, None, &[])
    }

    /// Says whether they are the same under every client id.
    #[must_use]
    pub const fn are_of_any_client_id(&self) -> bool {
        !self.names_client_id
    }

    /// How many rules they were compiled from; see [`RuleSet::rule_count`].
    #[must_use]
    pub const fn rule_count(&self) -> usize {
        self.rules.rule_count()
    }

    /// Judges one use of a topic. Takes no lock and allocates nothing.
    pub fn judge(&self, usage: TopicUse<'_>, owners: &TopicOwners) -> Verdict {
        self.evaluate(usage, owners, &VerdictOnly)
    }

    /// Explains what [`Rights::judge`] answers.
    pub fn explain(&self, usage: TopicUse<'_>, owners: &TopicOwners) -> Explanation {
        self.evaluate(usage, owners, &WithExplanation)
    }

    /// Checks topic ownership first, then the rules; in the same order for
    /// verdicts and explanations.
    fn evaluate<A: Evaluation>(
        &self,
        usage: TopicUse<'_>,
        owners: &TopicOwners,
        evaluation: &A,
    ) -> A::Answer {
        let malformed = || evaluation.plain(Verdict::Deny(Reason::Malformed));
        match usage {
            TopicUse::Unsubscribe => evaluation.plain(Verdict::Allow),
            TopicUse::Publish { topic, qos, retain } => {
                let (Some(topic), Ok(qos)) = (parse_topic(topic), QoS::try_from(qos)) else {
                    return malformed();
                };
                if !self.admits_thing(topic) {
                    return evaluation.plain(Verdict::Deny(Reason::NoRule));
                }
                let answer = evaluation.publish(&self.rules, topic, qos, retain);
                evaluation.bounded_by_owners(answer, self.is_foreign_topic(topic, owners))
            }
            TopicUse::Deliver { topic } => {
                let Some(topic) = parse_topic(topic) else {
                    return malformed();
                };
                if !self.admits_thing(topic) {
                    return evaluation.plain(Verdict::Deny(Reason::NoRule));
                }
                let answer = evaluation.deliver(&self.rules, topic);
                evaluation.bounded_by_owners(answer, self.is_foreign_topic(topic, owners))
            }
            TopicUse::Subscribe { filter } => {
                let Some(subscription) = parse_subscription(filter) else {
                    return malformed();
                };
                if !self.admits_things_of(subscription) {
                    return evaluation.plain(Verdict::Deny(Reason::NoRule));
                }
                let answer = evaluation.subscribe(&self.rules, subscription, self.subscribe);
                evaluation
                    .bounded_by_owners(answer, self.reaches_foreign_topic(subscription, owners))
            }
        }
    }

    fn admits_thing(&self, topic: TopicName<'_>) -> bool {
        let limit = self.things.as_ref();
        limit.is_none_or(|limit| limit.admits_topic(topic))
    }

    fn admits_things_of(&self, subscription: Subscription<'_>) -> bool {
        let is_filtered = self.subscribe == SubscribeMode::Filtered && !subscription.is_shared();
        let limit = self.things.as_ref().filter(|_| !is_filtered);
        limit.is_none_or(|limit| limit.admits_filter(subscription.filter()))
    }

    fn is_foreign_topic(&self, topic: TopicName<'_>, owners: &TopicOwners) -> bool {
        match &self.tenant {
            Some(own) => owners.is_foreign(topic, Some(own.as_str())),
            None => false,
        }
    }

    fn reaches_foreign_topic(&self, subscription: Subscription<'_>, owners: &TopicOwners) -> bool {
        match (&self.tenant, self.subscribe) {
            (None, _) => false,
            // The wall acts at delivery then; a share has no such second look.
            (Some(_), SubscribeMode::Filtered) if !subscription.is_shared() => false,
            (Some(own), SubscribeMode::Filtered | SubscribeMode::Strict) => {
                owners.reaches_foreign(subscription.filter(), Some(own.as_str()))
            }
        }
    }
}

/// Evaluates a use of a topic, to a verdict or to an explanation.
trait Evaluation {
    type Answer;

    fn plain(&self, verdict: Verdict) -> Self::Answer;
    fn publish(
        &self,
        rules: &RuleSet,
        topic: TopicName<'_>,
        qos: QoS,
        retain: bool,
    ) -> Self::Answer;
    fn deliver(&self, rules: &RuleSet, topic: TopicName<'_>) -> Self::Answer;
    fn subscribe(
        &self,
        rules: &RuleSet,
        subscription: Subscription<'_>,
        mode: SubscribeMode,
    ) -> Self::Answer;
    /// The answer, or a refusal if another tenant owns the topic.
    fn bounded_by_owners(&self, answer: Self::Answer, is_foreign_topic: bool) -> Self::Answer;
}

/// The verdict alone.
struct VerdictOnly;

impl Evaluation for VerdictOnly {
    type Answer = Verdict;

    fn plain(&self, verdict: Verdict) -> Verdict {
        verdict
    }

    fn publish(&self, rules: &RuleSet, topic: TopicName<'_>, qos: QoS, retain: bool) -> Verdict {
        rules.publish(topic, qos, retain)
    }

    fn deliver(&self, rules: &RuleSet, topic: TopicName<'_>) -> Verdict {
        rules.deliver(topic)
    }

    fn subscribe(
        &self,
        rules: &RuleSet,
        subscription: Subscription<'_>,
        mode: SubscribeMode,
    ) -> Verdict {
        match mode {
            SubscribeMode::Filtered => rules.subscribe_filtered(subscription),
            SubscribeMode::Strict => rules.subscribe(subscription),
        }
    }

    fn bounded_by_owners(&self, verdict: Verdict, is_foreign_topic: bool) -> Verdict {
        if is_foreign_topic {
            Verdict::Deny(Reason::OtherTenant)
        } else {
            verdict
        }
    }
}

/// The verdict, with the outcome of every rule.
struct WithExplanation;

impl Evaluation for WithExplanation {
    type Answer = Explanation;

    fn plain(&self, verdict: Verdict) -> Explanation {
        Explanation {
            verdict,
            decided_by: None,
            outcomes: Vec::new(),
        }
    }

    fn publish(
        &self,
        rules: &RuleSet,
        topic: TopicName<'_>,
        qos: QoS,
        retain: bool,
    ) -> Explanation {
        rules.explain_publish(topic, qos, retain)
    }

    fn deliver(&self, rules: &RuleSet, topic: TopicName<'_>) -> Explanation {
        rules.explain_deliver(topic)
    }

    fn subscribe(
        &self,
        rules: &RuleSet,
        subscription: Subscription<'_>,
        mode: SubscribeMode,
    ) -> Explanation {
        match mode {
            SubscribeMode::Filtered => rules.explain_subscribe_filtered(subscription),
            SubscribeMode::Strict => rules.explain_subscribe(subscription),
        }
    }

    fn bounded_by_owners(&self, explanation: Explanation, is_foreign_topic: bool) -> Explanation {
        if is_foreign_topic {
            Explanation {
                verdict: Verdict::Deny(Reason::OtherTenant),
                decided_by: None,
                ..explanation
            }
        } else {
            explanation
        }
    }
}

fn parse_topic(bytes: &[u8]) -> Option<TopicName<'_>> {
    TopicName::parse(core::str::from_utf8(bytes).ok()?).ok()
}

fn parse_subscription(bytes: &[u8]) -> Option<Subscription<'_>> {
    Subscription::parse(core::str::from_utf8(bytes).ok()?).ok()
}
