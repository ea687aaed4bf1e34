//! Bans: addresses and client ids that are kept out.

use axum::http::StatusCode;
use maud::html;
use serde_json::Value;

use super::ask::Ask;
use super::form::{Body, Form};
use super::page::{self, act, page};
use super::pieces::{
    Field, done, empty, hidden, list, name, name_or_dash, pager, table, text, tick, when, wrong,
};
use super::scope::Scope;
use crate::answer::Answer;
use crate::call::Call;
use crate::problem::Problem;
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![
        page(PATH, |call, words| bans(call, words, None)),
        act(PATH, add),
        act("/bans/remove", remove),
    ]
}

fn bans(call: &mut Call<'_>, words: &Form, problem: Option<&Problem>) -> Result<Answer, Problem> {
    let scope = Scope::of(call, words)?;
    let listed = match scope.sees_something() {
        false => Value::Null,
        true => Ask::get("/api/v1/bans")
            .word("tenant", scope.tenant())
            .word("after", words.exact("after"))
            .value(call)?,
    };
    let row = |item: &Value| {
        let (what, kept_out) = match item["address"].as_str() {
            Some(address) => ("Address", address),
            None => ("Client id", text(item, "client_id")),
        };
        vec![
            html! { (what) },
            name(kept_out),
            name_or_dash(item, "tenant"),
            when(item, "until", call.now),
            name_or_dash(item, "reason"),
            name_or_dash(item, "created_by"),
            when(item, "created_at", call.now),
            html! {
                form method="post" action="/bans/remove" {
                    (hidden("id", &item["id"].to_string()))
                    button.quiet type="submit" { "Lift" }
                }
            },
        ]
    };
    let rows: Vec<_> = list(&listed, "items").iter().map(row).collect();
    let heads = [
        "What", "Kept out", "Tenant", "Until", "Reason", "By", "Made", "Act",
    ];
    let main = html! {
        h1 { "Bans" }
        p.lead { "Who is refused before anything is looked up: clients from an address, or with a client id." }
        (wrong(problem))
        @match words.text("done") {
            Some("add") => (done("The ban counts from now on, and whom it is about is not connected any more.", None)),
            Some("remove") => (done("The ban is lifted.", None)),
            _ => {}
        }
        form.find method="get" action=(PATH) {
            (scope.field(false))
            button type="submit" { "Show" }
        }
        @if rows.is_empty() { (empty("Nobody is banned here.")) } @else { (table("Bans", &heads, &rows)) }
        (pager(PATH, words, &listed))
        form.card method="post" action=(PATH) {
            h2 { "A new ban" }
            div.pair {
                (Field::new("address", "Address or network").of(words).hint("Such as 192.0.2.7 or 192.0.2.0/24. It keeps out clients of all tenants.").show())
                (Field::new("client_id", "Client id").of(words).hint("Instead of an address.").show())
            }
            div.pair {
                (Field::new("of", "Of the tenant").of(words).hint("With a client id: principals of this tenant alone.").list("tenants").show())
                (Field::new("until", "Until").of(words).hint("Such as 2030-01-31T12:00:00Z; for good without it.").show())
            }
            (Field::new("reason", "Why").of(words).show())
            (tick("force", "Also if that keeps out my own address, or a platform administrator", words.is_ticked("force")))
            p.actions { button.danger type="submit" { "Ban" } }
        }
    };
    let status = problem.map_or(StatusCode::OK, |it| it.kind.status());
    page::show_with(call, PATH, "Bans", status, main)
}

fn add(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    let body = Body::default()
        .texts_of(said, &["address", "client_id", "until", "reason"])
        .text("tenant", said.text("of"))
        .with("force", said.is_ticked("force"));
    match Ask::post("/api/v1/bans").body(body.value()).told(call) {
        Ok(_) => Answer::see_other("/bans?done=add"),
        Err(problem) => bans(call, said, Some(&problem)),
    }
}

fn remove(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    let id = said.text("id").unwrap_or_default();
    match Ask::delete("/api/v1/bans/{id}").about("id", id).told(call) {
        Ok(_) => Answer::see_other("/bans?done=remove"),
        Err(problem) => bans(call, &Form::default(), Some(&problem)),
    }
}

const PATH: &str = "/bans";
