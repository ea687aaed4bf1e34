//! What `countersign doctor` asks about a store.

use countersign_core::credential::CredentialId;
use countersign_core::store::StoreError;
use countersign_sql::{Record, RecordReader, unreadable_records};

use crate::credential_reader::credentials_by_ids;
use crate::error::Fault;
use crate::link::ADMIN_LIMIT;
use crate::sql_reader::State;
use crate::store::PostgresStore;
use crate::{authorities, roles, schemes, settings, tenants, tokens};

/// What a server says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerFacts {
    /// How the database keeps texts.
    pub encoding: String,
    /// Settings without which a failure of the machine damages the database, as far as
    /// they are off.
    pub unsafe_settings: Vec<String>,
    /// Whether it takes no changes, as it repeats what another server does.
    pub is_standby: bool,
    /// Whether it is told to take no changes.
    pub is_read_only: bool,
}

impl PostgresStore {
    /// Reads every record as the gate does, and names those that can't be
    /// read; nothing, if all can.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read at all.
    pub fn unreadable_records(&mut self) -> Result<Vec<String>, StoreError> {
        let (place, built_in) = (self.place().clone(), self.built_in.clone());
        self.look("read the records", ADMIN_LIMIT, |connection| {
            let schemes = schemes::all(connection, &place, &built_in)?;
            unreadable_records(&State(connection), schemes.damaged.into_keys())
        })
    }

    /// What the server says of itself.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when it does not answer.
    pub fn server_facts(&mut self) -> Result<ServerFacts, StoreError> {
        self.look_once("ask the server", |connection| {
            connection.prepare(FACTS)?.query_row((), |row| {
                let off: Option<String> = row.get(1)?;
                Ok(ServerFacts {
                    encoding: row.get(0)?,
                    unsafe_settings: off
                        .iter()
                        .flat_map(|it| it.split(' '))
                        .map(Into::into)
                        .collect(),
                    is_standby: row.get(2)?,
                    is_read_only: row.get(3)?,
                })
            })
        })
    }
}

impl RecordReader for State<'_> {
    fn read(&self, record: &Record) -> Result<(), Fault> {
        let connection = self.0;
        match record {
            Record::Settings => settings::read(connection).map(drop),
            Record::Tenant(id) => tenants::tenant(connection, id).map(drop),
            Record::Role(tenant, name) => roles::role(connection, tenant, name).map(drop),
            Record::TokenKey(id) => tokens::key(connection, id).map(drop),
            Record::Token(id) => tokens::token(connection, id).map(drop),
            Record::Authority(id) => authorities::authority(connection, *id).map(drop),
        }
    }

    fn read_credentials(&self, ids: &[CredentialId]) -> Result<(), Fault> {
        credentials_by_ids(self.0, ids).map(drop)
    }

    fn is_of_one_record(fault: &Fault) -> bool {
        fault.is_of_one_record()
    }
}

const FACTS: &str = "SELECT current_setting('server_encoding'),
    (SELECT string_agg(name, ' ' ORDER BY name) FROM pg_catalog.pg_settings
     WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off'),
    pg_is_in_recovery(),
    current_setting('default_transaction_read_only') = 'on'";
