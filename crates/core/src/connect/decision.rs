//! The decision about a CONNECT: which principal is admitted, and what must be
//! committed before the client is answered.

use std::sync::Arc;

use crate::certificate::{AuthorityId, Fingerprint, ProvedCertificate};
use crate::client_id::ClientIdTie;
use crate::credential::Credential;
use crate::issuer::ProvedToken;
use crate::jwt::TokenId;
use crate::lockout::LockoutPolicy;
use crate::name::{LoginName, TenantId};
use crate::reason::Reason;
use crate::registrar::Registrar;
use crate::secret::SecretId;
use crate::time::Timestamp;
use crate::token::TokenRecord;
use crate::totp::Step;
use crate::user::RecoveryCodeId;

/// What [`decide`](super::decide) comes to.
#[derive(Clone, Debug)]
#[must_use]
pub enum Decision {
    /// Let the client in as this principal, after recording what must be.
    Admit(Admission),
    /// Refuse it. The client learns no reason; the audit does.
    Refuse(Reason),
    /// Refuse it, and count it against a user.
    Fail(FailedLogin),
    /// Ask for a code: name and password were right.
    Challenge,
    /// Make this thing or device first, and decide again.
    Register(Registration),
    /// Decide again once the slow comparison is done.
    Wait,
}

/// A failed login of a user, or of an e-mail address that no user has.
#[derive(Clone, Debug)]
pub struct FailedLogin {
    /// Why it failed.
    pub reason: Reason,
    /// The address, folded.
    pub email: LoginName,
    /// When the user will be locked out.
    pub policy: LockoutPolicy,
}

/// What does not exist yet, and is made as its client comes.
#[derive(Clone, Debug)]
pub enum Registration {
    /// A device, presenting what a registrar signed.
    Device {
        /// Who registers it.
        registrar: Registrar,
        /// The device that it becomes.
        device: Box<Credential>,
    },
    /// A thing, presenting the secret of an application that registers its things.
    Thing {
        /// The application.
        application: Arc<Credential>,
        /// The thing's key.
        key: LoginName,
    },
}

impl Registration {
    /// The tenant in which it is made.
    #[must_use]
    pub fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Device { device, .. } => device.tenant.as_ref(),
            Self::Thing { application, .. } => application.tenant.as_ref(),
        }
    }
}

/// Who is let in.
#[derive(Clone, Debug)]
pub struct Admission {
    /// As whom.
    pub identity: Identity,
    /// What must be committed before the client hears of it.
    pub record: LoginRecord,
}

impl Admission {
    /// The same where no client id may be anybody's because of this login.
    ///
    /// # Errors
    ///
    /// Returns the [`Reason`] why such a client is not let in: later it must be told who
    /// it was, by one of its secrets.
    pub fn without_client_id(mut self) -> Result<Self, Reason> {
        match self.identity {
            Identity::Credential { .. } | Identity::User { .. } => {
                self.record.session = SessionChange::Kept;
                Ok(self)
            }
            Identity::Bearer { .. }
            | Identity::Certificate { .. }
            | Identity::Issued { .. }
            | Identity::Unauthenticated { .. } => Err(Reason::Unauthenticated),
        }
    }
}

/// As whom a client is let in.
#[derive(Clone, Debug)]
pub enum Identity {
    /// The holder of a token.
    Bearer {
        /// The bearer's credential, as it was when it was looked up.
        credential: Arc<Credential>,
        /// The token.
        token: Arc<TokenRecord>,
    },
    /// A device, proved by a certificate.
    Certificate {
        /// The credential, as it was when it was looked up.
        credential: Arc<Credential>,
        /// What proved it.
        certificate: ProvedCertificate,
    },
    /// A device, an operator or a thing, proved by one of its secrets.
    Credential {
        /// The credential, as it was when it was looked up.
        credential: Arc<Credential>,
        /// The secret that proved it.
        secret: SecretId,
    },
    /// A device, proved by a token of its tenant's issuer.
    Issued {
        /// The credential, as it was when it was looked up.
        credential: Arc<Credential>,
        /// What proved it.
        token: Arc<ProvedToken>,
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
    /// An unauthenticated client, where a tenant allows that.
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
            | Self::Certificate { credential, .. }
            | Self::Credential { credential, .. }
            | Self::Issued { credential, .. }
            | Self::User { credential, .. } => Some(credential),
            Self::Unauthenticated { .. } => None,
        }
    }

    /// What proved the credential.
    #[must_use]
    pub fn proof(&self) -> Option<Proof<'_>> {
        match self {
            Self::Bearer { token, .. } => Some(Proof::Token(&token.id)),
            Self::Certificate { certificate, .. } => Some(match certificate.authority {
                Some(authority) => Proof::Authority(authority),
                None => Proof::Certificate(certificate.fingerprint),
            }),
            Self::Credential { secret, .. } | Self::User { secret, .. } => {
                Some(Proof::Secret(*secret))
            }
            Self::Issued { token, .. } => Some(Proof::Issued(token)),
            Self::Unauthenticated { .. } => None,
        }
    }

    /// The tenant whose topics the session uses; none for an operator.
    #[must_use]
    pub fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Bearer { token, .. } => Some(&token.tenant),
            Self::Certificate { credential, .. }
            | Self::Credential { credential, .. }
            | Self::Issued { credential, .. } => credential.tenant.as_ref(),
            Self::User { tenant, .. } => Some(tenant),
            Self::Unauthenticated { tenant } => tenant.as_ref(),
        }
    }

    /// When the session ends, if time alone brings it about.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        match self {
            Self::Bearer { token, .. } => Some(token.expires_at),
            Self::Certificate {
                credential,
                certificate,
            } => Some(certificate.session_ends_at(credential.expires_at)),
            Self::Credential { credential, secret }
            | Self::User {
                credential, secret, ..
            } => credential.ends_at(*secret),
            Self::Issued { credential, token } => {
                Some(token.session_ends_at(credential.expires_at))
            }
            Self::Unauthenticated { .. } => None,
        }
    }
}

/// What proves a credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Proof<'a> {
    /// A certificate that an authority of its tenant signed.
    Authority(AuthorityId),
    /// A certificate that stands for it.
    Certificate(Fingerprint),
    /// A token of an issuer of its tenant.
    Issued(&'a ProvedToken),
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
    /// Whether its client may be gone by now, and the host may have kept what was
    /// stored under the client id; see [`Ledger::keep_session`].
    ///
    /// [`Ledger::keep_session`]: crate::ledger::Ledger::keep_session
    pub may_be_gone: bool,
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
    /// There is no stored session any more; the id is in use all the same.
    Dropped,
    /// It stays as it is.
    #[default]
    Kept,
    /// There is one again, of whose login this is; nobody else had the id.
    Stored,
    /// It is whose login this is, from now on.
    Taken,
}
