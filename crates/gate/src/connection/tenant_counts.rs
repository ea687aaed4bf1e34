//! How many connections each tenant has.

use countersign_core::name::TenantId;
use countersign_core::number_map::NumberMap;

/// How many connections of each tenant are open: a number for each that has one.
#[derive(Debug, Default)]
pub(crate) struct TenantCounts(NumberMap<TenantId, usize>);

impl TenantCounts {
    /// How many the tenant has.
    pub(crate) fn of(&self, id: &TenantId) -> usize {
        self.0.get(id).copied().unwrap_or(0)
    }

    /// Counts one more, if it works in a tenant.
    pub(crate) fn enter(&mut self, id: Option<&TenantId>) {
        let Some(id) = id else {
            return;
        };
        match self.0.get_mut(id) {
            Some(open) => *open = open.saturating_add(1),
            None => drop(self.0.insert(id.clone(), 1)),
        }
    }

    /// Counts one less, if it worked in a tenant.
    pub(crate) fn leave(&mut self, id: Option<&TenantId>) {
        let Some(id) = id else {
            return;
        };
        if let Some(open) = self.0.get_mut(id) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                self.0.remove(id);
            }
        }
    }
}
