//! API tokens, which programs present to the service.

use axum::http::StatusCode;
use countersign_admin::api_token::{
    CreateApiToken, ListApiTokens, NewApiToken, RevokeApiToken, TokenLifetime,
};
use countersign_admin::text::FreeText;
use countersign_admin::view::{ApiTokenView, CreatedApiTokenView};
use countersign_core::api_token::{ApiTokenId, TokenScope};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{PageOfTenantWords, part};
use crate::answer::Answer;
use crate::call::Call;
use crate::input::{FromText as _, Json, Nothing, Said, Text};
use crate::problem::Problem;
use crate::route::{Route, delete, get, post};
use crate::shape::{MAYBE_TEXT, Shape};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/tokens", "List API tokens", list).answers_page(&TOKEN),
        post("/api/v1/tokens", "Make an API token", create).answers(StatusCode::CREATED, CREATED),
        delete("/api/v1/tokens/{id}", "Revoke an API token", remove).answers_nothing(),
    ]
}

fn list(call: &mut Call<'_>, words: PageOfTenantWords, _: Nothing) -> Result<Answer, Problem> {
    let page = words.page(ApiTokenId::from_text)?;
    let tenant = words.tenant();
    let listed = call.run(&ListApiTokens { tenant, page })?;
    let next = listed.next.map(|next| next.to_string());
    part(listed.rows.iter().map(ApiTokenView::of).collect(), next)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    scope: Text<TokenScope>,
    /// How long it lasts: `90d` where it is not said.
    #[serde(default)]
    expires: Said<Text<TokenLifetime>>,
    #[serde(default)]
    description: Option<Text<FreeText>>,
}

pub(super) fn create(call: &mut Call<'_>, _: Nothing, body: Json<New>) -> Result<Answer, Problem> {
    let Json(said) = body;
    let created = call.run(&CreateApiToken(NewApiToken {
        scope: said.scope.0,
        lifetime: said.expires.value().unwrap_or_default(),
        description: said.description.map(|Text(text)| text),
    }))?;
    let id = created.shown.token.id.to_string();
    Answer::created(&["tokens", &id], &CreatedApiTokenView::of(&created))
}

fn remove(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let id = call.part("id")?;
    call.run(&RevokeApiToken(id))?;
    Ok(Answer::deleted())
}

pub(super) const TOKEN: Shape = Shape::Named(
    "ApiToken",
    &Shape::Object(&[
        ("id", Shape::Integer),
        ("scope", Shape::Text),
        ("owner", MAYBE_TEXT),
        ("created_by", Shape::Text),
        ("description", MAYBE_TEXT),
        ("created_at", Shape::Text),
        ("expires_at", Shape::Text),
        ("last_used_at", MAYBE_TEXT),
    ]),
);
pub(super) const CREATED: Shape = Shape::Object(&[
    ("id", Shape::Integer),
    ("scope", Shape::Text),
    ("secret", Shape::Text),
    ("expires_at", Shape::Text),
]);
