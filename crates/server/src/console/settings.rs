//! The settings, which hold for the whole store.

use axum::http::StatusCode;
use maud::html;
use serde_json::Value;

use super::ask::{Ask, Told};
use super::entry::{self, Entry};
use super::form::Form;
use super::lines::VERSION;
use super::page::{self, act, page};
use super::pieces::{done, hidden, wrong};
use crate::answer::Answer;
use crate::call::Call;
use crate::problem::Problem;
use crate::route::Route;
use crate::visitors::Undo;

pub(super) fn routes() -> Vec<Route> {
    vec![
        page(PATH, |call, words| show(call, words, None)),
        act(PATH, change),
    ]
}

fn show(call: &mut Call<'_>, words: &Form, problem: Option<&Problem>) -> Result<Answer, Problem> {
    let Told { value, tag } = Ask::get(ROUTE).told(call)?;
    let main = html! {
        h1 { "Settings" }
        p.lead { "What holds for the whole store, and for every broker that uses it." }
        (wrong(problem))
        @if words.is_ticked("done") { (done("It is changed, and brokers follow it.", call.undo(words))) }
        form.card method="post" action=(PATH) {
            h2 { "What holds" }
            (hidden(VERSION, tag.as_deref().unwrap_or_default()))
            (entry::fields(ENTRIES, words, &value))
            p.actions { button type="submit" { "Change" } }
        }
    };
    let status = problem.map_or(StatusCode::OK, |it| it.kind.status());
    page::show_with(call, PATH, "Settings", status, main)
}

fn change(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    let before: Value = Ask::get(ROUTE).value(call)?;
    let told = entry::body(ENTRIES, said).and_then(|body| {
        let ask = Ask::patch(ROUTE).version(said.exact(VERSION));
        ask.body(body).told(call)
    });
    match told {
        Ok(told) => {
            let undo = Undo::at(PATH.to_owned()).since(told.tag.as_deref());
            let undo = undo.with_filled(ENTRIES, &before);
            call.did(&format!("{PATH}?done=yes"), Some(undo))
        }
        Err(problem) => show(call, said, Some(&problem)),
    }
}

const PATH: &str = "/settings";
const ROUTE: &str = "/api/v1/settings";
const ENTRIES: &[Entry] = &[
    Entry::line("client_id_hold", "A client id is held for")
        .required()
        .hint("After its last use, for whom it belongs to. Such as 30d."),
    Entry::number(
        "client_id_limit",
        "Client ids of one credential",
    )
    .required()
    .hint("So many are remembered, with stored sessions, and so many more an hour."),
    Entry::line("keep_refusals", "Refusals are kept for")
        .required()
        .hint("In the audit. What was done is kept until it is pruned."),
    Entry::line("lockout", "People are locked out by")
        .required()
        .hint("failures=N,step=DUR,longest=DUR; tenants may say otherwise."),
    Entry::line("auto_ban", "Addresses are banned by")
        .required()
        .hint(
            "20/10m:1h bans one for an hour after 20 failed logins in ten minutes; off bans none.",
        ),
    Entry::line("argon2", "Passwords are hashed by")
        .required()
        .hint("Those that are chosen from now on: m=KIB,t=PASSES,p=LANES. Those that are stored go on working."),
    Entry::switch(
        "rehash",
        "A password that is hashed in another way is hashed anew once it let a client in",
    ),
];
