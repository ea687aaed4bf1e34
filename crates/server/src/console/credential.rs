//! One credential: what it is, what it may do, who is connected by it, what was done to it.

use axum::http::{Method, StatusCode};
use maud::html;

use self::shown::Shown;
use super::acts::{self, Act};
use super::ask::{Ask, Told};
use super::form::{Body, Form};
use super::page::{self, act, page};
use super::pieces::{list, text, wrong};
use super::secret::NewSecret;
use crate::answer::{Answer, part_of_address};
use crate::call::Call;
use crate::problem::Problem;
use crate::route::Route;

mod shown;

pub(super) fn routes() -> Vec<Route> {
    vec![
        page("/credentials/{name}", show),
        act("/credentials/{name}/{act}", run),
    ]
}

fn show(call: &mut Call<'_>, words: &Form) -> Result<Answer, Problem> {
    shown(call, words, None)
}

fn shown(call: &mut Call<'_>, words: &Form, problem: Option<&Problem>) -> Result<Answer, Problem> {
    let named: String = call.part("name")?;
    let credential = Ask::get("/api/v1/credentials/{name}")
        .about("name", &named)
        .told(call)?;
    let why = Ask::get("/api/v1/credentials/{name}/why")
        .about("name", &named)
        .value(call)?;
    let page = Shown {
        path: format!("/credentials/{}", part_of_address(&named)),
        live: list(&why, "sessions").len(),
        name: named,
        credential,
        why,
    };
    let main = html! {
        (page.head())
        (wrong(problem))
        (page.done(words))
        div.columns {
            div {
                (page.facts(call))
                (page.sessions(call))
                (page.rules(call)?)
                (page.history(call)?)
            }
            aside aria-label="Acts" { (page.acts(call)?) }
        }
    };
    let status = problem.map_or(StatusCode::OK, |it| it.kind.status());
    page::show_with(call, "/find", &page.name, status, main)
}

fn run(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    let (named, word): (String, String) = (call.part("name")?, call.part("act")?);
    let path = format!("/credentials/{}", part_of_address(&named));
    match acts::act(&word) {
        Some(act) if act.makes_secret => return renew(call, said, &named, act, &path),
        _ => {}
    }
    let done = match &*word {
        "change" => change(call, said, &named).map(|_| "change".to_owned()),
        "rule" => give_rule(call, said, &named).map(|_| "change".to_owned()),
        "unrule" => take_rule(call, said, &named).map(|_| "change".to_owned()),
        "delete" => delete(call, &named).map(|_| String::new()),
        _ => match acts::act(&word) {
            None => return Err(Problem::not_found()),
            Some(act) => request(act, said, &named)
                .told(call)
                .map(|_| act.word.to_owned()),
        },
    };
    match done {
        Ok(done) if done.is_empty() => Answer::see_other("/find?done=delete"),
        Ok(done) => Answer::see_other(&format!("{path}?done={done}")),
        Err(problem) => shown(call, &Form::default(), Some(&problem)),
    }
}

fn request<'a>(act: &Act, said: &Form, named: &str) -> Ask<'a> {
    let ask = Ask::post(act.path)
        .about("name", named)
        .version(said.exact(VERSION));
    match act.body {
        Some(body) => ask.body(body(said).value()),
        None => ask,
    }
}

/// Does what makes a secret, and shows it.
fn renew(
    call: &mut Call<'_>,
    said: &Form,
    named: &str,
    act: &Act,
    path: &str,
) -> Result<Answer, Problem> {
    call.take_form_key(said)?;
    let told = match request(act, said, named).value(call) {
        Ok(told) => told,
        Err(problem) => return shown(call, &Form::default(), Some(&problem)),
    };
    if text(&told, "secret").is_empty() {
        return Answer::see_other(&format!("{path}?done={}", act.word));
    }
    let credential = Ask::get("/api/v1/credentials/{name}").about("name", named);
    let credential = credential.value(call).unwrap_or_default();
    let secret = NewSecret {
        told: &told,
        key: "secret",
        title: "The new secret",
        tenant: Some(text(&credential, "tenant")).filter(|it| !it.is_empty()),
        back: path,
    };
    secret.answer(call, "/find")
}

fn change(call: &mut Call<'_>, said: &Form, named: &str) -> Result<Told, Problem> {
    let body = Body::default()
        .with("description", said.text("description"))
        .with("groups", said.words("groups"))
        .with("roles", said.words("roles"))
        .with("expires_at", said.text("expires_at"));
    Ask::new(Method::PATCH, "/api/v1/credentials/{name}")
        .about("name", named)
        .version(said.exact(VERSION))
        .body(body.value())
        .told(call)
}

fn give_rule(call: &mut Call<'_>, said: &Form, named: &str) -> Result<Told, Problem> {
    Ask::post("/api/v1/credentials/{name}/rules")
        .about("name", named)
        .body(
            Body::default()
                .texts_of(said, &["effect", "action", "pattern"])
                .value(),
        )
        .told(call)
}

fn take_rule(call: &mut Call<'_>, said: &Form, named: &str) -> Result<Told, Problem> {
    Ask::delete("/api/v1/credentials/{name}/rules")
        .about("name", named)
        .word("action", said.text("action"))
        .word("pattern", said.text("pattern"))
        .told(call)
}

fn delete(call: &mut Call<'_>, named: &str) -> Result<Told, Problem> {
    Ask::delete("/api/v1/credentials/{name}")
        .about("name", named)
        .told(call)
}

/// The field with the version that was shown.
const VERSION: &str = "version";
