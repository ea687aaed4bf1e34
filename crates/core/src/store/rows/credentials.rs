//! Credentials of all kinds.

use std::collections::BTreeMap;

use crate::client_id::ClientIdTie;
use crate::credential::{Credential, CredentialId};
use crate::lifecycle::State;
use crate::name::{GroupPath, LoginName, TenantId};
use crate::role::RoleName;
use crate::scheme::SchemeName;
use crate::store::{Keyed, Listed, Page, StoreError};
use crate::time::Timestamp;

/// A use of a credential, and what it changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CredentialUse {
    /// The state from now on.
    pub state: State,
    /// Whether it was never used before.
    pub activates: bool,
    /// The client id that it is tied to from now on, if that changes.
    pub ties: Option<ClientIdTie>,
    /// When.
    pub at: Timestamp,
}

/// Credentials of all kinds.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait CredentialRows {
    /// The credential with this login name.
    ///
    /// # Errors
    ///
    /// See [`CredentialRows`].
    fn credential(&mut self, name: &LoginName) -> Result<Option<Credential>, StoreError>;

    /// The credential with this number.
    ///
    /// # Errors
    ///
    /// See [`CredentialRows`].
    fn credential_by_id(&mut self, id: CredentialId) -> Result<Option<Credential>, StoreError>;

    /// Says whether there is a credential with this number.
    ///
    /// # Errors
    ///
    /// See [`CredentialRows`].
    fn has_credential(&mut self, id: CredentialId) -> Result<bool, StoreError>;

    /// The login name of the credential with this number.
    ///
    /// # Errors
    ///
    /// See [`CredentialRows`].
    fn name_of(&mut self, id: CredentialId) -> Result<Option<LoginName>, StoreError>;

    /// Devices of tenants, by name.
    ///
    /// # Errors
    ///
    /// See [`CredentialRows`].
    fn credentials(
        &mut self,
        query: &CredentialQuery,
        page: &Page<LoginName>,
    ) -> Result<Listed<Credential>, StoreError>;

    /// Operators, by name.
    ///
    /// # Errors
    ///
    /// See [`CredentialRows`].
    fn operators(&mut self, page: &Page<LoginName>) -> Result<Listed<Credential>, StoreError>;

    /// Users, by name.
    ///
    /// # Errors
    ///
    /// See [`CredentialRows`].
    fn users(&mut self, page: &Page<LoginName>) -> Result<Listed<Credential>, StoreError>;

    /// Users who are granted something in a tenant, in the order in which they were
    /// made.
    ///
    /// # Errors
    ///
    /// See [`CredentialRows`].
    fn granted_users(
        &mut self,
        tenant: &TenantId,
        page: &Page<CredentialId>,
    ) -> Result<Listed<GrantedUser>, StoreError>;

    /// Says whether a user has this e-mail address.
    ///
    /// # Errors
    ///
    /// See [`CredentialRows`].
    fn has_user(&mut self, email: &LoginName) -> Result<bool, StoreError>;

    /// How many credentials a tenant has. Bearers of tokens don't count: they
    /// come along with a token.
    ///
    /// # Errors
    ///
    /// See [`CredentialRows`].
    fn count_credentials(&mut self, tenant: &TenantId) -> Result<u64, StoreError>;

    /// Names of devices that end with `@` and this, in whatever case, and belong to
    /// another tenant; at most so many.
    ///
    /// # Errors
    ///
    /// See [`CredentialRows`].
    fn names_kept_under(&mut self, suffix: &str, most: usize)
    -> Result<Vec<LoginName>, StoreError>;

    /// The name among those that differs from this one by the case of ASCII letters
    /// alone.
    ///
    /// # Errors
    ///
    /// See [`CredentialRows`].
    fn name_kept_like(&mut self, name: &LoginName) -> Result<Option<LoginName>, StoreError>;

    /// The name of the credential that has this value for an attribute, in
    /// any tenant.
    ///
    /// # Errors
    ///
    /// See [`CredentialRows`].
    fn holder_of_attribute(
        &mut self,
        key: &str,
        value: &str,
    ) -> Result<Option<LoginName>, StoreError>;

    /// The names of all credentials of a scheme that have this value for an
    /// attribute, in any tenant.
    ///
    /// # Errors
    ///
    /// See [`CredentialRows`].
    fn holders_in_scheme(
        &mut self,
        scheme: &SchemeName,
        key: &str,
        value: &str,
    ) -> Result<Vec<LoginName>, StoreError>;

    /// Adds a credential of any kind; the number, the secrets, the times of use
    /// and, of a user, recovery codes in `credential` do not count.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when the name is taken, else see
    /// [`CredentialRows`].
    fn insert_credential(&mut self, credential: &Credential) -> Result<CredentialId, StoreError>;

    /// Writes all of a credential but its number, name, tenant, secrets and
    /// times of creation and use; of a user neither the recovery codes nor the
    /// last step.
    ///
    /// # Errors
    ///
    /// See [`CredentialRows`]; also when there is no such credential.
    fn update_credential(&mut self, credential: &Credential) -> Result<(), StoreError>;

    /// Removes a credential. Its secrets, roles, rules, attributes, things,
    /// grants and tokens go with it; the records of its client ids stay.
    ///
    /// # Errors
    ///
    /// See [`CredentialRows`]; also when there is no such credential.
    fn remove_credential(&mut self, id: CredentialId) -> Result<(), StoreError>;

    /// Removes up to `most` credentials of a tenant, with what goes with them as
    /// in [`CredentialRows::remove_credential`]; says which.
    ///
    /// # Errors
    ///
    /// See [`CredentialRows`].
    fn remove_credentials_of(
        &mut self,
        tenant: &TenantId,
        most: usize,
    ) -> Result<Vec<CredentialId>, StoreError>;

    /// Writes a use of a credential, if generation, state and time of the last
    /// act are those of `seen` and, where it is to be tied, it is not. Says
    /// whether.
    ///
    /// # Errors
    ///
    /// See [`CredentialRows`].
    fn use_credential(
        &mut self,
        seen: &Credential,
        change: &CredentialUse,
    ) -> Result<bool, StoreError>;

    /// Takes note that a credential was used at `at`, if it was not later.
    ///
    /// # Errors
    ///
    /// See [`CredentialRows`].
    fn note_use(&mut self, id: CredentialId, at: Timestamp) -> Result<(), StoreError>;
}

/// A user who is listed because a tenant grants them something.
#[derive(Clone, Debug)]
pub struct GrantedUser(pub Credential);

impl Keyed for GrantedUser {
    type Key = CredentialId;

    fn key(&self) -> CredentialId {
        self.0.id
    }
}

/// Which credentials to list: those that are all of what it says.
#[derive(Clone, Debug, Default)]
pub struct CredentialQuery {
    /// Of this tenant alone.
    pub tenant: Option<TenantId>,
    /// In this state alone.
    pub state: Option<State>,
    /// Of which some group is this one or lies below it.
    pub group: Option<GroupPath>,
    /// Of which all groups are this one or lie below it, and which are in one.
    pub within: Option<GroupPath>,
    /// Made by this scheme.
    pub scheme: Option<SchemeName>,
    /// Which hold this role themselves, not by a group or their tenant.
    pub role: Option<RoleName>,
    /// Whose name begins so.
    pub name_prefix: Option<LoginName>,
    /// With these attributes, of these values.
    pub attributes: BTreeMap<String, String>,
    /// Neither made nor used since then. Whether a session lives that logged in
    /// before is not looked at.
    pub unused_since: Option<Timestamp>,
    /// Which end before then.
    pub expires_before: Option<Timestamp>,
}

impl CredentialQuery {
    /// Whether all credentials whose names are between the first and the last that it may
    /// find are what it says.
    #[must_use]
    pub fn has_all_names(&self) -> bool {
        let Self {
            tenant: _,
            name_prefix: _,
            state,
            group,
            within,
            scheme,
            role,
            attributes,
            unused_since,
            expires_before,
        } = self;
        let of_groups = group.is_none() && within.is_none();
        let of_times = unused_since.is_none() && expires_before.is_none();
        let of_others = state.is_none() && scheme.is_none() && role.is_none();
        of_groups && of_times && of_others && attributes.is_empty()
    }
}
