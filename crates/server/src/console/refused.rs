//! What was refused in the last hour, by cause and address.

use std::collections::BTreeMap;

use countersign_core::time::rfc3339;
use maud::{Markup, html};
use serde_json::Value;

use super::ask::Ask;
use super::connected::words_of_events;
use super::form::Form;
use super::page::{self, page};
use super::pieces::{dash, empty, list, live_table, name, text, verdict};
use super::scope::Scope;
use crate::answer::Answer;
use crate::call::Call;
use crate::problem::Problem;
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![page(PATH, show)]
}

/// Refusals that are alike.
#[derive(Default)]
struct Sum {
    count: u64,
    /// A name that was refused so, and whether there were others.
    name: Option<String>,
    has_more: bool,
}

type Key = (String, String, Option<String>);

fn show(call: &mut Call<'_>, words: &Form) -> Result<Answer, Problem> {
    let scope = Scope::of(call, words)?;
    let (sums, is_whole) = sums(call, &scope)?;
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, sum)| core::cmp::Reverse(sum.count));
    let rows: Vec<_> = sums.iter().take(MOST_SHOWN).map(row).collect();
    let main = html! {
        div.head {
            h1 { "Refused" }
            span.pulse.live data-pulse role="status" { "Not live yet" }
        }
        p.lead { "Logins that were refused and uses of topics that were denied in the last hour, the most frequent first." }
        form.find method="get" action=(PATH) {
            (scope.field(false))
            button type="submit" { "Show" }
        }
        div id="refused" data-kinds="login denied" data-events=(words_of_events(&scope)) {
            @if rows.is_empty() { (empty("Nothing was refused in the last hour. What was before, the audit has.")) }
            @else { (live_table("Refused in the last hour", &["Count", "Outcome", "Cause", "Address", "Name", "Look"], &rows)) }
            @if !is_whole { p.hint { "There is more than is summed up here; the audit has all of it." } }
        }
    };
    page::show(call, PATH, "Refused", main)
}

fn row(((outcome, cause, address), sum): &(Key, Sum)) -> (String, Vec<Markup>) {
    let words = |words: &[(&str, &str)]| serde_urlencoded::to_string(words).unwrap_or_default();
    let key = [outcome, cause, address.as_deref().unwrap_or_default()].join(" ");
    let cells = vec![
        html! { (sum.count) },
        verdict(outcome),
        html! { strong { (name(cause)) } },
        match address {
            Some(address) => html! {
                a href={ "/find?" (words(&[("by", "address"), ("q", address)])) } { (name(address)) }
            },
            None => dash(),
        },
        match &sum.name {
            Some(named) => html! { (name(named)) @if sum.has_more { " and others" } },
            None => dash(),
        },
        match &sum.name {
            Some(named) => html! { a href={ "/why?" (words(&[("name", named)])) } { "Why" } },
            None => dash(),
        },
    ];
    (key, cells)
}

/// What was refused, summed up; and whether that is all.
fn sums(call: &mut Call<'_>, scope: &Scope) -> Result<(BTreeMap<Key, Sum>, bool), Problem> {
    let mut sums: BTreeMap<Key, Sum> = BTreeMap::new();
    let mut is_whole = true;
    if !scope.sees_something() {
        return Ok((sums, true));
    }
    let hour = call.now.as_millis().saturating_sub(HOUR);
    let since = rfc3339(countersign_core::time::Timestamp::from_millis(hour));
    for outcome in ["refused", "denied"] {
        let mut after: Option<String> = None;
        for part in 0..=MOST_PARTS {
            if part == MOST_PARTS {
                is_whole = false;
                break;
            }
            let listed = &Ask::get("/api/v1/audit")
                .word("tenant", scope.tenant())
                .word("outcome", Some(outcome))
                .word("since", Some(&since))
                .word("limit", Some("1000"))
                .word("after", after.as_deref())
                .value(call)?;
            for item in list(listed, "items") {
                add(&mut sums, outcome, item);
            }
            after = listed["next"].as_str().map(str::to_owned);
            if after.is_none() {
                break;
            }
        }
    }
    Ok((sums, is_whole))
}

fn add(sums: &mut BTreeMap<Key, Sum>, outcome: &str, item: &Value) {
    let address = item["address"].as_str().map(str::to_owned);
    let key = (outcome.to_owned(), text(item, "cause").to_owned(), address);
    let sum = sums.entry(key).or_default();
    sum.count = sum
        .count
        .saturating_add(item["count"].as_u64().unwrap_or(1));
    let subject = Some(text(item, "subject")).filter(|it| !it.is_empty());
    match (&sum.name, subject) {
        (None, Some(subject)) => sum.name = Some(subject.to_owned()),
        (Some(known), Some(subject)) if known != subject => sum.has_more = true,
        _ => {}
    }
}

const PATH: &str = "/refused";
/// In milliseconds.
const HOUR: i64 = 3_600_000;
/// So many parts of the audit are summed up, of 1,000 rows each.
const MOST_PARTS: usize = 5;
const MOST_SHOWN: usize = 200;
