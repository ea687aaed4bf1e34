//! What a broker writes down.

use std::time::Duration;

use countersign_core::audit::{AuditChain, AuditEntry};
use countersign_core::change::{Change, KickRequestId};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::jwt::{KeyId, TokenId};
use countersign_core::kind::Kind;
use countersign_core::ledger::{
    AnsweredKick, CredentialRows, CredentialUse, Durability, Ledger, LedgerTransaction,
    LockoutRows, Pace, RegistrationCount, RegistrationRows,
};
use countersign_core::lockout::Lockout;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::secret::SecretId;
use countersign_core::store::{Settings, StoreError};
use countersign_core::time::Timestamp;
use countersign_core::token::{TokenKey, TokenRecord};
use countersign_core::totp::Step;
use countersign_core::user::RecoveryCodeId;

use super::tables::LockoutRow;
use super::{MemoryStore, MemoryTransaction, gone};

impl Ledger for MemoryStore {
    type Writing<'a> = MemoryTransaction<'a>;

    fn begin_writing(
        &mut self,
        action: &'static str,
        pace: Pace,
    ) -> Result<MemoryTransaction<'_>, StoreError> {
        let patience = match pace {
            Pace::Host => Duration::from_millis(20),
            Pace::Journal => JOURNAL_WAIT,
        };
        self.writing(action, patience)
    }
}

impl LedgerTransaction for MemoryTransaction<'_> {
    fn settings(&mut self) -> Result<Settings, StoreError> {
        Ok(self.tables.settings)
    }

    fn append_audit(
        &mut self,
        chain: AuditChain,
        entries: &[AuditEntry],
    ) -> Result<(), StoreError> {
        self.tables.append_audit(chain, entries);
        Ok(())
    }

    fn append_change(&mut self, at: Timestamp, change: &Change) -> Result<(), StoreError> {
        self.tables.append_change(at, change);
        Ok(())
    }

    fn answer_kick(&mut self, id: KickRequestId) -> Result<Option<AnsweredKick>, StoreError> {
        Ok(self.tables.answer_kick(id))
    }

    fn commit(self, _durability: Durability) -> Result<(), StoreError> {
        self.put_in_place()
    }
}

impl CredentialRows for MemoryTransaction<'_> {
    fn use_credential(
        &mut self,
        seen: &Credential,
        change: &CredentialUse,
    ) -> Result<bool, StoreError> {
        let is_as_seen = |now: &Credential| {
            now.generation == seen.generation
                && now.state == seen.state
                && now.updated_at == seen.updated_at
                && (change.ties.is_none() || now.client_id_tie.is_none())
        };
        let row = self.tables.credentials.row(&seen.id);
        let Some(row) = row.filter(|row| is_as_seen(&row.credential)) else {
            return Ok(false);
        };
        let credential = &mut row.credential;
        credential.state = change.state;
        credential.ever_used |= change.activates;
        credential.client_id_tie = change.ties.or(credential.client_id_tie);
        credential.last_used_at = credential.last_used_at.max(Some(change.at));
        Ok(true)
    }

    fn note_use(&mut self, id: CredentialId, at: Timestamp) -> Result<(), StoreError> {
        if let Some(row) = self.tables.credentials.row(&id) {
            row.credential.last_used_at = row.credential.last_used_at.max(Some(at));
        }
        Ok(())
    }

    fn credential_by_id(&mut self, id: CredentialId) -> Result<Option<Credential>, StoreError> {
        Ok(self.tables.credential_by_id(id))
    }

    fn has_credential(&mut self, id: CredentialId) -> Result<bool, StoreError> {
        Ok(self.tables.credentials.contains_key(&id))
    }

    fn has_secret(&mut self, owner: CredentialId, secret: SecretId) -> Result<bool, StoreError> {
        let row = self.tables.secrets.get(&secret);
        Ok(row.is_some_and(|(of, _)| *of == owner))
    }

    fn retire_older_secrets(
        &mut self,
        owner: CredentialId,
        newest: SecretId,
    ) -> Result<(), StoreError> {
        self.tables
            .secrets
            .remove_where(|id, (of, secret)| *of == owner && secret.until_used && *id < newest);
        Ok(())
    }

    fn token(&mut self, id: &TokenId) -> Result<Option<TokenRecord>, StoreError> {
        Ok(self.tables.tokens.get(id).cloned())
    }

    fn token_key(&mut self, id: &KeyId) -> Result<Option<TokenKey>, StoreError> {
        Ok(self.tables.token_key(id))
    }

    fn put_last_step(&mut self, user: CredentialId, step: Step) -> Result<(), StoreError> {
        self.tables.user(user)?.last_step = Some(step);
        Ok(())
    }

    fn remove_recovery_code(
        &mut self,
        user: CredentialId,
        code: RecoveryCodeId,
    ) -> Result<bool, StoreError> {
        let codes = &mut self.tables.recovery_codes;
        let is_its = codes.get(&code.0).is_some_and(|(of, _)| *of == user);
        Ok(is_its && codes.remove(&code.0))
    }

    fn put_last_tenant(&mut self, user: CredentialId, tenant: &TenantId) -> Result<(), StoreError> {
        if let Kind::User(user) = &mut self.tables.user(user)?.credential.kind {
            user.last_tenant = Some(tenant.clone());
        }
        Ok(())
    }
}

impl LockoutRows for MemoryTransaction<'_> {
    fn lockout(&mut self, email: &LoginName) -> Result<Lockout, StoreError> {
        Ok(self.tables.lockout(email))
    }

    fn put_lockout(
        &mut self,
        email: &LoginName,
        lockout: &Lockout,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let is_users = |it: &Credential| it.name == *email && matches!(it.kind, Kind::User(_));
        let row = LockoutRow {
            lockout: *lockout,
            is_known: self.tables.find(is_users).is_some(),
            updated_at: at,
        };
        let is_known = row.is_known;
        self.tables.lockouts.put(email.clone(), row);
        Ok(is_known)
    }

    fn clear_lockout(&mut self, email: &LoginName) -> Result<(), StoreError> {
        self.tables.lockouts.remove(email);
        Ok(())
    }

    fn keep_unknown_lockouts(&mut self, most: usize, newest: &LoginName) -> Result<(), StoreError> {
        let lockouts = &mut self.tables.lockouts;
        let is_older = |name: &LoginName, row: &LockoutRow| !row.is_known && name != newest;
        let count = lockouts.iter().filter(|(name, row)| is_older(name, row));
        let too_many = (count.count() + 1).saturating_sub(most);
        if too_many > 0 {
            let mut older = lockouts.keys_where(usize::MAX, is_older);
            older.sort_by_key(|name| lockouts.get(name).map(|row| row.updated_at));
            for name in older.iter().take(too_many) {
                lockouts.remove(name);
            }
        }
        Ok(())
    }
}

impl RegistrationRows for MemoryTransaction<'_> {
    fn registration_count(
        &mut self,
        application: CredentialId,
    ) -> Result<RegistrationCount, StoreError> {
        let row = self.tables.credentials.get(&application);
        let registers = row.and_then(|row| row.registers.as_ref());
        let (_, count) = registers.ok_or_else(|| gone("the application"))?;
        Ok(*count)
    }

    fn count_registration(
        &mut self,
        application: CredentialId,
        count: RegistrationCount,
    ) -> Result<(), StoreError> {
        let row = self.tables.credentials.row(&application);
        if let Some((registers, last)) = row.and_then(|row| row.registers.as_mut()) {
            registers.registered += 1;
            *last = count;
        }
        Ok(())
    }

    fn add_credential(&mut self, credential: &Credential) -> Result<CredentialId, StoreError> {
        self.tables.add_credential(credential)
    }
}

/// How long a broker waits off the host's thread.
pub(super) const JOURNAL_WAIT: Duration = Duration::from_secs(1);
