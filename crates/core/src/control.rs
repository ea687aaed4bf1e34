//! The topics of session commands, which no rule opens or closes.

use crate::reason::Reason;
use crate::rights::TopicUse;
use crate::rule::Verdict;

/// Where commands of a session go.
pub const SESSION_TOPIC: &str = "$CONTROL/countersign/v1/session";
/// Where the answers come from. No client can publish there, and an answer goes
/// to the client that asked alone.
pub const RESPONSE_TOPIC: &str = "$CONTROL/countersign/v1/session/response";

/// The verdict on a use of these topics by a session that is live; none for
/// all other topics.
#[inline]
#[must_use]
pub fn judge(usage: TopicUse<'_>, is_authenticated: bool) -> Option<Verdict> {
    let topic = match usage {
        TopicUse::Publish { topic, .. } | TopicUse::Deliver { topic } => topic,
        TopicUse::Subscribe { filter } => filter,
        TopicUse::Unsubscribe => return None,
    };
    if topic.first() == Some(&b'$') {
        judge_reserved(usage, topic, is_authenticated)
    } else {
        None
    }
}

fn judge_reserved(usage: TopicUse<'_>, topic: &[u8], is_authenticated: bool) -> Option<Verdict> {
    let is_command = topic == SESSION_TOPIC.as_bytes();
    if !is_command && topic != RESPONSE_TOPIC.as_bytes() {
        return None;
    }
    if !is_authenticated {
        return Some(Verdict::Deny(Reason::Unauthenticated));
    }
    let is_allowed = match usage {
        TopicUse::Publish { .. } => is_command,
        TopicUse::Subscribe { .. } => !is_command,
        // Answers are sent without asking; so what is asked about is none.
        TopicUse::Deliver { .. } | TopicUse::Unsubscribe => false,
    };
    Some(if is_allowed {
        Verdict::Allow
    } else {
        Verdict::Deny(Reason::NoRule)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_authenticated_sends_commands_and_hears_answers() {
        let publish = |topic: &'static str| TopicUse::Publish {
            topic: topic.as_bytes(),
            qos: 1,
            retain: false,
        };
        let subscribe = |filter: &'static str| TopicUse::Subscribe {
            filter: filter.as_bytes(),
        };
        let is_allowed = |usage, who| judge(usage, who).map(Verdict::is_allowed);
        assert_eq!(is_allowed(publish(SESSION_TOPIC), true), Some(true));
        assert_eq!(is_allowed(subscribe(RESPONSE_TOPIC), true), Some(true));
        for usage in [publish(RESPONSE_TOPIC), subscribe(SESSION_TOPIC)] {
            assert_eq!(is_allowed(usage, true), Some(false), "{usage:?}");
        }
        assert_eq!(is_allowed(publish(SESSION_TOPIC), false), Some(false));
        for other in ["$CONTROL/x", "$SYS/x", "acme/x"] {
            assert_eq!(is_allowed(publish(other), true), None, "{other}");
            assert_eq!(is_allowed(subscribe(other), true), None, "{other}");
        }
    }
}
