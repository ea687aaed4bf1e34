//! Hooks, by which other brokers ask who may come in.

use axum::http::StatusCode;
use maud::html;
use serde_json::Value;

use super::ask::Ask;
use super::form::{Body, Form};
use super::page::{self, act, page};
use super::pieces::{
    Field, choice, done, empty, form_key, hidden, list, name, name_or_dash, names, pager, table,
    text, texts, when, wrong,
};
use super::secret::NewSecret;
use crate::answer::Answer;
use crate::call::Call;
use crate::problem::Problem;
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![
        page(PATH, |call, words| hooks(call, words, None)),
        act(PATH, create),
        act("/other-brokers/rotate", rotate),
        act("/other-brokers/delete", delete),
    ]
}

fn hooks(call: &mut Call<'_>, words: &Form, problem: Option<&Problem>) -> Result<Answer, Problem> {
    let listed = Ask::get("/api/v1/hooks")
        .word("after", words.exact("after"))
        .value(call)?;
    // One is enough: whichever form is sent, the page is another one afterwards.
    let key = form_key(call)?;
    let row = |item: &Value| {
        let named = text(item, "name");
        vec![
            name(named),
            html! { (text(item, "kind")) },
            name_or_dash(item, "tenant"),
            names(&texts(item, "from")),
            names(&texts(item, "paths")),
            name_or_dash(item, "kick"),
            when(item, "rotated_at", call.now),
            html! {
                form method="post" action="/other-brokers/rotate" data-secret {
                    (key)
                    (hidden("name", named))
                    button.quiet type="submit" { "New secret" }
                }
                form method="post" action="/other-brokers/delete" {
                    (hidden("name", named))
                    button.quiet type="submit" { "Delete" }
                }
            },
        ]
    };
    let rows: Vec<_> = list(&listed, "items").iter().map(row).collect();
    let heads = [
        "Name",
        "Kind",
        "Tenant",
        "From",
        "Paths",
        "Ends sessions at",
        "Secret since",
        "Act",
    ];
    let kind = words.text("kind").unwrap_or("emqx");
    let main = html! {
        h1 { "Other brokers" }
        p.lead { "Hooks: by which other brokers ask over HTTP who may come in, and what they may do." }
        (wrong(problem))
        @if words.text("done") == Some("delete") { (done("The hook is gone. A broker that asks by it is answered nothing.", None)) }
        @if rows.is_empty() { (empty("No other broker asks.")) } @else { (table("Hooks", &heads, &rows)) }
        (pager(PATH, words, &listed))
        form.card method="post" action=(PATH) data-secret {
            h2 { "A new hook" }
            (key)
            div.pair {
                (Field::new("name", "Name").of(words).required().show())
                (choice("kind", "What asks", KINDS, kind))
            }
            div.pair {
                (Field::new("tenant", "Tenant").of(words).hint("Principals of this tenant alone.").show())
                (Field::new("from", "Asks from").of(words).hint("Addresses or networks; several with spaces. This machine alone without it.").show())
            }
            div.pair {
                (Field::new("kick", "Ends sessions at").of(words).hint("The address of the API of the broker, which ends what may not go on.").show())
                (Field::new("login", "With the login").password("off").hint("NAME:PASSWORD of the broker.").show())
            }
            p.actions { button type="submit" { "Make the hook" } }
        }
    };
    let status = problem.map_or(StatusCode::OK, |it| it.kind.status());
    page::show_with(call, PATH, "Other brokers", status, main)
}

fn create(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    call.take_form_key(said)?;
    let body = Body::default()
        .texts_of(said, &["name", "kind", "tenant"])
        .with("from", said.words("from"));
    let body = match said.text("kick") {
        Some(url) => {
            let kick = Body::default().with("url", url);
            body.with("kick", kick.text("login", said.exact("login")).value())
        }
        None => body,
    };
    let told = Ask::post("/api/v1/hooks").body(body.value()).value(call);
    shown(call, said, told, "The new hook")
}

fn rotate(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    call.take_form_key(said)?;
    let named = said.exact("name").unwrap_or_default();
    let rotated = Ask::post("/api/v1/hooks/{name}/rotate").about("name", named);
    let told = rotated.value(call);
    shown(call, &Form::default(), told, "The new secret")
}

/// Shows the secret of a hook, or says why there is none.
fn shown(
    call: &mut Call<'_>,
    said: &Form,
    told: Result<Value, Problem>,
    title: &str,
) -> Result<Answer, Problem> {
    let told = match told {
        Ok(told) => told,
        Err(problem) => return hooks(call, said, Some(&problem)),
    };
    let secret = NewSecret {
        told: &told,
        key: "secret",
        title,
        tenant: None,
        back: PATH,
    };
    secret.answer(call, PATH)
}

fn delete(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    let named = said.exact("name").unwrap_or_default();
    match Ask::delete("/api/v1/hooks/{name}")
        .about("name", named)
        .told(call)
    {
        Ok(_) => Answer::see_other("/other-brokers?done=delete"),
        Err(problem) => hooks(call, &Form::default(), Some(&problem)),
    }
}

const PATH: &str = "/other-brokers";
const KINDS: &[(&str, &str)] = &[
    ("emqx", "EMQX"),
    ("goauth", "mosquitto-go-auth, amqtt"),
    ("rabbitmq", "RabbitMQ"),
    ("rmqtt", "rmqtt"),
];
