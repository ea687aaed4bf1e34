//! All that a store holds.

use countersign_core::api_token::{ApiToken, ApiTokenId};
use countersign_core::audit::{AuditChain, AuditEntry, AuditHash, AuditHead};
use countersign_core::auto_registration::AutoRegistration;
use countersign_core::ban::{Ban, BanId};
use countersign_core::broker::BrokerRecord;
use countersign_core::certificate::{AuthorityId, AuthorityRecord, CertificateRecord, Fingerprint};
use countersign_core::change::Change;
use countersign_core::client_id::ClientIdTie;
use countersign_core::control_note::{ControlNote, NoteKey};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::follower::{Follower, FollowerName};
use countersign_core::hand_back::HandBackPlace;
use countersign_core::hook::{Hook, HookName};
use countersign_core::imported::ImportMark;
use countersign_core::issuer::{IssuerId, IssuerRecord, IssuerText};
use countersign_core::jwt::{KeyId, TokenId};
use countersign_core::lockout::Lockout;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::ownership::Holder;
use countersign_core::presence::{Presence, SessionNumber};
use countersign_core::registrar::Registrar;
use countersign_core::role::{Role, RoleName};
use countersign_core::scheme::{Scheme, SchemeName};
use countersign_core::secret::{SecretDigest, SecretId, StoredSecret};
use countersign_core::store::Settings;
use countersign_core::store::rows::{ArrivalRow, ClientIdRecord, RegistrationCount};
use countersign_core::tenant::Tenant;
use countersign_core::time::Timestamp;
use countersign_core::token::{SealedTokenKey, TokenRecord};
use countersign_core::totp::Step;
use countersign_core::web_session::{WebSession, WebSessionId};

use super::kicks::KickRow;
use super::table::Table;

/// All rows. Two of these are equal if neither was written to since one was cloned
/// from the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tables {
    pub(super) settings: Settings,
    pub(super) tenants: Table<TenantId, Tenant>,
    pub(super) roles: Table<(TenantId, RoleName), Role>,
    /// The roles that groups hold.
    pub(super) group_roles: Table<(TenantId, GroupPath, RoleName), ()>,
    /// The schemes that were added to the built-in ones.
    pub(super) schemes: Table<SchemeName, Scheme>,
    /// The schemes of whose names some have a password.
    pub(super) with_passwords: Table<SchemeName, ()>,
    pub(super) credentials: Table<CredentialId, CredentialRow>,
    pub(super) secrets: Table<SecretId, (CredentialId, StoredSecret)>,
    pub(super) authorities: Table<AuthorityId, AuthorityRecord>,
    pub(super) certificates: Table<Fingerprint, CertificateRecord>,
    pub(super) bans: Table<BanId, Ban>,
    pub(super) control_notes: Table<NoteKey, ControlNote>,
    pub(super) credential_imports: Table<CredentialId, ImportMark>,
    pub(super) role_imports: Table<(TenantId, RoleName), ImportMark>,
    pub(super) recovery_codes: Table<i64, (CredentialId, SecretDigest)>,
    pub(super) lockouts: Table<LoginName, LockoutRow>,
    pub(super) token_keys: Table<KeyId, SealedTokenKey>,
    pub(super) tokens: Table<TokenId, TokenRecord>,
    pub(super) followers: Table<FollowerName, Follower>,
    /// Up to where was judged what they handed back.
    pub(super) handed_back: Table<FollowerName, HandBackPlace>,
    pub(super) hooks: Table<HookName, Hook>,
    pub(super) issuers: Table<IssuerId, IssuerRecord>,
    /// Their tokens that were revoked, and when.
    pub(super) issuer_revocations: Table<(IssuerId, IssuerText), Timestamp>,
    /// What each registrar made in the last second that it made anything in.
    pub(super) device_counts: Table<Registrar, RegistrationCount>,
    pub(super) registered_names: Table<(TenantId, LoginName), ()>,
    pub(super) api_tokens: Table<ApiTokenId, (ApiToken, SecretDigest)>,
    pub(super) web_sessions: Table<WebSessionId, (WebSession, SecretDigest)>,
    /// By the hash of the client id.
    pub(super) client_ids: Table<[u8; 32], ClientIdRecord>,
    pub(super) pruned_client_ids: Table<[u8; 32], Holder>,
    /// Logins whose clients may be gone.
    pub(super) arrivals: Table<[u8; 32], ArrivalRow>,
    /// See [`LogPosition`](countersign_core::store::LogPosition).
    pub(super) session_changes: i64,
    pub(super) presence: Table<(String, SessionNumber), Presence>,
    /// Behind which follower some of them are.
    pub(super) presence_behind: Table<(String, SessionNumber), FollowerName>,
    pub(super) brokers: Table<String, BrokerRecord>,
    pub(super) kicks: Table<i64, KickRow>,
    pub(super) changes: Table<i64, (Timestamp, Change)>,
    pub(super) acts: ChainRows,
    pub(super) audited_refusals: ChainRows,
    /// Those that are still summed up.
    pub(super) refusals: Table<RefusalKey, RefusalSum>,
    pub(super) last_numbers: LastNumbers,
}

impl Tables {
    /// The rows of a chain of the audit.
    pub(super) fn chain(&mut self, chain: AuditChain) -> &mut ChainRows {
        match chain {
            AuditChain::Acts => &mut self.acts,
            AuditChain::Refusals => &mut self.audited_refusals,
        }
    }
}

/// A credential, without what lies in other rows.
#[derive(Clone, Debug)]
pub(super) struct CredentialRow {
    /// As it was written last: secrets, recovery codes and what a thing has of its
    /// application are not looked at.
    pub(super) credential: Credential,
    /// The last step that a code of a user was accepted for.
    pub(super) last_step: Option<Step>,
    /// Which things an application makes, if it was made to do so.
    pub(super) registers: Option<(AutoRegistration, RegistrationCount)>,
}

/// What is counted against an address.
#[derive(Clone, Debug)]
pub(super) struct LockoutRow {
    pub(super) lockout: Lockout,
    /// Whether a user has it.
    pub(super) is_users: bool,
    pub(super) updated_at: Timestamp,
}

/// A chain of the audit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ChainRows {
    pub(super) rows: Table<i64, (AuditEntry, AuditHash)>,
    /// The last row that was cut off.
    pub(super) anchor: AuditHead,
    pub(super) head: AuditHead,
}

impl Default for ChainRows {
    fn default() -> Self {
        Self {
            rows: Table::default(),
            anchor: AuditHead::START,
            head: AuditHead::START,
        }
    }
}

/// What differs between two sums of refusals, in the order in which the audit has
/// them.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct RefusalKey {
    pub(super) minute: Timestamp,
    pub(super) broker: String,
    pub(super) subject: String,
    pub(super) address: String,
    pub(super) cause: countersign_core::reason::Reason,
    pub(super) client_id: String,
    pub(super) topic: String,
    pub(super) act: countersign_core::audit::RefusedAct,
}

/// What is known of refusals that are summed up.
#[derive(Clone, Debug)]
pub(super) struct RefusalSum {
    pub(super) count: i64,
    pub(super) about: Option<String>,
}

/// The numbers that were given out last: none names another row, ever.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct LastNumbers {
    pub(super) api_token: i64,
    pub(super) authority: i64,
    pub(super) audit: i64,
    pub(super) ban: i64,
    pub(super) change: i64,
    pub(super) credential: i64,
    pub(super) issuer: i64,
    pub(super) kick: i64,
    pub(super) recovery_code: i64,
    pub(super) secret: i64,
    pub(super) web_session: i64,
}

/// The number after the one that was given out last.
pub(super) fn next(last: &mut i64) -> i64 {
    *last += 1;
    *last
}

/// The key of a client id.
pub(super) fn key_of(id: &ClientIdTie) -> &[u8; 32] {
    &id.0
}
