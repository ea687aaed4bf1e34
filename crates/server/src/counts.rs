//! What the service counts of itself since it started.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the service counts.
#[derive(Debug, Default)]
pub(crate) struct ServiceCounts {
    counted: Mutex<Counted>,
    /// Whether uses are told by tenant.
    pub(crate) is_by_tenant: bool,
}

/// There are as many as routes, statuses and words of the audit.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub(crate) requests: BTreeMap<(&'static str, u16), u64>,
    pub(crate) acts: BTreeMap<String, u64>,
}

impl ServiceCounts {
    /// Counts nothing yet; whether uses are told by tenant.
    pub(crate) fn of(is_by_tenant: bool) -> Self {
        Self {
            counted: Mutex::default(),
            is_by_tenant,
        }
    }

    /// Counts a request that was answered.
    pub(crate) fn add_request(&self, route: &'static str, status: u16) {
        let mut counted = self.lock();
        let count = counted.requests.entry((route, status)).or_default();
        *count = count.saturating_add(1);
    }

    /// Counts acts that were done, by the word that the audit has for them.
    pub(crate) fn add_acts(&self, act: &str, count: u64) {
        if count == 0 {
            return;
        }
        let mut counted = self.lock();
        let sum = counted.acts.entry(act.to_owned()).or_default();
        *sum = sum.saturating_add(count);
    }

    /// Nothing under this lock can panic half done.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
