//! Connectivity, as Tier0's page has it: where clients connect, who does, and what they log
//! in with.

use axum::http::StatusCode;
use maud::html;
use serde_json::Value;

use super::ask::Ask;
use super::connected::words_of_events;
use super::form::{Body, Form};
use super::lines::client;
use super::page::{self, act, page};
use super::pieces::{
    Field, done, empty, form_key, hidden, link, list, live_table, name, name_or_dash, state, table,
    text, when, wrong,
};
use super::scope::Scope;
use super::secret::NewSecret;
use crate::answer::Answer;
use crate::call::Call;
use crate::problem::Problem;
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![
        page(PATH, |call, words| show(call, words, None)),
        act(PATH, create),
        act("/connectivity/{act}", delete),
    ]
}

fn show(call: &mut Call<'_>, words: &Form, problem: Option<&Problem>) -> Result<Answer, Problem> {
    let mut scope = Scope::of(call, words)?;
    scope.tenant = scope.one().map(str::to_owned);
    let parts = match scope.tenant() {
        None => {
            html! { (empty("There is no tenant yet whose clients could connect. Make one on the page Tenants.")) }
        }
        Some(tenant) => parts(call, words, &scope, tenant)?,
    };
    let main = html! {
        div.head {
            h1 { "Connectivity" }
            span.pulse.live data-pulse role="status" { "Not live yet" }
        }
        (wrong(problem))
        @if words.text("done") == Some("delete") { (done("It was deleted, and its live sessions ended.", None)) }
        form.find method="get" action=(PATH) {
            (scope.field(true))
            button type="submit" { "Show" }
        }
        (parts)
    };
    let status = problem.map_or(StatusCode::OK, |it| it.kind.status());
    page::show_with(call, PATH, "Connectivity", status, main)
}

fn parts(
    call: &mut Call<'_>,
    words: &Form,
    scope: &Scope,
    tenant: &str,
) -> Result<maud::Markup, Problem> {
    let of = |path| Ask::get(path).word("tenant", Some(tenant));
    let listeners = of("/api/v1/listeners").value(call)?;
    let count = &of("/api/v1/clients/count").value(call)?;
    let clients = of("/api/v1/clients").value(call)?;
    let auths = of("/api/v1/credentials").word("scheme", Some("generated"));
    let auths = auths.value(call)?;
    let place = |item: &Value| {
        let protocol = if item["tls"].as_bool() == Some(true) {
            "mqtts"
        } else {
            "mqtt"
        };
        vec![
            name(text(item, "broker")),
            name_or_dash(item, "host"),
            match item["port"].as_u64() {
                Some(port) => html! { (port) },
                None => html! { span.none { "not known" } },
            },
            html! { (protocol) },
        ]
    };
    let places: Vec<_> = list(&listeners, "items").iter().map(place).collect();
    let row = |item: &Value| {
        let cells = vec![
            name(text(item, "client_id")),
            client(item),
            name_or_dash(item, "address"),
            when(item, "connected_at", call.now),
        ];
        (text(item, "session").to_owned(), cells)
    };
    let online: Vec<_> = list(&clients, "items").iter().map(row).collect();
    let row = |item: &Value| {
        vec![
            name_or_dash(item, "description"),
            name_or_dash(item, "client_id"),
            link("/credentials", text(item, "name")),
            state(text(item, "state")),
            when(item, "created_at", call.now),
            html! {
                form method="post" action="/connectivity/delete" {
                    (hidden("name", text(item, "name")))
                    (hidden("tenant", tenant))
                    button.quiet type="submit" { "Delete" }
                }
            },
        ]
    };
    let given: Vec<_> = list(&auths, "items").iter().map(row).collect();
    Ok(html! {
        section.card aria-labelledby="broker" {
            h2 id="broker" { "Broker info" }
            @if places.is_empty() { (empty("No broker is alive. Start a Mosquitto whose configuration loads the plugin with this store.")) }
            @else { (table("Broker info", &["Broker", "Host", "Port", "Protocol"], &places)) }
        }
        section.card aria-labelledby="online" {
            h2 id="online" { "Clients" }
            div id="clients" data-kinds="client" data-events=(words_of_events(scope)) {
                p.number { b { (count["connected"].as_u64().unwrap_or_default()) } span { "current online connections" } }
                @if online.is_empty() { (empty("Nobody is connected. Create below what a client logs in with.")) }
                @else { (live_table("Clients", &["Client id", "Username", "Address", "Since"], &online)) }
                @if !text(&clients, "next").is_empty() { p.hint { a href={ "/connected?tenant=" (tenant) } { "There are more." } } }
            }
        }
        section.card aria-labelledby="auth" {
            h2 id="auth" { "Auth" }
            @if given.is_empty() { (empty("No client was given anything to log in with yet. Do it by the form below.")) }
            @else { (table("What clients log in with", &["Description", "Client id", "Username", "State", "Made", "Act"], &given)) }
            form method="post" action=(PATH) data-secret {
                (form_key(call)?)
                (hidden("tenant", tenant))
                (Field::new("description", "Description").of(words).required().hint("What it is for. Client id, username and password are made, and shown once.").show())
                p.actions { button type="submit" { "Create auth" } }
            }
        }
    })
}

fn create(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    call.take_form_key(said)?;
    let body = Body::default()
        .with("scheme", "generated")
        .texts_of(said, &["tenant", "description"]);
    let told = match Ask::post("/api/v1/credentials")
        .body(body.value())
        .value(call)
    {
        Ok(told) => told,
        Err(problem) => return show(call, said, Some(&problem)),
    };
    let tenant = said.text("tenant").unwrap_or_default();
    let words = serde_urlencoded::to_string([("tenant", tenant)]).unwrap_or_default();
    let secret = NewSecret {
        told: &told,
        key: "secret",
        title: "What the client logs in with",
        tenant: Some(tenant),
        back: &format!("{PATH}?{words}"),
    };
    secret.answer(call, PATH)
}

fn delete(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    let word: String = call.part("act")?;
    if word != "delete" {
        return Err(Problem::not_found());
    }
    let named = said.exact("name").unwrap_or_default();
    let deleted = Ask::delete("/api/v1/credentials/{name}").about("name", named);
    match deleted.told(call) {
        Ok(_) => {
            let tenant = said.text("tenant").unwrap_or_default();
            let words = [("tenant", tenant), ("done", "delete")];
            let words = serde_urlencoded::to_string(words).unwrap_or_default();
            Answer::see_other(&format!("{PATH}?{words}"))
        }
        Err(problem) => show(call, said, Some(&problem)),
    }
}

const PATH: &str = "/connectivity";
