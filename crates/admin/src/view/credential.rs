//! Credentials and operators, as they are shown.

use std::collections::BTreeMap;

use countersign_core::client_id::ClientIdRule;
use countersign_core::credential::Credential;
use countersign_core::scheme::{Scheme, TokenLogin};
use countersign_core::secret::{Secret, Verifier};
use serde::Serialize;

use super::{RuleView, SecretText, rfc3339};
use crate::lookup::ShownCredential;
use crate::secret::IssuedCredential;

/// What the making of a credential answers with.
///
/// It holds the secret, which is printed this once and nowhere else.
#[derive(Serialize)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct IssuedCredentialView {
    #[serde(flatten)]
    identity: IdentityFields,
    secret: Option<SecretText>,
    #[serde(flatten)]
    state_fields: StateFields,
    #[serde(flatten)]
    scheme_fields: SchemeFields,
}

impl IssuedCredentialView {
    /// The view of a credential that was made just now; its secret is shown
    /// unless a person chose it.
    #[must_use]
    pub fn of(issued: &IssuedCredential) -> Self {
        let ShownCredential { credential, scheme } = &issued.described;
        let (scheme, secret) = (scheme.as_ref(), issued.secret.as_ref());
        Self {
            identity: IdentityFields::of(credential, scheme, secret),
            secret: secret.map(Into::into),
            state_fields: StateFields::of(credential),
            scheme_fields: SchemeFields::of(credential, scheme),
        }
    }

    /// The login name. Under token schemes it is the secret.
    #[must_use]
    pub fn username(&self) -> &str {
        self.identity.username.as_str()
    }

    /// The id that its client must present, where only one will do.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.identity.client_id.as_ref().map(SecretText::as_str)
    }
}

/// What a new secret for an old credential answers with, the one time.
#[derive(Serialize)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct RenewedSecretView {
    username: SecretText,
    secret: Option<SecretText>,
    generation: i64,
    old_secret_until: Option<String>,
}

impl RenewedSecretView {
    /// The view of a credential that was given a new secret just now.
    #[must_use]
    pub fn of(issued: &IssuedCredential) -> Self {
        let ShownCredential { credential, scheme } = &issued.described;
        let secret = issued.secret.as_ref();
        Self {
            username: username(credential, scheme.as_ref(), secret),
            secret: secret.map(Into::into),
            generation: credential.generation.0,
            old_secret_until: issued.old_secret_until.map(rfc3339),
        }
    }
}

/// What the making of an operator answers with, the one time.
#[derive(Serialize)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct NewOperatorView {
    name: String,
    secret: Option<SecretText>,
}

impl NewOperatorView {
    /// The view of an operator that was made just now; its secret is shown
    /// unless a person chose it.
    #[must_use]
    pub fn of(issued: &IssuedCredential) -> Self {
        Self {
            name: issued.described.credential.name.to_string(),
            secret: issued.secret.as_ref().map(Into::into),
        }
    }
}

/// All that is shown of a credential.
#[derive(Clone, Debug, Serialize)]
pub struct CredentialView {
    #[serde(flatten)]
    identity: IdentityFields,
    #[serde(flatten)]
    state_fields: StateFields,
    #[serde(flatten)]
    scheme_fields: SchemeFields,
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
    /// The view of a credential and its scheme.
    #[must_use]
    pub fn of(credential: &Credential, scheme: Option<&Scheme>) -> Self {
        Self {
            identity: IdentityFields::of(credential, scheme, None),
            state_fields: StateFields::of(credential),
            scheme_fields: SchemeFields::of(credential, scheme),
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

/// All that is shown of an operator.
#[derive(Clone, Debug, Serialize)]
pub struct OperatorView {
    name: String,
    state: &'static str,
    description: Option<String>,
    created_at: String,
    updated_at: String,
    last_used_at: Option<String>,
    generation: i64,
    revoked_reason: Option<String>,
    rules: Vec<RuleView>,
}

impl OperatorView {
    /// The view of an operator.
    #[must_use]
    pub fn of(operator: &Credential) -> Self {
        Self {
            name: operator.name.to_string(),
            state: operator.state.as_str(),
            description: operator.description.clone(),
            created_at: rfc3339(operator.created_at),
            updated_at: rfc3339(operator.updated_at),
            last_used_at: operator.last_used_at.map(rfc3339),
            generation: operator.generation.0,
            revoked_reason: operator.revoked_reason.clone(),
            rules: operator.rules.iter().map(RuleView::of).collect(),
        }
    }
}

/// What the audit keeps of a credential: what is shown, and what is not shown
/// but can be changed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AuditedCredential {
    #[serde(flatten)]
    view: CredentialView,
    client_id_rule: String,
    tied: bool,
    external_identity: bool,
    secrets: usize,
    rules: Vec<RuleView>,
}

impl AuditedCredential {
    pub(crate) fn of(shown: &ShownCredential) -> Self {
        let ShownCredential { credential, scheme } = shown;
        Self {
            view: CredentialView::of(credential, scheme.as_ref()),
            client_id_rule: credential.client_id_rule.to_string(),
            tied: credential.client_id_tie.is_some(),
            external_identity: credential.external_identity,
            secrets: credential.secrets.len(),
            rules: credential.rules.iter().map(RuleView::of).collect(),
        }
    }
}

/// Who a credential is, and what its client must present.
#[derive(Clone, Debug, Serialize)]
struct IdentityFields {
    id: i64,
    name: String,
    tenant: Option<String>,
    scheme: String,
    username: SecretText,
    client_id: Option<SecretText>,
}

impl IdentityFields {
    fn of(credential: &Credential, scheme: Option<&Scheme>, secret: Option<&Secret>) -> Self {
        Self {
            id: credential.id.0,
            name: credential.name.to_string(),
            tenant: credential.tenant.as_ref().map(ToString::to_string),
            scheme: credential.scheme.to_string(),
            username: username(credential, scheme, secret),
            client_id: client_id(credential, scheme, secret),
        }
    }
}

/// Where a credential stands.
#[derive(Clone, Debug, Serialize)]
struct StateFields {
    state: &'static str,
    group: Option<String>,
    groups: Vec<String>,
    description: Option<String>,
    created_at: String,
}

impl StateFields {
    fn of(credential: &Credential) -> Self {
        Self {
            state: credential.state.as_str(),
            group: credential.group().map(ToString::to_string),
            groups: credential.groups.iter().map(ToString::to_string).collect(),
            description: credential.description.clone(),
            created_at: rfc3339(credential.created_at),
        }
    }
}

/// What only some schemes know: IMPACT's token and kind, and the device id of
/// those that keep one.
#[derive(Clone, Debug, Default, Serialize)]
struct SchemeFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<String>,
}

impl SchemeFields {
    fn of(credential: &Credential, scheme: Option<&Scheme>) -> Self {
        let Some(scheme) = scheme else {
            return Self::default();
        };
        let filled = |attribute| {
            let fills = scheme.fills().any(|filled| filled == attribute);
            let value = credential.attributes.get(attribute);
            value.filter(|_| fills).cloned()
        };
        let is_chosen = credential
            .secrets
            .iter()
            .any(|secret| match secret.verifier {
                Verifier::Digest(_) => false,
                Verifier::Password(_) => true,
            });
        Self {
            token: filled("token"),
            auth_type: scheme
                .auth_type(&credential.name, is_chosen)
                .map(|kind| kind.as_str()),
            device_id: filled("device"),
        }
    }
}

/// What a client writes into the username field. Where that is the secret, it
/// is shown with the secret and masked from then on.
fn username(
    credential: &Credential,
    scheme: Option<&Scheme>,
    secret: Option<&Secret>,
) -> SecretText {
    match scheme {
        Some(scheme) if scheme.token_login() == TokenLogin::Required => {
            secret.map_or_else(|| masked(credential, scheme), Into::into)
        }
        Some(_) | None => credential.name.to_string().into(),
    }
}

/// The id that a client must present, where only one will do.
fn client_id(
    credential: &Credential,
    scheme: Option<&Scheme>,
    secret: Option<&Secret>,
) -> Option<SecretText> {
    match &credential.client_id_rule {
        ClientIdRule::Any | ClientIdRule::FirstUse | ClientIdRule::Prefix(_) => None,
        ClientIdRule::Exact(id) => Some(id.to_string().into()),
        ClientIdRule::SameAsSecret => match secret {
            Some(secret) => Some(secret.into()),
            None => Some(scheme.map_or_else(
                || "…".to_owned().into(),
                |scheme| masked(credential, scheme),
            )),
        },
        ClientIdRule::SameAsUsername => Some(credential.name.to_string().into()),
    }
}

/// What is known of a secret that is kept as a digest: how it begins, or at
/// least how all of its scheme do.
fn masked(credential: &Credential, scheme: &Scheme) -> SecretText {
    let newest = credential.secrets.first();
    let hint = newest.and_then(|secret| secret.hint.as_deref());
    format!("{}…", hint.unwrap_or_else(|| scheme.secrets_begin())).into()
}
