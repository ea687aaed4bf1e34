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
//! Nobody holds the write lock while the disk syncs: what must be durable is
//! committed first and synced before the caller hears of it. A login that
//! waits for the lock therefore waits for other writers' work, never for
//! their disk.

mod admin;
mod audit;
mod backup;
mod batch;
mod changes;
mod claim;
mod columns;
mod connect;
mod error;
mod file;
mod gate;
mod health;
mod kicks;
mod kinds;
mod listings;
mod lockouts;
mod login;
mod maintenance;
mod open;
mod ownership;
mod patience;
mod people;
mod presence;
mod registration;
mod roles;
mod rows;
mod schema;
mod schemes;
mod standing;
mod state;
mod tenants;
mod tokens;
mod transaction;
mod upgrade;
mod vault;
mod watch;
mod writing;

pub use admin::SqliteTransaction;
pub use audit::AuditCheck;
pub use backup::{BackupProgress, BackupTarget};
pub use claim::BrokerClaim;
pub use file::create_private;
pub use open::SqliteStore;
pub use upgrade::Upgrade;
