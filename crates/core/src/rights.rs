//! Rights: what one principal may do with topics.
//!
//! [`Grants`] lists all rules that hold for a principal and where each comes
//! from; [`Rights`] is that list compiled for one session. The rights of a
//! tenant's principal also refuse every topic that another tenant owns. The
//! broker's check and `countersign check` both use [`Rights`], so they can't
//! differ.

use crate::credential::Credential;
use crate::kind::Kind;
use crate::name::{GroupPath, LoginName, TenantId};
use crate::reason::Reason;
use crate::role::Role;
use crate::rule::{
    Action, Explanation, NoVariables, Pattern, QoS, Rule, RuleSet, RuleSource, TopicOwners,
    Variable, Variables, Verdict,
};
use crate::scheme::Scheme;
use crate::tenant::{DefaultRights, SubscribeMode, Tenant};
use crate::token::TokenRecord;
use crate::topic::{Subscription, TopicName};
use crate::user::{Grant, GrantedRight};

use self::things::ThingLimit;

mod client_ids;
mod difference;
mod join;
mod things;

pub use self::client_ids::UNKNOWN_CLIENT_ID;
pub use self::difference::TopicUses;
pub use self::join::joined_tenant;

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
    /// What a tenant gives to those of whom nothing else is said: the right to
    /// use what it owns, or nothing.
    #[must_use]
    pub fn of_tenant(tenant: &Tenant) -> Self {
        match tenant.default_rights {
            DefaultRights::Namespaces => Self::of_namespaces(tenant),
            DefaultRights::Nothing => Self::default(),
        }
    }

    /// The right to use what a tenant owns, and nothing else.
    fn of_namespaces(tenant: &Tenant) -> Self {
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
        let own = if credential.is_operator() {
            RuleSource::Operator
        } else {
            RuleSource::Credential
        };
        grants
            .and_roles(credential.group.as_ref(), roles)
            .and(&own, &credential.rules)
    }

    /// All rules that hold for a user in the tenant of a grant: those of the
    /// role, or as an administrator all of the tenant's topics.
    ///
    /// Who administers a group alone may use no topics by that.
    #[must_use]
    pub fn of_user(grant: &Grant, tenant: &Tenant, roles: &[Role]) -> Self {
        match &grant.right {
            GrantedRight::OrgAdmin if grant.is_org_admin() => Self::of_namespaces(tenant),
            GrantedRight::OrgAdmin => Self::default(),
            GrantedRight::Role(name) => {
                let held: Vec<Role> = roles
                    .iter()
                    .filter(|role| role.tenant == tenant.id && role.name == *name)
                    .cloned()
                    .collect();
                Self::default().and_roles(grant.group.as_ref(), &held)
            }
        }
    }

    /// All rules that hold for the holder of a token with these roles.
    #[must_use]
    pub fn of_token(roles: &[Role]) -> Self {
        Self::default().and_roles(None, roles)
    }

    /// Adds the topics of things that are bound to a thing's session.
    #[must_use]
    pub fn and_children(self, scheme: Option<&Scheme>, children: &[LoginName]) -> Self {
        let Some(scheme) = scheme else {
            return self;
        };
        let source = RuleSource::Scheme(scheme.name().as_str().into());
        let rules: Vec<Rule> = children.iter().filter_map(things::child_rule).collect();
        self.and(&source, &rules)
    }

    /// Adds the rules of roles that hold for a member of a group.
    fn and_roles(mut self, group: Option<&GroupPath>, roles: &[Role]) -> Self {
        for role in roles {
            for role_rule in &role.rules {
                if !role_rule.holds_for(group) {
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

    /// Says whether any of the rules means something else under another client
    /// id.
    fn name_client_ids(&self) -> bool {
        let names_it = |rule: &Rule| {
            rule.pattern()
                .variables()
                .any(|variable| variable == Variable::ClientId)
        };
        self.0.iter().any(|(_, rule)| names_it(rule))
    }

    /// Says whether the rules mean the same for every principal.
    #[must_use]
    pub fn have_no_variables(&self) -> bool {
        self.0
            .iter()
            .all(|(_, rule)| rule.pattern().variables().next().is_none())
    }
}

/// What the variables of a principal's rules stand for.
#[derive(Clone, Copy, Debug)]
pub struct PrincipalVariables<'a> {
    credential: &'a Credential,
    username: Option<&'a str>,
    client_id: Option<&'a str>,
    tenant: Option<&'a TenantId>,
    group: Option<&'a GroupPath>,
}

impl<'a> PrincipalVariables<'a> {
    /// Those of a credential that is connected as `client_id`, which stands for
    /// nothing where it is a secret. Its scheme says what its user name is.
    #[must_use]
    pub fn of_credential(
        credential: &'a Credential,
        client_id: Option<&'a str>,
        scheme: Option<&'a Scheme>,
    ) -> Self {
        Self {
            credential,
            username: match scheme {
                Some(scheme) => scheme.username(&credential.name, &credential.attributes),
                None => Some(credential.name.as_str()),
            },
            client_id: client_id.filter(|_| !credential.hides_client_ids()),
            tenant: credential.tenant.as_ref(),
            group: credential.group.as_ref(),
        }
    }

    /// Those of a user in the tenant of a grant.
    #[must_use]
    pub fn of_user(credential: &'a Credential, grant: &'a Grant, client_id: &'a str) -> Self {
        Self {
            credential,
            username: Some(credential.name.as_str()),
            client_id: Some(client_id),
            tenant: Some(&grant.tenant),
            group: grant.group.as_ref(),
        }
    }

    /// Those of the holder of a token: the user name is `jwt:WHOAMI`.
    #[must_use]
    pub fn of_token(credential: &'a Credential, client_id: &'a str) -> Self {
        let name = credential.name.as_str();
        Self {
            credential,
            username: name.rsplit_once('@').map(|(whoami, _)| whoami),
            client_id: Some(client_id),
            tenant: credential.tenant.as_ref(),
            group: None,
        }
    }
}

impl Variables for PrincipalVariables<'_> {
    fn value(&self, variable: Variable<'_>) -> Option<&str> {
        match variable {
            Variable::Attribute(key) => self.credential.attributes.get(key).map(String::as_str),
            Variable::ClientId => self.client_id,
            Variable::Group => self.group.map(GroupPath::as_str),
            Variable::Tenant => self.tenant.map(TenantId::as_str),
            Variable::Username => self.username,
        }
    }
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
    /// The rights of a principal of `tenant`, or outside of all tenants.
    #[must_use]
    pub fn new(grants: &Grants, variables: &impl Variables, tenant: Option<&Tenant>) -> Self {
        let rules = grants.iter().map(|(source, rule)| (source, rule));
        let names_client_id = grants.name_client_ids();
        match tenant {
            Some(tenant) => Self {
                rules: RuleSet::compile(rules, variables, &tenant.namespaces),
                tenant: Some(tenant.id.clone()),
                subscribe: tenant.subscribe,
                things: None,
                names_client_id,
            },
            None => Self {
                rules: RuleSet::compile_unwalled(rules, variables),
                tenant: None,
                subscribe: SubscribeMode::Strict,
                things: None,
                names_client_id,
            },
        }
    }

    /// What a device, an operator or a thing may do while it is connected as
    /// `client_id`, with the things that are bound to its session.
    ///
    /// Nothing for any other kind, and nothing for one whose tenant is no more.
    #[must_use]
    pub fn of_credential(
        credential: &Credential,
        client_id: Option<&str>,
        tenant: Option<&Tenant>,
        scheme: Option<&Scheme>,
        roles: &[Role],
        children: &[LoginName],
    ) -> Self {
        let is_of_kind = matches!(credential.kind, Kind::Device | Kind::Thing(_));
        let own = credential.tenant.as_ref();
        if !is_of_kind || own != tenant.map(|tenant| &tenant.id) {
            // Outside of all tenants there would be no wall.
            return Self::none();
        }
        let grants =
            Grants::of_credential(credential, tenant, scheme, roles).and_children(scheme, children);
        let values = PrincipalVariables::of_credential(credential, client_id, scheme);
        Self::new(&grants, &values, tenant)
    }

    /// What a user may do in a tenant while connected as `client_id`. Nothing
    /// where the tenant grants nothing.
    #[must_use]
    pub fn of_user(
        credential: &Credential,
        client_id: &str,
        tenant: &Tenant,
        roles: &[Role],
    ) -> Self {
        let Kind::User(user) = &credential.kind else {
            return Self::none();
        };
        let Some(grant) = user.grant_in(&tenant.id) else {
            return Self::none();
        };
        let grants = Grants::of_user(grant, tenant, roles);
        let values = PrincipalVariables::of_user(credential, grant, client_id);
        Self::new(&grants, &values, Some(tenant))
    }

    /// What the holder of a token may do while connected as `client_id`: what
    /// its role allows and, where it is limited to things, of those below
    /// `thing/` theirs alone.
    #[must_use]
    pub fn of_token(
        credential: &Credential,
        token: &TokenRecord,
        client_id: &str,
        tenant: &Tenant,
        roles: &[Role],
    ) -> Self {
        if token.tenant != tenant.id || token.bearer != credential.id {
            return Self::none();
        }
        let held: Vec<Role> = roles
            .iter()
            .filter(|role| role.tenant == tenant.id && role.name == token.role)
            .cloned()
            .collect();
        let reached = Tenant {
            namespaces: things::with_things(&tenant.namespaces, &token.things),
            ..tenant.clone()
        };
        let values = PrincipalVariables::of_token(credential, client_id);
        Self {
            things: ThingLimit::new(&token.things),
            ..Self::new(&Grants::of_token(&held), &values, Some(&reached))
        }
    }

    /// What an unauthenticated client may do in a tenant.
    #[must_use]
    pub fn of_tenant(tenant: &Tenant) -> Self {
        Self::new(&Grants::of_tenant(tenant), &NoVariables, Some(tenant))
    }

    /// The right to nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::new(&Grants::default(), &NoVariables, None)
    }

    /// Says whether they are the same under every client id.
    #[must_use]
    pub const fn are_of_any_client_id(&self) -> bool {
        !self.names_client_id
    }

    /// How many rules they were compiled from.
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
