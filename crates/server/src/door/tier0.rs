//! The door of Tier0: where clients connect, who does, and what they log in with.

use axum::http::StatusCode;
use countersign_admin::broker::{KnownListener, ListListeners};
use countersign_admin::clients::{CountClients, ListClients};
use countersign_admin::credential::{
    CreateCredential, DeleteCredential, ListCredentials, NewCredential,
};
use countersign_admin::text::FreeText;
use countersign_core::client_id::{ClientId, ClientIdRule};
use countersign_core::credential::Credential;
use countersign_core::name::LoginName;
use countersign_core::scheme::SchemeName;
use countersign_core::secret::Secret;
use countersign_core::store::{BrokerPresence, CredentialQuery, Page};
use countersign_core::time::rfc3339;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Vendor;
use super::forms::{After, MOST_LISTED, status_of};
use super::numbered::Numbered;
use crate::answer::Answer;
use crate::call::Call;
use crate::input::{FromText as _, Json, Nothing, Text};
use crate::problem::Problem;
use crate::rest::clients::{key_of, read_key};
use crate::route::{Route, delete, get, post};

pub(super) static VENDOR: Vendor = Vendor {
    name: "tier0",
    holds: |path| path.starts_with("/connectivity/"),
    routes,
    problem,
};

fn routes() -> Vec<Route> {
    vec![
        get("/connectivity/broker", "Show where clients connect", broker),
        get(CLIENTS, "List who is connected", clients),
        get("/connectivity/count", "Count who is connected", count),
        get(AUTHS, "List what clients log in with", list),
        post(AUTHS, "Make what a client logs in with", create),
        delete("/connectivity/auths/{id}", "Delete it", remove),
    ]
}

fn problem(problem: &Problem) -> (StatusCode, String) {
    let status = status_of(problem.kind);
    let told = json!({ "code": status.as_u16(), "msg": problem.detail });
    (status, told.to_string())
}

fn broker(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    #[derive(Serialize)]
    struct Broker {
        listeners: Vec<ListenerView>,
    }

    #[derive(Serialize)]
    struct ListenerView {
        broker: String,
        host: Option<String>,
        port: Option<u16>,
        protocol: &'static str,
    }

    let tenant = call.tenant_at_door(None)?;
    let listeners = call.run(&ListListeners(tenant))?.into_iter();
    let view = |listener: KnownListener| ListenerView {
        broker: listener.broker,
        host: listener.host,
        port: listener.port,
        protocol: if listener.is_tls { "mqtts" } else { "mqtt" },
    };
    Answer::ok(&Broker {
        listeners: listeners.map(view).collect(),
    })
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct ClientWords {
    /// Behind this.
    after: Option<String>,
    /// With this client id alone.
    client_id: Option<Text<ClientId>>,
}

/// A client that is connected, as Tier0 shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClientView<'a> {
    client_id: &'a str,
    username: Option<&'a str>,
    ip: Option<&'a str>,
    protocol: &'static str,
    port: Option<u16>,
    connected_at: String,
    status: &'static str,
}

impl<'a> ClientView<'a> {
    fn of(client: &'a BrokerPresence) -> Self {
        let presence = &client.presence;
        Self {
            client_id: &presence.client_id,
            username: presence.username.as_deref(),
            ip: presence.address.as_deref(),
            protocol: match presence.protocol {
                3 => "MQTT 3.1",
                4 => "MQTT 3.1.1",
                5 => "MQTT 5.0",
                _ => "MQTT",
            },
            port: presence.listener,
            connected_at: rfc3339(presence.connected_at),
            status: "connected",
        }
    }
}

fn clients(call: &mut Call<'_>, words: ClientWords, _: Nothing) -> Result<Answer, Problem> {
    let after = words.after.as_deref().map(read_key).transpose();
    let page = Page {
        after: after.map_err(Problem::invalid)?,
        limit: MOST_LISTED,
    };
    let tenant = Some(call.tenant_at_door(None)?);
    let listed = call.run(&ListClients {
        tenant,
        client_id: words.client_id.map(|Text(client_id)| client_id),
        page,
        ..ListClients::default()
    })?;
    let all: Vec<_> = listed.rows.iter().map(ClientView::of).collect();
    let next = listed.next.as_ref().map(key_of);
    Answer::ok(&all)?.with_next(CLIENTS, next.as_deref())
}

fn count(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    #[derive(Serialize)]
    struct Count {
        count: u64,
    }

    let tenant = Some(call.tenant_at_door(None)?);
    let count = call.run(&CountClients { tenant })?;
    Answer::ok(&Count { count })
}

/// What a client logs in with, as Tier0 shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthView<'a> {
    id: String,
    description: &'a str,
    client_id: Option<&'a str>,
    username: &'a str,
    /// Shown once, to whom it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
    created_at: String,
    status: &'static str,
}

impl<'a> AuthView<'a> {
    fn of(credential: &'a Credential, password: Option<&'a Secret>) -> Self {
        let password = password.map(|it| core::str::from_utf8(it.expose()));
        let client_id = match &credential.client_id_rule {
            ClientIdRule::Exact(client_id) => Some(client_id.as_str()),
            ClientIdRule::Any
            | ClientIdRule::FirstUse
            | ClientIdRule::Prefix(_)
            | ClientIdRule::SameAsSecret
            | ClientIdRule::SameAsUsername => None,
        };
        Self {
            id: credential.id.0.to_string(),
            description: credential.description.as_deref().unwrap_or_default(),
            client_id,
            username: credential.name.as_str(),
            password: password.and_then(Result::ok),
            created_at: rfc3339(credential.created_at),
            status: credential.state.as_str(),
        }
    }
}

fn list(call: &mut Call<'_>, words: After, _: Nothing) -> Result<Answer, Problem> {
    let query = CredentialQuery {
        tenant: Some(call.tenant_at_door(None)?),
        scheme: Some(scheme()?),
        ..CredentialQuery::default()
    };
    let page = words.page();
    let found = call.run(&ListCredentials { query, page })?.listed;
    let all: Vec<_> = found.rows.iter().map(|it| AuthView::of(it, None)).collect();
    let next = found.next.as_ref().map(LoginName::as_str);
    Answer::ok(&all)?.with_next(AUTHS, next)
}

/// All that may be said of what a client logs in with.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    description: Text<FreeText>,
}

fn create(call: &mut Call<'_>, _: Nothing, body: Json<New>) -> Result<Answer, Problem> {
    let Json(New {
        description: Text(description),
    }) = body;
    if description.clone().into_filled().is_none() {
        return Err(Problem::invalid("say by `description` what it is for"));
    }
    let tenant = call.tenant_at_door(None)?;
    let issued = call.run(&CreateCredential(NewCredential {
        name: None,
        scheme: scheme()?,
        description: Some(description),
        ..NewCredential::new(tenant, "")
    }))?;
    let view = AuthView::of(&issued.described.credential, issued.secret.as_ref());
    Answer::json(StatusCode::CREATED, &view)
}

fn remove(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let found = Numbered::of(call, scheme()?)?;
    found.run(call, &DeleteCredential(found.name()))?;
    Ok(Answer::deleted())
}

fn scheme() -> Result<SchemeName, Problem> {
    SchemeName::from_text("generated").map_err(Problem::invalid)
}

const AUTHS: &str = "/connectivity/auths";
const CLIENTS: &str = "/connectivity/clients";
