//! The topics of session commands, which no rule opens or closes.

use crate::reason::Reason;
use crate::rights::TopicUse;
use crate::rule::Verdict;

/// Where commands of a session go.
pub const SESSION_TOPIC: &str = "$CONTROL/countersign/v1/session";
/// Where the answers come from. No client can publish there, and an answer goes
/// to the client that asked alone.
pub const RESPONSE_TOPIC: &str = "$CONTROL/countersign/v1/session/response";

/// Where commands in the form of Mosquitto's dynamic-security go, where the broker takes
/// them.
pub const DYNSEC_TOPIC: &str = "$CONTROL/dynamic-security/v1";
/// Where the answers to these come from.
pub const DYNSEC_RESPONSE_TOPIC: &str = "$CONTROL/dynamic-security/v1/response";

/// The session that uses a topic of commands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CommandClient {
    /// Whether it proved who it is.
    pub is_authenticated: bool,
    /// Whether it is a user's. An operator has rules of its own, and no other principal
    /// may be given any for such topics.
    pub is_user: bool,
    /// Whether its broker takes the commands of dynamic-security.
    pub has_dynsec: bool,
}

/// The verdict on a use of these topics by a session that is live; none for
/// all other topics.
#[inline]
#[must_use]
pub fn judge(usage: TopicUse<'_>, client: CommandClient) -> Option<Verdict> {
    let topic = match usage {
        TopicUse::Publish { topic, .. } | TopicUse::Deliver { topic } => topic,
        TopicUse::Subscribe { filter } => filter,
        TopicUse::Unsubscribe => return None,
    };
    if topic.first() == Some(&b'$') {
        judge_reserved(usage, topic, client)
    } else {
        None
    }
}

fn judge_reserved(usage: TopicUse<'_>, topic: &[u8], client: CommandClient) -> Option<Verdict> {
    let is_command = topic == SESSION_TOPIC.as_bytes();
    if is_command || topic == RESPONSE_TOPIC.as_bytes() {
        return Some(verdict(usage, is_command, client.is_authenticated));
    }
    let is_command = topic == DYNSEC_TOPIC.as_bytes();
    if !client.has_dynsec || !(is_command || topic == DYNSEC_RESPONSE_TOPIC.as_bytes()) {
        return None;
    }
    // Who is neither a user nor let in by rules asks nothing. Nobody passes for who
    // answers, whatever rules say.
    let is_asked_of_rules = match usage {
        TopicUse::Publish { .. } => is_command,
        TopicUse::Subscribe { .. } => true,
        TopicUse::Deliver { .. } | TopicUse::Unsubscribe => false,
    };
    if client.is_authenticated && !client.is_user && is_asked_of_rules {
        return None;
    }
    Some(verdict(usage, is_command, client.is_authenticated))
}

fn verdict(usage: TopicUse<'_>, is_command: bool, is_authenticated: bool) -> Verdict {
    if !is_authenticated {
        return Verdict::Deny(Reason::Unauthenticated);
    }
    let is_allowed = match usage {
        TopicUse::Publish { .. } => is_command,
        TopicUse::Subscribe { .. } => !is_command,
        // Answers are sent without asking; so what is asked about is none.
        TopicUse::Deliver { .. } | TopicUse::Unsubscribe => false,
    };
    if is_allowed {
        Verdict::Allow
    } else {
        Verdict::Deny(Reason::NoRule)
    }
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
        let is_allowed = |usage, is_authenticated| {
            let client = CommandClient {
                is_authenticated,
                is_user: false,
                has_dynsec: true,
            };
            judge(usage, client).map(Verdict::is_allowed)
        };
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

    #[test]
    fn users_and_whom_rules_let_give_the_commands_of_dynamic_security() {
        let topic = |topic: &'static str| topic.as_bytes();
        let publish = |to| TopicUse::Publish {
            topic: topic(to),
            qos: 1,
            retain: false,
        };
        let subscribe = |to| TopicUse::Subscribe { filter: topic(to) };
        let deliver = |to| TopicUse::Deliver { topic: topic(to) };
        let client = |is_authenticated, is_user, has_dynsec| CommandClient {
            is_authenticated,
            is_user,
            has_dynsec,
        };
        let user = client(true, true, true);
        let by_rules = client(true, false, true);
        let nobody = client(false, false, true);
        let off = client(true, true, false);
        for (usage, of_user, of_rules) in [
            (publish(DYNSEC_TOPIC), true, None),
            (subscribe(DYNSEC_RESPONSE_TOPIC), true, None),
            (publish(DYNSEC_RESPONSE_TOPIC), false, Some(false)),
            (subscribe(DYNSEC_TOPIC), false, None),
            (deliver(DYNSEC_TOPIC), false, Some(false)),
            (deliver(DYNSEC_RESPONSE_TOPIC), false, Some(false)),
        ] {
            let is_allowed = |client| judge(usage, client).map(Verdict::is_allowed);
            assert_eq!(is_allowed(user), Some(of_user), "{usage:?}");
            assert_eq!(is_allowed(by_rules), of_rules, "{usage:?}");
            assert_eq!(is_allowed(nobody), Some(false), "{usage:?}");
            assert_eq!(is_allowed(off), None, "{usage:?}");
        }
        assert_eq!(judge(subscribe("$CONTROL/#"), user), None);
    }
}
