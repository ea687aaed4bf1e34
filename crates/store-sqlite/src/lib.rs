//! The embedded store of Countersign: one SQLite file in WAL mode.
//!
//! [`SqliteStore`] answers what a CONNECT looks up
//! ([`Directory`](countersign_core::store::Directory)), keeps what a broker's
//! gate writes down ([`GateStore`](countersign_core::store::GateStore)) and
//! runs administrative acts
//! ([`AdminStore`](countersign_core::store::AdminStore)). One value is one
//! connection and serves one thread; several processes may use the file at
//! once.
//!
//! No connection holds the write lock while the disk syncs: what must be
//! durable is committed first and synced before the caller hears of it. A login
//! that waits for the lock therefore waits for other writers' work, never for
//! their disk.

mod api_tokens;
mod applications;
mod arrivals;
mod audit;
mod authorities;
mod auto_registration;
mod backup;
mod bans;
mod broker_lock;
mod brokers;
mod busy_timeout;
mod cell;
mod certificates;
mod changes;
mod client_id_bindings;
mod client_ids;
mod connect;
mod control_notes;
mod credential_kind;
mod credential_reader;
mod credentials;
mod device_registrations;
mod error;
mod file;
mod file_watch;
mod followers;
mod gate;
mod groups;
mod health;
mod hooks;
mod imports;
mod index_fault;
mod issuers;
mod kept_names;
mod key_file;
mod key_sources;
mod kicks;
mod limits;
mod listings;
mod lockouts;
mod log_position;
mod maintenance;
mod metrics;
mod open;
mod page_query;
mod presence;
mod pruned_client_ids;
mod rare;
mod refusals;
mod replication;
mod roles;
mod row_reader;
mod schema;
mod schemes;
mod secrets;
mod settings;
mod sql_reader;
mod store;
mod stored_sessions;
mod tables;
mod tenants;
#[cfg(test)]
mod tests;
mod tokens;
mod transaction;
mod transaction_guard;
mod upgrade;
mod upgraded;
mod users;
mod wal_index;
mod web_sessions;

pub use backup::{BackupProgress, BackupTarget};
pub use broker_lock::BrokerLock;
pub use file::create_private;
pub use replication::StagedSnapshot;
pub use schema::newest_schema;
pub use store::SqliteStore;
pub use tables::{StagedSummary, StagedTables, StagingError};
pub use transaction::SqliteTransaction;
pub use upgraded::Upgrade;
