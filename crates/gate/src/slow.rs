//! Logins whose secret must be checked slowly: held by the host while a worker
//! hashes, hashed on the host's thread as far as the budget goes, or refused
//! and hashed for the next try.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Instant;

use countersign_core::backoff::{Attempt, Backoff, Burst, Origin};
use countersign_core::connect::{Request, Reservation};
use countersign_core::name::LoginName;
use countersign_core::options::Options;
use countersign_core::presence::SessionNumber;
use countersign_core::reason::Reason;
use countersign_core::secret::{HashMemory, PasswordHash};
use countersign_core::store::{GateStore, StoreError};
use countersign_core::time::Timestamp;

use crate::bell::Bell;
use crate::compare::{Learned, Question};
use crate::decision::Decided;
use crate::foreseen::Foreseen;
use crate::gate::{Gate, Place};
use crate::hashing::{Answer, Found, Job, Outdated, Pool};
use crate::host::{
    Arrival, Completion, ConnectFacts, ConnectOutcome, Directive, Handle, Peer, RefusalCode, Ticket,
};
use crate::inbox::Inbox;
use crate::queue::Lane;
use crate::session::Phase;
use crate::waiting::{Purpose, Waiting, WaitingRoom};
use crate::writer::Note;

/// What a gate keeps for slow checks.
pub(crate) struct Slow {
    pool: Pool,
    backoff: Backoff,
    room: WaitingRoom,
    /// Answers that are not worked off yet, so that no poll takes long.
    answers: VecDeque<Answer>,
    /// Those whom the host was told to let in, until it says that it did.
    arriving: HashMap<Ticket, Arriving>,
    /// For what is hashed on the host's own thread.
    memory: HashMemory,
    /// What was found out for the next try.
    foreseen: Foreseen,
}

/// A login that is decided, and whose client may be gone.
struct Arriving {
    handle: Handle,
    session: SessionNumber,
    username: Option<Arc<str>>,
}

/// A [`Place`] that outlives its CONNECT.
#[derive(Debug, Default)]
pub(crate) struct OwnedPlace {
    address: Option<String>,
    listener: Option<u16>,
    protocol: u8,
    reservation: Reservation,
}

impl Slow {
    /// Says whether it is not known yet that the host let this session in.
    pub(crate) fn is_arriving(&self, session: SessionNumber) -> bool {
        let mut arriving = self.arriving.values();
        arriving.any(|arriving| arriving.session == session)
    }

    /// Starts the workers.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error when no thread can be started.
    pub(crate) fn start(
        options: &Options,
        bell: &Arc<Bell>,
        inbox: &Arc<Inbox<Note>>,
    ) -> std::io::Result<Self> {
        let spare = || {
            let cores = available_parallelism().map_or(1, usize::from);
            cores.saturating_sub(1).max(1)
        };
        let threads = options.hash_threads.map_or_else(spare, usize::from);
        Ok(Self {
            pool: Pool::start(threads, bell, inbox)?,
            backoff: Backoff::new(options.hash_budget, options.hash_round),
            room: WaitingRoom::default(),
            answers: VecDeque::new(),
            arriving: HashMap::new(),
            memory: HashMemory::default(),
            foreseen: Foreseen::default(),
        })
    }

    /// Takes note of a new connection with this handle.
    pub(crate) fn forget(&mut self, handle: Handle, now: Timestamp) {
        self.room.forget_handle(handle, now);
        self.room.remove_nobody(handle);
    }

    /// Takes note that the connection with this handle is gone.
    pub(crate) fn release(&mut self, handle: Handle, now: Timestamp) {
        self.room.forget_handle(handle, now);
    }

    /// See [`WaitingRoom::supersede`].
    pub(crate) fn supersede(&mut self, client_id: &str, now: Timestamp) {
        self.room.supersede(client_id, now);
    }

    /// See [`WaitingRoom::has_nobody`].
    pub(crate) fn has_nobody(&self, peer: &Peer<'_>) -> bool {
        self.room.has_nobody(peer)
    }

    /// Takes note that a name logged in with a password.
    pub(crate) fn logged_in(&mut self, name: &str, address: Option<&str>) {
        self.backoff.succeeded(&Attempt {
            origin: Origin::of(address),
            name,
        });
    }

    /// Takes note of an attempt whose secret was wrong.
    fn failed(&mut self, attempt: &Attempt<'_>, now: Timestamp) {
        self.backoff.failed(attempt, now);
        self.room.demote(attempt.origin);
        self.pool.demote(attempt.origin);
    }

    /// Takes note that the host's loop went round.
    pub(crate) fn went_round(&mut self) {
        self.backoff.went_round();
    }

    /// Fetches what the workers found, once the bell was answered.
    pub(crate) fn take_answers(&mut self) {
        self.answers.extend(self.pool.take());
    }

    /// Says whether answers wait to be worked off.
    pub(crate) fn has_answers(&self) -> bool {
        !self.answers.is_empty()
    }

    /// Says whether no login waits, and nothing is kept for a while only.
    pub(crate) fn is_at_rest(&self) -> bool {
        !self.has_answers() && self.room.is_at_rest() && self.foreseen.is_empty()
    }

    /// See [`Pool::rehash`].
    pub(crate) fn rehash(&self, outdated: Outdated, origin: Origin) {
        self.pool.rehash(outdated, origin);
    }

    /// Ends the workers.
    pub(crate) fn stop(&mut self) {
        self.pool.stop();
    }

    /// Has a login checked by a worker; none if there is no place for it.
    fn submit(
        &mut self,
        facts: &ConnectFacts<'_>,
        request: Arc<Request>,
        checked: Checked,
        purpose: Purpose,
        now: Timestamp,
    ) -> Option<Ticket> {
        let Checked { origin, lane, .. } = checked;
        let client_id = request.client_id.as_str();
        if !self.room.remembers() {
            return None;
        }
        if !self.room.has_place(origin, lane, client_id, &purpose)
            && (self.room.waits(origin) || !self.pool.evict(lane))
        {
            return None;
        }
        let ticket = self.room.enter(Waiting {
            handle: facts.handle,
            request,
            about: checked.question.about,
            presented: Arc::clone(&checked.question.presented),
            place: OwnedPlace::of(&facts.place()),
            origin,
            lane,
            since: now,
            purpose,
        });
        let job = Job {
            ticket,
            presented: checked.question.presented,
            passwords: checked.question.passwords,
            dummy: checked.dummy,
        };
        self.pool.submit(job, origin, lane);
        Some(ticket)
    }
}

/// What must be checked, and how urgent that is.
struct Checked {
    question: Question,
    dummy: Option<PasswordHash>,
    origin: Origin,
    lane: Lane,
}

impl<S: GateStore> Gate<S> {
    /// Goes on with a CONNECT whose secret must be checked slowly.
    pub(crate) fn connect_slowly(
        &mut self,
        facts: &ConnectFacts<'_>,
        request: Request,
        question: Question,
        now: Timestamp,
    ) -> ConnectOutcome {
        let origin = Origin::of(facts.address);
        let request = Arc::new(request);
        let attempt = attempt_of(&request, origin);
        if let Err(burst) = self.slow.backoff.leave(&attempt, now) {
            let code = match burst {
                // Never for a name: that would tell about it.
                Burst::Name => RefusalCode::NotAuthorized,
                Burst::Origin => RefusalCode::Banned,
            };
            let reason = Reason::TooManyFailures;
            return self.refuse_with(code, &request, facts.address, reason, now);
        }
        let lane = if self.slow.backoff.is_at_home(&attempt) {
            Lane::AtHome
        } else if self.slow.backoff.failed_lately(origin, now) {
            Lane::Anyone
        } else {
            self.slow.room.lane_of_unblemished(origin)
        };
        let username = question.name.clone();
        let has_time = !facts.may_wait && self.slow.backoff.has_time(&attempt, now);
        let checked = Checked {
            question,
            dummy: self.comparer.dummy(),
            origin,
            lane,
        };
        if has_time {
            return self.connect_at_once(facts, &request, checked, &attempt);
        }
        let purpose = if facts.may_wait {
            Purpose::Held {
                username: username.clone(),
            }
        } else {
            Purpose::Ahead
        };
        let ticket = self
            .slow
            .submit(facts, Arc::clone(&request), checked, purpose, now);
        match ticket.filter(|_| facts.may_wait) {
            Some(ticket) => ConnectOutcome::Pending { ticket, username },
            None => self.refuse(&request, facts.address, Reason::OverBudget, now),
        }
    }

    /// Checks on the host's own thread, and decides.
    fn connect_at_once(
        &mut self,
        facts: &ConnectFacts<'_>,
        request: &Request,
        checked: Checked,
        attempt: &Attempt<'_>,
    ) -> ConnectOutcome {
        let about = checked.question.about;
        let presented = Arc::clone(&checked.question.presented);
        let job = Job {
            ticket: Ticket(0),
            presented: Arc::clone(&presented),
            passwords: checked.question.passwords,
            dummy: checked.dummy,
        };
        // How long it takes is not what time it is: the host's clock may be
        // set while it runs.
        let start = Instant::now();
        let found = job.run(&mut self.slow.memory);
        let now = self.now();
        self.slow.backoff.spent(attempt, start.elapsed(), now);
        if found == Found::Nothing {
            self.slow.failed(attempt, now);
        }
        let learned = Learned {
            about,
            presented,
            found,
        };
        self.conclude_with(facts, request, learned, now)
    }

    /// What was found out about the last try of a login, if it answers this.
    pub(crate) fn foreseen(&mut self, request: &Request, question: &Question) -> Option<Learned> {
        let key = self.comparer.key();
        self.slow.foreseen.take(key, request, question)
    }

    /// Decides about a CONNECT with what was found out about its secret.
    pub(crate) fn conclude_with(
        &mut self,
        facts: &ConnectFacts<'_>,
        request: &Request,
        learned: Learned,
        now: Timestamp,
    ) -> ConnectOutcome {
        let decided = self.decide(&facts.place(), request, Some(&learned), now);
        self.count_if_refused(
            &decided,
            learned.found,
            request,
            Origin::of(facts.address),
            now,
        );
        self.conclude(facts, request, Some(learned), decided, now)
    }

    /// Counts a login that is refused although its secret is right as one whose
    /// secret is wrong, which was counted when that was found out.
    fn count_if_refused(
        &mut self,
        decided: &Result<Decided, StoreError>,
        found: Found,
        request: &Request,
        origin: Origin,
        now: Timestamp,
    ) {
        let Ok(Decided::Refused(reason)) = decided else {
            return;
        };
        let is_passing = matches!(
            reason,
            Reason::OverBudget | Reason::StoreBusy | Reason::StoreUnavailable
        );
        if matches!(found, Found::Match(_)) && !is_passing {
            self.slow.failed(&attempt_of(request, origin), now);
        }
    }

    /// Works off what the workers found, and what they will never find.
    pub(crate) fn complete(&mut self, now: Timestamp, directives: &mut Vec<Directive>) {
        self.slow.foreseen.tidy(now);
        let unanswered = self.slow.room.tidy(now);
        if !unanswered.is_empty() {
            self.slow.pool.drop_jobs(&unanswered);
        }
        for ticket in unanswered {
            let found = Found::Failed;
            self.slow.answers.push_back(Answer { ticket, found });
        }
        for _ in 0..MOST_COMPLETIONS {
            let Some(answer) = self.slow.answers.pop_front() else {
                return;
            };
            directives.extend(self.complete_one(answer, now));
        }
    }

    fn complete_one(&mut self, answer: Answer, now: Timestamp) -> Option<Directive> {
        let Answer { ticket, found } = answer;
        let waiting = self.slow.room.leave(ticket, now)?;
        let request = &waiting.request;
        if found == Found::Nothing {
            let attempt = attempt_of(request, waiting.origin);
            self.slow.failed(&attempt, now);
        }
        let learned = Learned {
            about: waiting.about,
            presented: Arc::clone(&waiting.presented),
            found,
        };
        // A handle with a session is another connection's by now.
        let is_held = self.sessions.get(waiting.handle).is_none();
        let username = match waiting.purpose {
            Purpose::Held { username } if is_held => username,
            Purpose::Held { .. } | Purpose::Ahead => {
                if found != Found::Failed {
                    let key = self.comparer.key();
                    self.slow.foreseen.keep(key, request, &learned, now);
                }
                return None;
            }
        };
        let place = waiting.place.as_place();
        let decided = self.decide(&place, request, Some(&learned), now);
        self.count_if_refused(&decided, found, request, waiting.origin, now);
        let completion = match decided {
            // A host that says of nobody whether it was there.
            Ok(Decided::Admitted(..)) if self.slow.arriving.len() >= MOST_ARRIVING => {
                self.refusal(request, &place, Reason::OverBudget, now)
            }
            Ok(Decided::Admitted(admission, prospect)) => {
                let (mut session, ends_at) = self.session_of(request, &admission, prospect, &place);
                self.set_deadline(waiting.handle, &session, ends_at);
                // What the host has until it has let the client in.
                let after = core::mem::replace(&mut session.username, username);
                let arriving = Arriving {
                    handle: waiting.handle,
                    session: session.number,
                    username: after.clone(),
                };
                self.sessions.insert(waiting.handle, session);
                self.slow.arriving.insert(ticket, arriving);
                Completion::Admit { username: after }
            }
            Ok(Decided::Refused(reason)) => self.refusal(request, &place, reason, now),
            // What is held is no enhanced authentication, which asks questions.
            Ok(Decided::Asks(_) | Decided::Challenged) => {
                self.refusal(request, &place, Reason::OverBudget, now)
            }
            Err(error) => {
                let (_, line) = self.note_store_refusal(request, place.address, &error, now);
                Completion::Refuse { line }
            }
        };
        Some(Directive::Complete {
            ticket,
            handle: waiting.handle,
            client_id: request.client_id.as_str().into(),
            completion,
        })
    }

    fn refusal(
        &mut self,
        request: &Request,
        place: &Place<'_>,
        reason: Reason,
        now: Timestamp,
    ) -> Completion {
        let line = self.note_refusal(request, place.address, reason, now);
        Completion::Refuse { line }
    }

    /// Takes note of how a [`Directive::Complete`] was carried out: whether the
    /// client was still there. Until then its session counts for what the host
    /// asks, but nobody is told of it; if the client was gone there was none.
    pub fn completed(&mut self, ticket: Ticket, arrival: Arrival) {
        let Some(arriving) = self.slow.arriving.remove(&ticket) else {
            return;
        };
        let handle = arriving.handle;
        let Some(session) = self
            .sessions
            .get_mut(handle)
            .filter(|session| session.number == arriving.session)
        else {
            return;
        };
        if arrival == Arrival::Gone || matches!(session.phase, Phase::Gone { .. }) {
            self.sessions.remove(handle);
            return;
        }
        session.username = arriving.username;
        self.slow.room.remove_nobody(handle);
        let Some(session) = self.sessions.remove(handle) else {
            return;
        };
        self.note_login(&session);
        self.begin(handle, session);
    }
}

fn attempt_of(request: &Request, origin: Origin) -> Attempt<'_> {
    let name = request.name.as_ref().map_or("", LoginName::as_str);
    Attempt { origin, name }
}

impl OwnedPlace {
    pub(crate) fn of(place: &Place<'_>) -> Self {
        Self {
            address: place.address.map(str::to_owned),
            listener: place.listener,
            protocol: place.protocol,
            reservation: place.reservation,
        }
    }

    pub(crate) fn as_place(&self) -> Place<'_> {
        Place {
            address: self.address.as_deref(),
            listener: self.listener,
            protocol: self.protocol,
            reservation: self.reservation,
        }
    }
}

/// So many may be on their way into the host.
const MOST_ARRIVING: usize = 1_024;
/// So many logins end in one poll; each may have to be committed.
const MOST_COMPLETIONS: usize = 8;
