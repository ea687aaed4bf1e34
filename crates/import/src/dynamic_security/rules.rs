//! The rules of dynamic-security's roles, and which of them a deny that always wins
//! would change.

use std::collections::HashSet;

use countersign_control::acl::{
    ALLOW_LESS, AclKind, DENY_WINS, Reach, TAKES_MORE, WITHHOLD, place,
};
use countersign_core::rule::{Action, Effect, Rule};

use super::order::Order;
use super::shared::{deny_shared, shared_filter};
use crate::plan::desired::{DesiredRule, Item};
use crate::source::dynamic_security::{Acl, Role};

/// A rule of a role there, and what it is here.
pub(super) struct RoleAcl {
    pub(super) acl: Acl,
    pub(super) desired: DesiredRule,
    /// What the rule is about, once its variables stand for any level.
    reach: String,
    /// What stands beside it, as a deny keeps from more in one of two readings.
    pub(super) beside: Vec<Rule>,
    /// The topics of `$SYS` that such a deny keeps from.
    pub(super) reserved: Option<String>,
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
        let (rule, outcome) = if !acl.is_allowed && shared_filter(acl).is_some() {
            deny_shared(acl)
        } else {
            acl.kind.rule(&acl.topic, acl.is_allowed)
        };
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
            beside: Vec::new(),
            reserved: None,
        }
    }

    /// What it is here.
    pub(super) fn into_desired(self) -> impl Iterator<Item = DesiredRule> {
        let beside = self.beside.into_iter().map(|rule| DesiredRule {
            item: None,
            rule: Some(rule),
        });
        core::iter::once(self.desired).chain(beside)
    }

    /// Tells what is different here.
    pub(super) fn change(&mut self, how: &str) {
        if let Some(item) = &mut self.desired.item {
            item.change(how);
        }
    }

    /// Whether this allow, where it comes first, keeps that deny from what it would take.
    fn meets_deny(&self, deny: &Self) -> bool {
        let reserved = deny.reserved.as_deref().map(|filter| Reach {
            kind: deny.acl.kind,
            filter,
        });
        let reaches = core::iter::once(deny.reach()).chain(reserved);
        reaches.into_iter().any(|it| self.reach().meets_deny(it))
    }

    pub(super) fn reach(&self) -> Reach<'_> {
        Reach {
            kind: self.acl.kind,
            filter: &self.reach,
        }
    }

    pub(super) fn is_allow_of(&self, is_meant: impl Fn(AclKind) -> bool) -> bool {
        self.acl.is_allowed && is_meant(self.acl.kind) && self.desired.rule.is_some()
    }

    pub(super) fn is_deny_of(&self, is_meant: impl Fn(AclKind) -> bool) -> bool {
        !self.acl.is_allowed && is_meant(self.acl.kind) && self.desired.rule.is_some()
    }

    fn lose(&mut self, why: &str, fix: &str) {
        self.desired.rule = None;
        self.tell_lost(why, fix);
    }

    /// Tells that something of it is lost; the rest is taken over.
    pub(super) fn tell_lost(&mut self, why: &str, fix: &str) {
        if let Some(item) = &mut self.desired.item {
            item.lose(why, fix);
        }
    }

    fn grants_wildcard(&self) -> bool {
        grants_wildcard(&self.desired)
    }
}

/// Whether it could grant a SUBSCRIBE with a wildcard.
pub(super) fn grants_wildcard(desired: &DesiredRule) -> bool {
    desired.rule.as_ref().is_some_and(|rule| {
        rule.effect() == Effect::Allow
            && rule.action() != Action::Publish
            && rule.pattern().as_str().contains(['+', '#'])
    })
}

/// The rules of a role for an operator, who has them as its own. Those can't be kept from
/// wildcards: of a role that has none, what would grant some is left out.
pub(super) fn as_own_rules(acls: &mut [RoleAcl], no_wildcards: bool) -> Vec<DesiredRule> {
    let is_left_out = |acl: &RoleAcl| no_wildcards && acl.grants_wildcard();
    for acl in acls.iter_mut().filter(|acl| is_left_out(acl)) {
        acl.tell_lost(
            "an operator has it as its own rule, which can't be kept from wildcards",
            "allow topics without wildcards there",
        );
    }
    let taken = acls.iter().filter(|acl| !is_left_out(acl));
    taken
        .flat_map(|acl| acl.desired.rule.iter().chain(&acl.beside))
        .map(|rule| DesiredRule {
            item: None,
            rule: Some(rule.clone()),
        })
        .collect()
}

pub(super) const fn is_deliver(kind: AclKind) -> bool {
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
                        && allow.meets_deny(deny)
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
        if goes_past && !is_withheld {
            acl.tell_lost(TAKES_MORE, WITHHOLD);
        }
    }
}

fn reaches_of(list: &[(AclKind, String)]) -> impl Iterator<Item = Reach<'_>> {
    list.iter().map(|(kind, filter)| Reach {
        kind: *kind,
        filter,
    })
}

/// What becomes of roles that keep their holders from wildcards which something else
/// grants there.
pub(super) struct Wildcards {
    /// Roles, by their places in the file, that keep their holders from more than their own.
    keep_from_others: HashSet<usize>,
    /// Roles that grant no wildcards here, as a holder is kept from them there.
    are_withheld: HashSet<usize>,
    /// A role that keeps its holders from what is allowed by default.
    pub(super) keeps_from_defaults: Option<Box<str>>,
}

impl Wildcards {
    /// Where a role without wildcards is asked before another one that grants some, that one
    /// grants none here, to whoever holds it. So it is with what is allowed by default,
    /// which is asked last.
    pub(super) fn of(
        roles: &[Role],
        acls: &mut [Vec<RoleAcl>],
        order: &Order,
        allows_all: bool,
    ) -> Self {
        let all = roles.iter().enumerate();
        let narrow: Vec<(usize, &Role)> = all
            .filter(|(_, role)| !role.allows_wildcard_subscriptions)
            .collect();
        let mut keep_from_others = HashSet::new();
        let mut are_withheld = HashSet::new();
        for (place, (role, acls)) in roles.iter().zip(acls).enumerate() {
            if !role.allows_wildcard_subscriptions || !acls.iter().any(RoleAcl::grants_wildcard) {
                continue;
            }
            let is_before = |(other, _): &&(usize, &Role)| order.is_before(*other, place);
            let before: Vec<_> = narrow.iter().filter(is_before).collect();
            keep_from_others.extend(before.iter().map(|(other, _)| *other));
            let Some((_, other)) = before.first() else {
                continue;
            };
            are_withheld.insert(place);
            let why = format!(
                "role `{}` keeps its holders from wildcards there; here role `{}` grants them to \
                 nobody",
                other.name, role.name
            );
            for acl in acls.iter_mut().filter(|acl| acl.grants_wildcard()) {
                acl.tell_lost(&why, WIDEN);
            }
        }
        let keeps_from_defaults = narrow.first().filter(|_| allows_all);
        if keeps_from_defaults.is_some() {
            keep_from_others.extend(narrow.iter().map(|(place, _)| *place));
        }
        Self {
            keep_from_others,
            are_withheld,
            keeps_from_defaults: keeps_from_defaults.map(|(_, role)| role.name.clone()),
        }
    }

    /// Whether the role at this place grants no wildcards here, though it does there.
    pub(super) fn are_withheld(&self, place: usize) -> bool {
        self.are_withheld.contains(&place)
    }

    /// Tells of the role at this place what it keeps its holders from.
    pub(super) fn tell(&self, place: usize, item: &mut Item) {
        if self.keep_from_others.contains(&place) {
            item.lose(
                "`allowwildcardsubs` keeps a holder from what its other roles, or the defaults, \
                 grant there; here those grant no wildcards to anyone",
                WIDEN,
            );
        }
    }
}

pub(super) const WIDEN: &str =
    "allow no wildcards in all roles of those holders, or allow them in all";
