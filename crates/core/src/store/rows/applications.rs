//! Applications and their things.

use crate::credential::{Credential, CredentialId};
use crate::name::{LoginName, TenantId};
use crate::store::{Listed, Page, StoreError};

/// How many things an application, or devices an authority or an issuer, has made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RegistrationCount {
    /// How many ever.
    pub registered: u32,
    /// The last second that it was asked for any in, counted from 1970.
    pub second: i64,
    /// How many it was asked for in it.
    pub made: u32,
}

/// Applications, their things, and how many they have made.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait ApplicationRows {
    /// Applications, by tenant and name.
    ///
    /// # Errors
    ///
    /// See [`ApplicationRows`].
    fn applications(
        &mut self,
        tenant: Option<&TenantId>,
        page: &Page<LoginName>,
    ) -> Result<Listed<Credential>, StoreError>;

    /// Says whether the credential with this number is an application of a tenant.
    ///
    /// # Errors
    ///
    /// See [`ApplicationRows`].
    fn has_application(&mut self, tenant: &TenantId, id: CredentialId) -> Result<bool, StoreError>;

    /// Things, by key: of all tenants or one, of all applications or one.
    ///
    /// # Errors
    ///
    /// See [`ApplicationRows`].
    fn things(
        &mut self,
        tenant: Option<&TenantId>,
        application: Option<CredentialId>,
        page: &Page<LoginName>,
    ) -> Result<Listed<Credential>, StoreError>;

    /// Removes up to `most` things of a tenant; says which.
    ///
    /// # Errors
    ///
    /// See [`ApplicationRows`].
    fn remove_things_of(
        &mut self,
        tenant: &TenantId,
        most: usize,
    ) -> Result<Vec<CredentialId>, StoreError>;

    /// What an application has made.
    ///
    /// # Errors
    ///
    /// See [`ApplicationRows`].
    fn registration_count(
        &mut self,
        application: CredentialId,
    ) -> Result<RegistrationCount, StoreError>;

    /// Replaces what an application has made.
    ///
    /// # Errors
    ///
    /// See [`ApplicationRows`].
    fn count_registration(
        &mut self,
        application: CredentialId,
        count: RegistrationCount,
    ) -> Result<(), StoreError>;
}
