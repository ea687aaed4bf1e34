//! What 2.0 and 2.1 read differently. A deny keeps here from what either reading does.

use countersign_control::acl::AclKind;
use countersign_control::written_rule::{Substitution, rule};
use countersign_core::rule::{Action, Effect, Pattern, Rule};

use super::deliveries::ByDefault;
use super::order::Order;
use super::rules::{RoleAcl, is_deliver};
use crate::written_rule::tell_reserved;

/// Tells of each `%u` and `%c` that 2.1 fills in and 2.0 takes as text. A deny takes both.
pub(super) fn tell_variables(roles: &mut [Vec<RoleAcl>]) {
    for acl in roles.iter_mut().flatten() {
        let is_named = ["%u", "%c"].iter().any(|it| acl.acl.topic.contains(it));
        let is_filled = acl.acl.kind == AclKind::Publish || is_wide(acl.acl.kind);
        if !is_named || !is_filled || acl.desired.rule.is_none() {
            continue;
        }
        if acl.acl.is_allowed {
            acl.change(FILLED);
            continue;
        }
        let action = if is_wide(acl.acl.kind) {
            Action::Subscribe
        } else {
            Action::Publish
        };
        let (text, _) = rule(Effect::Deny, action, &acl.acl.topic, Substitution::None);
        acl.beside.extend(text);
        acl.change(BOTH_DENIED);
    }
}

/// Has denies that begin with a wildcard keep from `$SYS` as well, as 2.0 does, where
/// something else allows of it what they keep from there.
pub(super) fn keep_from_reserved(roles: &mut [Vec<RoleAcl>], order: &Order, by_default: ByDefault) {
    let mut found = Vec::new();
    for (role, acls) in roles.iter().enumerate() {
        for (at, deny) in acls.iter().enumerate() {
            let Some(pattern) = reserved_of(deny).filter(|_| deny.is_deny_of(is_wide)) else {
                continue;
            };
            let widest = pattern.widest();
            let is_received = is_deliver(deny.acl.kind);
            let mut held = core::iter::once(role).chain(order.held_with(role));
            let is_allowed = held.any(|other| {
                let comes_later = |place: usize| {
                    if other == role {
                        place > at
                    } else {
                        order.is_before(role, other)
                    }
                };
                let theirs = roles.get(other).into_iter().flatten().enumerate();
                theirs.into_iter().any(|(place, allow)| {
                    allow.is_allow_of(AclKind::is_subscribe)
                        && (is_received || comes_later(place))
                        && allow
                            .desired
                            .rule
                            .as_ref()
                            .is_some_and(|rule| rule.pattern().widest().intersects(&widest))
                })
            });
            if is_allowed || by_default.subscribes && by_default.delivers {
                found.push((role, at, pattern));
            }
        }
    }
    for (role, at, pattern) in found {
        if let Some(deny) = roles.get_mut(role).and_then(|acls| acls.get_mut(at)) {
            deny.change(&format!(
                "it keeps from `{pattern}` as well, as it does at 2.0"
            ));
            deny.reserved = Some(pattern.widest().as_str().to_owned());
            deny.beside.push(Rule::deny(Action::Subscribe, pattern));
        }
    }
}

/// Tells of each allow that begins with a wildcard that it gives nothing of `$SYS`.
pub(super) fn tell_allows_of_reserved(roles: &mut [Vec<RoleAcl>]) {
    let allows = roles.iter_mut().flatten();
    for acl in allows.filter(|acl| acl.is_allow_of(is_wide)) {
        if let Some(item) = &mut acl.desired.item {
            tell_reserved(item, acl.desired.rule.as_ref());
        }
    }
}

/// Whether 2.0 sees topics of `$SYS` under a filter of this kind that begins with a
/// wildcard.
const fn is_wide(kind: AclKind) -> bool {
    matches!(kind, AclKind::Deliver | AclKind::SubscribePattern)
}

/// The part of what a rule is about that lies in `$SYS`, where it begins with a wildcard.
fn reserved_of(acl: &RoleAcl) -> Option<Pattern> {
    let text = acl.desired.rule.as_ref()?.pattern().as_str();
    let reserved = match text.strip_prefix('+') {
        Some(rest) => format!("$SYS{rest}"),
        None if text == "#" => "$SYS/#".to_owned(),
        None => return None,
    };
    Pattern::parse(&reserved).ok()
}

const BOTH_DENIED: &str = "2.1 fills in `%u` and `%c`, 2.0 takes them as text, and the file does \
                           not say which it is from: both is denied here";
const FILLED: &str = "`%u` and `%c` are filled in, as by 2.1; 2.0 takes them as text, and the file \
                      does not say which it is from";
