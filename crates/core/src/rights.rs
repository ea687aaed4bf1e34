//! Rights: what one principal may do with topics.
//!
//! [`Rights`] are the rules that hold for a principal, compiled for one session.
//! The rights of a tenant's principal also refuse every topic that another
//! tenant owns. The module `access` finds the rules.

use crate::limit::SessionLimits;
use crate::name::{LoginName, TenantId};
use crate::reason::Reason;
use crate::rule::{
    Explanation, NoVariables, QoS, Rule, RuleSet, RuleSource, TopicOwners, TopicQuery, Variable,
    Variables, Verdict,
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
    /// None for most.
    limits: Option<Box<SessionLimits>>,
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
                    limits: None,
                }
            }
            None => Self {
                rules: RuleSet::compile_unwalled(rules, variables),
                tenant: None,
                subscribe: SubscribeMode::Strict,
                things: None,
                names_client_id,
                limits: None,
            },
        }
    }

    /// The right to nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::compile(core::iter::empty(), &NoVariables, None, &[])
    }

    /// The same, for sessions that have these limits.
    pub(crate) fn limited_to(mut self, limits: SessionLimits) -> Self {
        self.limits = (!limits.are_none()).then(|| Box::new(limits));
        self
    }

    /// The limits of the session, if it has any. Rights are judged without them: what
    /// was used before is not known here.
    #[must_use]
    pub fn limits(&self) -> Option<&SessionLimits> {
        self.limits.as_deref()
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

    /// Judges a SUBSCRIBE for a host of another maker, strictly whatever the tenant's
    /// mode is. Where the host asks about no delivery, no deny may take away a part
    /// either: nobody would withhold it.
    pub fn judge_subscribe(
        &self,
        filter: &[u8],
        checks_deliveries: bool,
        owners: &TopicOwners,
    ) -> Verdict {
        let Some(subscription) = parse_subscription(filter) else {
            return Verdict::Deny(Reason::Malformed);
        };
        let query = if checks_deliveries {
            TopicQuery::subscribe(subscription)
        } else {
            TopicQuery::subscribe_unseen(subscription)
        };
        self.evaluate_subscribe(
            subscription,
            SubscribeMode::Strict,
            query,
            owners,
            &VerdictOnly,
        )
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
                let query = TopicQuery::publish(topic, qos, retain);
                self.evaluate_topic(topic, query, owners, evaluation)
            }
            TopicUse::Deliver { topic } => {
                let Some(topic) = parse_topic(topic) else {
                    return malformed();
                };
                self.evaluate_topic(topic, TopicQuery::deliver(topic), owners, evaluation)
            }
            TopicUse::Subscribe { filter } => {
                let Some(subscription) = parse_subscription(filter) else {
                    return malformed();
                };
                let query = match self.subscribe {
                    SubscribeMode::Filtered => TopicQuery::subscribe_filtered(subscription),
                    SubscribeMode::Strict => TopicQuery::subscribe(subscription),
                };
                self.evaluate_subscribe(subscription, self.subscribe, query, owners, evaluation)
            }
        }
    }

    fn evaluate_subscribe<A: Evaluation>(
        &self,
        subscription: Subscription<'_>,
        mode: SubscribeMode,
        query: TopicQuery<'_>,
        owners: &TopicOwners,
        evaluation: &A,
    ) -> A::Answer {
        if !self.admits_things_of(subscription, mode) {
            return evaluation.plain(Verdict::Deny(Reason::NoRule));
        }
        let is_foreign = self.reaches_foreign_topic(subscription, mode, owners);
        evaluation.ask(&self.rules, &query.among(owners, self.own()), is_foreign)
    }

    fn evaluate_topic<A: Evaluation>(
        &self,
        topic: TopicName<'_>,
        query: TopicQuery<'_>,
        owners: &TopicOwners,
        evaluation: &A,
    ) -> A::Answer {
        if !self.admits_thing(topic) {
            return evaluation.plain(Verdict::Deny(Reason::NoRule));
        }
        let own = self.own();
        let is_foreign = own.is_some() && owners.is_foreign(topic, own);
        evaluation.ask(&self.rules, &query.among(owners, own), is_foreign)
    }

    /// The id of its tenant.
    fn own(&self) -> Option<&str> {
        self.tenant.as_ref().map(TenantId::as_str)
    }

    fn admits_thing(&self, topic: TopicName<'_>) -> bool {
        let limit = self.things.as_ref();
        limit.is_none_or(|limit| limit.admits_topic(topic))
    }

    fn admits_things_of(&self, subscription: Subscription<'_>, mode: SubscribeMode) -> bool {
        let is_filtered = mode == SubscribeMode::Filtered && !subscription.is_shared();
        let limit = self.things.as_ref().filter(|_| !is_filtered);
        limit.is_none_or(|limit| limit.admits_filter(subscription.filter()))
    }

    fn reaches_foreign_topic(
        &self,
        subscription: Subscription<'_>,
        mode: SubscribeMode,
        owners: &TopicOwners,
    ) -> bool {
        match (&self.tenant, mode) {
            (None, _) => false,
            // The wall acts at delivery then, but something must be left to be
            // delivered; a share has no such second look.
            (Some(own), SubscribeMode::Filtered) if !subscription.is_shared() => {
                owners.is_all_foreign(subscription.filter(), Some(own.as_str()))
            }
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
    /// What the rules answer, or a refusal if another tenant owns the topic.
    fn ask(&self, rules: &RuleSet, query: &TopicQuery<'_>, is_foreign: bool) -> Self::Answer;
}

/// The verdict alone.
struct VerdictOnly;

impl Evaluation for VerdictOnly {
    type Answer = Verdict;

    fn plain(&self, verdict: Verdict) -> Verdict {
        verdict
    }

    fn ask(&self, rules: &RuleSet, query: &TopicQuery<'_>, is_foreign: bool) -> Verdict {
        if is_foreign {
            Verdict::Deny(Reason::OtherTenant)
        } else {
            rules.decide(query)
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

    fn ask(&self, rules: &RuleSet, query: &TopicQuery<'_>, is_foreign: bool) -> Explanation {
        let explanation = rules.explain(query);
        if is_foreign {
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
