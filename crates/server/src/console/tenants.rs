//! Tenants, and what holds in each.

use axum::http::StatusCode;
use maud::{Markup, html};
use serde_json::Value;

use super::acts::Act;
use super::ask::{Ask, Told, once_there};
use super::entry::Entry;
use super::form::{Body, Form};
use super::limits::{self, LIMITS};
use super::lines::{VERSION, act_form};
use super::listing::Cell::{Text, Texts, Time};
use super::listing::{Listing, New, Own, Tenants};
use super::page::{self, act, page};
use super::pieces::{
    Field, choice, done, empty, hidden, list, name, name_or_dash, names, table, text, texts, tick,
    wrong,
};
use crate::answer::{Answer, part_of_address};
use crate::call::Call;
use crate::problem::Problem;
use crate::route::Route;
use crate::visitors::Undo;

pub(super) fn routes() -> Vec<Route> {
    let mut routes = TENANTS.routes();
    routes.extend([
        page("/tenants/{tenant}", |call, words| {
            one(call, words, None, None)
        }),
        act("/tenants/{tenant}/{act}", run),
    ]);
    routes
}

static TENANTS: Listing = Listing {
    path: PATH,
    acts_at: "",
    title: "Tenants",
    lead: "Each owns topics, and nobody of another tenant reaches them.",
    route: "/api/v1/tenants",
    parts: &[("tenant", "id")],
    tenants: Tenants::Any,
    columns: &[
        ("Tenant", Text("id")),
        ("Topics that it owns", Texts("namespaces")),
        ("Authentication", Text("authentication")),
        ("Subscriptions", Text("subscribe")),
        ("Made", Time("created_at")),
    ],
    empty: "There is no tenant yet. Make one by the form below: each credential is in one.",
    new: Some(New {
        title: "A new tenant",
        label: "Make the tenant",
        asks: &[
            Entry::line("id", "Its id")
                .required()
                .hint("It stands behind the @ of login names."),
            Entry::words("namespaces", "Topics that it owns")
                .hint("All below its id, where none are said; several with commas."),
            Entry::choice("authentication", "What it asks of clients", AUTHENTICATION)
                .usual("required"),
        ],
        done: "",
        secret: None,
        undo: None,
        is_for_platform: false,
    }),
    acts: &[],
    own: Own::Elsewhere("The tenant was deleted, with all that was in it."),
};

fn address(tenant: &str) -> String {
    format!("{PATH}/{}", part_of_address(tenant))
}

fn one(
    call: &mut Call<'_>,
    words: &Form,
    problem: Option<&Problem>,
    losers: Option<&Value>,
) -> Result<Answer, Problem> {
    let named: String = call.part("tenant")?;
    let path = address(&named);
    let told = Ask::get(ONE).about("tenant", &named).told(call)?;
    let it = &told.value;
    let joined = |key| texts(it, key).join(", ");
    let parts = [("tenant", &*named)];
    let limits = limits::form(call, &limits::OF_TENANT, &parts, &path)?;
    let key = act_form(call, &KEY, &path, "", None, &Value::Null)?;
    let words_of_tenant = serde_urlencoded::to_string([("tenant", &named)]).unwrap_or_default();
    let main = html! {
        p.crumb { a href=(PATH) { "Tenants" } }
        div.head { h1 { (name(&named)) } }
        (wrong(problem))
        @if words.is_ticked("done") { (done("It is changed, and live sessions follow it.", call.undo(words))) }
        @if let Some(losers) = losers { (losers_of(losers)) }
        p.actions {
            @for (page, label) in [("/find", "Credentials"), ("/connected", "Connected"), ("/roles", "Roles"), ("/audit", "Audit"), ("/people", "People")] {
                a.button.quiet href={ (page) "?" (words_of_tenant) } { (label) }
            }
        }
        form.card method="post" action={ (path) "/change" } {
            h2 { "What holds in it" }
            (hidden("version", told.tag.as_deref().unwrap_or_default()))
            (choice("authentication", "What it asks of clients", AUTHENTICATION, text(it, "authentication")))
            p.hint { "Where it becomes required, live sessions without a login end at once." }
            (Field::new("namespaces", "Topics that it owns").value(&joined("namespaces")).required().hint("Several with commas.").show())
            div.pair {
                (choice("subscribe", "A subscription that is allowed in part", &[("strict", "is refused (strict)"), ("filtered", "is filtered (filtered)")], text(it, "subscribe")))
                (choice("default_rights", "Without rules its clients may use", RIGHTS, text(it, "default_rights")))
                (choice("anonymous_rights", "Those without a login may use", RIGHTS, text(it, "anonymous_rights")))
            }
            div.pair {
                (Field::new("default_roles", "Roles of all its clients").value(&joined("default_roles")).show())
                (Field::new("anonymous_roles", "Roles of those without a login").value(&joined("anonymous_roles")).show())
                (Field::new("client_id_prefix", "Client ids begin with").value(text(it, "client_id_prefix")).show())
                (Field::new("name_prefix", "Names of it begin with").value(text(it, "name_prefix")).show())
                (Field::new("lockout", "Lockout of its people").value(text(it, "lockout")).hint("failures=N,step=DUR,longest=DUR").show())
            }
            (tick("sys_read", "Its clients may read $SYS", it["sys_read"].as_bool() == Some(true)))
            p.actions {
                button.quiet type="submit" name="try" value="yes" { "Who would lose what" }
                button type="submit" { "Change" }
            }
        }
        (limits)
        (key)
        details.act.final {
            summary { "Delete the tenant" }
            form method="post" action={ (path) "/delete" } {
                p { "Everything in it is gone: credentials, roles, applications, things, tokens. Live sessions end. The audit stays. This can't be undone." }
                (Field::new("confirm", "Its id, once more").required().show())
                (tick("cascade", "With everything in it", false))
                p.actions { button.danger type="submit" { "Delete the tenant" } }
            }
        }
    };
    let status = problem.map_or(StatusCode::OK, |it| it.kind.status());
    page::show_with(call, PATH, &named, status, main)
}

/// Who would lose topics.
fn losers_of(losers: &Value) -> Markup {
    let row = |item: &Value| {
        vec![
            name_or_dash(item, "tenant"),
            name_or_dash(item, "name"),
            html! {
                @for used in list(item, "loses") { div { (text(used, "action")) " " code { (name(text(used, "pattern"))) } } }
            },
            names(&texts(item, "sessions")),
        ]
    };
    let rows: Vec<_> = list(losers, "items").iter().map(row).collect();
    html! {
        section.card role="status" aria-labelledby="losers" {
            h2 id="losers" { "Who would lose what" }
            p { "This was tried, and nothing is changed yet." }
            @if rows.is_empty() { (empty("Nobody of the tenant that owns # would lose anything.")) }
            @else { (table("Who would lose what", &["Tenant", "Name", "Loses", "Sessions"], &rows)) }
        }
    }
}

fn run(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    let (named, word): (String, String) = (call.part("tenant")?, call.part("act")?);
    match &*word {
        "change" => change(call, said, &named),
        LIMITS => {
            let before = Ask::get(limits::OF_TENANT.path).about("tenant", &named);
            let before = before.value(call).ok();
            let ask = limits::OF_TENANT.ask(said);
            let ask = ask.map(|ask| ask.about("tenant", &named).version(said.exact(VERSION)));
            match ask.and_then(|ask| ask.told(call)) {
                Ok(told) => {
                    let path = address(&named);
                    let undo = Undo::at(format!("{path}/{LIMITS}")).since(told.tag.as_deref());
                    let asks = limits::OF_TENANT.asks;
                    let undo = before.map(|before| undo.with_filled(asks, &before));
                    call.did(&format!("{path}?done=yes"), undo)
                }
                Err(problem) => one(call, said, Some(&problem), None),
            }
        }
        "rotate-key" => {
            let told = KEY.ask(said);
            let told = told.and_then(|ask| ask.about("tenant", &named).value(call));
            match told {
                Ok(_) => call.did(&format!("{}?done=yes", address(&named)), None),
                Err(problem) => one(call, said, Some(&problem), None),
            }
        }
        "delete" => delete(call, said, &named),
        _ => Err(Problem::not_found()),
    }
}

fn change(call: &mut Call<'_>, said: &Form, named: &str) -> Result<Answer, Problem> {
    let body = Body::default()
        .texts_of(
            said,
            &[
                "authentication",
                "subscribe",
                "default_rights",
                "anonymous_rights",
            ],
        )
        .with("namespaces", said.words("namespaces"))
        .with("default_roles", said.words("default_roles"))
        .with("anonymous_roles", said.words("anonymous_roles"))
        .with("client_id_prefix", said.text("client_id_prefix"))
        .with("name_prefix", said.text("name_prefix"))
        .with("lockout", said.text("lockout"));
    // What the platform alone may change is said where it is to change.
    let before = &Ask::get(ONE).about("tenant", named).value(call)?;
    let sys_read = said.is_ticked("sys_read");
    let body = match before["sys_read"].as_bool() == Some(sys_read) {
        true => body,
        false => body.with("sys_read", sys_read),
    };
    let is_try = said.is_ticked("try");
    let told = Ask::patch(ONE)
        .about("tenant", named)
        .version(said.exact("version"))
        .word("dry_run", is_try.then_some("true"))
        .body(body.value())
        .told(call);
    match told {
        Ok(told) if is_try => one(call, said, None, Some(&told.value)),
        Ok(told) => {
            let path = address(named);
            let undo = Undo::at(format!("{path}/change")).since(told.tag.as_deref());
            let undo = undo.with_filled(CHANGE, before);
            call.did(&format!("{path}?done=yes"), Some(undo))
        }
        Err(problem) => one(call, said, Some(&problem), None),
    }
}

/// What signs its tokens (JWT).
static KEY: Act = Act {
    word: "rotate-key",
    path: "/api/v1/tenants/{tenant}/rotate-key",
    label: "New signing key",
    says: "Its tokens (JWT) are signed with a new key from now on. Those that the old one signed count for that long, and the sessions that they opened end then.",
    asks: &[Entry::choice("overlap", "The old key counts for", OVERLAPS).usual("24h")],
    ..Act::USUAL
};
const OVERLAPS: &[(&str, &str)] = &[
    ("1s", "1 second: it may be known to somebody"),
    ("1h", "1 hour"),
    ("24h", "24 hours, as long as any token"),
];

/// What can be changed of a tenant.
const CHANGE: &[Entry] = &[
    Entry::line("authentication", ""),
    Entry::line("subscribe", ""),
    Entry::line("default_rights", ""),
    Entry::line("anonymous_rights", ""),
    Entry::words("namespaces", ""),
    Entry::words("default_roles", ""),
    Entry::words("anonymous_roles", ""),
    Entry::line("client_id_prefix", ""),
    Entry::line("name_prefix", ""),
    Entry::line("lockout", ""),
    Entry::tick("sys_read", ""),
];

fn delete(call: &mut Call<'_>, said: &Form, named: &str) -> Result<Answer, Problem> {
    if said.text("confirm") != Some(named) {
        let problem = Problem::invalid("write the tenant's id to delete it");
        return one(call, said, Some(&problem), None);
    }
    let answer = Ask::delete(ONE)
        .about("tenant", named)
        .word("cascade", said.text("cascade").map(|_| "true"))
        .answer(call);
    let said = said.clone();
    once_there(
        call,
        answer,
        move |call, told: Result<Told, Problem>| match told {
            Ok(_) => Answer::see_other("/tenants?done=delete"),
            Err(problem) => one(call, &said, Some(&problem), None),
        },
    )
}

const PATH: &str = "/tenants";
const ONE: &str = "/api/v1/tenants/{tenant}";
pub(super) const AUTHENTICATION: &[(&str, &str)] = &[
    ("required", "a login, of everybody (required)"),
    ("optional", "a login that is right, or none (optional)"),
    ("off", "nothing (off)"),
];
const RIGHTS: &[(&str, &str)] = &[
    ("namespaces", "all its topics (namespaces)"),
    ("none", "no topics (none)"),
];
