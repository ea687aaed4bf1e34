//! Users: people, and what they are granted.

use axum::http::StatusCode;
use countersign_admin::Command;
use countersign_admin::Mode;
use countersign_admin::password::ChosenPassword;
use countersign_admin::user::{
    ConfirmSecondFactor, CreateUser, DeleteUser, DisableSecondFactor, EnrolSecondFactor, GrantUser,
    ListGrantedUsers, ListUsers, ResetUserPassword, SetUser, ShowUser, ShownUser, UngrantUser,
    UnlockUser,
};
use countersign_admin::view::{EnrolmentView, UserView};
use countersign_core::credential::CredentialId;
use countersign_core::name::{GroupPath, LoginName};
use countersign_core::role::RoleName;
use countersign_core::user::{Grant, GrantedRight};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{PageOfTenantWords, part};
use crate::answer::Answer;
use crate::call::Call;
use crate::input::{FromText as _, Json, Nothing, Presented, Said, Text, UserName};
use crate::problem::Problem;
use crate::route::{Route, delete, get, patch, post, put};
use crate::shape::{MAYBE_BOOL, MAYBE_TEXT, Shape, TEXTS};

pub(super) fn routes() -> Vec<Route> {
    const ONE: &str = "/api/v1/users/{name}";
    const GRANT: &str = "/api/v1/users/{name}/grants/{tenant}";
    vec![
        get("/api/v1/users", "List the users", list).answers_page(&USER),
        post(
            "/api/v1/users",
            "Make a user, who may do nothing yet",
            create,
        )
        .answers(StatusCode::CREATED, USER),
        get(ONE, "Show a user", show).answers_tagged(USER),
        patch(ONE, "Change a user", change)
            .answers_tagged(USER)
            .conditional(),
        delete(ONE, "Delete a user", remove)
            .answers_nothing()
            .conditional(),
        act(
            "/api/v1/users/{name}/reset-password",
            "Replace a password",
            reset,
        ),
        act("/api/v1/users/{name}/unlock", "Lift a lock", unlock),
        put(GRANT, "Grant a user something in a tenant", grant)
            .answers_tagged(USER)
            .conditional(),
        delete(GRANT, "Take away what was granted in a tenant", ungrant)
            .answers_nothing()
            .conditional(),
        post(
            "/api/v1/users/{name}/mfa/enrol",
            "Make a second factor",
            enrol,
        )
        .answers(StatusCode::OK, ENROLMENT),
        act(
            "/api/v1/users/{name}/mfa/confirm",
            "Show that it works",
            confirm,
        ),
        act("/api/v1/users/{name}/mfa/disable", "Take it away", disable),
    ]
}

/// A route that does something to a user, and shows what they are then.
fn act<B: crate::input::FromBody + 'static>(
    path: &'static str,
    summary: &'static str,
    handler: fn(&mut Call<'_>, Nothing, B) -> Result<Answer, Problem>,
) -> Route {
    post(path, summary, handler)
        .answers_tagged(USER)
        .conditional()
}

/// All users, by name; or those whom a tenant grants something, by number.
fn list(call: &mut Call<'_>, words: PageOfTenantWords, _: Nothing) -> Result<Answer, Problem> {
    let (rows, next) = match &words.tenant {
        Some(Text(tenant)) => {
            let (tenant, page) = (tenant.clone(), words.page(CredentialId::from_text)?);
            let listed = call.run(&ListGrantedUsers { tenant, page })?;
            (listed.rows, listed.next.map(|next| next.0.to_string()))
        }
        None => {
            let listed = call.run(&ListUsers(words.page(LoginName::from_text)?))?;
            (listed.rows, listed.next.map(|next| next.to_string()))
        }
    };
    let items = rows.iter().map(|user| UserView::of(user, call.now));
    part(items.collect(), next)
}

/// The user whom a path names.
fn named(call: &Call<'_>) -> Result<LoginName, Problem> {
    let UserName(name) = call.part("name")?;
    Ok(name)
}

fn show(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let (name, now) = (named(call)?, call.now);
    call.show(&ShowUser(name), |user| UserView::of(user, now))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    email: Text<UserName>,
    password: Text<ChosenPassword>,
    /// Let them administer the whole store.
    #[serde(default)]
    platform_admin: bool,
}

fn create(call: &mut Call<'_>, _: Nothing, body: Json<New>) -> Result<Answer, Problem> {
    let Json(said) = body;
    let (Text(UserName(email)), Text(password)) = (said.email, said.password);
    let new = CreateUser::new(email, password).with_platform_admin(said.platform_admin);
    let user = call.run(&new)?;
    let name = user.user.name.to_string();
    Answer::created(&["users", &name], &UserView::of(&user, call.now))
}

/// What to change; what is not said stays.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Changes {
    /// Whether they administer the whole store.
    platform_admin: Said<bool>,
}

fn change(call: &mut Call<'_>, _: Nothing, body: Json<Changes>) -> Result<Answer, Problem> {
    let (name, now) = (named(call)?, call.now);
    let Json(said) = body;
    let change = |_: &ShownUser| {
        let email = name.clone();
        Ok(said.platform_admin.0.map(|is_platform_admin| SetUser {
            email,
            is_platform_admin,
        }))
    };
    let view = |user: &ShownUser| UserView::of(user, now);
    call.merge(&ShowUser(name.clone()), view, change, Mode::Commit)
}

fn remove(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let name = named(call)?;
    run(call, &DeleteUser(name))?;
    Ok(Answer::deleted())
}

/// Does something to the user whom the path names, if they are as the asker saw them.
fn run<C: Command>(call: &mut Call<'_>, command: &C) -> Result<C::Output, Problem> {
    let (name, now) = (named(call)?, call.now);
    let view = |user: &ShownUser| UserView::of(user, now);
    call.run_if_matches(&ShowUser(name), view, command, Mode::Commit)
}

/// The same, which shows what they are then.
fn done<C: Command<Output = ShownUser>>(
    call: &mut Call<'_>,
    command: &C,
) -> Result<Answer, Problem> {
    let user = run(call, command)?;
    Answer::tagged(&UserView::of(&user, call.now))
}

/// The password that takes the place of the old one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Reset {
    password: Text<ChosenPassword>,
}

fn reset(call: &mut Call<'_>, _: Nothing, body: Json<Reset>) -> Result<Answer, Problem> {
    let name = named(call)?;
    let Json(Reset {
        password: Text(password),
    }) = body;
    done(call, &ResetUserPassword::new(name, password))
}

fn unlock(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let name = named(call)?;
    done(call, &UnlockUser(name))
}

/// What is granted: one of `role`, `org_admin` and `viewer`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Granted {
    /// What this role of the tenant allows.
    #[serde(default)]
    role: Option<Text<RoleName>>,
    /// To administer the tenant, and to use all its topics.
    #[serde(default)]
    org_admin: bool,
    /// To see the tenant, and to change nothing.
    #[serde(default)]
    viewer: bool,
    /// Limited to this group and those below.
    #[serde(default)]
    group: Option<Text<GroupPath>>,
}

fn grant(call: &mut Call<'_>, _: Nothing, body: Json<Granted>) -> Result<Answer, Problem> {
    let Json(said) = body;
    let right = match (said.role, said.org_admin, said.viewer) {
        (Some(Text(role)), false, false) => GrantedRight::Role(role),
        (None, true, false) => GrantedRight::OrgAdmin,
        (None, false, true) => GrantedRight::Viewer,
        (None, false, false) | (Some(_), _, _) | (None, true, true) => {
            let detail = "give one of `role`, `org_admin` and `viewer`";
            return Err(Problem::invalid(detail));
        }
    };
    let email = named(call)?;
    let grant = Grant {
        tenant: call.part("tenant")?,
        group: said.group.map(|Text(group)| group),
        right,
    };
    done(call, &GrantUser { email, grant })
}

fn ungrant(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let (email, tenant) = (named(call)?, call.part("tenant")?);
    run(call, &UngrantUser { email, tenant })?;
    Ok(Answer::deleted())
}

fn enrol(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let name = named(call)?;
    let enrolment = call.run(&EnrolSecondFactor(name))?;
    Answer::ok(&EnrolmentView::of(&enrolment))
}

/// A code of the second factor.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Code {
    code: Text<Presented>,
}

fn confirm(call: &mut Call<'_>, _: Nothing, body: Json<Code>) -> Result<Answer, Problem> {
    let email = named(call)?;
    let Json(Code {
        code: Text(Presented(code)),
    }) = body;
    done(call, &ConfirmSecondFactor { email, code })
}

fn disable(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let name = named(call)?;
    done(call, &DisableSecondFactor(name))
}

pub(super) const USER: Shape = Shape::Named(
    "User",
    &Shape::Object(&[
        ("email", Shape::Text),
        ("platform_admin", MAYBE_BOOL),
        ("mfa", MAYBE_BOOL),
        ("locked_until", MAYBE_TEXT),
        (
            "grants",
            Shape::List(&Shape::Object(&[
                ("tenant", Shape::Text),
                ("role", MAYBE_TEXT),
                ("org_admin", Shape::Bool),
                ("viewer", Shape::Bool),
                ("group", MAYBE_TEXT),
            ])),
        ),
        ("created_at", MAYBE_TEXT),
        ("updated_at", MAYBE_TEXT),
        ("last_used_at", MAYBE_TEXT),
        ("generation", Shape::Maybe(&Shape::Integer)),
    ]),
);
pub(super) const ENROLMENT: Shape = Shape::Object(&[
    ("otpauth", Shape::Text),
    ("secret", Shape::Text),
    ("recovery_codes", TEXTS),
]);
