//! Schemes and which tenants use them.

use crate::name::TenantId;
use crate::scheme::{Scheme, SchemeName, Schemes};
use crate::store::StoreError;

/// The schemes of a store.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait SchemeRows {
    /// All schemes, built in and made.
    ///
    /// # Errors
    ///
    /// See [`SchemeRows`].
    fn schemes(&mut self) -> Result<Schemes, StoreError>;

    /// Adds a scheme.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when there is one of this name, else see
    /// [`SchemeRows`].
    fn add_scheme(&mut self, scheme: &Scheme) -> Result<(), StoreError>;

    /// Takes note that a name as this scheme makes them has a password that was chosen:
    /// see [`Schemes::expect_passwords`]. It holds until the scheme is removed.
    ///
    /// # Errors
    ///
    /// See [`SchemeRows`].
    fn expect_passwords(&mut self, scheme: &SchemeName) -> Result<(), StoreError>;

    /// Removes a scheme that was added.
    ///
    /// # Errors
    ///
    /// See [`SchemeRows`]; also when there is no such scheme.
    fn remove_scheme(&mut self, name: &SchemeName) -> Result<(), StoreError>;

    /// The tenants with a credential of this scheme.
    ///
    /// # Errors
    ///
    /// See [`SchemeRows`].
    fn tenants_using_scheme(&mut self, name: &SchemeName) -> Result<Vec<TenantId>, StoreError>;

    /// The schemes that credentials of this tenant were made by.
    ///
    /// # Errors
    ///
    /// See [`SchemeRows`].
    fn schemes_used_by(&mut self, tenant: &TenantId) -> Result<Vec<SchemeName>, StoreError>;
}
