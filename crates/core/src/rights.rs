//! Rights: what one principal may do with topics.
//!
//! [`Grants`] lists all rules that hold for a principal and where each comes
//! from; [`Rights`] is that list compiled for one session, together with the
//! wall around its tenant. The broker's check and `countersign check` both ask
//! [`Rights`], so they can't differ.

use crate::credential::Credential;
use crate::name::{GroupPath, TenantId};
use crate::reason::Reason;
use crate::role::Role;
use crate::rule::{
    Action, Explanation, NoVariables, Pattern, QoS, Rule, RuleSet, RuleSource, Territories,
    Variable, Variables, Verdict,
};
use crate::scheme::Scheme;
use crate::tenant::{SubscribeMode, Tenant};
use crate::topic::{Subscription, TopicName};

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

/// All rules that hold for a principal, and where each comes from.
#[derive(Clone, Debug, Default)]
pub struct Grants(Vec<(RuleSource, Rule)>);

impl Grants {
    /// The right to use what a tenant owns, and nothing else.
    #[must_use]
    pub fn of_tenant(tenant: &Tenant) -> Self {
        let source = RuleSource::Tenant(tenant.id.as_str().into());
        let rules = tenant.namespaces.iter().filter_map(|namespace| {
            // A namespace holds no variable, so it always is a pattern; one
            // that was none would grant nothing.
            let pattern = Pattern::parse(namespace.as_str()).ok()?;
            Some((source.clone(), Rule::allow(Action::Both, pattern)))
        });
        Self(rules.collect())
    }

    /// All rules that hold for a credential: its scheme's, its roles', its own.
    ///
    /// A scheme or tenant that is no more grants nothing.
    #[must_use]
    pub fn of_credential(
        credential: &Credential,
        tenant: Option<&Tenant>,
        scheme: Option<&Scheme>,
        roles: &[Role],
    ) -> Self {
        let mut grants = Self::default();
        if let Some(scheme) = scheme {
            if let Some(tenant) = tenant.filter(|_| scheme.grants_namespaces()) {
                grants = Self::of_tenant(tenant);
            }
            let source = RuleSource::Scheme(scheme.name().as_str().into());
            let rules: Vec<Rule> = scheme.rules().collect();
            grants = grants.and(&source, &rules);
        }
        let own = match credential.tenant {
            Some(_) => RuleSource::Credential,
            None => RuleSource::Operator,
        };
        grants
            .and_roles(credential, roles)
            .and(&own, &credential.rules)
    }

    /// Adds the rules of roles that hold for a credential.
    fn and_roles(mut self, credential: &Credential, roles: &[Role]) -> Self {
        for role in roles {
            for role_rule in &role.rules {
                if !role_rule.holds_for(credential.group.as_ref()) {
                    continue;
                }
                let source = match &role_rule.group {
                    Some(group) => RuleSource::Group(group.as_str().into()),
                    None => RuleSource::Role(role.name.as_str().into()),
                };
                self.0.push((source, role_rule.rule.clone()));
            }
        }
        self
    }

    /// Adds rules of one source.
    fn and(mut self, source: &RuleSource, rules: &[Rule]) -> Self {
        let sourced = rules.iter().map(|rule| (source.clone(), rule.clone()));
        self.0.extend(sourced);
        self
    }

    /// The rules, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = &(RuleSource, Rule)> {
        self.0.iter()
    }

    /// Says whether the rules mean the same for every principal.
    #[must_use]
    pub fn have_no_variables(&self) -> bool {
        self.0
            .iter()
            .all(|(_, rule)| rule.pattern().variables().next().is_none())
    }
}

/// What the variables of a credential's rules stand for.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// The credential.
    pub credential: &'a Credential,
    /// The client id it is connected with, unless that is a secret.
    pub client_id: Option<&'a str>,
    /// Its scheme, which says what its user name is.
    pub scheme: Option<&'a Scheme>,
}

impl Variables for Values<'_> {
    fn value(&self, variable: Variable<'_>) -> Option<&str> {
        let credential = self.credential;
        match variable {
            Variable::Attribute(key) => credential.attributes.get(key).map(String::as_str),
            Variable::ClientId => self.client_id,
            Variable::Group => credential.group.as_ref().map(GroupPath::as_str),
            Variable::Tenant => credential.tenant.as_ref().map(TenantId::as_str),
            Variable::Username => match self.scheme {
                Some(scheme) => scheme.username(&credential.name, &credential.attributes),
                None => Some(credential.name.as_str()),
            },
        }
    }
}

/// What one session may do with topics.
#[derive(Clone, Debug)]
pub struct Rights {
    rules: RuleSet,
    tenant: Option<TenantId>,
    subscribe: SubscribeMode,
}

impl Rights {
    /// The rights of a principal of `tenant`, or outside of all tenants.
    #[must_use]
    pub fn new(grants: &Grants, variables: &impl Variables, tenant: Option<&Tenant>) -> Self {
        let rules = grants.iter().map(|(source, rule)| (source, rule));
        match tenant {
            Some(tenant) => Self {
                rules: RuleSet::compile(rules, variables, &tenant.namespaces),
                tenant: Some(tenant.id.clone()),
                subscribe: tenant.subscribe,
            },
            None => Self {
                rules: RuleSet::compile_unwalled(rules, variables),
                tenant: None,
                subscribe: SubscribeMode::Strict,
            },
        }
    }

    /// What a credential may do while it is connected as `client_id`; none
    /// where the client id is a secret.
    #[must_use]
    pub fn of_credential(
        credential: &Credential,
        client_id: Option<&str>,
        tenant: Option<&Tenant>,
        scheme: Option<&Scheme>,
        roles: &[Role],
    ) -> Self {
        let grants = Grants::of_credential(credential, tenant, scheme, roles);
        let values = Values {
            credential,
            client_id,
            scheme,
        };
        Self::new(&grants, &values, tenant)
    }

    /// What a client that proved nothing may do in a tenant.
    #[must_use]
    pub fn of_tenant(tenant: &Tenant) -> Self {
        Self::new(&Grants::of_tenant(tenant), &NoVariables, Some(tenant))
    }

    /// The right to nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::new(&Grants::default(), &NoVariables, None)
    }

    /// Judges one use of a topic. Takes no lock and allocates nothing.
    pub fn judge(&self, usage: TopicUse<'_>, walls: &Territories) -> Verdict {
        self.ask(usage, walls, &Short)
    }

    /// Explains what [`Rights::judge`] answers.
    pub fn explain(&self, usage: TopicUse<'_>, walls: &Territories) -> Explanation {
        self.ask(usage, walls, &Long)
    }

    /// Asks the wall, then the rules, in one order for short answers and long
    /// ones.
    fn ask<A: Answerer>(
        &self,
        usage: TopicUse<'_>,
        walls: &Territories,
        answerer: &A,
    ) -> A::Answer {
        let malformed = || answerer.plain(Verdict::Deny(Reason::Malformed));
        match usage {
            TopicUse::Unsubscribe => answerer.plain(Verdict::Allow),
            TopicUse::Publish { topic, qos, retain } => {
                let (Some(topic), Ok(qos)) = (parse_topic(topic), QoS::try_from(qos)) else {
                    return malformed();
                };
                let answer = answerer.publish(&self.rules, topic, qos, retain);
                answerer.walled(answer, self.is_behind_wall(topic, walls))
            }
            TopicUse::Deliver { topic } => {
                let Some(topic) = parse_topic(topic) else {
                    return malformed();
                };
                let answer = answerer.deliver(&self.rules, topic);
                answerer.walled(answer, self.is_behind_wall(topic, walls))
            }
            TopicUse::Subscribe { filter } => {
                let Some(subscription) = parse_subscription(filter) else {
                    return malformed();
                };
                let answer = answerer.subscribe(&self.rules, subscription, self.subscribe);
                answerer.walled(answer, self.reaches_behind_wall(subscription, walls))
            }
        }
    }

    fn is_behind_wall(&self, topic: TopicName<'_>, walls: &Territories) -> bool {
        match &self.tenant {
            Some(own) => walls.is_foreign(topic, Some(own.as_str())),
            None => false,
        }
    }

    fn reaches_behind_wall(&self, subscription: Subscription<'_>, walls: &Territories) -> bool {
        match (&self.tenant, self.subscribe) {
            (None, _) => false,
            // The wall acts at delivery then; a share has no such second look.
            (Some(_), SubscribeMode::Filtered) if !subscription.is_shared() => false,
            (Some(own), SubscribeMode::Filtered | SubscribeMode::Strict) => {
                walls.reaches_foreign(subscription.filter(), Some(own.as_str()))
            }
        }
    }
}

/// Gives answers of one length.
trait Answerer {
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
    /// The answer, or a refusal if a wall stands in the way.
    fn walled(&self, answer: Self::Answer, is_behind_wall: bool) -> Self::Answer;
}

/// Yes or no.
struct Short;

impl Answerer for Short {
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

    fn walled(&self, verdict: Verdict, is_behind_wall: bool) -> Verdict {
        if is_behind_wall {
            Verdict::Deny(Reason::OtherTenant)
        } else {
            verdict
        }
    }
}

/// The answer, and what every rule had to say.
struct Long;

impl Answerer for Long {
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

    fn walled(&self, explanation: Explanation, is_behind_wall: bool) -> Explanation {
        if is_behind_wall {
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
