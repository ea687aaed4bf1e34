//! Why a client can't connect, or may not do something; and what may be, tried out.

use axum::http::StatusCode;
use maud::{Markup, html};
use serde_json::Value;

use super::ask::Ask;
use super::form::{Body, Form};
use super::page::{self, page};
use super::pieces::{
    Field, choice, dash, empty, link, list, name, name_or_dash, names, state, table, tag, text,
    texts, tick, verdict, when, wrong,
};
use crate::answer::Answer;
use crate::call::Call;
use crate::problem::{Problem, ProblemKind};
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![page(PATH, show)]
}

fn show(call: &mut Call<'_>, words: &Form) -> Result<Answer, Problem> {
    let report = words.text("name").map(|name| report(call, words, name));
    // Without a client id, what is known of the name says whether it may connect.
    let check = words.text("check");
    let check = check.filter(|it| *it != "connect" || words.is_ticked("client_id"));
    let checked = check.map(|check| checked(call, words, check));
    let mut problem = None;
    let mut parts = Vec::new();
    for part in [checked, report].into_iter().flatten() {
        match part {
            Ok(part) => parts.push(part),
            Err(told) if told.kind == ProblemKind::Unavailable => return Err(told),
            Err(told) => problem = Some(told),
        }
    }
    let main = html! {
        h1 { "Why" }
        p.lead { "What a broker would answer this client now, decided by the broker's own code; nothing is changed." }
        (wrong(problem.as_ref()))
        form.card method="get" action=(PATH) {
            (Field::new("name", "Name that it logs in with").of(words).hint("Empty for a client without a login.").show())
            div.pair {
                (choice("check", "What it wants", USES, words.text("check").unwrap_or("connect")))
                (Field::new("topic", "Topic or filter").of(words).hint("Not for connecting.").show())
            }
            details open[words.is_ticked("client_id") || words.is_ticked("address") || words.is_ticked("listener") || words.is_ticked("retain")] {
                summary { "More" }
                div.pair {
                    (Field::new("client_id", "Client id").of(words).show())
                    (Field::new("address", "Address that it comes from").of(words).hint("It may be banned.").show())
                    (Field::new("listener", "Port that it comes to").of(words).show())
                    (choice("qos", "QoS", &[("0", "0"), ("1", "1"), ("2", "2")], words.text("qos").unwrap_or("0")))
                }
                (tick("retain", "The message is retained", words.is_ticked("retain")))
            }
            p.actions { button type="submit" { "Ask" } }
        }
        @for part in &parts { (part) }
    };
    let status = problem.map_or(StatusCode::OK, |it| it.kind.status());
    page::show_with(call, PATH, "Why", status, main)
}

/// What a broker would answer, and by which rule.
fn checked(call: &mut Call<'_>, words: &Form, check: &str) -> Result<Markup, Problem> {
    let number = |word| words.text(word).and_then(|it| it.parse::<u64>().ok());
    let mut body = Body::default()
        .with("check", check)
        .with("username", words.text("name"))
        .text("client_id", words.text("client_id"))
        .text("address", words.text("address"));
    if let Some(port) = number("listener") {
        body = body.with("listener", port);
    }
    if check != "connect" {
        body = body
            .text("topic", words.text("topic"))
            .with("qos", number("qos").unwrap_or_default())
            .with("retain", words.is_ticked("retain"));
    }
    let answer = &Ask::post("/api/v1/check").body(body.value()).value(call)?;
    let rule = &answer["rule"];
    let wall = &answer["wall"];
    let variables = answer["variables"].as_object();
    Ok(html! {
        section.card aria-labelledby="answer" {
            div.head { h2 id="answer" { "The answer" } (verdict(text(answer, "verdict"))) }
            p { "Reason: " strong { (name(text(answer, "reason"))) } "."
                @if rule.is_object() { " Decided by " code { (name(text(rule, "effect"))) " " (name(text(rule, "action"))) " " (name(text(rule, "pattern"))) } ", which comes from " (name(text(rule, "source"))) "." }
                @if let Some(held) = answer["held_by"].as_str() { " The client id is held by " (name(held)) "." }
            }
            @if wall["in_way"].as_bool() == Some(true) {
                p { "The topic is owned by " (name(wall["owner"].as_str().unwrap_or("another tenant"))) ", and no rule reaches over that." }
            }
            (considered(answer))
            @if variables.is_some_and(|it| !it.is_empty()) {
                dl {
                    @for (key, value) in variables.into_iter().flatten() {
                        dt { code { (name(key)) } } dd { (name(value.as_str().unwrap_or("not set"))) }
                    }
                }
            }
        }
    })
}

/// All rules that were considered, and what became of each.
fn considered(answer: &Value) -> Markup {
    let row = |rule: &Value| {
        let outcome = text(rule, "outcome");
        vec![
            match outcome {
                "matched" => tag("active", "●", outcome),
                _ => tag("inactive", "○", outcome),
            },
            verdict(text(rule, "effect")),
            html! { (text(rule, "action")) },
            html! { code { (name(text(rule, "pattern"))) } },
            html! { (name(text(rule, "source"))) @if let Some(group) = rule["group"].as_str() { " of group " (name(group)) } },
            match rule["max_qos"].as_u64() {
                Some(qos) => html! { "QoS " (qos) " at most" },
                None => dash(),
            },
        ]
    };
    let rows: Vec<_> = list(answer, "considered").iter().map(row).collect();
    html! {
        @if !rows.is_empty() {
            h3 { "All that was considered" }
            (table("Rules that were considered", &["Outcome", "Effect", "Action", "Topics", "From", "Limit"], &rows))
        }
    }
}

/// What is known of a name.
fn report(call: &mut Call<'_>, words: &Form, named: &str) -> Result<Markup, Problem> {
    let why = &Ask::get("/api/v1/credentials/{name}/why")
        .about("name", named)
        .word("client_id", words.text("client_id"))
        .word("address", words.text("address"))
        .value(call)?;
    let reasons = texts(why, "reasons");
    let login = |item: &Value| {
        vec![
            when(item, "time", call.now),
            verdict(text(item, "outcome")),
            name_or_dash(item, "cause"),
            html! { (item["count"]) },
            name_or_dash(item, "address"),
            name_or_dash(item, "client_id"),
        ]
    };
    let logins: Vec<_> = list(why, "last_logins").iter().map(login).collect();
    let denied = |item: &Value| {
        vec![
            html! { code { (name(text(item, "topic"))) } },
            name(text(item, "act")),
            name_or_dash(item, "cause"),
            html! { (item["count"]) },
            when(item, "last", call.now),
        ]
    };
    let denied: Vec<_> = list(why, "denied").iter().map(denied).collect();
    Ok(html! {
        section.card aria-labelledby="report" {
            div.head { h2 id="report" { "What is known of " @if why["state"].is_string() { (link("/credentials", named)) } @else { (name(named)) } }
                @if let Some(word) = why["state"].as_str() { (state(word)) } @else { (tag("inactive", "·", "nothing has this name")) } }
            p { @if reasons.is_empty() { "Nothing would keep it from connecting with the right secret." }
                @else { "A login would be refused now: " strong { (names(&reasons)) } "." } }
            h3 { "Last logins" }
            @if logins.is_empty() { (empty("None is known.")) }
            @else { (table("Last logins", &["When", "Outcome", "Cause", "Count", "Address", "Client id"], &logins)) }
            h3 { "Denied uses" }
            @if denied.is_empty() { (empty("None is known.")) }
            @else { (table("Denied uses", &["Topic", "Act", "Cause", "Count", "Last"], &denied)) }
        }
    })
}

const PATH: &str = "/why";
const USES: &[(&str, &str)] = &[
    ("connect", "to connect"),
    ("publish", "to publish"),
    ("subscribe", "to subscribe"),
    ("deliver", "to receive"),
];
