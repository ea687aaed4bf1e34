//! What requests and answers at several doors have in common.

use axum::http::StatusCode;
use countersign_admin::password::ChosenPassword;
use countersign_admin::secret::NewSecret;
use countersign_core::name::LoginName;
use countersign_core::secret::Secret;
use countersign_core::store::Page;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::input::Text;
use crate::problem::{Problem, ProblemKind};

/// Where a list goes on that is an array, as the `Link` of the part before says.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct After {
    /// Behind this name.
    after: Option<Text<LoginName>>,
}

impl After {
    pub(super) fn page(self) -> Page<LoginName> {
        Page {
            after: self.after.map(|Text(name)| name),
            limit: MOST_LISTED,
        }
    }
}

/// The secret that is to be: the one that is given, or a generated one.
pub(super) fn new_secret(given: Option<&Secret>) -> Result<NewSecret, Problem> {
    let Some(given) = given else {
        return Ok(NewSecret::Generated);
    };
    let chosen = ChosenPassword::parse(given.expose().to_vec());
    let chosen = chosen.map_err(|error| Problem::invalid(error.to_string()))?;
    Ok(NewSecret::Chosen(chosen))
}

/// The status of a problem where there is none of its own for what makes no sense.
pub(super) fn status_of(kind: ProblemKind) -> StatusCode {
    if kind == ProblemKind::Invalid {
        return StatusCode::BAD_REQUEST;
    }
    kind.status()
}

/// So many an array holds at most.
pub(super) const MOST_LISTED: u64 = if cfg!(test) { 3 } else { 1_000 };
