//! Secrets of credentials.

use countersign_core::credential::CredentialId;
use countersign_core::name::LoginName;
use countersign_core::secret::{PasswordHash, SecretDigest, SecretId, StoredSecret, Verifier};
use countersign_core::store::rows::SecretRows;
use countersign_core::store::{Listed, Page, StoreError};
use countersign_core::time::Timestamp;

use super::MemoryTransaction;
use super::errors::{found, gone, taken};
use super::table::page_of;
use super::tables::{Tables, next};

impl Tables {
    /// The secrets of a credential, newest first.
    pub(super) fn secrets_of(&self, id: CredentialId) -> Vec<StoredSecret> {
        let newest_first = self.secrets.values().rev();
        let own = newest_first.filter(|(owner, _)| *owner == id);
        own.map(|(_, secret)| secret.clone()).collect()
    }

    /// Gives a credential one more secret.
    pub(super) fn add_secret(
        &mut self,
        owner: CredentialId,
        verifier: &Verifier,
    ) -> Result<SecretId, StoreError> {
        if let Verifier::Digest(digest) = verifier
            && self.credential_by_digest(digest).is_some()
        {
            return Err(taken("the secret"));
        }
        found(self.credentials.contains_key(&owner), "the credential")?;
        let id = SecretId(next(&mut self.last_numbers.secret));
        let secret = StoredSecret {
            id,
            verifier: verifier.clone(),
            ends_at: None,
            until_used: false,
            hint: None,
        };
        self.secrets.put(id, (owner, secret));
        Ok(id)
    }

    /// Changes a secret.
    pub(super) fn change_secret(
        &mut self,
        id: SecretId,
        change: impl FnOnce(&mut StoredSecret),
    ) -> Result<(), StoreError> {
        let row = self.secrets.row(&id);
        let changed = row.map(|(_, secret)| change(secret));
        changed.ok_or_else(|| gone("the secret"))
    }

    /// Keeps another hash of the same password, if this one is still kept.
    pub(super) fn replace_password_hash(
        &mut self,
        id: SecretId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) {
        let is_kept = match self.secrets.get(&id) {
            Some((_, secret)) => match &secret.verifier {
                Verifier::Digest(_) => false,
                Verifier::Password(hash) => hash.as_str() == old.as_str(),
            },
            None => false,
        };
        if is_kept && let Some((_, secret)) = self.secrets.row(&id) {
            secret.verifier = Verifier::Password(new.clone());
        }
    }
}

impl SecretRows for MemoryTransaction<'_> {
    fn has_secret(&mut self, owner: CredentialId, secret: SecretId) -> Result<bool, StoreError> {
        let row = self.tables.secrets.get(&secret);
        Ok(row.is_some_and(|(of, _)| *of == owner))
    }

    fn is_secret_taken(&mut self, digest: &SecretDigest) -> Result<bool, StoreError> {
        Ok(self.tables.credential_by_digest(digest).is_some())
    }

    fn names_with_password(
        &mut self,
        page: &Page<LoginName>,
    ) -> Result<Listed<LoginName>, StoreError> {
        let mut found = self.tables.credentials_where(|_| true);
        found.retain(|it| {
            let mut secrets = it.secrets.iter();
            secrets.any(|secret| matches!(secret.verifier, Verifier::Password(_)))
        });
        let names = found.into_iter().map(|it| it.name).collect();
        Ok(page_of(names, page))
    }

    fn add_secret(
        &mut self,
        credential: CredentialId,
        verifier: &Verifier,
    ) -> Result<SecretId, StoreError> {
        self.tables.add_secret(credential, verifier)
    }

    fn limit_secret(
        &mut self,
        secret: SecretId,
        ends_at: Option<Timestamp>,
        until_used: bool,
    ) -> Result<(), StoreError> {
        self.tables.change_secret(secret, |secret| {
            secret.ends_at = ends_at;
            secret.until_used = until_used;
        })
    }

    fn put_hint(&mut self, secret: SecretId, hint: &str) -> Result<(), StoreError> {
        self.tables
            .change_secret(secret, |secret| secret.hint = Some(hint.into()))
    }

    fn remove_secret(&mut self, secret: SecretId) -> Result<(), StoreError> {
        found(self.tables.secrets.remove(&secret), "the secret")
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
}
