//! Clients that the gate never saw connect: restored from the host's
//! persistence, vouched for by a certificate, or asked about on behalf of a
//! message that was retained.
//!
//! A restored client is the principal that our own record says last logged in
//! with its client id, and only if the host's user name is the recorded one. A
//! client with a name from a certificate or a pre-shared key is that principal
//! only if the credential is marked for it. Every other such client has no
//! rights.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use countersign_core::access::AccessSubject;
use countersign_core::client_id::ClientId;
use countersign_core::connect::{LoginRecord, Proof, Request, SessionChange, SessionUse};
use countersign_core::credential::Credential;
use countersign_core::kind::Kind;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::options::ChainMode;
use countersign_core::ownership::{ClientIdClaim, Holder, Kept, StoredSession};
use countersign_core::reason::Reason;
use countersign_core::rights::{Rights, TopicUse};
use countersign_core::rule::Verdict;
use countersign_core::store::{GateStore, LoginEffects, Recorded, StoreError};
use countersign_core::time::Timestamp;
use countersign_core::topic::TopicName;

use crate::command;
use crate::gate::Gate;
use crate::host::{ClientRef, ConnectInfo, ConnectOutcome};
use crate::session::{Phase, Principal, Session};

/// What was found out about clients that are away, until anything changes.
#[derive(Debug, Default)]
pub(crate) struct UnseenClients {
    offline_owners: HashMap<Box<[u8]>, OfflineOwner>,
    retained_authors: HashMap<Option<Box<[u8]>>, RetainedAuthor>,
}

/// A client that the host keeps a session for.
#[derive(Clone, Debug)]
struct OfflineOwner {
    username: Option<String>,
    rights: Result<Arc<Rights>, Reason>,
}

/// The author of a retained message.
#[derive(Clone, Debug)]
enum RetainedAuthor {
    /// A principal of these tenants; with none, a principal that no longer
    /// exists.
    Of(Vec<TenantId>),
    /// A principal outside all tenants.
    Operator,
    /// An unauthenticated client.
    Unauthenticated,
}

/// That a client which its host let in may have no session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TurnedAway {
    /// What the host's log is to say; none where it has too many such lines
    /// already. The client is to be ended all the same.
    pub line: Option<String>,
}

/// A client that its host vouches for, before its session begins.
struct ExternalLogin {
    session: Session,
    credential: Arc<Credential>,
    /// What must be committed first.
    record: LoginRecord,
    /// Whether the host keeps it when it ends.
    is_stored: bool,
}

impl UnseenClients {
    /// Forgets everything: something changed.
    pub(crate) fn forget_all(&mut self) {
        self.offline_owners.clear();
        self.retained_authors.clear();
    }
}

impl<S: GateStore> Gate<S> {
    /// Judges one use of a topic on behalf of a client without a session.
    pub(crate) fn check_unseen(&mut self, client: &ClientRef<'_>, usage: TopicUse<'_>) -> Verdict {
        if let TopicUse::Unsubscribe = usage {
            return Verdict::Allow;
        }
        let verdict = match (usage, client.connected) {
            (_, true) => self.check_external(client, usage),
            // A client that is away publishes nothing; this is about who
            // published what is retained.
            (TopicUse::Publish { topic, .. }, false) => self.check_retained_author(client, topic),
            (
                TopicUse::Deliver { .. } | TopicUse::Subscribe { .. } | TopicUse::Unsubscribe,
                false,
            ) => self.check_offline(client, usage),
        };
        verdict.unwrap_or(Verdict::Deny(Reason::StoreUnavailable))
    }

    /// Judges a client that a certificate or a pre-shared key vouches for. Once
    /// it does something itself, it has a session; what is merely delivered to
    /// it may also be for a client that is away.
    fn check_external(
        &mut self,
        client: &ClientRef<'_>,
        usage: TopicUse<'_>,
    ) -> Result<Verdict, StoreError> {
        let now = self.now();
        let (verdict, external) = match self.judge_external(client, usage, now)? {
            Ok(judged) => judged,
            Err(reason) => return Ok(Verdict::Deny(reason)),
        };
        match usage {
            TopicUse::Publish { .. } | TopicUse::Subscribe { .. } => {}
            TopicUse::Deliver { .. } | TopicUse::Unsubscribe => return Ok(verdict),
        }
        if !self.begin_external(client, external, now)? {
            return Ok(Verdict::Deny(Reason::StoreBusy));
        }
        Ok(verdict)
    }

    fn judge_external(
        &mut self,
        client: &ClientRef<'_>,
        usage: TopicUse<'_>,
        now: Timestamp,
    ) -> Result<Result<(Verdict, ExternalLogin), Reason>, StoreError> {
        let external = match self.external_login(client, now)? {
            Ok(external) => external,
            Err(reason) => return Ok(Err(reason)),
        };
        let session = &external.session;
        let verdict = command::verdict_on(session, usage)
            .unwrap_or_else(|| session.judge(usage, &mut self.snapshot.verdict_cache));
        Ok(Ok((verdict, external)))
    }

    /// Judges what a host asks about a client whose connection is over and that has
    /// no session, such as its Will. [`Gate::check`] would begin a session.
    pub fn check_departed(&mut self, client: &ClientRef<'_>, usage: TopicUse<'_>) -> Verdict {
        if self.password_logins.is_unauthenticated(client)
            || self.users.challenges.is_unauthenticated(client)
        {
            return Verdict::Deny(Reason::Unauthenticated);
        }
        let now = self.now();
        match self.judge_external(client, usage, now) {
            Ok(Ok((verdict, _))) => verdict,
            Ok(Err(reason)) => Verdict::Deny(reason),
            Err(_) => Verdict::Deny(Reason::StoreUnavailable),
        }
    }

    /// Takes note that a connection was let in, of a host that says so each
    /// time. So a client that had its handle before is told from it, and
    /// whoever a certificate or a pre-shared key vouches for has a session at
    /// once.
    pub fn arrived(&mut self, client: &ClientRef<'_>) {
        let known = self.sessions.get(client.handle);
        let is_its =
            |session: &Session| session.is(client) && !matches!(session.phase, Phase::Gone { .. });
        if known.is_some_and(is_its)
            || self.password_logins.is_unauthenticated(client)
            || self.users.challenges.is_unauthenticated(client)
        {
            return;
        }
        self.forget(client.handle);
        let now = self.now();
        if let Ok(Ok(external)) = self.external_login(client, now) {
            // What fails is tried again when it does something.
            let _begun = self.begin_external(client, external, now);
        }
    }

    /// Says whether a connection that is open has this client id.
    #[must_use]
    pub fn is_live(&self, client_id: &str) -> bool {
        self.sessions.live(client_id).next().is_some()
    }

    /// Takes note that a client which its host let in, and vouches for, has no
    /// session, because it may have none. The host ends it. None for a client that
    /// has a session, or may be somebody else's.
    pub fn turn_away(&mut self, client: &ClientRef<'_>) -> Option<TurnedAway> {
        let session = self.sessions.get(client.handle);
        let is_its =
            |session: &Session| session.is(client) && !matches!(session.phase, Phase::Gone { .. });
        if session.is_some_and(is_its)
            || self.password_logins.is_unauthenticated(client)
            || self.users.challenges.is_unauthenticated(client)
        {
            return None;
        }
        let now = self.now();
        let may_be_others = self.config.options.chain == ChainMode::Defer;
        let mut info = ConnectInfo::new(client.handle, client.client_id?);
        info.username = Some(client.username?);
        info.address = client.origin.address;
        let asked = SessionUse::of(client.origin.protocol, client.origin.clean_start);
        let outcome = match Request::parse(info.client_id, info.username, None, asked) {
            Err(_) if may_be_others => return None,
            Err(reason) => self.refuse_malformed(&info, reason, now),
            Ok(request) => {
                let mut reason = self.external_login(client, now).ok()?.err()?;
                if reason == Reason::Unauthenticated {
                    if may_be_others {
                        return None;
                    }
                    reason = self.why_unknown(request.name.as_ref());
                }
                self.refuse(&request, info.address, reason, now)
            }
        };
        let line = match outcome {
            ConnectOutcome::Refused { line, .. } => line,
            ConnectOutcome::Admitted { .. }
            | ConnectOutcome::Challenge { .. }
            | ConnectOutcome::Pending { .. } => None,
        };
        Some(TurnedAway { line })
    }

    /// Why no credential stands for this name.
    fn why_unknown(&mut self, name: Option<&LoginName>) -> Reason {
        let found = name.map(|name| self.store.credential(name));
        match found {
            Some(Ok(None)) => Reason::UnknownName,
            _ => Reason::Unauthenticated,
        }
    }

    /// Begins the session of a client that its host vouches for; says whether
    /// its credential still was what was looked up.
    fn begin_external(
        &mut self,
        client: &ClientRef<'_>,
        external: ExternalLogin,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let ExternalLogin {
            mut session,
            credential,
            record,
            is_stored,
        } = external;
        if !self.record_external(client, &credential, record, now)? {
            return Ok(false);
        }
        self.forget(client.handle);
        if let Some(at) = credential.expires_at {
            self.sessions
                .set_deadline(at, client.handle, session.number);
        }
        session.stored = is_stored;
        self.begin(client.handle, session);
        if let Some(session) = self.sessions.get_mut(client.handle) {
            // Not every host announces the next connection with this handle, so
            // nothing of this one may outlive it.
            session.stored = false;
        }
        Ok(true)
    }

    /// Commits that the credential was used and that the client id is its own;
    /// says whether the credential still was what was looked up.
    fn record_external(
        &mut self,
        client: &ClientRef<'_>,
        credential: &Credential,
        record: LoginRecord,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        // The store asks for the secret that proved it; here the host did, and
        // the newest one stands for all.
        let (Some(client_id), Some(secret)) = (parse_client_id(client), credential.secrets.first())
        else {
            return Ok(false);
        };
        if record.is_empty() {
            return Ok(true);
        }
        let login = LoginEffects {
            broker: self.config.broker(),
            client_id: &client_id,
            username: Some(credential.name.as_str()),
            tenant: credential.tenant.as_ref(),
            proved: Some((credential, Proof::Secret(secret.id))),
            record,
        };
        self.credential_cache.forget(credential.id);
        Ok(match self.store.record_login(&login, now)? {
            Recorded::Done => true,
            Recorded::Full | Recorded::Outdated => false,
        })
    }

    /// The session of a client that a certificate or a pre-shared key vouches
    /// for, if it may have one, and what must be committed before it begins.
    fn external_login(
        &mut self,
        client: &ClientRef<'_>,
        now: Timestamp,
    ) -> Result<Result<ExternalLogin, Reason>, StoreError> {
        let (Some(client_id), Some(name)) = (parse_client_id(client), parse_name(client.username))
        else {
            return Ok(Err(Reason::Unauthenticated));
        };
        let Some(credential) = self.store.credential(&name)? else {
            return Ok(Err(Reason::Unauthenticated));
        };
        if let Err(reason) = credential.admits_external(&client_id, now) {
            return Ok(Err(reason));
        }
        let listener = self.config.listener_at(client.origin.listener);
        if listener.listener_tenant.is_some() && listener.listener_tenant != credential.tenant {
            return Ok(Err(Reason::WrongListener));
        }
        if !self
            .snapshot
            .keeps_prefixes(client_id.as_str(), credential.tenant.as_ref())
        {
            return Ok(Err(Reason::ClientIdMismatch));
        }
        let tie = client_id.tie();
        let is_another = |id| id != credential.id;
        let hold = self.snapshot.settings.client_id_hold;
        let stored = self.store.stored_session(&tie)?;
        // Where the host does not tell, it may be stored.
        let asked = SessionUse::of(client.origin.protocol, client.origin.clean_start);
        let is_held = stored.as_ref().is_some_and(|stored| {
            match stored.claim(Some(credential.id), credential.tenant.as_ref(), hold, now) {
                ClientIdClaim::Free => false,
                ClientIdClaim::FreeIfClean => !asked.starts_clean,
                ClientIdClaim::Held => true,
            }
        });
        if is_held || self.store.bound_to(&tie)?.is_some_and(is_another) {
            return Ok(Err(Reason::ClientIdOwned));
        }
        let subject = AccessSubject::of_credential(&credential);
        let rights = self.rights_of(subject, client_id.as_str())?;
        let record = LoginRecord {
            activates: !credential.ever_used,
            session: match stored.map(|stored| stored.kept) {
                Some(Kept::Own) if asked.is_stored => SessionChange::Kept,
                Some(Kept::Own | Kept::Unproved) if !asked.is_stored => SessionChange::Dropped,
                Some(_) if asked.is_stored => SessionChange::Stored,
                None if asked.is_stored => SessionChange::Taken,
                Some(_) | None => SessionChange::Kept,
            },
            ..LoginRecord::default()
        };
        let session = Session {
            number: self.sessions.next_number(),
            client_id: client_id.shared(),
            tie,
            username: Some(name.as_str().into()),
            presented: None,
            tag: self.secret_verifier.session_tag(client_id.as_str(), None),
            principal: Principal::External {
                id: credential.id,
                generation: credential.generation,
            },
            tenant: credential.tenant.clone(),
            began: now,
            rights,
            stored: false,
            protocol: client.origin.protocol,
            address: client.origin.address.map(Into::into),
            listener: client.origin.listener,
            depends_on: Box::default(),
            phase: Phase::Live,
            extension: None,
        };
        Ok(Ok(ExternalLogin {
            session,
            credential,
            record,
            is_stored: asked.is_stored,
        }))
    }

    /// Judges on behalf of a client that the host keeps a session for.
    fn check_offline(
        &mut self,
        client: &ClientRef<'_>,
        usage: TopicUse<'_>,
    ) -> Result<Verdict, StoreError> {
        let Some(client_id) = client.client_id else {
            return Ok(Verdict::Deny(Reason::Unauthenticated));
        };
        let offline_owner = match self.unseen.offline_owners.get(client_id) {
            Some(offline_owner) => offline_owner.clone(),
            None => {
                let offline_owner = self.find_offline_owner(client)?;
                let length = client_id.len();
                keep(
                    &mut self.unseen.offline_owners,
                    client_id.into(),
                    length,
                    offline_owner.clone(),
                );
                offline_owner
            }
        };
        if offline_owner.username.as_deref().map(str::as_bytes) != client.username {
            return Ok(Verdict::Deny(Reason::Unauthenticated));
        }
        Ok(match offline_owner.rights {
            Ok(rights) => rights.judge(usage, self.snapshot.verdict_cache.topic_owners()),
            Err(reason) => Verdict::Deny(reason),
        })
    }

    fn find_offline_owner(&mut self, client: &ClientRef<'_>) -> Result<OfflineOwner, StoreError> {
        let nobody = |reason| OfflineOwner {
            username: None,
            rights: Err(reason),
        };
        let Some(client_id) = parse_client_id(client) else {
            return Ok(nobody(Reason::Malformed));
        };
        let stored = self.store.stored_session(&client_id.tie())?;
        let Some(stored) = stored.filter(StoredSession::is_stored) else {
            return Ok(nobody(Reason::Unauthenticated));
        };
        if stored.is_unproved() {
            let rights = self.offline_rights_unauthenticated(&stored);
            return Ok(OfflineOwner {
                username: None,
                rights,
            });
        }
        let rights = match stored.holder {
            Holder::Credential(id) => match self.store.credential_by_id(id)? {
                Some(credential) => {
                    let tenant = stored.tenant.as_ref();
                    self.offline_rights(&credential, tenant, client_id.as_str())?
                }
                None => Err(Reason::UnknownName),
            },
            Holder::Former | Holder::Unauthenticated => Err(Reason::UnknownName),
        };
        Ok(OfflineOwner {
            username: stored.username,
            rights,
        })
    }

    /// State and dates count as if the client had connected. A user works in
    /// the tenant that is recorded, if it is granted still.
    fn offline_rights(
        &mut self,
        credential: &Credential,
        tenant: Option<&TenantId>,
        client_id: &str,
    ) -> Result<Result<Arc<Rights>, Reason>, StoreError> {
        if let Err(reason) = credential.is_in_force(self.now()) {
            return Ok(Err(reason));
        }
        Ok(match (&credential.kind, tenant) {
            (Kind::Device | Kind::Thing(_), _) => {
                Ok(self.rights_of(AccessSubject::of_credential(credential), client_id)?)
            }
            (Kind::User(user), Some(tenant)) if user.grant_in(tenant).is_some() => {
                Ok(self.rights_of(AccessSubject::User { credential, tenant }, client_id)?)
            }
            (Kind::User(_), _) => Err(Reason::UnknownTenant),
            // It is not recorded which token it was, nor so whether it still
            // counts.
            (Kind::Application(_) | Kind::Bearer, _) => Err(Reason::Unauthenticated),
        })
    }

    fn offline_rights_unauthenticated(
        &self,
        stored: &StoredSession,
    ) -> Result<Arc<Rights>, Reason> {
        let tenant = stored.tenant.as_ref();
        let rights = tenant.and_then(|id| self.snapshot.rights_in(id));
        rights.map(Arc::clone).ok_or(Reason::Unauthenticated)
    }

    /// Says whether the tenant of a retained message's author may still own
    /// the topic. The message itself was judged when it was published.
    fn check_retained_author(
        &mut self,
        client: &ClientRef<'_>,
        topic: &[u8],
    ) -> Result<Verdict, StoreError> {
        let topic = core::str::from_utf8(topic).ok();
        let Some(topic) = topic.and_then(|text| TopicName::parse(text).ok()) else {
            return Ok(Verdict::Deny(Reason::Malformed));
        };
        let is_foreign = match self.retained_author(client)? {
            RetainedAuthor::Operator => false,
            RetainedAuthor::Of(tenants) if tenants.is_empty() => self
                .snapshot
                .verdict_cache
                .topic_owners()
                .is_foreign(topic, None),
            RetainedAuthor::Of(tenants) => tenants.iter().all(|tenant| {
                let tenant = Some(tenant.as_str());
                self.snapshot
                    .verdict_cache
                    .topic_owners()
                    .is_foreign(topic, tenant)
            }),
            // Its topic was some open tenant's, and must still be.
            RetainedAuthor::Unauthenticated => {
                let owner = self.snapshot.verdict_cache.topic_owners().owner_of(topic);
                let owner = owner.and_then(|text| TenantId::parse(text).ok());
                owner.is_none_or(|id| self.snapshot.rights_in(&id).is_none())
            }
        };
        Ok(if is_foreign {
            Verdict::Deny(Reason::OtherTenant)
        } else {
            Verdict::Allow
        })
    }

    fn retained_author(&mut self, client: &ClientRef<'_>) -> Result<RetainedAuthor, StoreError> {
        let key: Option<Box<[u8]>> = client.username.map(Into::into);
        if let Some(retained_author) = self.unseen.retained_authors.get(&key) {
            return Ok(retained_author.clone());
        }
        let retained_author = match parse_name(client.username) {
            Some(name) => match self.store.credential(&name)? {
                Some(credential) if credential.is_operator() => RetainedAuthor::Operator,
                Some(credential) => RetainedAuthor::Of(tenants_of(&credential)),
                None => RetainedAuthor::Of(Vec::new()),
            },
            None if client.username.is_none() => RetainedAuthor::Unauthenticated,
            None => RetainedAuthor::Of(Vec::new()),
        };
        let length = key.as_ref().map_or(0, |key| key.len());
        keep(
            &mut self.unseen.retained_authors,
            key,
            length,
            retained_author.clone(),
        );
        Ok(retained_author)
    }
}

/// Remembers what was found out; where that is too much, it forgets all else.
fn keep<K: Eq + Hash, V>(known: &mut HashMap<K, V>, key: K, length: usize, found: V) {
    if length > LONGEST_KEY {
        return;
    }
    if known.len() >= MOST_KNOWN {
        known.clear();
    }
    known.insert(key, found);
}

/// The tenants that a principal may publish in.
fn tenants_of(credential: &Credential) -> Vec<TenantId> {
    match &credential.kind {
        Kind::User(user) => {
            let granted = user.grants.iter().map(|grant| grant.tenant.clone());
            granted.collect()
        }
        Kind::Application(_) | Kind::Bearer | Kind::Device | Kind::Thing(_) => {
            credential.tenant.iter().cloned().collect()
        }
    }
}

fn parse_client_id(client: &ClientRef<'_>) -> Option<ClientId> {
    ClientId::parse(core::str::from_utf8(client.client_id?).ok()?).ok()
}

fn parse_name(bytes: Option<&[u8]>) -> Option<LoginName> {
    LoginName::parse(core::str::from_utf8(bytes?).ok()?).ok()
}

const MOST_KNOWN: usize = 10_000;
/// What is longer is looked up each time.
const LONGEST_KEY: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_out_about_clients_that_are_away_has_an_end_in_number_and_bytes() {
        let mut known = HashMap::new();
        for number in 0..MOST_KNOWN + 10 {
            let key = number.to_string();
            keep(&mut known, key.clone(), key.len(), ());
            assert!(known.len() <= MOST_KNOWN);
        }
        assert_eq!(known.len(), 10);
        let long = "c".repeat(LONGEST_KEY + 1);
        keep(&mut known, long.clone(), long.len(), ());
        assert!(!known.contains_key(&long) && known.len() == 10);
    }
}
