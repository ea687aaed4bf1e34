//! Where nothing is received that no rule allows: what the rules for SUBSCRIBE and those
//! for receiving give together.

use countersign_control::acl::AclKind;
use countersign_core::rule::Rule;
use countersign_core::topic::FilterRef;

use super::order::Order;
use super::rules::{RoleAcl, is_deliver};
use crate::plan::desired::DesiredRule;
use crate::receiving::intersect;
use crate::source::dynamic_security::Role;

/// What is allowed where no rule matches.
#[derive(Clone, Copy)]
pub(super) struct ByDefault {
    /// Whether a message is received.
    pub(super) delivers: bool,
    /// Whether SUBSCRIBE is allowed.
    pub(super) subscribes: bool,
}

/// Leaves of each role's rules what it gives by itself, as no role here completes another
/// one. What a client gets by two of them, or by one and the default access, is lost.
pub(super) fn join_deliveries(
    roles: &[Role],
    acls: &mut [Vec<RoleAcl>],
    order: &Order,
    by_default: ByDefault,
) {
    let allowed: Vec<Vec<Allowed>> = acls.iter().map(|acls| Allowed::of_role(acls)).collect();
    for acls in &mut *acls {
        join(acls, by_default.delivers);
    }
    if by_default.delivers {
        return;
    }
    let mut lost = Vec::new();
    for (role, own) in allowed.iter().enumerate() {
        let is_dropped = |one: &&Allowed| one.left(acls, role).is_none();
        for one in own.iter().filter(is_dropped) {
            let why = if by_default.subscribes && one.is_received {
                Some(BY_DEFAULT.to_owned())
            } else {
                let mut others = order.held_with(role).filter(|other| {
                    let theirs = allowed.get(*other).into_iter().flatten();
                    let left = [role, *other].map(|role| left_of(&allowed, acls, role));
                    let left: Vec<&Rule> = left.into_iter().flatten().collect();
                    theirs.into_iter().any(|its| one.completes(its, &left))
                });
                let other = others.next().and_then(|other| roles.get(other));
                other.map(|other| {
                    format!(
                        "there it counts together with what role `{}` allows a holder of both; here \
                         a role gives only what it allows both to subscribe to and to receive",
                        other.name
                    )
                })
            };
            lost.extend(why.map(|why| (role, one.at, why)));
        }
    }
    for (role, at, why) in lost {
        if let Some(acl) = acls.get_mut(role).and_then(|acls| acls.get_mut(at)) {
            acl.tell_lost(&why, "allow it in one role, under both types");
        }
    }
}

/// What a role allowed to subscribe to, or to receive.
struct Allowed {
    /// Its place in the role.
    at: usize,
    is_received: bool,
    rule: Rule,
}

impl Allowed {
    fn of_role(acls: &[RoleAcl]) -> Vec<Self> {
        let is_meant = |kind: AclKind| kind.is_subscribe() || is_deliver(kind);
        let meant = acls.iter().enumerate();
        meant
            .filter(|(_, acl)| acl.is_allow_of(is_meant))
            .filter_map(|(at, acl)| {
                Some(Self {
                    at,
                    is_received: is_deliver(acl.acl.kind),
                    rule: acl.desired.rule.clone()?,
                })
            })
            .collect()
    }

    /// What is left of it.
    fn left<'a>(&self, acls: &'a [Vec<RoleAcl>], role: usize) -> Option<&'a Rule> {
        acls.get(role)?.get(self.at)?.desired.rule.as_ref()
    }

    /// Whether both give a client something that none of the rules which are left gives.
    fn completes(&self, other: &Self, left: &[&Rule]) -> bool {
        let (one, its) = (self.rule.pattern().widest(), other.rule.pattern().widest());
        let is_given = |rule: &Rule| {
            [self, other]
                .iter()
                .any(|allowed| covers(rule, &allowed.rule))
        };
        self.is_received != other.is_received
            && one.intersects(&its)
            && !left.iter().any(|rule| is_given(rule))
    }
}

/// What is left of a role's allows.
fn left_of<'a>(
    allowed: &'a [Vec<Allowed>],
    acls: &'a [Vec<RoleAcl>],
    role: usize,
) -> impl Iterator<Item = &'a Rule> {
    let own = allowed.get(role).into_iter().flatten();
    own.filter_map(move |allowed| allowed.left(acls, role))
}

/// Whether a rule covers all of another one's filter. The same variables stand for the same.
fn covers(rule: &Rule, other: &Rule) -> bool {
    match (
        FilterRef::parse(rule.pattern().as_str()),
        FilterRef::parse(other.pattern().as_str()),
    ) {
        (Ok(wide), Ok(narrow)) => !rule.is_literal() && wide.covers(narrow),
        _ => false,
    }
}

/// Where nothing is delivered that no rule allows, leaves of a role's rules for SUBSCRIBE
/// what is delivered. Otherwise what allows a delivery says nothing of its own.
fn join(acls: &mut [RoleAcl], delivers_by_default: bool) {
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

const BY_DEFAULT: &str = "there SUBSCRIBE is allowed by default, so it is received; here only where \
                          a rule of the same role allows the SUBSCRIBE as well";
