//! From Mosquitto's `password_file` and `acl_file` to what is wanted here.
//!
//! | there | here |
//! |---|---|
//! | a user | a credential of scheme `plain` |
//! | its `topic` lines | its rules |
//! | `topic` lines before the first user | the role `anonymous`, of clients without a login |
//! | `pattern` lines | the role `patterns`, of all |
//! | no `acl_file` | the role `everything`, of all |
//!
//! Mosquitto looks at a user's denies, then at its allows, then at the denies of
//! patterns and at their allows, and the first that matches counts. Here a deny
//! always wins: that is the same but where a user's allow meets a deny of a pattern.

use countersign_admin::Context;
use countersign_core::store::AdminStore;

use self::mapper::Mapper;
use crate::import_error::ImportError;
use crate::plan::{ImportOptions, Plan, look_up_tenant, plan};

mod anonymous;
mod config;
mod mapper;
mod pattern_denies;
mod source;

pub use self::source::MosquittoSource;

impl MosquittoSource {
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
        let desired = Mapper::new(options, &found, self.dialect)?.map(self);
        plan(store, context, options, &found, desired)
    }
}
