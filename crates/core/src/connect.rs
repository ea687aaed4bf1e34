//! The order of a CONNECT: shape, look up, back-off, verify, state and dates,
//! client-id rule, ownership, second factor, what must be recorded.
//!
//! [`decide`] is that order, once, for every host. It is pure: it asks a
//! [`Directory`] what is stored and a [`SecretCheck`] whether a secret
//! matches, and answers with a [`Decision`]. After a wait (a slow hash on
//! another thread) the host calls it again with what the wait brought, so
//! that everything that changed meanwhile counts.
//!
//! Logins of users, registrations of things and devices, tokens and unauthenticated
//! clients have a file each below.

use core::time::Duration;

use crate::client_id::{ClientId, ClientIdRule, ClientIdTie};
use crate::credential::{Credential, CredentialId};
use crate::kind::Kind;
use crate::lockout::LockoutPolicy;
use crate::name::{LoginName, Suffix, TenantId};
use crate::reason::Reason;
use crate::scheme::Schemes;
use crate::seal::SealKey;
use crate::secret::SecretId;
use crate::store::{Directory, StoreError};
use crate::time::Timestamp;

pub use self::certificate::{IsSigned, holder_of_certificate};
pub use self::client_ids::{
    ClientIdHold, ClientIdOwner, claim_client_id, may_keep_client_id, owner_of_client_id,
};
pub use self::decision::{
    Admission, Decision, FailedLogin, Identity, LoginRecord, Proof, Registration, SessionChange,
    UserLogin,
};
pub use self::find::{FoundCredential, find_by_login_name};
pub use self::request::{Method, ParsedNames, Request, SessionUse};
pub use self::secret_check::{DummyVerified, SecretCheck, SecretVerdict, SignatureVerdict};
pub use self::user::{
    ProvedUser, SignInRequest, Unproved, UserContext, decide_sign_in, starting_grant,
};

mod anonymous;
mod certificate;
mod client_ids;
mod decision;
mod device;
mod find;
mod issuer;
mod proved;
mod request;
mod secret_check;
mod thing;
mod token;
mod user;

/// Where and when a CONNECT arrived, and what holds there.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "it holds a key")]
pub struct ConnectContext<'a> {
    /// Where it arrived.
    pub listener: &'a Listener,
    /// All schemes.
    pub schemes: &'a Schemes,
    /// How long a client id is held after its last use.
    pub client_id_hold: Duration,
    /// All principals that are connected with this client id.
    pub live_holders: &'a [CredentialId],
    /// Whether the host keeps the client id for a client of its own.
    pub reservation: Reservation,
    /// What seeds of second factors were sealed with; without it, nobody who
    /// needs a second factor is let in.
    pub seal_key: Option<&'a SealKey>,
    /// When users are locked out, unless their tenants say otherwise.
    pub lockout: LockoutPolicy,
    /// When.
    pub now: Timestamp,
}

/// Whether a host keeps a client id for a client that no credential stands
/// for, such as one of its own bridges. A login that is right otherwise is then
/// refused for its client id.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Reservation {
    /// It does not.
    #[default]
    Free,
    /// It may: the host can't tell. A tenant with a prefix that the client id
    /// begins with may have it all the same.
    Possible,
    /// It does.
    Taken,
}

impl Reservation {
    /// What is known where the host does not tell whose its client ids are: its
    /// bridges' begin in one way, unless they are told otherwise.
    #[must_use]
    pub fn untold(client_id: &[u8]) -> Self {
        if client_id.starts_with(BRIDGES) {
            Self::Possible
        } else {
            Self::Free
        }
    }
}

/// How Mosquitto has the client ids of its own bridges begin.
const BRIDGES: &[u8] = b"local.";

/// Where a CONNECT arrived, and what the host was told about that place.
#[derive(Clone, Debug, Default)]
pub struct Listener {
    /// The only tenant whose principals this listener takes.
    pub listener_tenant: Option<TenantId>,
    /// The tenant of clients that name none.
    pub default_tenant: Option<TenantId>,
    /// Whether what is sent there is protected by TLS, as far as is known.
    pub is_tls: bool,
}

impl Listener {
    /// The tenant that answers for a client that names none.
    fn default_tenant_of_clients(&self) -> Option<&TenantId> {
        self.listener_tenant
            .as_ref()
            .or(self.default_tenant.as_ref())
    }

    /// Says whether this listener takes principals of `tenant`; operators,
    /// who have none, pass everywhere.
    #[must_use]
    pub fn takes(&self, tenant: Option<&TenantId>) -> bool {
        match (&self.listener_tenant, tenant) {
            (Some(only), Some(tenant)) => only == tenant,
            (Some(_) | None, None) | (None, Some(_)) => true,
        }
    }
}

/// Decides about a CONNECT.
///
/// # Errors
///
/// Returns the store's error when something could not be looked up. The
/// caller refuses then, too.
pub fn decide(
    request: &Request,
    at: &ConnectContext<'_>,
    directory: &mut dyn Directory,
    check: &mut dyn SecretCheck,
) -> Result<Decision, StoreError> {
    if request.secret.is_none()
        && let Some(presented) = &request.certificate
    {
        return certificate::decide(presented, request, at, directory, check);
    }
    if let Some(decision) = issuer::decide(request, at, directory, check)? {
        return Ok(decision);
    }
    if let Method::Token = request.method {
        return token::decide_alone(request, at, directory);
    }
    let Some(name) = &request.name else {
        return match token::decide(None, request, at, directory)? {
            Some(decision) => Ok(decision),
            None => anonymous::without_login(request, at, directory),
        };
    };
    let form = || at.schemes.form_of(name.as_str());
    let secret = request.secret.as_ref();
    let found = find::find(name, secret, at.schemes, at.now, directory)?;
    let (credential, checked) = match found {
        None => return unknown_name(name, request, at, directory, check),
        Some(FoundCredential::ByName(credential)) if matches!(credential.kind, Kind::User(_)) => {
            return user::decide(credential, &form, request, at, directory, check);
        }
        Some(FoundCredential::ByName(credential)) => {
            let checked = match &request.secret {
                Some(secret) => check.compare(&credential, secret, &form, at.now),
                None => SecretVerdict::Mismatch,
            };
            (credential, checked)
        }
        Some(FoundCredential::ByToken(credential, secret)) => {
            (credential, SecretVerdict::Match(secret))
        }
    };
    let secret = match checked {
        SecretVerdict::Match(secret) => secret,
        SecretVerdict::Mismatch => {
            return match credential.kind {
                Kind::Device | Kind::Operator => {
                    let tenant = credential.tenant.as_ref();
                    anonymous::wrong_login(Reason::BadSecret, tenant, request, at, directory)
                }
                // Of what an application or a person got wrong, no tenant says
                // that it does not matter.
                Kind::Application(_) | Kind::Bearer | Kind::Thing(_) | Kind::User(_) => {
                    Ok(Decision::Refuse(Reason::BadSecret))
                }
            };
        }
        SecretVerdict::OverBudget => return Ok(Decision::Refuse(Reason::OverBudget)),
        SecretVerdict::Waiting => return Ok(Decision::Wait),
    };
    if let Err(reason) = credential.admits(secret, &request.client_id, at.now) {
        return Ok(Decision::Refuse(reason));
    }
    if !at.listener.takes(credential.tenant.as_ref()) {
        return Ok(Decision::Refuse(Reason::WrongListener));
    }
    if is_tls_only(&credential, at.schemes) && !at.listener.is_tls {
        return Ok(Decision::Refuse(Reason::TlsRequired));
    }
    let claimant = client_ids::Claimant {
        credential: Some(credential.id),
        tenant: credential.tenant.as_ref(),
    };
    let session = match client_ids::own_client_id(&claimant, request, at, directory)? {
        Ok(owned) => owned.change,
        Err(reason) => return Ok(Decision::Refuse(reason)),
    };
    let record = LoginRecord {
        session,
        ..record_of(&credential, secret, &request.client_id)
    };
    Ok(Decision::Admit(Admission {
        identity: Identity::Credential { credential, secret },
        record,
    }))
}

fn is_tls_only(credential: &Credential, schemes: &Schemes) -> bool {
    schemes
        .find(credential.scheme.as_str())
        .is_some_and(crate::scheme::Scheme::is_tls_only)
}

/// What must be committed of the credential before the CONNACK of this login.
fn record_of(credential: &Credential, secret: SecretId, client_id: &ClientId) -> LoginRecord {
    let is_older = |id: SecretId| id < secret;
    LoginRecord {
        activates: !credential.ever_used,
        ties: tie_of(credential, client_id),
        retires_older_secrets: credential
            .secrets
            .iter()
            .any(|stored| stored.until_used && is_older(stored.id)),
        ..LoginRecord::default()
    }
}

/// The client id that this login ties a credential to.
fn tie_of(credential: &Credential, client_id: &ClientId) -> Option<ClientIdTie> {
    let asks_for_tie = credential.client_id_rule == ClientIdRule::FirstUse;
    (asks_for_tie && credential.client_id_tie.is_none()).then(|| client_id.tie())
}

/// A CONNECT with a name that no credential has.
fn unknown_name(
    name: &LoginName,
    request: &Request,
    at: &ConnectContext<'_>,
    directory: &mut dyn Directory,
    check: &mut dyn SecretCheck,
) -> Result<Decision, StoreError> {
    if let Some(decision) = token::decide(Some(name), request, at, directory)? {
        return Ok(decision);
    }
    if let Some(decision) = thing::decide(name, request, at, directory)? {
        return Ok(decision);
    }
    let form = at.schemes.form_of(name.as_str());
    let suffix = name.suffix();
    if suffix == Suffix::Email {
        return user::decide_unknown(name, form, request, at, directory, check);
    }
    if let Some(secret) = &request.secret {
        match check.dummy_verify(secret, form) {
            DummyVerified::Done => {}
            DummyVerified::OverBudget => return Ok(Decision::Refuse(Reason::OverBudget)),
            DummyVerified::Waiting => return Ok(Decision::Wait),
        }
    }
    anonymous::with_unknown_name(&suffix, request, at, directory)
}
