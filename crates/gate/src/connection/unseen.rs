//! Clients that the gate never saw connect: restored from the host's
//! persistence, vouched for by a certificate, or asked about on behalf of a
//! message that was retained.
//!
//! A restored client is the principal that our own record says last logged in
//! with its client id, and only if the host's user name is the recorded one. A
//! client with a name from a certificate or a pre-shared key is an
//! [`ExternalLogin`]. Every other such client has no rights.

use std::collections::HashMap;
use std::sync::Arc;

use countersign_core::access::AccessSubject;
use countersign_core::credential::Credential;
use countersign_core::kind::Kind;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::ownership::{Holder, StoredSession};
use countersign_core::reason::Reason;
use countersign_core::rights::{Rights, TopicUse};
use countersign_core::rule::Verdict;
use countersign_core::store::{Directory as _, GateStore, StoreError};
use countersign_core::time::Timestamp;
use countersign_core::topic::TopicName;

use crate::cache::store_view::StoreView;
use crate::connection::external::ExternalLogin;
use crate::host::ClientRef;
use crate::state::State;

/// What was found out about clients that are away, until anything changes.
#[derive(Debug, Default)]
pub(crate) struct UnseenClients {
    offline_owners: HashMap<Box<[u8]>, Arc<OfflineOwner>>,
    retained_authors: HashMap<Box<[u8]>, Arc<RetainedAuthor>>,
}

/// A client that the host keeps a session for.
#[derive(Debug)]
struct OfflineOwner {
    username: Option<Arc<str>>,
    rights: Result<Arc<Rights>, Reason>,
}

/// The author of a retained message, which is a principal.
#[derive(Debug)]
enum RetainedAuthor {
    /// One of these tenants; with none, one that no longer exists.
    Of(Vec<TenantId>),
    /// One outside all tenants.
    Operator,
}

impl UnseenClients {
    /// Forgets everything: something changed.
    pub(crate) fn forget_all(&mut self) {
        self.offline_owners.clear();
        self.retained_authors.clear();
    }

    /// Forgets what was found out about a client id: a session of it began or ended.
    pub(crate) fn forget(&mut self, client_id: &str) {
        if !self.offline_owners.is_empty() {
            self.offline_owners.remove(client_id.as_bytes());
        }
    }

    /// Judges one use of a topic on behalf of a client without a session.
    pub(crate) fn check<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        client: &ClientRef<'_>,
        usage: TopicUse<'_>,
        payload: usize,
    ) -> Verdict {
        let verdict = match (usage, client.connected) {
            (TopicUse::Unsubscribe, _) => return Verdict::Allow,
            (_, true) => {
                let verdict = check_external(state, client, usage, payload);
                if let Some(session) = state.sessions.get(client.handle) {
                    self.forget(&session.client_id);
                }
                verdict
            }
            // A client that is away publishes nothing; this is about who
            // published what is retained.
            (TopicUse::Publish { topic, .. }, false) => {
                self.check_retained_author(&mut state.view, client, topic)
            }
            (TopicUse::Deliver { .. } | TopicUse::Subscribe { .. }, false) => {
                self.check_offline(state, client, usage)
            }
        };
        verdict.unwrap_or(Verdict::Deny(Reason::StoreUnavailable))
    }

    /// Judges on behalf of a client that the host keeps a session for.
    fn check_offline<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        client: &ClientRef<'_>,
        usage: TopicUse<'_>,
    ) -> Result<Verdict, StoreError> {
        let Some(client_id) = client.client_id else {
            return Ok(Verdict::Deny(Reason::Unauthenticated));
        };
        let offline_owner = match self.offline_owners.get(client_id) {
            Some(offline_owner) => Arc::clone(offline_owner),
            None => {
                let found = Arc::new(find_offline_owner(state, client)?);
                keep(&mut self.offline_owners, client_id, &found);
                found
            }
        };
        if offline_owner.username.as_deref().map(str::as_bytes) != client.username {
            return Ok(Verdict::Deny(Reason::Unauthenticated));
        }
        Ok(match &offline_owner.rights {
            Ok(rights) => rights.judge(usage, state.view.snapshot.verdict_cache.topic_owners()),
            Err(reason) => Verdict::Deny(*reason),
        })
    }

    /// Says whether the tenant of a retained message's author may still own
    /// the topic. The message itself was judged when it was published.
    fn check_retained_author<S: GateStore>(
        &mut self,
        view: &mut StoreView<S>,
        client: &ClientRef<'_>,
        topic: &[u8],
    ) -> Result<Verdict, StoreError> {
        let topic = core::str::from_utf8(topic).ok();
        let Some(topic) = topic.and_then(|text| TopicName::parse(text).ok()) else {
            return Ok(Verdict::Deny(Reason::Malformed));
        };
        let author = match client.username {
            Some(username) => Some(self.retained_author(view, username)?),
            None => None,
        };
        let snapshot = &view.snapshot;
        let owners = snapshot.verdict_cache.topic_owners();
        let is_foreign = match author.as_deref() {
            Some(RetainedAuthor::Operator) => false,
            Some(RetainedAuthor::Of(tenants)) if tenants.is_empty() => {
                owners.is_foreign(topic, None)
            }
            Some(RetainedAuthor::Of(tenants)) => tenants
                .iter()
                .all(|tenant| owners.is_foreign(topic, Some(tenant.as_str()))),
            // Of an unauthenticated client. Its topic was some open tenant's, and
            // must still be.
            None => owners
                .owner_of(topic)
                .is_none_or(|id| !snapshot.admits_anonymous(id)),
        };
        Ok(if is_foreign {
            Verdict::Deny(Reason::OtherTenant)
        } else {
            Verdict::Allow
        })
    }

    fn retained_author<S: GateStore>(
        &mut self,
        view: &mut StoreView<S>,
        username: &[u8],
    ) -> Result<Arc<RetainedAuthor>, StoreError> {
        if let Some(author) = self.retained_authors.get(username) {
            return Ok(Arc::clone(author));
        }
        let name = core::str::from_utf8(username).ok();
        let credential = match name.and_then(|name| LoginName::parse(name).ok()) {
            Some(name) => view.store.credential(&name)?,
            None => None,
        };
        let author = Arc::new(match credential {
            Some(credential) if credential.is_operator() => RetainedAuthor::Operator,
            Some(credential) => RetainedAuthor::Of(tenants_of(&credential)),
            None => RetainedAuthor::Of(Vec::new()),
        });
        keep(&mut self.retained_authors, username, &author);
        Ok(author)
    }
}

/// Judges a client that a certificate or a pre-shared key vouches for. Once
/// it does something itself, it has a session; what is merely delivered to
/// it may also be for a client that is away.
fn check_external<S: GateStore>(
    state: &mut State<S>,
    client: &ClientRef<'_>,
    usage: TopicUse<'_>,
    payload: usize,
) -> Result<Verdict, StoreError> {
    let now = state.now();
    let external = match ExternalLogin::of(state, client, now)? {
        Ok(external) => external,
        Err(reason) => return Ok(Verdict::Deny(reason)),
    };
    let verdict = external.judge(state, usage);
    match usage {
        TopicUse::Publish { .. } | TopicUse::Subscribe { .. } => {}
        TopicUse::Deliver { .. } | TopicUse::Unsubscribe => return Ok(verdict),
    }
    if !external.begin(state, client, now)? {
        return Ok(Verdict::Deny(Reason::StoreBusy));
    }
    let verdict = match verdict {
        Verdict::Allow => state.within_limits(client.handle, usage, payload),
        Verdict::Deny(_) => verdict,
    };
    if let Verdict::Deny(cause) = verdict {
        state.count_denied(client.handle, usage, cause);
    }
    Ok(verdict)
}

/// Finds out what is recorded of a client that is away.
fn find_offline_owner<S: GateStore>(
    state: &mut State<S>,
    client: &ClientRef<'_>,
) -> Result<OfflineOwner, StoreError> {
    let now = state.now();
    let nobody = |reason| OfflineOwner {
        username: None,
        rights: Err(reason),
    };
    let Some(client_id) = client.parsed_client_id() else {
        return Ok(nobody(Reason::Malformed));
    };
    let tie = client_id.tie();
    state.settle(&tie)?;
    let stored = state
        .directory(None, now)?
        .holding(&tie, None)?
        .stored_session;
    let Some(stored) = stored.filter(StoredSession::is_stored) else {
        return Ok(nobody(Reason::Unauthenticated));
    };
    let view = &mut state.view;
    if stored.is_unproved() {
        let tenant = stored.tenant.as_ref();
        let rights = tenant.and_then(|id| view.snapshot.rights_in(id, Some(client_id.as_str())));
        return Ok(OfflineOwner {
            username: None,
            rights: rights.ok_or(Reason::Unauthenticated),
        });
    }
    let rights = match stored.holder {
        Holder::Credential(id) => match view.store.credential_by_id(id)? {
            Some(credential) => {
                let tenant = stored.tenant.as_ref();
                offline_rights(view, &credential, tenant, client_id.as_str(), now)?
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
fn offline_rights<S: GateStore>(
    view: &mut StoreView<S>,
    credential: &Credential,
    tenant: Option<&TenantId>,
    client_id: &str,
    now: Timestamp,
) -> Result<Result<Arc<Rights>, Reason>, StoreError> {
    if let Err(reason) = credential.is_in_force(now) {
        return Ok(Err(reason));
    }
    Ok(match (&credential.kind, tenant) {
        (Kind::Device | Kind::Operator | Kind::Thing(_), _) => {
            Ok(view.rights_of(AccessSubject::of_credential(credential), client_id)?)
        }
        (Kind::User(user), Some(tenant)) if user.grant_in(tenant).is_some() => {
            Ok(view.rights_of(AccessSubject::User { credential, tenant }, client_id)?)
        }
        (Kind::User(_), _) => Err(Reason::UnknownTenant),
        // It is not recorded which token it was, nor so whether it still
        // counts.
        (Kind::Application(_) | Kind::Bearer, _) => Err(Reason::Unauthenticated),
    })
}

/// Remembers what was found out; where that is too much, it forgets all else.
fn keep<T>(known: &mut HashMap<Box<[u8]>, Arc<T>>, key: &[u8], found: &Arc<T>) {
    if key.len() > LONGEST_KEY {
        return;
    }
    if known.len() >= MOST_KNOWN {
        known.clear();
    }
    known.insert(key.into(), Arc::clone(found));
}

/// The tenants that a principal may publish in.
fn tenants_of(credential: &Credential) -> Vec<TenantId> {
    match credential.kind.user() {
        Some(user) => {
            let granted = user.grants.iter().map(|grant| grant.tenant.clone());
            granted.collect()
        }
        None => credential.tenant.iter().cloned().collect(),
    }
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
            keep(&mut known, number.to_string().as_bytes(), &Arc::new(()));
            assert!(known.len() <= MOST_KNOWN);
        }
        assert_eq!(known.len(), 10);
        let long = "c".repeat(LONGEST_KEY + 1);
        keep(&mut known, long.as_bytes(), &Arc::new(()));
        assert!(!known.contains_key(long.as_bytes()) && known.len() == 10);
    }
}
