//! The door of Kaa: basic credentials, and whether a tenant asks for them.

use axum::http::StatusCode;
use countersign_admin::credential::{
    CreateCredential, DeleteCredential, ListCredentials, NewCredential, ReactivateCredential,
    ResetPassword, RevokeCredential, ShownCredential, SuspendCredential,
};
use countersign_admin::tenant::{SetTenant, ShowTenant, TenantChanges};
use countersign_admin::{Command, Permission};
use countersign_core::credential::Credential;
use countersign_core::lifecycle::State;
use countersign_core::name::LoginName;
use countersign_core::scheme::SchemeName;
use countersign_core::secret::Secret;
use countersign_core::store::CredentialQuery;
use countersign_core::tenant::{Authentication, Tenant};
use countersign_core::time::rfc3339;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Vendor;
use super::forms::{After, new_secret, status_of};
use super::numbered::Numbered;
use crate::answer::Answer;
use crate::call::{Call, IsPermitted};
use crate::input::{Json, MaybeJson, Nothing, Presented, Text};
use crate::problem::{Problem, ProblemKind};
use crate::route::{Route, delete, get, post, put};

pub(super) static VENDOR: Vendor = Vendor {
    name: "kaa",
    holds: |path| path.starts_with("/ccm/"),
    routes,
    problem,
};

fn routes() -> Vec<Route> {
    vec![
        get(ALL, "List credentials", list),
        post(ALL, "Make a credential", create),
        get(ONE, "Show a credential", show),
        delete(ONE, "Delete a credential", remove),
        put(STATE, "Change a credential's state", set_state),
        post(RESET, "Replace a password", reset),
        get(SETTINGS, "Show whether a login is required", settings),
        put(SETTINGS, "Have a login required, or not", set_settings),
    ]
}

fn problem(problem: &Problem) -> (StatusCode, String) {
    let status = status_of(problem.kind);
    let told = json!({ "status": status.as_u16(), "message": problem.detail });
    (status, told.to_string())
}

/// Credentials, as Kaa writes them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CredentialsView<'a> {
    id: String,
    username: &'a str,
    /// Shown once, to whom it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
    state: &'static str,
    created_date: String,
    updated_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_use_date: Option<String>,
}

impl<'a> CredentialsView<'a> {
    fn of(credential: &'a Credential, password: Option<&'a Secret>) -> Self {
        let password = password.map(|it| core::str::from_utf8(it.expose()));
        Self {
            id: credential.id.0.to_string(),
            username: credential.name.as_str(),
            password: password.and_then(Result::ok),
            state: credential.state.as_str(),
            created_date: rfc3339(credential.created_at),
            updated_date: rfc3339(credential.updated_at),
            last_use_date: credential.last_used_at.map(rfc3339),
        }
    }
}

fn list(call: &mut Call<'_>, words: After, _: Nothing) -> Result<Answer, Problem> {
    let query = CredentialQuery {
        tenant: Some(call.tenant_at_door(None)?),
        scheme: Some(SchemeName::basic()),
        ..CredentialQuery::default()
    };
    let page = words.page();
    let found = call.run(&ListCredentials { query, page })?.listed;
    let rows = found.rows.iter();
    let all: Vec<_> = rows.map(|it| CredentialsView::of(it, None)).collect();
    let next = found.next.as_ref().map(LoginName::as_str);
    Answer::ok(&all)?.with_next(ALL, next)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    username: String,
    #[serde(default)]
    password: Option<Text<Presented>>,
}

fn create(call: &mut Call<'_>, _: Nothing, body: Json<New>) -> Result<Answer, Problem> {
    let Json(said) = body;
    let tenant = call.tenant_at_door(None)?;
    let given = said.password.map(|Text(Presented(password))| password);
    let issued = call.run(&CreateCredential(NewCredential {
        secret: new_secret(given.as_ref())?,
        ..NewCredential::new(tenant, said.username)
    }))?;
    let password = issued.secret.as_ref().or(given.as_ref());
    let view = CredentialsView::of(&issued.described.credential, password);
    Answer::json(StatusCode::CREATED, &view)
}

fn show(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    shown(&numbered(call)?.shown)
}

fn remove(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let found = numbered(call)?;
    found.run(call, &DeleteCredential(found.name()))?;
    Ok(Answer::deleted())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewState {
    state: Text<State>,
}

fn set_state(call: &mut Call<'_>, _: Nothing, body: Json<NewState>) -> Result<Answer, Problem> {
    let found = numbered(call)?;
    let (name, Text(state)) = (found.name(), body.0.state);
    match state {
        State::Active => done(call, &found, &ReactivateCredential(name)),
        State::Suspended => done(call, &found, &SuspendCredential(name)),
        State::Revoked => done(call, &found, &RevokeCredential { name, reason: None }),
        State::Inactive => {
            found.run(call, &IsPermitted(Permission::Operate(name)))?;
            let detail = "no act makes credentials Inactive: they are until they are first used";
            Err(Problem::new(ProblemKind::Conflict, detail))
        }
    }
}

/// Does something to credentials, and shows what they are then.
fn done<C: Command<Output = ShownCredential>>(
    call: &mut Call<'_>,
    found: &Numbered,
    act: &C,
) -> Result<Answer, Problem> {
    shown(&found.run(call, act)?)
}

fn shown(shown: &ShownCredential) -> Result<Answer, Problem> {
    Answer::ok(&CredentialsView::of(&shown.credential, None))
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Reset {
    password: Option<Text<Presented>>,
}

fn reset(call: &mut Call<'_>, _: Nothing, body: MaybeJson<Reset>) -> Result<Answer, Problem> {
    let found = numbered(call)?;
    let given = body.0.password.map(|Text(Presented(password))| password);
    let reset = ResetPassword {
        name: found.name(),
        secret: new_secret(given.as_ref())?,
    };
    let issued = found.run(call, &reset)?;
    let password = issued.secret.as_ref().or(given.as_ref());
    Answer::ok(&CredentialsView::of(&issued.described.credential, password))
}

fn numbered(call: &mut Call<'_>) -> Result<Numbered, Problem> {
    Numbered::of(call, SchemeName::basic())
}

/// Whether a tenant requires a login.
#[derive(Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Settings {
    basic_auth_enabled: bool,
}

impl Settings {
    fn of(tenant: &Tenant) -> Self {
        Self {
            basic_auth_enabled: tenant.authentication == Authentication::Required,
        }
    }
}

fn settings(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let tenant = call.tenant_at_door(None)?;
    Answer::ok(&Settings::of(&call.run(&ShowTenant(tenant))?))
}

fn set_settings(call: &mut Call<'_>, _: Nothing, body: Json<Settings>) -> Result<Answer, Problem> {
    let id = call.tenant_at_door(None)?;
    let authentication = match body.0.basic_auth_enabled {
        true => Authentication::Required,
        false => Authentication::Off,
    };
    let changes = TenantChanges {
        authentication: Some(authentication),
        ..TenantChanges::default()
    };
    Answer::ok(&Settings::of(&call.run(&SetTenant { id, changes })?))
}

const ALL: &str = "/ccm/api/v1/basic-credentials";
const ONE: &str = "/ccm/api/v1/basic-credentials/{id}";
const STATE: &str = "/ccm/api/v1/basic-credentials/{id}/state";
const RESET: &str = "/ccm/api/v1/basic-credentials/{id}/reset-password";
const SETTINGS: &str = "/ccm/api/v1/tenant-settings";
