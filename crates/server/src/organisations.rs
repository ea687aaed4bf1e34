//! Which tenants web sessions work in that switched: what one door's clients call their
//! organisation.
//!
//! It is kept in memory. A session that this process does not remember works in none
//! until it switches again, where its user has several.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_core::name::TenantId;
use countersign_core::time::Timestamp;
use countersign_core::web_session::{WebSession, WebSessionId};

/// The tenants that sessions switched to.
#[derive(Debug, Default)]
pub(crate) struct Organisations(Mutex<BTreeMap<WebSessionId, Switched>>);

#[derive(Debug)]
struct Switched {
    tenant: TenantId,
    at: Timestamp,
}

impl Organisations {
    /// The tenant that a session switched to.
    pub(crate) fn of(&self, session: WebSessionId) -> Option<TenantId> {
        self.lock().get(&session).map(|it| it.tenant.clone())
    }

    /// Has a session work in a tenant; says whether there is room to remember it.
    pub(crate) fn switch(&self, session: WebSessionId, tenant: TenantId, now: Timestamp) -> bool {
        let mut switched = self.lock();
        if switched.len() >= MOST && !switched.contains_key(&session) {
            // No session lasts longer.
            switched.retain(|_, it| now.since(it.at) < WebSession::LONGEST);
            if switched.len() >= MOST {
                return false;
            }
        }
        switched.insert(session, Switched { tenant, at: now });
        true
    }

    /// Nothing under this lock can panic half done.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<WebSessionId, Switched>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So many sessions are remembered.
const MOST: usize = if cfg!(test) { 3 } else { 10_000 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_remembered_as_there_is_room_and_the_oldest_make_room_when_they_are_over() {
        let organisations = Organisations::default();
        let tenant = |name: &str| TenantId::parse(name).unwrap();
        let now = Timestamp::from_millis(0);
        let switch = |id, name, now| organisations.switch(WebSessionId(id), tenant(name), now);
        for id in 1..=3 {
            assert!(switch(id, "acme", now));
        }
        assert!(!switch(4, "acme", now));
        // One that is remembered needs no more room.
        assert!(switch(3, "other", now));
        assert_eq!(organisations.of(WebSessionId(3)), Some(tenant("other")));
        assert_eq!(organisations.of(WebSessionId(4)), None);
        assert!(switch(4, "acme", now.plus(WebSession::LONGEST)));
        assert_eq!(organisations.of(WebSessionId(1)), None);
    }
}
