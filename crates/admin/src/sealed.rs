//! What is sealed with the key file beside a store: seeds of second factors,
//! and the keys that sign tokens.

use countersign_core::kind::Kind;
use countersign_core::scheme::RandomSource;
use countersign_core::seal::{SealError, SealKey, Sealed};
use countersign_core::store::{Intent, all_rows};
use countersign_core::token::SIGNING_KEY;
use countersign_core::user::SEED;

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};

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

/// Counts what is sealed, and what of it the key file opens.
#[derive(Clone, Copy, Debug)]
pub struct CountSealed;

impl Command for CountSealed {
    type Output = SealedContent;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<SealedContent, AdminError> {
        let key = tx.seal_key();
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
        for user in all_rows(|page| tx.users(page))? {
            if let Kind::User(about) = &user.kind
                && let Some(factor) = &about.second_factor
            {
                content.second_factors = content.second_factors.saturating_add(1);
                judge(opens(SEED, user.name.as_str(), &factor.seed));
            }
        }
        for tenant in all_rows(|page| tx.tenants(page))? {
            for sealed in tx.token_keys(&tenant.id)? {
                content.signing_keys = content.signing_keys.saturating_add(1);
                judge(opens(SIGNING_KEY, sealed.key.id.as_str(), &sealed.private));
            }
        }
        content.unreadable = unreadable;
        Ok(content)
    }
}

/// Seals something new.
///
/// # Errors
///
/// Returns [`AdminError`] when there is no randomness, or when it is too long.
pub(crate) fn seal(
    key: &SealKey,
    purpose: &str,
    subject: &str,
    plaintext: &[u8],
    random: &mut dyn RandomSource,
) -> Result<Sealed, AdminError> {
    let mut nonce = [0; 24];
    random.fill(&mut nonce)?;
    let sealed = key.seal(purpose, subject.as_bytes(), nonce, plaintext);
    sealed.map_err(|error: SealError| unavailable(error.to_string()))
}

/// Why something was not opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum KeyFileError {
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
}

impl From<KeyFileError> for AdminError {
    fn from(error: KeyFileError) -> Self {
        unavailable(error.to_string())
    }
}

fn unavailable(message: String) -> AdminError {
    AdminError::new(
        ErrorKind::Unavailable,
        Subject::nameless(Noun::KeyFile),
        message,
    )
}
