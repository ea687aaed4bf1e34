//! What one set of rules allows and another does not.
//!
//! Both sets are compiled, so that the comparison and the verdicts read the
//! rules in the same way.

use std::collections::BTreeSet;

use super::compiled::{CompiledRule, Reach};
use super::coverage::{MOST_STEPS, Steps};
use super::pattern::BoundPattern;
use super::query::{MessageFlags, broken_limit};
use super::{Action, QoS, RuleSet, TopicOwners};
use crate::topic::{TopicFilter, levels};

/// A filter for which two sets of rules may differ.
pub(crate) struct Candidate {
    pub(crate) filter: TopicFilter,
    /// Some topic of it is allowed by the second set and not by the first.
    pub(crate) has_gained_topic: bool,
    /// By rules alone, the second set grants the SUBSCRIBE of each part of it,
    /// and the first does not.
    pub(crate) has_gained_parts: bool,
    /// The same of the parts of it that hold no wildcard, of one at least.
    pub(crate) has_gained_names: bool,
}

impl RuleSet {
    /// Compares what two sets allow in one direction, for sessions of the
    /// tenant `own`.
    ///
    /// If `after` allows a topic that `before` does not, or the SUBSCRIBE of a
    /// filter, then it does so for one of these filters or for a part of it. What
    /// would take more than [`MOST_STEPS`] to compare counts as gained.
    pub(crate) fn compare(
        before: &Self,
        after: &Self,
        action: Action,
        owners: &TopicOwners,
        own: Option<&str>,
    ) -> Vec<Candidate> {
        Self::compare_within(before, after, action, owners, own, &mut Steps(MOST_STEPS))
    }

    fn compare_within(
        before: &Self,
        after: &Self,
        action: Action,
        owners: &TopicOwners,
        own: Option<&str>,
        steps: &mut Steps,
    ) -> Vec<Candidate> {
        let old_denied = before.denied(action);
        let new_denied = after.denied(action);
        let lifted: Vec<_> = old_denied.difference(&new_denied).collect();
        let mut candidates = Vec::new();
        for message in messages(before, after, action) {
            let message = message.as_ref();
            let old = before.allowed(action, message, |_| true);
            let new = after.allowed(action, message, |_| true);
            let mut note =
                |bound: &BoundPattern, others: &BTreeSet<BoundPattern>, steps: &mut Steps| {
                    let Ok(filter) = TopicFilter::parse(&bound.text) else {
                        // Too long for MQTT, so it matches nothing.
                        return;
                    };
                    let compared = others.len().saturating_add(new_denied.len());
                    if !steps.take(compared) {
                        candidates.push(Candidate {
                            filter,
                            has_gained_topic: true,
                            has_gained_parts: false,
                            has_gained_names: false,
                        });
                        return;
                    }
                    let mut kept_out = foreign_parts(&filter, owners, own);
                    let others = others.iter().chain(&new_denied);
                    kept_out.extend(
                        others
                            .filter(|other| bound.common(other).is_some())
                            .cloned(),
                    );
                    let has_gained_topic = bound.has_topic_outside(&kept_out, steps);
                    candidates.push(Candidate {
                        filter,
                        has_gained_topic,
                        has_gained_parts: false,
                        has_gained_names: false,
                    });
                };
            for bound in new.difference(&old) {
                note(bound, &old, steps);
            }
            for deny in &lifted {
                if !steps.take(new.len()) {
                    // All of it, for what of it is allowed would take too long.
                    note(deny, &BTreeSet::new(), steps);
                    continue;
                }
                for bound in new.iter().filter_map(|allowed| allowed.common(deny)) {
                    note(&bound, &BTreeSet::new(), steps);
                }
            }
        }
        if action == Action::Subscribe {
            candidates.extend(Self::gained_filters(before, after, steps));
            candidates.extend(Self::gained_names(before, after, owners, own, steps));
        }
        candidates
    }

    /// Filters whose SUBSCRIBE, or that of a part of them, the second set may
    /// grant and the first not, although both allow the same topics: by a rule
    /// that was literal or without wildcards, or by a literal deny that is gone.
    fn gained_filters(before: &Self, after: &Self, steps: &mut Steps) -> Vec<Candidate> {
        let grants_parts =
            |rule: &CompiledRule| rule.reach == Reach::Topics && rule.grants_wildcards;
        let narrow = before.allowed(Action::Subscribe, None, |rule| !grants_parts(rule));
        let old = before.allowed(Action::Subscribe, None, grants_parts);
        let mut new = after.allowed(Action::Subscribe, None, grants_parts);
        new.retain(|bound| {
            if !steps.take(narrow.len().saturating_add(old.len())) {
                return true;
            }
            let covers = |wider: &BoundPattern| levels::covers(&wider.text, &bound.text);
            narrow.iter().any(|narrow| narrow.common(bound).is_some()) && !old.iter().any(covers)
        });
        let parts = new.into_iter().map(|bound| (bound, true));
        let still_refused = after.refused_filters();
        let refused = before.refused_filters();
        let lifted = refused
            .difference(&still_refused)
            .map(|bound| (bound.clone(), false));
        let literal = after.allowed(Action::Subscribe, None, |rule| rule.reach != Reach::Topics);
        let named = literal.into_iter().map(|bound| (bound, false));
        let candidates = parts.chain(lifted).chain(named);
        candidates
            .filter_map(|(bound, has_gained_parts)| {
                Some(Candidate {
                    filter: TopicFilter::parse(&bound.text).ok()?,
                    has_gained_topic: false,
                    has_gained_parts,
                    has_gained_names: false,
                })
            })
            .collect()
    }

    /// Filters of which the second set grants the SUBSCRIBE of a part without a
    /// wildcard and the first does not, although both allow the topic: by a literal
    /// rule with wildcards, which grants no part of itself.
    fn gained_names(
        before: &Self,
        after: &Self,
        owners: &TopicOwners,
        own: Option<&str>,
        steps: &mut Steps,
    ) -> Vec<Candidate> {
        let is_literal = |rule: &CompiledRule| rule.reach != Reach::Topics;
        let has_wildcards = |bound: &BoundPattern| levels::has_wildcards(&bound.text);
        let mut literal = before.allowed(Action::Subscribe, None, is_literal);
        let mut kept_out = before.allowed(Action::Subscribe, None, |rule| !is_literal(rule));
        let refused = after.refused_filters().into_iter();
        let names = literal.iter().cloned().chain(refused);
        kept_out.extend(names.filter(|bound| !has_wildcards(bound)));
        kept_out.extend(after.denied(Action::Subscribe));
        literal.retain(has_wildcards);
        let new = after.allowed(Action::Subscribe, None, |rule| !is_literal(rule));
        let mut candidates = Vec::new();
        let mut note = |bound: &BoundPattern, steps: &mut Steps| {
            let Ok(filter) = TopicFilter::parse(&bound.text) else {
                return;
            };
            let has_gained_names = !steps.take(kept_out.len()) || {
                let mut kept_out: Vec<_> = kept_out.iter().cloned().collect();
                kept_out.extend(foreign_parts(&filter, owners, own));
                bound.has_topic_outside(&kept_out, steps)
            };
            if has_gained_names {
                candidates.push(Candidate {
                    filter,
                    has_gained_topic: false,
                    has_gained_parts: false,
                    has_gained_names,
                });
            }
        };
        for bound in &new {
            if literal.is_empty() {
                break;
            }
            if steps.take(literal.len()) {
                for common in literal.iter().filter_map(|literal| bound.common(literal)) {
                    note(&common, steps);
                }
            } else {
                // All of it, for what of it is literal would take too long.
                note(bound, steps);
            }
        }
        candidates
    }

    /// Filters whose SUBSCRIBE literal rules refuse.
    fn refused_filters(&self) -> BTreeSet<BoundPattern> {
        let mut refused = BTreeSet::new();
        let side = self.side_of(Action::Subscribe);
        side.deny.for_each(&mut |place| {
            if place.value.reach == Reach::LiteralDeny {
                refused.insert(place.bound());
            }
        });
        refused
    }

    /// What is taken away in one direction.
    fn denied(&self, action: Action) -> BTreeSet<BoundPattern> {
        let mut denied = BTreeSet::new();
        let side = self.side_of(action);
        side.deny.for_each(&mut |place| {
            match place.value.reach {
                Reach::Topics | Reach::LiteralAllow => denied.insert(place.bound()),
                // What it refuses is a filter, and no topic of it.
                Reach::LiteralDeny if action == Action::Publish => denied.insert(place.bound()),
                Reach::LiteralDeny => false,
            };
        });
        denied
    }

    /// What is allowed in one direction, denies left out of account: to such a
    /// message, where it is about messages, and by those rules that `counts`
    /// picks.
    fn allowed(
        &self,
        action: Action,
        message: Option<&MessageFlags>,
        counts: impl Fn(&CompiledRule) -> bool,
    ) -> BTreeSet<BoundPattern> {
        let mut allowed = BTreeSet::new();
        let side = self.side_of(action);
        side.allow.for_each(&mut |place| {
            let grant = place.value;
            if !counts(&grant) || broken_limit(grant.limits, message).is_some() {
                return;
            }
            let bound = place.bound();
            match &self.namespaces {
                Some(namespaces) if grant.is_confined => {
                    let owned = namespaces.iter().map(BoundPattern::from);
                    allowed.extend(owned.filter_map(|owned| bound.common(&owned)));
                }
                Some(_) | None => {
                    allowed.insert(bound);
                }
            }
        });
        allowed
    }

    fn has_limits(&self) -> bool {
        let mut has_limits = false;
        self.publish.allow.for_each(&mut |place| {
            has_limits |= place.value.limits != super::Limits::NONE;
        });
        has_limits
    }
}

/// What of a filter another tenant owns than `own`, where that stops a session.
fn foreign_parts(
    filter: &TopicFilter,
    owners: &TopicOwners,
    own: Option<&str>,
) -> Vec<BoundPattern> {
    match own {
        Some(_) => owners.foreign_parts(filter.borrowed(), own),
        None => Vec::new(),
    }
}

/// Messages of all kinds that limits tell apart.
fn messages(before: &RuleSet, after: &RuleSet, action: Action) -> Vec<Option<MessageFlags>> {
    if action == Action::Subscribe {
        return vec![None];
    }
    let (qos, retain): (&[QoS], &[bool]) = if before.has_limits() || after.has_limits() {
        (
            &[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce],
            &[false, true],
        )
    } else {
        (&[QoS::AtMostOnce], &[false])
    };
    let messages = qos.iter().flat_map(|qos| {
        retain.iter().map(|retain| MessageFlags {
            qos: *qos,
            retain: *retain,
        })
    });
    messages.map(Some).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{NoVariables, Pattern, Rule, RuleSource};
    use crate::topic::TopicName;

    /// Rules as a session has them that stands outside of all tenants.
    fn set(rules: &[Rule]) -> RuleSet {
        let source = RuleSource::Operator;
        RuleSet::compile_unwalled(rules.iter().map(|rule| (&source, rule)), &NoVariables)
    }

    #[test]
    fn two_sets_are_compared_within_one_budget_and_what_is_beyond_it_counts_as_gained() {
        let pattern = |text: String| Pattern::parse(&text).unwrap();
        let allow = |text| Rule::allow(Action::Both, pattern(text));
        let deny = |text| Rule::deny(Action::Both, pattern(text));
        let mut rules: Vec<_> = (0..60).map(|it| allow(format!("a/{it}/+"))).collect();
        rules.extend((0..60).map(|it| allow(format!("+/{it}/+"))));
        let after = set(&rules);
        rules.extend((0..60).map(|it| deny(format!("a/+/{it}"))));
        let before = set(&rules);
        let compare = |steps: usize| {
            let (owners, mut steps) = (TopicOwners::new([], []), Steps(steps));
            let action = Action::Publish;
            let compared =
                RuleSet::compare_within(&before, &after, action, &owners, None, &mut steps);
            (compared, steps.0)
        };
        let (all, left) = compare(MOST_STEPS);
        assert!(all.iter().all(|it| it.has_gained_topic) && left > 0);
        assert_eq!(all.len(), 2 * 60 * 60);
        // Within a smaller one each deny that is gone is told whole.
        let (some, left) = compare(600);
        assert_eq!(left, 0);
        assert!(some.len() < 700, "{}", some.len());
        for topic in (0..60).map(|it| format!("a/7/{it}")) {
            let topic = TopicName::parse(&topic).unwrap();
            let is_told = |it: &Candidate| it.has_gained_topic && it.filter.matches(topic);
            assert!(some.iter().any(is_told), "{topic:?}");
        }
    }
}
