//! What happened in the last hour.

use axum::http::StatusCode;
use countersign_admin::Permission;
use countersign_core::name::TenantId;
use countersign_core::time::rfc3339;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::call::{Call, IsPermitted};
use crate::input::{Nothing, Text};
use crate::metrics::observe;
use crate::problem::Problem;
use crate::route::{Route, get};
use crate::shape::Shape;
use crate::stats::ToldMinute;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(
            "/api/v1/stats",
            "Count logins, refusals and sessions of the last hour",
            stats,
        )
        .answers(StatusCode::OK, STATS),
    ]
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct StatsWords {
    /// Of this tenant alone.
    tenant: Option<Text<TenantId>>,
}

#[derive(Serialize)]
struct StatsView {
    minutes: Vec<MinuteView>,
}

#[derive(Serialize)]
struct MinuteView {
    time: String,
    logins: u64,
    refused: u64,
    sessions: Option<u64>,
}

impl MinuteView {
    fn of(minute: ToldMinute) -> Self {
        Self {
            time: rfc3339(minute.begin),
            logins: minute.logins.admitted,
            refused: minute.logins.refused,
            sessions: minute.sessions,
        }
    }
}

fn stats(call: &mut Call<'_>, words: StatsWords, _: Nothing) -> Result<Answer, Problem> {
    let tenant = words.tenant.map(|Text(tenant)| tenant);
    call.run(&IsPermitted(match &tenant {
        None => Permission::Platform,
        Some(tenant) => Permission::See(tenant.clone()),
    }))?;
    observe(call.store, call.stats, call.now)?;
    let minutes = call.stats.minutes(tenant.as_ref()).into_iter();
    Answer::ok(&StatsView {
        minutes: minutes.map(MinuteView::of).collect(),
    })
}

const STATS: Shape = Shape::Named(
    "Stats",
    &Shape::Object(&[(
        "minutes",
        Shape::List(&Shape::Object(&[
            ("time", Shape::Text),
            ("logins", Shape::Integer),
            ("refused", Shape::Integer),
            ("sessions", Shape::Maybe(&Shape::Integer)),
        ])),
    )]),
);
