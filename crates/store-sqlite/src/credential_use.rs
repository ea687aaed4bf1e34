//! What logins change of credentials.

use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::jwt::{KeyId, TokenId};
use countersign_core::ledger::{CredentialRows, CredentialUse};
use countersign_core::name::TenantId;
use countersign_core::secret::SecretId;
use countersign_core::store::StoreError;
use countersign_core::time::Timestamp;
use countersign_core::token::{TokenKey, TokenRecord};
use countersign_core::totp::Step;
use countersign_core::user::RecoveryCodeId;
use rusqlite::params;

use crate::ledger::SqliteWriting;
use crate::{read_rows, tokens, users};

impl CredentialRows for SqliteWriting<'_> {
    fn use_credential(
        &mut self,
        seen: &Credential,
        change: &CredentialUse,
    ) -> Result<bool, StoreError> {
        let ties = change.ties.map(|ClientIdTie(hash)| hash);
        self.run(|connection| {
            let updated = connection
                .prepare_cached(
                    "UPDATE credential
                     SET state = ?1,
                         ever_used = max(ever_used, ?2),
                         client_id_tie = coalesce(?3, client_id_tie),
                         bound_to = coalesce(?3, bound_to),
                         last_used_at = max(coalesce(last_used_at, ?4), ?4)
                     WHERE id = ?5 AND generation = ?6 AND state = ?7 AND updated_at = ?8
                         AND (?3 IS NULL OR client_id_tie IS NULL)",
                )?
                .execute(params![
                    change.state.as_str(),
                    change.activates,
                    ties,
                    change.at.as_millis(),
                    seen.id.0,
                    seen.generation.0,
                    seen.state.as_str(),
                    seen.updated_at.as_millis(),
                ])?;
            Ok(updated > 0)
        })
    }

    fn note_use(&mut self, id: CredentialId, at: Timestamp) -> Result<(), StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached(
                    "UPDATE credential SET last_used_at = ?2
                     WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)",
                )?
                .execute([id.0, at.as_millis()])?;
            Ok(())
        })
    }

    fn credential_by_id(&mut self, id: CredentialId) -> Result<Option<Credential>, StoreError> {
        self.run(|connection| read_rows::credential_by_id(connection, id))
    }

    fn has_credential(&mut self, id: CredentialId) -> Result<bool, StoreError> {
        self.run(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT 1 FROM credential WHERE id = ?1")?;
            Ok(statement.exists([id.0])?)
        })
    }

    fn has_secret(&mut self, owner: CredentialId, secret: SecretId) -> Result<bool, StoreError> {
        self.run(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT 1 FROM secret WHERE id = ?1 AND credential = ?2")?;
            Ok(statement.exists([secret.0, owner.0])?)
        })
    }

    fn retire_older_secrets(
        &mut self,
        owner: CredentialId,
        newest: SecretId,
    ) -> Result<(), StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached(
                    "DELETE FROM secret WHERE credential = ?1 AND until_used = 1 AND id < ?2",
                )?
                .execute([owner.0, newest.0])?;
            Ok(())
        })
    }

    fn token(&mut self, id: &TokenId) -> Result<Option<TokenRecord>, StoreError> {
        self.run(|connection| tokens::token(connection, id))
    }

    fn token_key(&mut self, id: &KeyId) -> Result<Option<TokenKey>, StoreError> {
        self.run(|connection| tokens::key(connection, id))
    }

    fn put_last_step(&mut self, user: CredentialId, step: Step) -> Result<(), StoreError> {
        self.run(|connection| users::put_last_step(connection, user, step))
    }

    fn remove_recovery_code(
        &mut self,
        user: CredentialId,
        code: RecoveryCodeId,
    ) -> Result<bool, StoreError> {
        self.run(|connection| {
            let removed = connection
                .prepare_cached("DELETE FROM recovery_code WHERE id = ?1 AND credential = ?2")?
                .execute([code.0, user.0])?;
            Ok(removed > 0)
        })
    }

    fn put_last_tenant(&mut self, user: CredentialId, tenant: &TenantId) -> Result<(), StoreError> {
        self.run(|connection| users::put_last_tenant(connection, user, tenant))
    }
}
