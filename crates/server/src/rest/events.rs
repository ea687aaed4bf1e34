//! Events, as they happen.

use countersign_core::name::TenantId;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::answer::{Answer, EVENT_STREAM};
use crate::call::Call;
use crate::events::Wish;
use crate::input::{Nothing, Text};
use crate::problem::Problem;
use crate::route::{Route, get};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(
            "/api/v1/events",
            "Be told what happens, as it happens",
            stream,
        )
        .answers_text(EVENT_STREAM),
    ]
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct StreamWords {
    /// Of this tenant alone.
    tenant: Option<Text<TenantId>>,
}

fn stream(call: &mut Call<'_>, words: StreamWords, _: Nothing) -> Result<Answer, Problem> {
    let wish = Wish {
        who: call.who()?.clone(),
        tenant: words.tenant.map(|Text(tenant)| tenant),
        after: call.asked.last_event,
    };
    Ok(Answer::stream(call.events.open(wish, call.asked.client)?))
}
