//! People: users, what they are granted, and how they sign in.

use axum::http::StatusCode;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::ask::{Ask, Told};
use super::entry::Entry;
use super::form::{Body, Form};
use super::listing::Cell::{Made, Text, Time};
use super::listing::{Listing, New, Own, Tenants};
use super::page::{self, act, page};
use super::pieces::{
    Field, choice, dash, done, empty, form_key, hidden, list, name, name_or_dash, table, tag, text,
    when, wrong,
};
use super::secret::NewSecret;
use crate::answer::{Answer, part_of_address};
use crate::call::Call;
use crate::problem::Problem;
use crate::route::Route;
use crate::visitors::Undo;

pub(super) fn routes() -> Vec<Route> {
    let mut routes = PEOPLE.routes();
    routes.extend([
        page("/people/{name}", |call, words| one(call, words, None)),
        act("/people/{name}/{act}", run),
    ]);
    routes
}

static PEOPLE: Listing = Listing {
    path: PATH,
    acts_at: "",
    title: "People",
    lead: "Who may sign in here, and what each may administer.",
    route: "/api/v1/users",
    parts: &[("name", "email")],
    tenants: Tenants::Narrowed,
    columns: &[
        ("Name", Text("email")),
        (
            "Standing",
            Made(|item, _| {
                let is_usual = !is_admin(item) && !has_factor(item) && !is_locked(item);
                html! { @if is_usual { (dash()) } @else { (standing(item)) } }
            }),
        ),
        ("Granted", Made(|item, _| grants(item))),
        ("Last used", Time("last_used_at")),
    ],
    empty: "There is nobody here. Who administers the whole store makes users, and grants them something in a tenant.",
    new: Some(New {
        title: "A new user",
        label: "Make the user",
        asks: &[
            Entry::line("email", "Name or e-mail address").required(),
            Entry::password("password", "Password", "new-password").required(),
            Entry::tick("platform_admin", "Administers the whole store"),
        ],
        done: "",
        secret: None,
        undo: None,
        is_for_platform: true,
    }),
    acts: &[],
    own: Own::Elsewhere("The user was deleted. Their sessions ended."),
};

/// What a user is besides grants.
fn standing(user: &Value) -> Markup {
    html! {
        @if is_admin(user) { (tag("active", "★", "platform administrator")) " " }
        @if has_factor(user) { (tag("active", "✓", "second factor")) " " }
        @if is_locked(user) { (tag("suspended", "❚❚", "locked")) }
    }
}

fn is_admin(user: &Value) -> bool {
    user["platform_admin"].as_bool() == Some(true)
}

fn has_factor(user: &Value) -> bool {
    user["mfa"].as_bool() == Some(true)
}

fn is_locked(user: &Value) -> bool {
    user["locked_until"].is_string()
}

fn grants(user: &Value) -> Markup {
    html! {
        @if list(user, "grants").is_empty() { (dash()) }
        @for grant in list(user, "grants") { div { (grant_words(grant)) } }
    }
}

fn grant_words(grant: &Value) -> Markup {
    html! {
        @if grant["org_admin"].as_bool() == Some(true) { "administers " }
        @else if grant["viewer"].as_bool() == Some(true) { "views " }
        @else { "role " (name_or_dash(grant, "role")) " in " }
        (name_or_dash(grant, "tenant"))
        @if let Some(group) = grant["group"].as_str() { ", group " (name(group)) }
    }
}

fn address(user: &str) -> String {
    format!("{PATH}/{}", part_of_address(user))
}

fn one(call: &mut Call<'_>, words: &Form, problem: Option<&Problem>) -> Result<Answer, Problem> {
    let named: String = call.part("name")?;
    let path = address(&named);
    let told = Ask::get(ONE).about("name", &named).told(call)?;
    let it = &told.value;
    let version = hidden("version", told.tag.as_deref().unwrap_or_default());
    let row = |grant: &Value| {
        vec![
            grant_words(grant),
            html! {
                form method="post" action={ (path) "/ungrant" } {
                    (hidden("tenant", text(grant, "tenant")))
                    button.quiet type="submit" { "Take away" }
                }
            },
        ]
    };
    let rows: Vec<_> = list(it, "grants").iter().map(row).collect();
    let plain = |word: &str, label: &str, says: &str, more: Markup| {
        html! {
            details.act {
                summary { (label) }
                form method="post" action={ (path) "/" (word) } {
                    (version) p { (says) } (more)
                    p.actions { button type="submit" { (label) } }
                }
            }
        }
    };
    let main = html! {
        p.crumb { a href=(PATH) { "People" } }
        div.head { h1 { (name(&named)) } (standing(it)) }
        (wrong(problem))
        @if words.is_ticked("done") { (done("It is done.", call.undo(words))) }
        div.columns {
            div {
                section.card aria-labelledby="facts" {
                    h2 id="facts" { "Who it is" }
                    dl {
                        dt { "Made" } dd { (when(it, "created_at", call.now)) }
                        dt { "Last used" } dd { (when(it, "last_used_at", call.now)) }
                        dt { "Locked" } dd { (when(it, "locked_until", call.now)) }
                    }
                }
                section.card aria-labelledby="grants" {
                    h2 id="grants" { "Granted" }
                    @if rows.is_empty() { (empty("Nothing is granted in any tenant.")) }
                    @else { (table("Grants", &["What", "Act"], &rows)) }
                    form method="post" action={ (path) "/grant" } {
                        h3 { "Grant something in a tenant" }
                        div.pair {
                            (Field::new("tenant", "Tenant").of(words).required().show())
                            (choice("right", "What", RIGHTS, words.text("right").unwrap_or("viewer")))
                            (Field::new("role", "Role").of(words).hint("Where it is a role.").show())
                            (Field::new("group", "Only in group").of(words).show())
                        }
                        p.actions { button type="submit" { "Grant it" } }
                    }
                }
            }
            aside aria-label="Acts" {
                h2 { "Acts" }
                (plain("reset-password", "Replace the password", "Their sessions end; a lock stays.",
                    Field::new("password", "The new password").password("new-password").required().show()))
                @if is_locked(it) { (plain("unlock", "Unlock", "They may try again at once.", html! {})) }
                @if has_factor(it) { (plain("disable-mfa", "Take the second factor away", "The password alone lets them in then.", html! {})) }
                @else {
                    details.act {
                        summary { "Make a second factor" }
                        form method="post" action={ (path) "/enrol" } data-secret {
                            (form_key(call)?)
                            p { "It is shown once, and counts once a code of it was shown to work." }
                            p.actions { button type="submit" { "Make it" } }
                        }
                    }
                    (plain("confirm", "Confirm the second factor", "From then on a code is asked for.",
                        Field::new("code", "A code that the app shows").required().show()))
                }
                @if is_admin(it) { (plain("member", "No platform administrator any more", "What they are granted in tenants stays.", html! {})) }
                @else { (plain("admin", "Make a platform administrator", "They may do everything, in all tenants.", html! {})) }
                details.act.final {
                    summary { "Delete" }
                    form method="post" action={ (path) "/delete" } {
                        (version)
                        p { "Their sessions end, and so do the tokens that they made. This can't be undone." }
                        p.actions { button.danger type="submit" { "Delete " (name(&named)) } }
                    }
                }
            }
        }
    };
    let status = problem.map_or(StatusCode::OK, |it| it.kind.status());
    page::show_with(call, PATH, &named, status, main)
}

fn run(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    let (named, word): (String, String) = (call.part("name")?, call.part("act")?);
    if word == "enrol" {
        return enrol(call, said, &named);
    }
    let before = match &*word {
        "grant" | "ungrant" => Ask::get(ONE).about("name", &named).value(call),
        _ => Ok(Value::Null),
    };
    match ask(call, said, &named, &word) {
        Ok(_) if word == "delete" => Answer::see_other("/people?done=delete"),
        Ok(_) => {
            let path = address(&named);
            let before = before.ok();
            let undo = before.and_then(|before| inverse(&word, &path, said, &before));
            call.did(&format!("{path}?done=yes"), undo)
        }
        Err(problem) => one(call, said, Some(&problem)),
    }
}

/// What undoes what was done.
fn inverse(word: &str, path: &str, said: &Form, before: &Value) -> Option<Undo> {
    let at = |word| Undo::at(format!("{path}/{word}"));
    match word {
        "admin" => Some(at("member")),
        "member" => Some(at("admin")),
        "grant" | "ungrant" => {
            let tenant = said.text("tenant").unwrap_or_default();
            let mut grants = list(before, "grants").iter();
            let Some(grant) = grants.find(|it| text(it, "tenant") == tenant) else {
                return Some(at("ungrant").with("tenant", tenant));
            };
            let is = |key: &str| grant[key].as_bool() == Some(true);
            let right = match (is("org_admin"), is("viewer")) {
                (true, _) => "org_admin",
                (false, true) => "viewer",
                (false, false) => "role",
            };
            let again = at("grant").with("tenant", tenant).with("right", right);
            let again = again.with("role", text(grant, "role"));
            Some(again.with("group", text(grant, "group")))
        }
        _ => None,
    }
}

fn ask(call: &mut Call<'_>, said: &Form, named: &str, word: &str) -> Result<Told, Problem> {
    let ask = match word {
        "reset-password" => {
            let password = said.exact("password").unwrap_or_default();
            Ask::post("/api/v1/users/{name}/reset-password").body(json!({ "password": password }))
        }
        "unlock" => Ask::post("/api/v1/users/{name}/unlock"),
        "disable-mfa" => Ask::post("/api/v1/users/{name}/mfa/disable"),
        "confirm" => {
            let code = said.text("code").unwrap_or_default();
            Ask::post("/api/v1/users/{name}/mfa/confirm").body(json!({ "code": code }))
        }
        "admin" | "member" => Ask::patch(ONE).body(json!({ "platform_admin": word == "admin" })),
        "grant" => {
            let right = said.text("right").unwrap_or_default();
            let body = Body::default()
                .text("role", said.text("role").filter(|_| right == "role"))
                .with("org_admin", right == "org_admin")
                .with("viewer", right == "viewer")
                .text("group", said.text("group"));
            let tenant = said.text("tenant").unwrap_or_default();
            Ask::put(GRANT).about("tenant", tenant).body(body.value())
        }
        "ungrant" => Ask::delete(GRANT).about("tenant", said.text("tenant").unwrap_or_default()),
        "delete" => Ask::delete(ONE),
        _ => return Err(Problem::not_found()),
    };
    ask.about("name", named)
        .version(said.exact("version"))
        .told(call)
}

fn enrol(call: &mut Call<'_>, said: &Form, named: &str) -> Result<Answer, Problem> {
    call.take_form_key(said)?;
    let told = Ask::post("/api/v1/users/{name}/mfa/enrol").about("name", named);
    match told.value(call) {
        Ok(told) => {
            let secret = NewSecret {
                told: &told,
                key: "secret",
                title: "The second factor",
                tenant: None,
                back: &address(named),
            };
            secret.answer(call, PATH)
        }
        Err(problem) => one(call, &Form::default(), Some(&problem)),
    }
}

const PATH: &str = "/people";
const ONE: &str = "/api/v1/users/{name}";
const GRANT: &str = "/api/v1/users/{name}/grants/{tenant}";
const RIGHTS: &[(&str, &str)] = &[
    ("viewer", "to see it"),
    ("org_admin", "to administer it"),
    ("role", "what a role allows"),
];
