//! The keys that sign the tokens of a tenant.

use core::time::Duration;

use countersign_core::change::Change;
use countersign_core::jwt::{KeyId, SigningKey};
use countersign_core::name::TenantId;
use countersign_core::store::Intent;
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

/// Lists the keys of a tenant, newest first, those among them that count no more.
#[derive(Clone, Debug)]
pub struct ListKeys {
    /// The tenant.
    pub tenant: TenantId,
}

/// A key as it is listed.
#[derive(Clone, Debug)]
pub struct ShownKey {
    /// Its public half.
    pub key: TokenKey,
    /// Whether what it signed counts now.
    pub is_valid: bool,
}

impl Command for ListKeys {
    type Output = Vec<ShownKey>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::See(self.tenant.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<ShownKey>, AdminError> {
        lookup::tenant(tx, &self.tenant)?;
        let now = tx.now;
        let keys = tx.token_keys(&self.tenant)?.into_iter();
        let shown = keys.map(|SealedTokenKey { key, .. }| ShownKey {
            is_valid: key.ends_at.is_none_or(|end| now < end),
            key,
        });
        Ok(shown.collect())
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

/// Makes room for one more key of a tenant.
///
/// A token whose key is gone proves nothing, so that to remove a key that ended
/// admits no client.
fn make_room(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<(), AdminError> {
    if tx.token_keys(tenant)?.len() < MOST_KEYS {
        return Ok(());
    }
    let now = tx.now;
    tx.remove_ended_token_keys(tenant, now)?;
    if tx.token_keys(tenant)?.len() < MOST_KEYS {
        return Ok(());
    }
    let message = format!(
        "tenant `{tenant}` has {MOST_KEYS} keys that count, and may have no more; revoke some of \
         them, or wait until they end"
    );
    let subject = Subject::in_tenant(Noun::SigningKey, "", tenant);
    Err(AdminError::new(ErrorKind::Conflict, subject, message))
}

fn make(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<(TokenKey, SigningKey), AdminError> {
    let seal_key = tx.seal_key().ok_or(KeyFileError::NoKey)?;
    make_room(tx, tenant)?;
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

/// As many keys of one tenant as are kept at once.
pub(super) const MOST_KEYS: usize = 100;
