//! One connection to a store, and what becomes of it when the connection is lost.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::scheme::Schemes;
use countersign_core::store::StoreError;

use crate::address::Address;
use crate::error::Fault;
use crate::key_file::KeyFile;
use crate::link::{GATE_LIMIT, Link};
use crate::place::Place;
use crate::schema::{self, MIGRATIONS};
use crate::sql::Connection;

/// One connection to a store in a PostgreSQL database. Serves one thread at a time, and
/// connects again by itself.
#[derive(Debug)]
pub struct PostgresStore {
    pub(crate) connection: Connection,
    pub(crate) address: Arc<Address>,
    /// How often it connected.
    pub(crate) opening: u64,
    /// Whether it connected again, and the follower was not told yet.
    pub(crate) is_anew: bool,
    /// The state that was looked at last, and how many were seen.
    pub(crate) seen: Option<i64>,
    pub(crate) commits: u64,
    /// The schemes that every store knows, read once.
    pub(crate) built_in: Schemes,
    pub(crate) key_file: Arc<KeyFile>,
    /// The schema that it had before this connection brought it up to date, if it did.
    pub(crate) upgraded_from: Option<i64>,
}

impl PostgresStore {
    /// A store by a connection that has found one.
    pub(crate) fn of(connection: Connection, address: Address) -> Self {
        Self {
            connection,
            address: Arc::new(address),
            opening: 1,
            is_anew: false,
            seen: None,
            commits: 0,
            built_in: Schemes::built_in(),
            key_file: Arc::default(),
            upgraded_from: None,
        }
    }

    /// A second connection to the same store.
    pub(crate) fn connect_again(&self) -> Result<Self, StoreError> {
        let connection = connect(&self.address, "open the store")?;
        Ok(Self {
            connection,
            address: Arc::clone(&self.address),
            opening: 1,
            is_anew: false,
            seen: None,
            commits: 0,
            built_in: self.built_in.clone(),
            key_file: Arc::clone(&self.key_file),
            upgraded_from: None,
        })
    }

    /// Where the store lies, as errors say.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.address.place
    }

    /// Connects again if the connection is lost. What was read before may have been read
    /// of a server that is no more, and that knew more than the one that took its place.
    pub(crate) fn be_connected(&mut self, action: &'static str) -> Result<(), StoreError> {
        if self.connection.link.is_lost() {
            self.connection = connect(&self.address, action)?;
            self.opening = self.opening.saturating_add(1);
            self.is_anew = true;
        }
        Ok(())
    }

    /// Runs `look` on one state of the store.
    pub(crate) fn look<T>(
        &mut self,
        action: &'static str,
        limit: Duration,
        look: impl Fn(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.look_once_within(action, limit, |connection| {
            connection.run(LOOK)?;
            let seen = look(connection);
            match seen {
                Err(Fault::Lost) => {}
                Ok(_) | Err(_) => connection.run("ROLLBACK")?,
            }
            seen
        })
    }

    /// Runs `look`, which is one statement, for the gate.
    pub(crate) fn look_once<T>(
        &mut self,
        action: &'static str,
        look: impl Fn(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.look_once_within(action, GATE_LIMIT, look)
    }

    /// Runs `look`, again where the connection was lost: it changes nothing.
    fn look_once_within<T>(
        &mut self,
        action: &'static str,
        limit: Duration,
        look: impl Fn(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let was_used = !self.connection.link.is_lost();
        self.be_connected(action)?;
        self.connection.link.limit(limit);
        let mut seen = look(&self.connection);
        if was_used && matches!(seen, Err(Fault::Lost)) {
            self.be_connected(action)?;
            self.connection.link.limit(limit);
            seen = look(&self.connection);
        }
        seen.map_err(|fault| fault.while_trying(action, self.place()))
    }
}

/// Connects to a store whose schema is this version's.
pub(crate) fn connect(address: &Address, action: &'static str) -> Result<Connection, StoreError> {
    let link = Link::open(address).map_err(|fault| fault.while_trying(action, &address.place))?;
    let connection = Connection::of(link);
    schema::check(&connection, &address.place, action, MIGRATIONS)?;
    Ok(connection)
}

/// One state of the store, whatever others do meanwhile.
pub(crate) const LOOK: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
