//! Applications and their things, as they are shown.

use countersign_core::credential::Credential;
use countersign_core::kind::{Application, ApplicationName};
use countersign_core::secret::StoredSecret;
use serde::Serialize;

use super::{SecretText, rfc3339};
use crate::application::IssuedApplication;

/// What the making of an application answers with, and a new token of it.
///
/// It holds the token, which is printed this once and nowhere else.
#[derive(Serialize)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct IssuedApplicationView {
    name: String,
    tenant: Option<String>,
    secret: SecretText,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_secret_until: Option<String>,
}

impl IssuedApplicationView {
    /// The view of an application that was given a token just now.
    #[must_use]
    pub fn of(issued: &IssuedApplication) -> Self {
        Self {
            name: name(&issued.application),
            tenant: tenant(&issued.application),
            secret: (&issued.token).into(),
            old_secret_until: issued.old_token_until.map(rfc3339),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// All that is shown of an application.
#[derive(Clone, Debug, Serialize)]
pub struct ApplicationView {
    name: String,
    tenant: Option<String>,
    roles: Vec<String>,
    org_admin: bool,
    auto_register: bool,
    max: Option<u32>,
    pattern: Option<String>,
    registered: Option<u32>,
    created_at: String,
    updated_at: String,
    generation: i64,
    old_secret_until: Option<String>,
}

impl ApplicationView {
    /// The view of an application.
    #[must_use]
    pub fn of(application: &Credential) -> Self {
        let about = about(application);
        let mut ends = application.secrets.iter().filter_map(ends_at);
        Self {
            name: name(application),
            tenant: tenant(application),
            roles: application.roles.iter().map(ToString::to_string).collect(),
            org_admin: about.is_org_admin,
            auto_register: about.registers.is_some(),
            max: about.registers.as_ref().map(|it| it.max),
            pattern: about.registers.as_ref().map(|it| it.pattern.to_string()),
            registered: about.registers.as_ref().map(|it| it.registered),
            created_at: rfc3339(application.created_at),
            updated_at: rfc3339(application.updated_at),
            generation: application.generation.0,
            old_secret_until: ends.next(),
        }
    }
}

/// What the audit keeps of an application.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AuditedApplication {
    #[serde(flatten)]
    view: ApplicationView,
    secrets: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    things: Option<usize>,
}

impl AuditedApplication {
    pub(crate) fn of(application: &Credential) -> Self {
        Self {
            view: ApplicationView::of(application),
            secrets: application.secrets.len(),
            things: None,
        }
    }

    /// The same with how many things went with it.
    pub(crate) fn with_things(self, things: usize) -> Self {
        Self {
            things: Some(things),
            ..self
        }
    }
}

/// All that is shown of a thing. Its application id is a secret, so it is said
/// only whether it is tied to one.
#[derive(Clone, Debug, Serialize)]
pub struct ThingView {
    key: String,
    tenant: Option<String>,
    application: Option<String>,
    app_id_bound: bool,
    created_at: String,
    updated_at: String,
    last_used_at: Option<String>,
    generation: i64,
}

impl ThingView {
    /// The view of a thing.
    #[must_use]
    pub fn of(thing: &Credential) -> Self {
        let about = thing.kind.thing();
        let application = about.map(|about| about.application_name.to_string());
        Self {
            key: thing.name.to_string(),
            tenant: tenant(thing),
            application,
            app_id_bound: thing.client_id_tie.is_some(),
            created_at: rfc3339(thing.created_at),
            updated_at: rfc3339(thing.updated_at),
            last_used_at: thing.last_used_at.map(rfc3339),
            generation: thing.generation.0,
        }
    }
}

/// What the audit keeps of a thing: all that is shown.
pub(crate) type AuditedThing = ThingView;

fn about(application: &Credential) -> Application {
    application.kind.application().cloned().unwrap_or_default()
}

/// What people call an application: not the name of its credential.
fn name(application: &Credential) -> String {
    match ApplicationName::of_credential(&application.name) {
        Some(name) => name.to_string(),
        None => application.name.to_string(),
    }
}

fn tenant(credential: &Credential) -> Option<String> {
    credential.tenant.as_ref().map(ToString::to_string)
}

fn ends_at(secret: &StoredSecret) -> Option<String> {
    secret.ends_at.map(rfc3339)
}
