//! The code that lets the first administrator of a store be made, which has no users.

use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_admin::user::ListUsers;
use countersign_admin::{AdminError, Caller, Command, Context, OsRandom, Permission, Tx, run};
use countersign_core::secret::{Secret, SecretDigest};
use countersign_core::store::{Intent, Page};
use countersign_store::AnyStore;

use crate::who::now;

/// The code that lets the first administrator be made; none once there is a user.
#[derive(Default)]
pub(crate) struct FirstCode(Mutex<Option<SecretDigest>>);

impl FirstCode {
    /// A new code, where the store has no user.
    ///
    /// # Errors
    ///
    /// Returns an error when there is no randomness.
    pub(crate) fn look_for_users(
        &self,
        store: &mut AnyStore,
    ) -> Result<Option<Secret>, getrandom::Error> {
        // A store that can't be read now has users as far as is known.
        if !is_without_users(store).unwrap_or(false) {
            return Ok(None);
        }
        let mut random = [0; 16];
        getrandom::fill(&mut random)?;
        let code = Secret::generate(random);
        *self.lock() = Some(SecretDigest::of(&code));
        Ok(Some(code))
    }

    /// Whether the first administrator may be made. No longer, once a user was made in
    /// another way.
    pub(crate) fn is_open(&self, store: &mut AnyStore) -> bool {
        if self.lock().is_none() {
            return false;
        }
        if let Ok(false) = is_without_users(store) {
            self.close();
            return false;
        }
        true
    }

    /// Whether this is it.
    pub(crate) fn is(&self, code: &str) -> bool {
        let said = SecretDigest::of(&Secret::new(code.as_bytes().to_vec()));
        self.lock().as_ref().is_some_and(|code| *code == said)
    }

    /// From now on nobody may.
    pub(crate) fn close(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<SecretDigest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_without_users(store: &mut AnyStore) -> Result<bool, AdminError> {
    let mut context = Context {
        now: now(),
        caller: Caller::owner("serve"),
        random: &mut OsRandom,
    };
    run(store, &mut context, &IsWithoutUsers)
}

/// Whether the store has no user.
pub(crate) struct IsWithoutUsers;

impl Command for IsWithoutUsers {
    type Output = bool;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<bool, AdminError> {
        let first = ListUsers(Page {
            after: None,
            limit: 1,
        });
        Ok(first.apply(tx)?.rows.is_empty())
    }
}
