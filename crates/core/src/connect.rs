//! The order of a CONNECT: shape, look up, back-off, verify, state and dates,
//! client-id rule, ownership, second factor, what must be recorded.
//!
//! [`decide`] is that order, once, for every host. It is pure: it asks a
//! [`Directory`] what is stored and a [`SecretCheck`] whether a secret
//! matches, and answers with a [`Decision`]. After a wait (a slow hash on
//! another thread) the host calls it again with what the wait brought, so
//! that everything that changed meanwhile counts.
//!
//! What is particular to people, to things that nobody made yet, to tokens and
//! to clients that prove nothing has a file of its own below.

use core::time::Duration;
use std::sync::Arc;

use crate::client_id::{ClientId, ClientIdRule, ClientIdTie};
use crate::credential::{Credential, CredentialId};
use crate::jwt::TokenId;
use crate::kind::Kind;
use crate::lockout::LockoutPolicy;
use crate::name::{LoginName, Suffix, TenantId};
use crate::reason::Reason;
use crate::scheme::{NameForm, Schemes, TokenLogin};
use crate::seal::SealKey;
use crate::secret::{Secret, SecretDigest, SecretId};
use crate::store::{Directory, StoreError};
use crate::time::Timestamp;
use crate::token::TokenRecord;
use crate::totp::Step;
use crate::user::RecoveryCodeId;

pub use self::client_ids::may_keep_client_id;

mod bearer;
mod client_ids;
mod nobody;
mod person;
mod thing;

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
    /// How the secret came.
    pub method: Method,
}

/// How a client authenticates.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub enum Method {
    /// By the CONNECT alone. A user's code stands at the end of the password.
    Plain,
    /// By enhanced authentication (MQTT 5.0 §4.12), which asks for a code where
    /// one is needed.
    Enhanced {
        /// The code, once it was asked for: six digits, or a recovery code.
        code: Option<Secret>,
    },
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
                let is_email = |name: &LoginName| matches!(name.suffix(), Suffix::Email);
                if name.as_str().contains('+') && !is_email(&name) {
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
            method: Method::Plain,
        })
    }
}

/// Where and when a CONNECT arrived, and what holds there.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "it holds a key")]
pub struct Circumstances<'a> {
    /// Where it arrived.
    pub site: &'a Site,
    /// All schemes.
    pub schemes: &'a Schemes,
    /// How long a client id is held after its last use.
    pub client_id_hold: Duration,
    /// The principal that is connected with this client id.
    pub live_holder: Option<CredentialId>,
    /// What seeds of second factors were sealed with; without it, nobody who
    /// needs a second factor is let in.
    pub vault: Option<&'a SealKey>,
    /// When people are locked out, unless their tenants say otherwise.
    pub lockout: LockoutPolicy,
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
    /// Refuse it, and count it against a person.
    Fail(Failure),
    /// Ask for a code: name and password were right.
    Challenge,
    /// Make this thing first, and decide again.
    Register(Registration),
    /// Decide again once the slow comparison is done.
    Wait,
}

/// A failed login of a person, or of an e-mail address that nobody has.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Why it failed.
    pub reason: Reason,
    /// The address, folded.
    pub person: LoginName,
    /// When whoever it is will be locked out.
    pub policy: LockoutPolicy,
}

/// A thing that nobody made, presenting the token of an application that
/// registers its things.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The application.
    pub application: Arc<Credential>,
    /// The thing's key.
    pub key: LoginName,
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
    /// Whoever presents a token.
    Bearer {
        /// The bearer's credential, as it was when it was looked up.
        credential: Arc<Credential>,
        /// The token.
        token: Arc<TokenRecord>,
    },
    /// A device, an operator or a thing, proved by one of its secrets.
    Credential {
        /// The credential, as it was when it was looked up.
        credential: Arc<Credential>,
        /// The secret that proved it.
        secret: SecretId,
    },
    /// A user, proved by a password and, where needed, a second factor.
    User {
        /// The user's credential, as it was when it was looked up.
        credential: Arc<Credential>,
        /// The secret that proved it.
        secret: SecretId,
        /// The tenant that the session works in.
        tenant: TenantId,
    },
    /// A client that proved nothing, where a tenant allows that.
    Unauthenticated {
        /// The tenant whose namespaces it may use; if none yet, the first one
        /// it touches.
        tenant: Option<TenantId>,
    },
}

impl Identity {
    /// The credential, if anything was proved.
    #[must_use]
    pub const fn credential(&self) -> Option<&Arc<Credential>> {
        match self {
            Self::Bearer { credential, .. }
            | Self::Credential { credential, .. }
            | Self::User { credential, .. } => Some(credential),
            Self::Unauthenticated { .. } => None,
        }
    }

    /// What proved the credential.
    #[must_use]
    pub fn proof(&self) -> Option<Proof<'_>> {
        match self {
            Self::Bearer { token, .. } => Some(Proof::Token(&token.id)),
            Self::Credential { secret, .. } | Self::User { secret, .. } => {
                Some(Proof::Secret(*secret))
            }
            Self::Unauthenticated { .. } => None,
        }
    }

    /// The tenant whose topics the session uses; none for an operator.
    #[must_use]
    pub fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Bearer { token, .. } => Some(&token.tenant),
            Self::Credential { credential, .. } => credential.tenant.as_ref(),
            Self::User { tenant, .. } => Some(tenant),
            Self::Unauthenticated { tenant } => tenant.as_ref(),
        }
    }

    /// When the session ends, if time alone brings it about.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        match self {
            Self::Bearer { token, .. } => Some(token.expires_at),
            Self::Credential { credential, secret }
            | Self::User {
                credential, secret, ..
            } => credential.ends_at(*secret),
            Self::Unauthenticated { .. } => None,
        }
    }
}

/// What proves a credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Proof<'a> {
    /// One of its secrets.
    Secret(SecretId),
    /// A token made for it.
    Token(&'a TokenId),
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
    /// What changes of a user.
    pub user: Option<UserLogin>,
}

/// What a login changes of a user for good.
///
/// The tenant of the session becomes the one that the user worked in last, and
/// what failed before is forgiven.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct UserLogin {
    /// The step of the code that was accepted; no code of it or before it is
    /// accepted again.
    pub step: Option<Step>,
    /// The recovery code that was used up.
    pub recovery: Option<RecoveryCodeId>,
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
        return match bearer::decide(None, request, at, directory)? {
            Some(decision) => Ok(decision),
            None => nobody::without_login(request, at, directory),
        };
    };
    let form = at.schemes.form_of(name.as_str());
    let (credential, checked) = match find(name, request, form, at, directory)? {
        None => return unknown_name(name, form, request, at, directory, check),
        Some(Found::ByName(credential)) if matches!(credential.kind, Kind::User(_)) => {
            return person::decide(credential, form, request, at, directory, check);
        }
        Some(Found::ByName(credential)) => {
            let checked = match &request.secret {
                Some(secret) => check.compare(&credential, secret, form, at.now),
                None => Checked::Mismatch,
            };
            (credential, checked)
        }
        Some(Found::ByToken(credential, secret)) => (credential, Checked::Match(secret)),
    };
    let secret = match checked {
        Checked::Match(secret) => secret,
        Checked::Mismatch => {
            return match credential.kind {
                Kind::Device => {
                    let tenant = credential.tenant.as_ref();
                    nobody::wrong_login(Reason::BadSecret, tenant, request, at, directory)
                }
                // Of what an application or a person got wrong, no tenant says
                // that it does not matter.
                Kind::Application(_) | Kind::Bearer | Kind::Thing(_) | Kind::User(_) => {
                    Ok(Decision::Refuse(Reason::BadSecret))
                }
            };
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
    let claimant = client_ids::Claimant {
        credential: Some(credential.id),
        tenant: credential.tenant.as_ref(),
    };
    let session = match client_ids::own(&claimant, request, at, directory)? {
        Ok(session) => session,
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

/// A credential that was found, and how.
enum Found {
    /// By its name; its secret is still to be compared.
    ByName(Arc<Credential>),
    /// By the secret itself, which served as the name.
    ByToken(Arc<Credential>, SecretId),
}

/// Finds the credential that a name is the login name of.
fn find(
    name: &LoginName,
    request: &Request,
    form: NameForm,
    at: &Circumstances<'_>,
    directory: &mut dyn Directory,
) -> Result<Option<Found>, StoreError> {
    let is_login_name = |credential: &Arc<Credential>| {
        credential.kind.logs_in_by_name() && !requires_token(credential, at.schemes)
    };
    if let Some(credential) = directory.credential(name)? {
        return Ok(Some(credential).filter(is_login_name).map(Found::ByName));
    }
    if let Some(folded) = person::folded(name) {
        let user = directory
            .credential(&folded)?
            .filter(|credential| matches!(credential.kind, Kind::User(_)));
        return Ok(user.map(Found::ByName));
    }
    find_by_token(name, request, form, at, directory)
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
        .find(|stored| stored.is_digest(&digest) && stored.is_usable(at.now));
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
        user: None,
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
    if let Some(decision) = bearer::decide(Some(name), request, at, directory)? {
        return Ok(decision);
    }
    if let Some(decision) = thing::decide(name, request, at, directory)? {
        return Ok(decision);
    }
    let suffix = name.suffix();
    if suffix == Suffix::Email {
        return person::decide_unknown(name, form, request, at, directory, check);
    }
    if let Some(secret) = &request.secret {
        match check.waste(secret, form) {
            Wasted::Done => {}
            Wasted::OverBudget => return Ok(Decision::Refuse(Reason::OverBudget)),
            Wasted::Waiting => return Ok(Decision::Wait),
        }
    }
    nobody::with_unknown_name(&suffix, request, at, directory)
}
