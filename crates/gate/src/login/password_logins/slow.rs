//! A CONNECT whose secret must be checked slowly: on a worker while its host holds
//! it, on the host's own thread, or on a worker for the next try.

use std::sync::Arc;

use countersign_core::connect::Request;
use countersign_core::reason::Reason;
use countersign_core::store::GateStore;
use countersign_core::time::Timestamp;

use super::{Attempted, PasswordLogins, attempt_of};
use crate::host::{ConnectInfo, ConnectOutcome, Ticket};
use crate::login::decision::Decided;
use crate::login::fair_queue::Priority;
use crate::login::hash_queue::PendingCheck;
use crate::login::pending_logins::Purpose;
use crate::login::refusal::Refusal;
use crate::login::slow_check::{HashRequest, HashResult};
use crate::state::State;

impl PasswordLogins {
    /// Goes on with a CONNECT whose secret must be checked slowly.
    pub(super) fn check_slowly<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        info: &ConnectInfo<'_>,
        request: Request,
        hash_request: HashRequest,
        now: Timestamp,
    ) -> Attempted {
        self.quick_checks.meet(&hash_request);
        let attempt = attempt_of(&request, info.address);
        let origin = attempt.origin;
        let priority = if self.backoff.is_from_known_origin(&attempt) {
            Priority::KnownOrigin
        } else if self.backoff.failed_lately(origin, now) {
            Priority::Other
        } else {
            self.queue.pending.priority_of_clean(origin)
        };
        let mut check = PendingCheck {
            hash_request,
            dummy: state.verifier.dummy(),
            origin,
            priority,
        };
        if !info.may_wait && self.backoff.has_time(&attempt, now) {
            return self.check_inline(state, info, request, check);
        }
        let username = check.hash_request.name.clone();
        let purpose = if info.may_wait {
            Purpose::Held {
                username: username.clone(),
            }
        } else {
            Purpose::ForRetry
        };
        let client_id = &request.client_id;
        let has_room = self.queue.has_room_for(client_id, &check, &purpose);
        if (!info.may_wait || !has_room)
            && let Some((decided, hash_result)) =
                self.check_quickly(state, info, &request, &mut check.hash_request, now)
        {
            return self.conclude(state, info, request, Some(hash_result), Ok(decided), now);
        }
        let request = Arc::new(request);
        // Last, so that nobody loses a place to a client that needs none.
        if has_room || self.queue.make_room_for(&check) {
            let waiting = Arc::clone(&request);
            let ticket = self.queue.submit(info, waiting, check, purpose, now);
            if info.may_wait {
                return Attempted::Answered(ConnectOutcome::Pending { ticket, username });
            }
        }
        let refusal = Refusal::new(state, &request, info.address, Reason::OverBudget, now);
        Attempted::Answered(refusal.into_outcome(&mut state.journal))
    }

    /// Decides about a CONNECT for which there is no time, or no place to wait, if it
    /// presents the right secret of a quick hash, is let in or asked for a code. All
    /// others cost and count the same, whatever is stored of their name. If one failed
    /// and that is counted already, its request says why.
    fn check_quickly<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        info: &ConnectInfo<'_>,
        request: &Request,
        hash_request: &mut HashRequest,
        now: Timestamp,
    ) -> Option<(Decided, HashResult)> {
        let attempt = attempt_of(request, info.address);
        if !self.backoff.allows_untimely(&attempt, now) {
            return None;
        }
        let found = self.quick_checks.check(hash_request);
        let hash_result = hash_request.answered(found);
        let source = info.source();
        let decided = self
            .decider
            .decide(state, &source, request, Some(&hash_result), now);
        let failed = match decided {
            Ok(decided @ (Decided::Admitted(_) | Decided::Challenged)) => {
                return Some((decided, hash_result));
            }
            Ok(Decided::NeedsHash(owed)) => owed.failed,
            Ok(Decided::Refused(_)) | Err(_) => None,
        };
        hash_request.failed = hash_request.failed.or(failed);
        self.quick_checks.spend_rest(hash_request);
        self.backoff.was_untimely(&attempt, now);
        None
    }

    /// Checks on the host's own thread, and decides.
    fn check_inline<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        info: &ConnectInfo<'_>,
        request: Request,
        check: PendingCheck,
    ) -> Attempted {
        let (origin, priority) = (check.origin, check.priority);
        let asked = check.hash_request.clone();
        let job = check.into_job(Ticket(0));
        // How long it takes is not what time it is: the host's clock may be
        // set while it runs.
        let background = Arc::clone(&state.config.background);
        let start = background.uptime();
        let found = job.run(&mut self.memory);
        let now = state.now();
        let attempt = attempt_of(&request, info.address);
        let spent = background.uptime().saturating_sub(start);
        state.journal.writer.counters.hashed(spent);
        self.backoff.spent(&attempt, spent, now);
        let hash_result = asked.answered(found);
        self.count(&attempt, &hash_result, now);
        let decided = self.decide(state, &info.source(), &request, Some(&hash_result), now);
        let Ok(Decided::NeedsHash(hash_request)) = decided else {
            return self.conclude(state, info, request, Some(hash_result), decided, now);
        };
        // There was time for a wrong secret, which costs as much.
        let check = PendingCheck {
            hash_request,
            dummy: state.verifier.dummy(),
            origin,
            priority,
        };
        self.check_inline(state, info, request, check)
    }
}
