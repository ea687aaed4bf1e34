//! A new credential.

use axum::http::StatusCode;
use maud::html;
use serde_json::Value;

use super::ask::Ask;
use super::form::{Body, Form};
use super::page::{self, act, page};
use super::pieces::{Field, choice, form_key, list, text, tick, wrong};
use super::scope::Scope;
use super::secret::NewSecret;
use crate::answer::{Answer, part_of_address};
use crate::call::Call;
use crate::problem::Problem;
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![page(PATH, show), act(PATH, create)]
}

fn show(call: &mut Call<'_>, words: &Form) -> Result<Answer, Problem> {
    form(call, words, None)
}

fn form(call: &mut Call<'_>, said: &Form, problem: Option<&Problem>) -> Result<Answer, Problem> {
    let scope = Scope::of(call, said)?;
    // Who may not list the schemes may write the name of one.
    let schemes = Ask::get("/api/v1/schemes").value(call).unwrap_or_default();
    let schemes = list(&schemes, "items").iter().map(|it| text(it, "name"));
    let schemes: Vec<_> = schemes.map(|it| (it, it)).collect();
    let scheme = said.text("scheme").unwrap_or("basic");
    let main = html! {
        h1 { "New credential" }
        p.lead { "What a client logs in with. Without a password it is given a secret, which is shown once." }
        (wrong(problem))
        form.card method="post" action=(PATH) data-secret {
            (form_key(call)?)
            div.pair {
                (scope.field(true))
                @if schemes.is_empty() { (Field::new("scheme", "Scheme").value(scheme).show()) }
                @else { (choice("scheme", "Scheme", &schemes, scheme)) }
            }
            (Field::new("name", "Name").of(said)
                .hint("Some schemes make the name, and most add the tenant behind @.").show())
            (Field::new("description", "Description").of(said).show())
            details open[["groups", "roles", "client_id", "expires_at", "password"].iter().any(|it| said.is_ticked(it))] {
                summary { "More" }
                (Field::new("groups", "Groups").of(said).hint("Such as HALL.LINE1; several with commas.").show())
                (Field::new("roles", "Roles").of(said).hint("Several with commas.").show())
                (Field::new("client_id", "Client ids").of(said)
                    .hint("any, first-use, same-as-username, exact:ID or prefix:P.").show())
                (Field::new("expires_at", "Ends").of(said).hint("Such as 2030-01-31T12:00:00Z.").show())
                (Field::new("password", "A password of your own").password("new-password")
                    .hint("Then there is no secret to show.").show())
                (tick("external_identity", "Let a listener with certificates or pre-shared keys vouch for it", said.is_ticked("external_identity")))
            }
            p.actions { button type="submit" { "Make it" } }
        }
    };
    let status = problem.map_or(StatusCode::OK, |it| it.kind.status());
    page::show_with(call, PATH, "New credential", status, main)
}

fn create(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    call.take_form_key(said)?;
    let body = Body::default()
        .with("tenant", said.text("tenant").unwrap_or_default())
        .texts_of(
            said,
            &["name", "scheme", "description", "client_id", "expires_at"],
        )
        .text("password", said.exact("password"))
        .with("groups", said.words("groups"))
        .with("roles", said.words("roles"))
        .with("external_identity", said.is_ticked("external_identity"));
    match Ask::post("/api/v1/credentials")
        .body(body.value())
        .value(call)
    {
        Ok(told) => made(call, &told, said),
        Err(problem) => form(call, said, Some(&problem)),
    }
}

/// Shows the secret of a credential that was made, or the credential where it has none.
pub(super) fn made(call: &mut Call<'_>, told: &Value, said: &Form) -> Result<Answer, Problem> {
    let back = format!("/credentials/{}", part_of_address(text(told, "name")));
    if !told["secret"].is_string() {
        return Answer::see_other(&back);
    }
    let secret = NewSecret {
        told,
        key: "secret",
        title: "The new credential",
        tenant: said.text("tenant"),
        back: &back,
    };
    secret.answer(call, PATH)
}

const PATH: &str = "/create";
