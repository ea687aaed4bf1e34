//! What a change of a role would do, to whom, before anybody does it.
//!
//! A credential gains or loses something only if the rest of what it has does
//! not make up for the change. So it is asked, with the broker's own
//! [`RuleSet`], what it may do without the change and with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_core::client_id::ClientIdRule;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::rights::{Grants, Values};
use countersign_core::role::{Role, RoleName};
use countersign_core::rule::{
    Action, Effect as RuleEffect, Limits, Rule, RuleSet, RuleSource, Territories, Variables as _,
};
use countersign_core::scheme::Schemes;
use countersign_core::store::{AdminStore, AdminTransaction, CredentialQuery, Intent};
use countersign_core::tenant::Tenant;
use countersign_core::topic::TopicFilter;
use countersign_core::user::Grant;

use super::{RoleError, changed, find};
use crate::credential::{CredentialError, for_each};
use crate::rule::RuleChange;
use crate::tenant;
use crate::user::Holding;

/// What a change of a role would do to one credential or user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Effect {
    /// Its name.
    pub name: LoginName,
    /// Whether it is connected now.
    pub is_connected: bool,
    /// What it may do after the change alone.
    pub gains: Vec<TopicUse>,
    /// What it may do before the change alone.
    pub loses: Vec<TopicUse>,
}

/// A use of all topics of a filter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TopicUse {
    /// Publishing or subscribing.
    pub action: Action,
    /// The topics, with the values of the credential in the place of variables.
    pub filter: TopicFilter,
}

/// Says which credentials, things and users would gain or lose what by a change
/// of a role; those to whom it makes no difference are left out, and so are
/// tokens, which end soon. Nothing is changed.
///
/// # Errors
///
/// Returns [`CredentialError`] when [`change_rules`](super::change_rules) would
/// refuse, or when the store can't be read.
pub fn preview<S: AdminStore>(
    store: &mut S,
    tenant: &TenantId,
    name: &RoleName,
    change: &RuleChange,
    group: Option<&GroupPath>,
) -> Result<Vec<Effect>, CredentialError> {
    let mut transaction = store.begin(Intent::Read)?;
    let before = find(&mut transaction, tenant, name)?;
    let after = changed(&before, change, group).map_err(RoleError::from)?;
    let comparison = Comparison::read(&mut transaction, &before, &after)?;
    let connected: BTreeMap<CredentialId, Arc<str>> = transaction
        .presence(Some(tenant))?
        .into_iter()
        .filter_map(|client| Some((client.presence.credential?, client.presence.client_id)))
        .collect();
    let holders = CredentialQuery {
        tenant: Some(tenant.clone()),
        ..CredentialQuery::default()
    };
    let mut effects = Vec::new();
    let mut note = |holder: Holder<'_>| {
        let client_id = connected.get(&holder.credential().id).map(|id| &**id);
        let (gains, loses) = comparison.of(holder, client_id);
        if !(gains.is_empty() && loses.is_empty()) {
            effects.push(Effect {
                name: holder.credential().name.clone(),
                is_connected: client_id.is_some(),
                gains,
                loses,
            });
        }
    };
    for_each(&mut transaction, holders, |credential| {
        if credential.roles.contains(name) {
            note(Holder::Credential(credential));
        }
        Ok::<_, CredentialError>(())
    })?;
    for thing in transaction.things(Some(tenant), None)? {
        if thing.roles.contains(name) {
            note(Holder::Thing(&thing));
        }
    }
    for Holding { user, grant } in &Holding::all(&mut transaction, tenant, name)? {
        note(Holder::User(user, grant));
    }
    Ok(effects)
}

/// Who holds the role.
#[derive(Clone, Copy)]
enum Holder<'a> {
    /// A device.
    Credential(&'a Credential),
    /// A thing, whose client id is a secret.
    Thing(&'a Credential),
    /// A user, by this grant.
    User(&'a Credential, &'a Grant),
}

impl<'a> Holder<'a> {
    fn credential(self) -> &'a Credential {
        match self {
            Self::Credential(credential) | Self::Thing(credential) | Self::User(credential, _) => {
                credential
            }
        }
    }
}

/// The tenant with a role before its change, and with the role after it.
struct Comparison {
    tenant: Tenant,
    walls: Territories,
    schemes: Schemes,
    before: Vec<Role>,
    after: Vec<Role>,
    /// The rules that one of both has and the other has not.
    differing: Vec<Rule>,
}

impl Comparison {
    fn read<T: AdminTransaction>(
        transaction: &mut T,
        before: &Role,
        after: &Role,
    ) -> Result<Self, CredentialError> {
        let tenants = transaction.tenants()?;
        let owned = tenants
            .iter()
            .map(|tenant| (tenant.id.as_str(), &tenant.namespaces));
        let roles = transaction.roles(Some(&before.tenant))?;
        let with = |role: &Role| {
            let replaced = roles.iter().map(|it| {
                let is_it = it.name == role.name;
                if is_it { role.clone() } else { it.clone() }
            });
            replaced.collect()
        };
        let only_in = |one: &Role, other: &Role| {
            let rules = one.rules.clone().into_iter();
            let only = rules.filter(|rule| !other.rules.contains(rule));
            only.map(|bound| bound.rule).collect::<Vec<_>>()
        };
        Ok(Self {
            tenant: tenant::find(transaction, &before.tenant)?,
            walls: Territories::new(owned),
            schemes: transaction.schemes()?,
            before: with(before),
            after: with(after),
            differing: [only_in(before, after), only_in(after, before)].concat(),
        })
    }

    /// What a holder of the role would gain and lose.
    fn of(&self, holder: Holder<'_>, client_id: Option<&str>) -> (Vec<TopicUse>, Vec<TopicUse>) {
        let values = self.values(holder, client_id);
        let before = self.grants(holder, &self.before);
        let after = self.grants(holder, &self.after);
        let (mut gains, mut loses) = (Vec::new(), Vec::new());
        for action in [Action::Publish, Action::Subscribe] {
            for rule in self.differing.iter().filter(|rule| is_about(rule, action)) {
                let may_before = self.compile(&before, &values, action, rule.limits());
                let may_after = self.compile(&after, &values, action, rule.limits());
                for filter in self.candidates(&values, rule, action, [&before, &after]) {
                    let list = match (
                        self.allows(&may_before, &filter),
                        self.allows(&may_after, &filter),
                    ) {
                        (false, true) => &mut gains,
                        (true, false) => &mut loses,
                        (true, true) | (false, false) => continue,
                    };
                    let says =
                        |said: &TopicUse| said.action == action && said.filter.covers(&filter);
                    if !list.iter().any(says) {
                        list.push(TopicUse { action, filter });
                    }
                }
            }
        }
        (gains, loses)
    }

    /// What stands for the variables of a credential. A client id that is not
    /// known yet stands for itself; one that is a secret stands for nothing.
    fn values<'a>(&'a self, holder: Holder<'a>, client_id: Option<&'a str>) -> Values<'a> {
        let credential = match holder {
            Holder::Credential(credential) => credential,
            Holder::Thing(credential) => {
                let scheme = self.schemes.find(credential.scheme.as_str());
                return Values::of_credential(credential, Some(ANY_CLIENT_ID), scheme);
            }
            Holder::User(credential, grant) => {
                let client_id = client_id.unwrap_or(ANY_CLIENT_ID);
                return Values::of_user(credential, grant, client_id);
            }
        };
        let client_id = match &credential.client_id_rule {
            ClientIdRule::Exact(id) => id.as_str(),
            ClientIdRule::SameAsUsername => credential.name.as_str(),
            ClientIdRule::Any
            | ClientIdRule::FirstUse
            | ClientIdRule::Prefix(_)
            | ClientIdRule::SameAsSecret => client_id.unwrap_or(ANY_CLIENT_ID),
        };
        let scheme = self.schemes.find(credential.scheme.as_str());
        Values::of_credential(credential, Some(client_id), scheme)
    }

    fn grants(&self, holder: Holder<'_>, roles: &[Role]) -> Grants {
        let credential = match holder {
            Holder::Credential(credential) | Holder::Thing(credential) => credential,
            Holder::User(_, grant) => return Grants::of_user(grant, &self.tenant, roles),
        };
        let is_held = |role: &&Role| credential.roles.contains(&role.name);
        let held: Vec<_> = roles.iter().filter(is_held).cloned().collect();
        let scheme = self.schemes.find(credential.scheme.as_str());
        Grants::of_credential(credential, Some(&self.tenant), scheme, &held)
    }

    /// What the grants allow in one direction, as rules that can be asked about
    /// all topics of a filter.
    ///
    /// Allow rules with stricter limits than `limits` don't count: a message
    /// that keeps to `limits` need not keep to theirs.
    fn compile(
        &self,
        grants: &Grants,
        values: &Values<'_>,
        action: Action,
        limits: Limits,
    ) -> RuleSet {
        let rules: Vec<(&RuleSource, Rule)> = grants
            .iter()
            .filter(|(_, rule)| is_about(rule, action) && includes(rule.limits(), limits))
            .map(|(source, rule)| (source, as_subscription(rule)))
            .collect();
        let rules = rules.iter().map(|(source, rule)| (*source, rule));
        RuleSet::compile(rules, values, &self.tenant.namespaces)
    }

    fn allows(&self, rules: &RuleSet, filter: &TopicFilter) -> bool {
        let own = Some(self.tenant.id.as_str());
        !self.walls.reaches_foreign(filter, own)
            && rules.subscribe(filter.borrowed().into()).is_allowed()
    }

    /// The filters that the rule could make a difference for: what the tenant
    /// owns of its own, and for a deny what else is allowed of it.
    fn candidates(
        &self,
        values: &Values<'_>,
        rule: &Rule,
        action: Action,
        grants: [&Grants; 2],
    ) -> Vec<TopicFilter> {
        let Some(filter) = filled(rule, values) else {
            return Vec::new();
        };
        let owned = self.tenant.namespaces.iter();
        let mut candidates: Vec<_> = owned.filter_map(|owned| common(&filter, owned)).collect();
        if rule.effect() == RuleEffect::Deny {
            let allowed = grants
                .into_iter()
                .flat_map(Grants::iter)
                .map(|(_, granted)| granted)
                .filter(|granted| granted.effect() == RuleEffect::Allow)
                .filter(|granted| is_about(granted, action))
                .filter_map(|granted| common(&filter, &filled(granted, values)?));
            for allowed in allowed {
                let owned = self.tenant.namespaces.iter();
                candidates.extend(owned.filter_map(|owned| common(&allowed, owned)));
                candidates.push(allowed);
            }
        }
        candidates
    }
}

fn is_about(rule: &Rule, action: Action) -> bool {
    rule.action() == action || rule.action() == Action::Both
}

/// Says whether every message that keeps to `wanted` keeps to `limits`.
fn includes(limits: Limits, wanted: Limits) -> bool {
    let qos = match (limits.max_qos, wanted.max_qos) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(most), Some(wanted)) => wanted <= most,
    };
    qos && (wanted.no_retain || !limits.no_retain)
}

/// The rule about subscribing alone. Only such ones can be asked about all
/// topics of a filter.
fn as_subscription(rule: &Rule) -> Rule {
    let pattern = rule.pattern().clone();
    match rule.effect() {
        RuleEffect::Allow => Rule::allow(Action::Subscribe, pattern),
        RuleEffect::Deny => Rule::deny(Action::Subscribe, pattern),
    }
}

/// The pattern of a rule with values in the place of its variables. Where one
/// has no value that can be used, an allow matches nothing, and a deny any
/// level.
fn filled(rule: &Rule, values: &Values<'_>) -> Option<TopicFilter> {
    let mut levels = Vec::new();
    for level in rule.pattern().as_str().split('/') {
        match (filled_level(level, rule, values), rule.effect()) {
            (Some(text), _) => levels.push(text),
            (None, RuleEffect::Allow) => return None,
            (None, RuleEffect::Deny) => levels.push("+".into()),
        }
    }
    TopicFilter::parse(&levels.join("/")).ok()
}

fn filled_level(level: &str, rule: &Rule, values: &Values<'_>) -> Option<String> {
    let mut text = level.to_owned();
    for variable in rule.pattern().variables() {
        let name = variable.to_string();
        if text.contains(&name) {
            let value = values.value(variable)?;
            if value.is_empty() || value.contains(['/', '+', '#', '\0']) {
                return None;
            }
            text = text.replace(&name, value);
        }
    }
    Some(text)
}

/// The filter of all topics that both match; none if there is no such topic.
fn common(one: &TopicFilter, other: &TopicFilter) -> Option<TopicFilter> {
    if !one.intersects(other) {
        return None;
    }
    let (mut one, mut other) = (one.as_str().split('/'), other.as_str().split('/'));
    let mut levels = Vec::new();
    loop {
        match (one.next(), other.next()) {
            (Some("#"), Some(level)) => {
                levels.push(level);
                levels.extend(other);
                break;
            }
            (Some(level), Some("#")) => {
                levels.push(level);
                levels.extend(one);
                break;
            }
            (Some("+"), Some(level)) | (Some(level), Some(_)) => levels.push(level),
            // One has ended, so the other has too, or goes on with `#`.
            (None, _) | (_, None) => break,
        }
    }
    TopicFilter::parse(&levels.join("/")).ok()
}

/// What a client id is called that is not known.
const ANY_CLIENT_ID: &str = "${client_id}";

#[cfg(test)]
mod tests {
    use countersign_core::kind::Application;
    use countersign_core::presence::{Observation, Presence, SessionNumber};
    use countersign_core::store::{Batch, GateStore as _};
    use countersign_core::user::GrantedRight;

    use super::*;
    use crate::application::{self, NewApplication};
    use crate::credential::{self, NewCredential};
    use crate::fixture::{
        Fixture, JANE, adding, application_name, new_credential, removing, role_name, scheme_name,
        tenant_id,
    };

    /// A tenant with a role that devices of a scheme without own topics hold.
    fn fixture() -> Fixture {
        let mut fixture = Fixture::new();
        fixture.tenant("acme", &["acme/#", "plant/+/x"]).unwrap();
        fixture.tenant("other", &[]).unwrap();
        fixture.scheme(&[
            ("name", "bare"),
            ("login_name", "given"),
            ("client_id", "any"),
            ("secret_shape", "[0-9a-f]{32}"),
        ]);
        fixture.role("ops").unwrap();
        hold(&mut fixture, "dev1", Some("DM.X"));
        fixture
    }

    fn hold(fixture: &mut Fixture, name: &str, group: Option<&str>) {
        let new = NewCredential {
            scheme: scheme_name("bare"),
            roles: vec![role_name("ops")],
            group: group.and_then(|text| GroupPath::parse(text).ok()),
            ..new_credential(name)
        };
        fixture
            .act(|store, context| credential::create(store, context, new))
            .unwrap();
    }

    fn effects(fixture: &mut Fixture, change: &RuleChange, group: Option<&str>) -> String {
        let group = group.map(|text| GroupPath::parse(text).unwrap());
        let (tenant, name) = (tenant_id("acme"), role_name("ops"));
        let effects = preview(&mut fixture.store, &tenant, &name, change, group.as_ref()).unwrap();
        let uses = |sign: char, uses: &[TopicUse]| -> String {
            let uses = uses.iter();
            uses.map(|usage| format!(" {sign}{} {}", usage.action, usage.filter))
                .collect()
        };
        let lines = effects.iter().map(|effect| {
            let live = if effect.is_connected { "*" } else { "" };
            let (gains, loses) = (uses('+', &effect.gains), uses('-', &effect.loses));
            format!("{}{live}{gains}{loses}", effect.name)
        });
        lines.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn nobody_gains_from_a_role_that_nobody_holds() {
        let mut fixture = fixture();
        fixture.delete("dev1");
        assert_eq!(
            effects(&mut fixture, &adding("allow both acme/#"), None),
            ""
        );
    }

    #[test]
    fn what_is_given_is_gained_as_far_as_the_tenant_owns_it() {
        let mut fixture = fixture();
        for (rule, expected) in [
            ("allow publish acme/a", "dev1 +publish acme/a"),
            (
                "allow both acme/${username}",
                "dev1 +publish acme/dev1 +subscribe acme/dev1",
            ),
            (
                "allow subscribe #",
                "dev1 +subscribe acme/# +subscribe plant/+/x",
            ),
            ("allow subscribe plant/#", "dev1 +subscribe plant/+/x"),
            ("allow publish other/#", ""),
            ("allow publish nobody/#", ""),
            ("allow publish acme/${attr.none}", ""),
            (
                "allow publish acme/${client_id}",
                "dev1 +publish acme/${client_id}",
            ),
            ("deny both acme/#", ""),
        ] {
            assert_eq!(
                effects(&mut fixture, &adding(rule), None),
                expected,
                "{rule}"
            );
        }
    }

    #[test]
    fn things_and_users_hold_roles_too() {
        let mut fixture = fixture();
        fixture.delete("dev1");
        let new = NewApplication {
            name: application_name("fleet"),
            tenant: tenant_id("acme"),
            roles: vec![role_name("ops")],
            about: Application::default(),
        };
        fixture
            .act(|store, context| application::create(store, context, new))
            .unwrap();
        fixture.thing("pump", "fleet").unwrap();
        fixture.user(JANE);
        let ops = GrantedRight::Role(role_name("ops"));
        fixture.grant(JANE, "acme", ops).unwrap();
        let rule = adding("allow publish acme/${username}");
        assert_eq!(
            effects(&mut fixture, &rule, None),
            "pump +publish acme/pump; jane@mail.test +publish acme/jane@mail.test"
        );
        let of_group = effects(&mut fixture, &rule, Some("DM"));
        assert_eq!(of_group, "");
    }

    #[test]
    fn what_the_rest_makes_up_for_is_no_difference() {
        let mut fixture = fixture();
        fixture
            .change_role("ops", &adding("allow both acme/#"))
            .unwrap();
        fixture
            .change_role("ops", &adding("allow publish acme/a max_qos 1"))
            .unwrap();
        fixture
            .change_role("ops", &adding("deny subscribe acme/secret/#"))
            .unwrap();
        for (change, expected) in [
            (adding("allow both acme/a"), ""),
            (removing("publish acme/a"), ""),
            (
                removing("both acme/#"),
                "dev1 -publish acme/# -subscribe acme/#",
            ),
            (adding("deny publish acme/a/+"), "dev1 -publish acme/a/+"),
            (
                adding("deny both #"),
                "dev1 -publish acme/# -subscribe acme/#",
            ),
            (
                removing("subscribe acme/secret/#"),
                "dev1 +subscribe acme/secret/#",
            ),
            (adding("allow subscribe acme/secret/a"), ""),
        ] {
            let said = effects(&mut fixture, &change, None);
            assert_eq!(said, expected, "{change:?}");
        }
    }

    #[test]
    fn a_limit_is_lifted_only_by_a_rule_without_it() {
        let mut fixture = fixture();
        fixture
            .change_role("ops", &adding("allow publish acme/a max_qos 0"))
            .unwrap();
        for (rule, expected) in [
            ("allow publish acme/a max_qos 1", "dev1 +publish acme/a"),
            ("allow publish acme/a", "dev1 +publish acme/a"),
            // It would take the place of the one that is there.
            (
                "allow publish acme/a max_qos 0 no_retain",
                "dev1 -publish acme/a",
            ),
        ] {
            assert_eq!(
                effects(&mut fixture, &adding(rule), None),
                expected,
                "{rule}"
            );
        }
    }

    #[test]
    fn a_rule_of_a_group_changes_nothing_for_others() {
        let mut fixture = fixture();
        hold(&mut fixture, "dev2", Some("DMX"));
        hold(&mut fixture, "dev3", None);
        let rule = adding("allow publish acme/${group}");
        assert_eq!(
            effects(&mut fixture, &rule, Some("DM")),
            "dev1 +publish acme/DM.X"
        );
        assert_eq!(
            effects(&mut fixture, &rule, None),
            "dev1 +publish acme/DM.X; dev2 +publish acme/DMX"
        );
    }

    #[test]
    fn who_is_connected_is_told_and_by_which_client_id() {
        let mut fixture = fixture();
        hold(&mut fixture, "dev2", None);
        let credential = fixture.show("dev2");
        let connected = Observation::Connected(Presence {
            session: SessionNumber(1),
            client_id: "c2".into(),
            username: Some("dev2".into()),
            credential: Some(credential.id),
            tenant: Some(tenant_id("acme")),
            address: None,
            protocol: 4,
            connected_at: fixture.now,
            authenticated: true,
            listener: None,
            stored: false,
        });
        let batch = Batch {
            observations: vec![connected],
            ..Batch::default()
        };
        fixture.store.write_batch("b", &batch).unwrap();
        let rule = adding("allow publish acme/${client_id}");
        assert_eq!(
            effects(&mut fixture, &rule, None),
            "dev1 +publish acme/${client_id}; dev2* +publish acme/c2"
        );
    }

    #[test]
    fn a_preview_changes_nothing_and_refuses_what_the_act_would() {
        let mut fixture = fixture();
        let acts = fixture.acts();
        effects(&mut fixture, &adding("allow both acme/#"), None);
        assert_eq!(fixture.acts(), acts);
        let (tenant, name) = (tenant_id("acme"), role_name("ops"));
        for change in [adding("allow both $SYS/#"), removing("both acme/#")] {
            assert!(preview(&mut fixture.store, &tenant, &name, &change, None).is_err());
        }
    }

    #[test]
    fn what_a_deny_takes_is_told_where_it_meets_what_is_allowed() {
        let mut fixture = fixture();
        fixture
            .change_role("ops", &adding("allow publish acme/${username}/#"))
            .unwrap();
        for (rule, expected) in [
            ("deny publish acme/+/cmd/#", "dev1 -publish acme/dev1/cmd/#"),
            ("deny publish +/+/x", "dev1 -publish acme/dev1/x"),
            (
                "deny publish acme/${attr.none}/x",
                "dev1 -publish acme/dev1/x",
            ),
            ("deny publish acme/dev2/#", ""),
            ("deny subscribe acme/#", ""),
        ] {
            assert_eq!(
                effects(&mut fixture, &adding(rule), None),
                expected,
                "{rule}"
            );
        }
    }

    #[test]
    fn what_two_filters_have_in_common_is_a_filter() {
        let filter = |text| TopicFilter::parse(text).unwrap();
        for (one, other, expected) in [
            ("a", "a", Some("a")),
            ("a", "b", None),
            ("#", "a/+/b", Some("a/+/b")),
            ("a/#", "a", Some("a")),
            ("a/#", "+", Some("a")),
            ("a/+/c", "+/b/#", Some("a/b/c")),
            ("+/#", "a/#", Some("a/#")),
            ("a/#", "a/b/#", Some("a/b/#")),
            ("+/b", "a/+", Some("a/b")),
            ("#", "$SYS/#", None),
        ] {
            for (one, other) in [(one, other), (other, one)] {
                let common = common(&filter(one), &filter(other));
                let common = common.as_ref().map(TopicFilter::as_str);
                assert_eq!(common, expected, "{one} {other}");
            }
        }
    }
}
