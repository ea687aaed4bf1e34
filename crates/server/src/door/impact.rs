//! The door of Nokia's IMPACT: tokens for MQTT.
//!
//! A token is a credential of the scheme `impact`. The first part of a group's name, in
//! small letters, is the tenant.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use countersign_admin::credential::{
    CreateCredential, IssuedCredential, ListCredentials, ManyAct, NewCredential,
};
use countersign_admin::text::FreeText;
use countersign_admin::view::ManyView;
use countersign_admin::{Mode, Permission};
use countersign_core::credential::Credential;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::scheme::SchemeName;
use countersign_core::secret::Secret;
use countersign_core::store::{CredentialQuery, Page};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Vendor;
use super::forms::{new_secret, status_of};
use crate::answer::Answer;
use crate::call::{Call, IsPermitted};
use crate::input::{FromText as _, MaybeJson, Nothing, Presented, Text, part_of_path};
use crate::many::{Running, selected};
use crate::problem::{Problem, ProblemKind};
use crate::route::{Route, delete, get, put};

pub(super) static VENDOR: Vendor = Vendor {
    name: "impact",
    holds: |path| path == TOKEN || path.starts_with("/m2m/token/"),
    routes,
    problem,
};

fn routes() -> Vec<Route> {
    vec![
        put(TOKEN_FOR_MQTT, "Make a token", create),
        get(TOKEN_FOR_MQTT, "List tokens", list),
        get(TOKEN, "List tokens", list),
        delete(TOKEN_FOR_MQTT, "Delete tokens", remove),
        delete(TOKEN, "Delete tokens", remove),
    ]
}

/// Tells a problem with a code that is not the one of success.
fn problem(problem: &Problem) -> (StatusCode, String) {
    let status = status_of(problem.kind);
    let told = json!({ "msg": problem.detail, "code": status.as_u16() });
    (status, told.to_string())
}

/// A token that is asked for, in the body or behind the `?`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct New {
    description: Option<Text<FreeText>>,
    group_name: Option<String>,
    #[serde(alias = "password")]
    secret: Option<Text<Presented>>,
    username: Option<String>,
}

/// A token that was made, whose secret is shown this once.
#[derive(Serialize)]
struct Made<'a> {
    msg: &'static str,
    #[serde(rename = "tokenResponse")]
    response: TokenView<'a>,
    code: u32,
}

#[derive(Serialize)]
struct Listed<'a> {
    msg: &'static str,
    #[serde(rename = "tokenResponses")]
    responses: Vec<TokenView<'a>>,
    /// Where the rest begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
    code: u32,
}

#[derive(Serialize)]
struct TokenView<'a> {
    token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    username: &'a str,
    description: &'a str,
}

impl<'a> TokenView<'a> {
    fn of(credential: &'a Credential, secret: Option<&'a Secret>) -> Self {
        let token = credential.attributes.get(ATTRIBUTE);
        let secret = secret.map(|secret| core::str::from_utf8(secret.expose()));
        Self {
            token: token.map_or("", String::as_str),
            secret: secret.and_then(Result::ok),
            username: credential.name.as_str(),
            description: credential.description.as_deref().unwrap_or_default(),
        }
    }
}

fn create(call: &mut Call<'_>, query: New, body: MaybeJson<New>) -> Result<Answer, Problem> {
    let MaybeJson(said) = body;
    let group = read_group(said.group_name.or(query.group_name).as_deref())?;
    let given = said.secret.or(query.secret);
    let given = given.map(|Text(Presented(secret))| secret);
    let name = said.username.or(query.username);
    let description = said.description.or(query.description);
    let tenant = tenant(call, group.as_ref())?;
    let secret = new_secret(given.as_ref())?;
    let issued: IssuedCredential = call.run(&CreateCredential(NewCredential {
        name,
        scheme: scheme()?,
        secret,
        groups: group.into_iter().collect(),
        description: description.map(|Text(text)| text),
        ..NewCredential::new(tenant, "")
    }))?;
    let secret = issued.secret.as_ref().or(given.as_ref());
    let made = Made {
        msg: SUCCESS,
        response: TokenView::of(&issued.described.credential, secret),
        code: DONE,
    };
    Answer::json(StatusCode::ACCEPTED, &made)
}

/// Which tokens are meant.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Words {
    group_name: Option<String>,
    token: Option<String>,
    /// Behind this: the `next` of the part before.
    after: Option<String>,
}

impl Words {
    /// The tokens that the asker means, of a tenant in which the asker has some right.
    fn query(&self, call: &mut Call<'_>) -> Result<CredentialQuery, Problem> {
        let group = read_group(self.group_name.as_deref())?;
        let tenant = tenant(call, group.as_ref())?;
        let token = said(self.token.as_deref());
        let token = token.map(|token| (ATTRIBUTE.to_owned(), token.to_owned()));
        Ok(CredentialQuery {
            tenant: Some(tenant),
            group,
            scheme: Some(scheme()?),
            attributes: token.into_iter().collect::<BTreeMap<_, _>>(),
            ..CredentialQuery::default()
        })
    }
}

fn list(call: &mut Call<'_>, words: Words, _: Nothing) -> Result<Answer, Problem> {
    let query = words.query(call)?;
    let after = words.after.as_deref().map(LoginName::from_text).transpose();
    let after = after.map_err(Problem::invalid)?;
    let page = Page {
        after,
        ..Page::default()
    };
    let found = call.run(&ListCredentials { query, page })?.listed;
    let tokens = found.rows.iter();
    let listed = Listed {
        msg: SUCCESS,
        responses: tokens.map(|it| TokenView::of(it, None)).collect(),
        next: found.next.as_ref().map(LoginName::as_str),
        code: DONE,
    };
    Answer::json(StatusCode::OK, &listed)
}

fn remove(call: &mut Call<'_>, words: Words, _: Nothing) -> Result<Answer, Problem> {
    let is_said = [&words.group_name, &words.token].map(|it| said(it.as_deref()).is_some());
    if is_said == [false, false] || words.after.is_some() {
        let detail = "say which tokens: `groupName`, `token`, or both";
        return Err(Problem::invalid(detail));
    }
    let query = words.query(call)?;
    if let Some(tenant) = &query.tenant {
        // Before it is told whether there are any.
        call.run(&IsPermitted(Permission::Administer(tenant.clone())))?;
    }
    let targets = selected(call, &query)?;
    if targets.is_empty() {
        return Ok(Answer::deleted());
    }
    let running = Running::new(ManyAct::Delete, query, targets, Mode::Commit);
    running.go_on(call, removed)
}

/// Answers with what was deleted.
fn removed(report: &ManyView) -> Result<Answer, Problem> {
    if let Some(stopped) = &report.stopped {
        return Err(Problem::unavailable(stopped.error.clone()));
    }
    if let Some(failed) = report.failed.first() {
        let (done, error) = (report.done, &failed.error);
        let detail = format!("{done} deleted, others not: {error}");
        return Err(Problem::new(ProblemKind::Conflict, detail));
    }
    let told = json!({ "msg": SUCCESS, "code": DONE });
    Answer::json(StatusCode::ACCEPTED, &told)
}

/// What is said, where it is not empty.
fn said(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// Reads the name of a group. What can't be one is one that there is not.
fn read_group(text: Option<&str>) -> Result<Option<GroupPath>, Problem> {
    said(text).map(part_of_path).transpose()
}

/// The tenant of a group; of no group, the one that the door leads to.
fn tenant(call: &mut Call<'_>, group: Option<&GroupPath>) -> Result<TenantId, Problem> {
    let Some(group) = group else {
        return call.tenant_at_door(None);
    };
    let path = group.as_str().to_ascii_lowercase();
    let first = path.split('.').next().unwrap_or_default();
    let named = part_of_path(first)?;
    call.tenant_at_door(Some(named))
}

fn scheme() -> Result<SchemeName, Problem> {
    SchemeName::from_text("impact").map_err(Problem::invalid)
}

const TOKEN: &str = "/m2m/token";
const TOKEN_FOR_MQTT: &str = "/m2m/token/mqtt";
/// The attribute that holds a token.
const ATTRIBUTE: &str = "token";
const SUCCESS: &str = "Success";
/// The code of success.
const DONE: u32 = 1_000;
