//! What people and programs are shown: the keys of `--json`, once for the command
//! line and the audit. They are public: a key that is there stays, with its
//! meaning.

use core::fmt;
use core::time::Duration;

use countersign_core::audit::AuditRow;
use countersign_core::scheme::Schemes;
use countersign_core::secret::Secret;
use countersign_core::store::{BrokerPresence, Settings};
use countersign_core::tenant::Tenant;
use countersign_core::time::rfc3339;
use serde::{Serialize, Serializer};
use serde_json::Value;
use zeroize::Zeroizing;

mod account;
mod api_token;
mod application;
mod authority;
mod ban;
mod broker;
mod certificate;
mod check;
mod credential;
mod event;
mod follower;
mod hook;
mod issuer;
mod jwt;
mod limit;
mod many;
mod registration;
mod role;
mod scheme;
mod user;
mod why;

pub use self::account::WebSessionView;
pub(crate) use self::api_token::AuditedApiToken;
pub use self::api_token::{ApiTokenView, CreatedApiTokenView};
pub use self::application::{ApplicationView, IssuedApplicationView, ThingView};
pub(crate) use self::application::{AuditedApplication, AuditedThing};
pub use self::authority::AuthorityView;
pub use self::ban::BanView;
pub use self::broker::BrokerView;
pub(crate) use self::certificate::AuditedCertificate;
pub use self::certificate::CertificateView;
pub use self::check::{
    AnswerView, ConnectAnswerView, ConsideredView, DecidingRuleView, TopicAnswerView, WallView,
};
pub(crate) use self::credential::AuditedCredential;
pub use self::credential::{
    CredentialView, IssuedCredentialView, NewOperatorView, OperatorView, RenewedSecretView,
};
pub(crate) use self::event::{ClientEventView, CredentialEventView, UseEventView};
pub use self::follower::{FollowerStatusView, FollowerView, IssuedFollowerView};
pub use self::hook::{HookView, IssuedHookView};
pub use self::issuer::IssuerView;
pub(crate) use self::jwt::{AuditedKey, AuditedRevocation, AuditedToken};
pub use self::jwt::{CreatedTokenView, KeyView, RotatedKeyView, TokenView};
pub use self::limit::LimitsView;
pub use self::many::{FailedView, ManyView, NewSecretView, StoppedView};
pub use self::role::{EffectView, LoserView, RoleView, RuleView, UseView};
pub use self::scheme::SchemeView;
pub(crate) use self::user::AuditedUser;
pub use self::user::{EnrolmentView, GrantView, UserView};
pub use self::why::WhyView;

/// All that is shown of a tenant.
#[derive(Clone, Debug, Serialize)]
pub struct TenantView {
    id: String,
    namespaces: Vec<String>,
    authentication: &'static str,
    subscribe: &'static str,
    client_id_prefix: Option<String>,
    lockout: Option<String>,
    default_rights: &'static str,
    default_roles: Vec<String>,
    anonymous_rights: &'static str,
    anonymous_roles: Vec<String>,
    sys_read: bool,
    name_prefix: Option<String>,
    created_at: String,
}

impl TenantView {
    /// The view of `tenant`.
    #[must_use]
    pub fn of(tenant: &Tenant) -> Self {
        Self {
            id: tenant.id.to_string(),
            namespaces: tenant.namespaces.iter().map(ToString::to_string).collect(),
            authentication: tenant.authentication.as_str(),
            subscribe: tenant.subscribe.as_str(),
            client_id_prefix: tenant.client_id_prefix.as_ref().map(ToString::to_string),
            lockout: tenant.lockout.map(|policy| policy.to_string()),
            default_rights: tenant.default_rights.as_str(),
            default_roles: tenant
                .default_roles
                .iter()
                .map(ToString::to_string)
                .collect(),
            anonymous_rights: tenant.anonymous_rights.as_str(),
            anonymous_roles: tenant
                .anonymous_roles
                .iter()
                .map(ToString::to_string)
                .collect(),
            sys_read: tenant.sys_read,
            name_prefix: tenant.name_prefix.as_ref().map(ToString::to_string),
            created_at: rfc3339(tenant.created_at),
        }
    }
}

/// All that is shown of a live session.
#[derive(Clone, Debug, Serialize)]
pub struct ClientView {
    session: String,
    client_id: String,
    username: Option<String>,
    tenant: Option<String>,
    address: Option<String>,
    protocol: u8,
    connected_at: String,
    broker: String,
    authenticated: bool,
    listener: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alive: Option<bool>,
}

impl ClientView {
    /// The view of `client`; where sessions of brokers that are not alive are
    /// shown as well, with whether its broker is.
    #[must_use]
    pub fn of(client: &BrokerPresence, tells_alive: bool) -> Self {
        let presence = &client.presence;
        Self {
            session: session_name(client),
            client_id: presence.client_id.to_string(),
            username: presence.username.as_deref().map(str::to_owned),
            tenant: presence.tenant.as_ref().map(ToString::to_string),
            address: presence.address.as_deref().map(str::to_owned),
            protocol: presence.protocol,
            connected_at: rfc3339(presence.connected_at),
            broker: client.broker.clone(),
            authenticated: presence.authenticated,
            listener: presence.listener,
            alive: tells_alive.then_some(client.is_alive),
        }
    }
}

/// All that is shown of a row of the audit.
#[derive(Clone, Debug, Serialize)]
pub struct AuditView {
    id: Option<i64>,
    time: String,
    actor: String,
    act: String,
    subject: String,
    outcome: &'static str,
    cause: Option<&'static str>,
    count: i64,
    address: Option<String>,
    client_id: Option<String>,
    topic: Option<String>,
    changes: Vec<ChangeView>,
}

/// What an act changed of one field.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeView {
    field: String,
    before: Value,
    after: Value,
}

/// The fields that differ between two records in the audit.
fn changes(before: Option<&str>, after: Option<&str>) -> Vec<ChangeView> {
    let fields = |json: Option<&str>| -> serde_json::Map<String, Value> {
        json.and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    };
    let (mut before, after) = (fields(before), fields(after));
    let mut changes = Vec::new();
    for (field, after) in after {
        let before = before.remove(&field).unwrap_or(Value::Null);
        if before != after {
            changes.push(ChangeView {
                field,
                before,
                after,
            });
        }
    }
    // What was there and is not any more.
    changes.extend(before.into_iter().map(|(field, before)| ChangeView {
        field,
        before,
        after: Value::Null,
    }));
    changes
}

impl AuditView {
    /// The view of `row`.
    #[must_use]
    pub fn of(row: &AuditRow) -> Self {
        let AuditRow { id, entry } = row;
        Self {
            id: *id,
            time: rfc3339(entry.time),
            actor: entry.actor.clone(),
            act: entry.act.clone(),
            subject: entry.subject.clone(),
            outcome: entry.outcome.as_str(),
            cause: entry.cause.map(|cause| cause.as_str()),
            count: entry.count,
            address: entry.address.clone(),
            client_id: entry.client_id.clone(),
            topic: entry.topic.clone(),
            changes: changes(entry.before.as_deref(), entry.after.as_deref()),
        }
    }
}

/// The settings.
#[derive(Clone, Debug, Serialize)]
pub struct SettingsView {
    argon2: String,
    client_id_hold: String,
    keep_refusals: String,
    client_id_limit: u32,
    lockout: String,
    rehash: bool,
    auto_ban: String,
}

impl SettingsView {
    /// The view of `settings`.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            argon2: settings.argon2.to_string(),
            client_id_hold: duration(settings.client_id_hold),
            keep_refusals: duration(settings.keep_refusals),
            client_id_limit: settings.client_id_limit,
            lockout: settings.lockout.to_string(),
            rehash: settings.rehash,
            auto_ban: settings.auto_ban.to_string(),
        }
    }
}

/// A text that is a secret, or may be one; wiped from memory when it is dropped.
#[derive(Clone)]
struct SecretText(Zeroizing<String>);

impl SecretText {
    fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

/// A generated secret is plain ASCII.
impl From<&Secret> for SecretText {
    fn from(secret: &Secret) -> Self {
        String::from_utf8_lossy(secret.expose()).into_owned().into()
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Does not tell it.
impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText")
    }
}

/// How a live session is called, so that it can be ended by this name.
#[must_use]
pub fn session_name(client: &BrokerPresence) -> String {
    format!("{}:{}", client.broker, client.presence.session.0)
}

/// A name or client id as it may be shown: masked where it has the shape of a
/// secret.
pub(crate) fn shown_name(known: &Schemes, text: &str) -> String {
    known.masked(text).unwrap_or_else(|| text.into())
}

/// A duration as it can be given, in the largest unit that it is whole in.
fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm')];
    let is_whole = |(length, _): &(u64, char)| seconds > 0 && seconds.is_multiple_of(*length);
    let (length, unit) = units.into_iter().find(is_whole).unwrap_or((1, 's'));
    format!("{}{unit}", seconds.checked_div(length).unwrap_or(seconds))
}

#[cfg(test)]
mod tests {
    use countersign_core::duration::parse_duration;

    use super::*;

    #[test]
    fn a_duration_reads_back_as_it_was_given() {
        for text in ["90s", "15m", "36h", "30d", "1s"] {
            assert_eq!(duration(parse_duration(text).unwrap()), text);
        }
        assert_eq!(duration(parse_duration("24h").unwrap()), "1d");
        assert_eq!(duration(Duration::ZERO), "0s");
    }
}
