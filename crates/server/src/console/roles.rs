//! Roles: their rules, and the groups that hold them. Who would gain or lose what is told
//! before it is so.

use axum::http::StatusCode;
use maud::{Markup, html};
use serde_json::Value;

use super::ask::{Ask, Told};
use super::entry::{self, Entry};
use super::form::Form;
use super::limits::{self, LIMITS};
use super::lines::{VERSION, rule_fields};
use super::listing::Cell::{Made, Text, Texts};
use super::listing::{Listing, New, Own, Tenants};
use super::page::{self, act, page};
use super::pieces::{
    Field, done, empty, hidden, list, name, name_or_dash, table, tag, text, texts, tick, verdict,
    wrong,
};
use super::undo::{self, RULE};
use crate::answer::{Answer, part_of_address};
use crate::call::Call;
use crate::problem::Problem;
use crate::route::Route;
use crate::visitors::Undo;

pub(super) fn routes() -> Vec<Route> {
    let mut routes = ROLES.routes();
    routes.extend([
        page("/roles/{tenant}/{role}", |call, words| {
            one(call, words, None, None)
        }),
        act("/roles/{tenant}/{role}/{act}", run),
    ]);
    routes
}

static ROLES: Listing = Listing {
    path: PATH,
    acts_at: "",
    title: "Roles",
    lead: "Named sets of rules of a tenant, which credentials and groups hold.",
    route: "/api/v1/tenants/{tenant}/roles",
    parts: &[("tenant", "tenant"), ("role", "name")],
    tenants: Tenants::One,
    columns: &[
        ("Name", Text("name")),
        ("Description", Text("description")),
        ("Groups that hold it", Texts("groups")),
        (
            "Rules",
            Made(|item, _| html! { (list(item, "rules").len()) }),
        ),
    ],
    empty: "This tenant has no roles. Make one by the form below, and give it rules then.",
    new: Some(New {
        title: "A new role",
        label: "Make the role",
        asks: &[
            Entry::line("name", "Name").required(),
            Entry::line("description", "Description"),
            Entry::tick("no_wildcards", "It grants no SUBSCRIBE with + or #"),
        ],
        done: "",
        secret: None,
        undo: None,
        is_for_platform: false,
    }),
    acts: &[],
    own: Own::Elsewhere("The role was deleted."),
};

fn address(tenant: &str, role: &str) -> String {
    format!(
        "{PATH}/{}/{}",
        part_of_address(tenant),
        part_of_address(role)
    )
}

/// The page of a role, perhaps with what would change.
fn one(
    call: &mut Call<'_>,
    words: &Form,
    problem: Option<&Problem>,
    effects: Option<&Value>,
) -> Result<Answer, Problem> {
    let (tenant, named): (String, String) = (call.part("tenant")?, call.part("role")?);
    let path = address(&tenant, &named);
    let role = &Ask::get(ROLE)
        .about("tenant", &tenant)
        .about("role", &named)
        .value(call)?;
    let row = |rule: &Value| {
        vec![
            verdict(text(rule, "effect")),
            html! { (text(rule, "action")) },
            html! { code { (name(text(rule, "pattern"))) } },
            name_or_dash(rule, "group"),
            html! {
                form method="post" action={ (path) "/unrule" } {
                    @for key in ["action", "pattern", "group"] {
                        @if let Some(value) = rule[key].as_str() { (hidden(key, value)) }
                    }
                    @if rule["no_retain"].as_bool() == Some(true) { (hidden("no_retain", "true")) }
                    @if rule["literal"].as_bool() == Some(true) { (hidden("literal", "true")) }
                    @if let Some(qos) = rule["max_qos"].as_u64() { (hidden("max_qos", &qos.to_string())) }
                    span.actions {
                        button.quiet type="submit" name="try" value="yes" { "Try without" }
                        button.quiet type="submit" { "Take away" }
                    }
                }
            },
        ]
    };
    let rows: Vec<_> = list(role, "rules").iter().map(row).collect();
    let groups: Vec<_> = texts(role, "groups")
        .into_iter()
        .map(|group| group_row(&path, group))
        .collect();
    let parts = [("tenant", &*tenant), ("role", &*named)];
    let limits = limits::form(call, &limits::OF_ROLE, &parts, &path)?;
    let main = html! {
        p.crumb { a href={ "/roles?tenant=" (part_of_address(&tenant)) } { "Roles of " (name(&tenant)) } }
        h1 { (name(&named)) }
        (wrong(problem))
        @if words.is_ticked("done") { (done("It is done, and live sessions follow it.", call.undo(words))) }
        @if let Some(effects) = effects { (effect(effects)) }
        section.card aria-labelledby="rules" {
            h2 id="rules" { "Rules" }
            p { (name_or_dash(role, "description")) @if role["no_wildcards"].as_bool() == Some(true) { " It grants no SUBSCRIBE with + or #." } }
            @if rows.is_empty() { (empty("It has no rules, and grants nothing.")) }
            @else { (table("Rules", &["Effect", "Action", "Topics", "Only in group", "Act"], &rows)) }
            form method="post" action={ (path) "/rule" } {
                h3 { "A new rule" }
                (rule_fields(words))
                (Field::new("group", "Only in group").of(words).hint("It holds there and below.").show())
                p.actions {
                    button.quiet type="submit" name="try" value="yes" { "What would change" }
                    button type="submit" { "Give the rule" }
                }
            }
        }
        section.card aria-labelledby="groups" {
            h2 id="groups" { "Groups that hold it" }
            @if groups.is_empty() { (empty("No group holds it.")) }
            @else { (table("Groups", &["Group", "Act"], &groups)) }
            form method="post" action={ (path) "/assign" } {
                (Field::new("group", "Group").required().show())
                p.actions {
                    button.quiet type="submit" name="try" value="yes" { "What would change" }
                    button type="submit" { "Let it hold the role" }
                }
            }
        }
        (limits)
        details.act.final {
            summary { "Delete the role" }
            form method="post" action={ (path) "/delete" } {
                p { "Who holds it loses what it grants, at once. This can't be undone." }
                (tick("cascade", "Take it from all who hold it", false))
                p.actions { button.danger type="submit" { "Delete the role" } }
            }
        }
    };
    let status = problem.map_or(StatusCode::OK, |it| it.kind.status());
    page::show_with(call, PATH, &named, status, main)
}

fn group_row(path: &str, group: &str) -> Vec<Markup> {
    vec![
        name(group),
        html! {
            form method="post" action={ (path) "/unassign" } {
                (hidden("group", group))
                span.actions {
                    button.quiet type="submit" name="try" value="yes" { "Try without" }
                    button.quiet type="submit" { "Take away" }
                }
            }
        },
    ]
}

/// Who would gain and lose what.
fn effect(effects: &Value) -> Markup {
    let uses = |item: &Value, key| {
        html! {
            @if list(item, key).is_empty() { (super::pieces::dash()) }
            @for used in list(item, key) { div { (text(used, "action")) " " code { (name(text(used, "pattern"))) } } }
        }
    };
    let row = |item: &Value| {
        vec![
            name(text(item, "name")),
            match item["connected"].as_bool() {
                Some(true) => tag("active", "●", "connected"),
                _ => tag("inactive", "○", "not connected"),
            },
            uses(item, "gains"),
            uses(item, "loses"),
        ]
    };
    let rows: Vec<_> = list(effects, "items").iter().map(row).collect();
    html! {
        section.card role="status" aria-labelledby="effect" {
            h2 id="effect" { "What would change" }
            p { "This was tried, and nothing is changed yet." }
            @if rows.is_empty() { (empty("Nobody would gain or lose anything.")) }
            @else { (table("What would change", &["Name", "Now", "Gains", "Loses"], &rows)) }
        }
    }
}

fn run(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    let (tenant, role): (String, String) = (call.part("tenant")?, call.part("role")?);
    let word: String = call.part("act")?;
    let is_try = said.is_ticked("try");
    let before = before(call, &tenant, &role, &word);
    let done = ask(call, said, &tenant, &role, &word);
    match done {
        Err(problem) => one(call, said, Some(&problem), None),
        Ok(told) if is_try => one(call, said, None, Some(&told.value)),
        Ok(_) if word == "delete" => Answer::see_other(&format!(
            "/roles?tenant={}&done=delete",
            part_of_address(&tenant)
        )),
        Ok(told) => {
            let path = address(&tenant, &role);
            let undo = inverse(&word, &path, said, before.as_ref(), &told);
            call.did(&format!("{path}?done=yes"), undo)
        }
    }
}

/// What the inverse of an act needs to know of the role as it was.
fn before(call: &mut Call<'_>, tenant: &str, role: &str, word: &str) -> Option<Value> {
    let path = match word {
        "rule" | "unrule" | "assign" => ROLE,
        LIMITS => limits::OF_ROLE.path,
        _ => return Some(Value::Null),
    };
    let ask = Ask::get(path).about("tenant", tenant).about("role", role);
    ask.value(call).ok()
}

/// What undoes what was done; nothing where it is not known what was so before.
fn inverse(
    word: &str,
    path: &str,
    said: &Form,
    before: Option<&Value>,
    told: &Told,
) -> Option<Undo> {
    let before = before?;
    let group = said.text("group").unwrap_or_default();
    match word {
        "rule" => undo::of_rule(path, list(before, "rules"), said),
        "unrule" => undo::of_unrule(path, list(before, "rules"), said),
        "assign" if texts(before, "groups").contains(&group) => None,
        "assign" => Some(Undo::at(format!("{path}/unassign")).with("group", group)),
        "unassign" => Some(Undo::at(format!("{path}/assign")).with("group", group)),
        LIMITS => {
            let again = Undo::at(format!("{path}/{LIMITS}")).since(told.tag.as_deref());
            Some(again.with_filled(limits::OF_ROLE.asks, before))
        }
        _ => None,
    }
}

fn ask(
    call: &mut Call<'_>,
    said: &Form,
    tenant: &str,
    role: &str,
    word: &str,
) -> Result<Told, Problem> {
    let group = said.text("group").unwrap_or_default();
    let dry_run = said.text("try").map(|_| "true");
    let ask = match word {
        "rule" => Ask::post(RULES).body(entry::body(RULE, said)?),
        "unrule" => {
            let words = [
                "action",
                "pattern",
                "group",
                "max_qos",
                "no_retain",
                "literal",
            ];
            let mut words = words.into_iter();
            words.by_ref().fold(Ask::delete(RULES), |ask, word| {
                ask.word(word, said.text(word))
            })
        }
        "assign" => Ask::put(GROUP).about("group", group),
        "unassign" => Ask::delete(GROUP).about("group", group),
        LIMITS => limits::OF_ROLE.ask(said)?.version(said.exact(VERSION)),
        "delete" => Ask::delete(ROLE).word("cascade", said.text("cascade").map(|_| "true")),
        _ => return Err(Problem::not_found()),
    };
    ask.about("tenant", tenant)
        .about("role", role)
        .word("dry_run", dry_run)
        .told(call)
}

const PATH: &str = "/roles";
const ROLE: &str = "/api/v1/tenants/{tenant}/roles/{role}";
const RULES: &str = "/api/v1/tenants/{tenant}/roles/{role}/rules";
const GROUP: &str = "/api/v1/tenants/{tenant}/roles/{role}/groups/{group}";
