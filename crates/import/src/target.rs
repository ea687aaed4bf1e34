//! The files of other systems, as they are written: what a tenant may do, as far
//! as such a file can say it.
//!
//! What a file can't say is left out where that takes rights away, and never where
//! it would give some. The [`Report`] names it.

mod acl_file;
mod dynamic_security;
mod outcome;
mod user;

use countersign_admin::tenant::TenantRights;
use countersign_core::time::Timestamp;
use zeroize::Zeroizing;

use crate::report::Report;

/// Mosquitto's two files.
#[expect(missing_debug_implementations, reason = "it holds hashes")]
pub struct MosquittoFiles {
    /// The `password_file`.
    pub passwords: Zeroizing<String>,
    /// The `acl_file`.
    pub acl: String,
    /// What became of each object.
    pub report: Report,
}

/// The file of Mosquitto's plugin dynamic-security.
#[expect(missing_debug_implementations, reason = "it holds hashes")]
pub struct DynamicSecurityFile {
    /// The file.
    pub json: Zeroizing<String>,
    /// What became of each object.
    pub report: Report,
}

/// Writes the users and rules of a tenant as a `password_file` and an `acl_file`.
#[must_use]
pub fn mosquitto_files(rights: &TenantRights, now: Timestamp) -> MosquittoFiles {
    acl_file::write(rights, now)
}

/// Writes the users and rules of a tenant as the file of dynamic-security.
///
/// # Errors
///
/// Never, for what a store holds: texts and numbers alone.
pub fn dynamic_security_file(
    rights: &TenantRights,
    now: Timestamp,
) -> Result<DynamicSecurityFile, serde_json::Error> {
    dynamic_security::write(rights, now)
}
