//! Applications, each of which owns a token that many things present.

use core::time::Duration;

use axum::http::StatusCode;
use countersign_admin::Mode;
use countersign_admin::application::{
    CreateApplication, DeleteApplication, ListApplications, NewApplication, RotateApplication,
    ShowApplication,
};
use countersign_admin::view::{ApplicationView, IssuedApplicationView};
use countersign_core::auto_registration::{AutoRegistration, KeyPattern};
use countersign_core::kind::{Application, ApplicationName};
use countersign_core::name::TenantId;
use countersign_core::role::RoleName;
use schemars::JsonSchema;
use serde::Deserialize;

use super::registering::read_max;
use super::{PageWords, TakingWords, losers, part};
use crate::answer::Answer;
use crate::call::Call;
use crate::input::{FromText as _, Json, MaybeJson, Nothing, Text, taken};
use crate::problem::Problem;
use crate::route::{Route, delete, get, post};
use crate::shape::{LOSER, MAYBE_TEXT, Shape, TEXTS};

pub(super) fn routes() -> Vec<Route> {
    const ALL: &str = "/api/v1/tenants/{tenant}/applications";
    const ONE: &str = "/api/v1/tenants/{tenant}/applications/{application}";
    const ROTATE: &str = "/api/v1/tenants/{tenant}/applications/{application}/rotate";
    vec![
        get(ALL, "List the applications of a tenant", list).answers_page(&APPLICATION),
        post(ALL, "Make an application", create)
            .answers(StatusCode::CREATED, ISSUED)
            .answers_page(&LOSER),
        get(ONE, "Show an application", show).answers_tagged(APPLICATION),
        delete(ONE, "Delete an application and its things", remove)
            .answers_nothing()
            .conditional(),
        post(ROTATE, "Make a new token", rotate)
            .answers(StatusCode::OK, ISSUED)
            .conditional(),
    ]
}

/// The application that a path names.
fn named(call: &Call<'_>) -> Result<ShowApplication, Problem> {
    Ok(ShowApplication {
        tenant: call.part("tenant")?,
        name: call.part("application")?,
    })
}

fn list(call: &mut Call<'_>, words: PageWords, _: Nothing) -> Result<Answer, Problem> {
    let tenant: TenantId = call.part("tenant")?;
    let after = words.after.as_deref();
    let page = super::page_of(after, words.limit, |text| {
        let name = ApplicationName::from_text(text)?.credential_name(&tenant);
        name.map_err(|error| error.to_string())
    })?;
    let tenant = Some(tenant);
    let listed = call.run(&ListApplications { tenant, page })?;
    let next = listed.next.and_then(|name| {
        let name = ApplicationName::of_credential(&name)?;
        Some(name.to_string())
    });
    part(listed.rows.iter().map(ApplicationView::of).collect(), next)
}

fn show(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let application = named(call)?;
    call.show(&application, ApplicationView::of)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    name: Text<ApplicationName>,
    /// The roles that its things hold.
    #[serde(default)]
    roles: Vec<Text<RoleName>>,
    /// Let the sessions of its things administer the tenant.
    #[serde(default)]
    org_admin: bool,
    /// Make a thing that nobody made when it first presents the token.
    #[serde(default)]
    auto_register: bool,
    /// How many things it ever makes so, from 1 to 1000000.
    #[serde(default)]
    max: Option<u32>,
    /// The keys that it takes.
    #[serde(default)]
    pattern: Option<Text<KeyPattern>>,
}

fn create(call: &mut Call<'_>, words: TakingWords, body: Json<New>) -> Result<Answer, Problem> {
    let Json(said) = body;
    let tenant: TenantId = call.part("tenant")?;
    if !said.auto_register && (said.max.is_some() || said.pattern.is_some()) {
        return Err(Problem::invalid(
            "`max` and `pattern` are about `auto_register`",
        ));
    }
    let max = read_max(said.max)?;
    let pattern = match said.pattern {
        Some(Text(pattern)) => pattern,
        None => KeyPattern::from_text("*").map_err(Problem::invalid)?,
    };
    let name = said.name.0;
    let path = ["tenants", tenant.as_str(), "applications", name.as_str()];
    let command = CreateApplication(NewApplication {
        name: name.clone(),
        tenant: tenant.clone(),
        roles: taken(said.roles),
        about: Application {
            is_org_admin: said.org_admin,
            registers: said.auto_register.then_some(AutoRegistration {
                max,
                pattern,
                registered: 0,
            }),
        },
    });
    if words.dry_run {
        return losers(call, command);
    }
    let issued = call.run(&words.taking(command))?;
    Answer::created(&path, &IssuedApplicationView::of(&issued))
}

/// How long the old token works beside the new one.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Rotation {
    /// For so long; without it, not at all.
    overlap: Option<Text<Duration>>,
}

fn rotate(call: &mut Call<'_>, _: Nothing, body: MaybeJson<Rotation>) -> Result<Answer, Problem> {
    let application = named(call)?;
    let rotate = RotateApplication {
        tenant: application.tenant.clone(),
        name: application.name.clone(),
        overlap: body.0.overlap.map(|Text(overlap)| overlap),
    };
    let view = ApplicationView::of;
    let issued = call.run_if_matches(&application, view, &rotate, Mode::Commit)?;
    Answer::ok(&IssuedApplicationView::of(&issued))
}

fn remove(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let application = named(call)?;
    let deletion = DeleteApplication {
        tenant: application.tenant.clone(),
        name: application.name.clone(),
    };
    let view = ApplicationView::of;
    call.run_if_matches(&application, view, &deletion, Mode::Commit)?;
    Ok(Answer::deleted())
}

const APPLICATION: Shape = Shape::Named(
    "Application",
    &Shape::Object(&[
        ("name", Shape::Text),
        ("tenant", MAYBE_TEXT),
        ("roles", TEXTS),
        ("org_admin", Shape::Bool),
        ("auto_register", Shape::Bool),
        ("max", Shape::Maybe(&Shape::Integer)),
        ("pattern", MAYBE_TEXT),
        ("registered", Shape::Maybe(&Shape::Integer)),
        ("created_at", Shape::Text),
        ("updated_at", Shape::Text),
        ("generation", Shape::Integer),
        ("old_secret_until", MAYBE_TEXT),
    ]),
);
const ISSUED: Shape = Shape::Object(&[
    ("name", Shape::Text),
    ("tenant", MAYBE_TEXT),
    ("secret", Shape::Text),
    ("old_secret_until", Shape::Absent(&MAYBE_TEXT)),
]);
