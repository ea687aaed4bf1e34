//! Authorities (CAs) of tenants: whose certificates name which credentials.

use axum::http::StatusCode;
use maud::html;
use serde_json::Value;

use super::ask::Ask;
use super::form::{Body, Form};
use super::page::{self, act, page};
use super::pieces::{
    Field, choice, done, empty, hidden, list, name, pager, table, text, when, wrong,
};
use crate::answer::Answer;
use crate::call::Call;
use crate::problem::Problem;
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![
        page(PATH, |call, words| authorities(call, words, None)),
        act(PATH, add),
        act("/authorities/remove", remove),
    ]
}

fn authorities(
    call: &mut Call<'_>,
    words: &Form,
    problem: Option<&Problem>,
) -> Result<Answer, Problem> {
    let listed = Ask::get("/api/v1/authorities")
        .word("after", words.exact("after"))
        .value(call)?;
    let row = |item: &Value| {
        let fingerprint = text(item, "fingerprint");
        vec![
            name(text(item, "subject")),
            name(text(item, "tenant")),
            html! { (text(item, "identity")) " " code { (text(item, "pattern")) } },
            when(item, "not_after", call.now),
            html! { code.name title=(fingerprint) { (fingerprint.get(..16).unwrap_or_default()) "…" } },
            html! {
                form method="post" action="/authorities/remove" {
                    (hidden("fingerprint", fingerprint))
                    button.quiet type="submit" { "Remove" }
                }
            },
        ]
    };
    let rows: Vec<_> = list(&listed, "items").iter().map(row).collect();
    let heads = [
        "Authority",
        "Tenant",
        "Names by",
        "Ends",
        "Fingerprint",
        "Act",
    ];
    let identity = words.text("identity").unwrap_or("cn");
    let main = html! {
        h1 { "Authorities" }
        p.lead { "Authorities (CAs), each of which speaks for one tenant: a certificate that it signed itself names a credential of that tenant." }
        (wrong(problem))
        @match words.text("done") {
            Some("add") => (done("The authority speaks for its tenant from now on.", None)),
            Some("remove") => (done("The authority is removed, and the sessions that it vouched for ended.", None)),
            _ => {}
        }
        @if rows.is_empty() { (empty("There are no authorities.")) } @else { (table("Authorities", &heads, &rows)) }
        (pager(PATH, words, &listed))
        form.card method="post" action=(PATH) {
            h2 { "A new authority" }
            (Field::new("tenant", "Tenant").of(words).required().show())
            label.field {
                span.label { "Its certificate" }
                textarea name="pem" rows="6" required spellcheck="false" autocomplete="off" { (words.exact("pem").unwrap_or_default()) }
                span.hint { "As text (PEM): of the authority that signs the devices' certificates, not of one above it." }
            }
            div.pair {
                (choice("identity", "What of a certificate is the name", IDENTITIES, identity))
                (Field::new("pattern", "What that looks like").value("${name}").of(words).hint("${name} stands for the name.").show())
            }
            p.actions { button type="submit" { "Add the authority" } }
        }
    };
    let status = problem.map_or(StatusCode::OK, |it| it.kind.status());
    page::show_with(call, PATH, "Authorities", status, main)
}

fn add(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    let body = Body::default().texts_of(said, &["tenant", "pem", "identity", "pattern"]);
    match Ask::post("/api/v1/authorities")
        .body(body.value())
        .told(call)
    {
        Ok(_) => Answer::see_other("/authorities?done=add"),
        Err(problem) => authorities(call, said, Some(&problem)),
    }
}

fn remove(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    let fingerprint = said.text("fingerprint").unwrap_or_default();
    match Ask::delete("/api/v1/authorities/{fingerprint}")
        .about("fingerprint", fingerprint)
        .told(call)
    {
        Ok(_) => Answer::see_other("/authorities?done=remove"),
        Err(problem) => authorities(call, &Form::default(), Some(&problem)),
    }
}

const PATH: &str = "/authorities";
const IDENTITIES: &[(&str, &str)] = &[
    ("cn", "Common name"),
    ("san-dns", "DNS name"),
    ("san-uri", "URI"),
    ("san-email", "E-mail address"),
    ("serial", "Serial number"),
    ("subject", "Whole subject"),
];
