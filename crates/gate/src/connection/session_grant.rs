//! What a session begins with and what it goes on with: its rights, its end, and
//! the credentials that it depends on.

use std::sync::Arc;

use countersign_core::access::AccessSubject;
use countersign_core::certificate::ProvedCertificate;
use countersign_core::client_id::ClientId;
use countersign_core::connect::Identity;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::issuer::ProvedToken;
use countersign_core::kind::Kind;
use countersign_core::name::GroupPath;
use countersign_core::reason::Reason;
use countersign_core::rights::Rights;
use countersign_core::store::{GateStore, StoreError};
use countersign_core::time::Timestamp;
use countersign_core::token::TokenRecord;

use crate::cache::store_snapshot::StoreSnapshot;
use crate::cache::store_view::StoreView;
use crate::connection::kick_reason::KickReason;
use crate::connection::principal::Principal;
use crate::connection::session::Session;
use crate::connection::session_extension::Child;
use crate::connection::sessions::Sessions;
use crate::host::Handle;

/// Says whether a session may keep its client id, as far as tenants, and the host, have
/// client ids of their own.
pub(crate) fn judge_client_id(snapshot: &StoreSnapshot, session: &Session) -> Result<(), Reason> {
    let client_id = &session.client_id;
    if !snapshot.keeps_prefixes(client_id, session.tenant.as_ref()) {
        return Err(Reason::ClientIdMismatch);
    }
    if session.may_be_hosts && snapshot.is_of_no_prefix(client_id) {
        return Err(Reason::ClientIdOwned);
    }
    Ok(())
}

/// What a session begins with, looked up before its login is committed.
pub(crate) struct SessionGrant {
    pub(crate) rights: Arc<Rights>,
    /// When it ends, if time alone brings it about.
    pub(crate) ends_at: Option<Timestamp>,
    /// The credentials, besides its own, that it depends on.
    pub(crate) depends_on: Box<[CredentialId]>,
    /// The groups whose roles it has besides its own.
    pub(crate) groups: Box<[GroupPath]>,
}

impl SessionGrant {
    /// What the session of a client begins with that is to be let in.
    pub(crate) fn of<S: GateStore>(
        view: &mut StoreView<S>,
        identity: &Identity,
        asked: &ClientId,
    ) -> Result<Self, StoreError> {
        let client_id = asked.as_str();
        let mut ends_at = identity.ends_at();
        let mut depends_on = Vec::new();
        let mut groups = Box::default();
        let rights = match identity {
            Identity::Bearer { credential, token } => {
                let bounds = TokenDependencies::of(view, credential, token)?;
                ends_at = Some(bounds.ends_at);
                depends_on = bounds.depends_on;
                view.rights_of(AccessSubject::Token { credential, token }, client_id)?
            }
            Identity::Certificate { credential, .. } | Identity::Credential { credential, .. } => {
                depends_on.extend(credential.parent());
                groups = credential.groups.as_slice().into();
                view.rights_at_login(credential, asked)?
            }
            Identity::Issued { credential, token } => {
                groups = credential.groups.as_slice().into();
                if token.roles.is_empty() {
                    view.rights_at_login(credential, asked)?
                } else {
                    let subject = subject_of_issued(credential, token);
                    view.rights_of(subject, client_id)?
                }
            }
            Identity::Unauthenticated { tenant } => {
                let tenant = tenant.as_ref();
                let rights = tenant.and_then(|id| view.snapshot.rights_in(id, Some(client_id)));
                rights.unwrap_or_else(|| Arc::new(Rights::none()))
            }
            Identity::User {
                credential, tenant, ..
            } => {
                let subject = AccessSubject::User { credential, tenant };
                groups = subject.groups().into();
                view.rights_of(subject, client_id)?
            }
        };
        Ok(Self {
            rights,
            ends_at,
            depends_on: depends_on.into(),
            groups,
        })
    }
}

/// Says why a session may not go on whose own credential still admits it:
/// what is beyond that of a user or a token.
pub(crate) fn judge_dependencies<S: GateStore>(
    view: &mut StoreView<S>,
    session: &Session,
    record: &Credential,
    now: Timestamp,
) -> Result<Result<(), KickReason>, StoreError> {
    match &session.principal {
        Principal::Bearer { token, .. } => {
            let Some(token) = view.store.token(&token.id)? else {
                return Ok(Err(KickReason::Refused(Reason::Revoked)));
            };
            let issuer = view.store.credential_by_id(token.issuer)?;
            let key = view.store.token_key(&token.key)?;
            let judged = token.admits(issuer.as_deref(), key.as_ref(), now);
            Ok(judged.map_err(KickReason::Refused))
        }
        Principal::Certificate { certificate, .. } => {
            let is_over = match end_of_certificate(view, certificate, record)? {
                Some(ends_at) => now >= ends_at,
                None => return Ok(Err(KickReason::Refused(Reason::CertificateUnknown))),
            };
            Ok(if is_over {
                Err(KickReason::Refused(Reason::CertificateExpired))
            } else {
                Ok(())
            })
        }
        Principal::Issued { token, .. } => {
            let issuer = view.store.issuer(token.issuer)?;
            let is_revoked = match &token.token_id {
                Some(id) => view.store.is_issued_token_revoked(token.issuer, id)?,
                None => false,
            };
            let judged = token.admits(issuer.as_ref(), is_revoked, record.tenant.as_ref(), now);
            Ok(judged.map_err(KickReason::Refused))
        }
        Principal::User { .. } => {
            let grant = record.kind.user().zip(session.tenant.as_ref());
            let grant = grant.and_then(|(user, tenant)| user.grant_in(tenant));
            Ok(if grant.is_some() {
                Ok(())
            } else {
                Err(KickReason::Ungranted)
            })
        }
        Principal::Credential { .. } | Principal::External { .. } | Principal::Unauthenticated => {
            Ok(Ok(()))
        }
    }
}

/// Whose access the session of a token has: that of the credential, with the roles that
/// the token gives.
fn subject_of_issued<'a>(credential: &'a Credential, token: &'a ProvedToken) -> AccessSubject<'a> {
    AccessSubject::Credential {
        credential,
        children: &[],
        more_roles: &token.roles,
    }
}

/// When a certificate counts no more that proved `record`; none if it does not count any
/// more, as it was removed, or the authority that vouched for it.
fn end_of_certificate<S: GateStore>(
    view: &mut StoreView<S>,
    certificate: &ProvedCertificate,
    record: &Credential,
) -> Result<Option<Timestamp>, StoreError> {
    let ends_at = certificate.ends_at;
    if let Some(id) = certificate.authority {
        let authority = view.store.authority(id)?;
        let is_its = authority.is_some_and(|it| record.tenant == Some(it.tenant));
        return Ok(is_its.then_some(ends_at));
    }
    let found = view.store.certificate(&certificate.fingerprint)?;
    let found = found.filter(|found| found.credential == record.id);
    Ok(found.map(|found| found.until.map_or(ends_at, |until| until.min(ends_at))))
}

/// What a live session may do now that its credential is `record`, and when
/// it ends. Unbinds from it the things that may not be bound to it any more.
pub(crate) fn rights_of_session<S: GateStore>(
    view: &mut StoreView<S>,
    sessions: &mut Sessions,
    handle: Handle,
    record: &Credential,
    now: Timestamp,
) -> Result<(Arc<Rights>, Option<Timestamp>), StoreError> {
    let_go_of_children(view, sessions, handle, record, now)?;
    let Some(session) = sessions.get(handle) else {
        return Ok((Arc::new(Rights::none()), None));
    };
    let children;
    let (subject, ends_at) = match &session.principal {
        Principal::Bearer { token, .. } => {
            let ends_at = TokenDependencies::of(view, record, token)?.ends_at;
            let subject = AccessSubject::Token {
                credential: record,
                token,
            };
            (subject, Some(ends_at))
        }
        Principal::Credential { secret, .. } => {
            children = session.keys_of_children();
            let subject = AccessSubject::Credential {
                credential: record,
                children: &children,
                more_roles: &[],
            };
            (subject, record.ends_at(*secret))
        }
        Principal::Certificate { certificate, .. } => {
            let ends_at = certificate.session_ends_at(record.expires_at);
            let certificate_ends = end_of_certificate(view, certificate, record)?;
            let ends_at = certificate_ends.map_or(ends_at, |end| end.min(ends_at));
            (AccessSubject::of_credential(record), Some(ends_at))
        }
        Principal::Issued { token, .. } => {
            let ends_at = token.session_ends_at(record.expires_at);
            (subject_of_issued(record, token), Some(ends_at))
        }
        Principal::External { .. } => (AccessSubject::of_credential(record), record.expires_at),
        Principal::Unauthenticated => return Ok((Arc::clone(&session.rights), None)),
        Principal::User { secret, .. } => {
            let ends_at = record.ends_at(*secret);
            let Some(tenant) = &session.tenant else {
                return Ok((Arc::new(Rights::none()), ends_at));
            };
            let subject = AccessSubject::User {
                credential: record,
                tenant,
            };
            (subject, ends_at)
        }
    };
    let rights = view.rights_of(subject, &session.client_id)?;
    let groups = subject.groups().to_vec();
    sessions.set_groups(handle, &groups);
    Ok((rights, ends_at))
}

fn let_go_of_children<S: GateStore>(
    view: &mut StoreView<S>,
    sessions: &mut Sessions,
    handle: Handle,
    record: &Credential,
    now: Timestamp,
) -> Result<(), StoreError> {
    let before = sessions.get(handle).map_or(&[][..], Session::children);
    if before.is_empty() {
        return Ok(());
    }
    let mut after = Vec::with_capacity(before.len());
    for child in before {
        let found = view.store.credential_by_id(child.id)?;
        let is_same = |found: &Credential| found.name == child.key;
        if found.is_some_and(|found| is_same(&found) && may_be_child(&found, record, now)) {
            after.push(child.clone());
        }
    }
    if after.as_slice() != before {
        sessions.set_children(handle, after);
    }
    Ok(())
}

/// What the session of a token depends on, besides the token.
struct TokenDependencies {
    /// When the first of all that ends.
    ends_at: Timestamp,
    depends_on: Vec<CredentialId>,
}

impl TokenDependencies {
    fn of<S: GateStore>(
        view: &mut StoreView<S>,
        bearer: &Credential,
        token: &TokenRecord,
    ) -> Result<Self, StoreError> {
        let issuer = view.store.credential_by_id(token.issuer)?;
        let key = view.store.token_key(&token.key)?;
        let (Some(issuer), Some(key)) = (issuer, key) else {
            // Gone since it was judged: it is judged again at once.
            return Ok(Self {
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
        Ok(Self {
            ends_at,
            depends_on: depends_on.into_iter().flatten().collect(),
        })
    }
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
