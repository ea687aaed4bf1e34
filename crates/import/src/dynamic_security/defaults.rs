//! What happens where no rule matches.

use countersign_core::rule::{Action, Pattern, Rule};

use crate::plan::desired::{DesiredRule, Item};
use crate::source::dynamic_security::{DefaultAccess, DefaultUse};

/// The rules of what is allowed where no rule matches, and what is told of it.
pub(super) fn default_access(
    access: &[DefaultAccess],
    delivers: bool,
) -> (Vec<DesiredRule>, Vec<Item>) {
    let mut items = Vec::new();
    let mut rules = Vec::new();
    for DefaultAccess {
        place,
        of,
        is_allowed,
    } in access
    {
        let (what, action) = match of {
            DefaultUse::Deliver => ("publishClientReceive", None),
            DefaultUse::Publish => ("publishClientSend", Some(Action::Publish)),
            DefaultUse::Subscribe => ("subscribe", Some(Action::Subscribe)),
            DefaultUse::Unsubscribe => ("unsubscribe", None),
        };
        let mut item = Item::kept(place.clone(), what);
        match (of, is_allowed) {
            (DefaultUse::Unsubscribe, false) => {
                item.change("UNSUBSCRIBE is always allowed here");
            }
            (DefaultUse::Subscribe, true) if !delivers => {
                item.change("SUBSCRIBE is allowed to what is delivered");
            }
            (DefaultUse::Publish | DefaultUse::Subscribe, true) => {
                let patterns: &[&str] = match of {
                    DefaultUse::Subscribe => &["#", "$SYS/#"],
                    DefaultUse::Deliver | DefaultUse::Publish | DefaultUse::Unsubscribe => &["#"],
                };
                let patterns = patterns.iter().filter_map(|text| Pattern::parse(text).ok());
                let allowed = patterns.zip(core::iter::repeat(action));
                rules.extend(allowed.filter_map(|(pattern, action)| {
                    Some(DesiredRule {
                        item: None,
                        rule: Some(Rule::allow(action?, pattern)),
                    })
                }));
            }
            (DefaultUse::Deliver | DefaultUse::Unsubscribe, _)
            | (DefaultUse::Publish | DefaultUse::Subscribe, false) => {}
        }
        items.push(item);
    }
    (rules, items)
}
