//! What a deny of a pattern takes away here that counted before it there.

use countersign_core::rule::{Action, Effect, Pattern, Rule};
use countersign_core::topic::FilterRef;

use crate::place::Place;
use crate::plan::desired::{DesiredRule, Item};

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

/// Says whether a pattern holds for each user by its name.
pub(super) fn names_user(desired: &DesiredRule) -> bool {
    let is_written = |item: &Item| item.what.contains("%u");
    desired.item.as_ref().is_some_and(is_written) || desired.rule.as_ref().is_some_and(holds_name)
}

fn holds_name(rule: &Rule) -> bool {
    let mut levels = rule.pattern().as_str().split('/');
    levels.any(|level| level == "${username}")
}

/// What a deny takes there besides where a client id, or a name that is a part of a
/// level, holds `/` and so fills several levels; `topic` is as the source has it.
pub(super) fn of_divided_ids(rule: &Rule, topic: &str) -> Option<Rule> {
    if rule.effect() == Effect::Allow {
        return None;
    }
    let is_divided = |level: &str| level.contains("%c") || level.contains("%u") && level != "%u";
    let at = topic.split('/').position(is_divided)?;
    let levels = rule.pattern().as_str().split('/').take(at);
    let levels: Vec<&str> = levels.chain(["+", "+", "#"]).collect();
    let pattern = Pattern::parse(&levels.join("/")).ok()?;
    Some(Rule::deny(Action::Both, pattern))
}

/// What a deny of the user takes there of one whose name holds `/`.
pub(super) fn of_divided_name(rule: &Rule, name: &str) -> Option<Rule> {
    if rule.effect() == Effect::Allow || !name.contains('/') || !holds_name(rule) {
        return None;
    }
    let text = rule.pattern().as_str().replace("${username}", name);
    Some(Rule::deny(Action::Both, Pattern::parse(&text).ok()?))
}
