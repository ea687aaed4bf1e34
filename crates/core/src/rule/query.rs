//! What a compiled set of rules is asked.

use super::table::Relation;
use super::{Limits, QoS, RuleOutcome, TopicOwners};
use crate::topic::{FilterRef, Subscription, TopicName, has_wildcards};

/// What is asked, the same for an answer and for its explanation.
pub(crate) struct TopicQuery<'a> {
    pub(super) filter: FilterRef<'a>,
    pub(super) allow_by: Relation,
    pub(super) deny_by: Relation,
    /// Only what is published is a message yet.
    pub(super) message: Option<MessageFlags>,
    pub(super) moment: Moment,
    /// Whether it is a SUBSCRIBE with `+` or `#`.
    pub(super) has_wildcards: bool,
    /// Whether `#` among the namespaces does not count: schemes of other
    /// tenants reach these topics.
    pub(super) is_out_of_rest: bool,
}

/// When the rules are asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Moment {
    Deliver,
    Publish,
    Subscribe,
}

impl<'a> TopicQuery<'a> {
    pub(crate) fn publish(topic: TopicName<'a>, qos: QoS, retain: bool) -> Self {
        Self {
            message: Some(MessageFlags { qos, retain }),
            moment: Moment::Publish,
            ..Self::deliver(topic)
        }
    }

    pub(crate) fn subscribe(subscription: Subscription<'a>) -> Self {
        Self {
            filter: subscription.filter(),
            allow_by: Relation::Covers,
            deny_by: if subscription.is_shared() {
                Relation::Intersects
            } else {
                Relation::Covers
            },
            message: None,
            moment: Moment::Subscribe,
            has_wildcards: has_wildcards(subscription.filter().as_str()),
            is_out_of_rest: false,
        }
    }

    /// For hosts that ask about no delivery: nothing of it may be denied.
    pub(crate) fn subscribe_unseen(subscription: Subscription<'a>) -> Self {
        Self {
            deny_by: Relation::Intersects,
            ..Self::subscribe(subscription)
        }
    }

    pub(crate) fn subscribe_filtered(subscription: Subscription<'a>) -> Self {
        if subscription.is_shared() {
            return Self::subscribe(subscription);
        }
        Self {
            allow_by: Relation::Intersects,
            ..Self::subscribe(subscription)
        }
    }

    pub(crate) fn deliver(topic: TopicName<'a>) -> Self {
        Self {
            filter: topic.into(),
            allow_by: Relation::Covers,
            deny_by: Relation::Covers,
            message: None,
            moment: Moment::Deliver,
            has_wildcards: false,
            is_out_of_rest: false,
        }
    }

    /// The same question of a session of the tenant `own`, whose `#` holds only
    /// what `owners` leave to it.
    pub(crate) fn among(self, owners: &TopicOwners, own: Option<&str>) -> Self {
        // A part that can be delivered is enough for who filters.
        let taken = match self.allow_by {
            Relation::Covers => Relation::Intersects,
            Relation::Intersects => Relation::Covers,
        };
        Self {
            is_out_of_rest: owners.are_taken_from(own, taken, self.filter),
            ..self
        }
    }
}

/// What an allow rule can limit.
pub(super) struct MessageFlags {
    pub(super) qos: QoS,
    pub(super) retain: bool,
}

/// Says which limit a message breaks, if it breaks one.
pub(super) fn broken_limit(limits: Limits, message: Option<&MessageFlags>) -> Option<RuleOutcome> {
    let message = message?;
    if limits.max_qos.is_some_and(|highest| message.qos > highest) {
        Some(RuleOutcome::QosTooHigh)
    } else if limits.no_retain && message.retain {
        Some(RuleOutcome::RetainRefused)
    } else {
        None
    }
}
