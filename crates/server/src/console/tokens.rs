//! API tokens.

use axum::http::StatusCode;
use maud::{Markup, html};
use serde_json::Value;

use super::ask::Ask;
use super::form::{Body, Form};
use super::page::{self, act, page};
use super::pieces::{
    Field, done, empty, form_key, hidden, list, name, name_or_dash, pager, table, text, when, wrong,
};
use super::scope::Scope;
use super::secret::NewSecret;
use crate::answer::Answer;
use crate::call::Call;
use crate::problem::Problem;
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![
        page(TOKENS, |call, words| tokens(call, words, None)),
        act(TOKENS, create),
        act("/tokens/revoke", revoke),
    ]
}

fn tokens(call: &mut Call<'_>, words: &Form, problem: Option<&Problem>) -> Result<Answer, Problem> {
    let scope = Scope::of(call, words)?;
    let listed = match scope.sees_something() {
        false => Value::Null,
        true => Ask::get("/api/v1/tokens")
            .word("tenant", scope.tenant())
            .word("after", words.exact("after"))
            .value(call)?,
    };
    let main = html! {
        h1 { "Tokens" }
        p.lead { "API tokens: what programs present to the service. Each has a scope and an end." }
        (wrong(problem))
        @if words.text("done") == Some("revoke") { (done("The token was revoked, and is refused from now on.", None)) }
        form.find method="get" action=(TOKENS) {
            (scope.field(false))
            button type="submit" { "Show" }
        }
        (token_table(call, &listed, TOKENS))
        (pager(TOKENS, words, &listed))
        (token_form(call, words, TOKENS, scope.tenant())?)
    };
    let status = problem.map_or(StatusCode::OK, |it| it.kind.status());
    page::show_with(call, TOKENS, "Tokens", status, main)
}

pub(super) fn token_table(call: &Call<'_>, listed: &Value, back: &str) -> Markup {
    let row = |item: &Value| {
        vec![
            html! { (item["id"]) },
            name(text(item, "scope")),
            name_or_dash(item, "description"),
            name_or_dash(item, "created_by"),
            when(item, "expires_at", call.now),
            when(item, "last_used_at", call.now),
            html! {
                form method="post" action="/tokens/revoke" {
                    (hidden("id", &item["id"].to_string()))
                    (hidden("back", back))
                    button.quiet type="submit" { "Revoke" }
                }
            },
        ]
    };
    let rows: Vec<_> = list(listed, "items").iter().map(row).collect();
    let heads = [
        "Number",
        "Scope",
        "Description",
        "Made by",
        "Ends",
        "Last used",
        "Act",
    ];
    match rows.is_empty() {
        true => empty(
            "There are no tokens here. Make one by the form below, for a program that asks the service.",
        ),
        false => table("Tokens", &heads, &rows),
    }
}

pub(super) fn token_form(
    call: &Call<'_>,
    said: &Form,
    action: &str,
    tenant: Option<&str>,
) -> Result<Markup, Problem> {
    let usual = tenant.map_or("platform".to_owned(), |tenant| format!("tenant:{tenant}"));
    Ok(html! {
        form.card method="post" action=(action) data-secret {
            h2 { "A new token" }
            (form_key(call)?)
            div.pair {
                (Field::new("scope", "Scope").value(&usual).of(said).required().hint("platform, tenant:T or viewer:T.").show())
                (Field::new("expires", "It lasts").value("90d").of(said).required().hint("Such as 12h or 90d.").show())
            }
            (Field::new("description", "What it is for").of(said).show())
            p.actions { button type="submit" { "Make the token" } }
        }
    })
}

fn create(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    match made(call, said, "/api/v1/tokens", TOKENS)? {
        Ok(answer) => Ok(answer),
        Err(problem) => tokens(call, said, Some(&problem)),
    }
}

/// Makes a token and shows it, or says why it was not made.
pub(super) fn made(
    call: &mut Call<'_>,
    said: &Form,
    path: &'static str,
    back: &str,
) -> Result<Result<Answer, Problem>, Problem> {
    call.take_form_key(said)?;
    let body = Body::default().texts_of(said, &["scope", "expires", "description"]);
    let told = match Ask::post(path).body(body.value()).value(call) {
        Ok(told) => told,
        Err(problem) => return Ok(Err(problem)),
    };
    let secret = NewSecret {
        told: &told,
        key: "secret",
        title: "The new token",
        tenant: None,
        back,
    };
    secret.answer(call, back).map(Ok)
}

fn revoke(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    let id = said.text("id").unwrap_or_default();
    let back = if said.text("back") == Some("/me") {
        "/me"
    } else {
        TOKENS
    };
    match Ask::delete("/api/v1/tokens/{id}")
        .about("id", id)
        .told(call)
    {
        Ok(_) => Answer::see_other(&format!("{back}?done=revoke")),
        Err(problem) => tokens(call, &Form::default(), Some(&problem)),
    }
}

const TOKENS: &str = "/tokens";
