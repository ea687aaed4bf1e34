//! What a broker answers by itself, whatever rules say.
//!
//! Measured on Mosquitto 2.0.11, 2.0.21 and 2.1.2, which agree.

use countersign_core::reason::Reason;
use countersign_core::rule::Pattern;
use countersign_core::topic::{TopicFilter, TopicName, sendable};

use super::Usage;

/// Why a broker refuses a use without asking; none where it asks.
pub(super) fn refuses(usage: Usage<'_>) -> Option<Reason> {
    let (text, is_published) = match usage {
        Usage::Deliver { topic } => (topic, false),
        Usage::Publish { topic, .. } => (topic, true),
        Usage::Subscribe { filter } => (filter, false),
    };
    if sendable(text).is_err() {
        // It closes the connection.
        return Some(Reason::Malformed);
    }
    let is_kept = text.starts_with("$share") || (text.starts_with(SYS) && !is_bridge_state(text));
    (is_published && is_kept).then_some(Reason::NoRule)
}

/// Says whether brokers refuse to publish to some topics of a pattern.
pub(crate) fn keeps_some_of(pattern: &Pattern) -> bool {
    let text = pattern.as_str();
    let names_states_alone = bridge_states().is_some_and(|states| states.covers(&pattern.widest()));
    text.starts_with(SYS) && !names_states_alone
}

/// Bridges say here whether they are connected.
pub(crate) const BRIDGE_STATES: &str = "$SYS/broker/connection/+/state";

fn is_bridge_state(topic: &str) -> bool {
    let states = bridge_states().zip(TopicName::parse(topic).ok());
    states.is_some_and(|(states, topic)| states.matches(topic))
}

fn bridge_states() -> Option<TopicFilter> {
    TopicFilter::parse(BRIDGE_STATES).ok()
}

/// Topics that begin so, even where the level goes on.
const SYS: &str = "$SYS";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_states_of_bridges_can_be_published_below_sys() {
        for (pattern, is_kept) in [
            ("$SYS/#", true),
            ("$SYS/broker/connection/#", true),
            ("$SYS/broker/connection/${client_id}/state", false),
            (BRIDGE_STATES, false),
            ("#", false),
            ("$CONTROL/#", false),
        ] {
            let parsed = Pattern::parse(pattern).unwrap();
            assert_eq!(keeps_some_of(&parsed), is_kept, "{pattern}");
        }
    }
}
