//! Bans.

use axum::http::StatusCode;
use countersign_admin::ban::{AddBan, BanNamed, Banned, ListBans, RemoveBan};
use countersign_admin::text::FreeText;
use countersign_admin::view::BanView;
use countersign_core::ban::BanId;
use countersign_core::client_id::ClientId;
use countersign_core::name::TenantId;
use countersign_core::network::Network;
use countersign_core::time::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{PageOfTenantWords, part};
use crate::answer::Answer;
use crate::call::Call;
use crate::input::{FromText as _, Json, Nothing, Text};
use crate::problem::{Problem, ProblemKind};
use crate::route::{Route, delete, get, post};
use crate::shape::{MAYBE_TEXT, Shape};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/bans", "List the bans that count", list).answers_page(&BAN),
        post("/api/v1/bans", "Ban an address or a client id", add)
            .answers(StatusCode::CREATED, BAN),
        delete("/api/v1/bans/{id}", "Lift a ban", remove).answers_nothing(),
    ]
}

fn list(call: &mut Call<'_>, words: PageOfTenantWords, _: Nothing) -> Result<Answer, Problem> {
    let page = words.page(BanId::from_text)?;
    let tenant = words.tenant();
    let listed = call.run(&ListBans { tenant, page })?;
    let next = listed.next.map(|next| next.to_string());
    part(listed.rows.iter().map(BanView::of).collect(), next)
}

/// One of `address` and `client_id` is given.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    /// Clients from this address, or this network.
    #[serde(default)]
    address: Option<Text<Network>>,
    /// Clients with this client id.
    #[serde(default)]
    client_id: Option<Text<ClientId>>,
    /// Of the client id: principals of this tenant alone.
    #[serde(default)]
    tenant: Option<Text<TenantId>>,
    /// When it ends; never where it is not said.
    #[serde(default)]
    until: Option<Text<Timestamp>>,
    /// Why, for people.
    #[serde(default)]
    reason: Option<Text<FreeText>>,
    /// Ban also where that keeps out loopback, the asker's own address, or a platform
    /// administrator who is connected.
    #[serde(default)]
    force: bool,
}

fn add(call: &mut Call<'_>, _: Nothing, body: Json<New>) -> Result<Answer, Problem> {
    let Json(said) = body;
    let tenant = said.tenant.map(|Text(tenant)| tenant);
    let banned = match (said.address, said.client_id) {
        (Some(Text(address)), None) if tenant.is_none() => Banned::Address(address),
        (None, Some(Text(client_id))) => Banned::ClientId(client_id, tenant),
        _ => {
            let detail = "give `address`, or `client_id` and perhaps `tenant`";
            return Err(Problem::new(ProblemKind::Invalid, detail));
        }
    };
    let ban = call.run(&AddBan {
        banned,
        until: said.until.map(|Text(until)| until),
        reason: said.reason.map(|Text(reason)| reason),
        asker: Some(call.asked.client),
        force: said.force,
    })?;
    Answer::created(&["bans", &ban.id.to_string()], &BanView::of(&ban))
}

fn remove(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let id = call.part("id")?;
    call.run(&RemoveBan(BanNamed::Id(id)))?;
    Ok(Answer::deleted())
}

const BAN: Shape = Shape::Named(
    "Ban",
    &Shape::Object(&[
        ("id", Shape::Integer),
        ("address", MAYBE_TEXT),
        ("client_id", MAYBE_TEXT),
        ("tenant", MAYBE_TEXT),
        ("until", MAYBE_TEXT),
        ("reason", MAYBE_TEXT),
        ("created_by", Shape::Text),
        ("created_at", Shape::Text),
    ]),
);
