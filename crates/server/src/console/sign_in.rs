//! Signing in and out.

use axum::http::StatusCode;
use maud::html;

use super::ask::Ask;
use super::form::{Body, Form};
use super::frame::Frame;
use super::page::{act, page};
use super::pieces::{Field, done, hidden, wrong};
use crate::answer::Answer;
use crate::call::Call;
use crate::problem::{Problem, ProblemKind};
use crate::route::{Access, Route};

pub(super) fn routes() -> Vec<Route> {
    vec![
        page("/", begin).with_access(Access::Anybody),
        page("/sign-in", show).with_access(Access::Anybody),
        act("/sign-in", sign_in).with_access(Access::Open),
        act("/sign-out", sign_out),
    ]
}

fn begin(call: &mut Call<'_>, _: &Form) -> Result<Answer, Problem> {
    let is_first = call.visitors.first.is_open(call.store);
    Answer::see_other(if is_first { "/first" } else { "/find" })
}

/// Leads somebody unknown to where one signs in, and back then.
pub(super) fn led_to(target: &str) -> Result<Answer, Problem> {
    let words = serde_urlencoded::to_string([("then", target)]).unwrap_or_default();
    Answer::see_other(&format!("/sign-in?{words}"))
}

fn show(call: &mut Call<'_>, words: &Form) -> Result<Answer, Problem> {
    form(call, words, None)
}

fn form(call: &mut Call<'_>, said: &Form, problem: Option<&Problem>) -> Result<Answer, Problem> {
    let is_first = call.visitors.first.is_open(call.store);
    let main = html! {
        div.card.narrow {
            h1 { "Sign in" }
            @if place(said).ends_with("done=yes") { (done("It is done. Your sessions ended with it, so sign in again.", None)) }
            @if said.is_ticked("out") { (done("You are signed out, on this browser.", None)) }
            (wrong(problem))
            form method="post" action="/sign-in" {
                (hidden("then", place(said)))
                (Field::new("email", "Name or e-mail address").of(said).filled("username").required().show())
                (Field::new("password", "Password").password("current-password").required().show())
                (Field::new("code", "Code of the second factor").filled("one-time-code")
                    .hint("If you have one: the six digits that your app shows.").show())
                p.actions { button type="submit" { "Sign in" } }
            }
            @if is_first {
                p { "Nobody can sign in yet. " a href="/first" { "Make the first administrator" } }
            }
        }
    };
    Frame {
        title: "Sign in",
        here: "",
        who: None,
        status: problem.map_or(StatusCode::OK, |it| it.kind.status()),
        main,
    }
    .answer()
}

/// Where to go once one is signed in: a page of ours.
fn place(said: &Form) -> &str {
    let then = said.exact("then").unwrap_or_default();
    let is_ours = then.starts_with('/')
        && !then.starts_with("//")
        && !then.contains(['\\', '\r', '\n', '\t'])
        && then.is_ascii();
    if is_ours { then } else { "/find" }
}

fn sign_in(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    let body = Body::default()
        .with("email", said.text("email").unwrap_or_default())
        .with("password", said.exact("password").unwrap_or_default())
        .text("code", said.text("code"));
    match Ask::post("/api/v1/session").body(body.value()).answer(call) {
        Ok(answer) => Ok(Answer::see_other(place(said))?.with_cookies_of(&answer)),
        Err(problem) if problem.kind == ProblemKind::Unavailable => Err(problem),
        Err(problem) => form(call, said, Some(&problem)),
    }
}

fn sign_out(call: &mut Call<'_>, _: &Form) -> Result<Answer, Problem> {
    let out = "/sign-in?out=yes";
    match Ask::delete("/api/v1/session").answer(call) {
        Ok(ended) => Ok(Answer::see_other(out)?.with_cookies_of(&ended)),
        // Who shows a token has no session that could end.
        Err(problem) if problem.kind == ProblemKind::NotFound => Answer::see_other(out),
        Err(problem) => Err(problem),
    }
}
