//! Why a name's client can't connect, or may not do something.

use std::net::IpAddr;

use axum::http::StatusCode;
use countersign_admin::check::{Listeners, PolicyCheck};
use countersign_admin::view::WhyView;
use countersign_admin::why::LookIntoName;
use countersign_core::name::LoginName;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::answer::Answer;
use crate::call::Call;
use crate::input::Nothing;
use crate::problem::Problem;
use crate::rest::clients::CLIENT;
use crate::route::{Route, get};
use crate::shape::{MAYBE_TEXT, Shape, TEXTS};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(
            "/api/v1/credentials/{name}/why",
            "Look into what keeps it out",
            why,
        )
        .answers(StatusCode::OK, WHY),
    ]
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct WhyWords {
    /// The client id it connects with; without it, none is taken for wrong.
    client_id: Option<String>,
    /// The address it comes from; without it, none is taken for banned.
    address: Option<IpAddr>,
}

/// A name that nothing has was refused all the same.
fn why(call: &mut Call<'_>, words: WhyWords, _: Nothing) -> Result<Answer, Problem> {
    let name: LoginName = call.part("name")?;
    let report = call.run(&LookIntoName(name.clone()))?;
    let listeners = Listeners::of_store(call.store)?;
    let mut policy_check = PolicyCheck::new(call.store, call.now, listeners)?;
    let client_id = words.client_id.as_deref();
    let refusal = policy_check.refusal(name.as_str(), client_id, words.address)?;
    Answer::ok(&WhyView::of(&report, refusal))
}

const WHY: Shape = Shape::Named(
    "Why",
    &Shape::Object(&[
        ("name", Shape::Text),
        ("state", MAYBE_TEXT),
        ("reasons", TEXTS),
        ("sessions", Shape::List(&CLIENT)),
        ("last_logins", Shape::List(&LOGIN)),
        ("denied", Shape::List(&DENIED)),
    ]),
);
const LOGIN: Shape = Shape::Object(&[
    ("time", Shape::Text),
    ("outcome", Shape::Text),
    ("cause", MAYBE_TEXT),
    ("count", Shape::Integer),
    ("address", MAYBE_TEXT),
    ("client_id", MAYBE_TEXT),
]);
const DENIED: Shape = Shape::Object(&[
    ("topic", Shape::Text),
    ("act", Shape::Text),
    ("cause", MAYBE_TEXT),
    ("count", Shape::Integer),
    ("last", Shape::Text),
]);
