//! The gate itself: what a host asks, answered.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use countersign_core::change::Change;
use countersign_core::connect::{Admission, Decision, LoginRecord, Request, Site, decide};
use countersign_core::credential::Credential;
use countersign_core::name::TenantId;
use countersign_core::presence::{Observation, Presence};
use countersign_core::reason::Reason;
use countersign_core::rule::Verdict;
use countersign_core::secret::{SecretId, TagKey};
use countersign_core::store::{GateStore, Login, Recorded, StoreError, StoreErrorKind};
use countersign_core::time::Timestamp;

use crate::compare::Comparer;
use crate::follower::Follower;
use crate::host::{ConnectFacts, ConnectOutcome, Handle, Peer, Setting, TopicUse};
use crate::rights::{OpenTenants, Rights};
use crate::session::{Identity, Phase, Session, Sessions};
use crate::unseen::UnseenClients;
use crate::writer::{Note, RefusedLogin, Writer};

/// The gate of one broker.
///
/// It belongs to the thread of the host that handles packets.
///
/// # Examples
///
/// ```no_run
/// use std::sync::Arc;
///
/// use countersign::core::options::Options;
/// use countersign::core::time::Timestamp;
/// use countersign::sqlite::SqliteStore;
/// use countersign::{Gate, Setting};
///
/// let options = Options::parse([("store", "/var/lib/countersign/countersign.db")])?;
/// let store = SqliteStore::open(&options.store)?;
/// let setting = Setting {
///     options,
///     broker: "edge-1".into(),
///     clock: Arc::new(|| {
///         let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
///         Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
///     }),
///     wake: Arc::new(|| ()),
/// };
/// let mut gate = Gate::open(store, setting)?;
/// for directive in gate.poll() {
///     println!("{directive:?}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[expect(missing_debug_implementations, reason = "it holds keys")]
pub struct Gate<S: GateStore> {
    pub(crate) store: S,
    pub(crate) setting: Setting,
    pub(crate) comparer: Comparer,
    pub(crate) sessions: Sessions,
    pub(crate) open_tenants: OpenTenants,
    /// The store's version that the open tenants were read at.
    open_tenants_version: i64,
    pub(crate) unseen: UnseenClients,
    pub(crate) follower: Follower,
    pub(crate) writer: Writer,
    /// Changes not yet worked off, so that no poll takes long.
    pub(crate) backlog: VecDeque<Change>,
    /// When the store was last said to be unavailable.
    pub(crate) complained: Option<Timestamp>,
    /// Keeps other brokers from using this one's name.
    _claim: S::Claim,
}

impl<S: GateStore> Gate<S> {
    /// Opens a gate on a store and starts to follow it.
    ///
    /// # Errors
    ///
    /// Returns [`GateError`] when the store can't be used, when a live broker
    /// uses it under the same name, or when no thread can be started.
    pub fn open(mut store: S, setting: Setting) -> Result<Self, GateError> {
        let claim = store.claim_broker(setting.broker())?;
        let settings = store.settings()?;
        store.clear_presence(setting.broker())?;
        // Before anything that is kept in memory is read.
        let last = store.last_change()?;
        let open_tenants_version = store.version()?;
        let open_tenants = OpenTenants::new(store.open_tenants()?);
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|_| GateError::NoRandomness)?;
        let comparer = Comparer::new(TagKey::new(random), settings.argon2);
        let writer = Writer::start(
            store.reopen()?,
            setting.broker().to_owned(),
            Arc::clone(&setting.clock),
        )
        .map_err(GateError::NoThread)?;
        let follower = Follower::start(store.reopen()?, last, Arc::clone(&setting.wake))
            .map_err(GateError::NoThread)?;
        Ok(Self {
            store,
            setting,
            comparer,
            sessions: Sessions::default(),
            open_tenants,
            open_tenants_version,
            unseen: UnseenClients::default(),
            follower,
            writer,
            backlog: VecDeque::new(),
            complained: None,
            _claim: claim,
        })
    }

    /// Decides about a CONNECT.
    ///
    /// A host that asks again for a live connection (Mosquitto does on
    /// SIGHUP) is answered at once if it presents the same as before.
    pub fn connect(&mut self, facts: &ConnectFacts<'_>) -> ConnectOutcome {
        let now = self.now();
        let request = match Request::parse(facts.client_id, facts.username, facts.password) {
            Ok(request) => request,
            Err(reason) => {
                self.forget(facts.handle);
                return self.refuse(facts, None, reason, now);
            }
        };
        if let Some(username) = self.recognise(facts.handle, &request) {
            return ConnectOutcome::Admitted { username };
        }
        self.forget(facts.handle);
        match self.decide(facts, &request, now) {
            Ok(Decision::Admit(admission)) => self.admit(facts, request, admission, now),
            Ok(Decision::Refuse(reason)) => self.refuse(facts, Some(&request), reason, now),
            // Nothing here waits yet; what can't be decided is refused.
            Ok(Decision::Wait) => self.refuse(facts, Some(&request), Reason::OverBudget, now),
            Err(error) => self.refuse_for_store(facts, &request, &error, now),
        }
    }

    /// Judges one use of a topic.
    pub fn check(&mut self, peer: &Peer<'_>, usage: TopicUse<'_>) -> Verdict {
        let Some(session) = self
            .sessions
            .get(peer.handle)
            .filter(|session| session.is(peer))
        else {
            return self.check_unseen(peer, usage);
        };
        let verdict = session.judge(usage);
        if verdict.is_allowed() || session.tenant.is_some() {
            return verdict;
        }
        self.join_on_touch(peer.handle, usage).unwrap_or(verdict)
    }

    /// Takes note that a connection is gone. Unknown ones don't matter.
    pub fn disconnected(&mut self, handle: Handle) {
        let Some(session) = self.sessions.get(handle) else {
            return;
        };
        if let Phase::Gone { .. } = session.phase {
            // The second word about it: now the host has let go of it.
            self.sessions.remove(handle);
            return;
        }
        let number = session.number;
        self.writer
            .note(Note::Observed(Observation::Disconnected(number)));
        self.sessions.mark_gone(handle);
    }

    /// Writes down what is left, tells the store that nobody is connected any
    /// more, and ends the gate's threads.
    pub fn close(mut self) {
        self.follower.stop();
        self.writer.stop();
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.setting.clock)()
    }

    /// The user name of a live session that presents what it presented
    /// before.
    fn recognise(&self, handle: Handle, request: &Request) -> Option<Option<Arc<str>>> {
        let session = self.sessions.get(handle)?;
        let is_same_name = request.name == session.presented
            || request.name.as_ref().map(|name| name.as_str()) == session.username.as_deref();
        let tag = self
            .comparer
            .session_tag(request.client_id.as_str(), request.secret.as_ref());
        let is_same = session.phase == Phase::Live
            && *session.client_id == *request.client_id.as_str()
            && is_same_name
            && session.tag == tag;
        is_same.then(|| session.username.clone())
    }

    /// Drops what an earlier connection with this handle left.
    fn forget(&mut self, handle: Handle) {
        if let Some(session) = self.sessions.remove(handle)
            && !matches!(session.phase, Phase::Gone { .. })
        {
            let gone = Observation::Disconnected(session.number);
            self.writer.note(Note::Observed(gone));
        }
    }

    /// Decides, and commits what must be committed before the client hears of
    /// it. If the credential changed in between, decides again.
    fn decide(
        &mut self,
        facts: &ConnectFacts<'_>,
        request: &Request,
        now: Timestamp,
    ) -> Result<Decision, StoreError> {
        let site = Site {
            listener_tenant: self.setting.tenant_of(facts.listener).cloned(),
            default_tenant: self.setting.options.default_tenant.clone(),
        };
        for _ in 0..MOST_TRIES {
            let decision = decide(request, &site, now, &mut self.store, &mut self.comparer)?;
            let Decision::Admit(Admission::Credential {
                credential,
                secret,
                record,
            }) = &decision
            else {
                return Ok(decision);
            };
            if record.is_empty() || self.record(credential, *secret, *record, now)? {
                return Ok(decision);
            }
        }
        Ok(Decision::Refuse(Reason::StoreBusy))
    }

    /// Commits what a login changes; says whether the credential still was
    /// what was looked up.
    fn record(
        &mut self,
        credential: &Credential,
        secret: SecretId,
        record: LoginRecord,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let login = Login {
            broker: self.setting.broker(),
            credential,
            secret,
            record,
        };
        Ok(match self.store.record_login(&login, now)? {
            Recorded::Done => true,
            Recorded::Outdated => false,
        })
    }

    fn admit(
        &mut self,
        facts: &ConnectFacts<'_>,
        request: Request,
        admission: Admission,
        now: Timestamp,
    ) -> ConnectOutcome {
        let (identity, username, tenant, ends_at) = match &admission {
            Admission::Credential {
                credential, secret, ..
            } => {
                self.writer
                    .note(Note::Observed(Observation::Used(credential.id, now)));
                let identity = Identity::Credential {
                    id: credential.id,
                    generation: credential.generation,
                    secret: *secret,
                };
                let username: Arc<str> = credential.name.as_str().into();
                (
                    identity,
                    Some(username),
                    credential.tenant.clone(),
                    credential.ends_at(*secret),
                )
            }
            Admission::Unauthenticated { tenant } => {
                (Identity::Unauthenticated, None, tenant.clone(), None)
            }
        };
        let rights = match self.rights_of(tenant.as_ref()) {
            Ok(rights) => rights,
            Err(error) => return self.refuse_for_store(facts, &request, &error, now),
        };
        let number = self.sessions.next_number();
        // An MQTT 5 session always counts as stored: its expiry may be any.
        let stored = facts.protocol >= 5 || !facts.clean_start;
        let credential = match identity {
            Identity::Credential { id, .. } => Some(id),
            Identity::Unauthenticated => None,
        };
        self.writer
            .note(Note::Observed(Observation::Connected(Presence {
                session: number,
                client_id: request.client_id.as_str().to_owned(),
                username: username.as_deref().map(str::to_owned),
                credential,
                tenant: tenant.clone(),
                address: facts.address.map(str::to_owned),
                protocol: facts.protocol,
                connected_at: now,
                authenticated: credential.is_some(),
                listener: facts.listener,
                stored,
            })));
        if let Some(at) = ends_at {
            self.sessions.set_deadline(at, facts.handle, number);
        }
        let tag = self
            .comparer
            .session_tag(request.client_id.as_str(), request.secret.as_ref());
        self.sessions.insert(
            facts.handle,
            Session {
                number,
                client_id: request.client_id.as_str().into(),
                username: username.clone(),
                presented: request.name,
                tag,
                identity,
                tenant,
                rights,
                stored,
                phase: Phase::Live,
            },
        );
        ConnectOutcome::Admitted { username }
    }

    /// What a session of this tenant may do.
    pub(crate) fn rights_of(
        &mut self,
        tenant: Option<&TenantId>,
    ) -> Result<Arc<Rights>, StoreError> {
        let Some(id) = tenant else {
            return Ok(Arc::new(Rights::none()));
        };
        let tenant = self.store.tenant(id)?;
        Ok(Arc::new(tenant.map_or_else(Rights::none, |tenant| {
            Rights::of_tenant(&tenant)
        })))
    }

    fn refuse(
        &mut self,
        facts: &ConnectFacts<'_>,
        request: Option<&Request>,
        reason: Reason,
        now: Timestamp,
    ) -> ConnectOutcome {
        let presented = request.and_then(|request| request.name.as_ref());
        let subject = match (presented, facts.username) {
            (Some(name), _) => name.as_str().to_owned(),
            (None, None) => "(anonymous)".to_owned(),
            (None, Some(_)) => "(malformed)".to_owned(),
        };
        let from = facts.address.unwrap_or("an unknown address");
        let line = format!("refused `{subject}` from {from}: {reason}");
        self.writer.note(Note::Refused(RefusedLogin {
            at: now,
            subject,
            address: facts.address.map(str::to_owned),
            cause: reason,
        }));
        ConnectOutcome::Refused {
            reason,
            line: Some(line),
        }
    }

    /// Refuses because the store could not say; says so once a minute, not
    /// once a client.
    fn refuse_for_store(
        &mut self,
        facts: &ConnectFacts<'_>,
        request: &Request,
        error: &StoreError,
        now: Timestamp,
    ) -> ConnectOutcome {
        let is_busy = error.kind() == StoreErrorKind::Busy;
        let reason = if is_busy {
            Reason::StoreBusy
        } else {
            Reason::StoreUnavailable
        };
        let outcome = self.refuse(facts, Some(request), reason, now);
        if is_busy {
            return outcome;
        }
        let line = self
            .complain(now)
            .then(|| format!("refusing every login that needs the store: {error}"));
        ConnectOutcome::Refused { reason, line }
    }

    /// Says whether it is time to complain about the store again.
    pub(crate) fn complain(&mut self, now: Timestamp) -> bool {
        let is_time = self
            .complained
            .is_none_or(|last| now.since(last) >= COMPLAIN_EVERY);
        if is_time {
            self.complained = Some(now);
        }
        is_time
    }

    /// Lets an unauthenticated session without a tenant join the first one it
    /// touches.
    fn join_on_touch(&mut self, handle: Handle, usage: TopicUse<'_>) -> Option<Verdict> {
        // A tenant may have opened a moment ago.
        self.refresh_open_tenants().ok()?;
        let tenant = Arc::clone(self.open_tenants.touched(usage)?);
        let session = self.sessions.get_mut(handle)?;
        let may_join = matches!(session.identity, Identity::Unauthenticated)
            && session.judge_login_mode(tenant.authentication).is_ok();
        if !may_join {
            return None;
        }
        session.tenant = Some(tenant.id.clone());
        session.rights = Arc::new(Rights::of_tenant(&tenant));
        let joined = Observation::Joined(session.number, tenant.id.clone());
        let verdict = session.judge(usage);
        self.writer.note(Note::Observed(joined));
        Some(verdict)
    }

    /// Reads the open tenants again, if anybody has committed anything.
    pub(crate) fn refresh_open_tenants(&mut self) -> Result<(), StoreError> {
        let version = self.store.version()?;
        if version != self.open_tenants_version {
            self.open_tenants = OpenTenants::new(self.store.open_tenants()?);
            self.open_tenants_version = version;
        }
        Ok(())
    }

    fn check_unseen(&mut self, peer: &Peer<'_>, usage: TopicUse<'_>) -> Verdict {
        if let TopicUse::Unsubscribe = usage {
            return Verdict::Allow;
        }
        let now = self.now();
        self.unseen
            .judge(peer, usage, &mut self.store, now)
            .unwrap_or(Verdict::Deny(Reason::StoreUnavailable))
    }
}

/// Why a gate can't open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// The operating system gives no random bytes.
    #[error("the operating system gives no random bytes")]
    NoRandomness,
    /// No thread can be started.
    #[error("could not start a thread")]
    NoThread(#[source] std::io::Error),
    /// The store can't be used, or not under this broker's name.
    #[error(transparent)]
    Store(#[from] StoreError),
}

const MOST_TRIES: usize = 3;
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);
