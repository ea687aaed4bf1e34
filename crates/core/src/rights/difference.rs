//! What a principal may do by some rights and not by others.

use super::{Rights, TopicUse};
use crate::rule::{Action, Candidate, RuleSet, TopicOwners};
use crate::tenant::SubscribeMode;
use crate::topic::TopicFilter;

/// Uses of the topics of a filter, of some of them at least.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TopicUses {
    /// Publishing or subscribing.
    pub action: Action,
    /// The topics.
    pub filter: TopicFilter,
}

impl Rights {
    /// What these rights allow and `before` does not, of the same principal.
    ///
    /// Nothing is left out: if there is a use that [`Rights::judge`] allows by
    /// these and refuses by `before`, then some of it is named. Under
    /// [`SubscribeMode::Filtered`] what is delivered counts, not what is
    /// subscribed to.
    #[must_use]
    pub fn gained_since(&self, before: &Self, owners: &TopicOwners) -> Vec<TopicUses> {
        let own = self.tenant.as_ref().map(|tenant| tenant.as_str());
        let mut gained: Vec<TopicUses> = Vec::new();
        for action in [Action::Publish, Action::Subscribe] {
            let (old, new) = (&before.rules, &self.rules);
            for candidate in RuleSet::compare(old, new, action, owners, own) {
                let may_subscribe = || {
                    action == Action::Subscribe
                        && self.subscribe == SubscribeMode::Strict
                        && self.may_subscribe(&candidate, owners)
                        && !before.may_subscribe(&candidate, owners)
                };
                // The parts that it gained are named as one.
                let has_parts = || {
                    candidate.has_gained_parts
                        && self.subscribe == SubscribeMode::Strict
                        && self.may_subscribe(&candidate, owners)
                };
                let has_names =
                    candidate.has_gained_names && self.subscribe == SubscribeMode::Strict;
                let is_gained = candidate.has_gained_topic || has_names;
                if !is_gained && !may_subscribe() && !has_parts() {
                    continue;
                }
                let Candidate { filter, .. } = candidate;
                let is_named =
                    |uses: &TopicUses| uses.action == action && uses.filter.covers(&filter);
                if !gained.iter().any(is_named) {
                    gained.push(TopicUses { action, filter });
                }
            }
        }
        gained
    }

    fn may_subscribe(&self, candidate: &Candidate, owners: &TopicOwners) -> bool {
        let filter = candidate.filter.as_str().as_bytes();
        self.judge(TopicUse::Subscribe { filter }, owners)
            .is_allowed()
    }
}
