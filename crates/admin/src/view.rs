//! What people and programs are shown: the keys of design §13, once for the
//! command line, the HTTP API and the audit.

use std::collections::BTreeMap;

use countersign_core::audit::AuditEntry;
use countersign_core::client_id::ClientIdRule;
use countersign_core::credential::Credential;
use countersign_core::secret::Secret;
use countersign_core::store::{BrokerPresence, Settings};
use countersign_core::tenant::Tenant;
use countersign_core::time::Timestamp;
use serde::Serialize;

use crate::credential::Issued;

/// What the making of a credential answers with.
///
/// It holds the secret, which is printed this once and nowhere else.
#[derive(Serialize)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct IssuedView {
    #[serde(flatten)]
    identity: Identity,
    secret: Option<String>,
    #[serde(flatten)]
    standing: Standing,
}

impl IssuedView {
    /// The view of a credential that was made just now; its secret is shown
    /// unless somebody chose it.
    #[must_use]
    pub fn of(issued: &Issued) -> Self {
        Self {
            identity: Identity::of(&issued.credential),
            secret: issued.secret.as_ref().map(shown),
            standing: Standing::of(&issued.credential),
        }
    }
}

/// What a new secret for an old credential answers with, the one time.
#[derive(Serialize)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct RenewedView {
    username: String,
    secret: Option<String>,
    generation: i64,
    old_secret_until: Option<String>,
}

impl RenewedView {
    /// The view of a credential that was given a new secret just now.
    #[must_use]
    pub fn of(issued: &Issued) -> Self {
        Self {
            username: issued.credential.name.to_string(),
            secret: issued.secret.as_ref().map(shown),
            generation: issued.credential.generation.0,
            old_secret_until: issued.old_secret_until.map(rfc3339),
        }
    }
}

/// All that is shown of a credential.
#[derive(Clone, Debug, Serialize)]
pub struct CredentialView {
    #[serde(flatten)]
    identity: Identity,
    #[serde(flatten)]
    standing: Standing,
    updated_at: String,
    last_used_at: Option<String>,
    not_before: Option<String>,
    expires_at: Option<String>,
    roles: Vec<String>,
    attributes: BTreeMap<String, String>,
    generation: i64,
    revoked_reason: Option<String>,
}

impl CredentialView {
    /// The view of `credential`.
    #[must_use]
    pub fn of(credential: &Credential) -> Self {
        Self {
            identity: Identity::of(credential),
            standing: Standing::of(credential),
            updated_at: rfc3339(credential.updated_at),
            last_used_at: credential.last_used_at.map(rfc3339),
            not_before: credential.not_before.map(rfc3339),
            expires_at: credential.expires_at.map(rfc3339),
            roles: credential.roles.iter().map(ToString::to_string).collect(),
            attributes: credential.attributes.clone(),
            generation: credential.generation.0,
            revoked_reason: credential.revoked_reason.clone(),
        }
    }
}

/// What the audit keeps of a credential: what is shown, and what is not shown
/// but can be changed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CredentialTrace {
    #[serde(flatten)]
    view: CredentialView,
    client_id_rule: String,
    tied: bool,
    external_identity: bool,
    secrets: usize,
}

impl CredentialTrace {
    pub(crate) fn of(credential: &Credential) -> Self {
        Self {
            view: CredentialView::of(credential),
            client_id_rule: credential.client_id_rule.to_string(),
            tied: credential.client_id_tie.is_some(),
            external_identity: credential.external_identity,
            secrets: credential.secrets.len(),
        }
    }
}

/// All that is shown of a tenant.
#[derive(Clone, Debug, Serialize)]
pub struct TenantView {
    id: String,
    namespaces: Vec<String>,
    authentication: &'static str,
    subscribe: &'static str,
    client_id_prefix: Option<String>,
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
}

impl ClientView {
    /// The view of `client`.
    #[must_use]
    pub fn of(client: &BrokerPresence) -> Self {
        let presence = &client.presence;
        Self {
            session: session_name(client),
            client_id: presence.client_id.clone(),
            username: presence.username.clone(),
            tenant: presence.tenant.as_ref().map(ToString::to_string),
            address: presence.address.clone(),
            protocol: presence.protocol,
            connected_at: rfc3339(presence.connected_at),
            broker: client.broker.clone(),
            authenticated: presence.authenticated,
            listener: presence.listener,
        }
    }
}

/// All that is shown of a row of the audit.
#[derive(Clone, Debug, Serialize)]
pub struct AuditView {
    time: String,
    actor: String,
    act: String,
    subject: String,
    outcome: &'static str,
    cause: Option<&'static str>,
    count: i64,
}

impl AuditView {
    /// The view of `entry`.
    #[must_use]
    pub fn of(entry: &AuditEntry) -> Self {
        Self {
            time: rfc3339(entry.time),
            actor: entry.actor.clone(),
            act: entry.act.clone(),
            subject: entry.subject.clone(),
            outcome: entry.outcome.as_str(),
            cause: entry.cause.map(|cause| cause.as_str()),
            count: entry.count,
        }
    }
}

/// The settings.
#[derive(Clone, Debug, Serialize)]
pub struct SettingsView {
    argon2: String,
}

impl SettingsView {
    /// The view of `settings`.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            argon2: settings.argon2.to_string(),
        }
    }
}

/// Who a credential is, and what its client must present.
#[derive(Clone, Debug, Serialize)]
struct Identity {
    id: i64,
    name: String,
    tenant: Option<String>,
    scheme: String,
    username: String,
    client_id: Option<String>,
}

impl Identity {
    fn of(credential: &Credential) -> Self {
        let name = credential.name.as_str();
        Self {
            id: credential.id.0,
            name: name.into(),
            tenant: credential.tenant.as_ref().map(ToString::to_string),
            scheme: credential.scheme.to_string(),
            username: name.into(),
            client_id: client_id_to_present(credential),
        }
    }
}

/// Where a credential stands.
#[derive(Clone, Debug, Serialize)]
struct Standing {
    state: &'static str,
    group: Option<String>,
    description: Option<String>,
    created_at: String,
}

impl Standing {
    fn of(credential: &Credential) -> Self {
        Self {
            state: credential.state.as_str(),
            group: credential.group.as_ref().map(|group| group.as_str().into()),
            description: credential.description.clone(),
            created_at: rfc3339(credential.created_at),
        }
    }
}

/// How a live session is called, so that it can be ended by this name.
#[must_use]
pub fn session_name(client: &BrokerPresence) -> String {
    format!("{}:{}", client.broker, client.presence.session.0)
}

/// An instant as RFC 3339 in UTC. What lies outside of its years is shown as
/// the first or last instant it can write.
#[must_use]
pub fn rfc3339(time: Timestamp) -> String {
    let nearest = if time.as_millis() < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    };
    jiff::Timestamp::from_millisecond(time.as_millis())
        .unwrap_or(nearest)
        .to_string()
}

/// The id that a client must present, where only one will do.
fn client_id_to_present(credential: &Credential) -> Option<String> {
    match &credential.client_id_rule {
        ClientIdRule::Any | ClientIdRule::FirstUse | ClientIdRule::Prefix(_) => None,
        ClientIdRule::Exact(id) => Some(id.to_string()),
        ClientIdRule::SameAsUsername => Some(credential.name.to_string()),
    }
}

/// A generated secret as text. It is plain ASCII.
fn shown(secret: &Secret) -> String {
    String::from_utf8_lossy(secret.expose()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_in_utc_and_never_fails() {
        let text = |millis| rfc3339(Timestamp::from_millis(millis));
        assert_eq!(text(0), "1970-01-01T00:00:00Z");
        assert_eq!(text(1_500), "1970-01-01T00:00:01.5Z");
        assert!(text(i64::MAX).starts_with("9999-"));
        assert!(text(i64::MIN).starts_with("-00"));
    }
}
