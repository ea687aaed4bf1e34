//! Find: one field for a name, a client id, an address or a group.

use core::net::IpAddr;

use maud::{Markup, html};
use serde_json::Value;

use super::ask::Ask;
use super::form::Form;
use super::lines::client;
use super::many;
use super::page::{self, page};
use super::pieces::{
    Field, choice, done, empty, link, list, name, name_or_dash, names, pager, state, table, text,
    texts, when,
};
use super::scope::Scope;
use crate::answer::Answer;
use crate::call::Call;
use crate::problem::{Problem, ProblemKind};
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![page(PATH, show)]
}

fn show(call: &mut Call<'_>, words: &Form) -> Result<Answer, Problem> {
    let scope = Scope::of(call, words)?;
    let sought = words.text("q");
    let address = sought.and_then(|it| it.parse::<IpAddr>().ok());
    let group = words.text("group");
    let found = match (scope.sees_something(), address) {
        (false, _) => empty(
            "Nothing that you may see is here yet. Who administers the whole store grants you something in a tenant.",
        ),
        (true, Some(address)) => at_address(call, &scope, &address.to_canonical().to_string())?,
        (true, None) => html! {
            (credentials(call, &scope, words, sought)?)
            @if let (Some(sought), None) = (sought, group) {
                (in_group(call, &scope, sought)?)
                (by_client_id(call, &scope, sought)?)
            }
        },
    };
    let main = html! {
        div.head {
            h1 { "Find" }
            a.button href="/create" { "New credential" }
        }
        @if words.text("done") == Some("delete") { (done("It was deleted, and its live sessions ended.", None)) }
        form.find role="search" method="get" action=(PATH) {
            (Field { kind: "search", ..Field::new("q", "Name, client id, address or group") }.of(words).show())
            (choice("state", "State", STATES, words.text("state").unwrap_or_default()))
            (scope.field(false))
            button type="submit" { "Find" }
        }
        @if let Some(group) = group { h2 { "In the group " (name(group)) } }
        (found)
    };
    page::show(call, PATH, "Find", main)
}

/// Credentials whose name begins so.
fn credentials(
    call: &mut Call<'_>,
    scope: &Scope,
    words: &Form,
    sought: Option<&str>,
) -> Result<Markup, Problem> {
    let listed = &Ask::get("/api/v1/credentials")
        .word("tenant", scope.tenant())
        .word("prefix", sought)
        .word("state", words.text("state"))
        .word("group", words.text("group"))
        .word("after", words.exact("after"))
        .word("limit", Some(LIMIT))
        .value(call)?;
    let is_sought = ["state", "group"].iter().any(|word| words.is_ticked(word));
    let is_sought = sought.is_some() || is_sought;
    let found = !list(listed, "items").is_empty();
    Ok(html! {
        @if found { (credential_table(call, "Credentials", listed, true)) }
        @else if listed["next"].is_string() { (empty(GOES_ON)) }
        @else if is_sought { (empty("There is no such credential. Look for the beginning of its name, and in all states.")) }
        @else { (empty("There are no credentials here yet. Make one by the button above, for each device.")) }
        (pager(PATH, words, listed))
        @if found { (many::form(words)) }
    })
}

fn credential_table(call: &Call<'_>, caption: &str, listed: &Value, have_boxes: bool) -> Markup {
    let row = |item: &Value| {
        let named = text(item, "name");
        let tick_box = have_boxes.then(|| many::tick_box(named));
        let cells = [
            link("/credentials", named),
            state(text(item, "state")),
            name_or_dash(item, "description"),
            names(&texts(item, "groups")),
            name_or_dash(item, "tenant"),
            when(item, "last_used_at", call.now),
        ];
        tick_box.into_iter().chain(cells).collect()
    };
    let heads = [
        "",
        "Name",
        "State",
        "Description",
        "Groups",
        "Tenant",
        "Last used",
    ];
    let heads = heads.get(usize::from(!have_boxes)..).unwrap_or_default();
    let rows: Vec<_> = list(listed, "items").iter().map(row).collect();
    table(caption, heads, &rows)
}

/// Credentials in the group that is called so, and below it.
fn in_group(call: &mut Call<'_>, scope: &Scope, sought: &str) -> Result<Markup, Problem> {
    let listed = Ask::get("/api/v1/credentials")
        .word("tenant", scope.tenant())
        .word("group", Some(sought))
        .word("limit", Some(LIMIT));
    let listed = &or_nothing(listed.value(call))?;
    let has_more = listed["next"].is_string();
    let found = !list(listed, "items").is_empty();
    let words = [("group", Some(sought)), ("tenant", scope.tenant())];
    let all = Form::default().address(PATH, &words);
    Ok(html! {
        @if found || has_more { h2 { "In the group " (name(sought)) } }
        @if found { (credential_table(call, "Credentials in the group", listed, false)) }
        @if has_more { p { a href=(all) { "All in the group" } } }
    })
}

/// Who is connected by this client id.
fn by_client_id(call: &mut Call<'_>, scope: &Scope, sought: &str) -> Result<Markup, Problem> {
    let live = Ask::get("/api/v1/clients")
        .word("tenant", scope.tenant())
        .word("client_id", Some(sought));
    let live = or_nothing(live.value(call))?;
    let rows: Vec<_> = list(&live, "items")
        .iter()
        .map(|it| client_row(call, it))
        .collect();
    Ok(html! {
        @if !rows.is_empty() {
            h2 { "Connected by this client id" }
            (table("Connected by this client id", CLIENT_HEADS, &rows))
        }
    })
}

fn client_row(call: &Call<'_>, item: &Value) -> Vec<Markup> {
    vec![
        client(item),
        name(text(item, "client_id")),
        name_or_dash(item, "address"),
        when(item, "connected_at", call.now),
    ]
}

/// Who is connected from an address, and what the audit has of it.
fn at_address(call: &mut Call<'_>, scope: &Scope, address: &str) -> Result<Markup, Problem> {
    let mut rows = Vec::new();
    let mut after: Option<String> = None;
    for _ in 0..MOST_PARTS {
        let live = &Ask::get("/api/v1/clients")
            .word("tenant", scope.tenant())
            .word("limit", Some("1000"))
            .word("after", after.as_deref())
            .value(call)?;
        let found = list(live, "items").iter();
        let found = found.filter(|it| text(it, "address") == address);
        rows.extend(found.map(|it| client_row(call, it)));
        after = live["next"].as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    let told = Ask::get("/api/v1/audit")
        .word("tenant", scope.tenant())
        .word("address", Some(address))
        .word("limit", Some(LIMIT))
        .value(call)?;
    let row = |item: &Value| {
        vec![
            name(text(item, "subject")),
            name(text(item, "act")),
            name_or_dash(item, "cause"),
            name_or_dash(item, "client_id"),
            when(item, "time", call.now),
        ]
    };
    let told: Vec<_> = list(&told, "items").iter().map(row).collect();
    Ok(html! {
        h2 { "Connected now from " (name(address)) }
        @if rows.is_empty() { (empty("Nobody is connected from this address.")) }
        @else { (table("Connected now", CLIENT_HEADS, &rows)) }
        @if after.is_some() { p.hint { "More are connected than were looked at." } }
        h2 { "In the audit" }
        @if told.is_empty() { (empty("Nothing.")) }
        @else { (table("In the audit", &["Name", "Act", "Cause", "Client id", "When"], &told)) }
    })
}

/// What was found; nothing where what is sought can't be the name of such a thing.
fn or_nothing(found: Result<Value, Problem>) -> Result<Value, Problem> {
    match found {
        Err(problem) if problem.kind == ProblemKind::Invalid => Ok(Value::Null),
        found => found,
    }
}

const CLIENT_HEADS: &[&str] = &["Name", "Client id", "Address", "Since"];
/// So many parts of the list of clients are looked through for an address, of 1,000 each.
const MOST_PARTS: usize = 5;
const PATH: &str = "/find";
/// What is said where a part of a list was looked through.
pub(super) const GOES_ON: &str =
    "Nothing in this part of the list. There is more to look through: go on by Next.";
const LIMIT: &str = "50";
const STATES: &[(&str, &str)] = &[
    ("", "Any"),
    ("Inactive", "Inactive"),
    ("Active", "Active"),
    ("Suspended", "Suspended"),
    ("Revoked", "Revoked"),
];
