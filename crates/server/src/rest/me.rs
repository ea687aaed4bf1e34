//! What is a user's own.

use axum::http::StatusCode;
use countersign_admin::account::{
    ChangeOwnPassword, ConfirmOwnSecondFactor, DisableOwnSecondFactor, EndOwnWebSession,
    EnrolOwnSecondFactor, ListOwnWebSessions, ShowMe,
};
use countersign_admin::api_token::{FindPresentedApiToken, ListOwnApiTokens};
use countersign_admin::password::ChosenPassword;
use countersign_admin::sign_in::{FreshProof, PresentedCode, SignIn, prove_again};
use countersign_admin::view::{ApiTokenView, EnrolmentView, UserView, WebSessionView};
use countersign_core::web_session::WebSessionId;
use schemars::JsonSchema;
use serde::Deserialize;

use super::users::{ENROLMENT, USER};
use super::{PageWords, part, tokens, whole};
use crate::answer::Answer;
use crate::call::Call;
use crate::input::{Json, Nothing, Presented, Text};
use crate::problem::Problem;
use crate::route::{Access, Route, delete, get, post};
use crate::shape::{MAYBE_TEXT, Shape};

pub(super) fn routes() -> Vec<Route> {
    const PROVED: Access = Access::KnownWithPassword;
    vec![
        get("/api/v1/me", "Show who asks: a user, or an API token", show)
            .answers(StatusCode::OK, Shape::OneOf(&USER, &tokens::TOKEN)),
        post(
            "/api/v1/me/password",
            "Replace one's own password",
            change_password,
        )
        .with_access(PROVED)
        .answers(StatusCode::OK, USER),
        post(
            "/api/v1/me/mfa/enrol",
            "Make a second factor of one's own",
            enrol,
        )
        .with_access(PROVED)
        .answers(StatusCode::OK, ENROLMENT),
        post("/api/v1/me/mfa/confirm", "Show that it works", confirm).answers(StatusCode::OK, USER),
        post("/api/v1/me/mfa/disable", "Take it away", disable)
            .with_access(PROVED)
            .answers(StatusCode::OK, USER),
        get(
            "/api/v1/me/sessions",
            "List one's own web sessions",
            list_sessions,
        )
        .answers_page(&SESSION),
        delete(
            "/api/v1/me/sessions/{id}",
            "End a web session of one's own",
            end_session,
        )
        .answers_nothing(),
        get(
            "/api/v1/me/tokens",
            "List one's own API tokens",
            list_tokens,
        )
        .answers_page(&tokens::TOKEN),
        post(
            "/api/v1/me/tokens",
            "Make an API token of one's own",
            tokens::create,
        )
        .answers(StatusCode::CREATED, tokens::CREATED),
    ]
}

fn show(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    if let Some(token) = call.run(&FindPresentedApiToken)? {
        return Answer::ok(&ApiTokenView::of(&token));
    }
    let me = call.run(&ShowMe)?;
    Answer::ok(&UserView::of(&me, call.now))
}

/// What proves once more who asks.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Proof {
    password: Text<Presented>,
    /// The code of the second factor, where there is one.
    #[serde(default)]
    code: Option<Text<Presented>>,
}

impl Proof {
    fn check(self, call: &mut Call<'_>) -> Result<FreshProof, Problem> {
        // Who has nothing of their own is not asked for a password.
        call.run(&ShowMe)?;
        let Text(Presented(password)) = self.password;
        let (asked, name) = (call.asked, call.who()?.name.clone());
        let address = asked.client.to_string();
        let presented = SignIn {
            name: &name,
            password,
            code: PresentedCode::Apart(self.code.map(|Text(Presented(code))| code)),
            address: Some(&address),
            known: asked.browser.as_ref(),
        };
        Ok(prove_again(call.store, call.guard, presented, call.now)?)
    }
}

/// A new password, and what proves who asks for it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    new_password: Text<ChosenPassword>,
    password: Text<Presented>,
    /// The code of the second factor, where there is one.
    #[serde(default)]
    code: Option<Text<Presented>>,
}

fn change_password(
    call: &mut Call<'_>,
    _: Nothing,
    body: Json<NewPassword>,
) -> Result<Answer, Problem> {
    let Json(said) = body;
    let proof = Proof {
        password: said.password,
        code: said.code,
    };
    let proof = proof.check(call)?;
    let me = call.run(&ChangeOwnPassword::new(proof, said.new_password.0))?;
    Answer::ok(&UserView::of(&me, call.now))
}

fn enrol(call: &mut Call<'_>, _: Nothing, body: Json<Proof>) -> Result<Answer, Problem> {
    let proof = body.0.check(call)?;
    let enrolment = call.run(&EnrolOwnSecondFactor(proof))?;
    Answer::ok(&EnrolmentView::of(&enrolment))
}

/// A code of the second factor.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Code {
    code: Text<Presented>,
}

fn confirm(call: &mut Call<'_>, _: Nothing, body: Json<Code>) -> Result<Answer, Problem> {
    let Json(Code {
        code: Text(Presented(code)),
    }) = body;
    let me = call.run(&ConfirmOwnSecondFactor(code))?;
    Answer::ok(&UserView::of(&me, call.now))
}

fn disable(call: &mut Call<'_>, _: Nothing, body: Json<Proof>) -> Result<Answer, Problem> {
    let proof = body.0.check(call)?;
    let me = call.run(&DisableOwnSecondFactor(proof))?;
    Answer::ok(&UserView::of(&me, call.now))
}

fn list_sessions(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let sessions = call.run(&ListOwnWebSessions)?;
    whole(sessions.iter().map(WebSessionView::of).collect())
}

fn end_session(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let id: String = call.part("id")?;
    let id = id.parse().map_err(|_| Problem::not_found())?;
    call.run(&EndOwnWebSession(WebSessionId(id)))?;
    Ok(Answer::deleted())
}

fn list_tokens(call: &mut Call<'_>, words: PageWords, _: Nothing) -> Result<Answer, Problem> {
    let listed = call.run(&ListOwnApiTokens(words.page()?))?;
    let next = listed.next.map(|next| next.to_string());
    part(listed.rows.iter().map(ApiTokenView::of).collect(), next)
}

const SESSION: Shape = Shape::Object(&[
    ("id", Shape::Integer),
    ("current", Shape::Bool),
    ("address", MAYBE_TEXT),
    ("created_at", Shape::Text),
    ("last_used_at", Shape::Text),
    ("expires_at", Shape::Text),
]);
