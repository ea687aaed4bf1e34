//! Clients of hosts that are other programs: they keep their connections to themselves
//! and ask of each use of a topic, whenever they like.
//!
//! What such a host is told when it lets a client in is a [`Pin`]: the credential, its
//! generation and the secret that proved it. The host shows it with each question. So a
//! client that was let in is judged by what the store holds now, and the pin of a
//! credential that was deleted and made again, or was given another secret, is worth
//! nothing.

use core::fmt;
use std::sync::Arc;

use countersign_core::access::AccessSubject;
use countersign_core::audit::RefusedAct;
use countersign_core::ban::BanSubject;
use countersign_core::client_id::ClientId;
use countersign_core::connect::{FoundCredential, find_by_login_name, starting_grant};
use countersign_core::credential::{Credential, CredentialId, Generation};
use countersign_core::kind::Kind;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::reason::Reason;
use countersign_core::rights::{Rights, TopicUse};
use countersign_core::rule::Verdict;
use countersign_core::secret::SecretId;
use countersign_core::store::{GateStore, StoreError};
use countersign_core::time::Timestamp;

use crate::connection::principal::Principal;
use crate::host::Handle;
use crate::journal::denied_uses::{DeniedPrincipal, DeniedUse};
use crate::state::State;

/// Who was let in, in a form that its host hands back: `cs.ID.GENERATION.SECRET`. It is
/// no secret, and counts only from a host that is believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pin {
    credential: CredentialId,
    generation: Generation,
    secret: SecretId,
}

impl Pin {
    /// Reads a pin; none where `text` is not how one is written.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.strip_prefix("cs.")?.split('.').map(|part| {
            let number: i64 = part.parse().ok().filter(|number| *number >= 0)?;
            (number.to_string() == part).then_some(number)
        });
        let mut next = || numbers.next().flatten();
        let pin = Self {
            credential: CredentialId(next()?),
            generation: Generation(next()?),
            secret: SecretId(next()?),
        };
        numbers.next().is_none().then_some(pin)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            credential,
            generation,
            secret,
        } = self;
        write!(f, "cs.{}.{}.{}", credential.0, generation.0, secret.0)
    }
}

/// A client that was let in, for its host to remember.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Pinned {
    /// What the host is to show with each question about it.
    pub pin: Pin,
    /// The principal's name.
    pub username: Arc<str>,
    /// The tenant that it works in; none of an operator.
    pub tenant: Option<TenantId>,
    /// When it may not go on, if time alone brings that about.
    pub ends_at: Option<Timestamp>,
}

/// A client that a host asks about.
#[derive(Clone, Copy, Debug)]
pub struct PinnedClient<'a> {
    /// What the host was told to show. Without one, the user name alone says who it is:
    /// for hosts that can show nothing.
    pub pin: Option<Pin>,
    /// The user name that it presented, or that it is known by since.
    pub username: &'a [u8],
    /// Its client id.
    pub client_id: &'a [u8],
}

/// What a client wants, as far as its host tells.
#[derive(Clone, Copy, Debug)]
pub enum PinnedUse<'a> {
    /// To be connected.
    Connection,
    /// To receive a message of this topic.
    Deliver {
        /// The topic's name.
        topic: &'a [u8],
    },
    /// To publish. What is not told may be anything.
    Publish {
        /// The topic's name.
        topic: &'a [u8],
        /// 0, 1 or 2.
        qos: Option<u8>,
        /// Whether it is to be retained.
        retain: Option<bool>,
    },
    /// To subscribe.
    Subscribe {
        /// The topic filter.
        filter: &'a [u8],
        /// Whether the host asks about each delivery.
        checks_deliveries: bool,
    },
}

/// Who was let in under a handle; none where nobody was.
pub(crate) fn pinned<S: GateStore>(state: &mut State<S>, handle: Handle) -> Option<Pinned> {
    let session = state.sessions.get(handle)?;
    let (credential, generation, secret) = match session.principal {
        Principal::Credential {
            id,
            generation,
            secret,
        }
        | Principal::User {
            id,
            generation,
            secret,
        } => (id, generation, secret),
        Principal::Bearer { .. }
        | Principal::Certificate { .. }
        | Principal::External { .. }
        | Principal::Issued { .. }
        | Principal::Unauthenticated => return None,
    };
    let username = session.username.clone()?;
    let tenant = session.tenant.clone();
    let name = LoginName::parse(&username).ok()?;
    let record = state.view.credential_cache.by_name(&name);
    let record = record.or_else(|| state.view.store.credential(&name).ok().flatten())?;
    Some(Pinned {
        pin: Pin {
            credential,
            generation,
            secret,
        },
        username,
        tenant,
        ends_at: record.ends_at(secret),
    })
}

/// Judges what a client wants that its host knows by a pin.
pub(crate) fn check<S: GateStore>(
    state: &mut State<S>,
    client: &PinnedClient<'_>,
    usage: PinnedUse<'_>,
) -> Verdict {
    let now = state.now();
    match find(state, client, now) {
        Ok(Ok(principal)) => {
            let verdict = judge(state, &principal.rights, usage);
            if let Verdict::Deny(cause) = verdict {
                count_denied(state, &principal, usage, cause, now);
            }
            verdict
        }
        Ok(Err(reason)) => Verdict::Deny(reason),
        Err(_) => Verdict::Deny(Reason::StoreUnavailable),
    }
}

/// A principal that may go on, and what it may do.
struct PinnedPrincipal {
    username: Arc<str>,
    tenant: Option<TenantId>,
    rights: Arc<Rights>,
}

/// Finds who a client is, and whether it may go on.
fn find<S: GateStore>(
    state: &mut State<S>,
    client: &PinnedClient<'_>,
    now: Timestamp,
) -> Result<Result<PinnedPrincipal, Reason>, StoreError> {
    let name = core::str::from_utf8(client.username).ok();
    let name = name.and_then(|text| LoginName::parse(text).ok());
    let client_id = core::str::from_utf8(client.client_id).ok();
    let client_id = client_id.and_then(|text| ClientId::parse(text).ok());
    let (Some(name), Some(client_id)) = (name, client_id) else {
        return Ok(Err(Reason::Malformed));
    };
    let mut directory = state.directory(None, now)?;
    let schemes = &directory.snapshot.schemes;
    let found = find_by_login_name(&name, schemes, now, &mut directory)?;
    let (credential, by_token) = match found {
        Some(FoundCredential::ByName(credential)) => (credential, None),
        Some(FoundCredential::ByToken(credential, secret)) => (credential, Some(secret)),
        None => return Ok(Err(Reason::UnknownName)),
    };
    let judged = match (client.pin, by_token) {
        (Some(pin), _) if pin.credential != credential.id => Err(Reason::UnknownName),
        (Some(pin), _) if pin.generation != credential.generation => Err(Reason::BadSecret),
        (Some(pin), _) => credential.admits(pin.secret, &client_id, now),
        (None, Some(secret)) => credential.admits(secret, &client_id, now),
        (None, None) => credential.admits_known(&client_id, now),
    };
    if let Err(reason) = judged {
        return Ok(Err(reason));
    }
    let listener = state.config.listener_at(None);
    let tenant = match &credential.kind {
        Kind::User(user) => match starting_grant(user, &listener) {
            Ok(grant) => Some(grant.tenant.clone()),
            Err(reason) => return Ok(Err(reason)),
        },
        Kind::Device | Kind::Operator | Kind::Thing(_) => credential.tenant.clone(),
        Kind::Application(_) | Kind::Bearer => return Ok(Err(Reason::Unauthenticated)),
    };
    if !listener.takes(tenant.as_ref()) {
        return Ok(Err(Reason::WrongListener));
    }
    let banned = BanSubject {
        address: None,
        client_id: &client_id.tie(),
        tenant: tenant.as_ref().map(TenantId::as_str),
    };
    if state.is_banned(&banned, now)? {
        return Ok(Err(Reason::Banned));
    }
    let snapshot = &state.view.snapshot;
    if !snapshot.keeps_prefixes(client_id.as_str(), tenant.as_ref()) {
        return Ok(Err(Reason::ClientIdMismatch));
    }
    let rights = rights(state, &credential, tenant.as_ref(), &client_id)?;
    Ok(Ok(PinnedPrincipal {
        username: credential.name.shared(),
        tenant,
        rights,
    }))
}

fn rights<S: GateStore>(
    state: &mut State<S>,
    credential: &Arc<Credential>,
    tenant: Option<&TenantId>,
    client_id: &ClientId,
) -> Result<Arc<Rights>, StoreError> {
    match (&credential.kind, tenant) {
        (Kind::User(_), Some(tenant)) => {
            let subject = AccessSubject::User { credential, tenant };
            state.view.rights_of(subject, client_id.as_str())
        }
        _ => state.view.rights_at_login(credential, client_id),
    }
}

fn judge<S: GateStore>(state: &State<S>, rights: &Rights, usage: PinnedUse<'_>) -> Verdict {
    let owners = state.view.snapshot.verdict_cache.topic_owners();
    match usage {
        PinnedUse::Connection => Verdict::Allow,
        PinnedUse::Deliver { topic } => rights.judge(TopicUse::Deliver { topic }, owners),
        PinnedUse::Subscribe {
            filter,
            checks_deliveries,
        } => rights.judge_subscribe(filter, checks_deliveries, owners),
        PinnedUse::Publish { topic, qos, retain } => {
            // What allows the most allows the rest: a rule limits how high the QoS is,
            // and whether a message is retained.
            let (qos, retain) = (qos.unwrap_or(2), retain.unwrap_or(true));
            rights.judge(TopicUse::Publish { topic, qos, retain }, owners)
        }
    }
}

fn count_denied<S: GateStore>(
    state: &State<S>,
    principal: &PinnedPrincipal,
    usage: PinnedUse<'_>,
    cause: Reason,
    now: Timestamp,
) {
    let (act, topic) = match usage {
        PinnedUse::Publish { topic, .. } => (RefusedAct::Publish, topic),
        PinnedUse::Subscribe { filter, .. } => (RefusedAct::Subscribe, filter),
        PinnedUse::Connection | PinnedUse::Deliver { .. } => return,
    };
    let named = DeniedPrincipal::Named(Arc::clone(&principal.username));
    let denied = DeniedUse::new(named, act, cause, topic, now);
    let tenant = principal.tenant.as_ref();
    state.journal.writer.deny(denied, tenant, now);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_reads_back_as_it_is_written_and_nothing_else_is_one() {
        let pin = Pin {
            credential: CredentialId(7),
            generation: Generation(2),
            secret: SecretId(31),
        };
        assert_eq!(pin.to_string(), "cs.7.2.31");
        assert_eq!(Pin::parse("cs.7.2.31"), Some(pin));
        for wrong in [
            "",
            "cs.",
            "cs.7.2",
            "cs.7.2.31.",
            "cs.7.2.31.4",
            "cs.07.2.31",
            "cs.+7.2.31",
            "cs.-7.2.31",
            "CS.7.2.31",
            " cs.7.2.31",
            "cs.7.2.9223372036854775808",
        ] {
            assert_eq!(Pin::parse(wrong), None, "{wrong}");
        }
    }
}
