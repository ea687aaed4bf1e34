//! The keys that sign the tokens of a tenant.

use core::time::Duration;

use countersign_core::change::Change;
use countersign_core::jwt::{KeyId, SigningKey};
use countersign_core::name::TenantId;
use countersign_core::store::rows::TokenRows as _;
use countersign_core::store::{AdminStore, AdminTransaction, Intent};
use countersign_core::time::Timestamp;
use countersign_core::token::{SIGNING_KEY, SealedTokenKey, TokenKey};
use zeroize::Zeroizing;

use super::JwtError;
use crate::context::Context;
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
///
/// # Errors
///
/// Returns [`JwtError`] when there is no such tenant, when there is no key
/// file, or when the store can't be written; nothing changed then.
pub fn rotate_key<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    tenant: &TenantId,
    overlap: Duration,
) -> Result<RotatedKey, JwtError> {
    let mut transaction = store.begin(Intent::Write)?;
    lookup::tenant(&mut Rows::of(&mut transaction), tenant)?;
    let until = context.now.plus(overlap);
    let mut old_key_until = None;
    for old in transaction.token_keys(tenant)? {
        if old.key.ends_at.is_none_or(|end| until < end) {
            transaction.end_token_key(&old.key.id, until)?;
            old_key_until = Some(until);
        }
    }
    let (id, _) = make(&mut transaction, tenant, context)?;
    let keys = transaction.token_keys(tenant)?;
    let made = keys.into_iter().find(|sealed| sealed.key.id == id);
    let key = made.ok_or(JwtError::NoKey { key: id })?.key;
    let rotated = RotatedKey { key, old_key_until };
    let row = context.audit(
        "jwt.rotate-key",
        tenant.as_str(),
        None::<&AuditedKey>,
        Some(&AuditedKey::of(&rotated)),
    );
    transaction.commit(&[row], &[Change::Tenant(tenant.clone())])?;
    Ok(rotated)
}

/// The key that signs for a tenant now, made where there is none.
pub(super) fn current<T: AdminTransaction>(
    transaction: &mut T,
    tenant: &TenantId,
    context: &mut Context<'_>,
) -> Result<(KeyId, SigningKey), JwtError> {
    let keys = transaction.token_keys(tenant)?;
    let Some(sealed) = keys.iter().find(|sealed| sealed.key.ends_at.is_none()) else {
        return make(transaction, tenant, context);
    };
    match open(transaction, sealed) {
        Ok(key) => Ok((sealed.key.id.clone(), key)),
        Err(KeyFileError::NoKey) => Err(KeyFileError::NoKey.into()),
        Err(why) => Err(JwtError::KeyUnreadable {
            key: sealed.key.id.clone(),
            tenant: tenant.clone(),
            why,
        }),
    }
}

fn open<T: AdminTransaction>(
    transaction: &T,
    sealed: &SealedTokenKey,
) -> Result<SigningKey, KeyFileError> {
    let seal_key = transaction.seal_key().ok_or(KeyFileError::NoKey)?;
    let subject = sealed.key.id.as_str().as_bytes();
    let seed = seal_key
        .open(SIGNING_KEY, subject, &sealed.private)
        .map_err(|_| KeyFileError::OtherKey)?;
    let seed: [u8; 32] = seed
        .as_slice()
        .try_into()
        .map_err(|_| KeyFileError::OtherKey)?;
    let key = SigningKey::from_seed(seed);
    // Else nobody could verify what it signs.
    if key.verifying_key() == sealed.key.public {
        Ok(key)
    } else {
        Err(KeyFileError::OtherKey)
    }
}

fn make<T: AdminTransaction>(
    transaction: &mut T,
    tenant: &TenantId,
    context: &mut Context<'_>,
) -> Result<(KeyId, SigningKey), JwtError> {
    let seal_key = transaction.seal_key().ok_or(KeyFileError::NoKey)?;
    let mut seed = Zeroizing::new([0; 32]);
    context.random.fill(&mut *seed)?;
    let key = SigningKey::from_seed(*seed);
    let mut id = [0; 8];
    context.random.fill(&mut id)?;
    let id = KeyId::generate(id);
    let private = sealed::seal(
        &seal_key,
        SIGNING_KEY,
        id.as_str(),
        key.seed(),
        context.random,
    )?;
    transaction.add_token_key(&SealedTokenKey {
        key: TokenKey {
            id: id.clone(),
            tenant: tenant.clone(),
            public: key.verifying_key(),
            created_at: context.now,
            ends_at: None,
        },
        private,
    })?;
    Ok((id, key))
}
