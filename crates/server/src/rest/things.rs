//! Things, the clients of applications.

use axum::http::StatusCode;
use countersign_admin::Mode;
use countersign_admin::thing::{
    CreateThing, DeleteThing, ListThings, NewThing, ShowThing, UntieThing,
};
use countersign_admin::view::ThingView;
use countersign_core::kind::ApplicationName;
use countersign_core::name::{LoginName, TenantId};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{page_of, part};
use crate::answer::Answer;
use crate::call::Call;
use crate::input::{DeviceName, FromText as _, Json, Nothing, Text};
use crate::problem::Problem;
use crate::route::{Route, delete, get, post};
use crate::shape::{MAYBE_TEXT, Shape};

pub(super) fn routes() -> Vec<Route> {
    const ALL: &str = "/api/v1/tenants/{tenant}/things";
    const ONE: &str = "/api/v1/tenants/{tenant}/things/{key}";
    const UNTIE: &str = "/api/v1/tenants/{tenant}/things/{key}/untie";
    vec![
        get(ALL, "List the things of a tenant", list).answers_page(&THING),
        post(ALL, "Make a thing", create).answers(StatusCode::CREATED, THING),
        get(ONE, "Show a thing", show).answers_tagged(THING),
        delete(ONE, "Delete a thing", remove)
            .answers_nothing()
            .conditional(),
        post(UNTIE, "Forget the application id of a thing", untie)
            .answers_tagged(THING)
            .conditional(),
    ]
}

/// The thing that a path names.
fn named(call: &Call<'_>) -> Result<ShowThing, Problem> {
    Ok(ShowThing {
        tenant: call.part("tenant")?,
        key: call.part("key")?,
    })
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ListWords {
    /// Behind this key.
    after: Option<String>,
    /// Of this application alone.
    application: Option<Text<ApplicationName>>,
    /// At most so many, from 1 to 1000; 100 where it is not said.
    limit: Option<u64>,
}

fn list(call: &mut Call<'_>, words: ListWords, _: Nothing) -> Result<Answer, Problem> {
    let tenant: TenantId = call.part("tenant")?;
    let page = page_of(words.after.as_deref(), words.limit, LoginName::from_text)?;
    let listed = call.run(&ListThings {
        tenant: Some(tenant),
        application: words.application.map(|Text(name)| name),
        page,
    })?;
    let next = listed.next.map(|key| key.to_string());
    part(listed.rows.iter().map(ThingView::of).collect(), next)
}

fn show(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let thing = named(call)?;
    call.show(&thing, ThingView::of)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    /// What it logs in with.
    key: Text<DeviceName>,
    application: Text<ApplicationName>,
}

fn create(call: &mut Call<'_>, _: Nothing, body: Json<New>) -> Result<Answer, Problem> {
    let Json(said) = body;
    let tenant: TenantId = call.part("tenant")?;
    let Text(DeviceName(key)) = said.key;
    let thing = call.run(&CreateThing(NewThing {
        key,
        tenant: tenant.clone(),
        application: said.application.0,
    }))?;
    let path = ["tenants", tenant.as_str(), "things", thing.name.as_str()];
    Answer::created(&path, &ThingView::of(&thing))
}

fn untie(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let thing = named(call)?;
    let untie = UntieThing {
        tenant: thing.tenant.clone(),
        key: thing.key.clone(),
    };
    let untied = call.run_if_matches(&thing, ThingView::of, &untie, Mode::Commit)?;
    Answer::tagged(&ThingView::of(&untied))
}

fn remove(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let thing = named(call)?;
    let deletion = DeleteThing {
        tenant: thing.tenant.clone(),
        key: thing.key.clone(),
    };
    call.run_if_matches(&thing, ThingView::of, &deletion, Mode::Commit)?;
    Ok(Answer::deleted())
}

const THING: Shape = Shape::Named(
    "Thing",
    &Shape::Object(&[
        ("key", Shape::Text),
        ("tenant", MAYBE_TEXT),
        ("application", MAYBE_TEXT),
        ("app_id_bound", Shape::Bool),
        ("created_at", Shape::Text),
        ("updated_at", Shape::Text),
        ("last_used_at", MAYBE_TEXT),
        ("generation", Shape::Integer),
    ]),
);
