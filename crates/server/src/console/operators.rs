//! Operators: principals outside of all tenants.

use axum::http::StatusCode;
use maud::html;
use serde_json::Value;

use super::acts;
use super::ask::Ask;
use super::credential::{OPERATOR, run_for};
use super::entry::Entry;
use super::form::Form;
use super::lines::{act_form, delete_form, effect_on_sessions, rule_fields, without_rule};
use super::listing::Cell::{Made, Text, Time};
use super::listing::{Listing, New, Own, Tenants};
use super::page::{self, act, page};
use super::pieces::{
    done, empty, list, name, name_or_dash, state, table, text, verdict, when, wrong,
};
use super::secret::Secret;
use crate::answer::{Answer, part_of_address};
use crate::call::Call;
use crate::problem::Problem;
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    let mut routes = OPERATORS.routes();
    routes.extend([
        page("/operators/{name}", |call, words| one(call, words, None)),
        act("/operators/{name}/{act}", |call, said| {
            run_for(call, said, &OPERATOR, |call, problem| {
                one(call, &Form::default(), Some(problem))
            })
        }),
    ]);
    routes
}

static OPERATORS: Listing = Listing {
    path: PATH,
    acts_at: "",
    title: "Operators",
    lead: "Bridges, monitoring and back ends: outside of all tenants, bound by their own rules alone.",
    route: "/api/v1/operators",
    parts: &[("name", "name")],
    tenants: Tenants::Any,
    columns: &[
        ("Name", Text("name")),
        ("State", Made(|item, _| state(text(item, "state")))),
        ("Description", Text("description")),
        (
            "Rules",
            Made(|item, _| html! { (list(item, "rules").len()) }),
        ),
        ("Last used", Time("last_used_at")),
    ],
    empty: "There are no operators. Make one by the form below for a bridge, or for what watches over all tenants.",
    new: Some(New {
        title: "A new operator",
        label: "Make the operator",
        asks: &[
            Entry::line("name", "Name").required(),
            Entry::words("publish", "May publish to").hint("Filters; several with spaces."),
            Entry::words("subscribe", "May subscribe to").hint("Filters; several with spaces."),
        ],
        done: "",
        secret: Some(Secret::of("The new operator")),
        undo: None,
        is_for_platform: false,
    }),
    acts: &[],
    own: Own::Elsewhere("The operator was deleted, and its live sessions ended."),
};

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
        if (act.is_there)(it) {
            shown.push(act_form(call, act, &path, "", Some(live), it)?);
        }
    }
    let main = html! {
        p.crumb { a href=(PATH) { "Operators" } }
        div.head { h1 { (name(&named)) } (state(state_word)) }
        (wrong(problem))
        @if let Some(act) = words.text("done") { (done(acts::act(act).map_or("It is changed.", |act| act.done), call.undo(words))) }
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
