//! The store of Countersign on PostgreSQL, for a service that one machine is not enough
//! for.
//!
//! [`PostgresStore`] is one connection and serves one thread, which waits for each answer;
//! several processes, on several machines, may use the database at once. Whoever writes
//! waits for others that write ([`PostgresTransaction`]); whoever reads waits for nobody.

mod address;
mod api_tokens;
mod applications;
mod arrivals;
mod audit;
mod authorities;
mod auto_registration;
mod bans;
mod broker_lock;
mod brokers;
mod certificates;
mod changes;
mod client_id_bindings;
mod client_ids;
mod control_notes;
mod credential_kind;
mod credential_reader;
mod credentials;
mod device_registrations;
mod error;
mod followers;
mod gate;
mod groups;
mod health;
mod hooks;
mod imported_rows;
mod imports;
mod issuers;
mod kept_names;
mod key_file;
mod key_sources;
mod kicks;
mod limits;
mod link;
mod listings;
mod lockouts;
mod locks;
mod log_position;
mod metrics;
mod open;
mod page_query;
mod password_file;
mod place;
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
mod sql;
mod sql_reader;
mod store;
mod stored_sessions;
mod tables;
mod tenants;
mod tls;
mod tokens;
mod transaction;
mod users;
mod web_sessions;

pub use address::Address;
pub use broker_lock::BrokerLock;
pub use health::ServerFacts;
pub use place::Place;
pub use store::PostgresStore;
pub use transaction::PostgresTransaction;
