//! Who is connected, as it is: live where scripts run.

use maud::{Markup, html};
use serde_json::Value;

use super::ask::{Ask, Told, once_there};
use super::chart::chart;
use super::find::GOES_ON;
use super::form::Form;
use super::lines::{client, kick};
use super::page::{self, act, page};
use super::pieces::{
    Field, done, empty, hidden, list, live_table, name, name_or_dash, pager, text, when,
};
use super::scope::Scope;
use crate::answer::Answer;
use crate::call::Call;
use crate::problem::{Problem, ProblemKind};
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![page(PATH, show), act("/connected/kick", kick_many)]
}

fn show(call: &mut Call<'_>, words: &Form) -> Result<Answer, Problem> {
    let scope = Scope::of(call, words)?;
    let listed = match scope.sees_something() {
        true => Ask::get("/api/v1/clients")
            .word("tenant", scope.tenant())
            .word("name", words.text("name"))
            .word("broker", words.text("broker"))
            .word("after", words.exact("after"))
            .value(call)?,
        false => Value::Null,
    };
    let count = &Ask::get("/api/v1/clients/count")
        .word("tenant", scope.tenant())
        .value(call)
        .unwrap_or_default();
    let chart = chart(call, &scope);
    let main = html! {
        div.head {
            h1 { "Connected" }
            span.pulse.live data-pulse role="status" { "Not live yet" }
        }
        (told(words))
        (chart)
        form.find method="get" action=(PATH) {
            (Field::new("name", "Whole name").of(words).show())
            (scope.field(false))
            (Field::new("broker", "Broker").of(words).show())
            button type="submit" { "Show" }
        }
        div id="clients" data-kinds="client" data-events=(words_of_events(&scope)) {
            p.count { b { (count["connected"].as_u64().unwrap_or_default()) } " connected" @if let Some(tenant) = scope.tenant() { " in " (name(tenant)) } "." }
            (clients(call, &listed, words))
            (pager(PATH, words, &listed))
        }
    };
    page::show(call, PATH, "Connected", main)
}

/// Where the page is told what happens.
pub(super) fn words_of_events(scope: &Scope) -> String {
    let words = scope.tenant().map(|tenant| [("tenant", tenant)]);
    let words = serde_urlencoded::to_string(words.as_slice().concat());
    match words {
        Ok(words) if !words.is_empty() => format!("/api/v1/events?{words}"),
        _ => "/api/v1/events".to_owned(),
    }
}

fn clients(call: &Call<'_>, listed: &Value, words: &Form) -> Markup {
    let items = list(listed, "items");
    let back = words.address(PATH, &[]);
    let row = |item: &Value| {
        let session = text(item, "session");
        let cells = vec![
            html! {
                input type="checkbox" name="session" value=(session) form="many"
                    aria-label={ "Choose " (text(item, "client_id")) };
            },
            client(item),
            name(text(item, "client_id")),
            name_or_dash(item, "address"),
            name_or_dash(item, "tenant"),
            name_or_dash(item, "broker"),
            when(item, "connected_at", call.now),
            kick(session, &back),
        ];
        (session.to_owned(), cells)
    };
    let rows: Vec<_> = items.iter().map(row).collect();
    html! {
        @if rows.is_empty() && listed["next"].is_string() { (empty(GOES_ON)) }
        @else if rows.is_empty() { (empty("Nobody is connected here. The page Refused tells who tried in vain, and Why tells the reason.")) } @else {
            (live_table("Clients", &["", "Name", "Client id", "Address", "Tenant", "Broker", "Since", "Act"], &rows))
            form.many id="many" method="post" action="/connected/kick" {
                (hidden("back", &back))
                button.danger type="submit" { "Kick those that are chosen" }
                span.hint { "Their sessions end; what is not suspended may come again." }
            }
        }
    }
}

fn told(words: &Form) -> Markup {
    let count = |word| words.text(word).and_then(|it| it.parse::<u32>().ok());
    let gone = count("gone").unwrap_or_default();
    html! {
        @if let Some(kicked) = count("kicked") {
            (done(&match gone {
                0 => format!("Sessions that were ended: {kicked}."),
                _ => format!("Sessions that were ended: {kicked}. That were gone already: {gone}."),
            }, None))
        }
    }
}

/// What is being kicked, one after the other.
struct Kicks {
    left: Vec<String>,
    kicked: u32,
    gone: u32,
    back: String,
}

fn kick_many(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    let left: Vec<_> = said.all("session").map(str::to_owned).collect();
    if left.is_empty() || left.len() > MOST_KICKED {
        let detail = format!("choose from 1 to {MOST_KICKED} sessions");
        return Err(Problem::invalid(detail));
    }
    let back = said.exact("back").unwrap_or_default();
    let is_ours = ["/connected", "/credentials/", "/connectivity"];
    let is_ours = is_ours.iter().any(|page| back.starts_with(page)) && back.is_ascii();
    let kicks = Kicks {
        left,
        kicked: 0,
        gone: 0,
        back: if is_ours { back } else { PATH }.to_owned(),
    };
    kick_next(call, kicks)
}

fn kick_next(call: &mut Call<'_>, mut kicks: Kicks) -> Result<Answer, Problem> {
    let Some(session) = kicks.left.pop() else {
        let Kicks {
            kicked, gone, back, ..
        } = kicks;
        let mark = if back.contains('?') { '&' } else { '?' };
        return Answer::see_other(&format!("{back}{mark}kicked={kicked}&gone={gone}"));
    };
    let answer = Ask::delete("/api/v1/clients/{session}").about("session", &session);
    let answer = answer.answer(call);
    once_there(call, answer, |call, told: Result<Told, Problem>| {
        match told {
            Ok(_) => kicks.kicked = kicks.kicked.saturating_add(1),
            Err(problem) if problem.kind == ProblemKind::NotFound => {
                kicks.gone = kicks.gone.saturating_add(1);
            }
            Err(problem) => return Err(problem),
        }
        kick_next(call, kicks)
    })
}

const PATH: &str = "/connected";
/// So many sessions are kicked by one form.
const MOST_KICKED: usize = 100;
