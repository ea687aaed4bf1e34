//! One credential: what it is, what it may do, who is connected by it, what was done to it.

use axum::http::StatusCode;
use maud::html;
use serde_json::Value;

use self::certificates::{CERTIFY, UNCERTIFY};
use self::shown::Shown;
use super::acts::{self, Act};
use super::ask::{Ask, Told};
use super::entry::{self, Entry};
use super::form::{Body, Form};
use super::limits;
use super::lines::VERSION;
use super::page::{self, act, page};
use super::pieces::{list, text, wrong};
use super::secret::NewSecret;
use super::undo::{self, RULE};
use crate::answer::{Answer, part_of_address};
use crate::call::Call;
use crate::problem::Problem;
use crate::route::Route;
use crate::visitors::Undo;

mod certificates;
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
        (page.done(call, words))
        div.columns {
            div {
                (page.facts(call))
                (page.sessions(call))
                (page.rules(call)?)
                (page.certificates(call))
                (page.history(call)?)
            }
            aside aria-label="Acts" { (page.acts(call)?) }
        }
    };
    let status = problem.map_or(StatusCode::OK, |it| it.kind.status());
    page::show_with(call, "/find", &page.name, status, main)
}

/// Whose acts they are.
pub(super) struct Kind {
    /// Where the pages of all are, and the page that is shown once one is gone.
    folder: &'static str,
    gone: &'static str,
    /// The route of one, and that of its rules.
    one: &'static str,
    rules: &'static str,
    /// Where its rules are listed, and the member that has them.
    listed: (&'static str, &'static str),
}

const CREDENTIAL: Kind = Kind {
    folder: "/credentials",
    gone: "/find?done=delete",
    one: "/api/v1/credentials/{name}",
    rules: "/api/v1/credentials/{name}/rules",
    listed: ("/api/v1/credentials/{name}/rules", "items"),
};
pub(super) const OPERATOR: Kind = Kind {
    folder: "/operators",
    gone: "/operators?done=delete",
    one: "/api/v1/operators/{name}",
    rules: "/api/v1/operators/{name}/rules",
    listed: ("/api/v1/operators/{name}", "rules"),
};

fn run(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    run_for(call, said, &CREDENTIAL, |call, problem| {
        shown(call, &Form::default(), Some(problem))
    })
}

/// Does what a form says to a credential or an operator; `again` shows the page with what
/// was wrong.
pub(super) fn run_for(
    call: &mut Call<'_>,
    said: &Form,
    kind: &Kind,
    again: fn(&mut Call<'_>, &Problem) -> Result<Answer, Problem>,
) -> Result<Answer, Problem> {
    let (named, word): (String, String) = (call.part("name")?, call.part("act")?);
    let path = format!("{}/{}", kind.folder, part_of_address(&named));
    let before = before(call, kind, &named, &word);
    let told = match (&*word, acts::act(&word)) {
        (_, Some(act)) if act.secret.is_some() => {
            call.take_form_key(said)?;
            match request(act, said, &named).and_then(|ask| ask.value(call)) {
                Ok(told) if !text(&told, "secret").is_empty() => {
                    return renewed(call, &told, &named, &path);
                }
                told => told.map(|_| Told::default()),
            }
        }
        (_, Some(act)) => request(act, said, &named).and_then(|ask| ask.told(call)),
        (limits::LIMITS, None) => {
            request(&limits::OF_CREDENTIAL, said, &named).and_then(|ask| ask.told(call))
        }
        ("certify", None) => request(&CERTIFY, said, &named).and_then(|ask| ask.told(call)),
        ("uncertify", None) => {
            let fingerprint = said.text("fingerprint").unwrap_or_default();
            let ask = Ask::delete(UNCERTIFY).about("name", &named);
            let ask = ask.about("fingerprint", fingerprint);
            ask.told(call)
        }
        ("change", None) => change(call, said, &named),
        ("rule", None) => {
            let body = entry::body(RULE, said);
            let ask = Ask::post(kind.rules).about("name", &named);
            body.and_then(|body| ask.body(body).told(call))
        }
        ("unrule", None) => {
            let ask = Ask::delete(kind.rules).about("name", &named);
            let ask = ask.word("action", said.text("action"));
            ask.word("pattern", said.text("pattern")).told(call)
        }
        ("delete", None) => {
            let told = Ask::delete(kind.one).about("name", &named).told(call);
            match told {
                Ok(_) => return Answer::see_other(kind.gone),
                Err(problem) => Err(problem),
            }
        }
        (_, None) => return Err(Problem::not_found()),
    };
    match told {
        Ok(told) => {
            let done = acts::act(&word).map_or("change", |act| act.word);
            let undo = inverse(&word, &path, said, before.as_ref(), &told);
            call.did(&format!("{path}?done={done}"), undo)
        }
        Err(problem) => again(call, &problem),
    }
}

/// What the inverse of an act needs to know of the thing as it was.
fn before(call: &mut Call<'_>, kind: &Kind, named: &str, word: &str) -> Option<Value> {
    let of = |path| Ask::get(path).about("name", named);
    let told = match word {
        "rule" | "unrule" => of(kind.listed.0)
            .value(call)
            .map(|it| it.get(kind.listed.1).cloned().unwrap_or_default()),
        "change" => of(kind.one).value(call),
        limits::LIMITS => of(limits::OF_CREDENTIAL.path).value(call),
        _ => return Some(Value::Null),
    };
    told.ok()
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
    let rules = || before.as_array().map_or(&[][..], Vec::as_slice);
    let again = || Undo::at(format!("{path}/{word}")).since(told.tag.as_deref());
    match word {
        "rule" => undo::of_rule(path, rules(), said),
        "unrule" => undo::of_unrule(path, rules(), said),
        "change" => Some(again().with_filled(CHANGE, before)),
        limits::LIMITS => Some(again().with_filled(limits::OF_CREDENTIAL.asks, before)),
        "certify" => {
            let fingerprint = text(&told.value, "fingerprint");
            Some(Undo::at(format!("{path}/uncertify")).with("fingerprint", fingerprint))
        }
        word => {
            let undo = acts::act(word)?.undo?;
            Some(Undo::at(format!("{path}/{undo}")))
        }
    }
}

/// What can be changed of a credential.
const CHANGE: &[Entry] = &[
    Entry::line("description", "Description"),
    Entry::words("groups", "Groups"),
    Entry::words("roles", "Roles"),
    Entry::line("expires_at", "Ends"),
];

fn request(act: &Act, said: &Form, named: &str) -> Result<Ask<'static>, Problem> {
    let ask = act.ask(said)?.about("name", named);
    Ok(ask.version(said.exact(VERSION)))
}

/// Shows a new secret.
fn renewed(call: &mut Call<'_>, told: &Value, named: &str, path: &str) -> Result<Answer, Problem> {
    let credential = Ask::get("/api/v1/credentials/{name}").about("name", named);
    let credential = credential.value(call).unwrap_or_default();
    let secret = NewSecret {
        told,
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
    Ask::patch("/api/v1/credentials/{name}")
        .about("name", named)
        .version(said.exact(VERSION))
        .body(body.value())
        .told(call)
}
