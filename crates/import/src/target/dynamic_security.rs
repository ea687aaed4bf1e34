//! The file of dynamic-security.
//!
//! Its first match decides, by the priority of roles and then of rules. Here a
//! deny always wins: so each role is written as two, and the one that denies has
//! a higher priority wherever it is held. What follows from a user, by variables
//! or by groups, is in a role of that user.

use std::collections::{BTreeMap, BTreeSet};

use countersign_admin::tenant::TenantRights;
use countersign_core::access::BoundRule;
use countersign_core::rule::{Effect, Limits, RuleSource};
use countersign_core::tenant::SubscribeMode;
use countersign_core::time::Timestamp;
use countersign_core::topic::TopicFilter;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::DynamicSecurityFile;
use super::acl_file::{Access, taken};
use super::outcome::{Object, Outcomes};
use super::user::{Target, TargetHash, TargetUser, user};

pub(super) fn write(
    rights: &TenantRights,
    now: Timestamp,
) -> Result<DynamicSecurityFile, serde_json::Error> {
    let mut outcomes = Outcomes::of_tenant(rights);
    note_tenant(rights, &mut outcomes);
    let mut roles = Roles::default();
    let mut clients = Vec::new();
    let mut groups: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for device in &rights.devices {
        let Some(user) = user(device, Target::DynamicSecurity, now, &mut outcomes) else {
            continue;
        };
        let held = roles.add_rules(user.rules, user.name, rights, &mut outcomes);
        for group in &device.credential.groups {
            let members = groups.entry(group.as_str()).or_default();
            members.push(json!({ "username": user.name }));
        }
        clients.push(client(&user, &held));
    }
    let mut groups: Vec<Value> = groups
        .into_iter()
        .map(|(name, clients)| json!({ "groupname": name, "roles": [], "clients": clients }))
        .collect();
    let mut file = json!({
        "defaultACLAccess": {
            "publishClientSend": false,
            "publishClientReceive": false,
            "subscribe": rights.tenant.subscribe == SubscribeMode::Filtered,
            "unsubscribe": true,
        },
        "clients": clients,
    });
    if rights.tenant.authentication.admits_anonymous() {
        let held = roles.add_rules(&rights.anonymous, "", rights, &mut outcomes);
        groups.push(json!({ "groupname": ANONYMOUS, "roles": memberships(&held), "clients": [] }));
        insert(&mut file, "anonymousGroup", json!(ANONYMOUS));
    }
    insert(&mut file, "groups", Value::Array(groups));
    outcomes.lose_unheld_rules(rights);
    let mut report = outcomes.into_report("countersign", rights);
    report.created.credentials = count(clients_of(&file));
    report.created.roles = count(roles.0.len());
    report.created.rules = count(roles.0.values().map(BTreeSet::len).sum());
    insert(&mut file, "roles", roles.into_json());
    let json = Zeroizing::new(serde_json::to_string_pretty(&file)?);
    Ok(DynamicSecurityFile { json, report })
}

fn insert(file: &mut Value, key: &str, value: Value) {
    if let Some(members) = file.as_object_mut() {
        members.insert(key.into(), value);
    }
}

fn clients_of(file: &Value) -> usize {
    file.get("clients")
        .and_then(Value::as_array)
        .map_or(0, Vec::len)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn note_tenant(rights: &TenantRights, outcomes: &mut Outcomes) {
    let mode = rights.tenant.subscribe.as_str();
    outcomes.lose(
        Object::new("/subscribe", mode),
        "dynamic-security judges `$share/GROUP/FILTER` as a filter of its own",
        "add rules for `$share/+/FILTER` by hand",
    );
    for role in &rights.roles {
        outcomes.keep(Object::new(
            format!("/roles/{}", role.name),
            role.name.as_str(),
        ));
    }
}

fn client(user: &TargetUser<'_>, held: &[RoleKey]) -> Value {
    let mut client = json!({
        "username": user.name,
        "textdescription": user.description.unwrap_or_default(),
        "roles": memberships(held),
    });
    if user.is_disabled {
        insert(&mut client, "disabled", Value::Bool(true));
    }
    if let Some(id) = &user.client_id {
        insert(&mut client, "clientid", json!(id));
    }
    match user.hash {
        // Both versions read these.
        Some(TargetHash::Pbkdf2 {
            rounds, salt, key, ..
        }) => {
            let rounds: u64 = rounds.parse().unwrap_or(0);
            insert(&mut client, "password", json!(key));
            insert(&mut client, "salt", json!(salt));
            insert(&mut client, "iterations", json!(rounds));
        }
        Some(TargetHash::Text(text)) => insert(&mut client, "encoded_password", json!(text)),
        None => {}
    }
    client
}

/// A role of the file: one of the tenant's, or what one user has besides, and
/// whether it allows or denies.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct RoleKey {
    effect: Effect,
    name: String,
}

/// The roles of the file, and their rules.
#[derive(Default)]
struct Roles(BTreeMap<RoleKey, BTreeSet<Acl>>);

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Acl {
    kind: &'static str,
    topic: String,
}

impl RoleKey {
    fn rolename(&self) -> String {
        match self.effect {
            Effect::Allow => self.name.clone(),
            Effect::Deny => format!("deny:{}", self.name),
        }
    }
}

impl Roles {
    /// Adds the rules of one holder; returns the roles that it holds.
    fn add_rules(
        &mut self,
        rules: &[BoundRule],
        holder: &str,
        rights: &TenantRights,
        outcomes: &mut Outcomes,
    ) -> Vec<RoleKey> {
        let mut held = BTreeSet::new();
        let own = if holder.is_empty() {
            ANONYMOUS.to_owned()
        } else {
            format!("client:{holder}")
        };
        let mut allowed: Vec<TopicFilter> = Vec::new();
        for rule in rules {
            let object = Object::of_rule(rule, holder);
            let acls = match acls(rule, rights.tenant.subscribe) {
                Ok(acls) => acls,
                Err((why, fix)) => {
                    outcomes.lose(object, why, fix);
                    continue;
                }
            };
            match rule.rule.effect() {
                Effect::Allow if !rule.source.reaches_unowned_topics() => {
                    allowed.extend(rule.filters.iter().cloned());
                }
                Effect::Allow | Effect::Deny => {}
            }
            if rule.follows_client_id() && rule.filters.iter().any(|it| !fits_client(rule, it)) {
                outcomes.lose(
                    object,
                    "dynamic-security of 2.0 has no client ids in rules, so it denies any",
                    "write `%c` by hand, where all brokers are 2.1",
                );
            } else if rule.filters.iter().any(holds_variable) {
                outcomes.lose(
                    object,
                    &format!("{VARIABLES}, so it denies any level in their place"),
                    "rename the topic",
                );
            } else {
                outcomes.keep(object);
            }
            let name = match &rule.source {
                RuleSource::Role(role) | RuleSource::RoleOfGroup { role, .. }
                    if rule.is_fixed() =>
                {
                    role.to_string()
                }
                RuleSource::Credential
                | RuleSource::Group(_)
                | RuleSource::Operator
                | RuleSource::Role(_)
                | RuleSource::RoleOfGroup { .. }
                | RuleSource::Scheme(_)
                | RuleSource::Tenant(_) => own.clone(),
            };
            let key = RoleKey {
                effect: rule.rule.effect(),
                name,
            };
            self.0.entry(key.clone()).or_default().extend(acls);
            held.insert(key);
        }
        let others = rights.others.iter();
        for filter in others.filter(|it| allowed.iter().any(|allow| allow.intersects(*it))) {
            let key = RoleKey {
                effect: Effect::Deny,
                name: own.clone(),
            };
            let denied = [SEND, RECEIVE, SUBSCRIBE].map(|kind| acl(kind, filter.as_str()));
            self.0.entry(key.clone()).or_default().extend(denied);
            held.insert(key);
        }
        held.into_iter().collect()
    }

    fn into_json(self) -> Value {
        let roles = self.0.into_iter().map(|(key, acls)| {
            let allow = key.effect == Effect::Allow;
            let acls: Vec<Value> = acls
                .into_iter()
                .map(|acl| {
                    json!({ "acltype": acl.kind, "topic": acl.topic, "priority": 0, "allow": allow })
                })
                .collect();
            json!({ "rolename": key.rolename(), "acls": acls })
        });
        Value::Array(roles.collect())
    }
}

fn memberships(held: &[RoleKey]) -> Value {
    let held = held.iter().map(|key| {
        let priority = match key.effect {
            Effect::Allow => 0,
            Effect::Deny => 1,
        };
        json!({ "rolename": key.rolename(), "priority": priority })
    });
    Value::Array(held.collect())
}

/// Whether a rule with a client id was filled in with one.
fn fits_client(rule: &BoundRule, filter: &TopicFilter) -> bool {
    *filter != rule.rule.pattern().widest()
}

/// The rules of the file that say what a rule says; or why none do.
fn acls(
    rule: &BoundRule,
    subscribe: SubscribeMode,
) -> Result<Vec<Acl>, (&'static str, &'static str)> {
    let allows = rule.rule.effect() == Effect::Allow;
    if rule.rule.limits() != Limits::NONE {
        return Err((
            "dynamic-security knows neither QoS nor RETAIN",
            "take the limits away, if the rule may go without",
        ));
    }
    if allows && rule.follows_client_id() && rule.filters.is_empty() {
        return Err((
            "dynamic-security of 2.0 has no client ids in rules",
            "write `%c` by hand, where all brokers are 2.1",
        ));
    }
    let mut acls = Vec::new();
    for filter in rule.filters.iter().flat_map(|it| taken(rule, it)) {
        let written = filter.as_str();
        if allows && holds_variable(&filter) {
            return Err((VARIABLES, "rename the topic"));
        }
        // A deny takes away more rather than nothing.
        let text = &*without_variables(written);
        let has_wildcards = text.contains(['+', '#']);
        let Access { read, write } = Access::of(rule.rule.action());
        if write {
            acls.push(acl(SEND, text));
        }
        if !read {
            continue;
        }
        if allows && has_wildcards && !rule.rule.grants_wildcards() {
            return Err((
                "dynamic-security of 2.0 has no roles without wildcards",
                "allow the topics one by one",
            ));
        }
        if rule.rule.is_literal() {
            // Of such a one no level is a variable.
            acls.push(acl(SUBSCRIBE_LITERAL, written));
        } else if !allows || subscribe == SubscribeMode::Strict {
            acls.push(acl(SUBSCRIBE, text));
        }
        if allows || !rule.rule.is_literal() {
            acls.push(acl(RECEIVE, text));
        }
    }
    Ok(acls)
}

/// Whether dynamic-security of 2.1 fills in a level of a filter.
fn holds_variable(filter: &TopicFilter) -> bool {
    filter.as_str().split('/').any(is_variable)
}

fn is_variable(level: &str) -> bool {
    matches!(level, "%c" | "%u")
}

/// A filter that covers this one and holds no variable.
fn without_variables(filter: &str) -> String {
    let levels = filter.split('/');
    let levels: Vec<&str> = levels
        .map(|level| if is_variable(level) { "+" } else { level })
        .collect();
    levels.join("/")
}

fn acl(kind: &'static str, topic: &str) -> Acl {
    Acl {
        kind,
        topic: topic.into(),
    }
}

const VARIABLES: &str = "dynamic-security of 2.1 reads `%c` and `%u` as variables";
const SEND: &str = "publishClientSend";
const RECEIVE: &str = "publishClientReceive";
const SUBSCRIBE: &str = "subscribePattern";
const SUBSCRIBE_LITERAL: &str = "subscribeLiteral";

/// The group and the role of clients without a login.
const ANONYMOUS: &str = "(anonymous)";

#[cfg(test)]
mod tests {
    use countersign_core::rule::{Action, Pattern, Rule};

    use super::*;

    fn written(rule: Rule) -> Option<Vec<String>> {
        let filter = TopicFilter::parse(rule.pattern().as_str()).unwrap();
        let bound = BoundRule {
            source: RuleSource::Credential,
            rule,
            filters: vec![filter],
            takes_reserved: false,
        };
        let acls = acls(&bound, SubscribeMode::Strict).ok()?;
        let lines = acls.iter().map(|it| format!("{} {}", it.kind, it.topic));
        Some(lines.collect())
    }

    #[test]
    fn what_would_be_a_variable_is_not_allowed_and_is_denied_for_any_level() {
        let pattern = || Pattern::parse("home/%u/x").unwrap();
        assert_eq!(written(Rule::allow(Action::Both, pattern())), None);
        let denied = [SEND, SUBSCRIBE, RECEIVE].map(|kind| format!("{kind} home/+/x"));
        assert_eq!(
            written(Rule::deny(Action::Both, pattern())).as_deref(),
            Some(denied.as_slice())
        );
        let literal = Rule::deny(Action::Subscribe, pattern()).into_literal();
        assert_eq!(
            written(literal.unwrap()),
            Some(vec![format!("{SUBSCRIBE_LITERAL} home/%u/x")])
        );
    }
}
