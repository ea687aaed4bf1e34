//! Clients that a certificate or a pre-shared key vouches for, and that never sent
//! a login: such a client is the principal of that name only if its credential is
//! marked for it.

use std::sync::Arc;

use countersign_core::access::AccessSubject;
use countersign_core::backoff::ip_of;
use countersign_core::ban::BanSubject;
use countersign_core::client_id::ClientId;
use countersign_core::connect::{
    ClientIdHold, LoginRecord, Method, Proof, Request, Reservation, SessionUse, claim_client_id,
};
use countersign_core::credential::Credential;
use countersign_core::name::TenantId;
use countersign_core::options::ChainMode;
use countersign_core::reason::Reason;
use countersign_core::rights::TopicUse;
use countersign_core::rule::Verdict;
use countersign_core::store::{GateStore, LoginEffects, Recorded, StoreError};
use countersign_core::time::Timestamp;

use crate::connection::principal::Principal;
use crate::connection::session::{Phase, Session};
use crate::connection::session_extension::SessionExtension;
use crate::connection::session_tag::SessionTag;
use crate::host::{ClientRef, ConnectInfo};
use crate::login::refusal::{Refusal, TurnedAway};
use crate::state::State;

/// A client that its host vouches for, before its session begins.
pub(crate) struct ExternalLogin {
    session: Session,
    client_id: ClientId,
    credential: Arc<Credential>,
    /// What must be committed first.
    record: LoginRecord,
    /// Whether the host keeps it when it ends.
    is_stored: bool,
}

impl ExternalLogin {
    /// The session of a client that a certificate or a pre-shared key vouches
    /// for, if it may have one, and what must be committed before it begins.
    pub(crate) fn of<S: GateStore>(
        state: &mut State<S>,
        client: &ClientRef<'_>,
        now: Timestamp,
    ) -> Result<Result<Self, Reason>, StoreError> {
        match parse(client) {
            Some(Ok(request)) => Self::of_request(state, client, &request, now),
            Some(Err(_)) | None => Ok(Err(Reason::Unauthenticated)),
        }
    }

    fn of_request<S: GateStore>(
        state: &mut State<S>,
        client: &ClientRef<'_>,
        request: &Request,
        now: Timestamp,
    ) -> Result<Result<Self, Reason>, StoreError> {
        let Some(name) = &request.name else {
            return Ok(Err(Reason::Unauthenticated));
        };
        let client_id = &request.client_id;
        let Some(credential) = state.view.store.credential(name)? else {
            return Ok(Err(Reason::Unauthenticated));
        };
        let subject = BanSubject {
            address: client.origin.address.and_then(ip_of),
            client_id: &request.tie,
            tenant: credential.tenant.as_ref().map(TenantId::as_str),
        };
        if state.is_banned(&subject, now)? {
            return Ok(Err(Reason::Banned));
        }
        if state.contact.refuses(now) {
            return Ok(Err(Reason::Stale));
        }
        if let Err(reason) = credential.admits_external(client_id, now) {
            return Ok(Err(reason));
        }
        let listener = state.config.listener_at(client.origin.listener);
        if listener.listener_tenant.is_some() && listener.listener_tenant != credential.tenant {
            return Ok(Err(Reason::WrongListener));
        }
        state.settle(&request.tie)?;
        let (live_holders, unproved) = state.live_uses_of(&request.tie);
        let mut directory = state.directory(unproved, now)?;
        let hold = ClientIdHold {
            live_holders: &live_holders,
            client_id_hold: directory.snapshot.settings.client_id_hold,
            now,
        };
        let reservation = client.origin.reservation;
        let claimed = claim_client_id(&credential, request, &hold, reservation, &mut directory)?;
        let session = match claimed {
            Ok(session) => session,
            Err(reason) => return Ok(Err(reason)),
        };
        let subject = AccessSubject::of_credential(&credential);
        let rights = state.view.rights_of(subject, client_id.as_str())?;
        let tenant = credential.tenant.as_ref();
        if state.is_over_connections(&rights, Some(credential.id), tenant, &request.tie) {
            return Ok(Err(Reason::OverLimit));
        }
        let record = LoginRecord {
            activates: !credential.ever_used,
            session,
            ..LoginRecord::default()
        };
        let session = Session {
            number: state.sessions.next_number(),
            client_id: client_id.shared(),
            tie: request.tie,
            username: Some(name.as_str().into()),
            presented: None,
            tag: SessionTag::without_password(state.verifier.key(), client_id.as_str()),
            principal: Principal::External {
                id: credential.id,
                generation: credential.generation,
            },
            tenant: credential.tenant.clone(),
            began: now,
            rights,
            meter: None,
            stored: false,
            protocol: client.origin.protocol,
            address: client.origin.address.map(Into::into),
            listener: client.origin.listener,
            depends_on: Box::default(),
            phase: Phase::Live,
            is_arriving: false,
            may_be_hosts: reservation == Reservation::Possible,
            extension: SessionExtension::of(&Method::Plain, credential.groups.clone().into()),
        };
        Ok(Ok(Self {
            session,
            client_id: request.client_id.clone(),
            credential,
            record,
            is_stored: request.session.is_stored,
        }))
    }

    /// Judges one use of a topic by a client that its host vouches for.
    pub(crate) fn judge<S: GateStore>(&self, state: &mut State<S>, usage: TopicUse<'_>) -> Verdict {
        let session = &self.session;
        session
            .judge_command(usage, state.config.takes_dynsec())
            .unwrap_or_else(|| session.judge(usage, &mut state.view.snapshot.verdict_cache))
    }

    /// Begins the session of a client that its host vouches for; says whether
    /// its credential still was what was looked up.
    pub(crate) fn begin<S: GateStore>(
        self,
        state: &mut State<S>,
        client: &ClientRef<'_>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if !self.record(state, now)? {
            return Ok(false);
        }
        let Self {
            mut session,
            credential,
            is_stored,
            ..
        } = self;
        state.forget(client.handle);
        if let Some(at) = credential.expires_at {
            state
                .sessions
                .set_deadline(at, client.handle, session.number);
        }
        session.stored = is_stored;
        state.begin(client.handle, session);
        if let Some(session) = state.sessions.get_mut(client.handle) {
            // Not every host announces the next connection with this handle, so
            // nothing of this one may outlive it.
            session.stored = false;
        }
        Ok(true)
    }

    /// Commits that the credential was used and that the client id is its own;
    /// says whether the credential still was what was looked up.
    fn record<S: GateStore>(
        &self,
        state: &mut State<S>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let credential = &self.credential;
        // The store asks for the secret that proved it; here the host did, and
        // the newest one stands for all.
        let Some(secret) = credential.secrets.first() else {
            return Ok(false);
        };
        if self.record.is_empty() {
            return Ok(true);
        }
        let login = LoginEffects {
            broker: state.config.broker(),
            client_id: &self.client_id,
            username: Some(credential.name.as_str()),
            tenant: credential.tenant.as_ref(),
            proved: Some((credential, Proof::Secret(secret.id))),
            record: self.record,
        };
        state.view.credential_cache.forget(credential.id);
        Ok(match state.view.store.record_login(&login, now)? {
            // Its host has let it in, so nothing is open about it.
            Recorded::Done | Recorded::Arriving => true,
            Recorded::Full | Recorded::Outdated => false,
        })
    }
}

/// What a client presented that its host vouches for. None without a client id.
fn parse(client: &ClientRef<'_>) -> Option<Result<Request, Reason>> {
    // Where the host does not tell, it may be stored.
    let asked = SessionUse::of(client.origin.protocol, client.origin.clean_start);
    let client_id = client.client_id?;
    Some(Request::parse(client_id, client.username, None, asked))
}

/// Begins the session of a client that its host let in and vouches for, if it may
/// have one. What fails is tried again when the client does something.
pub(crate) fn arrive<S: GateStore>(state: &mut State<S>, client: &ClientRef<'_>) {
    let now = state.now();
    if let Ok(Ok(external)) = ExternalLogin::of(state, client, now) {
        let _begun = external.begin(state, client, now);
    }
}

/// Judges one use of a topic by a client whose connection is over and that has no
/// session, if its host vouches for it.
pub(crate) fn judge_departed<S: GateStore>(
    state: &mut State<S>,
    client: &ClientRef<'_>,
    usage: TopicUse<'_>,
) -> Verdict {
    let now = state.now();
    match ExternalLogin::of(state, client, now) {
        Ok(Ok(external)) => external.judge(state, usage),
        Ok(Err(reason)) => Verdict::Deny(reason),
        Err(_) => Verdict::Deny(Reason::StoreUnavailable),
    }
}

/// Takes note that a client which its host let in, and vouches for, has no
/// session, because it may have none. None where it may be somebody else's.
pub(crate) fn turn_away<S: GateStore>(
    state: &mut State<S>,
    client: &ClientRef<'_>,
) -> Option<TurnedAway> {
    let now = state.now();
    let may_be_others = state.config.options.chain == ChainMode::Defer;
    let mut info = ConnectInfo::new(client.handle, client.client_id?);
    info.username = Some(client.username?);
    info.address = client.origin.address;
    let refusal = match parse(client)? {
        Err(_) if may_be_others => return None,
        Err(reason) => Refusal::malformed(state, &info, reason, now),
        Ok(request) => {
            let judged = ExternalLogin::of_request(state, client, &request, now);
            let mut reason = judged.ok()?.err()?;
            if reason == Reason::Unauthenticated {
                if may_be_others {
                    return None;
                }
                let found = request
                    .name
                    .as_ref()
                    .map(|it| state.view.store.credential(it));
                if let Some(Ok(None)) = found {
                    reason = Reason::UnknownName;
                }
            }
            Refusal::new(state, &request, info.address, reason, now)
        }
    };
    Some(refusal.into_turned_away(&mut state.journal))
}
