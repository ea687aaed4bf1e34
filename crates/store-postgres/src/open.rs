//! Making and opening a store.

use std::path::PathBuf;
use std::sync::Arc;

use countersign_core::store::{Settings, StoreError};

use crate::address::Address;
use crate::error::Fault;
use crate::key_file::KeyFile;
use crate::link::Link;
use crate::schema::{self, MIGRATIONS};
use crate::settings;
use crate::sql::Connection;
use crate::store::{PostgresStore, connect};

impl PostgresStore {
    /// Makes a store in a database that has none.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when there is one, and other kinds when the database can't
    /// be used.
    pub fn create(address: Address, settings: &Settings) -> Result<Self, StoreError> {
        let action = "create the store";
        let explain = |fault: Fault| fault.while_trying(action, &address.place);
        let connection = Connection::of(Link::open(&address).map_err(explain)?);
        schema::create(&connection, &address.place, action, |connection| {
            settings::put(connection, settings)
        })?;
        Ok(Self::of(connection, address))
    }

    /// Opens the store in a database, and brings it up to date where it has an older schema.
    ///
    /// # Errors
    ///
    /// Returns kind `Missing` when there is none, `Newer` when a newer version of this
    /// program made it, `Older` while others use it that know the older schema alone, and
    /// other kinds when the database can't be used.
    pub fn open(address: Address) -> Result<Self, StoreError> {
        Self::open_by(address, MIGRATIONS)
    }

    /// Opens the store in a database as it is.
    ///
    /// # Errors
    ///
    /// As [`PostgresStore::open`], and kind `Older` for any older schema.
    pub fn open_as_it_is(address: Address) -> Result<Self, StoreError> {
        let connection = connect(&address, OPEN)?;
        Ok(Self::of(connection, address))
    }

    /// Opens the store by the schema of these steps.
    pub(crate) fn open_by(address: Address, migrations: &[&str]) -> Result<Self, StoreError> {
        let place = &address.place;
        let link = Link::open(&address).map_err(|fault| fault.while_trying(OPEN, place))?;
        let connection = Connection::of(link);
        let upgraded_from = schema::upgrade(&connection, place, OPEN, migrations)?;
        schema::check(&connection, place, OPEN, migrations)?;
        Ok(Self {
            upgraded_from,
            ..Self::of(connection, address)
        })
    }

    /// The schema that the store had before it was brought up to date, if opening it did that,
    /// and the one that it has now.
    #[must_use]
    pub fn upgraded(&self) -> Option<(i64, i64)> {
        self.upgraded_from
            .map(|from| (from, schema::newest(MIGRATIONS)))
    }

    /// Takes the key that seeds and private keys are sealed with from this file.
    #[must_use]
    pub fn with_key_file(self, path: PathBuf) -> Self {
        Self {
            key_file: Arc::new(KeyFile::at(path)),
            ..self
        }
    }
}

const OPEN: &str = "open the store";
