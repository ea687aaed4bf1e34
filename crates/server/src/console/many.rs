//! One act on many credentials: those that are chosen, or all that a list shows. What it
//! would do is shown before.

use axum::http::StatusCode;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::ask::{Ask, Told, once_there};
use super::form::{Body, Form};
use super::page::{self, act};
use super::pieces::{
    Field, choice, done, empty, form_key, hidden, link, list, name, table, tag, text, tick, wrong,
};
use crate::answer::Answer;
use crate::call::Call;
use crate::problem::Problem;
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![act(PATH, many)]
}

/// Something that is done to many.
struct ManyAct {
    word: &'static str,
    label: &'static str,
    /// The act of REST, and which member of its changes has the group or the role.
    rest: &'static str,
    changes: Option<&'static str>,
    /// What undoes it.
    undo: Option<&'static str>,
    is_final: bool,
}

/// The form below a list of credentials, whose rows have boxes to tick; `words` found them.
pub(super) fn form(words: &Form) -> Markup {
    let acts: Vec<_> = ACTS.iter().map(|act| (act.word, act.label)).collect();
    html! {
        form.card id="many" method="post" action=(PATH) {
            h2 { "Do something to many" }
            @for word in SOUGHT { @if let Some(said) = words.text(word) { (hidden(word, said)) } }
            div.pair {
                (choice("act", "What", &acts, ""))
                (Field::new("of", "Group or role").hint("Where it is about one.").show())
            }
            (tick("all", "To all that are found by name, state, group and tenant, on all parts of the list, and not only to those that are ticked", false))
            p.actions { button type="submit" { "Show what it would do" } }
        }
    }
}

/// The box of one, in its row.
pub(super) fn tick_box(named: &str) -> Markup {
    html! {
        input type="checkbox" name="name" value=(named) form="many" aria-label={ "Choose " (named) };
    }
}

fn many(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    let word = said.text("act").unwrap_or_default();
    let act = ACTS.iter().find(|act| act.word == word);
    let act = act.ok_or_else(|| Problem::invalid("`act` is nothing that is done to many"))?;
    let is_sure = said.is_ticked("sure");
    if is_sure {
        call.take_form_key(said)?;
    }
    let asked = body(act, said, is_sure).and_then(|body| {
        let ask = Ask::post("/api/v1/credentials/bulk").body(body);
        ask.answer(call)
    });
    let said = said.clone();
    once_there(call, asked, move |call, told| {
        shown(call, act, &said, told, is_sure)
    })
}

/// What is asked of REST.
fn body(act: &ManyAct, said: &Form, is_sure: bool) -> Result<Value, Problem> {
    let body = Body::default()
        .with("act", act.rest)
        .with("dry_run", !is_sure);
    let body = match act.changes {
        None => body,
        Some(member) => {
            let of = said.text("of");
            let of = of.ok_or_else(|| Problem::invalid("say which group or role"))?;
            body.with("changes", json!({ member: [of] }))
        }
    };
    let body = if said.is_ticked("all") {
        let selection = Body::default()
            .text("prefix", said.text("q"))
            .texts_of(said, &["state", "group", "tenant"])
            .value();
        let is_all = selection.as_object().is_some_and(|it| it.is_empty());
        body.with(
            "selection",
            if is_all {
                json!({ "all": true })
            } else {
                selection
            },
        )
    } else {
        let names: Vec<_> = said.all("name").collect();
        if names.is_empty() {
            return Err(Problem::invalid("tick those that it is to be done to"));
        }
        body.with("names", names)
    };
    Ok(body.value())
}

/// What it would do, or did.
fn shown(
    call: &mut Call<'_>,
    act: &ManyAct,
    said: &Form,
    told: Result<Told, Problem>,
    is_sure: bool,
) -> Result<Answer, Problem> {
    let (report, problem) = match told {
        Ok(told) => (told.value, None),
        Err(problem) => (Value::Null, Some(problem)),
    };
    let report = &report;
    let count = |key: &str| report[key].as_u64().unwrap_or_default();
    let failed: Vec<_> = list(report, "failed")
        .iter()
        .map(|it| vec![name(text(it, "name")), name(text(it, "error"))])
        .collect();
    let reach = html! {
        dl {
            dt { "Found" } dd { (count("matched")) }
            dt { @if is_sure { "Done to" } @else { "Would be done to" } } dd { (count("done")) }
            dt { "So already, or changed meanwhile" } dd { (count("skipped")) }
            dt { @if is_sure { "Sessions that ended" } @else { "Sessions that would end" } } dd { (count("sessions_ended")) }
        }
        @if let Some(error) = report.pointer("/stopped/error").and_then(Value::as_str) { p.effect { "It stopped: " (name(error)) "." } }
        @if !failed.is_empty() {
            h2 { "Refused" }
            (table("Refused", &["Name", "Why"], &failed))
        }
    };
    let main = html! {
        p.crumb { a href="/find" { "Find" } }
        h1 { (act.label) @if let Some(of) = said.text("of").filter(|_| act.changes.is_some()) { " " (name(of)) } }
        (wrong(problem.as_ref()))
        @if problem.is_some() {
            p.actions { a.button href="/find" { "Back to the list" } }
        } @else if is_sure {
            (done(&format!("Done to {}.", count("done")), undo(call, act, said)?))
            section.card { (reach) }
            p.actions { a.button href="/find" { "Back to the list" } }
        } @else {
            (preview(call, act, said, report, &reach)?)
        }
    };
    let status = problem.map_or(StatusCode::OK, |it| it.kind.status());
    page::show_with(call, "/find", act.label, status, main)
}

fn preview(
    call: &Call<'_>,
    act: &ManyAct,
    said: &Form,
    report: &Value,
    reach: &Markup,
) -> Result<Markup, Problem> {
    let names: Vec<_> = list(report, "names")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let count = report["done"].as_u64().unwrap_or_default();
    // All are named: it is done to these, and to no others that are found by then.
    let is_whole = u64::try_from(names.len()) == Ok(count);
    let gained = |item: &Value, key: &str| {
        html! { @for used in list(item, key) { div { (text(used, "action")) " " code { (name(text(used, "pattern"))) } } } }
    };
    let effect = |item: &Value| {
        vec![
            link("/credentials", text(item, "name")),
            match item["connected"].as_bool() {
                Some(true) => tag("active", "●", "connected"),
                _ => tag("inactive", "○", "not connected"),
            },
            gained(item, "gains"),
            gained(item, "loses"),
        ]
    };
    let effects: Vec<_> = list(report, "effects").iter().map(effect).collect();
    let rows = names.iter().take(MOST_LISTED);
    let rows: Vec<_> = rows.map(|it| vec![link("/credentials", it)]).collect();
    Ok(html! {
        section.card role="status" aria-labelledby="would" {
            h2 id="would" { "What it would do" }
            p { "This was tried, and nothing is changed yet." }
            (reach)
            @if !effects.is_empty() { (table("What would change", &["Name", "Now", "Gains", "Loses"], &effects)) }
            @if rows.is_empty() { (empty("It would change nothing.")) }
            @else { (table("Those that it would be done to", &["Name"], &rows)) }
            @if names.len() > MOST_LISTED { p.hint { "The first " (MOST_LISTED) " are shown." } }
            @if count > 0 {
                form method="post" action=(PATH) {
                    (form_key(call)?)
                    (hidden("sure", "yes"))
                    (hidden("act", act.word))
                    @if let Some(of) = said.text("of") { (hidden("of", of)) }
                    @if is_whole { @for named in &names { (hidden("name", named)) } }
                    @else {
                        (hidden("all", "yes"))
                        @for word in SOUGHT { @if let Some(said) = said.text(word) { (hidden(word, said)) } }
                    }
                    @if act.is_final { p { "This can't be undone." } }
                    p.actions {
                        button.danger[act.is_final] type="submit" { (act.label) ": " (count) }
                        a.button.quiet href="/find" { "Leave it" }
                    }
                }
            }
        }
    })
}

/// The button that leads to what undoes it for those that it was done to.
fn undo(call: &Call<'_>, act: &ManyAct, said: &Form) -> Result<Option<Markup>, Problem> {
    let (Some(word), false) = (act.undo, said.is_ticked("all")) else {
        return Ok(None);
    };
    Ok(Some(html! {
        form method="post" action=(PATH) {
            (form_key(call)?)
            (hidden("sure", "yes"))
            (hidden("act", word))
            @if let Some(of) = said.text("of") { (hidden("of", of)) }
            @for named in said.all("name") { (hidden("name", named)) }
            button.quiet type="submit" { "Undo" }
        }
    }))
}

const PATH: &str = "/many";
/// What the list was found by.
const SOUGHT: [&str; 4] = ["q", "state", "group", "tenant"];
/// So many names are shown.
const MOST_LISTED: usize = 50;
const USUAL: ManyAct = ManyAct {
    word: "",
    label: "",
    rest: "set",
    changes: None,
    undo: None,
    is_final: false,
};
static ACTS: [ManyAct; 8] = [
    ManyAct {
        word: "suspend",
        label: "Suspend",
        rest: "suspend",
        undo: Some("reactivate"),
        ..USUAL
    },
    ManyAct {
        word: "reactivate",
        label: "Reactivate",
        rest: "reactivate",
        undo: Some("suspend"),
        ..USUAL
    },
    ManyAct {
        word: "join",
        label: "Put into the group",
        changes: Some("add_groups"),
        undo: Some("leave"),
        ..USUAL
    },
    ManyAct {
        word: "leave",
        label: "Take out of the group",
        changes: Some("remove_groups"),
        undo: Some("join"),
        ..USUAL
    },
    ManyAct {
        word: "give",
        label: "Give the role",
        changes: Some("add_roles"),
        undo: Some("take"),
        ..USUAL
    },
    ManyAct {
        word: "take",
        label: "Take the role away",
        changes: Some("remove_roles"),
        undo: Some("give"),
        ..USUAL
    },
    ManyAct {
        word: "revoke",
        label: "Revoke",
        rest: "revoke",
        is_final: true,
        ..USUAL
    },
    ManyAct {
        word: "delete",
        label: "Delete",
        rest: "delete",
        is_final: true,
        ..USUAL
    },
];
