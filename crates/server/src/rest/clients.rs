//! Clients that are connected now.

use core::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_admin::clients::{
    CountClients, IsKicked, ListClients, ReleaseClientId, RequestKick, WithdrawKick,
};
use countersign_admin::view::ClientView;
use countersign_core::client_id::ClientId;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::presence::SessionNumber;
use countersign_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use axum::http::StatusCode;

use super::{page_of, part};
use crate::answer::Answer;
use crate::call::Call;
use crate::input::{Nothing, Text};
use crate::problem::{Problem, ProblemKind};
use crate::route::{Route, delete, get, post};
use crate::shape::{MAYBE_TEXT, Shape};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/clients", "List who is connected", list).answers_page(&CLIENT),
        get("/api/v1/clients/count", "Count who is connected", count).answers(
            StatusCode::OK,
            Shape::Object(&[("connected", Shape::Integer)]),
        ),
        delete("/api/v1/clients/{session}", "End a session", kick).answers_nothing(),
        post(
            "/api/v1/clients/{client_id}/release",
            "Give up a client id",
            release,
        )
        .answers(StatusCode::OK, Shape::Object(&[("released", Shape::Text)])),
    ]
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ListWords {
    /// Behind this: the `next` of the part before.
    after: Option<String>,
    /// Those of brokers that are not alive, too.
    all: bool,
    /// At this broker alone.
    broker: Option<String>,
    /// With this client id alone.
    client_id: Option<Text<ClientId>>,
    /// At most so many, from 1 to 1000; 100 where it is not said.
    limit: Option<u64>,
    /// With this name alone.
    name: Option<Text<LoginName>>,
    /// Of this tenant alone.
    tenant: Option<Text<TenantId>>,
}

fn list(call: &mut Call<'_>, words: ListWords, _: Nothing) -> Result<Answer, Problem> {
    let page = page_of(words.after.as_deref(), words.limit, read_key)?;
    let listed = call.run(&ListClients {
        tenant: words.tenant.map(|Text(tenant)| tenant),
        name: words.name.map(|Text(name)| name),
        client_id: words.client_id.map(|Text(client_id)| client_id),
        broker: words.broker,
        all: words.all,
        page,
    })?;
    let clients = listed.rows.iter();
    let items = clients.map(|client| ClientView::of(client, words.all));
    part(items.collect(), listed.next.as_ref().map(key_of))
}

/// A place in the listing, as a text without anything that the address must encode.
pub(crate) fn key_of((broker, session): &(String, SessionNumber)) -> String {
    URL_SAFE_NO_PAD.encode(format!("{} {broker}", session.0))
}

/// Reads what [`key_of`] wrote.
pub(crate) fn read_key(text: &str) -> Result<(String, SessionNumber), String> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (session, broker) = text.split_once(' ')?;
        Some((broker.to_owned(), SessionNumber(session.parse().ok()?)))
    };
    read().ok_or_else(|| "it is not the `next` of a listing".to_owned())
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct CountWords {
    /// Of this tenant alone.
    tenant: Option<Text<TenantId>>,
}

fn count(call: &mut Call<'_>, words: CountWords, _: Nothing) -> Result<Answer, Problem> {
    #[derive(Serialize)]
    struct Count {
        connected: u64,
    }

    let tenant = words.tenant.map(|Text(tenant)| tenant);
    let connected = call.run(&CountClients { tenant })?;
    Answer::ok(&Count { connected })
}

fn kick(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let target: String = call.part("session")?;
    let request = call.run(&RequestKick {
        target: target.clone(),
    })?;
    let until = call.now.plus(LONGEST_WAIT);
    wait(call, WithdrawKick { target, request }, until)
}

/// Waits for a broker to say that it had the client, and takes the request back where
/// none does.
fn wait(call: &mut Call<'_>, withdraw: WithdrawKick, until: Timestamp) -> Result<Answer, Problem> {
    if call.run(&IsKicked(withdraw.request))? {
        return Ok(Answer::deleted());
    }
    if call.now >= until && call.run(&withdraw)? {
        let detail = "no broker answered within a second that it had such a client";
        return Err(Problem::new(ProblemKind::NotFound, detail));
    }
    Ok(Answer::later(PAUSE, move |call| {
        wait(call, withdraw, until)
    }))
}

fn release(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    #[derive(Serialize)]
    struct Released {
        released: String,
    }

    let client_id: ClientId = call.part("client_id")?;
    let released = client_id.to_string();
    call.run(&ReleaseClientId(client_id))?;
    Answer::ok(&Released { released })
}

const LONGEST_WAIT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);
pub(in crate::rest) const CLIENT: Shape = Shape::Named(
    "Client",
    &Shape::Object(&[
        ("session", Shape::Text),
        ("client_id", Shape::Text),
        ("username", MAYBE_TEXT),
        ("tenant", MAYBE_TEXT),
        ("address", MAYBE_TEXT),
        ("protocol", Shape::Integer),
        ("connected_at", Shape::Text),
        ("broker", Shape::Text),
        ("authenticated", Shape::Bool),
        ("listener", Shape::Maybe(&Shape::Integer)),
        ("alive", Shape::Absent(&Shape::Bool)),
    ]),
);
