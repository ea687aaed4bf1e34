//! What is sealed with the key file beside a store: seeds of second factors,
//! and the keys that sign tokens.

use countersign_core::kind::Kind;
use countersign_core::seal::{SealError, SealKey, Sealed};
use countersign_core::store::rows::{CredentialRows as _, TenantRows as _, TokenRows as _};
use countersign_core::store::{AdminStore, AdminTransaction, Intent, StoreError};
use countersign_core::token::SIGNING_KEY;
use countersign_core::user::SEED;

use crate::context::{Context, RandomError};

/// What of a store is sealed, and how much of it the key file opens.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SealedContent {
    /// How many users have a second factor.
    pub second_factors: usize,
    /// How many keys sign tokens.
    pub signing_keys: usize,
    /// How many of both do not open.
    pub unreadable: usize,
    /// Whether there is a key file.
    pub has_key: bool,
}

/// Looks at all that is sealed.
///
/// # Errors
///
/// Returns [`StoreError`] when the store can't be read.
pub fn look<S: AdminStore>(store: &mut S) -> Result<SealedContent, StoreError> {
    let mut transaction = store.begin(Intent::Read)?;
    let key = transaction.seal_key();
    let opens = |purpose: &str, subject: &str, sealed: &Sealed| {
        let opened = key
            .as_ref()
            .map(|key| key.open(purpose, subject.as_bytes(), sealed));
        opened.is_some_and(|opened| opened.is_ok())
    };
    let mut content = SealedContent {
        has_key: key.is_some(),
        ..SealedContent::default()
    };
    let mut unreadable = 0_usize;
    let mut judge = |is_open: bool| {
        unreadable = unreadable.saturating_add(usize::from(!is_open));
    };
    for user in transaction.users()? {
        if let Kind::User(about) = &user.kind
            && let Some(factor) = &about.second_factor
        {
            content.second_factors = content.second_factors.saturating_add(1);
            judge(opens(SEED, user.name.as_str(), &factor.seed));
        }
    }
    for tenant in transaction.tenants()? {
        for sealed in transaction.token_keys(&tenant.id)? {
            content.signing_keys = content.signing_keys.saturating_add(1);
            judge(opens(SIGNING_KEY, sealed.key.id.as_str(), &sealed.private));
        }
    }
    content.unreadable = unreadable;
    Ok(content)
}

/// The key of the store, which must be there.
pub(crate) fn require<T: AdminTransaction>(transaction: &T) -> Result<SealKey, KeyFileError> {
    transaction.seal_key().ok_or(KeyFileError::NoKey)
}

/// Seals something new.
pub(crate) fn seal(
    key: &SealKey,
    purpose: &str,
    subject: &str,
    plaintext: &[u8],
    context: &mut Context<'_>,
) -> Result<Sealed, KeyFileError> {
    let mut nonce = [0; 24];
    context.random.fill(&mut nonce)?;
    Ok(key.seal(purpose, subject.as_bytes(), nonce, plaintext)?)
}

/// Why something was not sealed or opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// It was sealed with another key file.
    #[error(
        "the key file beside the store is another one than it was sealed with; restore the right one from a backup"
    )]
    OtherKey,
    /// There is no key file.
    #[error(
        "the key file beside the store is missing or no key file, and second factors and tokens need it; restore it from a backup"
    )]
    NoKey,
    /// There was no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// It can't be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
}
