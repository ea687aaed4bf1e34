//! Acts on one credential: its life, and its secrets.

use core::time::Duration;

use axum::http::StatusCode;
use countersign_admin::Command;
use countersign_admin::credential::{
    IssuedCredential, ReactivateCredential, ResetPassword, RevokeCredential, RotateCredential,
    ShowCredential, ShownCredential, SuspendCredential, UntieCredential,
};
use countersign_admin::password::ChosenPassword;
use countersign_admin::secret::{NewSecret, Overlap};
use countersign_admin::text::FreeText;
use countersign_admin::view::{OperatorView, RenewedSecretView};
use countersign_core::name::LoginName;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{CREDENTIAL, view};
use crate::answer::Answer;
use crate::call::{Call, mode_of};
use crate::input::{FromBody, MaybeJson, Nothing, Text};
use crate::problem::Problem;
use crate::rest::DryRun;
use crate::rest::operators::OPERATOR;
use crate::route::{Route, post};
use crate::shape::{MAYBE_TEXT, Shape};

pub(super) fn routes() -> Vec<Route> {
    vec![
        act(
            "/api/v1/credentials/{name}/suspend",
            "Stop it for now",
            suspend,
        ),
        act(
            "/api/v1/credentials/{name}/reactivate",
            "Lift a suspension",
            reactivate,
        ),
        act(
            "/api/v1/credentials/{name}/revoke",
            "Stop it for good",
            revoke,
        ),
        act(
            "/api/v1/credentials/{name}/untie",
            "Forget its client id",
            untie,
        ),
        post(
            "/api/v1/credentials/{name}/reset-password",
            "Replace all secrets",
            reset,
        )
        .answers(StatusCode::OK, RENEWED)
        .conditional(),
        post(
            "/api/v1/credentials/{name}/rotate",
            "Make a new secret",
            rotate,
        )
        .answers(StatusCode::OK, RENEWED)
        .conditional(),
    ]
}

/// A route that does something to a credential, and shows what it is then.
fn act<B: FromBody + 'static>(
    path: &'static str,
    summary: &'static str,
    handler: fn(&mut Call<'_>, DryRun, B) -> Result<Answer, Problem>,
) -> Route {
    post(path, summary, handler)
        .answers_tagged(Shape::OneOf(&CREDENTIAL, &OPERATOR))
        .conditional()
}

fn suspend(call: &mut Call<'_>, words: DryRun, _: Nothing) -> Result<Answer, Problem> {
    done(call, words, SuspendCredential)
}

fn reactivate(call: &mut Call<'_>, words: DryRun, _: Nothing) -> Result<Answer, Problem> {
    done(call, words, ReactivateCredential)
}

fn untie(call: &mut Call<'_>, words: DryRun, _: Nothing) -> Result<Answer, Problem> {
    done(call, words, UntieCredential)
}

/// Why a credential is stopped for good.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Revocation {
    /// Why, for those who look it up later.
    reason: Option<Text<FreeText>>,
}

fn revoke(
    call: &mut Call<'_>,
    words: DryRun,
    body: MaybeJson<Revocation>,
) -> Result<Answer, Problem> {
    let reason = body.0.reason.map(|Text(reason)| reason);
    done(call, words, |name| RevokeCredential { name, reason })
}

/// Does something to a credential or an operator, and shows what it is then.
fn done<C: Command<Output = ShownCredential>>(
    call: &mut Call<'_>,
    words: DryRun,
    act: impl FnOnce(LoginName) -> C,
) -> Result<Answer, Problem> {
    let shown = acted(call, words, act)?;
    if shown.credential.is_operator() {
        return Answer::tagged(&OperatorView::of(&shown.credential));
    }
    Answer::tagged(&view(&shown))
}

/// Does something to the credential or operator that the path names, if it is as the
/// asker saw it.
fn acted<C: Command>(
    call: &mut Call<'_>,
    words: DryRun,
    act: impl FnOnce(LoginName) -> C,
) -> Result<C::Output, Problem> {
    let name: LoginName = call.part("name")?;
    let show = ShowCredential(name.clone());
    call.run_if_matches(&show, view, &act(name), mode_of(words.dry_run))
}

/// The secret that takes the place of all others.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Reset {
    /// A password that a person chose; without it, a secret is generated.
    password: Option<Text<ChosenPassword>>,
}

fn reset(call: &mut Call<'_>, words: DryRun, body: MaybeJson<Reset>) -> Result<Answer, Problem> {
    let secret = match body.0.password {
        Some(Text(password)) => NewSecret::Chosen(password),
        None => NewSecret::Generated,
    };
    renewed(call, words, |name| ResetPassword { name, secret })
}

/// How long the old secret works beside the new one.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Rotation {
    /// For so long; without it, not at all.
    overlap: Option<Text<Duration>>,
    /// Until the new one is first used, or the overlap ends.
    until_used: bool,
}

fn rotate(
    call: &mut Call<'_>,
    words: DryRun,
    body: MaybeJson<Rotation>,
) -> Result<Answer, Problem> {
    let MaybeJson(said) = body;
    let overlap = Overlap::of(said.overlap.map(|Text(it)| it), said.until_used);
    renewed(call, words, |name| RotateCredential { name, overlap })
}

/// Gives a credential a new secret. One that is only tried is no secret of anybody, and
/// is not shown.
fn renewed<C: Command<Output = IssuedCredential>>(
    call: &mut Call<'_>,
    words: DryRun,
    act: impl FnOnce(LoginName) -> C,
) -> Result<Answer, Problem> {
    let mut issued = acted(call, words, act)?;
    if words.dry_run {
        issued.secret = None;
    }
    Answer::ok(&RenewedSecretView::of(&issued))
}

const RENEWED: Shape = Shape::Named(
    "RenewedSecret",
    &Shape::Object(&[
        ("username", Shape::Text),
        ("secret", MAYBE_TEXT),
        ("generation", Shape::Integer),
        ("old_secret_until", MAYBE_TEXT),
    ]),
);
