//! What a deny of a pattern takes away here that counted before it there.

use countersign_core::rule::{Effect, Rule};
use countersign_core::topic::FilterRef;

use crate::place::Place;
use crate::plan::desired::DesiredRule;

/// Gives up an allow that meets what a pattern denies.
pub(super) fn lose_denied(desired: &mut DesiredRule, denied: &[(String, &Option<Place>)]) {
    let Some(rule) = &desired.rule else {
        return;
    };
    if rule.effect() == Effect::Deny {
        return;
    }
    let Ok(allowed) = FilterRef::parse(rule.pattern().as_str()) else {
        return;
    };
    let meets = |(deny, _): &&(String, &Option<Place>)| {
        FilterRef::parse(deny).is_ok_and(|deny| allowed.intersects(deny))
    };
    if let Some((_, place)) = denied.iter().find(meets) {
        desired.rule = None;
        if let Some(item) = &mut desired.item {
            let place = place.as_ref().map(ToString::to_string);
            let why = format!(
                "it counts before the pattern at {} there, and a deny always wins here",
                place.unwrap_or_default()
            );
            item.lose(&why, "deny less there, or allow only what is not denied");
        }
    }
}

/// Says whether a rule holds for each user by its name.
pub(super) fn names_user(rule: &Rule) -> bool {
    let mut levels = rule.pattern().as_str().split('/');
    levels.any(|level| level == "${username}")
}
