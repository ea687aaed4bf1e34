//! What is asked for of a table.

use countersign_admin::taking::Taking;
use countersign_core::scheme::SchemeName;
use countersign_core::time::Timestamp;

use crate::plan::TenantOptions;

/// What is asked for of a table.
#[expect(missing_debug_implementations, reason = "it holds a function")]
pub struct CsvOptions<'a> {
    /// The tenant of rows that name none. It is made, if there is none of this id.
    pub tenant: Option<TenantOptions>,
    /// The scheme of rows that name none.
    pub scheme: SchemeName,
    /// Whether secrets of fewer than 64 random bits are taken over, and hashed slowly.
    pub accept_weak: bool,
    /// Whether what an earlier import made is changed where the table has changed.
    pub update: bool,
    /// Whether topics may be taken from the tenant that owns `#`, by that tenant or by
    /// the first credential of a scheme.
    pub taking: Taking,
    /// Whether nothing is to be written.
    pub dry_run: bool,
    /// Reads an instant as the command line does.
    pub instant: &'a dyn Fn(&str) -> Result<Option<Timestamp>, String>,
}
