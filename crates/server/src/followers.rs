//! What followers ask: machines of brokers that keep a replica of the store.
//!
//! A follower shows its secret and nothing else, and is told of its tenants. It reads a
//! snapshot page by page, and from then on what changed; where nothing did, its request
//! waits for a bounded time. One thread looks whether something changed, for all of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Response};
use countersign_core::follower::{Follower, FollowerProgress, MOST_WAITING, MachineKey};
use countersign_core::ledger::Ledger as _;
use countersign_core::secret::{Secret, SecretDigest};
use countersign_core::store::{GateStore as _, ObjectName, ReplicaPlace, SinceThen, StoreError};
use countersign_store::AnyStore;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::hook::Around;
use crate::input::read_query;
use crate::problem::{Problem, ProblemKind};
use crate::rate::Rates;
use crate::who::now;
use crate::workers::WorkersError;

use self::answers::{answer, behind, json, too_often};
use self::hand_back::Judging;
use self::remembered::RememberedFollowers;
use self::sessions::Telling;

mod answers;
mod hand_back;
mod refusals;
mod remembered;
pub(crate) mod seeds;
mod sessions;

/// What requests of followers share.
pub(crate) struct Followers {
    /// The number of the last change that followers are told of.
    last: watch::Receiver<i64>,
    /// How often each asks.
    rates: Rates,
    /// What is judged of what each hands back.
    judging: Arc<Judging>,
    telling: Telling,
    /// How often each tells who was refused.
    refusals: Rates,
    remembered: Mutex<RememberedFollowers>,
    thread: Option<JoinHandle<()>>,
    is_over: watch::Sender<bool>,
}

impl Followers {
    /// Begins to look for changes, with a connection beside `store`.
    ///
    /// # Errors
    ///
    /// Returns [`WorkersError`] when the store can't be opened once more, and when there
    /// are no more threads.
    pub(crate) fn start(store: &AnyStore) -> Result<Self, WorkersError> {
        let connection = store.reopen()?;
        let (tell, last) = watch::channel(0);
        let (is_over, over) = watch::channel(false);
        let thread = std::thread::Builder::new()
            .name("countersign-fleet".into())
            .spawn(move || look(connection, &tell, &over))?;
        Ok(Self {
            last,
            rates: Rates::of(EACH, BURST),
            judging: Arc::default(),
            telling: Telling::default(),
            refusals: refusals::rates(),
            remembered: Mutex::default(),
            thread: Some(thread),
            is_over,
        })
    }

    /// Says whether a path is one of followers.
    pub(crate) fn are_at(path: &str) -> bool {
        path.starts_with(PREFIX)
    }

    /// Lets no request wait any longer.
    pub(crate) fn close(&self) {
        let _ = self.is_over.send(true);
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, around: Around<'_>, request: Request) -> Response<Body> {
        let (head, body) = request.into_parts();
        let answered = self.try_answer(around, &head, body).await;
        answered.unwrap_or_else(|problem| problem.response())
    }

    async fn try_answer(
        &self,
        around: Around<'_>,
        head: &Parts,
        body: Body,
    ) -> Result<Response<Body>, Problem> {
        let uri = &head.uri;
        let (asked, method) = match uri.path().strip_prefix(PREFIX) {
            Some("snapshot") => (Asked::Snapshot(read_query(uri.query())?), Method::GET),
            Some("changes") => (Asked::Changes(read_query(uri.query())?), Method::GET),
            Some("hand-back") => (Asked::HandBack, Method::POST),
            Some("refusals") => (Asked::Refusals, Method::POST),
            Some("sessions") => (Asked::Sessions, Method::POST),
            Some(_) | None => return Err(Problem::not_found()),
        };
        if head.method != method {
            let detail = "this path does not take that method";
            return Err(Problem::new(ProblemKind::MethodNotAllowed, detail));
        }
        let digest = presented(&head.headers).map(|secret| SecretDigest::of(&secret));
        let digest = digest.ok_or_else(|| stranger(around))?;
        // Whoever makes secrets up is as slow as all who are unknown.
        let is_known = self.lock().secrets.contains(digest.as_bytes());
        if !is_known && let Err(seconds) = around.rates.take(around.client, Instant::now()) {
            return Err(too_often(seconds));
        }
        if let Err(seconds) = self.rates.take_of(&digest, Instant::now()) {
            return Err(too_often(seconds));
        }
        match asked {
            Asked::Snapshot(words) => {
                let machine = seeds::shown(&head.headers);
                self.tell_page(around, &digest, machine, words).await
            }
            Asked::Changes(words) => {
                let machine = seeds::shown(&head.headers);
                self.tell_changes(around, &digest, machine, words).await
            }
            Asked::HandBack => self.take_hand_back(around, &digest, body).await,
            Asked::Refusals => self.hear_refusals(around, &digest, body).await,
            Asked::Sessions => self.hear_sessions(around, &digest, body).await,
        }
    }

    /// Tells a part of all that a follower may know.
    async fn tell_page(
        &self,
        around: Around<'_>,
        digest: &SecretDigest,
        machine: Option<MachineKey>,
        words: PageWords,
    ) -> Result<Response<Body>, Problem> {
        let (after, secret) = (words.after(), digest.clone());
        let read = around.workers.run(move |store| {
            let Some((follower, mut page)) = store.snapshot_page(&secret, after.as_ref())? else {
                return Ok::<_, StoreError>(None);
            };
            seeds::tell(
                store,
                &follower,
                machine,
                after.is_some(),
                &mut page.objects,
            )?;
            Ok(Some((follower, json(&page))))
        });
        let (follower, text) = read.await??.ok_or_else(|| self.gone(around, digest))?;
        let progress = FollowerProgress {
            position: None,
            at: now(),
            schema: None,
            waiting: None,
        };
        self.note(around, digest, &follower, progress).await;
        Ok(answer(text?))
    }

    /// Tells what changed, once something did.
    async fn tell_changes(
        &self,
        around: Around<'_>,
        digest: &SecretDigest,
        machine: Option<MachineKey>,
        words: ChangesWords,
    ) -> Result<Response<Body>, Problem> {
        let place: ReplicaPlace = words
            .after
            .parse()
            .map_err(|error| Problem::invalid(format!("`after`: {error}")))?;
        let patience = Duration::from_secs(words.wait.unwrap_or(0)).min(LONGEST_WAIT);
        let until = Instant::now().checked_add(patience);
        let mut last = self.last.clone();
        let mut over = self.is_over.subscribe();
        loop {
            // Before the look, so that nothing is missed between it and the wait.
            last.mark_unchanged();
            let secret = digest.clone();
            let read = around.workers.run(move |store| {
                let Some((follower, told)) = store.changes_for_follower(&secret, place)? else {
                    return Ok::<_, StoreError>(None);
                };
                let told = match told {
                    SinceThen::Behind => None,
                    SinceThen::Changes(mut it) => {
                        seeds::tell(store, &follower, machine, true, &mut it.objects)?;
                        Some((it.place != place, json(&it)))
                    }
                };
                Ok(Some((follower, told)))
            });
            let found = read.await??;
            let (follower, told) = found.ok_or_else(|| self.gone(around, digest))?;
            let Some((is_new, text)) = told else {
                return Ok(behind());
            };
            let progress = FollowerProgress {
                position: Some(place.seq),
                at: now(),
                schema: words.schema,
                waiting: words.waiting.map(|it| it.min(MOST_WAITING)),
            };
            self.note(around, digest, &follower, progress).await;
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let left = left.filter(|left| !left.is_zero() && !is_new && !*over.borrow());
            let Some(left) = left else {
                return Ok(answer(text?));
            };
            let waiting = async {
                tokio::select! {
                    _ = last.wait_for(|last| *last != place.seq) => {}
                    _ = over.wait_for(|over| *over) => {}
                }
            };
            let _ = timeout(left, waiting).await;
        }
    }

    /// Takes a part of what a follower says of who is connected.
    async fn hear_sessions(
        &self,
        around: Around<'_>,
        digest: &SecretDigest,
        body: Body,
    ) -> Result<Response<Body>, Problem> {
        let (secret, judging) = (digest.clone(), Arc::clone(&self.judging));
        let may_audit = move || judging.may_audit(&secret, Instant::now());
        let taken = self.telling.take(around, digest, body, may_audit).await?;
        taken.ok_or_else(|| self.gone(around, digest))
    }

    /// Takes note of who asked, and at times of how far it is.
    async fn note(
        &self,
        around: Around<'_>,
        digest: &SecretDigest,
        follower: &Follower,
        progress: FollowerProgress,
    ) {
        let position = progress.position;
        let is_due = self
            .lock()
            .remember(digest, &follower.name, position, Instant::now());
        if !is_due {
            return;
        }
        let name = follower.name.clone();
        let noting = around
            .workers
            .run(move |store| store.note_follower(&name, progress));
        // What can't be written down now is next time.
        let _ = noting.await;
    }

    /// What whoever shows no follower's secret is told.
    fn gone(&self, around: Around<'_>, digest: &SecretDigest) -> Problem {
        self.lock().secrets.remove(digest.as_bytes());
        stranger(around)
    }

    /// Nothing under this lock can panic half done.
    fn lock(&self) -> MutexGuard<'_, RememberedFollowers> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Followers {
    fn drop(&mut self) {
        self.close();
        if self.thread.take().is_some_and(|it| it.join().is_err()) {
            tracing::error!("the thread that looks for changes panicked");
        }
    }
}

/// What a follower asks for.
enum Asked {
    Changes(ChangesWords),
    HandBack,
    Refusals,
    Sessions,
    Snapshot(PageWords),
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PageWords {
    kind: Option<String>,
    number: Option<i64>,
    tenant: Option<String>,
    name: Option<String>,
}

impl PageWords {
    /// The object behind which the page begins.
    fn after(self) -> Option<ObjectName> {
        Some(ObjectName {
            kind: self.kind?,
            number: self.number,
            tenant: self.tenant,
            name: self.name,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangesWords {
    after: String,
    #[serde(default)]
    wait: Option<u64>,
    /// The schema of the replica.
    #[serde(default)]
    schema: Option<u32>,
    /// How much waits to be handed back.
    #[serde(default)]
    waiting: Option<u32>,
}

/// Looks for changes, until nobody is to wait for them any more.
fn look(mut store: AnyStore, tell: &watch::Sender<i64>, over: &watch::Receiver<bool>) {
    let mut seen = None;
    while !*over.borrow() {
        if let Ok(mark) = store.mark()
            && seen != Some(mark)
            && let Ok(last) = store.last_object_change()
        {
            seen = Some(mark);
            tell.send_if_modified(|told| core::mem::replace(told, last) != last);
        }
        // One receiver is our own.
        let is_waited_for = tell.receiver_count() > 1;
        std::thread::sleep(if is_waited_for { A_MOMENT } else { A_WHILE });
    }
}

/// The secret that a request shows.
fn presented(headers: &HeaderMap) -> Option<Secret> {
    let mut said = headers.get_all(AUTHORIZATION).iter();
    let (Some(said), None) = (said.next(), said.next()) else {
        return None;
    };
    let (scheme, secret) = said.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| Secret::presented(secret.trim().as_bytes()))
}

fn stranger(around: Around<'_>) -> Problem {
    match around.rates.take(around.client, Instant::now()) {
        Ok(()) => Problem::new(
            ProblemKind::Unauthenticated,
            "there is no follower with this secret",
        ),
        Err(seconds) => too_often(seconds),
    }
}

/// How the paths of followers begin.
const PREFIX: &str = "/replication/v1/";
/// How such requests are counted.
pub(crate) const FOLLOWER_ROUTE: &str = "/replication/v1/{what}";
/// A follower may ask 100 times a second for a long time,
const EACH: Duration = Duration::from_millis(10);
/// and 200 times at once.
const BURST: Duration = Duration::from_secs(2);
/// So long a request waits for something to change.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// So often it is looked for changes while somebody waits,
const A_MOMENT: Duration = Duration::from_millis(10);
/// and while nobody does.
const A_WHILE: Duration = Duration::from_millis(50);
