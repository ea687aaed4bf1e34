//! Web sessions.

use countersign_core::credential::CredentialId;
use countersign_core::name::TenantId;
use countersign_core::secret::SecretDigest;
use countersign_core::store::StoreError;
use countersign_core::store::rows::WebSessionRows;
use countersign_core::time::Timestamp;
use countersign_core::web_session::{WebSession, WebSessionId};

use super::MemoryTransaction;
use super::errors::{found, taken};
use super::tables::{Tables, next};

impl Tables {
    fn add_web_session(
        &mut self,
        session: &WebSession,
        digest: &SecretDigest,
    ) -> Result<WebSessionId, StoreError> {
        if self.web_sessions.values().any(|(_, known)| known == digest) {
            return Err(taken("there is a web session of this digest"));
        }
        found(self.credentials.contains_key(&session.user), "the user")?;
        let id = WebSessionId(next(&mut self.last_numbers.web_session));
        let session = WebSession {
            id,
            ..session.clone()
        };
        self.web_sessions.put(id, (session, digest.clone()));
        Ok(id)
    }
}

impl WebSessionRows for MemoryTransaction<'_> {
    fn web_session(&mut self, id: WebSessionId) -> Result<Option<WebSession>, StoreError> {
        Ok(self.tables.web_sessions.get(&id).map(|(it, _)| it.clone()))
    }

    fn web_session_by_digest(
        &mut self,
        digest: &SecretDigest,
    ) -> Result<Option<WebSession>, StoreError> {
        let mut sessions = self.tables.web_sessions.values();
        let found = sessions.find(|(_, known)| known == digest);
        Ok(found.map(|(session, _)| session.clone()))
    }

    fn web_sessions_of(&mut self, user: CredentialId) -> Result<Vec<WebSession>, StoreError> {
        let sessions = self.tables.web_sessions.values().map(|(it, _)| it);
        Ok(sessions.filter(|it| it.user == user).cloned().collect())
    }

    fn count_web_sessions(&mut self) -> Result<u64, StoreError> {
        Ok(self.tables.web_sessions.len() as u64)
    }

    fn add_web_session(
        &mut self,
        session: &WebSession,
        digest: &SecretDigest,
    ) -> Result<WebSessionId, StoreError> {
        self.tables.add_web_session(session, digest)
    }

    fn use_web_session(&mut self, id: WebSessionId, at: Timestamp) -> Result<(), StoreError> {
        if let Some((session, _)) = self.tables.web_sessions.row(&id) {
            session.last_used_at = at;
        }
        Ok(())
    }

    fn switch_web_session(
        &mut self,
        id: WebSessionId,
        tenant: &TenantId,
    ) -> Result<(), StoreError> {
        if let Some((session, _)) = self.tables.web_sessions.row(&id) {
            session.tenant = Some(tenant.clone());
        }
        Ok(())
    }

    fn remove_web_session(&mut self, id: WebSessionId) -> Result<bool, StoreError> {
        Ok(self.tables.web_sessions.remove(&id))
    }

    fn remove_web_sessions_of(&mut self, user: CredentialId) -> Result<usize, StoreError> {
        let sessions = &mut self.tables.web_sessions;
        Ok(sessions.remove_where(|_, (it, _)| it.user == user))
    }

    fn remove_idle_web_sessions(
        &mut self,
        at: Timestamp,
        most: usize,
    ) -> Result<usize, StoreError> {
        let sessions = &mut self.tables.web_sessions;
        Ok(sessions.remove_some(most, |_, (it, _)| it.last_used_at < at))
    }
}
