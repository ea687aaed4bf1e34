//! What denies of patterns take away here, of lines that count before them there.

use countersign_admin::rule::MOST_RULES;
use countersign_core::rule::{Effect, Rule};

use super::Mapper;
use crate::mosquitto::pattern_denies::{lose_denied, names_user, of_divided_name};
use crate::place::Place;
use crate::plan::desired::DesiredRule;
use crate::written_rule::reach_of;

impl Mapper<'_> {
    /// Gives up each allow of a user, or of clients without a login, that a deny of
    /// a pattern would take away here.
    pub(super) fn lose_what_a_pattern_denies(&mut self) {
        let mut denies: Vec<(Rule, Option<Place>, bool)> = Vec::new();
        let mut place = None;
        for desired in &self.patterns {
            // What a line comes to besides stands behind it.
            let own = desired.item.as_ref().map(|item| item.place.clone());
            place = own.or(place);
            let rule = desired.rule.clone();
            if let Some(rule) = rule.filter(|rule| rule.effect() == Effect::Deny) {
                denies.push((rule, place.clone(), names_user(desired)));
            }
        }
        let fills_names = self.patterns.iter().any(names_user);
        for credential in self.users.iter_mut() {
            let name = &credential.name;
            let mut reaches: Vec<_> = denies
                .iter()
                .map(|(rule, place, _)| (reach_of(rule, Some(name)), place))
                .collect();
            let divided = denies.iter().take(MOST_RULES);
            let divided: Vec<_> = divided
                .filter_map(|(rule, place, _)| Some((of_divided_name(rule, name)?, place)))
                .collect();
            reaches.extend(
                divided
                    .iter()
                    .map(|(rule, place)| (reach_of(rule, None), *place)),
            );
            credential
                .rules
                .iter_mut()
                .for_each(|rule| lose_denied(rule, &reaches));
            if fills_names && name.contains('/') {
                let own = credential.password.item.as_mut();
                if let Some(item) = own.or(credential.items.first_mut()) {
                    item.change(DIVIDED_NAME);
                }
            }
            let divided = divided.into_iter().map(|(rule, _)| DesiredRule {
                item: None,
                rule: Some(rule),
            });
            credential.rules.extend(divided);
        }
        // Without a name, nothing that names the user counts.
        let reaches: Vec<_> = denies
            .iter()
            .filter(|(_, _, names_user)| !names_user)
            .map(|(rule, place, _)| (reach_of(rule, None), place))
            .collect();
        self.anonymous
            .iter_mut()
            .for_each(|rule| lose_denied(rule, &reaches));
    }
}

/// Of a user whose name fills several levels there.
const DIVIDED_NAME: &str = "its name holds `/` and fills no level here: what a pattern with `%u` \
                            allows it is not given, and what one denies it takes any level, too";
