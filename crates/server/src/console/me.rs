//! What is one's own: password, second factor, sessions, tokens.

use axum::http::StatusCode;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::ask::{Ask, Told};
use super::form::{Body, Form};
use super::page::{self, act, page};
use super::pieces::{
    Field, done, empty, form_key, hidden, list, name, name_or_dash, table, tag, text, when, wrong,
};
use super::secret::NewSecret;
use super::tokens::{made, token_form, token_table};
use crate::answer::Answer;
use crate::call::Call;
use crate::problem::Problem;
use crate::route::{Access, Route};

pub(super) fn routes() -> Vec<Route> {
    vec![
        page(PATH, |call, words| show(call, words, None)),
        // A thread that hashes answers those that prove once more who asks.
        act("/me/{act}", run).with_access(Access::KnownWithPassword),
    ]
}

fn show(call: &mut Call<'_>, words: &Form, problem: Option<&Problem>) -> Result<Answer, Problem> {
    let me = Ask::get("/api/v1/me").value(call)?;
    let main = html! {
        h1 { "Me" }
        (wrong(problem))
        @if words.is_ticked("done") { (done("It is done.", None)) }
        @if !text(&me, "email").is_empty() { (person(call, words, &me)?) }
        @else {
            p { "Whoever asks by an API token has no account here. The scope of this one is " (name(text(&me, "scope"))) "." }
        }
    };
    let status = problem.map_or(StatusCode::OK, |it| it.kind.status());
    page::show_with(call, PATH, "Me", status, main)
}

fn person(call: &mut Call<'_>, words: &Form, me: &Value) -> Result<Markup, Problem> {
    let sessions = Ask::get("/api/v1/me/sessions").value(call)?;
    let tokens = Ask::get("/api/v1/me/tokens").value(call)?;
    let row = |item: &Value| {
        let is_this = item["current"].as_bool() == Some(true);
        vec![
            html! { @if is_this { (tag("active", "●", "this one")) } @else { (tag("inactive", "○", "another")) } },
            name_or_dash(item, "address"),
            when(item, "created_at", call.now),
            when(item, "last_used_at", call.now),
            when(item, "expires_at", call.now),
            html! {
                form method="post" action="/me/end" {
                    (hidden("id", &item["id"].to_string()))
                    button.quiet type="submit" { "End it" }
                }
            },
        ]
    };
    let rows: Vec<_> = list(&sessions, "items").iter().map(row).collect();
    let has_factor = me["mfa"].as_bool() == Some(true);
    let tenant = list(me, "grants")
        .first()
        .map(|it| text(it, "tenant").to_owned());
    let tenant = tenant.filter(|_| me["platform_admin"].as_bool() != Some(true));
    Ok(html! {
        section.card aria-labelledby="sessions" {
            h2 id="sessions" { "Where I am signed in" }
            (table("My sessions", &["Session", "Address", "Since", "Last used", "Ends", "Act"], &rows))
            @if rows.is_empty() { (empty("Nowhere.")) }
        }
        section.card aria-labelledby="password" {
            h2 id="password" { "My password" }
            form method="post" action="/me/password" {
                p { "All my sessions end, and I sign in again." }
                div.pair {
                    (proof(has_factor))
                    (Field::new("new_password", "The new password").password("new-password").required().show())
                }
                p.actions { button type="submit" { "Change it" } }
            }
        }
        section.card aria-labelledby="factor" {
            h2 id="factor" { "My second factor" }
            @if has_factor {
                p { (tag("active", "✓", "on")) " A code is asked for besides the password." }
                form method="post" action="/me/disable" {
                    div.pair { (proof(true)) }
                    p.actions { button.danger type="submit" { "Take it away" } }
                }
            } @else {
                p { (tag("inactive", "○", "off")) " The password alone lets me in." }
                form method="post" action="/me/enrol" data-secret {
                    (form_key(call)?)
                    div.pair { (proof(false)) }
                    p.actions { button type="submit" { "Make one" } }
                }
                form method="post" action="/me/confirm" {
                    (Field::new("code", "A code that the app shows").filled("one-time-code").required()
                        .hint("Once one is made: it counts once a code of it was shown to work.").show())
                    p.actions { button.quiet type="submit" { "Confirm it" } }
                }
            }
        }
        section aria-labelledby="tokens" {
            h2 id="tokens" { "My tokens" }
        }
        (token_table(call, &tokens, PATH))
        (token_form(call, words, "/me/token", tenant.as_deref())?)
    })
}

/// What proves once more who asks.
fn proof(has_factor: bool) -> Markup {
    html! {
        (Field::new("password", "My password now").password("current-password").required().show())
        @if has_factor { (Field::new("code", "Code of the second factor").filled("one-time-code").required().show()) }
    }
}

fn run(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    let word: String = call.part("act")?;
    if word == "token" {
        return match made(call, said, "/api/v1/me/tokens", PATH)? {
            Ok(answer) => Ok(answer),
            Err(problem) => show(call, said, Some(&problem)),
        };
    }
    if word == "enrol" {
        call.take_form_key(said)?;
    }
    match ask(call, said, &word) {
        Err(problem) => show(call, &Form::default(), Some(&problem)),
        Ok(told) if word == "enrol" => {
            let secret = NewSecret {
                told: &told.value,
                key: "secret",
                title: "My second factor",
                tenant: None,
                back: PATH,
            };
            secret.answer(call, PATH)
        }
        Ok(_) => Answer::see_other("/me?done=yes"),
    }
}

fn ask(call: &mut Call<'_>, said: &Form, word: &str) -> Result<Told, Problem> {
    let proof = Body::default()
        .with("password", said.exact("password").unwrap_or_default())
        .text("code", said.text("code"));
    let ask = match word {
        "end" => {
            let id = said.text("id").unwrap_or_default();
            Ask::delete("/api/v1/me/sessions/{id}").about("id", id)
        }
        "password" => {
            let new = said.exact("new_password").unwrap_or_default();
            Ask::post("/api/v1/me/password").body(proof.with("new_password", new).value())
        }
        "enrol" => Ask::post("/api/v1/me/mfa/enrol").body(proof.value()),
        "confirm" => {
            let code = said.text("code").unwrap_or_default();
            Ask::post("/api/v1/me/mfa/confirm").body(json!({ "code": code }))
        }
        "disable" => Ask::post("/api/v1/me/mfa/disable").body(proof.value()),
        _ => return Err(Problem::not_found()),
    };
    ask.told(call)
}

const PATH: &str = "/me";
