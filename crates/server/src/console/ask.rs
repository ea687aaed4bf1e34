//! Asking a route of REST in this process, as whoever asks for a page.

use core::time::Duration;
use std::sync::LazyLock;

use axum::http::Method;
use countersign_core::secret::Secret;
use serde_json::Value;

use crate::answer::{Answer, Content};
use crate::call::{Asked, Call};
use crate::conditional::Versions;
use crate::problem::Problem;
use crate::rest;
use crate::route::Route;

/// A request to a route of REST.
pub(super) struct Ask<'a> {
    method: Method,
    path: &'static str,
    parts: Vec<(String, String)>,
    words: Vec<(&'a str, String)>,
    body: Option<Value>,
    version: Option<String>,
}

/// What it answered.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) value: Value,
    /// Which version of a thing that is.
    pub(super) tag: Option<String>,
}

impl<'a> Ask<'a> {
    pub(super) fn new(method: Method, path: &'static str) -> Self {
        Self {
            method,
            path,
            parts: Vec::new(),
            words: Vec::new(),
            body: None,
            version: None,
        }
    }

    pub(super) fn get(path: &'static str) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn post(path: &'static str) -> Self {
        Self::new(Method::POST, path)
    }

    pub(super) fn patch(path: &'static str) -> Self {
        Self::new(Method::PATCH, path)
    }

    pub(super) fn put(path: &'static str) -> Self {
        Self::new(Method::PUT, path)
    }

    pub(super) fn delete(path: &'static str) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// The same, about this: a part that the path leaves open.
    pub(super) fn about(mut self, part: &str, text: &str) -> Self {
        self.parts.push((part.to_owned(), text.to_owned()));
        self
    }

    /// The same, with a word behind the `?`, where there is something to say.
    pub(super) fn word(mut self, word: &'a str, text: Option<&str>) -> Self {
        self.words.extend(text.map(|text| (word, text.to_owned())));
        self
    }

    pub(super) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// The same, if the thing is still as it was in this version.
    pub(super) fn version(mut self, tag: Option<&str>) -> Self {
        self.version = tag.map(str::to_owned);
        self
    }

    /// What the route answers; perhaps the rest of it comes later.
    pub(super) fn answer(self, call: &mut Call<'_>) -> Result<Answer, Problem> {
        let mut routes = ROUTES.iter();
        let is_it = |it: &&Route| it.path == self.path && it.method == self.method;
        let route = routes.find(is_it).ok_or_else(Problem::not_found)?;
        let again = |secret: &Secret| Secret::new(secret.expose().to_vec());
        let query = serde_urlencoded::to_string(&self.words);
        let asked = Asked {
            who: call.asked.who.clone(),
            door_tenant: None,
            parts: self.parts,
            client: call.asked.client,
            session: call.asked.session.as_ref().map(again),
            browser: call.asked.browser.as_ref().map(again),
            is_from_page: call.asked.is_from_page,
            query: query.ok().filter(|query| !query.is_empty()),
            last_event: None,
            versions: self
                .version
                .map_or(Versions::Any, |tag| Versions::These(vec![tag])),
        };
        let body = self.body.map(|body| body.to_string()).unwrap_or_default();
        let mut asking = Call {
            store: &mut *call.store,
            asked: &asked,
            who: call.who.clone(),
            guard: call.guard,
            counts: call.counts,
            events: call.events,
            stats: call.stats,
            visitors: call.visitors,
            now: call.now,
        };
        (route.run)(&mut asking, body.as_bytes())
    }

    /// What the route answers at once.
    pub(super) fn told(self, call: &mut Call<'_>) -> Result<Told, Problem> {
        let answer = self.answer(call)?;
        Told::of(answer).map_err(|_| Problem::unavailable("the answer takes too long"))
    }

    /// What it shows.
    pub(super) fn value(self, call: &mut Call<'_>) -> Result<Value, Problem> {
        Ok(self.told(call)?.value)
    }
}

impl Told {
    /// What an answer tells, where it is whole.
    fn of(answer: Answer) -> Result<Self, (Duration, crate::answer::Rest)> {
        let tag = answer.tag().map(str::to_owned);
        match answer.content {
            Content::Later(pause, rest) => Err((pause, rest)),
            Content::Text(text) => Ok(Self {
                value: serde_json::from_slice(&text).unwrap_or_default(),
                tag,
            }),
            Content::Nothing | Content::Stream(_) => Ok(Self::default()),
        }
    }
}

/// Answers with what `show` makes of an answer, once all of it is there.
pub(super) fn once_there(
    call: &mut Call<'_>,
    answer: Result<Answer, Problem>,
    show: impl FnOnce(&mut Call<'_>, Result<Told, Problem>) -> Result<Answer, Problem> + Send + 'static,
) -> Result<Answer, Problem> {
    match answer.map(Told::of) {
        Err(problem) => show(call, Err(problem)),
        Ok(Ok(told)) => show(call, Ok(told)),
        Ok(Err((pause, rest))) => Ok(Answer::later(pause, move |call| {
            let answer = rest(call);
            once_there(call, answer, show)
        })),
    }
}

/// REST's routes.
static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(rest::routes);
