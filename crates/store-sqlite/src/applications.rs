//! Applications and their things.

use countersign_core::credential::{Credential, CredentialId};
use countersign_core::name::{LoginName, TenantId};
use countersign_core::store::rows::{ApplicationRows, RegistrationCount};
use countersign_core::store::{Listed, Page, StoreError};
use rusqlite::{Connection, params};

use crate::credentials::remove_some;
use crate::device_registrations;
use crate::error::Fault;
use crate::listings;
use crate::transaction::SqliteTransaction;

impl ApplicationRows for SqliteTransaction<'_> {
    fn applications(
        &mut self,
        tenant: Option<&TenantId>,
        page: &Page<LoginName>,
    ) -> Result<Listed<Credential>, StoreError> {
        self.run("list the applications", |connection| {
            listings::applications(connection, tenant, page)
        })
    }

    fn has_application(&mut self, tenant: &TenantId, id: CredentialId) -> Result<bool, StoreError> {
        self.run("look up an application", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT 1 FROM credential
                 WHERE id = ?1 AND kind = 'application' AND tenant = ?2",
            )?;
            Ok(statement.exists(params![id.0, tenant.as_str()])?)
        })
    }

    fn things(
        &mut self,
        tenant: Option<&TenantId>,
        application: Option<CredentialId>,
        page: &Page<LoginName>,
    ) -> Result<Listed<Credential>, StoreError> {
        self.run("list the things", |connection| {
            listings::things(connection, tenant, application, page)
        })
    }

    fn remove_things_of(
        &mut self,
        tenant: &TenantId,
        most: usize,
    ) -> Result<Vec<CredentialId>, StoreError> {
        self.run("delete credentials", |connection| {
            remove_some(connection, REMOVE_SOME_THINGS, tenant, most)
        })
    }

    fn registration_count(
        &mut self,
        application: CredentialId,
    ) -> Result<RegistrationCount, StoreError> {
        self.run("look up what an application makes", |connection| {
            registration_count(connection, application)
        })
    }

    fn count_registration(
        &mut self,
        application: CredentialId,
        count: RegistrationCount,
    ) -> Result<(), StoreError> {
        self.run("count a thing", |connection| {
            connection
                .prepare_cached(
                    "UPDATE auto_registration
                     SET registered = ?2, second = ?3, in_second = ?4
                     WHERE application = ?1",
                )?
                .execute(params![
                    application.0,
                    count.registered,
                    count.second,
                    count.made
                ])?;
            Ok(())
        })
    }
}

/// How many things an application that makes some has made.
pub(crate) fn registration_count(
    connection: &Connection,
    application: CredentialId,
) -> Result<RegistrationCount, Fault> {
    let sql = "SELECT registered, second, in_second FROM auto_registration WHERE application = ?1";
    device_registrations::counted(connection, sql, application.0)
}

pub(crate) const REMOVE_SOME_THINGS: &str = "DELETE FROM credential WHERE id IN
         (SELECT id FROM credential WHERE kind = 'thing' AND kind <> 'device' AND tenant = ?1
          LIMIT ?2)
     RETURNING id";
