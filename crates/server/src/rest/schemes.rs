//! Schemes: how kinds of credentials are made.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use countersign_admin::scheme::{AddScheme, ListSchemes, RemoveScheme, ShowScheme};
use countersign_admin::view::SchemeView;
use countersign_core::scheme::{FieldValue, Scheme};
use schemars::JsonSchema;
use serde::Deserialize;

use super::whole;
use crate::answer::Answer;
use crate::call::Call;
use crate::input::{Json, Nothing};
use crate::problem::Problem;
use crate::route::{Route, delete, get, post};
use crate::shape::Shape;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/schemes", "List the schemes", list).answers_page(&SCHEME),
        post("/api/v1/schemes", "Add a scheme", add).answers(StatusCode::CREATED, SCHEME),
        get("/api/v1/schemes/{scheme}", "Show a scheme", show).answers_tagged(SCHEME),
        delete(
            "/api/v1/schemes/{scheme}",
            "Remove a scheme that was added",
            remove,
        )
        .answers_nothing(),
    ]
}

/// There are few of them: as many as people added.
fn list(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let schemes = call.run(&ListSchemes)?;
    whole(schemes.iter().map(SchemeView::of).collect())
}

fn show(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let name = call.part("scheme")?;
    call.show(&ShowScheme(name), SchemeView::of)
}

/// A value of a field.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Field {
    Flag(bool),
    Number(i64),
    Text(String),
    Texts(Vec<String>),
}

/// The fields of a scheme, as `GET` shows them.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
struct New(BTreeMap<String, Field>);

fn add(call: &mut Call<'_>, _: Nothing, body: Json<New>) -> Result<Answer, Problem> {
    let Json(New(fields)) = body;
    let fields = fields.into_iter().map(|(key, value)| {
        let value = match value {
            Field::Flag(flag) => FieldValue::Flag(flag),
            Field::Number(number) => FieldValue::Number(number),
            Field::Text(text) => FieldValue::Text(text),
            Field::Texts(texts) => FieldValue::List(texts),
        };
        (key, value)
    });
    let scheme = Scheme::from_fields(fields);
    let scheme = scheme.map_err(|error| Problem::invalid(error.to_string()))?;
    let add = AddScheme(scheme);
    call.run(&add)?;
    Answer::created(&["schemes", add.0.name().as_str()], &SchemeView::of(&add.0))
}

fn remove(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let name = call.part("scheme")?;
    call.run(&RemoveScheme(name))?;
    Ok(Answer::deleted())
}

/// A scheme has the fields that it needs.
const SCHEME: Shape = Shape::Named("Scheme", &Shape::Map(&Shape::Anything));
