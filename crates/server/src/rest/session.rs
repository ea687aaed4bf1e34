//! The web session of a user: it begins by signing in.

use axum::http::StatusCode;
use countersign_admin::account::EndOwnWebSession;
use countersign_admin::sign_in::{PresentedCode, SignIn, sign_in};
use countersign_admin::{Authority, OsRandom, SignedInUser};
use countersign_core::time::rfc3339;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Cookie};
use crate::authenticate::{BROWSER_COOKIE, COOKIE};
use crate::call::Call;
use crate::input::{Json, Nothing, Presented, Text};
use crate::problem::Problem;
use crate::route::{Access, Route, delete, post};
use crate::shape::Shape;

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/api/v1/session", "Sign in", begin)
            .with_access(Access::Open)
            .answers(StatusCode::CREATED, SESSION),
        delete("/api/v1/session", "Sign out", end).answers_nothing(),
    ]
}

/// Who signs in. The code is that of the second factor, where there is one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    /// The user's name: an e-mail address, or a name without `@`.
    email: String,
    password: Text<Presented>,
    #[serde(default)]
    code: Option<Text<Presented>>,
}

/// A web session that began. Its secret is in a cookie alone.
#[derive(Serialize)]
struct SessionView {
    name: String,
    expires_at: String,
}

fn begin(call: &mut Call<'_>, _: Nothing, body: Json<New>) -> Result<Answer, Problem> {
    let Json(said) = body;
    let (Text(Presented(password)), code) = (said.password, said.code);
    let address = call.asked.client.to_string();
    let presented = SignIn {
        name: &said.email,
        password,
        code: PresentedCode::Apart(code.map(|Text(Presented(code))| code)),
        address: Some(&address),
        known: call.asked.browser.as_ref(),
    };
    let signed_in = sign_in(call.store, call.guard, presented, &mut OsRandom, call.now)?;
    let seconds = signed_in.ends_at.since(call.now).as_secs();
    let view = SessionView {
        name: signed_in.caller.name,
        expires_at: rfc3339(signed_in.ends_at),
    };
    let secret = &signed_in.secret;
    let answer = Answer::created(&["session"], &view)?;
    let answer = answer.with_cookie(COOKIE, Cookie::Keep { secret, seconds })?;
    match &signed_in.known {
        None => Ok(answer),
        Some(secret) => {
            let seconds = BROWSER_SECONDS;
            answer.with_cookie(BROWSER_COOKIE, Cookie::Keep { secret, seconds })
        }
    }
}

fn end(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let Authority::User(SignedInUser {
        session: Some(session),
        ..
    }) = call.who()?.authority
    else {
        return Err(Problem::not_found());
    };
    call.run(&EndOwnWebSession(session))?;
    Answer::deleted().with_cookie(COOKIE, Cookie::Forget)
}

const SESSION: Shape = Shape::Object(&[("name", Shape::Text), ("expires_at", Shape::Text)]);
/// How long a browser is known that signed in: a year.
const BROWSER_SECONDS: u64 = 31_536_000;
