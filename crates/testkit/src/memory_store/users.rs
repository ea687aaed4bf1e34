//! What users have besides a credential.

use countersign_core::credential::CredentialId;
use countersign_core::kind::Kind;
use countersign_core::name::TenantId;
use countersign_core::secret::SecretDigest;
use countersign_core::store::StoreError;
use countersign_core::store::rows::UserRows;
use countersign_core::totp::Step;
use countersign_core::user::{RecoveryCode, RecoveryCodeId};

use super::MemoryTransaction;
use super::errors::gone;
use super::tables::{CredentialRow, Tables, next};

impl Tables {
    /// The row of a user.
    pub(super) fn user(&mut self, id: CredentialId) -> Result<&mut CredentialRow, StoreError> {
        let row = self.credentials.row(&id);
        row.filter(|row| matches!(row.credential.kind, Kind::User(_)))
            .ok_or_else(|| gone("the user"))
    }

    pub(super) fn recovery_codes_of(&self, id: CredentialId) -> Vec<RecoveryCode> {
        let own = self.recovery_codes.iter().filter(|(_, row)| row.0 == id);
        own.map(|(number, (_, digest))| RecoveryCode {
            id: RecoveryCodeId(*number),
            digest: digest.clone(),
        })
        .collect()
    }
}

impl UserRows for MemoryTransaction<'_> {
    fn put_recovery_codes(
        &mut self,
        user: CredentialId,
        codes: &[SecretDigest],
    ) -> Result<(), StoreError> {
        self.tables.user(user)?.last_step = None;
        self.tables
            .recovery_codes
            .remove_where(|_, (of, _)| *of == user);
        for code in codes {
            let number = next(&mut self.tables.last_numbers.recovery_code);
            self.tables.recovery_codes.put(number, (user, code.clone()));
        }
        Ok(())
    }

    fn platform_admins(&mut self) -> Result<Vec<CredentialId>, StoreError> {
        let is_one = |row: &CredentialRow| {
            let user = row.credential.kind.user();
            user.is_some_and(|user| user.is_platform_admin)
        };
        Ok(self
            .tables
            .credentials
            .keys_where(usize::MAX, |_, row| is_one(row)))
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

    fn put_last_step(&mut self, user: CredentialId, step: Step) -> Result<(), StoreError> {
        self.tables.user(user)?.last_step = Some(step);
        Ok(())
    }

    fn use_step(&mut self, user: CredentialId, step: Step) -> Result<bool, StoreError> {
        let has_factor = |kind: &Kind| match kind {
            Kind::User(user) => user.required_factor().is_some(),
            _ => false,
        };
        let row = self.tables.credentials.row(&user);
        let row = row.filter(|row| has_factor(&row.credential.kind) && row.last_step < Some(step));
        let used = row.map(|row| row.last_step = Some(step));
        Ok(used.is_some())
    }

    fn put_last_tenant(&mut self, user: CredentialId, tenant: &TenantId) -> Result<(), StoreError> {
        if let Kind::User(user) = &mut self.tables.user(user)?.credential.kind {
            user.last_tenant = Some(tenant.clone());
        }
        Ok(())
    }
}
