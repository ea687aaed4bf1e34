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
use crate::login::hash_pool::HashOutcome;
use crate::login::hash_queue::PendingCheck;
use crate::login::pending_logins::Purpose;
use crate::login::refusal::Refusal;
use crate::login::secret_verifier::{HashRequest, HashResult};
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
        let has_room = self.queue.make_room_for(client_id, &check, &purpose);
        if !info.may_wait || !has_room {
            let found = self.quick_checks.check(&check.hash_request);
            let result = check.hash_request.answered(found);
            let why = match self.decide_quickly(state, info, &request, &result, now) {
                Ok(decided) => {
                    return self.conclude(state, info, request, Some(result), Ok(decided), now);
                }
                Err(why) => why,
            };
            let failed = &mut check.hash_request.failed;
            // What failed before was counted then.
            let counts = failed.is_none() && (why.is_some() || !has_room);
            *failed = failed.or(why);
            if found != HashOutcome::Failed && counts {
                self.failed(&attempt_of(&request, info.address), now);
            }
        }
        let request = Arc::new(request);
        if has_room {
            let waiting = Arc::clone(&request);
            let ticket = self.queue.submit(info, waiting, check, purpose, now);
            if info.may_wait {
                return Attempted::Answered(ConnectOutcome::Pending { ticket, username });
            }
        }
        let refusal = Refusal::new(state, &request, info.address, Reason::OverBudget, now);
        Attempted::Answered(refusal.into_outcome(&mut state.journal))
    }

    /// Decides about a client whose right secret was found at once, where there is no
    /// time for more. One that is not let in is answered as one whose secret is wrong;
    /// if it failed and is counted already, that is why.
    fn decide_quickly<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        info: &ConnectInfo<'_>,
        request: &Request,
        found: &HashResult,
        now: Timestamp,
    ) -> Result<Decided, Option<Reason>> {
        if found.found.secret().is_none() {
            return Err(None);
        }
        let decided = self
            .decider
            .decide(state, &info.source(), request, Some(found), now);
        match decided {
            Ok(decided @ (Decided::Admitted(_) | Decided::Challenged)) => Ok(decided),
            Ok(Decided::NeedsHash(hash_request)) => Err(hash_request.failed),
            Ok(Decided::Refused(_)) | Err(_) => Err(None),
        }
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
        self.backoff.spent(&attempt, spent, now);
        if found == HashOutcome::Nothing {
            self.failed(&attempt, now);
        }
        let hash_result = asked.answered(found);
        let decided = self.decide(state, &info.source(), &request, Some(&hash_result), now);
        let Ok(Decided::NeedsHash(hash_request)) = decided else {
            return self.conclude(state, info, request, Some(hash_result), decided, now);
        };
        // There was time for a wrong secret, which costs as much.
        if hash_request.failed.is_some() {
            self.failed(&attempt_of(&request, info.address), now);
        }
        let check = PendingCheck {
            hash_request,
            dummy: state.verifier.dummy(),
            origin,
            priority,
        };
        self.check_inline(state, info, request, check)
    }
}
