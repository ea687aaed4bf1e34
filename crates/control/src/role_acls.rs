//! The rules of a role, as dynamic-security shows them: those that commands gave, in their
//! order, and those that were given here.

use countersign_core::role::Role;
use countersign_core::rule::{Action, Effect, Rule};

use crate::acl::{AclKind, place};
use crate::json::Json;
use crate::note::{AclNote, RoleNote};

/// A rule of a role.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Acl {
    pub(crate) kind: AclKind,
    /// As it is shown.
    pub(crate) topic: String,
    pub(crate) priority: i64,
    pub(crate) is_allowed: bool,
    /// What it is here; none of what needs no rule.
    pub(crate) rule: Option<Rule>,
    /// What it reaches, with any level in the place of a variable.
    pub(crate) reach: String,
    /// The place among the role's rules of the one that says it, where no command did.
    origin: Option<usize>,
}

impl Acl {
    /// What a command gives; or why it can't be said here.
    pub(crate) fn given(
        kind: AclKind,
        topic: &str,
        priority: i64,
        is_allowed: bool,
    ) -> Result<Self, String> {
        use crate::written_rule::Outcome;
        let (rule, outcome) = kind.rule(topic, is_allowed);
        match outcome {
            Outcome::Lost(lost) => return Err(format!("`{topic}`: {}; {}", lost.why, lost.fix)),
            Outcome::Changed(how) => {
                let kind = kind.as_str();
                return Err(format!("`{kind}` `{topic}`: {how}"));
            }
            Outcome::Kept => {}
        }
        let reach = rule.as_ref().map(|rule| rule.pattern().widest());
        Ok(Self {
            kind,
            topic: topic.into(),
            priority,
            is_allowed,
            // All is delivered that is subscribed to and not denied.
            rule: rule.filter(|_| kind != AclKind::Deliver || !is_allowed),
            reach: reach.map_or_else(|| topic.into(), |reach| reach.as_str().into()),
            origin: None,
        })
    }

    fn of_rule(kind: AclKind, rule: &Rule, origin: usize) -> Self {
        let action = if kind == AclKind::Publish {
            Action::Publish
        } else {
            Action::Subscribe
        };
        let part = if rule.action() == action {
            Some(rule.clone())
        } else {
            let pattern = rule.pattern().clone();
            let part = match rule.effect() {
                Effect::Allow => Rule::allow(action, pattern),
                Effect::Deny => Rule::deny(action, pattern),
            };
            if rule.is_literal() {
                part.into_literal().ok()
            } else {
                Some(part)
            }
        };
        Self {
            kind,
            topic: shown(rule.pattern().as_str()),
            priority: 0,
            is_allowed: rule.effect() == Effect::Allow,
            rule: part,
            reach: rule.pattern().widest().as_str().into(),
            origin: Some(origin),
        }
    }

    /// As commands are answered.
    pub(crate) fn to_json(&self) -> Json {
        Json::Object(vec![
            ("acltype".into(), Json::text(self.kind.as_str())),
            ("topic".into(), Json::text(&self.topic)),
            ("priority".into(), Json::number(self.priority)),
            ("allow".into(), Json::Bool(self.is_allowed)),
        ])
    }
}

/// A pattern, with dynamic-security's names of variables.
fn shown(pattern: &str) -> String {
    let levels = pattern.split('/').map(|level| match level {
        "${username}" => "%u",
        "${client_id}" => "%c",
        level => level,
    });
    levels.collect::<Vec<_>>().join("/")
}

/// The rules of a role, those that were given here first: of them a deny comes first.
pub(crate) fn acls_of(role: &Role, note: &RoleNote) -> Vec<Acl> {
    let unbound = || {
        let rules = role.rules.iter().enumerate();
        rules.filter(|(_, rule)| rule.group.is_none())
    };
    let noted: Vec<Acl> = note
        .acls
        .iter()
        .filter_map(|it| {
            let kind = AclKind::of(&it.acltype)?;
            Acl::given(kind, &it.topic, it.priority, it.allow).ok()
        })
        // A rule that was taken away here is gone.
        .filter(|acl| {
            let is_there = |rule: &Rule| unbound().any(|(_, it)| it.rule == *rule);
            acl.rule.as_ref().is_none_or(is_there)
        })
        .collect();
    let mut acls = Vec::new();
    for wanted in [Effect::Deny, Effect::Allow] {
        for (origin, rule) in unbound().filter(|(_, it)| it.rule.effect() == wanted) {
            let rule = &rule.rule;
            if noted.iter().any(|acl| acl.rule.as_ref() == Some(rule)) {
                continue;
            }
            let kinds = kinds_of(rule).iter();
            acls.extend(kinds.map(|kind| Acl::of_rule(*kind, rule, origin)));
        }
    }
    acls.extend(noted);
    acls
}

fn kinds_of(rule: &Rule) -> &'static [AclKind] {
    use AclKind::{Deliver, Publish, SubscribeLiteral, SubscribePattern};
    let is_deny = rule.effect() == Effect::Deny;
    match (rule.action(), rule.is_literal(), is_deny) {
        (Action::Publish, _, _) => &[Publish],
        (Action::Subscribe, true, _) => &[SubscribeLiteral],
        (Action::Subscribe, false, false) => &[SubscribePattern],
        (Action::Subscribe, false, true) => &[Deliver, SubscribePattern],
        (Action::Both, true, _) => &[Publish, SubscribeLiteral],
        (Action::Both, false, false) => &[Publish, SubscribePattern],
        (Action::Both, false, true) => &[Publish, Deliver, SubscribePattern],
    }
}

/// The rules that a role has, if these are what it is shown with; `before` is what it was
/// shown with.
pub(crate) fn rules_of(role: &Role, before: &[Acl], after: &[Acl]) -> Vec<Rule> {
    let count = |acls: &[Acl], origin: usize| {
        let of = acls.iter().filter(|acl| acl.origin == Some(origin));
        of.count()
    };
    let is_whole = |origin: usize| count(before, origin) == count(after, origin);
    let mut rules: Vec<Rule> = Vec::new();
    for (origin, rule) in role.rules.iter().enumerate() {
        if count(after, origin) > 0 && is_whole(origin) {
            rules.push(rule.rule.clone());
        }
    }
    for acl in after {
        let is_said = acl.origin.is_some_and(is_whole);
        if let Some(rule) = &acl.rule
            && !is_said
            && !rules.contains(rule)
        {
            rules.push(rule.clone());
        }
    }
    rules
}

/// What is remembered of those that commands gave.
pub(crate) fn noted(acls: &[Acl]) -> Vec<AclNote> {
    let given = acls.iter().filter(|acl| acl.origin.is_none());
    let note = |acl: &Acl| AclNote {
        acltype: acl.kind.as_str().into(),
        topic: acl.topic.clone(),
        priority: acl.priority,
        allow: acl.is_allowed,
    };
    given.map(note).collect()
}

/// The order in which they are listed: by their kinds, then as they are asked.
pub(crate) fn listed(acls: &[Acl]) -> Json {
    let mut acls: Vec<&Acl> = acls.iter().collect();
    acls.sort_by_key(|acl| (acl.kind, place(acl.kind, acl.priority)));
    Json::Array(acls.into_iter().map(Acl::to_json).collect())
}
