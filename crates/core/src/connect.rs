//! The order of a CONNECT: shape, look up, back-off, verify, state and dates,
//! client-id rule, ownership, second factor, what must be recorded.
//!
//! [`decide`] is that order, once, for every host. It is pure: it asks a
//! [`Directory`] what is stored and a [`SecretCheck`] whether a secret
//! matches, and answers with a [`Decision`]. After a wait (a slow hash on
//! another thread) the host calls it again with what the wait brought, so
//! that everything that changed meanwhile counts.

use core::time::Duration;
use std::sync::Arc;

use crate::client_id::{ClientId, ClientIdRule, ClientIdTie};
use crate::credential::{Credential, CredentialId};
use crate::name::{LoginName, Suffix, TenantId};
use crate::ownership::{Claim, Holder, StoredSession};
use crate::reason::Reason;
use crate::scheme::{NameForm, Schemes, TokenLogin};
use crate::secret::{Secret, SecretDigest, SecretId, Verifier};
use crate::store::{Directory, StoreError};
use crate::time::Timestamp;

/// What a CONNECT presents, once its shape was found good.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct Request {
    /// The client identifier.
    pub client_id: ClientId,
    /// The login name, if one was given.
    pub name: Option<LoginName>,
    /// The password, if one was given.
    pub secret: Option<Secret>,
    /// What becomes of the session that this client id names.
    pub session: SessionUse,
}

/// What a CONNECT does with stored sessions (MQTT 5.0 §3.1.2.4, MQTT 3.1.1
/// §3.1.2.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionUse {
    /// It throws away what was stored.
    pub starts_clean: bool,
    /// It leaves a session behind. One of MQTT 5 always may.
    pub is_stored: bool,
}

impl SessionUse {
    /// Reads the flag of a CONNECT: Clean Session in MQTT 3, Clean Start in 5.
    #[must_use]
    pub fn of(protocol: u8, clean: bool) -> Self {
        Self {
            starts_clean: clean,
            is_stored: protocol >= 5 || !clean,
        }
    }
}

impl Request {
    /// Parses the fields of a CONNECT (MQTT 5.0 §3.1.3).
    ///
    /// # Errors
    ///
    /// Returns [`Reason::Malformed`] when a field is no UTF-8 or has a shape
    /// that nothing valid has.
    pub fn parse(
        client_id: &[u8],
        username: Option<&[u8]>,
        password: Option<&[u8]>,
        session: SessionUse,
    ) -> Result<Self, Reason> {
        fn text(bytes: &[u8]) -> Result<&str, Reason> {
            core::str::from_utf8(bytes).map_err(|_| Reason::Malformed)
        }
        let client_id = ClientId::parse(text(client_id)?).map_err(|_| Reason::Malformed)?;
        let name = match username {
            None => None,
            Some(bytes) => {
                let name = LoginName::parse(text(bytes)?).map_err(|_| Reason::Malformed)?;
                let is_email = matches!(name.suffix(), Suffix::Email);
                if name.as_str().contains('+') && !is_email {
                    return Err(Reason::Malformed);
                }
                Some(name)
            }
        };
        let secret = password.map(|bytes| Secret::new(bytes.to_vec()));
        Ok(Self {
            client_id,
            name,
            secret,
            session,
        })
    }
}

/// Where and when a CONNECT arrived, and what holds there.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// Where it arrived.
    pub site: &'a Site,
    /// All schemes.
    pub schemes: &'a Schemes,
    /// How long a client id is held after its last use.
    pub client_id_hold: Duration,
    /// The principal that is connected with this client id.
    pub live_holder: Option<CredentialId>,
    /// When.
    pub now: Timestamp,
}

/// Where a CONNECT arrived, and what the host was told about that place.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// The only tenant whose principals this listener takes.
    pub listener_tenant: Option<TenantId>,
    /// The tenant of clients that name none.
    pub default_tenant: Option<TenantId>,
    /// Whether what is sent there is protected by TLS, as far as is known.
    pub is_tls: bool,
}

impl Site {
    /// The tenant that answers for a client that names none.
    fn tenant_of_the_nameless(&self) -> Option<&TenantId> {
        self.listener_tenant
            .as_ref()
            .or(self.default_tenant.as_ref())
    }

    /// Says whether this listener takes principals of `tenant`; operators,
    /// who have none, pass everywhere.
    fn takes(&self, tenant: Option<&TenantId>) -> bool {
        match (&self.listener_tenant, tenant) {
            (Some(only), Some(tenant)) => only == tenant,
            (Some(_) | None, None) | (None, Some(_)) => true,
        }
    }
}

/// Compares secrets for [`decide`], at whatever speed its host can afford.
pub trait SecretCheck {
    /// Says whether `presented` is a secret of `credential` that works at
    /// `now`.
    ///
    /// A mismatch costs what the shape of the presented name costs, whatever
    /// is stored: where a password could be expected, one slow hash.
    fn compare(
        &mut self,
        credential: &Credential,
        presented: &Secret,
        form: NameForm,
        now: Timestamp,
    ) -> Checked;

    /// Spends what [`SecretCheck::compare`] would have cost, for a name that
    /// nobody has.
    fn waste(&mut self, presented: &Secret, form: NameForm) -> Wasted;
}

/// What a comparison of secrets came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Checked {
    /// It is this secret of the credential.
    Match(SecretId),
    /// It is none of them.
    Mismatch,
    /// It was not compared: too many slow checks were asked for.
    OverBudget,
    /// It is being compared on another thread.
    Waiting,
}

/// What wasting the time of a comparison came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wasted {
    /// The time was spent.
    Done,
    /// Too many slow checks were asked for.
    OverBudget,
    /// It is being spent on another thread.
    Waiting,
}

/// What [`decide`] comes to.
#[derive(Clone, Debug)]
#[must_use]
pub enum Decision {
    /// Let the client in as this principal, after recording what must be.
    Admit(Admission),
    /// Refuse it. The client learns no reason; the audit does.
    Refuse(Reason),
    /// Decide again once the slow comparison is done.
    Wait,
}

/// Who is let in.
#[derive(Clone, Debug)]
pub struct Admission {
    /// As whom.
    pub identity: Identity,
    /// What must be committed before the client hears of it.
    pub record: LoginRecord,
}

/// As whom a client is let in.
#[derive(Clone, Debug)]
pub enum Identity {
    /// A credential, proved by one of its secrets.
    Credential {
        /// The credential, as it was when it was looked up.
        credential: Arc<Credential>,
        /// The secret that proved it.
        secret: SecretId,
    },
    /// A client that proved nothing, where a tenant allows that.
    Unauthenticated {
        /// The tenant whose namespaces it may use; if none yet, the first one
        /// it touches.
        tenant: Option<TenantId>,
    },
}

/// What a login changes for good.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LoginRecord {
    /// The credential was never used before.
    pub activates: bool,
    /// The client id it is tied to from now on.
    pub ties: Option<ClientIdTie>,
    /// Older secrets that were to work until this one was used.
    pub retires_older_secrets: bool,
    /// Whose the stored session of this client id is from now on.
    pub session: SessionChange,
}

impl LoginRecord {
    /// Says whether nothing has to be recorded before the CONNACK.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What becomes of the record of a stored session.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SessionChange {
    /// There is no stored session any more.
    Dropped,
    /// It stays as it is.
    #[default]
    Kept,
    /// It is whose login this is, from now on.
    Taken,
}

/// Decides about a CONNECT.
///
/// # Errors
///
/// Returns the store's error when something could not be looked up. The
/// caller refuses then, too.
pub fn decide(
    request: &Request,
    at: &Circumstances<'_>,
    directory: &mut dyn Directory,
    check: &mut dyn SecretCheck,
) -> Result<Decision, StoreError> {
    let Some(name) = &request.name else {
        return without_login(request, at, directory);
    };
    let form = at.schemes.form_of(name.as_str());
    let found = match directory.credential(name)? {
        Some(credential) if requires_token(&credential, at.schemes) => None,
        Some(credential) => Some(Found::ByName(credential)),
        None => find_by_token(name, request, form, at, directory)?,
    };
    let Some(found) = found else {
        return unknown_name(name, form, request, at, directory, check);
    };
    // Back-off belongs here.
    let (credential, checked) = match found {
        Found::ByName(credential) => {
            let checked = match &request.secret {
                Some(secret) => check.compare(&credential, secret, form, at.now),
                None => Checked::Mismatch,
            };
            (credential, checked)
        }
        Found::ByToken(credential, secret) => (credential, Checked::Match(secret)),
    };
    let secret = match checked {
        Checked::Match(secret) => secret,
        Checked::Mismatch => {
            let tenant = credential.tenant.as_ref();
            return wrong_login(Reason::BadSecret, tenant, request, at, directory);
        }
        Checked::OverBudget => return Ok(Decision::Refuse(Reason::OverBudget)),
        Checked::Waiting => return Ok(Decision::Wait),
    };
    if let Err(reason) = credential.admits(secret, &request.client_id, at.now) {
        return Ok(Decision::Refuse(reason));
    }
    if !at.site.takes(credential.tenant.as_ref()) {
        return Ok(Decision::Refuse(Reason::WrongListener));
    }
    if is_tls_only(&credential, at.schemes) && !at.site.is_tls {
        return Ok(Decision::Refuse(Reason::TlsRequired));
    }
    let claimant = Claimant {
        credential: Some(credential.id),
        tenant: credential.tenant.as_ref(),
    };
    let session = match own_client_id(&claimant, request, at, directory)? {
        Ok(session) => session,
        Err(reason) => return Ok(Decision::Refuse(reason)),
    };
    // The second factor belongs here.
    let record = LoginRecord {
        session,
        ..record_of(&credential, secret, &request.client_id)
    };
    Ok(Decision::Admit(Admission {
        identity: Identity::Credential { credential, secret },
        record,
    }))
}

/// A credential that was found, and how.
enum Found {
    /// By its name; its secret is still to be compared.
    ByName(Arc<Credential>),
    /// By the secret itself, which served as the name.
    ByToken(Arc<Credential>, SecretId),
}

/// Says whether a credential's name is a mere handle, and its secret is what
/// it logs in with.
fn requires_token(credential: &Credential, schemes: &Schemes) -> bool {
    schemes
        .find(credential.scheme.as_str())
        .is_some_and(|scheme| scheme.token_login() == TokenLogin::Required)
}

fn is_tls_only(credential: &Credential, schemes: &Schemes) -> bool {
    schemes
        .find(credential.scheme.as_str())
        .is_some_and(crate::scheme::Scheme::is_tls_only)
}

/// Finds a credential by a secret that serves as the name, where the name has
/// the shape of one and the password is the same.
fn find_by_token(
    name: &LoginName,
    request: &Request,
    form: NameForm,
    at: &Circumstances<'_>,
    directory: &mut dyn Directory,
) -> Result<Option<Found>, StoreError> {
    let Some(presented) = &request.secret else {
        return Ok(None);
    };
    // The digests are compared, in constant time, and not the texts.
    let digest = SecretDigest::of(presented);
    let is_same = digest == SecretDigest::of(&Secret::new(name.as_str().as_bytes().to_vec()));
    if form != NameForm::Token || !is_same {
        return Ok(None);
    }
    let Some(credential) = directory.credential_by_digest(&digest)? else {
        return Ok(None);
    };
    let allows_token = at
        .schemes
        .find(credential.scheme.as_str())
        .is_some_and(|scheme| scheme.token_login() != TokenLogin::Never);
    let proved = credential
        .secrets
        .iter()
        .find(|stored| match &stored.verifier {
            Verifier::Digest(known) => *known == digest && stored.is_usable(at.now),
            Verifier::Password(_) => false,
        });
    Ok(match proved.map(|stored| stored.id) {
        Some(secret) if allows_token => Some(Found::ByToken(credential, secret)),
        Some(_) | None => None,
    })
}

/// What must be committed of the credential before the CONNACK of this login.
fn record_of(credential: &Credential, secret: SecretId, client_id: &ClientId) -> LoginRecord {
    let asks_for_tie = credential.client_id_rule == ClientIdRule::FirstUse;
    let is_older = |id: SecretId| id < secret;
    LoginRecord {
        activates: !credential.ever_used,
        ties: (asks_for_tie && credential.client_id_tie.is_none()).then(|| client_id.tie()),
        retires_older_secrets: credential
            .secrets
            .iter()
            .any(|stored| stored.until_used && is_older(stored.id)),
        session: SessionChange::Kept,
    }
}

/// Who wants a client id.
struct Claimant<'a> {
    /// The credential; none for a client that proved nothing.
    credential: Option<CredentialId>,
    /// The tenant, as far as it is known.
    tenant: Option<&'a TenantId>,
}

/// Client-id ownership: whether the claimant may have this client id, and what
/// becomes of the session that is stored under it.
fn own_client_id(
    claimant: &Claimant<'_>,
    request: &Request,
    at: &Circumstances<'_>,
    directory: &mut dyn Directory,
) -> Result<Result<SessionChange, Reason>, StoreError> {
    let client_id = &request.client_id;
    if let Err(reason) = keeps_prefixes(claimant.tenant, client_id, directory)? {
        return Ok(Err(reason));
    }
    let is_another = |id: CredentialId| Some(id) != claimant.credential;
    let tie = client_id.tie();
    if directory.bound_to(&tie)?.is_some_and(is_another) || at.live_holder.is_some_and(is_another) {
        return Ok(Err(Reason::ClientIdOwned));
    }
    let stored = directory.stored_session(&tie)?;
    let claim = stored.as_ref().map_or(Claim::Free, |stored| {
        stored.claim(claimant.credential, at.client_id_hold, at.now)
    });
    Ok(match claim {
        Claim::Held => Err(Reason::ClientIdOwned),
        Claim::FreeIfClean if !request.session.starts_clean => Err(Reason::ClientIdOwned),
        Claim::Free | Claim::FreeIfClean => {
            Ok(session_change(stored.as_ref(), claimant, request.session))
        }
    })
}

/// Client-id prefixes: a tenant's are its own, and all its ids begin so.
fn keeps_prefixes(
    tenant: Option<&TenantId>,
    client_id: &ClientId,
    directory: &mut dyn Directory,
) -> Result<Result<(), Reason>, StoreError> {
    match directory.tenant_by_client_id(client_id)? {
        Some(owner) => Ok(if tenant == Some(&owner) {
            Ok(())
        } else {
            Err(Reason::ClientIdOwned)
        }),
        None => {
            let own = match tenant {
                Some(id) => directory.tenant(id)?,
                None => None,
            };
            Ok(match own {
                Some(tenant) if tenant.client_id_prefix.is_some() => Err(Reason::ClientIdMismatch),
                Some(_) | None => Ok(()),
            })
        }
    }
}

fn session_change(
    stored: Option<&StoredSession>,
    claimant: &Claimant<'_>,
    session: SessionUse,
) -> SessionChange {
    let (holder, is_stored) = match claimant.credential {
        Some(id) => (Holder::Credential(id), session.is_stored),
        // Anybody can make up client ids; only those are written down that
        // the broker has to remember, too.
        None => (
            Holder::Unauthenticated,
            session.is_stored && !session.starts_clean,
        ),
    };
    match stored {
        Some(_) if !is_stored => SessionChange::Dropped,
        None if !is_stored => SessionChange::Kept,
        Some(stored) if stored.holder == holder && stored.tenant.as_ref() == claimant.tenant => {
            SessionChange::Kept
        }
        Some(_) | None => SessionChange::Taken,
    }
}

/// A CONNECT that presents no name.
fn without_login(
    request: &Request,
    at: &Circumstances<'_>,
    directory: &mut dyn Directory,
) -> Result<Decision, StoreError> {
    let Some(id) = at.site.tenant_of_the_nameless() else {
        return if directory.some_tenant_admits_anonymous()? {
            admit_unauthenticated(None, request, at, directory)
        } else {
            Ok(Decision::Refuse(Reason::Unauthenticated))
        };
    };
    match directory.tenant(id)? {
        Some(tenant) if tenant.authentication.admits_anonymous() => {
            admit_unauthenticated(Some(id), request, at, directory)
        }
        Some(_) => Ok(Decision::Refuse(Reason::Unauthenticated)),
        None => Ok(Decision::Refuse(Reason::UnknownTenant)),
    }
}

/// A CONNECT with a name that nobody has.
fn unknown_name(
    name: &LoginName,
    form: NameForm,
    request: &Request,
    at: &Circumstances<'_>,
    directory: &mut dyn Directory,
    check: &mut dyn SecretCheck,
) -> Result<Decision, StoreError> {
    if let Some(secret) = &request.secret {
        match check.waste(secret, form) {
            Wasted::Done => {}
            Wasted::OverBudget => return Ok(Decision::Refuse(Reason::OverBudget)),
            Wasted::Waiting => return Ok(Decision::Wait),
        }
    }
    match name.suffix() {
        // An operator, a device of a scheme without suffixes, or somebody
        // whose tenant the place tells.
        Suffix::None => {
            let tenant = at.site.tenant_of_the_nameless();
            wrong_login(Reason::UnknownName, tenant, request, at, directory)
        }
        Suffix::Tenant(tenant) => match directory.tenant(&tenant)? {
            Some(_) => wrong_login(Reason::UnknownName, Some(&tenant), request, at, directory),
            None => Ok(Decision::Refuse(Reason::UnknownTenant)),
        },
        Suffix::Email => Ok(Decision::Refuse(Reason::UnknownName)),
        Suffix::Unknown => Ok(Decision::Refuse(Reason::UnknownTenant)),
    }
}

/// A login that proved nothing: refused, unless the tenant that answers for
/// it admits wrong logins as unauthenticated.
///
/// A wrong login of an operator, who has no tenant, is refused in every mode.
fn wrong_login(
    reason: Reason,
    tenant: Option<&TenantId>,
    request: &Request,
    at: &Circumstances<'_>,
    directory: &mut dyn Directory,
) -> Result<Decision, StoreError> {
    let Some(id) = tenant else {
        return Ok(Decision::Refuse(reason));
    };
    match directory.tenant(id)? {
        Some(tenant) if tenant.authentication.admits_wrong_login() && at.site.takes(Some(id)) => {
            admit_unauthenticated(Some(id), request, at, directory)
        }
        Some(_) | None => Ok(Decision::Refuse(reason)),
    }
}

fn admit_unauthenticated(
    tenant: Option<&TenantId>,
    request: &Request,
    at: &Circumstances<'_>,
    directory: &mut dyn Directory,
) -> Result<Decision, StoreError> {
    let claimant = Claimant {
        credential: None,
        tenant,
    };
    Ok(match own_client_id(&claimant, request, at, directory)? {
        Ok(session) => Decision::Admit(Admission {
            identity: Identity::Unauthenticated {
                tenant: tenant.cloned(),
            },
            record: LoginRecord {
                session,
                ..LoginRecord::default()
            },
        }),
        Err(reason) => Decision::Refuse(reason),
    })
}
