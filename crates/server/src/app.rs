//! The way of a request, from its headers to its answer.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{RawPathParams, Request};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Response};
use axum::routing::{MethodFilter, MethodRouter, get, on};
use countersign_admin::sign_in::SignInGuard;
use countersign_core::hex;
use countersign_store::AnyStore;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::timeout;
use tower_service::Service as _;

use crate::answer::{Content, JSON, Rest};
use crate::authenticate::{BROWSER_COOKIE, authenticate, cookie, session_named};
use crate::browser::{Hosts, check_origin, names_page};
use crate::call::{Asked, Call, now};
use crate::conditional::Versions;
use crate::console::Visit;
use crate::counts::ServiceCounts;
use crate::door::{Door, Doors};
use crate::events::Events;
use crate::followers::{FOLLOWER_ROUTE, Followers};
use crate::hook::{Around, Hooks, OfHook};
use crate::network::TrustedProxies;
use crate::openapi::describe;
use crate::patience::Patience;
use crate::problem::{Problem, ProblemKind};
use crate::rate::Rates;
use crate::route::{Access, Route};
use crate::stats::Stats;
use crate::visitors::Visitors;
use crate::workers::Workers;

/// What all requests share.
pub(crate) struct App {
    /// The threads that use the store.
    pub(crate) workers: Workers,
    /// The threads that hash passwords, and use the store.
    pub(crate) hashers: Workers,
    /// What is remembered of sign-ins.
    pub(crate) guard: Arc<SignInGuard>,
    /// What is counted.
    pub(crate) counts: Arc<ServiceCounts>,
    /// Who is told what happens.
    pub(crate) events: Arc<Events>,
    /// Which tenants web sessions switched to.
    /// What the pages for people remember.
    pub(crate) visitors: Arc<Visitors>,
    /// What happened in the last hour.
    pub(crate) stats: Arc<Stats>,
    /// The hooks of other brokers.
    pub(crate) hooks: Arc<Hooks>,
    /// What followers ask.
    pub(crate) followers: Arc<Followers>,
    pub(crate) hosts: Hosts,
    pub(crate) proxies: TrustedProxies,
    pub(crate) rates: Rates,
    pub(crate) patience: Patience,
    /// Says whether the store is in a state to be used.
    pub(crate) is_ready: fn(&mut AnyStore) -> Result<(), Problem>,
    /// As whom the requests of a test are taken.
    #[cfg(test)]
    pub(crate) everybody: std::sync::Mutex<Option<crate::call::Who>>,
}

/// The two ends of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) peer: IpAddr,
    pub(crate) local: IpAddr,
    pub(crate) is_encrypted: bool,
}

/// Where a request comes from.
#[derive(Clone, Copy)]
struct Sender(IpAddr);

/// How the requests of hooks are counted.
const HOOK_ROUTE: &str = "/hooks/{name}/{question}";

/// Which route a request took, for the log.
#[derive(Clone, Copy)]
struct Taken(&'static str);

/// Answers all requests of a service.
#[derive(Clone)]
pub(crate) struct Answerer {
    app: Arc<App>,
    router: Router,
    doors: Doors,
    takes_hooks: bool,
    takes_followers: bool,
}

impl Answerer {
    /// What answers by these routes, by those of the doors, and with these pages.
    pub(crate) fn new(app: Arc<App>, routes: Vec<Route>, doors: Doors, pages: Vec<Route>) -> Self {
        let document = Bytes::from(describe(&routes).to_string());
        let mut router = Router::new()
            .route("/healthz", get(async || "ok\n"))
            .route(
                "/openapi.json",
                get(move || open_document(document.clone())),
            )
            .route(
                "/readyz",
                get({
                    let app = Arc::clone(&app);
                    move || readiness(Arc::clone(&app))
                }),
            );
        let routes = routes.into_iter().chain(doors.routes()).chain(pages);
        let routes: Vec<_> = routes.map(Arc::new).collect();
        for route in &routes {
            router = router.route(route.path, method_router(&app, route, None));
        }
        for (path, route, part) in shadowed(&routes) {
            router = router.route(path, method_router(&app, route, Some(part)));
        }
        let router = router
            .fallback(async || Problem::not_found().response())
            .method_not_allowed_fallback(async || {
                let detail = "this path does not take that method";
                Problem::new(ProblemKind::MethodNotAllowed, detail).response()
            });
        Self {
            app,
            router,
            doors,
            takes_hooks: true,
            takes_followers: false,
        }
    }

    /// What all requests share.
    pub(crate) fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, ends: Ends, mut request: Request) -> Response<Body> {
        let begun = Instant::now();
        let id = request_id();
        let method = request.method().clone();
        let client = self.app.proxies.client_of(ends.peer, request.headers());
        request.extensions_mut().insert(Sender(client));
        if Hooks::are_at(request.uri().path()) {
            return self.answer_hook(ends, client, request, &id).await;
        }
        if self.takes_followers && Followers::are_at(request.uri().path()) {
            let app = &self.app;
            let mut response = app.followers.answer(self.around(client), request).await;
            let status = response.status().as_u16();
            app.counts.add_request(FOLLOWER_ROUTE, status);
            add_headers(response.headers_mut(), ends.is_encrypted, &id);
            if status != 200 {
                tracing::info!(id, client = %client, route = FOLLOWER_ROUTE, status, "refused");
            }
            return response;
        }
        let door = self.doors.at(request.uri().path()).cloned();
        if let Some(door) = &door {
            request.extensions_mut().insert(door.clone());
        }
        let visit = Visit::of(&request).filter(|_| door.is_none());
        let mut response = match self.admit(ends, client, &request) {
            Ok(()) => {
                let mut router = self.router.clone();
                match router.call(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            }
            Err(problem) => problem.response(),
        };
        let route = response.extensions_mut().remove::<Taken>();
        let route = route.map_or("-", |Taken(route)| route);
        if let Some(door) = door {
            door.tell_problem(&mut response);
        } else if let Some(visit) = visit {
            visit.tell_problem(&mut response);
        }
        let status = response.status().as_u16();
        self.app.counts.add_request(route, status);
        add_headers(response.headers_mut(), ends.is_encrypted, &id);
        // No path: parts of it may be secrets.
        tracing::info!(
            id,
            client = %client,
            method = %method,
            route,
            status,
            milliseconds = begun.elapsed().as_millis(),
            "answered"
        );
        response
    }

    /// Answers a request of another broker. They are many, so the log has those alone that
    /// were not a broker's.
    async fn answer_hook(
        &self,
        ends: Ends,
        client: IpAddr,
        request: Request,
        id: &str,
    ) -> Response<Body> {
        let mut response = if self.takes_hooks {
            let around = self.around(client);
            self.app.hooks.answer(around, request).await
        } else {
            Problem::not_found().response()
        };
        let status = response.status().as_u16();
        self.app.counts.add_request(HOOK_ROUTE, status);
        add_headers(response.headers_mut(), ends.is_encrypted, id);
        if response.extensions_mut().remove::<OfHook>().is_none() {
            // No path: parts of it may be secrets.
            tracing::info!(id, client = %client, route = HOOK_ROUTE, status, "refused");
        }
        response
    }

    fn around(&self, client: IpAddr) -> Around<'_> {
        Around {
            patience: self.app.patience,
            rates: &self.app.rates,
            workers: &self.app.workers,
            client,
        }
    }

    /// The same, which answers hooks, or does not.
    pub(crate) fn taking_hooks(self, takes_hooks: bool) -> Self {
        Self {
            takes_hooks,
            ..self
        }
    }

    /// The same, which tells followers what they ask.
    pub(crate) fn taking_followers(self) -> Self {
        Self {
            takes_followers: true,
            ..self
        }
    }

    /// Checks what every request must keep to.
    fn admit(&self, ends: Ends, client: IpAddr, request: &Request) -> Result<(), Problem> {
        let headers = request.headers();
        if let Err(seconds) = self.app.rates.take(client, Instant::now()) {
            let kind = ProblemKind::TooManyRequests;
            return Err(Problem {
                retry_after: Some(seconds),
                ..Problem::new(kind, "too many requests from this address")
            });
        }
        let host = self.app.hosts.check(request.uri(), headers, ends.local)?;
        check_origin(request.method(), headers, &host)
    }
}

/// The OpenAPI document.
async fn open_document(document: Bytes) -> Response<Body> {
    let mut response = Response::new(document.into());
    let kind = HeaderValue::from_static(JSON);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Says whether the store can be used.
async fn readiness(app: Arc<App>) -> Response<Body> {
    let looked = app.workers.run(app.is_ready).await;
    match looked.and_then(|looked| looked) {
        Ok(()) => Response::new("ok\n".into()),
        Err(problem) => problem.response(),
    }
}

/// What answers one method at one path.
///
/// The part of the path that its route leaves open may be a word that is the path of
/// another route.
fn method_router(
    app: &Arc<App>,
    route: &Arc<Route>,
    part: Option<(&'static str, &'static str)>,
) -> MethodRouter {
    let Ok(filter) = MethodFilter::try_from(route.method.clone()) else {
        return MethodRouter::new();
    };
    let (app, route) = (Arc::clone(app), Arc::clone(route));
    on(filter, move |parts: Option<RawParts>, request: Request| {
        let (app, route) = (Arc::clone(&app), Arc::clone(&route));
        let parts = match part {
            Some((name, text)) => Some(RawParts(vec![(name.to_owned(), text.to_owned())])),
            None => parts,
        };
        async move {
            let mut response = match respond(&app, &route, parts, request).await {
                Ok(response) => response,
                Err(problem) => problem.response(),
            };
            response.extensions_mut().insert(Taken(route.path));
            response
        }
    })
}

/// Paths of routes whose last word may be the name of something, too, as a credential
/// may be called `bulk`: each with the route that is meant by another method, and the
/// name.
fn shadowed(
    routes: &[Arc<Route>],
) -> impl Iterator<Item = (&'static str, &Arc<Route>, (&'static str, &'static str))> {
    let paths: BTreeSet<_> = routes.iter().map(|route| route.path).collect();
    let is_taken = |path: &str, route: &Route| {
        let mut others = routes.iter();
        others.any(|it| it.path == path && it.method == route.method)
    };
    paths.into_iter().flat_map(move |path| {
        let meant = routes.iter().filter_map(move |route| {
            let (folder, part) = route.path.rsplit_once('/')?;
            let part = part.strip_prefix('{')?.strip_suffix('}')?;
            let name = path.strip_prefix(folder)?.strip_prefix('/')?;
            let is_name = !name.contains(['/', '{']) && !folder.contains('{');
            is_name.then_some((path, route, (part, name)))
        });
        meant.filter(move |(path, route, _)| !is_taken(path, route))
    })
}

/// Answers a request that takes a route.
async fn respond(
    app: &Arc<App>,
    route: &Arc<Route>,
    parts: Option<RawParts>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    let Sender(client) = head
        .extensions
        .get()
        .copied()
        .ok_or_else(Problem::not_found)?;
    // Before the body is read, so that nobody unknown makes us keep a large one.
    let (who, most) = match route.access {
        Access::Known | Access::KnownWithPassword => {
            (Some(authenticate(app, &head, client).await?), MOST_BYTES)
        }
        Access::OpenOrKnown if head.headers.contains_key(AUTHORIZATION) => {
            (Some(authenticate(app, &head, client).await?), MOST_BYTES)
        }
        Access::Anybody | Access::Open | Access::OpenOrKnown => (None, MOST_BYTES_UNKNOWN),
    };
    let workers = match route.access {
        Access::Anybody | Access::Known => &app.workers,
        Access::KnownWithPassword | Access::Open | Access::OpenOrKnown => &app.hashers,
    };
    let RawParts(parts) = parts.ok_or_else(Problem::not_found)?;
    let body = timeout(app.patience.body, read_body(&head, body, route, most));
    let slow = |_| Problem::invalid("the body came too slowly");
    let body = body.await.map_err(slow)??;
    let asked = Arc::new(Asked {
        who,
        door_tenant: head.extensions.get().and_then(Door::tenant),
        parts,
        client,
        session: session_named(&head.headers),
        browser: cookie(&head.headers, BROWSER_COOKIE),
        is_from_page: names_page(&head.headers),
        query: head.uri.query().map(str::to_owned),
        last_event: last_event(&head.headers),
        versions: if route.is_conditional {
            Versions::of(&head.headers)?
        } else {
            Versions::Any
        },
    });
    let first = Arc::clone(route);
    let mut rest: Rest = Box::new(move |call| (first.run)(call, &body));
    loop {
        let (asked, guard) = (Arc::clone(&asked), Arc::clone(&app.guard));
        let (counts, events) = (Arc::clone(&app.counts), Arc::clone(&app.events));
        let (stats, visitors) = (Arc::clone(&app.stats), Arc::clone(&app.visitors));
        let run = move |store: &mut _| {
            rest(&mut Call {
                store,
                asked: &asked,
                who: asked.who.clone(),
                guard: &guard,
                counts: &counts,
                events: &events,
                stats: &stats,
                visitors: &visitors,
                now: now(),
            })
        };
        let mut answer = workers.run(run).await??;
        match core::mem::replace(&mut answer.content, Content::Nothing) {
            Content::Later(pause, next) => {
                tokio::time::sleep(pause).await;
                rest = next;
            }
            Content::Nothing => return Ok(answer.response(Body::empty())),
            Content::Stream(opening) => return Ok(answer.response(opening.stream().await?)),
            Content::Text(text) => return Ok(answer.response(text.into())),
        }
    }
}

/// The number of the last event that a reader was told before, where it says one. What
/// is none of ours is behind all that happened.
fn last_event(headers: &HeaderMap) -> Option<i64> {
    let said = headers.get("last-event-id")?;
    let number = said.to_str().ok().and_then(|it| it.parse().ok());
    Some(number.filter(|it| *it >= 0).unwrap_or(i64::MAX))
}

/// Reads the body of a request.
async fn read_body(head: &Parts, body: Body, route: &Route, most: usize) -> Result<Bytes, Problem> {
    let too_large = || {
        let detail = format!("a body has at most {most} bytes");
        Problem::new(ProblemKind::TooLarge, detail)
    };
    let reading = Limited::new(body, most).collect();
    let read = match reading.await {
        Ok(read) => read.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(too_large()),
        Err(_) => return Err(Problem::invalid("the body could not be read")),
    };
    if route.body.is_some() && !read.is_empty() && !is_json(&head.headers) {
        let kind = ProblemKind::UnsupportedMediaType;
        return Err(Problem::new(kind, "a body is `application/json`"));
    }
    Ok(read)
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(CONTENT_TYPE).iter();
    let (Some(kind), None) = (kinds.next(), kinds.next()) else {
        return false;
    };
    let kind = kind.to_str().unwrap_or_default();
    let (kind, parameters) = kind.split_once(';').unwrap_or((kind, ""));
    let parameters = parameters.trim().trim_matches('"').to_ascii_lowercase();
    let is_utf8 = matches!(&*parameters.replace('"', ""), "" | "charset=utf-8");
    kind.trim().eq_ignore_ascii_case("application/json") && is_utf8
}

/// The parts of a path that its route leaves open.
struct RawParts(Vec<(String, String)>);

impl<S: Send + Sync> axum::extract::OptionalFromRequestParts<S> for RawParts {
    type Rejection = core::convert::Infallible;

    async fn from_request_parts(
        head: &mut Parts,
        state: &S,
    ) -> Result<Option<Self>, Self::Rejection> {
        use axum::extract::FromRequestParts as _;
        let Ok(parts) = RawPathParams::from_request_parts(head, state).await else {
            return Ok(None);
        };
        let parts = parts.iter();
        let parts = parts.map(|(name, text)| (name.to_owned(), text.to_owned()));
        Ok(Some(Self(parts.collect())))
    }
}

/// What every answer says to browsers, and which request it answers.
fn add_headers(headers: &mut HeaderMap, is_encrypted: bool, id: &str) {
    for (name, value) in FIXED_HEADERS {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    if is_encrypted {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(STRICT_TRANSPORT_SECURITY, year);
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
}

/// A name for a request that is not used twice.
fn request_id() -> String {
    let mut bytes = [0; 8];
    // Without randomness it names nothing, which is all.
    let _ = getrandom::fill(&mut bytes);
    hex::encode(&bytes)
}

const FIXED_HEADERS: [(HeaderName, &str); 6] = [
    (CACHE_CONTROL, "no-store"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
];
/// So large a body may be.
const MOST_BYTES: usize = 1 << 20;
/// So large one may be of somebody who is not known yet.
const MOST_BYTES_UNKNOWN: usize = 16 * 1024;
