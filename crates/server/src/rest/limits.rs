//! Limits of credentials, roles and tenants.

use countersign_admin::Mode;
use countersign_admin::limit::{ClearLimits, Limited, SetLimits, ShowLimits, Unsaid};
use countersign_admin::view::LimitsView;
use countersign_core::limit::{Limit, LimitError, Share, UseLimits};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::answer::Answer;
use crate::call::Call;
use crate::input::{Json, Nothing};
use crate::problem::Problem;
use crate::route::{Route, delete, get, put};
use crate::shape::{MAYBE_TEXT, Shape};

pub(super) fn routes() -> Vec<Route> {
    let of_each = PLACES.into_iter().map(|(path, [shown, set, cleared])| {
        [
            get(path, shown, show).answers_tagged(LIMITS),
            put(path, set, put_limits)
                .answers_tagged(LIMITS)
                .conditional(),
            delete(path, cleared, clear).answers_nothing().conditional(),
        ]
    });
    of_each.flatten().collect()
}

/// Whose limits a path names.
fn named(call: &Call<'_>) -> Result<Limited, Problem> {
    let has = |name: &str| call.asked.parts.iter().any(|(part, _)| part == name);
    Ok(if has("name") {
        Limited::Credential(call.part("name")?)
    } else if has("role") {
        Limited::Role(call.part("tenant")?, call.part("role")?)
    } else {
        Limited::Tenant(call.part("tenant")?)
    })
}

fn show(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let of = named(call)?;
    call.show(&ShowLimits(of), LimitsView::of)
}

/// All limits from then on; what is not said, or is `null`, is not limited.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct New {
    /// So many connections at a time.
    connections: Option<u64>,
    /// So many messages published in a second.
    messages_per_second: Option<u64>,
    /// So many bytes of payloads published in a second.
    bytes_per_second: Option<u64>,
    /// So many bytes in one payload.
    payload: Option<u64>,
    /// Of a tenant: so many per cent of its messages and bytes are for one session at
    /// most; 50 where it is not said.
    share: Option<u64>,
}

fn put_limits(call: &mut Call<'_>, _: Nothing, body: Json<New>) -> Result<Answer, Problem> {
    let of = named(call)?;
    let Json(said) = body;
    let set = SetLimits {
        of: of.clone(),
        limits: UseLimits {
            connections: number(said.connections, Limit::parse)?,
            messages_per_second: number(said.messages_per_second, Limit::parse)?,
            bytes_per_second: number(said.bytes_per_second, Limit::parse)?,
            payload: number(said.payload, Limit::parse)?,
            share: number(said.share, Share::parse)?,
        },
        unsaid: Unsaid::Go,
    };
    let shown = call.run_if_matches(&ShowLimits(of), LimitsView::of, &set, Mode::Commit)?;
    Answer::tagged(&LimitsView::of(&shown))
}

fn number<T>(
    said: Option<u64>,
    parse: fn(&str) -> Result<T, LimitError>,
) -> Result<Option<T>, Problem> {
    let parsed = said.map(|number| parse(&number.to_string()));
    parsed
        .transpose()
        .map_err(|error| Problem::invalid(error.to_string()))
}

fn clear(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let of = named(call)?;
    let clear = ClearLimits(of.clone());
    call.run_if_matches(&ShowLimits(of), LimitsView::of, &clear, Mode::Commit)?;
    Ok(Answer::deleted())
}

/// Where limits are, and what is done there: show, put, delete.
const PLACES: [(&str, [&str; 3]); 3] = [
    (
        "/api/v1/tenants/{tenant}/limits",
        [
            "Show the limits of a tenant",
            "Limit all clients of a tenant together",
            "Take the limits of a tenant away",
        ],
    ),
    (
        "/api/v1/tenants/{tenant}/roles/{role}/limits",
        [
            "Show the limits of a role",
            "Limit each that holds a role",
            "Take the limits of a role away",
        ],
    ),
    (
        "/api/v1/credentials/{name}/limits",
        [
            "Show the limits of a credential",
            "Limit a credential",
            "Take the limits of a credential away",
        ],
    ),
];

const MAYBE_INTEGER: Shape = Shape::Maybe(&Shape::Integer);

const LIMITS: Shape = Shape::Named(
    "Limits",
    &Shape::Object(&[
        ("name", MAYBE_TEXT),
        ("role", MAYBE_TEXT),
        ("tenant", MAYBE_TEXT),
        ("connections", MAYBE_INTEGER),
        ("messages_per_second", MAYBE_INTEGER),
        ("bytes_per_second", MAYBE_INTEGER),
        ("payload", MAYBE_INTEGER),
        ("share", MAYBE_INTEGER),
    ]),
);
