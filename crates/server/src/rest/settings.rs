//! The settings, which hold for a whole store.

use core::time::Duration;

use countersign_admin::Mode;
use countersign_admin::settings::{SetSettings, SettingsChanges, ShowSettings};
use countersign_admin::view::SettingsView;
use countersign_core::ban::AutoBan;
use countersign_core::lockout::LockoutPolicy;
use countersign_core::secret::Argon2Params;
use countersign_core::store::Settings;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::answer::Answer;
use crate::call::Call;
use crate::input::{Json, Nothing, Said, Text};
use crate::problem::Problem;
use crate::route::{Route, get, patch};
use crate::shape::Shape;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/settings", "Show the settings", show).answers_tagged(SETTINGS),
        patch("/api/v1/settings", "Change settings", change)
            .answers_tagged(SETTINGS)
            .conditional(),
    ]
}

fn show(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    call.show(&ShowSettings, SettingsView::of)
}

/// What to change; what is not said stays.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Changes {
    /// How chosen passwords are hashed from now on.
    argon2: Said<Text<Argon2Params>>,
    /// How long a client id is held after its last use.
    client_id_hold: Said<Text<Duration>>,
    /// How many client ids of one credential are remembered.
    client_id_limit: Said<u32>,
    /// How long refusals are kept in the audit.
    keep_refusals: Said<Text<Duration>>,
    /// When users are locked out, unless their tenants say otherwise.
    lockout: Said<Text<LockoutPolicy>>,
    /// Whether a password that is hashed in another way is hashed anew once it let a
    /// client in.
    rehash: Said<bool>,
    /// When addresses are banned by themselves.
    auto_ban: Said<Text<AutoBan>>,
}

fn change(call: &mut Call<'_>, _: Nothing, body: Json<Changes>) -> Result<Answer, Problem> {
    let Json(said) = body;
    let changes = SettingsChanges {
        argon2: said.argon2.value(),
        client_id_hold: said.client_id_hold.value(),
        keep_refusals: said.keep_refusals.value(),
        client_id_limit: said.client_id_limit.0,
        lockout: said.lockout.value(),
        rehash: said.rehash.0,
        auto_ban: said.auto_ban.value(),
    };
    let change = |_: &Settings| Ok((!changes.is_empty()).then_some(SetSettings(changes)));
    call.merge(&ShowSettings, SettingsView::of, change, Mode::Commit)
}

const SETTINGS: Shape = Shape::Named(
    "Settings",
    &Shape::Object(&[
        ("argon2", Shape::Text),
        ("client_id_hold", Shape::Text),
        ("keep_refusals", Shape::Text),
        ("client_id_limit", Shape::Integer),
        ("lockout", Shape::Text),
        ("rehash", Shape::Bool),
        ("auto_ban", Shape::Text),
    ]),
);
