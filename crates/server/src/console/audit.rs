//! The audit, and whether it was tampered with.

use core::time::Duration;

use countersign_core::time::{Timestamp, rfc3339};
use maud::{Markup, html};
use serde_json::Value;

use super::ask::Ask;
use super::find::GOES_ON;
use super::form::Form;
use super::lines::changes;
use super::page::{self, page};
use super::pieces::{
    Field, choice, empty, list, name, name_or_dash, pager, table, text, verdict, when,
};
use super::scope::Scope;
use crate::answer::Answer;
use crate::call::Call;
use crate::problem::Problem;
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![page(PATH, show)]
}

fn show(call: &mut Call<'_>, words: &Form) -> Result<Answer, Problem> {
    let scope = Scope::of(call, words)?;
    let span = words.text("span").unwrap_or("day");
    let since = SPANS.iter().find(|(word, ..)| *word == span);
    let since = since.and_then(|(.., seconds)| *seconds).map(|seconds| {
        let span = Duration::from_secs(seconds).as_millis();
        let begin = call
            .now
            .as_millis()
            .saturating_sub(i64::try_from(span).unwrap_or(i64::MAX));
        rfc3339(Timestamp::from_millis(begin))
    });
    let mut ask = Ask::get("/api/v1/audit")
        .word("tenant", scope.tenant())
        .word("since", since.as_deref())
        .word("limit", Some("200"));
    for word in ["name", "actor", "act", "address", "outcome", "after"] {
        ask = ask.word(word, words.text(word));
    }
    let listed = &match scope.sees_something() {
        true => ask.value(call)?,
        false => Value::Null,
    };
    let verified = match words.is_ticked("verify") {
        true => verified(call)?,
        false => html! {},
    };
    let row = |item: &Value| {
        vec![
            when(item, "time", call.now),
            name(text(item, "act")),
            name_or_dash(item, "subject"),
            outcome(item),
            html! {
                (name_or_dash(item, "actor"))
                @if let Some(address) = item["address"].as_str() { div.hint { (name(address)) } }
            },
            changes(item),
        ]
    };
    let rows: Vec<_> = list(listed, "items").iter().rev().map(row).collect();
    let spans: Vec<_> = SPANS
        .iter()
        .map(|(word, shown, _)| (*word, *shown))
        .collect();
    let main = html! {
        div.head {
            h1 { "Audit" }
            @if scope.is_platform {
                form method="get" action=(PATH) {
                    input type="hidden" name="verify" value="yes";
                    button.quiet type="submit" { "Verify" }
                }
            }
        }
        (verified)
        form.find method="get" action=(PATH) {
            (Field::new("name", "About").of(words).show())
            (choice("span", "Since", &spans, span))
            (choice("outcome", "Outcome", OUTCOMES, words.text("outcome").unwrap_or_default()))
            (Field::new("act", "Act").of(words).show())
            (Field::new("actor", "By").of(words).show())
            (scope.field(false))
            button type="submit" { "Show" }
        }
        @if rows.is_empty() && listed["next"].is_string() { (empty(GOES_ON)) }
        @else if rows.is_empty() { (empty("Nothing like that is in the audit.")) }
        @else { (table("Audit", &["When", "Act", "About", "Outcome", "By", "Changes"], &rows)) }
        (pager(PATH, words, listed))
    };
    page::show(call, PATH, "Audit", main)
}

/// What came of it, why, and how often.
fn outcome(item: &Value) -> Markup {
    let count = item["count"].as_u64().unwrap_or(1);
    html! {
        (verdict(text(item, "outcome")))
        @if let Some(cause) = item["cause"].as_str() { " " (name(cause)) }
        @if count > 1 { " " span.hint { (count) " times" } }
    }
}

/// Whether all rows are there as they were written.
fn verified(call: &mut Call<'_>) -> Result<Markup, Problem> {
    let told = &Ask::get("/api/v1/audit/verify").value(call)?;
    let heads = Ask::get("/api/v1/audit/head").value(call)?;
    let problem = told["problem"].as_str();
    Ok(html! {
        @match problem {
            None => div.notice.good role="status" {
                span.mark aria-hidden="true" { "✓" }
                p { strong { "Intact. " } (told["rows"].as_u64().unwrap_or_default()) " rows belong together." }
            },
            Some(problem) => div.notice.bad role="alert" {
                span.mark aria-hidden="true" { "✕" }
                p { strong { "Not intact. " } (name(problem)) }
            },
        }
        dl.card {
            dt { "Head of acts" } dd { code { (name(text(&heads, "acts"))) } }
            dt { "Head of refusals" } dd { code { (name(text(&heads, "refusals"))) } }
        }
    })
}

const PATH: &str = "/audit";
const SPANS: [(&str, &str, Option<u64>); 4] = [
    ("hour", "the last hour", Some(3_600)),
    ("day", "the last day", Some(86_400)),
    ("week", "the last week", Some(604_800)),
    ("all", "the beginning", None),
];
const OUTCOMES: &[(&str, &str)] = &[
    ("", "Any"),
    ("done", "done"),
    ("refused", "refused"),
    ("denied", "denied"),
];
