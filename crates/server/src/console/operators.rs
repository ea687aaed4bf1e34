//! Operators: principals outside of all tenants.

use axum::http::StatusCode;
use maud::html;
use serde_json::Value;

use super::acts;
use super::ask::Ask;
use super::credential::{OPERATOR, run_for};
use super::form::{Body, Form};
use super::lines::{act_form, delete_form, effect_on_sessions, rule_fields, without_rule};
use super::page::{self, act, page};
use super::pieces::{
    Field, done, empty, form_key, link, list, name, name_or_dash, pager, state, table, text,
    verdict, when, wrong,
};
use super::secret::NewSecret;
use crate::answer::{Answer, part_of_address};
use crate::call::Call;
use crate::problem::Problem;
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![
        page(PATH, |call, words| all(call, words, None)),
        act(PATH, create),
        page("/operators/{name}", |call, words| one(call, words, None)),
        act("/operators/{name}/{act}", |call, said| {
            run_for(call, said, &OPERATOR, |call, problem| {
                one(call, &Form::default(), Some(problem))
            })
        }),
    ]
}

fn all(call: &mut Call<'_>, words: &Form, problem: Option<&Problem>) -> Result<Answer, Problem> {
    let listed = Ask::get("/api/v1/operators")
        .word("after", words.exact("after"))
        .value(call)?;
    let row = |item: &Value| {
        vec![
            link(PATH, text(item, "name")),
            state(text(item, "state")),
            name_or_dash(item, "description"),
            html! { (list(item, "rules").len()) },
            when(item, "last_used_at", call.now),
        ]
    };
    let rows: Vec<_> = list(&listed, "items").iter().map(row).collect();
    let main = html! {
        h1 { "Operators" }
        p.lead { "Bridges, monitoring and back ends: outside of all tenants, bound by their own rules alone." }
        (wrong(problem))
        @if words.text("done") == Some("delete") { (done("The operator was deleted, and its live sessions ended.", None)) }
        @if rows.is_empty() { (empty("There are no operators.")) }
        @else { (table("Operators", &["Name", "State", "Description", "Rules", "Last used"], &rows)) }
        (pager(PATH, words, &listed))
        form.card method="post" action=(PATH) data-secret {
            h2 { "A new operator" }
            (form_key(call)?)
            (Field::new("name", "Name").of(words).required().show())
            div.pair {
                (Field::new("publish", "May publish to").of(words).hint("Filters; several with spaces.").show())
                (Field::new("subscribe", "May subscribe to").of(words).hint("Filters; several with spaces.").show())
            }
            p.actions { button type="submit" { "Make the operator" } }
        }
    };
    let status = problem.map_or(StatusCode::OK, |it| it.kind.status());
    page::show_with(call, PATH, "Operators", status, main)
}

fn create(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    call.take_form_key(said)?;
    let body = Body::default()
        .with("name", said.text("name").unwrap_or_default())
        .with("publish", said.words("publish"))
        .with("subscribe", said.words("subscribe"));
    let told = match Ask::post("/api/v1/operators")
        .body(body.value())
        .value(call)
    {
        Ok(told) => told,
        Err(problem) => return all(call, said, Some(&problem)),
    };
    let secret = NewSecret {
        told: &told,
        key: "secret",
        title: "The new operator",
        tenant: None,
        back: &format!("{PATH}/{}", part_of_address(text(&told, "name"))),
    };
    secret.answer(call, PATH)
}

fn one(call: &mut Call<'_>, words: &Form, problem: Option<&Problem>) -> Result<Answer, Problem> {
    let named: String = call.part("name")?;
    let path = format!("{PATH}/{}", part_of_address(&named));
    let it = &Ask::get("/api/v1/operators/{name}")
        .about("name", &named)
        .value(call)?;
    let why = Ask::get("/api/v1/credentials/{name}/why")
        .about("name", &named)
        .value(call)
        .unwrap_or_default();
    let live = list(&why, "sessions").len();
    let row = |rule: &Value| {
        vec![
            verdict(text(rule, "effect")),
            html! { (text(rule, "action")) },
            html! { code { (name(text(rule, "pattern"))) } },
            without_rule(&path, rule),
        ]
    };
    let rows: Vec<_> = list(it, "rules").iter().map(row).collect();
    let state_word = text(it, "state");
    let mut shown = Vec::new();
    for act in acts::ALL.iter().filter(|act| act.word != "untie") {
        if act.states.contains(&state_word) {
            shown.push(act_form(call, act, &path, "", live)?);
        }
    }
    let main = html! {
        p.crumb { a href=(PATH) { "Operators" } }
        div.head { h1 { (name(&named)) } (state(state_word)) }
        (wrong(problem))
        @if let Some(act) = words.text("done") { (done(acts::act(act).map_or("It is changed.", |act| act.done), None)) }
        div.columns {
            div {
                section.card aria-labelledby="facts" {
                    h2 id="facts" { "What it is" }
                    dl {
                        dt { "Description" } dd { (name_or_dash(it, "description")) }
                        dt { "Made" } dd { (when(it, "created_at", call.now)) }
                        dt { "Last used" } dd { (when(it, "last_used_at", call.now)) }
                        dt { "Connected" } dd { (live) }
                    }
                }
                section.card aria-labelledby="rules" {
                    h2 id="rules" { "Rules" }
                    @if rows.is_empty() { (empty("It has no rules, and may do nothing.")) }
                    @else { (table("Rules", &["Effect", "Action", "Topics", "Act"], &rows)) }
                    form method="post" action={ (path) "/rule" } {
                        (rule_fields(words))
                        p.actions { button type="submit" { "Give the rule" } }
                    }
                }
            }
            aside aria-label="Acts" {
                h2 { "Acts" }
                @for act in shown { (act) }
                (delete_form(&path, &named, effect_on_sessions(live)))
            }
        }
    };
    let status = problem.map_or(StatusCode::OK, |it| it.kind.status());
    page::show_with(call, PATH, &named, status, main)
}

const PATH: &str = "/operators";
