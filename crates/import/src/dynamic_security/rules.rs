//! The rules of dynamic-security's roles, and which of them a deny that always wins
//! would change.

use countersign_core::rule::{Action, Effect};
use countersign_core::topic::FilterRef;

use super::order::Order;
use crate::plan::desired::{DesiredRule, Item, Outcome};
use crate::receiving::intersect;
use crate::source::dynamic_security::{Acl, AclKind, Role};
use crate::written_rule::{self, Substitution, WRITE_ANEW};

/// A rule of a role there, and what it is here.
pub(super) struct RoleAcl {
    acl: Acl,
    desired: DesiredRule,
    /// What the rule is about, once its variables stand for any level.
    reach: String,
}

/// The rules of all roles, by the places of the roles in the file; each role's in the
/// order in which they are asked.
pub(super) fn of_roles(roles: &[Role]) -> Vec<Vec<RoleAcl>> {
    let of_role = |role: &Role| {
        let mut acls: Vec<&Acl> = role.acls.iter().collect();
        // A stable sort: of one priority the first one in the file comes first. The
        // literal ones for SUBSCRIBE come before all patterns.
        acls.sort_by_key(|acl| {
            (
                acl.kind != AclKind::SubscribeLiteral,
                core::cmp::Reverse(acl.priority),
            )
        });
        acls.into_iter().map(RoleAcl::of).collect()
    };
    roles.iter().map(of_role).collect()
}

impl RoleAcl {
    fn of(acl: &Acl) -> Self {
        let effect = if acl.is_allowed {
            Effect::Allow
        } else {
            Effect::Deny
        };
        let is_literal = acl.kind == AclKind::SubscribeLiteral;
        let (action, substitution) = match acl.kind {
            AclKind::Publish => (Action::Publish, Substitution::Levels),
            AclKind::SubscribeLiteral => (Action::Subscribe, Substitution::None),
            AclKind::Deliver
            | AclKind::SubscribePattern
            | AclKind::UnsubscribeLiteral
            | AclKind::UnsubscribePattern => (Action::Subscribe, Substitution::Levels),
        };
        let (rule, outcome) = match acl.kind {
            AclKind::UnsubscribeLiteral | AclKind::UnsubscribePattern => {
                (None, of_unsubscribe(acl.is_allowed))
            }
            AclKind::Deliver
            | AclKind::Publish
            | AclKind::SubscribeLiteral
            | AclKind::SubscribePattern => {
                written_rule::rule(effect, action, &acl.topic, substitution)
            }
        };
        let is_whole = !matches!(outcome, Outcome::Lost(_));
        let mut item = Item::new(acl.place.clone(), acl.topic.clone(), outcome);
        let rule = match rule {
            Some(rule) if is_literal && is_whole => match rule.into_literal() {
                Ok(rule) => Some(rule),
                Err(why) => {
                    item.lose(&why.to_string(), WRITE_ANEW);
                    None
                }
            },
            rule => rule,
        };
        let reach = rule
            .as_ref()
            .map(|rule| rule.pattern().widest().as_str().to_owned());
        Self {
            acl: acl.clone(),
            desired: DesiredRule {
                item: Some(item),
                rule,
            },
            reach: reach.unwrap_or_default(),
        }
    }

    /// What it is here.
    pub(super) fn into_desired(self) -> DesiredRule {
        self.desired
    }

    fn is_allow_of(&self, is_meant: impl Fn(AclKind) -> bool) -> bool {
        self.acl.is_allowed && is_meant(self.acl.kind) && self.desired.rule.is_some()
    }

    fn is_deny_of(&self, is_meant: impl Fn(AclKind) -> bool) -> bool {
        !self.acl.is_allowed && is_meant(self.acl.kind) && self.desired.rule.is_some()
    }

    fn lose(&mut self, why: &str, fix: &str) {
        self.desired.rule = None;
        if let Some(item) = &mut self.desired.item {
            item.lose(why, fix);
        }
    }

    /// Whether it could grant a SUBSCRIBE with a wildcard.
    fn grants_wildcard(&self) -> bool {
        self.is_allow_of(is_subscribe) && self.reach.contains(['+', '#'])
    }
}

fn of_unsubscribe(is_allowed: bool) -> Outcome {
    if is_allowed {
        Outcome::Kept
    } else {
        Outcome::Changed("UNSUBSCRIBE is always allowed here".into())
    }
}

const fn is_subscribe(kind: AclKind) -> bool {
    matches!(kind, AclKind::SubscribeLiteral | AclKind::SubscribePattern)
}

const fn is_publish(kind: AclKind) -> bool {
    matches!(kind, AclKind::Publish)
}

const fn is_deliver(kind: AclKind) -> bool {
    matches!(kind, AclKind::Deliver)
}

fn meet(one: &RoleAcl, other: &RoleAcl) -> bool {
    let parse = |text| FilterRef::parse(text).ok();
    match (parse(one.reach.as_str()), parse(other.reach.as_str())) {
        // A literal one is about a filter, and not about what that matches.
        (Some(allow), Some(deny)) if other.acl.kind == AclKind::SubscribeLiteral => {
            allow.covers(deny)
        }
        (Some(allow), Some(deny)) => allow.intersects(deny),
        _ => true,
    }
}

/// Gives up each allow that comes before a deny that it meets.
pub(super) fn lose_what_comes_first(roles: &mut [Vec<RoleAcl>], order: &Order) {
    let mut lost = Vec::new();
    for (role, acls) in roles.iter().enumerate() {
        for (other, denies) in roles.iter().enumerate() {
            if role != other && !order.is_before(role, other) {
                continue;
            }
            for (at, allow) in acls.iter().enumerate() {
                // Within one role only what stands behind it comes later.
                let skipped = if role == other { at } else { 0 };
                let met = denies.iter().skip(skipped).find(|deny| {
                    [is_subscribe as fn(AclKind) -> bool, is_publish, is_deliver]
                        .iter()
                        .any(|kind| allow.is_allow_of(kind) && deny.is_deny_of(kind))
                        && meet(allow, deny)
                });
                if let Some(deny) = met {
                    lost.push((role, at, deny.acl.place.to_string()));
                }
            }
        }
    }
    for (role, at, deny) in lost {
        if let Some(allow) = roles.get_mut(role).and_then(|acls| acls.get_mut(at)) {
            let why =
                format!("it comes before the deny at {deny} there, and a deny always wins here");
            allow.lose(&why, "deny less there, or allow only what is not denied");
        }
    }
}

/// Tells of each deny of SUBSCRIBE that it takes away deliveries here, where there a
/// wider subscription goes past it.
pub(super) fn tell_denies_that_take_more(roles: &mut [Vec<RoleAcl>], allows_all: bool) {
    let all = || roles.iter().flatten();
    let filters = |is_meant: &dyn Fn(&RoleAcl) -> bool| -> Vec<String> {
        all()
            .filter(|acl| is_meant(acl))
            .map(|acl| acl.reach.clone())
            .collect()
    };
    let mut allowed = filters(&|acl| acl.is_allow_of(is_subscribe));
    if allows_all {
        allowed.push("#".into());
    }
    let withheld = filters(&|acl| acl.is_deny_of(is_deliver));
    for acl in roles.iter_mut().flatten() {
        let is_pattern = acl.acl.kind == AclKind::SubscribePattern;
        if !is_pattern || !acl.is_deny_of(is_subscribe) {
            continue;
        }
        let Ok(deny) = FilterRef::parse(&acl.reach) else {
            continue;
        };
        let parsed = |texts: &[String]| -> bool {
            texts
                .iter()
                .filter_map(|text| FilterRef::parse(text).ok())
                .any(|other| other.covers(deny))
        };
        let goes_past = allowed
            .iter()
            .filter_map(|text| FilterRef::parse(text).ok())
            .any(|allow| allow.intersects(deny) && !deny.covers(allow));
        if goes_past
            && !parsed(&withheld)
            && let Some(item) = &mut acl.desired.item
        {
            item.lose(
                "there a wider subscription is delivered past it; here it keeps from being delivered, too",
                "deny it under publishClientReceive as well",
            );
        }
    }
}

/// Where nothing is delivered that no rule allows, leaves of the rules for SUBSCRIBE
/// what is delivered. Otherwise what allows a delivery says nothing of its own.
pub(super) fn join_deliveries(roles: &mut [Vec<RoleAcl>], delivers_by_default: bool) {
    for acls in roles {
        let mut take = |is_meant: fn(AclKind) -> bool| -> Vec<(usize, DesiredRule)> {
            let meant = acls.iter_mut().enumerate();
            meant
                .filter(|(_, acl)| acl.is_allow_of(is_meant))
                .map(|(at, acl)| {
                    let empty = DesiredRule {
                        item: None,
                        rule: None,
                    };
                    (at, core::mem::replace(&mut acl.desired, empty))
                })
                .collect()
        };
        let (at_subscribed, mut subscribed): (Vec<usize>, Vec<DesiredRule>) =
            take(is_subscribe).into_iter().unzip();
        let (at_received, mut received): (Vec<usize>, Vec<DesiredRule>) =
            take(is_deliver).into_iter().unzip();
        if delivers_by_default {
            received.iter_mut().for_each(|desired| desired.rule = None);
        } else {
            intersect(&mut subscribed, &mut received);
        }
        let back = at_subscribed.into_iter().zip(subscribed);
        for (at, desired) in back.chain(at_received.into_iter().zip(received)) {
            if let Some(acl) = acls.get_mut(at) {
                acl.desired = desired;
            }
        }
    }
}

/// Whether a holder of a role without wildcards is granted some by another role.
pub(super) fn is_granted_elsewhere(
    role: usize,
    roles: &[Role],
    acls: &[Vec<RoleAcl>],
    order: &Order,
    allows_all: bool,
) -> bool {
    allows_all
        || order.held_with(role).any(|other| {
            let allows = roles
                .get(other)
                .is_some_and(|role| role.allows_wildcard_subscriptions);
            let own = acls.get(other);
            allows && own.is_some_and(|acls| acls.iter().any(RoleAcl::grants_wildcard))
        })
}
