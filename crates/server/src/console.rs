//! The console: pages for people, which the service makes by itself.
//!
//! A page asks routes of REST in this process, as whoever asks for the page ([`ask`]), and
//! shows what they answer. So it can do nothing that REST can't, and reads nothing in a
//! way of its own. Pages are whole without scripts; one script makes them live
//! (`assets/console.js`).

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{Method, Response};

use crate::problem::{Problem, ProblemKind};
use crate::route::Route;

mod acts;
mod applications;
mod ask;
mod assets;
mod audit;
mod authorities;
mod bans;
mod brokers;
mod chart;
mod connected;
mod connectivity;
mod create;
mod credential;
mod entry;
mod find;
mod first;
mod followers;
mod form;
mod frame;
mod issuers;
mod jwts;
mod limits;
mod lines;
mod listing;
mod many;
mod me;
mod operators;
mod other_brokers;
mod page;
mod people;
mod pieces;
mod refused;
mod roles;
mod schemes;
mod scope;
mod secret;
mod settings;
mod sign_in;
mod tenants;
#[cfg(test)]
mod tests;
mod tokens;
mod undo;
mod why;

/// All pages, and what they are made of.
pub(crate) fn routes() -> Vec<Route> {
    [
        assets::routes(),
        sign_in::routes(),
        first::routes(),
        find::routes(),
        many::routes(),
        create::routes(),
        credential::routes(),
        connected::routes(),
        why::routes(),
        refused::routes(),
        roles::routes(),
        audit::routes(),
        tenants::routes(),
        operators::routes(),
        people::routes(),
        tokens::routes(),
        settings::routes(),
        me::routes(),
        connectivity::routes(),
        bans::BANS.routes(),
        authorities::AUTHORITIES.routes(),
        issuers::ISSUERS.routes(),
        applications::APPLICATIONS.routes(),
        applications::THINGS.routes(),
        schemes::SCHEMES.routes(),
        jwts::JWTS.routes(),
        jwts::KEYS.routes(),
        brokers::BROKERS.routes(),
        other_brokers::HOOKS.routes(),
        followers::FOLLOWERS.routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A request of somebody who wants to look at a page.
pub(crate) struct Visit {
    method: Method,
    /// Path and words.
    target: String,
}

impl Visit {
    /// What a request is, if it wants a page.
    pub(crate) fn of(request: &Request) -> Option<Self> {
        let mut accepted = request.headers().get_all(ACCEPT).iter();
        let is_page = accepted.any(|it| it.to_str().is_ok_and(|it| it.contains("text/html")));
        let path = request.uri().path();
        let is_program = path.starts_with("/api/") || path == "/openapi.json";
        let target = request.uri().path_and_query()?.to_string();
        (is_page && !is_program).then(|| Self {
            method: request.method().clone(),
            target,
        })
    }

    /// Has the answer tell its problem, if it is one, as a page. Who is not known is led
    /// to where one signs in.
    pub(crate) fn tell_problem(&self, response: &mut Response<Body>) {
        let Some(problem) = response.extensions_mut().remove::<Problem>() else {
            return;
        };
        let is_unknown = problem.kind == ProblemKind::Unauthenticated;
        let told = if is_unknown && self.method == Method::GET {
            sign_in::led_to(&self.target)
        } else {
            frame::problem(&problem)
        };
        let Ok(told) = told else {
            return;
        };
        let (parts, body) = told.whole_response().into_parts();
        let headers = response.headers_mut();
        // Those of the text that it takes the place of.
        headers.remove(CONTENT_LENGTH);
        headers.remove(CONTENT_TYPE);
        headers.remove(WWW_AUTHENTICATE);
        headers.extend(parts.headers);
        *response.status_mut() = parts.status;
        *response.body_mut() = body;
    }
}
