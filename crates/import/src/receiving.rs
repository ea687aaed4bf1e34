//! Rules for receiving, where a source asks twice: whether a client may subscribe
//! to a filter, and whether it may receive a message. Here a rule for `subscribe`
//! gives both, so only what both lists give is taken over.

use countersign_core::rule::Rule;
use countersign_core::topic::FilterRef;

use crate::plan::desired::{DesiredRule, Outcome};

/// Leaves of the allows of both lists what they give together: of two filters one of
/// which holds the other, the narrower one. A literal rule is about a SUBSCRIBE of its
/// own filter alone, and gives all of it or nothing.
pub(crate) fn intersect(subscribed: &mut [DesiredRule], received: &mut [DesiredRule]) {
    let [of_subscribed, of_received] = [&*subscribed, &*received].map(|list| {
        let rules = list.iter().filter_map(|desired| desired.rule.clone());
        rules.collect::<Vec<Rule>>()
    });
    let less = "there a client may subscribe to all of it and receives a part; here a SUBSCRIBE of \
                more than that part is refused";
    narrow(subscribed, &of_received, &Outcome::Changed(less.into()));
    narrow(received, &of_subscribed, &Outcome::Kept);
}

/// `around` is what becomes of one that holds one of the other list.
fn narrow(list: &mut [DesiredRule], others: &[Rule], around: &Outcome) {
    for desired in list {
        let Some(rule) = &desired.rule else {
            continue;
        };
        let outcome = match relation(rule, others) {
            Relation::Within => continue,
            Relation::Around => around.clone(),
            Relation::Apart => Outcome::Changed(
                "nothing is received by it there, as the other list does not name it; so it is no \
                 rule here"
                    .into(),
            ),
            Relation::Across => Outcome::lost(
                "there a client receives what it may both subscribe to and receive, and that is not \
                 one filter",
                "write the same filter into both lists",
            ),
        };
        desired.rule = None;
        if let Some(item) = &mut desired.item {
            item.tell(outcome);
        }
    }
}

/// How a filter stands to those of the other list.
enum Relation {
    /// It meets one, and neither holds the other; or the one that holds the other is
    /// literal.
    Across,
    /// It meets none.
    Apart,
    /// It holds one, which is the rule then.
    Around,
    /// One holds it.
    Within,
}

fn relation(rule: &Rule, others: &[Rule]) -> Relation {
    let Ok(own) = FilterRef::parse(rule.pattern().as_str()) else {
        return Relation::Across;
    };
    // A variable may stand for whatever the other filter names.
    let widest = rule.pattern().widest();
    let meets = |other: &Rule| other.pattern().widest().intersects(&widest);
    let others = || {
        others.iter().filter_map(|other| {
            let filter = FilterRef::parse(other.pattern().as_str()).ok()?;
            Some((filter, other))
        })
    };
    let holds = |other: FilterRef<'_>| own.covers(other) && !rule.is_literal();
    if others().any(|(filter, other)| filter.covers(own) && !other.is_literal()) {
        Relation::Within
    } else if others().any(|(filter, other)| meets(other) && !holds(filter)) {
        Relation::Across
    } else if others().any(|(filter, _)| holds(filter)) {
        Relation::Around
    } else {
        Relation::Apart
    }
}
