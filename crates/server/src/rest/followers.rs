//! Followers of this store.

use axum::http::StatusCode;
use countersign_admin::follower::{
    CreateFollower, DeleteFollower, ListFollowers, RotateFollower, SetFollower, ShowFollower,
};
use countersign_admin::view::{FollowerView, IssuedFollowerView};
use countersign_core::follower::FollowerName;
use countersign_core::name::TenantId;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{PageWords, difference, part};
use crate::answer::Answer;
use crate::call::Call;
use crate::input::{Json, Nothing, Text, taken};
use crate::problem::Problem;
use crate::route::{Route, delete, get, patch, post};
use crate::shape::{MAYBE_TEXT, Shape, TEXTS};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/followers", "List followers", list).answers_page(&FOLLOWER),
        post("/api/v1/followers", "Make a follower", create).answers(StatusCode::CREATED, ISSUED),
        get("/api/v1/followers/{name}", "Show a follower", show).answers(StatusCode::OK, FOLLOWER),
        patch(
            "/api/v1/followers/{name}",
            "Change of which tenants a follower is told",
            set,
        )
        .answers(StatusCode::OK, FOLLOWER),
        delete("/api/v1/followers/{name}", "Delete a follower", remove).answers_nothing(),
        post(
            "/api/v1/followers/{name}/rotate",
            "Give a follower another secret",
            rotate,
        )
        .answers(StatusCode::OK, ISSUED),
    ]
}

fn list(call: &mut Call<'_>, words: PageWords, _: Nothing) -> Result<Answer, Problem> {
    let listed = call.run(&ListFollowers(words.page()?))?;
    let next = listed.next.map(|next| next.to_string());
    part(listed.rows.iter().map(FollowerView::of).collect(), next)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    name: Text<FollowerName>,
    /// The tenants that it is told of; all, and operators with them, where it is not said.
    #[serde(default)]
    tenants: Option<Vec<Text<TenantId>>>,
}

fn create(call: &mut Call<'_>, _: Nothing, body: Json<New>) -> Result<Answer, Problem> {
    let Json(said) = body;
    let tenants = said.tenants.map(taken);
    if tenants.as_ref().is_some_and(Vec::is_empty) {
        return Err(Problem::invalid(
            "`tenants` names none; leave it out for all",
        ));
    }
    let created = call.run(&CreateFollower {
        name: said.name.0,
        tenants: tenants.unwrap_or_default(),
    })?;
    let name = created.follower.name.to_string();
    Answer::created(&["followers", &name], &IssuedFollowerView::of(&created))
}

fn show(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let follower = call.run(&ShowFollower(call.part("name")?))?;
    Answer::ok(&FollowerView::of(&follower))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    /// The tenants that it is told of from now on.
    tenants: Vec<Text<TenantId>>,
}

fn set(call: &mut Call<'_>, _: Nothing, body: Json<Change>) -> Result<Answer, Problem> {
    let Json(said) = body;
    let name: FollowerName = call.part("name")?;
    let before = call.run(&ShowFollower(name.clone()))?;
    let there = before.tenants.unwrap_or_default();
    let (add, remove) = difference(Some(taken(said.tenants)), &there);
    let after = call.run(&SetFollower { name, add, remove })?;
    Answer::ok(&FollowerView::of(&after))
}

fn rotate(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let rotated = call.run(&RotateFollower(call.part("name")?))?;
    Answer::ok(&IssuedFollowerView::of(&rotated))
}

fn remove(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    call.run(&DeleteFollower(call.part("name")?))?;
    Ok(Answer::deleted())
}

const TENANTS: Shape = Shape::Maybe(&TEXTS);
const FOLLOWER: Shape = Shape::Named(
    "Follower",
    &Shape::Object(&[
        ("name", Shape::Text),
        ("tenants", TENANTS),
        ("position", Shape::Maybe(&Shape::Integer)),
        ("lag", Shape::Maybe(&Shape::Integer)),
        ("last_seen", MAYBE_TEXT),
        ("created_at", Shape::Text),
        ("rotated_at", Shape::Text),
    ]),
);
const ISSUED: Shape = Shape::Object(&[
    ("name", Shape::Text),
    ("tenants", TENANTS),
    ("secret", Shape::Text),
]);
