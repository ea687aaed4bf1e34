//! Hooks: brokers of other makers ask over HTTP who may come in, and what they may do.
//!
//! A request is read by the form of its kind ([`fields`], and a module for each kind),
//! and judged on the thread of its hook ([`host`]) by a gate, which is what Mosquitto's
//! plugin asks, too. The answer is in the words of its kind again. Whatever is not
//! understood is a no in those words: many brokers take a status that they do not expect
//! for no opinion, and go on to what lets everybody in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use countersign_core::hook::{Hook, HookKind, HookName};
use countersign_core::secret::{Secret, SecretDigest};
use countersign_core::store::rows::HookRows as _;
use countersign_core::store::{AdminStore as _, GateStore as _, Intent, all_rows};
use countersign_store::AnyStore;
use http_body_util::{BodyExt as _, Limited};
use tokio::time::timeout;

use self::asked::{Asked, Verdict};
use self::fields::Fields;
use self::host::{Admits, Host};
use crate::patience::Patience;
use crate::problem::{Problem, ProblemKind};
use crate::rate::Rates;
use crate::workers::Workers;

mod asked;
mod emqx;
mod fields;
mod goauth;
mod host;
mod kick;
mod rabbitmq;
mod remembered;
mod rmqtt;
mod thread;

/// The hooks whose threads run.
#[derive(Default)]
pub(crate) struct Hooks {
    running: Mutex<HashMap<HookName, Arc<Host>>>,
    /// Held while a thread is started, so that no hook has two.
    starting: Mutex<()>,
}

/// What of the service answers hooks, too.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    pub(crate) patience: Patience,
    pub(crate) rates: &'a Rates,
    pub(crate) workers: &'a Workers,
    /// Where the request comes from.
    pub(crate) client: IpAddr,
}

/// That a request was a broker's, whatever came of it.
#[derive(Clone, Copy)]
pub(crate) struct OfHook;

/// What the path of a request names.
struct Named<'a> {
    hook: HookName,
    /// The secret, where it stands in the path.
    secret: Option<&'a str>,
    last: &'a str,
}

impl<'a> Named<'a> {
    /// Reads a path; none where it is no hook's.
    fn of(path: &'a str) -> Option<Self> {
        let mut parts = path.strip_prefix(PREFIX)?.split('/');
        let hook = HookName::parse(parts.next()?).ok()?;
        let (secret, last) = match (parts.next()?, parts.next(), parts.next()) {
            (last, None, None) => (None, last),
            (secret, Some(last), None) => (Some(secret), last),
            _ => return None,
        };
        Some(Self { hook, secret, last })
    }
}

impl Hooks {
    /// Says whether a path is one of hooks.
    pub(crate) fn are_at(path: &str) -> bool {
        path.starts_with(PREFIX)
    }

    /// Starts the threads of all hooks that there are, so that their brokers are listed,
    /// and told what ends.
    pub(crate) fn start_all(&self, store: &mut AnyStore) {
        let read = store.begin(Intent::Read);
        let hooks = read.and_then(|mut transaction| all_rows(|page| transaction.hooks(page)));
        match hooks {
            Ok(hooks) => {
                for hook in hooks {
                    self.start(&hook, store);
                }
            }
            Err(error) => tracing::error!(%error, "the hooks could not be read"),
        }
    }

    /// Ends all threads.
    pub(crate) fn end_all(&self) {
        let running = core::mem::take(&mut *self.lock());
        drop(running);
    }

    /// Answers a request.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        around: Around<'_>,
        request: Request,
    ) -> Response<Body> {
        let answered = self.try_answer(around, request).await;
        answered.unwrap_or_else(|problem| problem.response())
    }

    async fn try_answer(
        self: &Arc<Self>,
        around: Around<'_>,
        request: Request,
    ) -> Result<Response<Body>, Problem> {
        let (head, body) = request.into_parts();
        // Before anything is kept of a stranger's request.
        let named = Named::of(head.uri.path());
        let unknown = || refuse_stranger(around);
        let named = named.ok_or_else(unknown)?;
        let secret = presented(&head.headers, named.secret).ok_or_else(unknown)?;
        let digest = SecretDigest::of(&secret);
        for _ in 0..MOST_TRIES {
            let Some(host) = self.host(around, &named.hook).await? else {
                return Err(unknown());
            };
            match host.admits(&digest, around.client).await {
                Admits::Yes => {}
                Admits::Elsewhere => {
                    let detail = "this hook takes no requests from this address";
                    return Err(Problem::new(ProblemKind::Forbidden, detail));
                }
                Admits::No => return Err(unknown()),
                Admits::Over => {
                    self.forget(&host);
                    continue;
                }
            }
            let kind = host.hook().kind;
            if !kind.questions().contains(&named.last) {
                return Err(Problem::not_found());
            }
            let read = timeout(around.patience.body, read(&head, body, kind)).await;
            let asked = match read {
                Ok(Some(fields)) => question(host.hook(), named.last, &fields),
                Ok(None) | Err(_) => None,
            };
            let verdict = match asked {
                Some(asked) => host.judge(&digest, around.client, asked).await,
                None => Some(Verdict::No),
            };
            let verdict = verdict.ok_or_else(unknown)?;
            let mut response = answer(kind, named.last, &verdict);
            response.extensions_mut().insert(OfHook);
            return Ok(response);
        }
        Err(Problem::unavailable("this hook was changed just now"))
    }

    /// The thread of a hook, which is started if need be; none where there is no such
    /// hook.
    async fn host(
        self: &Arc<Self>,
        around: Around<'_>,
        name: &HookName,
    ) -> Result<Option<Arc<Host>>, Problem> {
        if let Some(host) = self.lock().get(name) {
            return Ok(Some(Arc::clone(host)));
        }
        // Whoever makes names up is as slow as all who are unknown.
        if around.rates.take(around.client, Instant::now()).is_err() {
            return Err(refuse_stranger(around));
        }
        let (asked, hooks) = (name.clone(), Arc::clone(self));
        let found = around.workers.run(move |store| {
            let hook = store.begin(Intent::Read)?.hook(&asked)?;
            Ok::<_, countersign_core::store::StoreError>(
                hook.and_then(|hook| hooks.start(&hook, store)),
            )
        });
        found.await?.map_err(Problem::from)
    }

    /// Starts the thread of a hook, unless it runs.
    fn start(&self, hook: &Hook, store: &AnyStore) -> Option<Arc<Host>> {
        let starting = self.starting.lock();
        let _starting = starting.unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = self.lock().get(&hook.name) {
            return Some(Arc::clone(host));
        }
        let started = store.reopen().map_err(Into::into);
        match started.and_then(|store| Host::start(hook.clone(), store)) {
            Ok(host) => {
                let host = Arc::new(host);
                self.lock().insert(hook.name.clone(), Arc::clone(&host));
                Some(host)
            }
            Err(error) => {
                tracing::error!(hook = hook.name.as_str(), %error, "the hook can't be answered");
                None
            }
        }
    }

    /// Lets go of a thread that is over.
    fn forget(&self, host: &Arc<Host>) {
        let mut running = self.lock();
        if running
            .get(&host.hook().name)
            .is_some_and(|it| Arc::ptr_eq(it, host))
        {
            running.remove(&host.hook().name);
        }
    }

    /// Nothing under this lock can panic half done.
    fn lock(&self) -> MutexGuard<'_, HashMap<HookName, Arc<Host>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The secret that a request shows, in one way alone.
fn presented(headers: &HeaderMap, in_path: Option<&str>) -> Option<Secret> {
    let mut said = headers.get_all(AUTHORIZATION).iter();
    let secret = match (in_path, said.next(), said.next()) {
        (Some(secret), None, None) => secret,
        (None, Some(said), None) => {
            let (scheme, secret) = said.to_str().ok()?.split_once(' ')?;
            scheme
                .eq_ignore_ascii_case("bearer")
                .then_some(secret.trim())?
        }
        _ => return None,
    };
    Some(Secret::presented(secret.as_bytes()))
}

/// Who shows no secret of a hook is told that, and no more; and slowed down.
fn refuse_stranger(around: Around<'_>) -> Problem {
    match around.rates.take(around.client, Instant::now()) {
        Ok(()) => Problem::new(
            ProblemKind::Unauthenticated,
            "there is no hook with this secret",
        ),
        Err(seconds) => Problem {
            retry_after: Some(seconds),
            ..Problem::new(
                ProblemKind::TooManyRequests,
                "too many requests from this address",
            )
        },
    }
}

/// Reads what a request tells; none where it can't be understood in one way alone.
async fn read(head: &Parts, body: Body, kind: HookKind) -> Option<Fields> {
    // amqtt asks by GET with a body, unless it is told otherwise.
    let takes_body = head.method == Method::POST || kind == HookKind::GoAuth;
    if !takes_body || head.uri.query().is_some() {
        return None;
    }
    let body: Bytes = Limited::new(body, MOST_BYTES)
        .collect()
        .await
        .ok()?
        .to_bytes();
    let mut kinds = head.headers.get_all(CONTENT_TYPE).iter();
    let (Some(media), None) = (kinds.next(), kinds.next()) else {
        return None;
    };
    let media = media.to_str().ok()?;
    let media = media
        .split_once(';')
        .map_or(media, |(media, _)| media)
        .trim();
    if media.eq_ignore_ascii_case("application/json") {
        Fields::of_json(&body)
    } else if media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        Fields::of_form(&body)
    } else {
        None
    }
}

/// What a request asks; none where it asks nothing that can be judged.
fn question(hook: &Hook, last: &str, fields: &Fields) -> Option<Asked> {
    match hook.kind {
        HookKind::Emqx => emqx::question(last, fields),
        HookKind::GoAuth => goauth::question(last, fields),
        HookKind::RabbitMq => rabbitmq::question(last, fields, &hook.vhosts),
        HookKind::Rmqtt => rmqtt::question(last, fields),
    }
}

/// The answer, in the words of a kind.
fn answer(kind: HookKind, last: &str, verdict: &Verdict) -> Response<Body> {
    let (status, media, body) = match kind {
        HookKind::Emqx => (StatusCode::OK, JSON, emqx::answer(last, verdict)),
        HookKind::GoAuth => goauth::answer(verdict),
        HookKind::RabbitMq => (StatusCode::OK, TEXT, rabbitmq::answer(verdict)),
        HookKind::Rmqtt => (StatusCode::OK, JSON, rmqtt::answer(verdict)),
    };
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let media = HeaderValue::from_static(media);
    response.headers_mut().insert(CONTENT_TYPE, media);
    response
}

/// How the paths of hooks begin.
const PREFIX: &str = "/hooks/";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain";
/// A topic has up to 64 KiB, which a form writes in three times as many bytes.
const MOST_BYTES: usize = 256 * 1024;
/// So often a hook is looked for that is deleted and made again.
const MOST_TRIES: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_hook_a_question_and_perhaps_a_secret() {
        let read = |path| {
            let named = Named::of(path)?;
            Some((named.hook.to_string(), named.secret, named.last))
        };
        assert_eq!(
            read("/hooks/edge/user"),
            Some(("edge".into(), None, "user"))
        );
        assert_eq!(
            read("/hooks/edge/cs_0/user"),
            Some(("edge".into(), Some("cs_0"), "user"))
        );
        for none in [
            "/hooks",
            "/hooks/",
            "/hooks/edge",
            "/hooks/Edge/user",
            "/hooks/edge/a/b/c",
            "/hooks/%65dge/user",
            "/api/v1/hooks/edge",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    #[test]
    fn a_secret_is_shown_in_one_way_alone() {
        let read = |said: &[&str], in_path| {
            let mut headers = HeaderMap::new();
            for said in said {
                headers.append(AUTHORIZATION, said.parse().unwrap());
            }
            presented(&headers, in_path).map(|it| String::from_utf8(it.expose().to_vec()).unwrap())
        };
        assert_eq!(read(&["Bearer a"], None).as_deref(), Some("a"));
        assert_eq!(read(&["bearer  a"], None).as_deref(), Some("a"));
        assert_eq!(read(&[], Some("b")).as_deref(), Some("b"));
        assert_eq!(read(&["Bearer a"], Some("a")), None);
        assert_eq!(read(&["Bearer a", "Bearer a"], None), None);
        assert_eq!(read(&["Basic a"], None), None);
        assert_eq!(read(&[], None), None);
    }
}
