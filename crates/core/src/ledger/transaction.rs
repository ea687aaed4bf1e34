//! One transaction on the rows that brokers write.

use super::credentials;
use crate::credential::{Credential, CredentialId};
use crate::store::StoreError;
use crate::store::rows::{
    ApiTokenRows, ApplicationRows, AuditRows, AuthorityRows, BanRows, BrokerRows, CertificateRows,
    ChangeRows, ClientIdRows, CredentialRows, DeviceRegistrationRows, FollowerRows, IssuerRows,
    KickRows, LockoutRows, PresenceRows, RefusalRows, SchemeRows, SecretRows, SettingRows,
    TenantRows, TokenRows, UserRows, WebSessionRows,
};

/// One transaction on the rows that brokers write. Dropped without a commit, it
/// never happened.
///
/// Its methods fail when the store can't be read or written.
pub trait LedgerTransaction:
    ApiTokenRows
    + ApplicationRows
    + AuditRows
    + AuthorityRows
    + BanRows
    + BrokerRows
    + CertificateRows
    + ChangeRows
    + ClientIdRows
    + CredentialRows
    + DeviceRegistrationRows
    + FollowerRows
    + IssuerRows
    + KickRows
    + LockoutRows
    + PresenceRows
    + RefusalRows
    + SchemeRows
    + SecretRows
    + SettingRows
    + TenantRows
    + TokenRows
    + UserRows
    + WebSessionRows
{
    /// Adds a credential of any kind; the number, the secrets, the times of use
    /// and, of a user, recovery codes in `credential` do not count.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when the name is taken, and kind `Unavailable` for a
    /// thing whose application is not one of its tenant; else see
    /// [`LedgerTransaction`].
    fn add_credential(&mut self, credential: &Credential) -> Result<CredentialId, StoreError> {
        credentials::add(self, credential)
    }

    /// Commits what survives as much as `durability` says.
    ///
    /// # Errors
    ///
    /// See [`LedgerTransaction`]; nothing was written then, but perhaps where
    /// the disk could not be synced.
    fn commit_surviving(self, durability: Durability) -> Result<(), StoreError>
    where
        Self: Sized;
}

/// How long a transaction may wait for the lock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pace {
    /// 20 ms: the host waits meanwhile.
    Host,
    /// A second, and it lets others go first.
    Journal,
}

/// What a commit survives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Durability {
    /// The end of the process.
    Kill,
    /// A power failure as well.
    PowerFailure,
}
