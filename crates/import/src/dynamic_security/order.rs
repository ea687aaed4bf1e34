//! In which order dynamic-security asks the roles of its clients.

use std::collections::{BTreeSet, HashMap, HashSet};

use countersign_control::acl::asked_before;

use crate::source::dynamic_security::{DynamicSecurity, Membership};

/// For each pair of roles, by their places in the file, whether one holder of both
/// has the first asked before the second.
pub(super) struct Order {
    before: HashSet<(usize, usize)>,
    /// The roles that some holder of each has as well.
    together: HashMap<usize, BTreeSet<usize>>,
}

/// What a group brings to a member: its priority, its name, and its roles in order.
type OfGroup<'a> = (i64, &'a str, Vec<usize>);

impl Order {
    /// The order of all clients, and of those without a name.
    pub(super) fn of(read: &DynamicSecurity) -> Self {
        let places: HashMap<&str, usize> = read.roles.iter().map(|it| &*it.name).zip(0..).collect();
        let in_order = |roles: &[Membership]| -> Vec<usize> {
            let mut roles: Vec<&Membership> = roles.iter().collect();
            roles.sort_by(|one, other| {
                asked_before((one.priority, &one.name), (other.priority, &other.name))
            });
            let found = roles.iter().filter_map(|role| places.get(&*role.name));
            found.copied().collect()
        };
        let mut groups: HashMap<&str, Vec<OfGroup<'_>>> = HashMap::new();
        for group in &read.groups {
            let roles = in_order(&group.roles);
            for member in &group.clients {
                let entry = (member.priority, &*group.name, roles.clone());
                groups.entry(&member.name).or_default().push(entry);
            }
        }
        let mut sequences: HashSet<Vec<usize>> = HashSet::new();
        for client in &read.clients {
            let mut sequence = in_order(&client.roles);
            let mut own = groups.remove(&*client.username).unwrap_or_default();
            own.sort_by(|one, other| asked_before((one.0, one.1), (other.0, other.1)));
            sequence.extend(own.into_iter().flat_map(|(_, _, roles)| roles));
            sequences.insert(sequence);
        }
        if let Some(anonymous) = &read.anonymous_group {
            let group = read
                .groups
                .iter()
                .find(|group| group.name == anonymous.name);
            sequences.extend(group.map(|group| in_order(&group.roles)));
        }
        let mut before = HashSet::new();
        for sequence in &sequences {
            for (at, first) in sequence.iter().enumerate() {
                let later = sequence.iter().skip(at.saturating_add(1));
                before.extend(later.map(|second| (*first, *second)));
            }
        }
        let mut together: HashMap<usize, BTreeSet<usize>> = HashMap::new();
        for (first, second) in before.iter().filter(|(first, second)| first != second) {
            together.entry(*first).or_default().insert(*second);
            together.entry(*second).or_default().insert(*first);
        }
        Self { before, together }
    }

    /// The other roles that some holder of this one has.
    pub(super) fn held_with(&self, role: usize) -> impl Iterator<Item = usize> {
        self.together.get(&role).into_iter().flatten().copied()
    }

    /// Whether some holder has the first role asked before the second. Of one role
    /// nothing is said.
    pub(super) fn is_before(&self, first: usize, second: usize) -> bool {
        first != second && self.before.contains(&(first, second))
    }
}
