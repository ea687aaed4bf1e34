//! Client ids that stand for all others, where it is not known which one a
//! session will have.

use std::collections::BTreeSet;

use super::{Grants, PrincipalVariables};
use crate::rule::{Namespaces, Variable};

impl Grants {
    /// Client ids such that any other one has the same rights as one of these,
    /// apart from the id itself; [`UNKNOWN_CLIENT_ID`] is the first.
    ///
    /// The others can't stand in a level, can't stand in a first one, or make a
    /// level of a rule equal to a level of another rule or a namespace.
    #[must_use]
    pub fn telling_client_ids(
        &self,
        values: &PrincipalVariables<'_>,
        namespaces: &Namespaces,
    ) -> Vec<String> {
        let patterns = || self.iter().map(|(_, rule)| rule.pattern());
        let mut ids = vec![UNKNOWN_CLIENT_ID.to_owned()];
        let is_open = |variable| variable == Variable::ClientId;
        if !patterns().any(|pattern| pattern.variables().any(is_open)) {
            return ids;
        }
        let literals: BTreeSet<String> = patterns()
            .flat_map(|pattern| pattern.literal_levels(values))
            .chain(namespaces.iter().flat_map(|namespace| {
                let levels = namespace.as_str().split('/');
                levels
                    .filter(|it| !matches!(*it, "+" | "#"))
                    .map(str::to_owned)
            }))
            .collect();
        let mut found = BTreeSet::new();
        for pattern in patterns() {
            for literal in &literals {
                found.extend(pattern.client_ids_for(literal, values));
                if found.len() > MOST {
                    break;
                }
            }
        }
        ids.extend(["/".to_owned(), format!("${UNKNOWN_CLIENT_ID}")]);
        ids.extend(found);
        ids
    }
}

/// Stands for a client id that is none of those that stand in rules.
pub const UNKNOWN_CLIENT_ID: &str = "\u{1}";

/// How many client ids are looked at, apart from those of one pattern.
const MOST: usize = 1_000;
