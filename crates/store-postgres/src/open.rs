//! Making and opening a store.

use std::path::PathBuf;
use std::sync::Arc;

use countersign_core::store::{Settings, StoreError};

use crate::address::Address;
use crate::error::Fault;
use crate::key_file::KeyFile;
use crate::link::Link;
use crate::sql::Connection;
use crate::store::{PostgresStore, connect};
use crate::{schema, settings};

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

    /// Opens the store in a database.
    ///
    /// # Errors
    ///
    /// Returns kind `Missing` when there is none, `Newer` when a newer version of this
    /// program made it, and other kinds when the database can't be used.
    pub fn open(address: Address) -> Result<Self, StoreError> {
        let connection = connect(&address, "open the store")?;
        Ok(Self::of(connection, address))
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
