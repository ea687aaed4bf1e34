//! Hooks of other brokers.

use axum::http::StatusCode;
use countersign_admin::hook::{
    CreateHook, DeleteHook, KickLogin, ListHooks, NewHook, NewKick, RotateHook, ShowHook,
};
use countersign_admin::view::{HookView, IssuedHookView};
use countersign_core::hook::{HookKind, HookName, KickUrl, Vhost};
use countersign_core::name::TenantId;
use countersign_core::network::Network;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{PageWords, part};
use crate::answer::Answer;
use crate::call::Call;
use crate::input::{Json, Nothing, Text, taken};
use crate::problem::Problem;
use crate::route::{Route, delete, get, post};
use crate::shape::{MAYBE_TEXT, Shape, TEXTS};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/hooks", "List hooks of other brokers", list).answers_page(&HOOK),
        post("/api/v1/hooks", "Make a hook", create).answers(StatusCode::CREATED, ISSUED),
        get("/api/v1/hooks/{name}", "Show a hook", show).answers(StatusCode::OK, HOOK),
        delete("/api/v1/hooks/{name}", "Delete a hook", remove).answers_nothing(),
        post(
            "/api/v1/hooks/{name}/rotate",
            "Give a hook another secret",
            rotate,
        )
        .answers(StatusCode::OK, ISSUED),
    ]
}

fn list(call: &mut Call<'_>, words: PageWords, _: Nothing) -> Result<Answer, Problem> {
    let listed = call.run(&ListHooks(words.page()?))?;
    let next = listed.next.map(|next| next.to_string());
    part(listed.rows.iter().map(HookView::of).collect(), next)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    name: Text<HookName>,
    kind: Text<HookKind>,
    #[serde(default)]
    tenant: Option<Text<TenantId>>,
    /// Where requests may come from; this machine alone where it is not said.
    #[serde(default)]
    from: Vec<Text<Network>>,
    #[serde(default)]
    kick: Option<Kick>,
    /// The virtual hosts of RabbitMQ that clients may use; `/` alone where it is not said.
    #[serde(default)]
    vhosts: Vec<Text<Vhost>>,
}

/// Where its broker ends sessions.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Kick {
    url: Text<KickUrl>,
    #[serde(default)]
    login: Option<Text<KickLogin>>,
}

fn create(call: &mut Call<'_>, _: Nothing, body: Json<New>) -> Result<Answer, Problem> {
    let Json(said) = body;
    let created = call.run(&CreateHook(NewHook {
        name: said.name.0,
        kind: said.kind.0,
        tenant: said.tenant.map(|Text(tenant)| tenant),
        from: taken(said.from),
        kick: said.kick.map(|kick| NewKick {
            url: kick.url.0,
            login: kick.login.map(|Text(login)| login),
        }),
        vhosts: taken(said.vhosts),
    }))?;
    let name = created.hook.name.to_string();
    Answer::created(&["hooks", &name], &IssuedHookView::of(&created))
}

fn show(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let hook = call.run(&ShowHook(call.part("name")?))?;
    Answer::ok(&HookView::of(&hook))
}

fn rotate(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let rotated = call.run(&RotateHook(call.part("name")?))?;
    Answer::ok(&IssuedHookView::of(&rotated))
}

fn remove(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    call.run(&DeleteHook(call.part("name")?))?;
    Ok(Answer::deleted())
}

const HOOK: Shape = Shape::Named(
    "Hook",
    &Shape::Object(&[
        ("name", Shape::Text),
        ("kind", Shape::Text),
        ("tenant", MAYBE_TEXT),
        ("from", TEXTS),
        ("paths", TEXTS),
        ("kick", MAYBE_TEXT),
        ("vhosts", TEXTS),
        ("created_at", Shape::Text),
        ("rotated_at", Shape::Text),
    ]),
);
const ISSUED: Shape = Shape::Object(&[
    ("name", Shape::Text),
    ("kind", Shape::Text),
    ("secret", Shape::Text),
    ("paths", TEXTS),
    ("secret_paths", TEXTS),
]);
