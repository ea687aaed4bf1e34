//! Which sessions are in which groups of tenants.

use std::collections::BTreeMap;

use countersign_core::name::{GroupPath, TenantId};

use crate::connection::handle_index::Handles;
use crate::connection::session::Session;
use crate::host::Handle;

/// The handles of the sessions that are in each group.
///
/// It holds an entry for each group of each session, so it grows with the sessions
/// and with [`MOST_GROUPS`](countersign_core::credential::MOST_GROUPS).
#[derive(Debug, Default)]
pub(crate) struct GroupIndex(BTreeMap<(TenantId, GroupPath), Handles>);

impl GroupIndex {
    /// Adds a session to the groups that it is in.
    pub(crate) fn enter(&mut self, session: &Session, handle: Handle) {
        if let Some(tenant) = &session.tenant {
            for group in session.groups() {
                self.add(tenant, group, handle);
            }
        }
    }

    /// Removes a session from the groups that it is in.
    pub(crate) fn leave(&mut self, session: &Session, handle: Handle) {
        if let Some(tenant) = &session.tenant {
            for group in session.groups() {
                self.remove(tenant, group, handle);
            }
        }
    }

    /// Adds a handle to a group.
    fn add(&mut self, tenant: &TenantId, group: &GroupPath, handle: Handle) {
        let key = (tenant.clone(), group.clone());
        let handles = self.0.entry(key).or_insert(Handles::One(handle));
        handles.add(handle);
    }

    /// Removes a handle from a group.
    fn remove(&mut self, tenant: &TenantId, group: &GroupPath, handle: Handle) {
        let key = (tenant.clone(), group.clone());
        if let Some(handles) = self.0.get_mut(&key)
            && handles.remove(handle)
        {
            self.0.remove(&key);
        }
    }

    /// The handles in a group and in those below it; one may come several times.
    pub(crate) fn in_or_below(
        &self,
        tenant: &TenantId,
        group: &GroupPath,
    ) -> impl Iterator<Item = Handle> {
        // Those below a group begin with its path, and so do others: `DM-X` and `DMX`
        // with `DM`.
        let from = self.0.range((tenant.clone(), group.clone())..);
        let begin_so = from.take_while(move |((of, path), _)| {
            of == tenant && path.as_str().starts_with(group.as_str())
        });
        let covered = begin_so.filter(move |((_, path), _)| group.covers(path));
        covered.flat_map(|(_, handles)| handles.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_found_in_its_groups_and_in_those_above_until_it_is_removed() {
        let tenant = |id| TenantId::parse(id).unwrap();
        let group = |path| GroupPath::parse(path).unwrap();
        let mut index = GroupIndex::default();
        for (id, path, handle) in [
            ("acme", "DM", 1),
            ("acme", "DM.X", 2),
            ("acme", "DM.X.Y", 3),
            ("acme", "DM-X", 4),
            ("acme", "DMX", 5),
            ("acme", "A", 2),
            ("other", "DM.X", 6),
        ] {
            index.add(&tenant(id), &group(path), Handle(handle));
        }
        let found = |index: &GroupIndex, id, path| {
            let (tenant, group) = (tenant(id), group(path));
            let handles = index.in_or_below(&tenant, &group);
            let mut handles: Vec<_> = handles.map(|handle| handle.0).collect();
            handles.sort_unstable();
            handles
        };
        for (id, path, expected) in [
            ("acme", "DM", vec![1, 2, 3]),
            ("acme", "DM.X", vec![2, 3]),
            ("acme", "A", vec![2]),
            ("acme", "DM.X.Y.Z", vec![]),
            ("acme", "D", vec![]),
            ("other", "DM", vec![6]),
            ("third", "DM", vec![]),
        ] {
            assert_eq!(found(&index, id, path), expected, "{id} {path}");
        }
        index.remove(&tenant("acme"), &group("DM.X"), Handle(2));
        index.remove(&tenant("acme"), &group("DM.X"), Handle(3));
        assert_eq!(found(&index, "acme", "DM"), [1, 3]);
        index.remove(&tenant("other"), &group("DM.X"), Handle(6));
        assert!(found(&index, "other", "DM").is_empty());
        assert_eq!(index.0.len(), 5);
    }
}
