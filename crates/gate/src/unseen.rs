//! Clients that the gate never saw connect: restored from the host's
//! persistence, or asked about on behalf of a message that was retained.
//!
//! Such a client is the principal that our own record says last logged in
//! with its client id, and only if the host's user name is the recorded one.
//! Nobody else is anybody.

use std::collections::HashMap;
use std::sync::Arc;

use countersign_core::client_id::ClientId;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::reason::Reason;
use countersign_core::rule::Verdict;
use countersign_core::store::{GateStore, StoreError};
use countersign_core::time::Timestamp;

use crate::host::{Peer, TopicUse};
use crate::rights::Rights;

/// What was found out about unseen clients, until anything changes.
#[derive(Debug, Default)]
pub(crate) struct UnseenClients {
    stored: HashMap<Box<[u8]>, Known>,
    authors: HashMap<Option<Box<[u8]>>, Arc<Rights>>,
}

#[derive(Debug)]
struct Known {
    username: Option<String>,
    rights: Result<Arc<Rights>, Reason>,
}

impl UnseenClients {
    /// Forgets everything: something changed.
    pub(crate) fn forget_all(&mut self) {
        self.stored.clear();
        self.authors.clear();
    }

    /// Judges one use of a topic on behalf of a client that is not connected.
    ///
    /// # Errors
    ///
    /// Returns the store's error when the client could not be looked up.
    pub(crate) fn judge<S: GateStore>(
        &mut self,
        peer: &Peer<'_>,
        usage: TopicUse<'_>,
        store: &mut S,
        now: Timestamp,
    ) -> Result<Verdict, StoreError> {
        let Some(client_id) = peer.client_id else {
            return Ok(Verdict::Deny(Reason::Unauthenticated));
        };
        if let (TopicUse::Publish { .. }, false) = (usage, peer.connected) {
            return self.judge_author(peer.username, usage, store);
        }
        if !self.stored.contains_key(client_id) {
            let known = look_up(client_id, store, now)?;
            if self.stored.len() >= MOST_KNOWN {
                self.stored.clear();
            }
            self.stored.insert(client_id.into(), known);
        }
        let Some(known) = self.stored.get(client_id) else {
            return Ok(Verdict::Deny(Reason::Unauthenticated));
        };
        if known.username.as_deref().map(str::as_bytes) != peer.username {
            return Ok(Verdict::Deny(Reason::Unauthenticated));
        }
        Ok(match &known.rights {
            Ok(rights) => rights.judge(usage),
            Err(reason) => Verdict::Deny(*reason),
        })
    }

    /// Says whether the tenant of a retained message's author still owns the
    /// topic. The message itself was judged when it was published.
    fn judge_author<S: GateStore>(
        &mut self,
        username: Option<&[u8]>,
        usage: TopicUse<'_>,
        store: &mut S,
    ) -> Result<Verdict, StoreError> {
        let key: Option<Box<[u8]>> = username.map(Into::into);
        if let Some(rights) = self.authors.get(&key) {
            return Ok(rights.judge(usage));
        }
        let tenant = match username {
            Some(name) => tenant_of_name(name, store)?,
            None => {
                // Anonymous authors have no record; any open tenant will do.
                let open = store.open_tenants()?;
                let owner = open
                    .iter()
                    .map(|tenant| Rights::of_tenant(tenant))
                    .find(|rights| rights.judge(usage).is_allowed());
                return Ok(match owner {
                    Some(_) => Verdict::Allow,
                    None => Verdict::Deny(Reason::Unauthenticated),
                });
            }
        };
        let rights = Arc::new(rights_of_tenant(tenant.as_ref(), store)?);
        let verdict = rights.judge(usage);
        if self.authors.len() >= MOST_KNOWN {
            self.authors.clear();
        }
        self.authors.insert(key, rights);
        Ok(verdict)
    }
}

fn tenant_of_name<S: GateStore>(
    name: &[u8],
    store: &mut S,
) -> Result<Option<TenantId>, StoreError> {
    let Some(name) = core::str::from_utf8(name)
        .ok()
        .and_then(|text| LoginName::parse(text).ok())
    else {
        return Ok(None);
    };
    Ok(store
        .credential(&name)?
        .and_then(|credential| credential.tenant.clone()))
}

fn look_up<S: GateStore>(
    client_id: &[u8],
    store: &mut S,
    now: Timestamp,
) -> Result<Known, StoreError> {
    let nobody = |reason| Known {
        username: None,
        rights: Err(reason),
    };
    let Some(client_id) = core::str::from_utf8(client_id)
        .ok()
        .and_then(|text| ClientId::parse(text).ok())
    else {
        return Ok(nobody(Reason::Malformed));
    };
    let Some(login) = store.last_login(&client_id)? else {
        return Ok(nobody(Reason::Unauthenticated));
    };
    let rights = match login.credential {
        Some(id) => match store.credential_by_id(id)? {
            Some(credential) => match credential.is_in_force(now) {
                // State and dates count as if it had connected.
                Ok(()) => Ok(rights_of_tenant(credential.tenant.as_ref(), store)?),
                Err(reason) => Err(reason),
            },
            None => Err(Reason::UnknownName),
        },
        None => match &login.tenant {
            Some(id) => match store.tenant(id)? {
                Some(tenant) if tenant.authentication.admits_anonymous() => {
                    Ok(Rights::of_tenant(&tenant))
                }
                Some(_) | None => Err(Reason::Unauthenticated),
            },
            None => Err(Reason::Unauthenticated),
        },
    };
    Ok(Known {
        username: login.username,
        rights: rights.map(Arc::new),
    })
}

fn rights_of_tenant<S: GateStore>(
    tenant: Option<&TenantId>,
    store: &mut S,
) -> Result<Rights, StoreError> {
    let Some(id) = tenant else {
        return Ok(Rights::none());
    };
    Ok(store
        .tenant(id)?
        .map_or_else(Rights::none, |tenant| Rights::of_tenant(&tenant)))
}

const MOST_KNOWN: usize = 10_000;
