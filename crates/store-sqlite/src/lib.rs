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

mod admin;
mod audit;
mod auto_registration;
mod backup;
mod broker_lock;
mod busy_timeout;
mod changes;
mod client_ids;
mod connect;
mod credential_kind;
mod credential_use;
mod error;
mod file;
mod file_watch;
mod gate;
mod health;
mod key_file;
mod kicks;
mod ledger;
mod listings;
mod lockouts;
mod log_position;
mod maintenance;
mod open;
mod presence;
mod read_rows;
mod refusals;
mod roles;
mod row_reader;
mod schema;
mod schemes;
mod tenants;
mod tokens;
mod transaction;
mod upgrade;
mod users;
mod wal_index;
mod write_rows;

pub use admin::SqliteTransaction;
pub use audit::AuditCheck;
pub use backup::{BackupProgress, BackupTarget};
pub use broker_lock::BrokerLock;
pub use file::create_private;
pub use ledger::SqliteWriting;
pub use open::SqliteStore;
pub use upgrade::Upgrade;
