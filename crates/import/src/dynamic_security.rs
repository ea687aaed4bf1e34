//! From dynamic-security's file to what is wanted here.
//!
//! | there | here |
//! |---|---|
//! | a client | a credential of scheme `plain`; one that is disabled is Suspended |
//! | a role | a role |
//! | a group | a group that holds its roles |
//! | `anonymousGroup` | its roles are those of clients without a login |
//! | `defaultACLAccess` | the role `default-access`, of all |
//! | `subscribeLiteral` | a literal rule |
//! | `publishClientReceive` deny | a deny for `subscribe` |
//!
//! There the first rule that matches counts, by the priorities of roles, groups and
//! rules; here a deny always wins. So an allow that comes before a deny that it meets
//! is lost, whoever of the holders it comes first for.

use std::path::Path;

use countersign_admin::Context;
use countersign_core::store::AdminStore;

use self::mapper::Mapper;
use crate::content::read_source;
use crate::import_error::ImportError;
use crate::plan::{ImportOptions, Plan, look_up_tenant, plan};
use crate::source::dynamic_security::DynamicSecurity;

mod client;
mod defaults;
mod deliveries;
mod mapper;
mod names;
mod order;
mod rules;
mod shared;
mod versions;

/// What dynamic-security knows of its clients.
#[derive(Debug)]
pub struct DynamicSecuritySource(DynamicSecurity);

impl DynamicSecuritySource {
    /// Reads its file.
    ///
    /// # Errors
    ///
    /// Returns [`ImportError`] where it can't be read or the plugin would not load
    /// it.
    pub fn read(path: &Path) -> Result<Self, ImportError> {
        Ok(Self(DynamicSecurity::parse(&read_source(path)?)?))
    }

    /// Plans to take it over.
    ///
    /// # Errors
    ///
    /// Returns [`ImportError`] where the store can't be used, or what is asked for
    /// does not fit it. Nothing is written.
    pub fn plan<S: AdminStore>(
        self,
        store: &mut S,
        context: &mut Context<'_>,
        options: &ImportOptions,
    ) -> Result<Plan, ImportError> {
        let found = look_up_tenant(store, context, options)?;
        let desired = Mapper::new(options, &found, &self.0).map(self.0);
        plan(store, context, options, &found, desired)
    }
}
