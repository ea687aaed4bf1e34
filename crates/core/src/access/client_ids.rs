//! Client ids that stand for all others, where it is not known which one a
//! session will have.

use std::collections::BTreeSet;

use super::Access;
use crate::rule::Variable;

/// Client ids such that any other one has the same rights as one of these,
/// apart from the id itself, by each of several accesses of one principal;
/// [`UNKNOWN_CLIENT_ID`] is the first.
///
/// The others can't stand in a level, can't stand in a first one, or make a
/// level of a rule equal to a level of another rule or a namespace.
#[must_use]
pub fn telling_client_ids(accesses: &[&Access<'_>]) -> Vec<String> {
    let patterns = || {
        accesses.iter().flat_map(|access| {
            let values = access.variables;
            let rules = access.grants.iter();
            rules.map(move |(_, rule)| (rule.pattern(), values))
        })
    };
    let mut ids = vec![UNKNOWN_CLIENT_ID.to_owned()];
    let is_open = |variable| variable == Variable::ClientId;
    if !patterns().any(|(pattern, _)| pattern.variables().any(is_open)) {
        return ids;
    }
    let owned = accesses
        .iter()
        .filter_map(|access| access.tenant.as_deref())
        .flat_map(|tenant| tenant.namespaces.iter());
    let literals: BTreeSet<String> = patterns()
        .flat_map(|(pattern, values)| pattern.literal_levels(&values))
        .chain(owned.flat_map(|namespace| {
            let levels = namespace.as_str().split('/');
            levels
                .filter(|it| !matches!(*it, "+" | "#"))
                .map(str::to_owned)
        }))
        .collect();
    let mut found = BTreeSet::new();
    for (pattern, values) in patterns() {
        for literal in &literals {
            found.extend(pattern.client_ids_for(literal, &values));
            if found.len() > MOST {
                break;
            }
        }
    }
    ids.extend(["/".to_owned(), format!("${UNKNOWN_CLIENT_ID}")]);
    ids.extend(found);
    ids
}

/// Stands for a client id that is none of those that stand in rules.
pub const UNKNOWN_CLIENT_ID: &str = "\u{1}";

/// How many client ids are looked at, apart from those of one pattern.
const MOST: usize = 1_000;
