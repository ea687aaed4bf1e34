//! The rules of dynamic-security's roles, and which of them a deny that always wins
//! would change.

use countersign_control::acl::{
    ALLOW_LESS, AclKind, DENY_WINS, Reach, TAKES_MORE, WITHHOLD, place,
};

use super::order::Order;
use crate::plan::desired::{DesiredRule, Item};
use crate::receiving::intersect;
use crate::source::dynamic_security::{Acl, Role};

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
        acls.sort_by_key(|acl| place(acl.kind, acl.priority));
        acls.into_iter().map(RoleAcl::of).collect()
    };
    roles.iter().map(of_role).collect()
}

impl RoleAcl {
    fn of(acl: &Acl) -> Self {
        let (rule, outcome) = acl.kind.rule(&acl.topic, acl.is_allowed);
        let item = Item::new(acl.place.clone(), acl.topic.clone(), outcome);
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

    fn reach(&self) -> Reach<'_> {
        Reach {
            kind: self.acl.kind,
            filter: &self.reach,
        }
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
        self.is_allow_of(AclKind::is_subscribe) && self.reach.contains(['+', '#'])
    }
}

const fn is_deliver(kind: AclKind) -> bool {
    matches!(kind, AclKind::Deliver)
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
                    allow.is_allow_of(|_| true)
                        && deny.is_deny_of(|_| true)
                        && allow.reach().meets_deny(deny.reach())
                });
                if let Some(deny) = met {
                    lost.push((role, at, deny.acl.place.to_string()));
                }
            }
        }
    }
    for (role, at, deny) in lost {
        if let Some(allow) = roles.get_mut(role).and_then(|acls| acls.get_mut(at)) {
            let why = format!("it comes before the deny at {deny} there, and {DENY_WINS}");
            allow.lose(&why, ALLOW_LESS);
        }
    }
}

/// Tells of each deny of SUBSCRIBE that it takes away deliveries here, where there a
/// wider subscription goes past it.
pub(super) fn tell_denies_that_take_more(roles: &mut [Vec<RoleAcl>], allows_all: bool) {
    let all = || roles.iter().flatten();
    let of = |is_meant: &dyn Fn(&RoleAcl) -> bool| -> Vec<(AclKind, String)> {
        let meant = all().filter(|acl| is_meant(acl));
        meant.map(|acl| (acl.acl.kind, acl.reach.clone())).collect()
    };
    let mut allowed = of(&|acl| acl.is_allow_of(AclKind::is_subscribe));
    if allows_all {
        allowed.push((AclKind::SubscribePattern, "#".into()));
    }
    let withheld = of(&|acl| acl.is_deny_of(is_deliver));
    for acl in roles.iter_mut().flatten() {
        if !acl.is_deny_of(AclKind::is_subscribe) {
            continue;
        }
        let deny = acl.reach();
        let goes_past = reaches_of(&allowed).any(|it| it.goes_past(deny));
        let is_withheld = reaches_of(&withheld).any(|it| it.withholds(deny));
        if goes_past
            && !is_withheld
            && let Some(item) = &mut acl.desired.item
        {
            item.lose(TAKES_MORE, WITHHOLD);
        }
    }
}

fn reaches_of(list: &[(AclKind, String)]) -> impl Iterator<Item = Reach<'_>> {
    list.iter().map(|(kind, filter)| Reach {
        kind: *kind,
        filter,
    })
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
            take(AclKind::is_subscribe).into_iter().unzip();
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
