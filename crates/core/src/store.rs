//! The traits that a store implements.
//!
//! [`Directory`] is what a CONNECT looks up. [`GateStore`] is what a broker's
//! gate needs beyond that. [`AdminStore`] is what administrative acts are made
//! of: each is one transaction that commits together with its audit row and
//! its entries in the change log. [`rows`] is what transactions look up and
//! change.

use core::time::Duration;

use crate::ban::AutoBan;
use crate::lockout::LockoutPolicy;
use crate::ownership::{DEFAULT_HOLD, DEFAULT_LIMIT};
use crate::secret::Argon2Params;

pub use self::admin::{AdminStore, AdminTransaction, Intent};
pub use self::directory::Directory;
pub use self::error::{StoreError, StoreErrorKind};
pub use self::gate::{Batch, GateStore, LoginEffects, Recorded, Registered, SessionUndo};
pub use self::mark::{KeyReading, LogPosition, StoreMark};
pub use self::page::{Keyed, Listed, Page, all_rows, each_row};
pub use self::replica::{
    KickedThere, ObjectName, ReplicaChanges, ReplicaKick, ReplicaObject, ReplicaPlace,
    ReplicaPlaceError, ReplicaState, SinceThen, SnapshotPage,
};
pub use self::rows::{AuditQuery, BrokerPresence, CredentialQuery, KickTarget, Refusal};
pub use self::stored::{DamagedTenant, StoredSchemes, StoredTenants};
pub use self::tables::{Cell, ExportHeader, ExportPart, ExportScope, TableRow};

mod admin;
mod directory;
mod error;
mod gate;
mod mark;
mod page;
mod replica;
pub mod rows;
mod stored;
mod tables;

/// What holds for a whole store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Settings {
    /// How chosen passwords are hashed.
    pub argon2: Argon2Params,
    /// How long a client id is held after its last use.
    pub client_id_hold: Duration,
    /// How long refusals are kept in the audit.
    pub keep_refusals: Duration,
    /// So many client ids of one credential are remembered, and as many more an
    /// hour.
    pub client_id_limit: u32,
    /// When users are locked out, unless their tenants say otherwise.
    pub lockout: LockoutPolicy,
    /// Whether a password that is hashed in another way is hashed anew once it let
    /// a client in.
    pub rehash: bool,
    /// When addresses are banned by themselves.
    pub auto_ban: AutoBan,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            argon2: Argon2Params::default(),
            client_id_hold: DEFAULT_HOLD,
            keep_refusals: REFUSALS_KEPT,
            client_id_limit: DEFAULT_LIMIT,
            lockout: LockoutPolicy::default(),
            rehash: true,
            auto_ban: AutoBan::default(),
        }
    }
}

/// 90 days.
const REFUSALS_KEPT: Duration = Duration::from_secs(90 * 86_400);
