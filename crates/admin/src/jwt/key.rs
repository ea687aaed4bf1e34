//! The keys that sign the tokens of a tenant.

use core::time::Duration;

use countersign_core::change::Change;
use countersign_core::jwt::{KeyId, SigningKey};
use countersign_core::name::TenantId;
use countersign_core::time::Timestamp;
use countersign_core::token::{SIGNING_KEY, SealedTokenKey, TokenKey};
use zeroize::Zeroizing;

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::{self, Rows};
use crate::sealed::{self, KeyFileError};
use crate::view::AuditedKey;

/// A key that was made in the place of others.
#[derive(Clone, Debug)]
pub struct RotatedKey {
    /// The new key.
    pub key: TokenKey,
    /// Until when the signatures of the last one still count, if there was
    /// one.
    pub old_key_until: Option<Timestamp>,
}

/// Gives a tenant a new key. What the old one signed counts for `overlap` more.
#[derive(Clone, Debug)]
pub struct RotateKey {
    /// The tenant.
    pub tenant: TenantId,
    /// How long the signatures of the old key still count.
    pub overlap: Duration,
}

impl Command for RotateKey {
    type Output = RotatedKey;

    fn needs(&self) -> Permission {
        Permission::Administer(self.tenant.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<RotatedKey, AdminError> {
        let tenant = &self.tenant;
        lookup::tenant(tx, tenant)?;
        let until = tx.now.plus(self.overlap);
        let mut old_key_until = None;
        for old in tx.token_keys(tenant)? {
            if old.key.ends_at.is_none_or(|end| until < end) {
                tx.end_token_key(&old.key.id, until)?;
                old_key_until = Some(until);
            }
        }
        let (key, _) = make(tx, tenant)?;
        let rotated = RotatedKey { key, old_key_until };
        let after = AuditedKey::of(&rotated);
        tx.record("jwt.rotate-key", tenant.as_str(), None, Some(&after));
        tx.changed(Change::Tenant(tenant.clone()));
        Ok(rotated)
    }
}

/// The key that signs for a tenant now, made where there is none.
pub(super) fn current(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
) -> Result<(KeyId, SigningKey), AdminError> {
    let keys = tx.token_keys(tenant)?;
    let Some(sealed) = keys.iter().find(|sealed| sealed.key.ends_at.is_none()) else {
        let (made, key) = make(tx, tenant)?;
        return Ok((made.id, key));
    };
    match open(tx, sealed) {
        Ok(key) => Ok((sealed.key.id.clone(), key)),
        Err(KeyFileError::NoKey) => Err(KeyFileError::NoKey.into()),
        Err(why) => {
            let id = &sealed.key.id;
            Err(AdminError::new(
                ErrorKind::Unavailable,
                Subject::in_tenant(Noun::SigningKey, id, tenant),
                format!("key `{id}` of tenant `{tenant}` does not open: {why}"),
            ))
        }
    }
}

fn open(rows: &Rows<'_>, sealed: &SealedTokenKey) -> Result<SigningKey, KeyFileError> {
    let seal_key = rows.seal_key().ok_or(KeyFileError::NoKey)?;
    let subject = sealed.key.id.as_str().as_bytes();
    let seed = seal_key
        .open(SIGNING_KEY, subject, &sealed.private)
        .map_err(|_| KeyFileError::OtherKey)?;
    let seed: [u8; 32] = seed
        .as_slice()
        .try_into()
        .map_err(|_| KeyFileError::OtherKey)?;
    let key = SigningKey::from_seed(seed);
    // Else brokers could not verify what it signs.
    if key.verifying_key() == sealed.key.public {
        Ok(key)
    } else {
        Err(KeyFileError::OtherKey)
    }
}

fn make(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<(TokenKey, SigningKey), AdminError> {
    let seal_key = tx.seal_key().ok_or(KeyFileError::NoKey)?;
    let mut seed = Zeroizing::new([0; 32]);
    tx.random.fill(&mut *seed)?;
    let key = SigningKey::from_seed(*seed);
    let mut id = [0; 8];
    tx.random.fill(&mut id)?;
    let id = KeyId::generate(id);
    let private = sealed::seal(&seal_key, SIGNING_KEY, id.as_str(), key.seed(), tx.random)?;
    let made = SealedTokenKey {
        key: TokenKey {
            id,
            tenant: tenant.clone(),
            public: key.verifying_key(),
            created_at: tx.now,
            ends_at: None,
        },
        private,
    };
    tx.add_token_key(&made)?;
    Ok((made.key, key))
}
