//! What commands on tokens answer with.

use countersign_core::jwt::{Whoami, whoami_of};
use countersign_core::name::LoginName;
use countersign_core::secret::Secret;
use countersign_core::store::{Keyed, StoreError};
use countersign_core::time::Timestamp;
use countersign_core::token::TokenRecord;

use crate::lookup::Rows;

/// A token that was made just now.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct CreatedToken {
    /// The token, to be shown this once.
    pub token: Secret,
    /// What is kept of it.
    pub record: TokenRecord,
}

/// A token as it is listed.
#[derive(Clone, Debug)]
pub struct ShownToken {
    /// What is kept of it.
    pub record: TokenRecord,
    /// Whom it is for; none if they are gone.
    pub whoami: Option<Whoami>,
    /// Who made it; none if they are gone.
    pub issuer: Option<LoginName>,
    /// Whether a client that presents it would be let in.
    pub is_valid: bool,
}

impl Keyed for ShownToken {
    type Key = <TokenRecord as Keyed>::Key;

    fn key(&self) -> Self::Key {
        self.record.key()
    }
}

impl ShownToken {
    /// A token with the names of the principals that it is about, as it is at
    /// `now`.
    pub(super) fn of(
        rows: &mut Rows<'_>,
        record: TokenRecord,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let bearer = rows.credential_by_id(record.bearer)?;
        let issuer = rows.credential_by_id(record.issuer)?;
        let keys = rows.token_keys(&record.tenant)?;
        let key = keys.iter().find(|sealed| sealed.key.id == record.key);
        let is_valid = bearer.is_some()
            && record
                .admits(issuer.as_ref(), key.map(|sealed| &sealed.key), now)
                .is_ok();
        Ok(Self {
            record,
            whoami: bearer.and_then(|bearer| whoami_of(&bearer.name)),
            issuer: issuer.map(|issuer| issuer.name),
            is_valid,
        })
    }
}
