//! What authorities and issuers registered.

use super::RegistrationCount;
use crate::name::{LoginName, TenantId};
use crate::registrar::Registrar;
use crate::store::StoreError;

/// How many devices authorities and issuers have made, and the names of those. With a
/// tenant, its names go; with an authority or an issuer, its count alone.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait DeviceRegistrationRows {
    /// What a registrar has made.
    ///
    /// # Errors
    ///
    /// See [`DeviceRegistrationRows`]; also when it makes no devices.
    fn device_count(&mut self, registrar: Registrar) -> Result<RegistrationCount, StoreError>;

    /// Replaces what a registrar has made.
    ///
    /// # Errors
    ///
    /// See [`DeviceRegistrationRows`].
    fn count_device(
        &mut self,
        registrar: Registrar,
        count: RegistrationCount,
    ) -> Result<(), StoreError>;

    /// Says whether a device of a tenant with this name was registered once, and that was
    /// not forgotten.
    ///
    /// # Errors
    ///
    /// See [`DeviceRegistrationRows`].
    fn was_registered(&mut self, tenant: &TenantId, name: &LoginName) -> Result<bool, StoreError>;

    /// Takes note that a device of a tenant with this name was registered.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when that is noted already; else see
    /// [`DeviceRegistrationRows`].
    fn note_registered(&mut self, tenant: &TenantId, name: &LoginName) -> Result<(), StoreError>;

    /// Forgets that a device of a tenant with this name was registered; says whether it
    /// was.
    ///
    /// # Errors
    ///
    /// See [`DeviceRegistrationRows`].
    fn forget_registered(
        &mut self,
        tenant: &TenantId,
        name: &LoginName,
    ) -> Result<bool, StoreError>;
}
