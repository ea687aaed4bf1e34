//! Logins whose passwords wait to be hashed, and what the workers found.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::available_parallelism;

use countersign_core::backoff::Origin;
use countersign_core::client_id::ClientId;
use countersign_core::connect::Request;
use countersign_core::secret::{PasswordHash, SecretId};
use countersign_core::time::Timestamp;

use crate::config::GateConfig;
use crate::host::{ConnectInfo, OwnedConnectSource, Ticket};
use crate::journal::writer::Writer;
use crate::login::fair_queue::Priority;
use crate::login::hash_pool::{HashAnswer, HashJob, HashOutcome, HashPool};
use crate::login::pending_logins::{PendingLogin, PendingLogins, Purpose};
use crate::login::slow_check::HashRequest;
use crate::wakeup::WakeSignal;

/// The workers, the logins that wait for them, and their answers.
pub(crate) struct HashQueue {
    pub(crate) pool: HashPool,
    pub(crate) pending: PendingLogins,
    /// Answers that are not worked off yet, so that no poll takes long.
    answers: VecDeque<HashAnswer>,
}

/// What must be checked, and how urgent that is.
pub(crate) struct PendingCheck {
    pub(crate) hash_request: HashRequest,
    pub(crate) dummy: Option<PasswordHash>,
    pub(crate) origin: Origin,
    pub(crate) priority: Priority,
}

impl PendingCheck {
    /// What is to be done for it.
    pub(crate) fn into_job(self, ticket: Ticket) -> HashJob {
        let HashRequest {
            presented,
            passwords,
            proved,
            ..
        } = self.hash_request;
        HashJob {
            ticket,
            presented,
            passwords,
            dummy: self.dummy,
            proved,
        }
    }
}

impl HashQueue {
    /// Starts the workers.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error when one can't be run.
    pub(crate) fn start(
        config: &GateConfig,
        wake_signal: &Arc<WakeSignal>,
        writer: &Writer,
    ) -> std::io::Result<Self> {
        let spare = || {
            let cores = available_parallelism().map_or(1, usize::from);
            cores.saturating_sub(1).max(1)
        };
        let workers = config.options.hash_threads.map_or_else(spare, usize::from);
        Ok(Self {
            pool: HashPool::start(
                workers,
                wake_signal,
                &writer.queue(),
                &writer.counters,
                &config.background,
            )?,
            pending: PendingLogins::default(),
            answers: VecDeque::new(),
        })
    }

    /// Fetches what the workers found, once the wake signal was acknowledged.
    pub(crate) fn take_answers(&mut self) {
        self.answers.extend(self.pool.take());
    }

    /// Says whether answers wait to be worked off.
    pub(crate) fn has_answers(&self) -> bool {
        !self.answers.is_empty()
    }

    /// The next answer to be worked off.
    pub(crate) fn next_answer(&mut self) -> Option<HashAnswer> {
        self.answers.pop_front()
    }

    /// Answers the logins that no worker will ever answer.
    pub(crate) fn tidy(&mut self, now: Timestamp) {
        let unanswered = self.pending.tidy(now);
        if !unanswered.is_empty() {
            self.pool.drop_jobs(&unanswered);
        }
        let found = HashOutcome::Failed;
        let answers = unanswered.into_iter();
        self.answers
            .extend(answers.map(|ticket| HashAnswer { ticket, found }));
    }

    /// Puts an origin, where something failed, behind those where nothing did.
    pub(crate) fn demote(&mut self, origin: Origin) {
        self.pending.demote(origin);
        self.pool.demote(origin);
    }

    /// Says whether there is a place for one more login.
    pub(crate) fn has_room_for(
        &self,
        client_id: &ClientId,
        check: &PendingCheck,
        purpose: &Purpose,
    ) -> bool {
        let client_id = client_id.as_str();
        self.pending.remembers()
            && self
                .pending
                .has_room_for(check.origin, check.priority, client_id, purpose)
    }

    /// Gives up another login for one of an origin that has nothing waiting. Says
    /// whether there is a place now.
    pub(crate) fn make_room_for(&self, check: &PendingCheck) -> bool {
        self.pending.remembers()
            && !self.pending.waits(check.origin)
            && self.pool.evict(check.priority)
    }

    /// Has a login checked by a worker, for which there is a place.
    pub(crate) fn submit(
        &mut self,
        info: &ConnectInfo<'_>,
        request: Arc<Request>,
        check: PendingCheck,
        purpose: Purpose,
        now: Timestamp,
    ) -> Ticket {
        let (origin, priority) = (check.origin, check.priority);
        let waiting = PendingLogin {
            handle: info.handle,
            request,
            about: check.hash_request.about,
            presented: Arc::clone(&check.hash_request.presented),
            failed: check.hash_request.failed,
            source: OwnedConnectSource::of(&info.source()),
            origin,
            priority,
            since: now,
            purpose,
        };
        let ticket = self.pending.enter(waiting);
        self.pool.submit(check.into_job(ticket), origin, priority);
        ticket
    }

    /// Has a worker spend what the refusal of a login owes, in the place that the
    /// login had.
    pub(crate) fn submit_again(
        &mut self,
        ticket: Ticket,
        waiting: PendingLogin,
        proved: Option<SecretId>,
        dummy: Option<PasswordHash>,
    ) {
        let job = HashJob {
            ticket,
            presented: Arc::clone(&waiting.presented),
            passwords: Vec::new(),
            dummy,
            proved,
        };
        let (origin, priority) = (waiting.origin, waiting.priority);
        self.pending.enter_again(ticket, waiting);
        self.pool.submit(job, origin, priority);
    }
}
