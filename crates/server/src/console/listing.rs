//! Pages of all things of one sort, as data: what there is, a form that makes one more, and
//! what can be done to each, in its row or on a page of its own.

use axum::http::StatusCode;
use maud::{Markup, html};
use serde_json::Value;

use super::acts::Act;
use super::ask::Ask;
use super::entry::{self, Entry};
use super::form::Form;
use super::lines::{VERSION, act_form};
use super::page::{self, act, page};
use super::pieces::{dash, done, empty, form_key, hidden, list, pager, table, wrong};
use super::scope::Scope;
use super::secret::{NewSecret, Secret};
use crate::answer::{Answer, part_of_address};
use crate::call::Call;
use crate::problem::Problem;
use crate::route::Route;
use crate::visitors::Undo;

mod cell;
mod own;

pub(super) use self::cell::{Cell, Column};
pub(super) use self::own::OwnPage;

/// All things of one sort.
pub(super) struct Listing {
    /// The address of the page that lists them,
    pub(super) path: &'static str,
    /// and of what is done to one; it ends with the act.
    pub(super) acts_at: &'static str,
    pub(super) title: &'static str,
    pub(super) lead: &'static str,
    /// The route of REST that lists them, and makes one.
    pub(super) route: &'static str,
    /// What tells one from others: the parts that routes leave open, and the members that
    /// fill them.
    pub(super) parts: &'static [(&'static str, &'static str)],
    pub(super) tenants: Tenants,
    pub(super) columns: &'static [Column],
    /// What there is where there is none, and what to do then.
    pub(super) empty: &'static str,
    pub(super) new: Option<New>,
    pub(super) acts: &'static [Act],
    pub(super) own: Own,
}

/// Of which tenants they are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tenants {
    /// Of none, or nobody asks of which.
    Any,
    /// Of all together, or of one that is named.
    Narrowed,
    /// Of one at a time: it is a part of the route.
    One,
}

/// How one more is made.
pub(super) struct New {
    pub(super) title: &'static str,
    pub(super) label: &'static str,
    pub(super) asks: &'static [Entry],
    /// What was done.
    pub(super) done: &'static str,
    /// The secret that it gets.
    pub(super) secret: Option<Secret>,
    /// The act that undoes it.
    pub(super) undo: Option<&'static str>,
    /// Whether administrators of tenants may not.
    pub(super) is_for_platform: bool,
}

/// Whether each has a page of its own.
pub(super) enum Own {
    /// It has none: what can be done to it stands in its row.
    Row,
    /// It has one that shows facts and acts.
    Page(OwnPage),
    /// It has one that is made elsewhere, and leads back here with this to say once it is
    /// deleted.
    Elsewhere(&'static str),
}

/// The part of addresses that say what was done.
const DONE: &str = "done";
/// What is said to be done where one was made.
pub(super) const NEW: &str = "new";
/// What is said where one was deleted on its page.
const GONE: &str = "delete";

impl Listing {
    pub(super) fn routes(&'static self) -> Vec<Route> {
        let mut routes = vec![page(self.path, |call, words| self.all(call, words, None))];
        if self.new.is_some() {
            routes.push(act(self.path, |call, said| self.make(call, said)));
        }
        if !self.acts.is_empty() {
            routes.push(act(self.acts_at, |call, said| self.run(call, said)));
        }
        if let Own::Page(own) = &self.own {
            let show = |call: &mut Call<'_>, words: &Form| {
                let parts = self.parts.iter().map(|(part, _)| call.part(part));
                let parts: Vec<String> = parts.collect::<Result<_, _>>()?;
                self.one(call, own, &parts, words, None)
            };
            routes.push(page(own.at, show));
        }
        routes
    }

    /// All of them.
    fn all(
        &self,
        call: &mut Call<'_>,
        words: &Form,
        problem: Option<&Problem>,
    ) -> Result<Answer, Problem> {
        let scope = match self.tenants {
            Tenants::Any => None,
            Tenants::Narrowed | Tenants::One => Some(Scope::of(call, words)?),
        };
        let listed = self.listed(call, words, scope.as_ref())?;
        let is_platform = scope.as_ref().is_none_or(|scope| scope.is_platform);
        let main = html! {
            h1 { (self.title) }
            p.lead { (self.lead) }
            (wrong(problem))
            (self.done(call, words))
            @if let Some(scope) = &scope {
                form.find method="get" action=(self.path) {
                    (scope.field(self.tenants == Tenants::One))
                    button type="submit" { "Show" }
                }
            }
            (self.rows(call, &listed)?)
            (pager(self.path, words, &listed))
            @if let Some(new) = self.new.as_ref().filter(|new| !new.is_for_platform || is_platform) {
                form.card method="post" action=(self.path) data-secret[new.secret.is_some()] {
                    h2 { (new.title) }
                    @if new.secret.is_some() { (form_key(call)?) }
                    @if self.tenants == Tenants::One { (hidden("tenant", scope.as_ref().and_then(Scope::one).unwrap_or_default())) }
                    (entry::fields(new.asks, words, &Value::Null))
                    p.actions { button type="submit" { (new.label) } }
                }
            }
            @for act in self.acts.iter().filter(|act| act.is_about_many) {
                (act_form(call, act, self.path, "", None, &Value::Null)?)
            }
        };
        let status = problem.map_or(StatusCode::OK, |it| it.kind.status());
        page::show_with(call, self.path, self.title, status, main)
    }

    fn listed(
        &self,
        call: &mut Call<'_>,
        words: &Form,
        scope: Option<&Scope>,
    ) -> Result<Value, Problem> {
        let ask = Ask::get(self.route);
        let ask = match (self.tenants, scope) {
            (Tenants::Any, _) | (_, None) => ask,
            (Tenants::Narrowed, Some(scope)) if scope.sees_something() => {
                ask.word("tenant", scope.tenant())
            }
            (Tenants::One, Some(scope)) if scope.one().is_some() => {
                ask.about("tenant", scope.one().unwrap_or_default())
            }
            (Tenants::Narrowed | Tenants::One, Some(_)) => return Ok(Value::Null),
        };
        ask.word("after", words.exact("after")).value(call)
    }

    fn rows(&self, call: &Call<'_>, listed: &Value) -> Result<Markup, Problem> {
        let acts: Vec<_> = match self.own {
            Own::Row => self.acts.iter().filter(|act| !act.is_about_many).collect(),
            Own::Page(_) | Own::Elsewhere(_) => vec![],
        };
        // One is enough: whichever form is sent, the page is another one afterwards.
        let key = match acts.iter().any(|act| act.secret.is_some()) {
            true => form_key(call)?,
            false => html! {},
        };
        let row = |item: &Value| {
            let cells = self.columns.iter().enumerate();
            let cells = cells.map(|(place, (_, cell))| {
                let shown = cell.show(item, call.now);
                match self.own {
                    Own::Page(_) | Own::Elsewhere(_) if place == 0 => {
                        html! { a href=(self.address(&self.parts_of(item))) { (shown) } }
                    }
                    Own::Row | Own::Page(_) | Own::Elsewhere(_) => shown,
                }
            });
            let mut cells: Vec<_> = cells.collect();
            if !acts.is_empty() {
                cells.push(self.buttons(&acts, item, &key));
            }
            cells
        };
        let rows: Vec<_> = list(listed, "items").iter().map(row).collect();
        if rows.is_empty() {
            return Ok(empty(self.empty));
        }
        let mut heads: Vec<_> = self.columns.iter().map(|(head, _)| *head).collect();
        heads.extend((!acts.is_empty()).then_some("Act"));
        Ok(table(self.title, &heads, &rows))
    }

    /// What can be done to one, in its row.
    fn buttons(&self, acts: &[&Act], item: &Value, key: &Markup) -> Markup {
        let folder = self.acts_at.trim_end_matches("{act}");
        let acts: Vec<_> = acts.iter().filter(|act| (act.is_there)(item)).collect();
        html! {
            @if acts.is_empty() { (dash()) } @else { span.actions {
                @for act in acts {
                    form method="post" action={ (folder) (act.word) } data-secret[act.secret.is_some()] {
                        @if act.secret.is_some() { (key) }
                        @for (part, member) in self.parts { (hidden(part, &spelled(&item[*member]))) }
                        @if let Some(new) = self.new.as_ref().filter(|_| act.undo == Some(NEW)) {
                            @for (name, held) in entry::filled(new.asks, item) { (hidden(&name, &held)) }
                        }
                        button.quiet type="submit" { (act.label) }
                    }
                }
            } }
        }
    }

    fn make(&self, call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
        let Some(new) = &self.new else {
            return Err(Problem::not_found());
        };
        if new.secret.is_some() {
            call.take_form_key(said)?;
        }
        let tenant = said.text("tenant").filter(|_| self.tenants == Tenants::One);
        let told = entry::body(new.asks, said).and_then(|body| {
            let ask = Ask::post(self.route).body(body);
            let ask = match tenant {
                Some(tenant) => ask.about("tenant", tenant),
                None => ask,
            };
            ask.value(call)
        });
        let told = match told {
            Ok(told) => told,
            Err(problem) => return self.all(call, said, Some(&problem)),
        };
        let back = match &self.own {
            Own::Row => self.path_with(tenant),
            Own::Page(_) | Own::Elsewhere(_) => self.address(&self.parts_of(&told)),
        };
        match (&self.own, new.secret) {
            (Own::Elsewhere(_), None) => Answer::see_other(&back),
            (_, secret) => {
                let undo = new.undo.map(|word| self.undo(word, &self.parts_of(&told)));
                self.made(call, &told, secret, &back, (NEW, undo))
            }
        }
    }

    fn run(&self, call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
        let word: String = call.part("act")?;
        let act = self.acts.iter().find(|act| act.word == word);
        let act = act.ok_or_else(Problem::not_found)?;
        let parts = self.parts.iter().map(|(part, _)| match &self.own {
            Own::Page(_) => call.part(part),
            Own::Row | Own::Elsewhere(_) => Ok(said.exact(part).unwrap_or_default().to_owned()),
        });
        let parts: Vec<String> = parts.collect::<Result<_, _>>()?;
        if act.secret.is_some() {
            call.take_form_key(said)?;
        }
        let before = match &self.own {
            Own::Page(own) if act.undo == Some(act.word) => {
                self.about(Ask::get(own.route), &parts).value(call)?
            }
            Own::Page(_) | Own::Row | Own::Elsewhere(_) => Value::Null,
        };
        let undo = act.undo.map(|word| match &self.new {
            Some(new) if word == NEW => {
                let names: Vec<_> = new.asks.iter().map(Entry::name).collect();
                Undo::at(self.path.to_owned()).with_said(said, &names)
            }
            _ => self.undo(word, &parts).with_filled(act.asks, &before),
        });
        let told = act.ask(said).and_then(|ask| {
            let ask = self.about(ask, &parts).version(said.exact(VERSION));
            ask.value(call)
        });
        match (told, &self.own) {
            (Ok(told), Own::Page(_)) if !act.removes => {
                let back = self.address(&parts);
                self.made(call, &told, act.secret, &back, (act.word, undo))
            }
            (Ok(told), _) => {
                let mut named = self.parts.iter().zip(&parts);
                let tenant = named.find(|((part, _), _)| *part == "tenant");
                let back = self.path_with(tenant.map(|(_, text)| &**text));
                self.made(call, &told, act.secret, &back, (act.word, undo))
            }
            (Err(problem), Own::Page(own)) => {
                self.one(call, own, &parts, &Form::default(), Some(&problem))
            }
            (Err(problem), _) => self.all(call, &Form::default(), Some(&problem)),
        }
    }

    /// Shows the secret that was made, or the page that says what was done.
    fn made(
        &self,
        call: &mut Call<'_>,
        told: &Value,
        secret: Option<Secret>,
        back: &str,
        (word, undo): (&str, Option<Undo>),
    ) -> Result<Answer, Problem> {
        let Some(Secret { key, title }) = secret else {
            let mark = if back.contains('?') { '&' } else { '?' };
            return call.did(&format!("{back}{mark}{DONE}={word}"), undo);
        };
        let secret = NewSecret {
            told,
            key,
            title,
            tenant: None,
            back,
        };
        secret.answer(call, self.path)
    }

    /// An act on one, which undoes another.
    fn undo(&self, word: &str, parts: &[String]) -> Undo {
        match self.own {
            Own::Page(_) => Undo::at(format!("{}/{word}", self.address(parts))),
            Own::Row | Own::Elsewhere(_) => {
                let undo = Undo::at(format!("{}/{word}", self.path));
                let parts = self.parts.iter().zip(parts);
                parts.fold(undo, |undo, ((part, _), text)| undo.with(part, text))
            }
        }
    }

    /// Says what was done.
    fn done(&self, call: &Call<'_>, words: &Form) -> Markup {
        let word = words.text(DONE).unwrap_or_default();
        let act = self.acts.iter().find(|act| act.word == word);
        let new = self.new.as_ref().filter(|_| word == NEW);
        let gone = match self.own {
            Own::Elsewhere(gone) => Some(gone).filter(|_| word == GONE),
            Own::Row | Own::Page(_) => None,
        };
        let said = act.map(|act| act.done).or(new.map(|new| new.done));
        let said = said.or(gone);
        html! { @if let Some(said) = said { (done(said, call.undo(words))) } }
    }

    fn path_with(&self, tenant: Option<&str>) -> String {
        match tenant {
            Some(tenant) => format!("{}?tenant={}", self.path, part_of_address(tenant)),
            None => self.path.to_owned(),
        }
    }

    /// What tells one from others.
    fn parts_of(&self, item: &Value) -> Vec<String> {
        let parts = self.parts.iter();
        parts.map(|(_, member)| spelled(&item[*member])).collect()
    }

    /// The address of its page.
    fn address(&self, parts: &[String]) -> String {
        let parts = parts
            .iter()
            .map(|part| format!("/{}", part_of_address(part)));
        parts.fold(self.path.to_owned(), |address, part| address + &part)
    }

    /// The same request, about this one.
    fn about<'a>(&self, ask: Ask<'a>, parts: &[String]) -> Ask<'a> {
        let parts = self.parts.iter().zip(parts);
        parts.fold(ask, |ask, ((part, _), text)| ask.about(part, text))
    }
}

fn spelled(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
