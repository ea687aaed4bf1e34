//! Deciding about a CONNECT with what the store holds now, and committing what
//! the decision changes.

use countersign_core::audit::AuditEntry;
use countersign_core::connect::{
    Admission, ConnectContext, Decision, FailedLogin, Identity, LoginRecord, Request, decide,
};
use countersign_core::name::TenantId;
use countersign_core::options::ChainMode;
use countersign_core::reason::Reason;
use countersign_core::seal::SealKey;
use countersign_core::store::{GateStore, LogPosition, LoginEffects, Recorded, StoreError};
use countersign_core::time::Timestamp;

use crate::connection::session_grant::SessionGrant;
use crate::counters::BrokerAct;
use crate::host::ConnectSource;
use crate::journal::entry::JournalEntry;
use crate::login::hash_pool::RehashJob;
use crate::login::secret_verifier::Comparison;
use crate::login::slow_check::{HashRequest, HashResult};
use crate::state::State;

use self::banned::{is_banned, is_known_to_be_banned};
use self::registration::register;
use self::remembering::remember;

mod banned;
mod registration;
mod remembering;

/// Decides about logins.
pub(crate) struct Decider {
    /// What seeds of second factors were sealed with, as far as there is a key.
    pub(crate) seal_key: Option<SealKey>,
    /// Whether the last failure of a user could not be written down. Until
    /// something can be, users are let in only if that can be written down.
    has_uncounted_failure: bool,
}

/// What became of a CONNECT, committed.
pub(crate) enum Decided {
    Admitted(Admitted),
    /// A code is asked for.
    Challenged,
    /// Something must be found out first.
    NeedsHash(HashRequest),
    Refused(Reason),
}

/// What became of one decision.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, and memory for each login would take longer"
)]
enum Committed {
    Admitted(Admitted),
    Challenged,
    /// A user's login failed, and that is counted.
    Failed(Reason),
    Refused(Reason),
    /// Something changed meanwhile; it is decided again.
    Nothing,
}

/// A client that is let in.
pub(crate) struct Admitted {
    pub(crate) admission: Admission,
    pub(crate) grant: SessionGrant,
    /// Its password, if it is to be hashed in another way.
    pub(crate) outdated: Option<RehashJob>,
    /// Whether the store is to be told whether the host let the client in; see
    /// [`Recorded::Arriving`].
    pub(crate) is_arriving: bool,
}

/// When a login is decided.
#[derive(Clone, Copy)]
struct Moment {
    /// How far the logs of the store went then.
    log_position: LogPosition,
    now: Timestamp,
}

impl Decider {
    pub(crate) fn new(seal_key: Option<SealKey>) -> Self {
        Self {
            seal_key,
            has_uncounted_failure: false,
        }
    }

    /// Decides, and commits what must be committed before the client hears of
    /// it. If the credential changed in between, decides again.
    pub(crate) fn decide<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        source: &ConnectSource<'_>,
        request: &Request,
        hash_result: Option<&HashResult>,
        now: Timestamp,
    ) -> Result<Decided, StoreError> {
        let log_position = match state.sync() {
            Ok(log_position) => log_position,
            Err(_) if is_known_to_be_banned(state, source, request, now) => {
                return Ok(Decided::Refused(Reason::Banned));
            }
            Err(error) => return Err(error),
        };
        let named = request.named_tenant();
        if is_banned(state, source, request, named, log_position, now)? {
            return Ok(Decided::Refused(Reason::Banned));
        }
        if state.contact.refuses(now) {
            return Ok(Decided::Refused(Reason::Stale));
        }
        // What is settled changes the store.
        let mut known = (!state.settle(&request.tie)?).then_some(log_position);
        let mut owed = None;
        for _ in 0..MOST_TRIES {
            let log_position = match known.take() {
                Some(log_position) => log_position,
                None => state.sync()?,
            };
            let moment = Moment { log_position, now };
            let (judged, hash_request) = self.judge(state, source, request, hash_result, moment);
            if let Some(reason) = hash_result.and_then(|it| it.failed) {
                // Counted already. It was judged to take as long as any other.
                return Ok(Decided::Refused(reason));
            }
            owed = hash_request;
            let committed = judged.and_then(|decision| {
                self.commit(state, source, request, decision, hash_result, moment)
            });
            return match (committed, owed) {
                (Ok(Committed::Nothing), hash_request) => {
                    owed = hash_request;
                    continue;
                }
                (Ok(Committed::Admitted(admitted)), _) => Ok(Decided::Admitted(admitted)),
                (Ok(Committed::Challenged), _) => Ok(Decided::Challenged),
                (Ok(Committed::Failed(reason)), Some(hash_request)) => {
                    Ok(Decided::NeedsHash(HashRequest {
                        failed: Some(reason),
                        ..hash_request
                    }))
                }
                // Whatever lets no client in, also an error, is not heard of before it
                // has cost what a wrong secret costs. Then it is judged again.
                (Ok(Committed::Refused(_)) | Err(_), Some(hash_request)) => {
                    Ok(Decided::NeedsHash(hash_request))
                }
                (Ok(Committed::Failed(reason) | Committed::Refused(reason)), None) => {
                    Ok(Decided::Refused(reason))
                }
                (Err(error), None) => Err(error),
            };
        }
        Ok(match owed {
            Some(hash_request) => Decided::NeedsHash(hash_request),
            None => Decided::Refused(Reason::StoreBusy),
        })
    }

    /// Decides with what the store holds at a moment, and changes nothing. Says besides
    /// what must be found out first, or spent before a refusal.
    fn judge<S: GateStore>(
        &self,
        state: &mut State<S>,
        source: &ConnectSource<'_>,
        request: &Request,
        hash_result: Option<&HashResult>,
        moment: Moment,
    ) -> (Result<Decision, StoreError>, Option<HashRequest>) {
        let Moment { log_position, now } = moment;
        let listener = state.config.listener_at(source.listener);
        let leaves_unknown = state.config.options.chain == ChainMode::Defer;
        let (live_holders, unproved) = state.live_uses_of(&request.tie);
        let recent_uses = &state.journal.recent_uses;
        let mut directory = state
            .view
            .directory(log_position, recent_uses, unproved, now);
        let snapshot = directory.snapshot;
        let at = ConnectContext {
            listener: &listener,
            schemes: &snapshot.schemes,
            client_id_hold: snapshot.settings.client_id_hold,
            live_holders: &live_holders,
            reservation: source.reservation,
            seal_key: self.seal_key.as_ref(),
            lockout: snapshot.settings.lockout,
            now,
        };
        let mut comparison = Comparison::new(
            &state.verifier,
            &mut state.signature_checks,
            hash_result,
            leaves_unknown,
        );
        let decision = decide(request, &at, &mut directory, &mut comparison);
        let decision = decision.map(|decision| {
            if matches!(&decision, Decision::Admit(it) if inherits(it, request, source)) {
                Decision::Refuse(Reason::ClientIdOwned)
            } else {
                decision
            }
        });
        (decision, comparison.hash_request())
    }

    /// Commits what a decision changes.
    fn commit<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        source: &ConnectSource<'_>,
        request: &Request,
        decision: Decision,
        hash_result: Option<&HashResult>,
        moment: Moment,
    ) -> Result<Committed, StoreError> {
        let Moment { log_position, now } = moment;
        let admission = match decision {
            Decision::Admit(admission) => {
                // Of some it is not known before whose principals they are.
                let tenant = admission.identity.tenant().map(TenantId::as_str);
                if is_banned(state, source, request, tenant, log_position, now)? {
                    return Ok(Committed::Refused(Reason::Banned));
                }
                match state.config.taken_from(admission) {
                    Ok(admission) => self.counted(admission),
                    Err(reason) => return Ok(Committed::Refused(reason)),
                }
            }
            Decision::Refuse(reason) => return Ok(Committed::Refused(reason)),
            Decision::Fail(failure) => {
                // At once, for its client need not wait for the answer to have
                // learned that the code was wrong.
                self.fail(state, &failure, source.address, now)?;
                return Ok(Committed::Failed(failure.reason));
            }
            Decision::Challenge => return Ok(Committed::Challenged),
            Decision::Register(registration) => {
                let tenant = registration.tenant().map(TenantId::as_str);
                if is_banned(state, source, request, tenant, log_position, now)? {
                    return Ok(Committed::Refused(Reason::Banned));
                }
                return Ok(match register(state, &registration, now)? {
                    Ok(()) => Committed::Nothing,
                    Err(reason) => Committed::Refused(reason),
                });
            }
            Decision::Wait => return Ok(Committed::Refused(Reason::OverBudget)),
        };
        // All that can fail comes before what is committed.
        let grant = SessionGrant::of(&mut state.view, &admission.identity, &request.client_id)?;
        let identity = &admission.identity;
        let credential = identity.credential().map(|it| it.id);
        let tenant = identity.tenant();
        if state.is_over_connections(&grant.rights, credential, tenant, &request.tie) {
            return Ok(Committed::Refused(Reason::OverLimit));
        }
        let recorded = self.record(state, &admission, request, source, now)?;
        let is_arriving = match recorded {
            Recorded::Done => false,
            Recorded::Arriving => true,
            Recorded::Full => return Ok(Committed::Refused(Reason::ClientIdLimit)),
            Recorded::Outdated => return Ok(Committed::Nothing),
        };
        let outdated = hash_result.and_then(|it| remember(state, &admission, it));
        Ok(Committed::Admitted(Admitted {
            admission,
            grant,
            outdated,
            is_arriving,
        }))
    }

    /// The admission; for a user, with what has to be written down while
    /// failures can't be: else an attacker could guess without limit.
    fn counted(&self, mut admission: Admission) -> Admission {
        if self.has_uncounted_failure && matches!(admission.identity, Identity::User { .. }) {
            admission.record.user.get_or_insert_default();
        }
        admission
    }

    /// Counts a failed login against a user, before the client is answered.
    fn fail<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        failure: &FailedLogin,
        address: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let is_unknown = failure.reason == Reason::UnknownName;
        if is_unknown && state.config.options.chain == ChainMode::Defer {
            // Perhaps a name of somebody who is asked after us.
            return Ok(());
        }
        let recorded = state.view.store.record_failure(failure, now);
        self.has_uncounted_failure = recorded.is_err();
        let lockout = recorded?;
        // Of addresses that no user has, the refusals alone are written down:
        // anybody can make them up.
        if let Some(until) = lockout.locked_until.filter(|_| !is_unknown)
            && lockout.is_locked(now)
        {
            let seconds = until.since(now).as_secs();
            let failures = lockout.failures;
            let email = failure.email.to_string();
            let line = format!("`{email}` is locked out for {seconds} s");
            state.journal.host_log.say(line);
            let actor = format!("broker:{}", state.config.broker());
            let locked = AuditEntry {
                address: address.map(str::to_owned),
                after: Some(format!(r#"{{"failures":{failures},"seconds":{seconds}}}"#)),
                ..AuditEntry::done(now, actor, "user.lock", email)
            };
            let writer = &state.journal.writer;
            writer.counters.act(BrokerAct::Lock, true);
            writer.append(JournalEntry::Acted(Box::new(locked)));
        }
        Ok(())
    }

    /// Commits what a login changes, if the credential still is what was looked
    /// up.
    fn record<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        admission: &Admission,
        request: &Request,
        source: &ConnectSource<'_>,
        now: Timestamp,
    ) -> Result<Recorded, StoreError> {
        let identity = &admission.identity;
        // A store that can't be written could not count the failures of users, so
        // none of them is let in then.
        let is_user = matches!(identity, Identity::User { .. });
        if admission.record.is_empty() && !is_user {
            return Ok(Recorded::Done);
        }
        let proved = identity
            .credential()
            .zip(identity.proof())
            .map(|(credential, proof)| (&**credential, proof));
        let login = LoginEffects {
            broker: state.config.broker(),
            client_id: &request.client_id,
            username: proved.map(|(credential, _)| credential.name.as_str()),
            tenant: identity.tenant(),
            proved,
            record: LoginRecord {
                may_be_gone: source.may_be_gone,
                ..admission.record
            },
        };
        if let Some((credential, _)) = proved {
            // Whatever comes of it, it is not what was looked up any more.
            state.view.credential_cache.forget(credential.id);
        }
        let recorded = state.view.store.record_login(&login, now)?;
        if admission.record.user.is_some() {
            self.has_uncounted_failure = false;
        }
        Ok(recorded)
    }
}

/// Says whether a client would be handed the session of another principal, whatever
/// the store says of it: its host may have restored an older one.
fn inherits(admission: &Admission, request: &Request, source: &ConnectSource<'_>) -> bool {
    let credential = admission.identity.credential();
    let username = credential.map(|it| it.name.as_str().as_bytes());
    !request.session.starts_clean && source.left_by.is_some() && source.left_by != username
}

const MOST_TRIES: usize = 3;
