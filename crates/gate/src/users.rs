//! Users, things and tokens: what their logins need, which other credentials
//! their sessions depend on, and their rights.

use std::collections::BTreeSet;
use std::sync::Arc;

use countersign_core::access::AccessSubject;
use countersign_core::audit::AuditEntry;
use countersign_core::client_id::ClientId;
use countersign_core::connect::{FailedLogin, Identity, Registration};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::kind::Kind;
use countersign_core::options::ChainMode;
use countersign_core::presence::SessionNumber;
use countersign_core::reason::Reason;
use countersign_core::rights::Rights;
use countersign_core::seal::SealKey;
use countersign_core::store::{AdminStore, GateStore, Registered, StoreError, StoreErrorKind};
use countersign_core::time::Timestamp;
use countersign_core::token::TokenRecord;

use crate::admin_worker::AdminWorker;
use crate::challenge::Challenges;
use crate::command::CommandQueue;
use crate::gate::{Gate, GateError};
use crate::host::{GateConfig, Handle};
use crate::journal::writer::JournalEntry;
use crate::session::{Child, KickReason, Principal, Session};
use crate::wakeup::WakeSignal;

/// What a gate keeps for users, things and tokens.
pub(crate) struct Users {
    /// What seeds of second factors were sealed with, as far as there is a key.
    pub(crate) seal_key: Option<SealKey>,
    pub(crate) challenges: Challenges,
    pub(crate) command_queue: CommandQueue,
    /// Whether the last failure of a user could not be written down. Until
    /// something can be, users are let in only if that can be written down.
    pub(crate) has_uncounted_failure: bool,
    /// Whether the host may be asking again about all its clients.
    pub(crate) is_reloading: bool,
    /// Whose sessions are to be ended because they went on with an
    /// authentication that was over.
    pub(crate) misbehaving: BTreeSet<(Handle, SessionNumber)>,
}

impl Users {
    /// Starts the admin worker.
    ///
    /// # Errors
    ///
    /// Returns [`GateError`] when the store can't be opened again, or when no
    /// thread can be started.
    pub(crate) fn start<S: GateStore + AdminStore>(
        store: &S,
        config: &GateConfig,
        wake_signal: &Arc<WakeSignal>,
        seal_key: Option<SealKey>,
    ) -> Result<Self, GateError> {
        let admin_worker = AdminWorker::start(
            store.reopen()?,
            Arc::clone(&config.clock),
            wake_signal,
            &*config.background,
        )
        .map_err(GateError::NoThread)?;
        Ok(Self {
            seal_key,
            challenges: Challenges::default(),
            command_queue: CommandQueue::new(admin_worker),
            has_uncounted_failure: false,
            is_reloading: false,
            misbehaving: BTreeSet::new(),
        })
    }

    /// Ends the admin worker.
    pub(crate) fn stop(&mut self) {
        self.command_queue.stop();
    }
}

/// What a session begins with, looked up before its login is committed.
pub(crate) struct SessionGrant {
    pub(crate) rights: Arc<Rights>,
    /// When it ends, if time alone brings it about.
    pub(crate) ends_at: Option<Timestamp>,
    /// The credentials, besides its own, that it depends on.
    pub(crate) depends_on: Box<[CredentialId]>,
}

impl<S: GateStore> Gate<S> {
    /// Counts a failed login against a user, before the client is answered;
    /// says why the login is refused.
    pub(crate) fn fail(
        &mut self,
        failure: &FailedLogin,
        address: Option<&str>,
        now: Timestamp,
    ) -> Result<Reason, StoreError> {
        let is_unknown = failure.reason == Reason::UnknownName;
        if is_unknown && self.config.options.chain == ChainMode::Defer {
            // Perhaps a name of somebody who is asked after us.
            return Ok(failure.reason);
        }
        let recorded = self.store.record_failure(failure, now);
        self.users.has_uncounted_failure = recorded.is_err();
        let lockout = recorded?;
        // Of addresses that no user has, the refusals alone are written down:
        // anybody can make them up.
        if let Some(until) = lockout.locked_until.filter(|_| !is_unknown)
            && lockout.is_locked(now)
        {
            let seconds = until.since(now).as_secs();
            let email = failure.email.to_string();
            let line = format!("`{email}` is locked out for {seconds} s");
            self.users.command_queue.log(line);
            let actor = format!("broker:{}", self.config.broker());
            self.writer.append(JournalEntry::Acted(Box::new(AuditEntry {
                address: address.map(str::to_owned),
                after: Some(format!(
                    r#"{{"failures":{},"seconds":{seconds}}}"#,
                    lockout.failures
                )),
                ..AuditEntry::done(now, actor, "user.lock", email)
            })));
        }
        Ok(failure.reason)
    }

    /// Makes the thing that presents an application's token, or finds that
    /// somebody has just made it; says why not.
    pub(crate) fn register(
        &mut self,
        registration: &Registration,
        now: Timestamp,
    ) -> Result<Result<(), Reason>, StoreError> {
        let Registration { application, key } = registration;
        let Ok(thing) = countersign_admin::thing::of_application(application, key, now) else {
            return Ok(Err(Reason::Malformed));
        };
        match self.store.register_thing(&thing, self.config.broker(), now) {
            Ok(Registered::Done) => Ok(Ok(())),
            Ok(Registered::Full) => Ok(Err(Reason::OverLimit)),
            Ok(Registered::TooFast) => Ok(Err(Reason::OverBudget)),
            Err(error) if error.kind() == StoreErrorKind::Conflict => Ok(Ok(())),
            Err(error) => Err(error),
        }
    }

    /// What the session of a client begins with that is to be let in.
    pub(crate) fn session_grant_of(
        &mut self,
        identity: &Identity,
        asked: &ClientId,
    ) -> Result<SessionGrant, StoreError> {
        let client_id = asked.as_str();
        let mut ends_at = identity.ends_at();
        let mut depends_on = Vec::new();
        let rights = match identity {
            Identity::Bearer { credential, token } => {
                let bounds = self.token_dependencies_of(credential, token)?;
                ends_at = Some(bounds.ends_at);
                depends_on = bounds.depends_on;
                self.rights_of(AccessSubject::Token { credential, token }, client_id)?
            }
            Identity::Credential { credential, .. } => {
                depends_on.extend(credential.parent());
                self.rights_at_login(credential, asked)?
            }
            Identity::Unauthenticated { tenant } => {
                let rights = tenant.as_ref().and_then(|id| self.snapshot.rights_in(id));
                rights.map_or_else(|| Arc::new(Rights::none()), Arc::clone)
            }
            Identity::User {
                credential, tenant, ..
            } => self.rights_of(AccessSubject::User { credential, tenant }, client_id)?,
        };
        Ok(SessionGrant {
            rights,
            ends_at,
            depends_on: depends_on.into(),
        })
    }

    /// Says why a session may not go on whose own credential still admits it:
    /// what is beyond that of a user or a token.
    pub(crate) fn judge_dependencies(
        &mut self,
        handle: Handle,
        record: &Credential,
        now: Timestamp,
    ) -> Result<Result<(), KickReason>, StoreError> {
        let Some(session) = self.sessions.get(handle) else {
            return Ok(Ok(()));
        };
        match &session.principal {
            Principal::Bearer { token, .. } => {
                let id = token.id.clone();
                let Some(token) = self.store.token(&id)? else {
                    return Ok(Err(KickReason::Refused(Reason::Revoked)));
                };
                let issuer = self.store.credential_by_id(token.issuer)?;
                let key = self.store.token_key(&token.key)?;
                let judged = token.admits(issuer.as_deref(), key.as_ref(), now);
                Ok(judged.map_err(KickReason::Refused))
            }
            Principal::User { .. } => {
                let is_granted = match (&record.kind, &session.tenant) {
                    (Kind::User(user), Some(tenant)) => user.grant_in(tenant).is_some(),
                    _ => false,
                };
                Ok(if is_granted {
                    Ok(())
                } else {
                    Err(KickReason::Ungranted)
                })
            }
            Principal::Credential { .. }
            | Principal::External { .. }
            | Principal::Unauthenticated => Ok(Ok(())),
        }
    }

    /// What a live session may do now that its credential is `record`, and when
    /// it ends.
    pub(crate) fn rights_of_session(
        &mut self,
        handle: Handle,
        record: &Credential,
        now: Timestamp,
    ) -> Result<(Arc<Rights>, Option<Timestamp>), StoreError> {
        self.let_go_of_children(handle, record, now)?;
        let Some(session) = self.sessions.get(handle) else {
            return Ok((Arc::new(Rights::none()), None));
        };
        let client_id = Arc::clone(&session.client_id);
        match &session.principal {
            Principal::Bearer { token, .. } => {
                let token = Arc::clone(token);
                let ends_at = self.token_dependencies_of(record, &token)?.ends_at;
                let subject = AccessSubject::Token {
                    credential: record,
                    token: &token,
                };
                let rights = self.rights_of(subject, &client_id)?;
                Ok((rights, Some(ends_at)))
            }
            Principal::Credential { secret, .. } => {
                let ends_at = record.ends_at(*secret);
                let children = session.keys_of_children();
                let subject = AccessSubject::Credential {
                    credential: record,
                    children: &children,
                };
                let rights = self.rights_of(subject, &client_id)?;
                Ok((rights, ends_at))
            }
            Principal::External { .. } => {
                let rights = self.rights_of(AccessSubject::of_credential(record), &client_id)?;
                Ok((rights, record.expires_at))
            }
            Principal::Unauthenticated => Ok((Arc::clone(&session.rights), None)),
            Principal::User { secret, .. } => {
                let ends_at = record.ends_at(*secret);
                let tenant = session.tenant.clone();
                let rights = match tenant {
                    Some(tenant) => {
                        let subject = AccessSubject::User {
                            credential: record,
                            tenant: &tenant,
                        };
                        self.rights_of(subject, &client_id)?
                    }
                    None => Arc::new(Rights::none()),
                };
                Ok((rights, ends_at))
            }
        }
    }

    /// What the host has as the user name of a session, if it has one: for a
    /// host that can't find a connection by its client id.
    #[must_use]
    pub fn username_of(&self, handle: Handle) -> Option<Arc<str>> {
        self.sessions.get(handle)?.username.clone()
    }

    /// Says whether a client that came later was let in under the client id of a
    /// session: for a host that ends connections by client id, and does not end
    /// one at once when another takes its id.
    #[must_use]
    pub fn is_taken_over(&self, handle: Handle) -> bool {
        self.sessions.get(handle).is_some_and(|session| {
            let mut live = self.sessions.live(&session.client_id);
            live.any(|other| other.number > session.number)
        })
    }

    /// A session's client id as it may be shown. That of a thing is its
    /// application id, which is secret: a few digits of its hash stand for it.
    pub(crate) fn shown_client_id(&self, session: &Session) -> Arc<str> {
        if session.is_of_thing() {
            return session.tie.hidden().into();
        }
        match self.masked(&session.client_id) {
            Some(masked) => masked.into(),
            None => Arc::clone(&session.client_id),
        }
    }

    /// The same of one that logs in, which costs next to nothing where its record
    /// is kept and this was asked before.
    pub(crate) fn rights_at_login(
        &mut self,
        credential: &Arc<Credential>,
        client_id: &ClientId,
    ) -> Result<Arc<Rights>, StoreError> {
        if let Some(rights) = self.credential_cache.rights(credential, client_id.as_str()) {
            return Ok(rights);
        }
        let subject = AccessSubject::of_credential(credential);
        let rights = self.rights_of(subject, client_id.as_str())?;
        self.credential_cache
            .keep_rights(credential, client_id, &rights);
        Ok(rights)
    }

    /// What a principal may do while it is connected as `client_id`.
    pub(crate) fn rights_of(
        &mut self,
        subject: AccessSubject<'_>,
        client_id: &str,
    ) -> Result<Arc<Rights>, StoreError> {
        self.snapshot.rights_of(subject, client_id, &mut self.store)
    }

    /// What a token's session depends on besides the token, and when the first
    /// of all that ends.
    fn token_dependencies_of(
        &mut self,
        bearer: &Credential,
        token: &TokenRecord,
    ) -> Result<TokenDependencies, StoreError> {
        let issuer = self.store.credential_by_id(token.issuer)?;
        let key = self.store.token_key(&token.key)?;
        let (Some(issuer), Some(key)) = (issuer, key) else {
            // Gone since it was judged: it is judged again at once.
            return Ok(TokenDependencies {
                ends_at: token.issued_at,
                depends_on: vec![token.issuer],
            });
        };
        let ends = [bearer.expires_at, issuer.expires_at, key.ends_at];
        let ends_at = ends
            .into_iter()
            .flatten()
            .fold(token.expires_at, Timestamp::min);
        let depends_on = [Some(issuer.id), issuer.parent()];
        Ok(TokenDependencies {
            ends_at,
            depends_on: depends_on.into_iter().flatten().collect(),
        })
    }

    /// Unbinds from a session the things that may not be bound to it any more.
    fn let_go_of_children(
        &mut self,
        handle: Handle,
        record: &Credential,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(session) = self.sessions.get(handle) else {
            return Ok(());
        };
        let before = session.children().to_vec();
        if before.is_empty() {
            return Ok(());
        }
        let mut after = Vec::with_capacity(before.len());
        for child in &before {
            let found = self.store.credential_by_id(child.id)?;
            let is_same = |found: &Credential| found.name == child.key;
            if found.is_some_and(|found| is_same(&found) && may_be_child(&found, record, now)) {
                after.push(child.clone());
            }
        }
        if after != before {
            self.sessions.set_children(handle, after);
        }
        Ok(())
    }
}

/// What the session of a token depends on.
struct TokenDependencies {
    ends_at: Timestamp,
    depends_on: Vec<CredentialId>,
}

/// Says whether a thing may be bound to the session of another: both are of one
/// application, and it is tied to no application id, which would mean that it
/// connects itself and that nobody else may pass for it.
pub(crate) fn may_be_child(child: &Credential, parent: &Credential, now: Timestamp) -> bool {
    let (Kind::Thing(one), Kind::Thing(other)) = (&child.kind, &parent.kind) else {
        return false;
    };
    one.application == other.application
        && child.tenant == parent.tenant
        && child.id != parent.id
        && child.client_id_tie.is_none()
        && child.is_in_force(now).is_ok()
}

impl From<&Credential> for Child {
    fn from(thing: &Credential) -> Self {
        Self {
            id: thing.id,
            key: thing.name.clone(),
        }
    }
}
