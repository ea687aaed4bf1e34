//! The rows of a store, as one transaction sees them, noun by noun.
//!
//! A store looks rows up and changes them. What is refused, in which order rows
//! change, and what goes with them is decided in [`ledger`](crate::ledger) and in
//! the methods of [`AdminTransaction`](super::AdminTransaction) that no store
//! writes itself.

pub use self::api_tokens::{ApiTokenRows, ApiTokensOf};
pub use self::applications::{ApplicationRows, RegistrationCount};
pub use self::audit::{AuditQuery, AuditRows};
pub use self::authorities::AuthorityRows;
pub use self::bans::BanRows;
pub use self::brokers::{BrokerRows, KnownBroker};
pub use self::certificates::CertificateRows;
pub use self::changes::ChangeRows;
pub use self::client_ids::{ArrivalRow, ClientIdCounts, ClientIdRecord, ClientIdRows, ClientIdsOf};
pub use self::control_notes::ControlNoteRows;
pub use self::credentials::{CredentialQuery, CredentialRows, CredentialUse, GrantedUser};
pub use self::followers::FollowerRows;
pub use self::hooks::HookRows;
pub use self::imports::ImportRows;
pub use self::issuers::IssuerRows;
pub use self::kicks::{AnsweredKick, KickRows, KickTarget};
pub use self::lockouts::LockoutRows;
pub use self::presence::{Behind, BrokerPresence, JoinedPresence, PresenceRows, heard_since};
pub use self::refusals::{Refusal, RefusalRow, RefusalRows};
pub use self::registrations::DeviceRegistrationRows;
pub use self::roles::RoleRows;
pub use self::schemes::SchemeRows;
pub use self::secrets::SecretRows;
pub use self::settings::SettingRows;
pub use self::tenants::TenantRows;
pub use self::tokens::TokenRows;
pub use self::users::UserRows;
pub use self::web_sessions::WebSessionRows;

mod api_tokens;
mod applications;
mod audit;
mod authorities;
mod bans;
mod brokers;
mod certificates;
mod changes;
mod client_ids;
mod control_notes;
mod credentials;
mod followers;
mod hooks;
mod imports;
mod issuers;
mod kicks;
mod lockouts;
mod presence;
mod refusals;
mod registrations;
mod roles;
mod schemes;
mod secrets;
mod settings;
mod tenants;
mod tokens;
mod users;
mod web_sessions;
